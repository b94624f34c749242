//! All data at one moment, as a file of redis-server has them: the databases and the libraries of functions.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::data::Time;
use crate::data::dump::file::{FileError, FileReader, FileWriter, Item, Key};
use crate::keyspace::{Access, Database, Entry};

/// The data of a broker at one moment.
#[derive(Debug, Default)]
pub struct Dataset {
    /// The databases that have keys, by their numbers.
    pub databases: BTreeMap<usize, Database>,
    /// The texts of the libraries of functions.
    pub libraries: Vec<Vec<u8>>,
}

impl Dataset {
    /// The data of these databases and libraries, copied.
    #[must_use]
    pub fn of(databases: &[Database], libraries: Vec<Vec<u8>>) -> Self {
        let with_keys = databases.iter().enumerate().filter(|(_, database)| !database.is_empty());
        Self {
            databases: with_keys.map(|(number, database)| (number, database.copied())).collect(),
            libraries,
        }
    }

    /// The same data again.
    #[must_use]
    pub fn copied(&self) -> Self {
        let databases = self.databases.iter().map(|(number, database)| (*number, database.copied()));
        Self { databases: databases.collect(), libraries: self.libraries.clone() }
    }

    /// Reads a file of redis-server or Valkey. Values get the encodings that the settings give. Keys count as used at
    /// `now`, unless the file says when they were, and are there even if they have expired.
    ///
    /// # Errors
    ///
    /// The file is not well formed, or has keys of databases that the settings do not give.
    pub fn read(file: &[u8], config: &Config, now: Time) -> Result<Self, FileError> {
        let mut reader = FileReader::new(file, config)?;
        let mut data = Self::default();
        let mut number = 0;
        while let Some(item) = reader.next() {
            match item? {
                Item::Database(chosen) if chosen < config.databases => number = chosen,
                Item::Database(chosen) => {
                    let databases = config.databases;
                    return Err(
                        reader.error(format!("it has database {chosen}, and `databases` is {databases}"))
                    );
                }
                Item::Size(keys) => data.databases.entry(number).or_default().expect(keys),
                Item::Library(text) => data.libraries.push(text),
                Item::Key(key) => {
                    let database = data.databases.entry(number).or_default();
                    if database.has(&key.name) {
                        return Err(reader.error(format!("it has two keys {}", key.shown_name())));
                    }
                    let access = access_of(&key, config, now);
                    database.add(&key.name, Entry::new(key.value, key.expires, access));
                }
            }
        }
        data.databases.retain(|_, database| !database.is_empty());
        Ok(data)
    }

    /// Removes the keys that have expired at `now`, as redis-server does not load them; returns how many.
    pub fn remove_expired(&mut self, now: Time) -> usize {
        let mut removed = 0;
        for database in self.databases.values_mut() {
            while let Some(index) = database.first_due(now.millis()) {
                database.remove_at(index);
                removed += 1;
            }
        }
        removed
    }

    /// How many keys it has.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.databases.values().map(Database::len).sum()
    }

    /// A file with these data, as [`write_file`].
    #[must_use]
    pub fn file(&self, config: &Config, now: Time) -> Vec<u8> {
        let databases = self.databases.iter().map(|(number, database)| (*number, database));
        write_file(databases, self.libraries.iter().map(Vec::as_slice), config, now)
    }
}

/// When the key of a file was used.
fn access_of(key: &Key<'_>, config: &Config, now: Time) -> Access {
    let counts = config.maxmemory_policy.counts();
    match (key.idle, key.frequency) {
        (_, Some(frequency)) if counts => Access::counted(frequency, now),
        (Some(idle), _) if !counts => Access::idle_for(idle, now),
        _ => Access::first(config, now),
    }
}

/// A file with these databases and libraries of functions, as the emulated version of redis-server writes it at `now`.
#[must_use]
pub fn write_file<'a>(
    databases: impl Iterator<Item = (usize, &'a Database)>,
    libraries: impl Iterator<Item = &'a [u8]>,
    config: &Config,
    now: Time,
) -> Vec<u8> {
    let Config { compat: version, maxmemory_policy: policy, .. } = *config;
    let facts = [
        ("redis-ver", version.release().to_owned()),
        ("redis-bits", usize::BITS.to_string()),
        ("ctime", now.seconds().to_string()),
        ("aof-base", "0".to_owned()),
    ];
    let mut file = FileWriter::new(version, facts.iter().map(|(name, value)| (*name, value.as_bytes())));
    libraries.for_each(|text| file.library(text));
    for (number, database) in databases.filter(|(_, database)| !database.is_empty()) {
        file.database(number, database.len(), database.expiring());
        for (name, entry) in database.iter() {
            let idle = policy.orders_by_use().then(|| entry.access.idle(now));
            let frequency = policy.counts().then(|| entry.access.count(config, now));
            file.key(name, &entry.value, entry.expires(), (idle, frequency));
        }
    }
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;
    use crate::data::{ByteString, Value};

    fn now() -> Time {
        Time::from_millis(1_700_000_000_000)
    }

    fn with(maxmemory_policy: Policy) -> Config {
        Config { maxmemory_policy, ..Config::default() }
    }

    fn dataset(keys: impl Iterator<Item = (usize, usize)>, access: Access) -> Dataset {
        let mut data = Dataset { libraries: vec![b"#!lua name=x\n".to_vec()], ..Dataset::default() };
        for (number, key) in keys {
            let value = Value::String(ByteString::new(key.to_string().as_bytes()));
            let expires = (key % 3 == 0).then(|| now().millis() + i64::try_from(key).unwrap_or_default() - 5);
            let database = data.databases.entry(number).or_default();
            database.add(format!("key {key}").as_bytes(), Entry::new(value, expires, access));
        }
        data
    }

    fn read(file: &[u8]) -> Result<Dataset, FileError> {
        Dataset::read(file, &Config::default(), now())
    }

    #[test]
    fn what_was_written_is_read_with_databases_expiries_and_libraries() -> Result<(), FileError> {
        let data = dataset((0..100).map(|key| (key % 4 * 3, key)), Access::first(&Config::default(), now()));
        let file = data.file(&with(Policy::Noeviction), now());
        let mut again = read(&file)?;
        assert_eq!(again.file(&with(Policy::Noeviction), now()), file);
        assert_eq!((again.keys(), &again.libraries), (100, &data.libraries));
        // Those of the keys 0 and 3.
        assert_eq!(again.remove_expired(now()), 2);
        assert_eq!(again.keys(), 98);
        Ok(())
    }

    #[test]
    fn what_the_policy_records_of_accesses_comes_back() -> Result<(), FileError> {
        for (policy, access) in [
            (Policy::AllkeysLru, Access::idle_for(77, now())),
            (Policy::AllkeysLfu, Access::counted(99, now())),
        ] {
            let config = with(policy);
            let file = dataset([(0, 1)].into_iter(), access).file(&with(policy), now());
            let data = Dataset::read(&file, &config, now())?;
            let entry = data.databases.values().find_map(|database| database.get(b"key 1"));
            assert_eq!(entry.map(|entry| entry.access), Some(access));
            // Without the policy the file's entry is skipped.
            let data = read(&file)?;
            let entry = data.databases.values().find_map(|database| database.get(b"key 1"));
            assert!(entry.is_some());
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_cut_off_or_changed_anywhere_is_refused_with_a_position() -> Result<(), FileError> {
        let data = dataset((0..20).map(|key| (key % 2, key)), Access::default());
        let file = data.file(&with(Policy::AllkeysLru), now());
        read(&file)?;
        for at in 0..file.len() {
            let error = read(&file[..at]).expect_err("it is cut off");
            assert!(error.at <= at, "{error}");
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                let error = read(&changed).err();
                // Files of an old version have no checksum.
                let is_old = changed.starts_with(b"REDIS0002");
                assert!(error.is_some() || is_old, "byte {at}, bit {bit}");
            }
        }
        Ok(())
    }

    #[test]
    fn errors_say_what_is_wrong_and_where() {
        let of = |items: &[u8]| [b"REDIS0003", items].concat();
        for (file, expected) in [
            (b"REDIS".to_vec(), "byte 0: the file is shorter than the header of an RDB file"),
            (b"ROBIN0010".to_vec(), "byte 0: this is no RDB file: it does not begin with REDIS or VALKEY"),
            (b"REDIS0099".to_vec(), "byte 0: version \"REDIS0099\" of the format is not known"),
            (b"REDIS00+9".to_vec(), "byte 0: version \"REDIS00+9\" of the format is not known"),
            (b"VALKEY012".to_vec(), "byte 0: version \"VALKEY012\" of the format is not known"),
            (of(b""), "byte 9: the file ends too early"),
            (of(b"\xfe\x14\xff"), "byte 11: it has database 20, and `databases` is 16"),
            (of(b"\xfc\x00"), "byte 10: an expiry is not well formed, or the file ends too early"),
            (of(b"\xf7\x00"), "byte 10: it has data of a module"),
            (of(b"\xf6\x00"), "byte 10: it has libraries in a form that was never released"),
            (of(b"\xd0\x01a\x01b\xff"), "byte 12: the value of key \"a\" is of the unknown type 208"),
            (
                of(b"\x00\x01a\x09b\xff"),
                "byte 13: the value of key \"a\" is not well formed, or the file ends too early",
            ),
            (of(b"\x00\x01a\x01b\x00\x01a\x01b\xff"), "byte 19: it has two keys \"a\""),
        ] {
            let error = read(&file).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected));
        }
        // Before version 5 there is no checksum; a fact, the size of a database and an expiry in seconds are read.
        let data = read(&of(b"\xfa\x01a\x01b\xfe\x02\xfb\x01\x01\xfd\x01\x00\x00\x00\x00\x01a\x01b\xff"));
        let expires = data.ok().and_then(|data| data.databases.get(&2)?.get(b"a")?.expires());
        assert_eq!(expires, Some(1000));
    }

    #[test]
    fn no_room_is_made_for_keys_that_the_file_is_too_short_for() -> Result<(), FileError> {
        // Each of many databases claims as many keys as fit into a number.
        let mut file = b"REDIS0003".to_vec();
        for number in 0..15 {
            file.extend_from_slice(&[254, number, 251, 0x80, 0xff, 0xff, 0xff, 0xff, 0]);
        }
        file.push(255);
        assert_eq!(read(&file)?.keys(), 0);
        Ok(())
    }
}
