//! The file of the data: SAVE and BGSAVE write it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::{fmt, io};

use parking_lot::Mutex;

use super::Shared;
use crate::state::saves::{self, MakeFile};

/// A file that is replaced as a whole, by this thread or by one of its own.
pub struct DataFile {
    path: PathBuf,
    shared: Weak<Shared>,
    /// The thread of the last save in the background.
    saving: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl DataFile {
    /// The file at this path, for the engine of this shell.
    pub fn new(path: PathBuf, shared: &Arc<Shared>) -> Self {
        Self { path, shared: Arc::downgrade(shared), saving: Mutex::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a save in the background. The engine's lock may not be held.
    pub fn finish(&self) {
        let saving = self.saving.lock().take();
        if let Some(saving) = saving {
            // A panic of that thread has been reported there.
            let _ = saving.join();
        }
    }
}

impl saves::DataFile for DataFile {
    fn read(&self) -> io::Result<Vec<u8>> {
        std::fs::read(&self.path)
    }

    fn write(&self, file: &[u8]) -> io::Result<()> {
        replace(&self.path, file)
    }

    fn write_in_background(&self, make: MakeFile) -> io::Result<()> {
        let (path, shared) = (self.path.clone(), Weak::clone(&self.shared));
        let write = move || {
            let saved = replace(&path, &make()).is_ok();
            if let Some(shared) = shared.upgrade() {
                shared.change(|engine, now| engine.end_background_save(saved, now));
            }
        };
        // The one before has ended, or no other could begin: this does not wait.
        let saving = std::thread::Builder::new().name("minibroker:save".to_owned()).spawn(write)?;
        *self.saving.lock() = Some(saving);
        Ok(())
    }
}

/// Replaces a file as a whole, so that nobody reads a part of it.
///
/// # Errors
///
/// It cannot be written. Then it is as it was.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // Several brokers may write files of the same name.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".new-{}-{number}", std::process::id()));
    let new = PathBuf::from(new);
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}
