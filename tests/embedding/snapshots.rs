//! Data that outlive a broker: snapshots and RDB files.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use minibroker::{Broker, Snapshot, Version};

use crate::Outcome;

/// A folder of its own, removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("minibroker-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self) -> PathBuf {
        self.0.join("dump.rdb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A field of INFO.
fn info(broker: &Broker, name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let text = broker.command(["INFO", "everything"])?;
    let text = String::from_utf8_lossy(text.as_bytes().ok_or("a text")?).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(found.ok_or("no such line")?.to_owned())
}

fn text(broker: &Broker, command: &str) -> Result<String, Box<dyn std::error::Error>> {
    Ok(broker.command(command.split(' ').collect::<Vec<_>>())?.to_string())
}

#[test]
fn brokers_that_start_with_a_snapshot_have_each_a_copy_for_itself() -> Outcome {
    let broker = Broker::start()?;
    text(&broker, "RPUSH history hello hi")?;
    text(&broker, "XADD log 1-1 a b")?;
    text(&broker, "XGROUP CREATE log workers 0")?;
    text(&broker, "XREADGROUP GROUP workers ann STREAMS log >")?;
    let snapshot = broker.snapshot();
    text(&broker, "RPUSH history later")?;
    for file in [false, true] {
        let snapshot = if file { Snapshot::from_rdb(snapshot.to_rdb())? } else { snapshot.clone() };
        let first = Broker::builder().from_snapshot(&snapshot).start()?;
        let second = Broker::builder().from_snapshot(&snapshot).start()?;
        text(&first, "RPUSH history mine")?;
        assert_eq!(text(&first, "LRANGE history 0 -1")?, "[\"hello\", \"hi\", \"mine\"]");
        assert_eq!(text(&second, "LRANGE history 0 -1")?, "[\"hello\", \"hi\"]");
        second.wait_for_pending("log", "workers", 1).blocking()?;
        assert_eq!(info(&second, "rdb_last_load_keys_loaded")?, "2");
    }
    Ok(())
}

#[test]
fn expiries_go_by_the_clock_of_the_broker_that_starts() -> Outcome {
    let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let broker = Broker::builder().manual_clock_at(time(1_000_000)).start()?;
    text(&broker, "SET soon x EX 10")?;
    text(&broker, "SET late x EX 1000")?;
    text(&broker, "HSET hash f v g v")?;
    text(&broker, "HEXPIRE hash 10 FIELDS 1 f")?;
    let snapshot = broker.snapshot();
    for snapshot in [Snapshot::from_rdb(snapshot.to_rdb())?, snapshot] {
        let early = Broker::builder().manual_clock_at(time(1_000_005)).from_snapshot(&snapshot).start()?;
        assert_eq!(text(&early, "TTL soon")?, "5");
        assert_eq!(text(&early, "HLEN hash")?, "2");
        early.advance(Duration::from_secs(5));
        assert_eq!(text(&early, "EXISTS soon late")?, "1");
        assert_eq!(text(&early, "HKEYS hash")?, "[\"g\"]");
        let late = Broker::builder().manual_clock_at(time(1_000_010)).from_snapshot(&snapshot).start()?;
        assert_eq!(text(&late, "DBSIZE")?, "2");
        assert_eq!(info(&late, "rdb_last_load_keys_expired")?, "1");
        // It has not expired here: it was never here.
        assert_eq!(info(&late, "expired_keys")?, "0");
    }
    Ok(())
}

#[test]
fn all_databases_are_in_a_snapshot_and_too_many_are_an_error() -> Outcome {
    let broker = Broker::start()?;
    text(&broker, "SET a 1")?;
    text(&broker, "MOVE a 7")?;
    let snapshot = broker.snapshot();
    let again = Broker::builder().databases(8).from_snapshot(&snapshot).start()?;
    again.wait_until(|state| state.database(7).exists("a") && !state.exists("a")).blocking()?;
    for snapshot in [Snapshot::from_rdb(snapshot.to_rdb())?, snapshot] {
        let error = Broker::builder().databases(7).from_snapshot(&snapshot).start().err();
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(error.ends_with("it has database 7, and `databases` is 7"), "{error}");
    }
    Ok(())
}

#[cfg(feature = "scripting")]
#[test]
fn functions_are_in_a_snapshot_and_loaded_anew_by_debug_reload() -> Outcome {
    const LIBRARY: &str =
        "#!lua name=c\nlocal n = 0\nredis.register_function('count', function() n = n + 1; return n end)";
    let broker = Broker::start()?;
    broker.command(["FUNCTION", "LOAD", LIBRARY])?;
    assert_eq!(text(&broker, "FCALL count 0")?, "1");
    let snapshot = broker.snapshot();
    for snapshot in [Snapshot::from_rdb(snapshot.to_rdb())?, snapshot] {
        let again = Broker::builder().from_snapshot(&snapshot).start()?;
        assert_eq!(text(&again, "FCALL count 0")?, "1");
        assert_eq!(text(&again, "FCALL count 0")?, "2");
        assert_eq!(text(&again, "DEBUG RELOAD")?, "OK");
        assert_eq!(text(&again, "FCALL count 0")?, "1");
    }
    Ok(())
}

#[test]
fn save_and_bgsave_write_the_file_that_the_next_broker_starts_with() -> Outcome {
    let folder = Folder::new("save")?;
    for (command, version) in [("SAVE", Version::Redis7_0), ("BGSAVE", Version::Redis8_0)] {
        let broker = Broker::builder().compat(version).data_file(folder.file()).start()?;
        text(&broker, "RPUSH saved x")?;
        assert_eq!(info(&broker, "rdb_changes_since_last_save")?, "1");
        text(&broker, command)?;
        // A save in the background has ended when the broker has.
        drop(broker);
        let file = std::fs::read(folder.file())?;
        assert!(file.starts_with(if version == Version::Redis7_0 { b"REDIS0010" } else { b"REDIS0012" }));
        assert_eq!(std::fs::read_dir(&folder.0)?.count(), 1, "no other file is left");
    }
    let broker = Broker::builder().data_file(folder.file()).start()?;
    assert_eq!(text(&broker, "LLEN saved")?, "2");
    assert_eq!(text(&broker, "CONFIG GET dbfilename")?, "{\"dbfilename\": \"dump.rdb\"}");
    text(&broker, "DEL saved")?;
    assert_eq!(text(&broker, "DEBUG RELOAD NOSAVE")?, "OK");
    assert_eq!(text(&broker, "LLEN saved")?, "2");
    let loaded = Broker::builder().load(folder.file()).start()?;
    assert_eq!(text(&loaded, "LLEN saved")?, "2");
    Ok(())
}

#[test]
fn bgsave_in_a_transaction_saves_what_there_is_behind_it() -> Outcome {
    let broker = Broker::start()?;
    let mut client = redis::Client::open(broker.url())?.get_connection()?;
    let mut pipe = redis::pipe();
    pipe.atomic().cmd("SET").arg("a").arg(1).cmd("BGSAVE").cmd("SET").arg("b").arg(1);
    let (_, saving, _): (String, String, String) = pipe.query(&mut client)?;
    assert_eq!(saving, "Background saving scheduled");
    assert_eq!(
        (info(&broker, "rdb_saves")?, info(&broker, "rdb_bgsave_in_progress")?),
        ("1".into(), "0".into())
    );
    text(&broker, "FLUSHALL")?;
    text(&broker, "DEBUG RELOAD NOSAVE")?;
    assert_eq!(text(&broker, "EXISTS a b")?, "2");
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_or_read_leaves_everything_as_it_is() -> Outcome {
    let folder = Folder::new("errors")?;
    let broker = Broker::builder().data_file(folder.0.join("none/dump.rdb")).start()?;
    text(&broker, "SET a 1")?;
    assert_eq!(broker.command(["SAVE"]).err().map(|error| error.to_string()).as_deref(), Some("ERR"));
    text(&broker, "BGSAVE")?;
    // It has ended when its error is shown.
    while info(&broker, "rdb_bgsave_in_progress")? == "1" {
        std::thread::yield_now();
    }
    assert_eq!(info(&broker, "rdb_last_bgsave_status")?, "err");
    assert_eq!(info(&broker, "rdb_changes_since_last_save")?, "1");
    drop(broker);

    let broker = Broker::builder().data_file(folder.file()).start()?;
    text(&broker, "SET a 1")?;
    let error = broker.command(["DEBUG", "RELOAD", "NOSAVE"]).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some("ERR Error trying to load the RDB dump, check server logs."));
    std::fs::write(folder.file(), b"REDIS0003\xfe\x01\x00\x01b\x01")?;
    let error = broker.command(["DEBUG", "RELOAD", "NOSAVE"]).err().map(|error| error.to_string());
    let problem = "byte 15: the value of key \"b\" is not well formed, or the file ends too early";
    assert_eq!(error, Some(format!("ERR Error trying to load the RDB dump: {problem}")));
    assert_eq!(text(&broker, "GET a")?, "1");
    for builder in [Broker::builder().load(folder.file()), Broker::builder().data_file(folder.file())] {
        let error = builder.start().err().map(|error| error.to_string());
        assert_eq!(error, Some(format!("cannot load {}: {problem}", folder.file().display())));
    }
    let error = Snapshot::from_rdb(std::fs::read(folder.file())?).err();
    assert_eq!(error.map(|error| (error.position(), error.to_string())), Some((15, problem.to_owned())));
    Ok(())
}

#[test]
fn debug_reload_merges_only_where_it_is_asked_to() -> Outcome {
    let broker = Broker::start()?;
    text(&broker, "SET a 1")?;
    text(&broker, "SAVE")?;
    text(&broker, "SET a 2")?;
    text(&broker, "SET b 2")?;
    assert!(broker.command(["DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"]).is_err());
    assert_eq!(text(&broker, "MGET a b")?, "[\"2\", \"2\"]");
    text(&broker, "DEBUG RELOAD NOSAVE NOFLUSH MERGE")?;
    assert_eq!(text(&broker, "MGET a b")?, "[\"1\", \"2\"]");
    text(&broker, "DEBUG RELOAD NOSAVE")?;
    assert_eq!(text(&broker, "EXISTS a b")?, "1");
    Ok(())
}
