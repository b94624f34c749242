//! The data as a whole: saved to a file, taken as a snapshot, loaded.
//!
//! SAVE makes the file while nothing else runs, as in redis-server. BGSAVE copies the data in memory, where redis-server
//! forks; the file is made and written from the copy while commands run. A broker without a file keeps what it saves in
//! memory, where nothing is gained by doing it later.

use std::io;

use super::Engine;
use crate::clients::ClientKey;
use crate::commands::debug;
use crate::config::Config;
use crate::data::Time;
use crate::data::dump::file::FileError;
use crate::keyspace::{Dataset, write_file};
use crate::resp::{Args, Protocol, Reply};
use crate::spec::numbers::is_option;
use crate::spec::{Command, Context, Error, Outcome, Saving};
use crate::state::saves::BackgroundSave;

/// What of the present data stays when others are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Nothing: the loaded data replace all.
    Nothing,
    /// All: a key or library that is loaded may not exist.
    All,
    /// What is not loaded.
    Others,
}

/// Another save runs.
const IN_PROGRESS: Error = Error::constant(&"ERR Background save already in progress");
/// redis-server says no more than that.
const NOT_SAVED: Error = Error::constant(&"ERR");
const NOT_LOADED: &str = "ERR Error trying to load the RDB dump";

impl Engine {
    /// A copy of all data.
    #[must_use]
    pub fn dataset(&self) -> Dataset {
        Dataset::of(&self.state.databases, self.library_texts().map(<[u8]>::to_vec).collect())
    }

    /// Replaces all data by those of a file, which the broker starts with.
    ///
    /// # Errors
    ///
    /// What is wrong with the file or with a library of functions; then nothing has changed.
    pub fn load_file(&mut self, file: &[u8], now: Time) -> Result<(), String> {
        self.take_time(now);
        let data = self.read_file(file).map_err(|error| error.to_string())?;
        self.load_all(data)
    }

    /// Replaces all data, as [`Engine::load_file`].
    ///
    /// # Errors
    ///
    /// They need more databases, or what is wrong with a library of functions; then nothing has changed.
    pub fn load_dataset(&mut self, data: Dataset, now: Time) -> Result<(), String> {
        self.take_time(now);
        let databases = self.state.databases.len();
        match data.databases.keys().last() {
            Some(last) if *last >= databases => {
                Err(format!("it has database {last}, and `databases` is {databases}"))
            }
            _ => self.load_all(data),
        }
    }

    fn load_all(&mut self, data: Dataset) -> Result<(), String> {
        self.load(data, Keep::Nothing).map_err(|error| String::from_utf8_lossy(error.text()).into_owned())
    }

    fn read_file(&self, file: &[u8]) -> Result<Dataset, FileError> {
        Dataset::read(file, &self.state.config, self.state.now)
    }

    /// Loads data, all or none of them.
    fn load(&mut self, mut data: Dataset, keep: Keep) -> Result<(), Error> {
        let expired = data.remove_expired(self.state.now);
        let keys = data.keys();
        if keep == Keep::All
            && let Some(key) = self.state.first_in_both(&data.databases)
        {
            return Err(Error::quoting("ERR key '", &key, "' exists"));
        }
        let texts = std::mem::take(&mut data.libraries);
        self.load_libraries(&texts, keep == Keep::Nothing, keep == Keep::Others)?;
        if keep == Keep::Nothing {
            self.state.replace_databases(data.databases);
        } else {
            self.state.merge_databases(data.databases);
        }
        (self.state.saves.loaded, self.state.saves.expired) = (keys, expired);
        Ok(())
    }

    /// SAVE, BGSAVE and DEBUG.
    pub(super) fn saving_command(
        &mut self,
        kind: Saving,
        client: ClientKey,
        (command, args): (&'static Command, Args<'_>),
        (protocol, out): (Protocol, &mut Vec<u8>),
    ) -> Outcome {
        let mut reply = Reply::new(out, protocol);
        match kind {
            Saving::Save => {
                if self.state.saves.background.is_some() {
                    return Err(IN_PROGRESS);
                }
                self.state.saves.count += 1;
                self.save()?;
                reply.ok();
            }
            Saving::Background => reply.simple(self.begin_background_save(args)?),
            Saving::Debug if is_option(&args[1], "RELOAD") => {
                self.reload(args)?;
                reply.ok();
            }
            Saving::Debug => {
                let state = &mut self.state;
                let mut context =
                    Context { args, reply, state, client, command, may_block: false, wait: None };
                return debug::debug(&mut context);
            }
        }
        Ok(())
    }

    /// Saves while nothing else runs, as redis-server.
    fn save(&mut self) -> Result<(), Error> {
        let file = self.file();
        if let Some(place) = &self.state.saves.file {
            place.write(&file).map_err(|_| NOT_SAVED)?;
        } else {
            self.state.saves.kept = Some(file.into());
        }
        self.state.stats.dirty = 0;
        self.state.saves.last = self.state.now;
        self.state.saves.failed = false;
        Ok(())
    }

    /// The data as a file.
    fn file(&self) -> Vec<u8> {
        write_file(
            self.state.databases.iter().enumerate(),
            self.library_texts(),
            &self.state.config,
            self.state.now,
        )
    }

    fn begin_background_save(&mut self, args: Args<'_>) -> Result<&'static str, Error> {
        if args.len() > 2 || args.get(1).is_some_and(|option| !is_option(option, "SCHEDULE")) {
            return Err(Error::SYNTAX);
        }
        if self.state.saves.background.is_some() {
            return Err(IN_PROGRESS);
        }
        if self.state.in_transaction {
            // The file is to have all of the transaction or nothing of it.
            self.state.saves.scheduled = true;
            return Ok("Background saving scheduled");
        }
        self.start_background_save()?;
        Ok("Background saving started")
    }

    /// Begins a save for which BGSAVE was called in the transaction that has just ended.
    pub(super) fn start_scheduled_save(&mut self) {
        if std::mem::take(&mut self.state.saves.scheduled) && self.state.saves.background.is_none() {
            // redis-server tries once more, later; that it has failed is in INFO.
            let _ = self.start_background_save();
        }
    }

    fn start_background_save(&mut self) -> Result<(), Error> {
        let (began, changes) = (self.state.now, self.state.stats.dirty);
        self.state.saves.count += 1;
        self.state.saves.background = Some(BackgroundSave { began, changes });
        let Some(place) = self.state.saves.file.clone() else {
            self.state.saves.kept = Some(self.file().into());
            self.note_background_save(true);
            return Ok(());
        };
        let (data, config): (_, Config) = (self.dataset(), self.state.config.clone());
        place.write_in_background(Box::new(move || data.file(&config, began))).map_err(|_| {
            self.state.saves.background = None;
            self.state.saves.failed = true;
            NOT_SAVED
        })
    }

    /// The save in the background has ended.
    pub fn end_background_save(&mut self, saved: bool, now: Time) {
        self.take_time(now);
        self.note_background_save(saved);
    }

    fn note_background_save(&mut self, saved: bool) {
        let Some(BackgroundSave { began, changes }) = self.state.saves.background.take() else { return };
        let now = self.state.now;
        self.state.saves.failed = !saved;
        self.state.saves.lasted = Some(now.since(began).as_secs());
        if saved {
            self.state.saves.last = now;
            self.state.stats.dirty = self.state.stats.dirty.saturating_sub(changes);
        }
    }

    /// `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`: saves everything and loads what was saved, as if the broker had
    /// restarted. If it cannot be loaded, everything stays as it was; redis-server ends.
    fn reload(&mut self, args: Args<'_>) -> Result<(), Error> {
        let has = |name| args.from(2).iter().any(|option| is_option(option, name));
        let is_known = |option| ["MERGE", "NOFLUSH", "NOSAVE"].iter().any(|known| is_option(option, known));
        if !args.from(2).iter().all(is_known) {
            return Err(Error::new("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."));
        }
        if !has("NOSAVE") {
            self.save()?;
        }
        let keep = match (has("NOFLUSH"), has("MERGE")) {
            (false, _) => Keep::Nothing,
            (true, false) => Keep::All,
            (true, true) => Keep::Others,
        };
        let file = self.state.saves.read().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::new(format!("{NOT_LOADED}, check server logs.")),
            _ => Error::new(format!("{NOT_LOADED}: {error}")),
        })?;
        let data = self.read_file(&file).map_err(|error| Error::new(format!("{NOT_LOADED}: {error}")))?;
        self.load(data, keep)
    }
}
