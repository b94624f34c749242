//! Recordings of real clients can be played.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use minibroker::Broker;
use minibroker::internal::conform::control::Control;
use minibroker::internal::session::{Action, Argument, Session};
use redis::Commands;

use crate::Tested;
use crate::program::{Folder, Recorder, all, compare, replay, url};

/// A timeout that is not reached even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Two clients that exchange messages by a queue, a stream and a channel, to which a third one subscribes.
fn chat(proxy: SocketAddr, server: SocketAddr) -> Tested {
    let client = redis::Client::open(url(proxy))?;
    let mut ann = client.get_connection()?;
    let mut listener = client.get_connection()?;
    let mut channel = listener.as_pubsub();
    channel.subscribe("chat")?;
    let mut worker = client.get_connection()?;
    let working = std::thread::spawn(move || -> redis::RedisResult<String> {
        let (_, text): (String, String) = worker.blpop("queue", 0.0)?;
        let _: i64 = worker.publish("chat", &text)?;
        Ok(text)
    });
    let mut control = Control::connect(server)?;
    assert!(control.until(Some(true), |control| Ok(control.blocked()? == 1))?);
    let _: i64 = ann.rpush("queue", "hello \u{e9} \u{0} \"you\"")?;
    assert_eq!(channel.get_message()?.get_payload::<String>()?, "hello \u{e9} \u{0} \"you\"");
    assert_eq!(working.join().map_err(|_| "the worker panics")??, "hello \u{e9} \u{0} \"you\"");
    let id: String = redis::cmd("XADD").arg(&["log", "*", "who", "ann"]).query(&mut ann)?;
    redis::cmd("XGROUP").arg(&["CREATE", "log", "readers", "0"]).exec(&mut ann)?;
    redis::cmd("XREADGROUP").arg(&["GROUP", "readers", "ann", "STREAMS", "log", ">"]).exec(&mut ann)?;
    let acknowledged: i64 = redis::cmd("XACK").arg(&["log", "readers", &id]).query(&mut ann)?;
    assert_eq!(acknowledged, 1);
    redis::pipe().atomic().set("seen", 1).expire("seen", 100).ttl("seen").exec(&mut ann)?;
    redis::cmd("TIME").exec(&mut ann)?;
    Ok(())
}

#[test]
fn a_recorded_chat_plays_the_same_again_on_every_server() -> Tested {
    let servers = all()?;
    for recorded in &servers {
        let folder = Folder::new()?;
        let file = folder.file("chat.session");
        let recorder = Recorder::start(&url(recorded.addr), &file)?;
        chat(recorder.addr, recorded.addr)?;
        recorder.end()?;
        let session = Session::read(&fs::read_to_string(&file)?)?;
        assert_eq!(session.names, ["c1", "c2", "c3"]);
        for server in &servers {
            let replayed = replay(&file, &url(server.addr), &["--flush"])?;
            assert_eq!(
                replayed.status,
                Some(0),
                "{} on {}:\n{}{}",
                recorded.name,
                server.name,
                replayed.out,
                replayed.err
            );
            let compared = compare(&file, &url(server.addr), &["--flush"])?;
            assert_eq!(compared.status, Some(0), "{} on {}:\n{}", recorded.name, server.name, compared.out);
        }
    }
    Ok(())
}

#[test]
fn a_recording_can_be_read_while_it_is_made() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.file("now.session");
    let recorder = Recorder::start(&broker.url(), &file)?;
    let mut client = redis::Client::open(url(recorder.addr))?.get_connection()?;
    let _: () = client.set("k", "v")?;
    let deadline = Instant::now() + TIMEOUT;
    while !fs::read_to_string(&file)?.contains("c1 > SET k v\nc1 < +OK\n") {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(&file)?);
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn passwords_are_left_out_and_taken_from_the_address_again() -> Tested {
    let (broker, folder) = (Broker::builder().password("s3cret").start()?, Folder::new()?);
    let file = folder.file("login.session");
    let recorder = Recorder::start(&url(broker.addr().expect("it listens")), &file)?;
    let client = redis::Client::open(format!("redis://:s3cret@{}/1", recorder.addr))?;
    let _: () = client.get_connection()?.set("k", "v")?;
    recorder.end()?;
    let text = fs::read_to_string(&file)?;
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains("c1 > AUTH <password>\n"), "{text}");
    replay(&file, &broker.url(), &[])?.with(0);
    compare(&file, &broker.url(), &["--flush"])?.with(0);
    // Without a password no client logs in.
    replay(&file, &Broker::start()?.url(), &[])?.with(0);
    Ok(())
}

#[test]
fn a_login_in_the_address_is_used_for_every_client() -> Tested {
    let folder = Folder::new()?;
    let broker = Broker::builder().password("s3cret").unix_socket(folder.file("socket")).start()?;
    for (number, upstream) in
        [format!("{}/2", broker.url()), format!("unix:{}?pass=s3cret&db=2", folder.file("socket"))]
            .iter()
            .enumerate()
    {
        let file = folder.file("login.session");
        let recorder = Recorder::start(upstream, &file)?;
        let mut client = redis::Client::open(url(recorder.addr))?.get_connection()?;
        assert_eq!(client.incr::<_, _, usize>("k", 1)?, number + 1);
        assert!(!fs::read_to_string(&file)?.contains("s3cret"));
        let dbsize = redis::cmd("DBSIZE").query::<usize>(&mut client)?;
        assert_eq!(dbsize, 1);
    }
    assert_eq!(broker.command(["DBSIZE"])?, 0);
    Ok(())
}

#[test]
fn a_server_that_closes_is_recorded_as_such() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.file("quit.session");
    let recorder = Recorder::start(&broker.url(), &file)?;
    let mut wire = std::net::TcpStream::connect(recorder.addr)?;
    std::io::Write::write_all(&mut wire, b"*1\r\n$4\r\nQUIT\r\nPING\r\n")?;
    let mut answer = Vec::new();
    std::io::Read::read_to_end(&mut wire, &mut answer)?;
    assert_eq!(answer, b"+OK\r\n");
    recorder.end()?;
    let text = fs::read_to_string(&file)?;
    assert!(text.ends_with("c1 connect\nc1 > QUIT\nc1 >> \"PING\\r\\n\"\nc1 < +OK\nc1 closed\n"), "{text}");
    replay(&file, &broker.url(), &[])?.with(0);
    compare(&file, &broker.url(), &[])?.with(0);
    Ok(())
}

#[test]
fn a_server_that_restarts_is_recorded_as_such() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.file("restart.session");
    let recorder = Recorder::start(&broker.url(), &file)?;
    let client = redis::Client::open(url(recorder.addr))?;
    let mut ann = client.get_connection()?;
    let _: () = ann.set("k", "v")?;
    broker.stop()?;
    assert!(ann.get::<_, String>("k").is_err());
    assert!(client.get_connection().and_then(|mut bob| bob.get::<_, String>("k")).is_err());
    broker.restart()?;
    let _: () = client.get_connection()?.set("k", "w")?;
    recorder.end()?;
    let text = fs::read_to_string(&file)?;
    for line in ["c1 < +OK\n", "c1 closed\n", "c2 closed\n", "c3 > SET k w\nc3 < +OK\n"] {
        assert!(text.contains(line), "{line} {text}");
    }
    Ok(())
}

#[test]
fn a_pipeline_is_recorded_as_one() -> Tested {
    let (broker, folder) = (Broker::start()?, Folder::new()?);
    let file = folder.file("pipeline.session");
    let recorder = Recorder::start(&broker.url(), &file)?;
    let mut client = redis::Client::open(url(recorder.addr))?.get_connection()?;
    redis::pipe().set("a", 1).set("b", 2).exec(&mut client)?;
    recorder.end()?;
    let session = Session::read(&fs::read_to_string(&file)?)?;
    let is_set = |argument: &Argument| argument.is("SET");
    let sets: Vec<usize> = (0..session.events.len())
        .filter(
            |at| matches!(&session.events[*at].action, Action::Send(_, arguments) if is_set(&arguments[0])),
        )
        .collect();
    assert_eq!(sets[0] + 1, sets[1]);
    Ok(())
}
