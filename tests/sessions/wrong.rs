//! Failures are reported in one line, with the exit status 2, and leave nothing behind.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use minibroker::Broker;
use redis::Commands;

use crate::Tested;
use crate::program::{Ended, Folder, Recorder, compare, ended, replay, started, url};

#[track_caller]
pub fn refused(ended: Ended, parts: &[&str]) {
    let ended = ended.with(2);
    assert_eq!(ended.out, "");
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(ended.err.starts_with("minibroker: "), "{}", ended.err);
    for part in parts {
        assert!(ended.err.contains(part), "{part:?} is not in {}", ended.err);
    }
}

/// The URL of a port that no server listens on.
pub fn closed_port() -> std::io::Result<String> {
    Ok(format!("redis://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?))
}

fn record(upstream: &str, listen: &str, out: &str) -> std::io::Result<Ended> {
    ended(["record", "--upstream", upstream, "--listen", listen, "--out", out])
}

#[test]
fn a_missing_server_is_an_error() -> Tested {
    let folder = Folder::new()?;
    let file = folder.with("a.session", "a > PING\n")?;
    let kept = folder.with("kept.session", "a > PING\n")?;
    let (closed_port, out) = (closed_port()?, folder.file("new.session"));
    refused(replay(&file, &closed_port, &[])?, &["cannot connect to redis://127.0.0.1:", "refused"]);
    refused(compare(&file, &closed_port, &[])?, &["cannot connect to redis://127.0.0.1:", "refused"]);
    refused(record(&closed_port, "0", &out)?, &["cannot connect to redis://127.0.0.1:", "refused"]);
    refused(record(&closed_port, "0", &kept)?, &["cannot connect"]);
    refused(record("unix:/nowhere", "0", &out)?, &["cannot connect to unix:///nowhere: No such file"]);
    assert_eq!(fs::read_to_string(&kept)?, "a > PING\n");
    assert_eq!(folder.files()?.len(), 2);
    Ok(())
}

#[test]
fn a_wrong_or_missing_password_is_an_error() -> Tested {
    let (broker, folder) = (Broker::builder().password("s3cret").start()?, Folder::new()?);
    let file = folder.with("a.session", "a > PING\n")?;
    let wrong = format!("redis://:wrong@{}", broker.addr().expect("it listens"));
    let none = format!("redis://{}", broker.addr().expect("it listens"));
    let out = folder.file("new.session");
    refused(replay(&file, &wrong, &[])?, &["refuses: WRONGPASS"]);
    refused(compare(&file, &wrong, &[])?, &["refuses: WRONGPASS"]);
    refused(record(&wrong, "0", &out)?, &["refuses: WRONGPASS"]);
    refused(replay(&file, &none, &[])?, &["refuses: NOAUTH"]);
    refused(compare(&file, &none, &[])?, &["refuses: NOAUTH"]);
    assert_eq!(folder.files()?.len(), 1);
    Ok(())
}

#[test]
fn an_invalid_session_is_an_error() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.with("a.session", "# fine\na > PING\na < PONG\n")?;
    for ended in [replay(&file, &broker.url(), &[])?, compare(&file, &broker.url(), &[])?] {
        refused(ended, &[&format!("{file}:3: an answer is expected, not \"PONG\"")]);
    }
    let binary = folder.file("binary.session");
    fs::write(&binary, b"a > \xff\n")?;
    refused(compare(&binary, &broker.url(), &[])?, &["binary.session", "UTF-8"]);
    refused(compare(&folder.file("none.session"), &broker.url(), &[])?, &["none.session", "No such file"]);
    Ok(())
}

#[test]
fn a_name_that_may_be_misspelt_is_a_warning() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.with("a.session", "ann > PING\nann < +PONG\nanm > PING\nbob connect\n")?;
    for ended in [replay(&file, &broker.url(), &[])?, compare(&file, &broker.url(), &[])?] {
        assert_eq!(ended.status, Some(0), "{}{}", ended.out, ended.err);
        let warned = format!("{file}:3: warning: only this line has a client \"anm\"; ");
        assert!(ended.err.starts_with(&warned) && ended.err.lines().count() == 1, "{}", ended.err);
    }
    Ok(())
}

#[test]
fn an_invalid_address_is_an_error() -> Tested {
    let folder = Folder::new()?;
    let file = folder.with("a.session", "a > PING\n")?;
    let out = folder.file("new.session");
    for (address, shown, part) in [
        ("localhost", "localhost", "a URL begins with redis://"),
        ("redis://h:x", "redis://h:x", "`x` is no port"),
        ("redis://ann:s3cret@h/chat", "h/chat", "`chat` is no number of a database"),
        ("unix:r.sock?pass=s3cret", "unix:r.sock", "a path that begins with a slash"),
    ] {
        refused(replay(&file, address, &[])?, &[&format!("minibroker: --to {shown}: "), part]);
        refused(compare(&file, address, &[])?, &[&format!("minibroker: --with {shown}: "), part]);
        refused(record(address, "0", &out)?, &[&format!("minibroker: --upstream {shown}: "), part]);
    }
    assert_eq!(folder.files()?.len(), 1);
    Ok(())
}

#[test]
#[cfg(not(feature = "tls"))]
fn tls_needs_its_feature() -> Tested {
    let folder = Folder::new()?;
    let file = folder.with("a.session", "a > PING\n")?;
    let (url, out) = ("rediss://127.0.0.1:1", folder.file("new.session"));
    let error = ["cannot connect to rediss://127.0.0.1:1: TLS needs minibroker built with its feature `tls`"];
    refused(replay(&file, url, &[])?, &error);
    refused(compare(&file, url, &[])?, &error);
    refused(record(url, "0", &out)?, &error);
    assert_eq!(folder.files()?.len(), 1);
    Ok(())
}

#[test]
fn an_address_or_file_that_cannot_be_used_is_an_error() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let taken = broker.addr().expect("it listens").to_string();
    refused(record(&broker.url(), &taken, &folder.file("new.session"))?, &["cannot listen on 127.0.0.1:"]);
    refused(
        record(&broker.url(), "0", &folder.file("no/new.session"))?,
        &["cannot write the recording", "new.session"],
    );
    assert!(folder.files()?.is_empty());
    Ok(())
}

#[test]
fn a_server_of_another_protocol_is_an_error() -> Tested {
    let folder = Folder::new()?;
    let (file, out) = (folder.with("a.session", "a > PING\n")?, folder.file("new.session"));
    for (answer, cause) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], ": it does not speak the Redis protocol"),
        (b"", " has gone away"),
        (b"+PO", " has gone away"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("redis://{}", listener.local_addr()?);
        let server = thread::spawn(move || -> std::io::Result<()> {
            for _ in 0..3 {
                let (mut stream, _) = listener.accept()?;
                let _ = stream.read(&mut [0; 1024])?;
                stream.write_all(answer)?;
            }
            Ok(())
        });
        refused(replay(&file, &url, &[])?, &[&url, cause]);
        refused(compare(&file, &url, &[])?, &[&url, cause]);
        refused(record(&url, "0", &out)?, &[&url, cause]);
        server.join().map_err(|_| "the server panics")??;
    }
    assert_eq!(folder.files()?.len(), 1);
    Ok(())
}

#[test]
fn a_server_whose_answer_has_no_end_is_an_error() -> Tested {
    const PIECE: usize = 1024 * 1024;
    let folder = Folder::new()?;
    let (file, out) = (folder.with("a.session", "a > PING\n")?, folder.file("new.session"));
    // An endless line, and announced lengths that exceed all memory.
    for (begin, more) in [
        ("+", vec![b'x'; PIECE]),
        ("$9223372036854775807\r\n", vec![]),
        ("*1000000000\r\n", b":1\r\n".repeat(PIECE)),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("redis://{}", listener.local_addr()?);
        let server = thread::spawn(move || -> std::io::Result<()> {
            for _ in 0..4 {
                let (mut stream, _) = listener.accept()?;
                let _ = stream.read(&mut [0; 1024])?;
                // Until the client closes the connection, at once if there is nothing endless to write.
                let mut written = stream.write_all(begin.as_bytes());
                while written.is_ok() && !more.is_empty() {
                    written = stream.write_all(&more);
                }
                let _ = stream.read(&mut [0]);
            }
            Ok(())
        });
        let cause = ": its answer is larger than any of Redis";
        refused(replay(&file, &url, &[])?, &[&url, cause]);
        refused(compare(&file, &url, &[])?, &[&url, cause]);
        refused(record(&url, "0", &out)?, &[&url, cause]);
        let attached = Broker::attach(&url).expect_err("it is refused").to_string();
        assert!(attached.ends_with(cause), "{attached}");
        server.join().map_err(|_| "the server panics")??;
    }
    assert_eq!(folder.files()?.len(), 1);
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn a_recording_that_cannot_be_written_ends_and_its_clients_continue() -> Tested {
    let broker = Broker::start()?;
    let recorder = Recorder::start(&broker.url(), "/dev/full")?;
    let mut client = redis::Client::open(url(recorder.addr))?.get_connection()?;
    let _: () = client.set("k", "v")?;
    let ended = recorder.ended()?;
    refused(ended, &["cannot write the recording: /dev/full: No space left on device"]);
    assert_eq!(broker.command(["GET", "k"])?, "v");
    Ok(())
}

#[test]
fn a_server_that_ends_in_the_middle_is_an_error() -> Tested {
    let folder = Folder::new()?;
    let file = folder.with("a.session", "a > SET k v\na < +OK\na > BLPOP queue 0\na wait\n")?;
    for tool in ["replay", "compare"] {
        let broker = Broker::start()?;
        let option = if tool == "replay" { "--to" } else { "--with" };
        let program = started([tool, &file, option, &broker.url()])?;
        broker.wait_for_blocked("queue", 1).blocking()?;
        broker.stop()?;
        let ended = Ended::from(program.wait_with_output()?);
        refused(ended, &[&format!("{file}:4: redis://{} has gone away", broker.addr().expect("it listens"))]);
    }
    Ok(())
}
