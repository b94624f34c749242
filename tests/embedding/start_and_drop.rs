//! From `start` to `drop`.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use minibroker::{Broker, StartError};
use redis::Commands;
use tokio::io::{AsyncRead, ReadBuf};

use crate::Outcome;
use crate::wire::Wire;

/// An address of this machine on which no other test takes ports, for tests that use a port a second time.
pub fn own_address() -> IpAddr {
    static GIVEN: AtomicU8 = AtomicU8::new(1);
    let given = GIVEN.fetch_add(1, Ordering::Relaxed);
    // Other systems have only 127.0.0.1.
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST.into();
    }
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, given, high, low.max(1)).into()
}

#[test]
fn a_broker_serves_a_plain_test() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    let () = connection.set("greeting", "hello")?;
    assert_eq!(connection.get::<_, String>("greeting")?, "hello");
    assert_eq!(broker.url(), format!("redis://127.0.0.1:{}", broker.port()));
    assert_eq!(broker.addr().expect("it listens").port(), broker.port());
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_broker_serves_a_client_that_blocks_the_tests_runtime() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    let mut subscriber = redis::Client::open(broker.url())?.get_connection()?;
    let mut chat = subscriber.as_pubsub();
    chat.subscribe("chat")?;
    broker.wait_for_subscribers("chat", 1).blocking()?;
    assert_eq!(connection.publish::<_, _, usize>("chat", "hello")?, 1);
    assert_eq!(chat.get_message()?.get_payload::<String>()?, "hello");
    Ok(())
}

#[test]
fn many_brokers_at_the_same_time_share_nothing() {
    const BROKERS: usize = 32;
    let all_started = Barrier::new(BROKERS);
    let ports = thread::scope(|scope| {
        let tests: Vec<_> = (0..BROKERS)
            .map(|number| {
                let all_started = &all_started;
                scope.spawn(move || {
                    let broker = Broker::start().expect("it starts");
                    let mut connection = Wire::connect(&broker).expect("it listens");
                    all_started.wait();
                    connection.ask(&format!("SET key {number}"), "+OK\r\n").expect("it answers");
                    all_started.wait();
                    let kept = broker.command(["GET", "key"]).expect("it answers");
                    assert_eq!(kept, number.to_string().as_str());
                    assert_eq!(broker.command(["PUBLISH", "chat", "hello"]).expect("it answers"), 0);
                    broker.port()
                })
            })
            .collect();
        tests.into_iter().map(|test| test.join().expect("it passes")).collect::<HashSet<_>>()
    });
    assert_eq!(ports.len(), BROKERS);
}

#[test]
fn a_dropped_broker_frees_its_port_at_once() -> Outcome {
    let broker = Broker::builder().bind([own_address()]).start()?;
    let addr = broker.addr().expect("it listens");
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    drop(broker);
    // The connections that have just been closed do not block the port for us ...
    let broker = Broker::builder().bind([addr.ip()]).port(addr.port()).start()?;
    assert_eq!(broker.addr().expect("it listens"), addr);
    let mut second = Wire::connect(&broker)?;
    second.ask("PING", "+PONG\r\n")?;
    drop(broker);
    // ... or from others.
    TcpListener::bind(addr)?;
    Ok(())
}

#[test]
fn when_drop_returns_all_clients_are_cut_and_the_port_is_free() -> Outcome {
    let broker = Broker::builder().bind([own_address()]).start()?;
    let addr = broker.addr().expect("it listens");
    let mut idle = Wire::connect(&broker)?;
    idle.ask("PING", "+PONG\r\n")?;
    let mut subscribed = Wire::connect(&broker)?;
    subscribed.subscribe("chat")?;
    let mut waiting = Wire::connect(&broker)?;
    waiting.send("XREAD BLOCK 0 STREAMS chat $")?;
    broker.wait_for_blocked("chat", 1).blocking()?;
    let mut in_memory = broker.connect();
    drop(broker);

    // In memory there is no network: all tasks have ended already.
    let mut bytes = [0];
    let mut read = ReadBuf::new(&mut bytes);
    let polled = Pin::new(&mut in_memory).poll_read(&mut Context::from_waker(Waker::noop()), &mut read);
    assert!(matches!(polled, Poll::Ready(Ok(()))) && read.filled().is_empty());
    let refused = TcpStream::connect(addr).expect_err("it is refused");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(idle.is_cut() && subscribed.is_cut() && waiting.is_cut());
    Ok(())
}

#[test]
fn what_was_published_before_the_drop_arrives() -> Outcome {
    const MESSAGES: usize = 1000;
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    for number in 0..MESSAGES {
        broker.command(["PUBLISH", "chat", &number.to_string()])?;
    }
    drop(broker);
    for number in 0..MESSAGES {
        subscriber.expect_message("chat", &number.to_string())?;
    }
    assert!(subscriber.is_cut());
    Ok(())
}

#[test]
fn a_broker_ends_with_a_test_that_panics() -> Outcome {
    let ip = own_address();
    let mut addr = None;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let broker = Broker::builder().bind([ip]).start().expect("it starts");
        addr = Some(broker.addr().expect("it listens"));
        resume_unwind(Box::new("as a failed assertion"));
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"as a failed assertion"));
    TcpListener::bind(addr.expect("it was started"))?;
    Ok(())
}

/// The error of a broker on a port that another one uses.
fn check_error_of_a_busy_port() -> Result<(), StartError> {
    let broker = Broker::start()?;
    let failed = Broker::builder().port(broker.port()).start().expect_err("the port is taken");
    let StartError::Listen { address, source, .. } = &failed else { panic!("{failed}") };
    assert_eq!(*address, broker.addr().expect("it listens").to_string());
    assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
    let text = failed.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {}: ", broker.addr().expect("it listens"))),
        "{text}"
    );
    // The first still works.
    assert_eq!(broker.command(["PING"]).expect("it answers"), "PONG");
    Ok(())
}

#[test]
fn a_busy_port_is_a_clear_error() -> Outcome {
    Ok(check_error_of_a_busy_port()?)
}

#[tokio::test]
async fn a_busy_port_is_a_clear_error_in_async_code() -> Outcome {
    Ok(check_error_of_a_busy_port()?)
}

#[test]
fn a_broker_may_be_used_by_many_threads_and_dropped_in_another() -> Outcome {
    fn assert_shared<T: Send + Sync + 'static>() {}
    assert_shared::<Broker>();
    let broker = std::sync::Arc::new(Broker::start()?);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let broker = std::sync::Arc::clone(&broker);
            thread::spawn(move || broker.command(["INCR", "count"]).map(|_| ()))
        })
        .collect();
    for thread in threads {
        thread.join().expect("no thread panics")?;
    }
    assert_eq!(broker.command(["GET", "count"])?, "4");
    Ok(())
}
