//! Saving the data: where they are written, and what is known of past saves.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::data::Time;

/// Makes the contents of a file.
pub type MakeFile = Box<dyn FnOnce() -> Vec<u8> + Send>;

/// The file that SAVE and BGSAVE write: the engine knows no files.
pub trait DataFile: fmt::Debug + Send + Sync {
    /// All of it.
    ///
    /// # Errors
    ///
    /// It does not exist, or it cannot be read.
    fn read(&self) -> io::Result<Vec<u8>>;

    /// Replaces it as a whole.
    ///
    /// # Errors
    ///
    /// It cannot be written. Then it is as it was.
    fn write(&self, file: &[u8]) -> io::Result<()>;

    /// Begins to replace it while commands run. At the end it calls `end_background_save` of the engine.
    ///
    /// # Errors
    ///
    /// It cannot begin.
    fn write_in_background(&self, make: MakeFile) -> io::Result<()>;
}

/// A save that runs in the background.
#[derive(Clone, Copy, Debug)]
pub struct BackgroundSave {
    /// When it began.
    pub began: Time,
    /// How many changes there had been since the last save.
    pub changes: u64,
}

/// What is known of saving and loading.
#[derive(Debug)]
pub struct Saves {
    /// The file, if there is one.
    pub file: Option<Arc<dyn DataFile>>,
    /// What was saved, if there is no file.
    pub kept: Option<Arc<[u8]>>,
    /// `rdb_last_save_time`: when the last save succeeded, at first when the broker started.
    pub last: Time,
    /// `rdb_saves`: how many saves have begun.
    pub count: u64,
    /// The save in the background.
    pub background: Option<BackgroundSave>,
    /// BGSAVE was called in a transaction, and begins behind it.
    pub scheduled: bool,
    /// `rdb_last_bgsave_status`: whether the last save in the background has failed.
    pub failed: bool,
    /// `rdb_last_bgsave_time_sec`: how many seconds the last save in the background took.
    pub lasted: Option<u64>,
    /// `rdb_last_load_keys_loaded`.
    pub loaded: usize,
    /// `rdb_last_load_keys_expired`.
    pub expired: usize,
}

impl Saves {
    /// No save yet, for a broker that starts now.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self {
            file: None,
            kept: None,
            last: now,
            count: 0,
            background: None,
            scheduled: false,
            failed: false,
            lasted: None,
            loaded: 0,
            expired: 0,
        }
    }

    /// The broker restarts now: what was written stays, and so does a save that runs.
    pub fn restart(&mut self, now: Time) {
        let (file, kept, background) = (self.file.take(), self.kept.take(), self.background);
        *self = Self { file, kept, background, ..Self::new(now) };
    }

    /// What was saved last.
    ///
    /// # Errors
    ///
    /// Nothing was, or the file cannot be read.
    pub fn read(&self) -> io::Result<Arc<[u8]>> {
        match (&self.file, &self.kept) {
            (Some(file), _) => file.read().map(Arc::from),
            (None, Some(kept)) => Ok(Arc::clone(kept)),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
