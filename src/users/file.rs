//! Where users are kept: the engine knows no files.

use std::fmt;
use std::io;
use std::sync::Arc;

type Read = dyn Fn() -> io::Result<Vec<u8>> + Send + Sync;
type Write = dyn Fn(&[u8]) -> io::Result<()> + Send + Sync;

/// The file of users, which ACL LOAD reads and ACL SAVE writes.
#[derive(Clone)]
pub struct UserFile {
    read: Arc<Read>,
    write: Arc<Write>,
}

impl UserFile {
    /// A file that is read and written by these functions.
    pub fn new(
        read: impl Fn() -> io::Result<Vec<u8>> + Send + Sync + 'static,
        write: impl Fn(&[u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Arc::new(read), write: Arc::new(write) }
    }

    /// All of its text.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        (self.read)()
    }

    /// Replaces its text.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn write(&self, text: &[u8]) -> io::Result<()> {
        (self.write)(text)
    }
}

impl fmt::Debug for UserFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserFile")
    }
}
