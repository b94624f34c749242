//! A broker that stops and comes back on the same port.

use std::future::IntoFuture;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use minibroker::{Broker, ClientStream, Ending, EventKind, Filter};
use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Commands};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::Outcome;
use crate::start_and_drop::own_address;
use crate::wire::Wire;

/// True if the connection is refused.
fn is_refused(broker: &Broker) -> bool {
    match TcpStream::connect(broker.addr().expect("it listens")) {
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    }
}

/// True if a stream in memory has ended, without waiting for it.
fn has_ended(stream: &mut ClientStream) -> bool {
    let mut bytes = [0];
    let mut read = ReadBuf::new(&mut bytes);
    let polled = Pin::new(stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut read);
    matches!(polled, Poll::Ready(Ok(()))) && read.filled().is_empty()
}

/// A field of INFO.
fn info(broker: &Broker, name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let text = broker.command(["INFO", "everything"])?.to_string();
    let start = text.find(&format!("{name}:")).ok_or("no such line")?;
    Ok(text[start..].split(['\r', '\\']).next().unwrap_or_default().to_owned())
}

#[test]
fn a_stopped_broker_has_cut_its_clients_and_refuses_others() -> Outcome {
    let broker = Broker::start()?;
    let mut idle = Wire::connect(&broker)?;
    idle.ask("PING", "+PONG\r\n")?;
    let mut subscribed = Wire::connect(&broker)?;
    subscribed.subscribe("chat")?;
    let mut waiting = Wire::connect(&broker)?;
    waiting.send("BLPOP queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    let mut in_memory = broker.connect();
    for _ in 0..2 {
        broker.stop()?;
        assert!(is_refused(&broker));
        assert!(has_ended(&mut in_memory));
        assert!(has_ended(&mut broker.connect()));
        broker.wait_until(|state| state.clients() == 0 && state.blocked_clients() == 0).blocking()?;
    }
    assert!(idle.is_cut() && subscribed.is_cut() && waiting.is_cut());
    assert_eq!(broker.command(["PUBLISH", "chat", "hello"])?, 0);
    broker.restart()?;
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_broker_stops_and_restarts_within_the_tests_runtime() -> Outcome {
    let broker = Broker::start()?;
    let client = redis::Client::open(broker.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = connection.rpush("chat_queue", "hello").await?;
    let mut in_memory = broker.connect();
    broker.stop()?;
    assert_eq!(in_memory.read(&mut [0]).await?, 0);
    let lost = connection.rpush::<_, _, ()>("chat_queue", "lost").await;
    assert!(lost.unwrap_err().is_connection_dropped());
    assert!(client.get_multiplexed_async_connection().await.err().ok_or("refused")?.is_connection_refusal());
    broker.restart()?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    assert_eq!(connection.lrange::<_, Vec<String>>("chat_queue", 0, -1).await?, ["hello"]);
    Ok(())
}

#[tokio::test]
async fn a_connection_manager_comes_back_after_a_restart() -> Outcome {
    let broker = Broker::start()?;
    let mut manager = ConnectionManager::new(redis::Client::open(broker.url())?).await?;
    let () = manager.rpush("chat_queue", "one").await?;
    for keeps_data in [true, false] {
        if keeps_data {
            broker.restart()?;
        } else {
            broker.restart_empty()?;
        }
        let length: i64 = loop {
            match manager.rpush("chat_queue", "more").await {
                // The first command finds that the connection is lost, and the manager opens another.
                Err(error) if error.is_connection_dropped() || error.is_io_error() => {}
                result => break result?,
            }
        };
        assert_eq!(length, if keeps_data { 2 } else { 1 });
    }
    Ok(())
}

#[test]
fn a_restarted_broker_has_its_data_or_has_lost_it() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    let () = connection.rpush("chat_queue", &["one", "two"])?;
    let () = connection.set("in_another_database", "x")?;
    let () = redis::cmd("MOVE").arg("in_another_database").arg(3).query(&mut connection)?;
    let () = connection.pset_ex("typing", "ann", 1)?;
    let () = connection.set_ex("session", "ann", 100)?;
    broker.stop()?;
    // Time passes while it is stopped, and the test can move it.
    broker.wait_until(|state| !state.exists("typing")).blocking()?;
    broker.command(["RPUSH", "chat_queue", "three"])?;
    broker.restart()?;
    assert_eq!(
        broker.command(["LRANGE", "chat_queue", "0", "-1"])?.to_string(),
        r#"["one", "two", "three"]"#
    );
    assert_eq!(broker.command(["TTL", "session"])?, 100);
    broker.wait_until(|state| state.database(3).exists("in_another_database")).blocking()?;
    broker.restart_empty()?;
    assert_eq!(broker.command(["DBSIZE"])?, 0);
    broker.wait_until(|state| state.database(3).keys().is_empty()).blocking()?;
    Ok(())
}

#[test]
fn a_restart_resets_what_a_restart_of_redis_resets() -> Outcome {
    let broker = Broker::builder().password("s3cret").start()?;
    let client = redis::Client::open(broker.url())?;
    let mut connection = client.get_connection()?;
    let run_id = info(&broker, "run_id")?;
    let changed = [
        ["CONFIG", "SET", "requirepass", "other"],
        ["CONFIG", "SET", "timeout", "7"],
        ["CONFIG", "SET", "notify-keyspace-events", "KEA"],
    ];
    for setting in changed {
        broker.command(setting)?;
    }
    broker.command(["DEBUG", "SET-ACTIVE-EXPIRE", "0"])?;
    let _: Result<(), _> = redis::cmd("NOSUCH").exec(&mut connection);
    broker.command(["CLIENT", "PAUSE", "1000000"])?;
    assert_eq!(info(&broker, "total_connections_received")?, "total_connections_received:1");

    broker.restart()?;
    assert_ne!(info(&broker, "run_id")?, run_id);
    for line in ["total_connections_received:0", "total_error_replies:0", "uptime_in_seconds:0"] {
        assert_eq!(info(&broker, line.split(':').next().unwrap_or_default())?, line);
    }
    assert!(info(&broker, "cmdstat_nosuch").is_err() && info(&broker, "cmdstat_debug|").is_err());
    assert_eq!(broker.command(["CONFIG", "GET", "timeout"])?.to_string(), r#"{"timeout": "0"}"#);
    // The password of the start is valid again, and no client is paused.
    let mut connection = client.get_connection()?;
    let () = connection.set("key", "x")?;
    // An id names one client in the whole journal.
    assert_eq!(redis::cmd("CLIENT").arg("ID").query::<u64>(&mut connection)?, 2);
    // Keys expire by themselves again.
    let () = connection.pset_ex("typing", "ann", 1)?;
    broker.wait_until(|state| !state.exists("typing")).blocking()?;
    Ok(())
}

#[test]
fn a_restart_ends_what_debug_sleep_has_ordered() -> Outcome {
    let broker = Broker::start()?;
    let mut sleeper = Wire::connect(&broker)?;
    let mut waiting = Wire::connect(&broker)?;
    waiting.ask("PING", "+PONG\r\n")?;
    broker.command(["DEBUG", "SLEEP", "1000"])?;
    sleeper.send("PING")?;
    broker.restart()?;
    assert!(sleeper.is_cut() && waiting.is_cut());
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn the_journal_records_a_stop_and_continues() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.stop()?;
    broker.restart()?;
    broker.restart_empty()?;
    let mut back = Wire::connect(&broker)?;
    back.subscribe("chat")?;
    broker.command(["PUBLISH", "chat", "hello again"])?;
    let kinds: Vec<_> = broker
        .journal()
        .into_iter()
        .filter(|event| event.client.as_ref().is_none_or(|client| !client.is_test()))
        .map(|event| (event.client.and_then(|client| client.id), event.kind))
        .filter(|(_, kind)| {
            !matches!(kind, EventKind::Command(_) | EventKind::Reply(_) | EventKind::Delivered { .. })
        })
        .map(|(id, kind)| format!("{} {kind}", id.map_or("broker".to_owned(), |id| id.to_string())))
        .collect();
    assert_eq!(
        kinds,
        [
            "1 connects",
            r#"1 is subscribed to channel "chat""#,
            "broker stops",
            r#"1 is no longer subscribed to channel "chat""#,
            "1 is gone: cut off by the broker",
            "broker is restarted with its data",
            "broker stops",
            "broker is restarted without data",
            "2 connects",
            r#"2 is subscribed to channel "chat""#,
        ]
    );
    assert_eq!(broker.published("chat").len(), 2);
    // Both were written before their subscriber's connection ended.
    broker.assert_no_message_lost();
    let disconnected = broker.journal().filter(|event| event.kind == EventKind::Disconnected(Ending::Killed));
    assert_eq!(disconnected.len(), 1);
    Ok(())
}

#[test]
fn what_was_published_before_the_stop_arrives() -> Outcome {
    const MESSAGES: usize = 1000;
    for ends in [Broker::stop, Broker::restart] {
        let broker = Broker::start()?;
        let mut subscriber = Wire::connect(&broker)?;
        subscriber.subscribe("chat")?;
        for number in 0..MESSAGES {
            broker.command(["PUBLISH", "chat", &number.to_string()])?;
        }
        ends(&broker)?;
        broker.assert_no_message_lost();
        for number in 0..MESSAGES {
            subscriber.expect_message("chat", &number.to_string())?;
        }
        assert!(subscriber.is_cut());
    }
    Ok(())
}

#[test]
fn a_subscriber_that_subscribes_again_gets_what_comes_then() -> Outcome {
    let broker = Broker::start()?;
    let client = redis::Client::open(broker.url())?;
    let subscriber = thread::spawn(move || -> redis::RedisResult<Vec<String>> {
        let mut received = Vec::new();
        while received.len() < 2 {
            let Ok(mut connection) = client.get_connection() else { continue };
            let mut chat = connection.as_pubsub();
            if chat.subscribe("chat").is_ok() {
                while let Ok(message) = chat.get_message() {
                    received.push(message.get_payload()?);
                }
            }
        }
        Ok(received)
    });
    broker.wait_for_subscribers("chat", 1).blocking()?;
    broker.command(["PUBLISH", "chat", "one"])?;
    broker.stop()?;
    assert_eq!(broker.command(["PUBLISH", "chat", "heard by nobody"])?, 0);
    broker.restart()?;
    broker.wait_for_subscribers("chat", 1).blocking()?;
    broker.command(["PUBLISH", "chat", "two"])?;
    broker.stop()?;
    assert_eq!(subscriber.join().expect("it does not panic")?, ["one", "two"]);
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn a_wait_continues_across_a_restart() -> Outcome {
    let broker = Broker::start()?;
    let mut wait = broker.wait_for_subscribers("chat", 1).into_future();
    assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    broker.stop()?;
    assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    broker.restart()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    Ok(())
}

#[test]
fn fifty_brokers_that_restart_at_the_same_time_keep_their_ports() {
    const BROKERS: usize = 50;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Other programs take free ports all the time.
        let other = scope.spawn(|| {
            let mut ports = 0_usize;
            while !done.load(Ordering::Relaxed) {
                let taken: Vec<_> =
                    (0..50).filter_map(|_| TcpListener::bind(("127.0.0.1", 0)).ok()).collect();
                ports += taken.len();
            }
            ports
        });
        let tests: Vec<_> = (0..BROKERS)
            .map(|number| {
                scope.spawn(move || {
                    let broker = Broker::start().expect("it starts");
                    let addr = broker.addr().expect("it listens");
                    broker.command(["SET", "number", &number.to_string()]).expect("it answers");
                    for _ in 0..5 {
                        broker.stop().expect("it stops");
                        assert!(is_refused(&broker));
                        broker.restart().expect("the port is its own");
                        assert_eq!(broker.addr().expect("it listens"), addr);
                        let mut connection = Wire::connect(&broker).expect("it listens");
                        let text = number.to_string();
                        let answer = format!("${}\r\n{text}\r\n", text.len());
                        connection.ask("GET number", &answer).expect("it is the same broker");
                    }
                })
            })
            .collect();
        for test in tests {
            test.join().expect("it passes");
        }
        done.store(true, Ordering::Relaxed);
        assert!(other.join().expect("it passes") > 0);
    });
}

/// Only Linux keeps a port in this way.
#[cfg(target_os = "linux")]
#[test]
fn the_port_of_a_stopped_broker_is_kept_until_it_is_dropped() -> Outcome {
    let broker = Broker::builder().bind([own_address()]).start()?;
    let addr = broker.addr().expect("it listens");
    for _ in 0..2 {
        broker.stop()?;
        assert_eq!(TcpListener::bind(addr).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let second = Broker::builder().bind([addr.ip()]).port(addr.port()).start();
        assert!(second.is_err());
        broker.restart()?;
        Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    }
    broker.stop()?;
    drop(broker);
    TcpListener::bind(addr)?;
    Ok(())
}

#[test]
fn all_addresses_are_closed_and_opened() -> Outcome {
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), own_address()];
    let broker = Broker::builder().bind(addresses).start()?;
    for _ in 0..2 {
        broker.stop()?;
        for address in addresses {
            let refused = TcpStream::connect((address, broker.port())).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
        broker.restart()?;
        for address in addresses {
            TcpStream::connect((address, broker.port()))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_unix_socket_refuses_and_works_again() -> Outcome {
    use std::os::unix::net::UnixStream;

    let folder = crate::settings::unix_socket::Folder::new("restart")?;
    let path = folder.file("chat.sock");
    let broker = Broker::builder().bind([]).unix_socket(&path).start()?;
    let client = redis::Client::open(broker.url())?;
    for _ in 0..2 {
        broker.stop()?;
        assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        broker.restart()?;
        let answer: String = redis::cmd("PING").query(&mut client.get_connection()?)?;
        assert_eq!(answer, "PONG");
    }
    broker.stop()?;
    drop(broker);
    assert!(!path.exists());
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_broker_that_cannot_listen_again_is_an_error_and_stays_stopped() -> Outcome {
    let folder = crate::settings::unix_socket::Folder::new("taken")?;
    let path = folder.file("chat.sock");
    let broker = Broker::builder().unix_socket(&path).start()?;
    broker.stop()?;
    std::fs::remove_file(&path)?;
    std::fs::write(&path, "not a socket")?;
    let error = broker.restart().unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}: ", path.display())), "{error}");
    assert!(is_refused(&broker));
    std::fs::remove_file(&path)?;
    broker.restart()?;
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn a_client_that_connects_during_a_restart_is_refused_cut_or_served() -> Outcome {
    let broker = Broker::start()?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| -> Outcome {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0_u32;
                    while !done.load(Ordering::Relaxed) {
                        let Ok(mut connection) = Wire::connect(&broker) else { continue };
                        // The client gets its answer or the end of the connection.
                        let sent = connection.send("PING");
                        if let Ok(answer) = sent.and_then(|()| connection.line()) {
                            assert_eq!(answer, "+PONG");
                            served += 1;
                        }
                    }
                    served
                })
            })
            .collect();
        for round in 0..100 {
            if round % 2 == 0 {
                broker.stop()?;
            }
            // All clients have disconnected when it returns.
            broker.restart()?;
            let _refusal = (round % 5 == 0).then(|| broker.refuse_connections());
            broker.kill_clients(Filter::all());
            Wire::connect(&broker).and_then(|mut wire| wire.ask("PING", "+PONG\r\n")).ok();
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().expect("it does not panic") > 0);
        }
        Ok(())
    })?;
    broker.wait_for_clients(0).blocking()?;
    Ok(())
}
