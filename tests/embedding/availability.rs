//! How a test interferes with connections: it closes them, refuses new ones, and stops reading or writing.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake};
use std::thread;

use minibroker::{Broker, Ending, EventKind, Filter, Journal};
use redis::{AsyncCommands, Commands};
use tokio::io::AsyncReadExt;

use crate::Outcome;
use crate::wire::{TIMEOUT, Wire};

fn is_refused(broker: &Broker) -> bool {
    match TcpStream::connect(broker.addr().expect("it listens")) {
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
    }
}

/// The clients whose connections have ended, and how.
fn endings(journal: &Journal) -> Vec<(u64, Ending)> {
    let ending = |event: &minibroker::Event| match &event.kind {
        EventKind::Disconnected(ending) => Some((event.client.as_ref()?.id?, *ending)),
        _ => None,
    };
    journal.iter().filter_map(ending).collect()
}

/// The failure of the assertion that no message was lost.
fn loss_report(broker: &Broker) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| broker.assert_no_message_lost())).err()?;
    panic.downcast_ref::<String>().cloned()
}

/// When woken, it opens two connections: the first shows that the killed client is gone, and one of them gets its slot.
struct Reconnect {
    address: std::net::SocketAddr,
    connections: Mutex<Vec<Wire>>,
}

impl Wake for Reconnect {
    fn wake(self: Arc<Self>) {
        let mut connections = self.connections.lock().expect("no thread panics");
        while connections.len() < 2 {
            let stream = TcpStream::connect(self.address).expect("the broker listens");
            stream.set_read_timeout(Some(TIMEOUT)).expect("it is not zero");
            let mut wire = Wire(stream);
            wire.ask("PING", "+PONG\r\n").expect("the broker answers");
            connections.push(wire);
        }
    }
}

#[test]
fn a_client_that_connects_while_another_is_cut_off_stays() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("PING", "+PONG\r\n")?;
    let reconnect =
        Arc::new(Reconnect { address: broker.addr().expect("it listens"), connections: Mutex::default() });
    let mut no_clients = broker.wait_for_clients(0).into_future();
    let waker = Arc::clone(&reconnect).into();
    assert!(no_clients.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(broker.kill_clients(Filter::all()), 1);
    assert!(ann.is_cut());
    let mut connections = reconnect.connections.lock().expect("no thread panics");
    assert_eq!(connections.len(), 2);
    for wire in &mut *connections {
        wire.ask("PING", "+PONG\r\n")?;
    }
    Ok(())
}

#[test]
fn only_the_filtered_clients_are_cut_off_and_gone() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("CLIENT SETNAME ann", "+OK\r\n")?;
    let mut listener = Wire::connect(&broker)?;
    listener.subscribe("chat")?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    let mut bob = Wire::connect(&broker)?;
    bob.ask("PING", "+PONG\r\n")?;

    assert_eq!(broker.kill_clients(Filter::name("nobody")), 0);
    assert_eq!(broker.kill_clients(Filter::name("ann")), 1);
    assert!(ann.is_cut());
    assert_eq!(broker.kill_clients(Filter::subscribed_to("chat")), 1);
    assert_eq!(broker.command(["PUBLISH", "chat", "hello"])?, 0);
    assert!(listener.is_cut());
    assert_eq!(broker.kill_clients(Filter::blocked_on("queue")), 1);
    // This holds at once, though the connection ends a moment later: the element stays in the list.
    assert_eq!(broker.command(["RPUSH", "queue", "job"])?, 1);
    assert!(worker.is_cut());
    broker.wait_until(|state| state.clients() == 1).blocking()?;
    let address = bob.0.local_addr()?;
    assert_eq!(broker.kill_clients(Filter::all().except(Filter::address(address))), 0);
    bob.ask("PING", "+PONG\r\n")?;
    assert_eq!(broker.kill_clients(Filter::address(address).and(Filter::id(4))), 1);
    assert!(bob.is_cut());
    assert_eq!(endings(&broker.journal()), [1, 2, 3, 4].map(|id| (id, Ending::Killed)));
    Ok(())
}

#[test]
fn a_client_that_is_cut_off_does_not_count_when_the_call_returns() -> Outcome {
    let broker = Broker::start()?;
    for round in 0..200 {
        let mut client = Wire::connect(&broker)?;
        client.ask("PING", "+PONG\r\n")?;
        let mut in_memory = broker.connect();
        assert_eq!(broker.kill_clients(Filter::all()), 2, "round {round}");
        let listed = broker.command(["CLIENT", "LIST"])?.to_string();
        assert_eq!(listed.matches("id=").count(), 0, "{listed}");
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        assert_eq!(runtime.block_on(in_memory.read(&mut [0]))?, 0);
    }
    Ok(())
}

#[test]
fn what_was_published_before_a_subscriber_is_cut_off_arrives() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    for number in 0..1000 {
        broker.command(["PUBLISH", "chat", &number.to_string()])?;
    }
    broker.kill_clients(Filter::subscribed_to("chat"));
    broker.assert_no_message_lost();
    for number in 0..1000 {
        subscriber.expect_message("chat", &number.to_string())?;
    }
    assert!(subscriber.is_cut());
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_worker_that_is_cut_off_while_it_waits_comes_back_and_loses_no_job() -> Outcome {
    let broker = Broker::start()?;
    let client = redis::Client::open(broker.url())?;
    let worker = tokio::spawn(async move {
        loop {
            let mut connection = client.get_multiplexed_async_connection().await?;
            // The client reports a lost connection in several ways, depending on what it is doing.
            if let Ok((_, job)) = connection.blpop::<_, (String, String)>("queue", 0.0).await {
                return redis::RedisResult::Ok(job);
            }
        }
    });
    for _ in 0..5 {
        broker.wait_for_blocked("queue", 1).await?;
        assert_eq!(broker.kill_clients(Filter::blocked_on("queue")), 1);
    }
    broker.command(["RPUSH", "queue", "job"])?;
    assert_eq!(worker.await??, "job");
    Ok(())
}

#[test]
fn connected_clients_are_served_while_others_are_refused() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("chat")?;
    let refusal = broker.refuse_connections();
    assert!(is_refused(&broker));
    broker.command(["PUBLISH", "chat", "hello"])?;
    ann.expect_message("chat", "hello")?;
    drop(refusal);
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn a_client_that_connected_just_before_is_not_refused() -> Outcome {
    let broker = Broker::start()?;
    for _ in 0..100 {
        let mut clients = (0..8).map(|_| Wire::connect(&broker)).collect::<Result<Vec<_>, _>>()?;
        let refusal = broker.refuse_connections();
        assert!(is_refused(&broker));
        for client in &mut clients {
            client.ask("PING", "+PONG\r\n")?;
        }
        drop(refusal);
    }
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_stream_in_memory_ends_at_once_while_connections_are_refused() -> Outcome {
    let broker = Broker::start()?;
    let refusal = broker.refuse_connections();
    assert_eq!(broker.connect().read(&mut [0]).await?, 0);
    let client = redis::Client::open(broker.url())?;
    let refused = client.get_multiplexed_async_connection().await.err().ok_or("refused")?;
    assert!(refused.is_connection_refusal());
    drop(refusal);
    let mut connection = client.get_multiplexed_async_connection().await?;
    let () = connection.set("key", "x").await?;
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_unix_socket_refuses_as_well() -> Outcome {
    use std::os::unix::net::UnixStream;

    let folder = crate::settings::unix_socket::Folder::new("refuse")?;
    let path = folder.file("chat.sock");
    let broker = Broker::builder().unix_socket(&path).start()?;
    for _ in 0..50 {
        let mut before = UnixStream::connect(&path)?;
        let refusal = broker.refuse_connections();
        assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        before.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        before.read_exact(&mut answer)?;
        drop(refusal);
        UnixStream::connect(&path)?;
    }
    Ok(())
}

#[test]
fn connections_are_taken_again_when_the_last_refusal_ends() -> Outcome {
    let broker = Broker::start()?;
    for first_goes_first in [true, false] {
        let (one, two) = (broker.refuse_connections(), broker.refuse_connections());
        let (earlier, later) = if first_goes_first { (one, two) } else { (two, one) };
        drop(earlier);
        assert!(is_refused(&broker));
        drop(later);
        Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    }
    Ok(())
}

#[test]
fn a_refusal_and_a_stop_both_have_to_end() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    let refusal = broker.refuse_connections();
    broker.stop()?;
    assert!(is_refused(&broker) && client.is_cut());
    broker.restart()?;
    assert!(is_refused(&broker));
    drop(refusal);
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;

    let refusal = broker.refuse_connections();
    broker.stop()?;
    drop(refusal);
    assert!(is_refused(&broker));
    broker.restart()?;
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn guards_may_outlive_the_broker() -> Outcome {
    let broker = Broker::builder().bind([crate::start_and_drop::own_address()]).start()?;
    let addr = broker.addr().expect("it listens");
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    let refusal = broker.refuse_connections();
    let reading = broker.stop_reading(Filter::all());
    let writing = broker.stop_writing(Filter::all());
    drop(broker);
    assert!(client.is_cut());
    drop((refusal, reading, writing));
    std::net::TcpListener::bind(addr)?;
    Ok(())
}

#[test]
fn requests_sent_while_a_client_is_not_read_run_afterwards_in_order() -> Outcome {
    const PUSHES: usize = 20_000;
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    // A request of which half was read.
    client.ask("PING", "+PONG\r\n")?;
    client.0.write_all(b"RPUSH que")?;
    client.0.flush()?;
    let stall = broker.stop_reading(Filter::all());
    assert_eq!(stall.clients(), 1);
    let mut writer = Wire(client.0.try_clone()?);
    let sending = thread::spawn(move || -> io::Result<()> {
        writer.0.write_all(b"ue 0\r\n")?;
        for number in 1..PUSHES {
            writer.send(&format!("RPUSH queue {number}"))?;
        }
        Ok(())
    });
    // Others are served, and none of the requests has run.
    let mut other = Wire::connect(&broker)?;
    other.ask("LLEN queue", ":0\r\n")?;
    other.ask("PING", "+PONG\r\n")?;
    other.ask("LLEN queue", ":0\r\n")?;
    drop(stall);
    for number in 1..=PUSHES {
        client.expect(&format!(":{number}\r\n"))?;
    }
    sending.join().expect("it does not panic")?;
    let list = broker.command(["LRANGE", "queue", "0", "-1"])?;
    let expected: Vec<_> = (0..PUSHES).map(|number| format!("\"{number}\"")).collect();
    assert_eq!(list.to_string(), format!("[{}]", expected.join(", ")));
    Ok(())
}

#[test]
fn nothing_that_is_sent_to_a_broker_that_does_not_read_has_an_effect() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let mut other = Wire::connect(&broker)?;
    other.ask("PING", "+PONG\r\n")?;
    for round in 0..100 {
        client.ask("PING", "+PONG\r\n")?;
        let stall = broker.stop_reading(Filter::id(1));
        client.send("RPUSH queue x")?;
        other.ask("PING", "+PONG\r\n")?;
        assert_eq!(broker.command(["LLEN", "queue"])?, round);
        drop(stall);
        client.expect(&format!(":{}\r\n", round + 1))?;
    }
    Ok(())
}

#[test]
fn a_client_that_is_not_read_cannot_write_when_the_buffers_are_full() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.subscribe("chat")?;
    let stall = broker.stop_reading(Filter::subscribed_to("chat"));
    client.0.set_nonblocking(true)?;
    // Requests without an effect, until the system accepts no more though the broker has had time to read.
    let request = "PING\r\n".repeat(10_000);
    let mut other = Wire::connect(&broker)?;
    let (mut sent, mut refused) = (0, 0);
    while refused < 20 {
        match client.0.write(&request.as_bytes()[sent % 6..]) {
            Ok(count) => (sent, refused) = (sent + count, 0),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                refused += 1;
                other.ask("PING", "+PONG\r\n")?;
            }
        }
        // A hanging server accepts only what its buffers hold.
        assert!(sent < 256 * 1024 * 1024, "the broker reads");
    }
    client.0.set_nonblocking(false)?;
    // Messages are still delivered.
    broker.command(["PUBLISH", "chat", "hello"])?;
    client.expect_message("chat", "hello")?;
    drop(stall);
    client.0.write_all(&request.as_bytes()[sent % 6..request.len()])?;
    let requests = (sent + request.len() - sent % 6) / 6;
    for _ in 0..requests {
        client.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n")?;
    }
    Ok(())
}

#[test]
fn a_blocked_client_is_served_though_it_is_not_read() -> Outcome {
    let broker = Broker::start()?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    let outer = broker.stop_reading(Filter::blocked_on("queue"));
    let inner = broker.stop_reading(Filter::id(1));
    worker.send("RPUSH done x")?;
    broker.command(["RPUSH", "queue", "job"])?;
    worker.expect("*2\r\n$5\r\nqueue\r\n$3\r\njob\r\n")?;
    drop(outer);
    assert_eq!(broker.command(["LLEN", "done"])?, 0);
    drop(inner);
    worker.expect(":1\r\n")?;
    Ok(())
}

#[test]
fn a_client_that_is_not_read_or_written_to_can_be_cut_off() -> Outcome {
    let broker = Broker::start()?;
    for ends in [
        |broker: &Broker| assert_eq!(broker.kill_clients(Filter::all()), 1),
        |broker: &Broker| drop(broker.command(["CLIENT", "KILL", "TYPE", "pubsub"])),
        |broker: &Broker| broker.restart().expect("it restarts"),
    ] {
        let mut client = Wire::connect(&broker)?;
        client.subscribe("chat")?;
        let reading = broker.stop_reading(Filter::all());
        let writing = broker.stop_writing(Filter::all());
        broker.command(["PUBLISH", "chat", "kept back"])?;
        client.send("PING")?;
        ends(&broker);
        assert!(client.is_cut());
        broker.wait_for_clients(0).blocking()?;
        let mut next = Wire::connect(&broker)?;
        // It has the slot of the other, but the guards do not apply to it.
        next.ask("PING", "+PONG\r\n")?;
        drop((reading, writing));
        next.ask("PING", "+PONG\r\n")?;
        drop(next);
        broker.wait_for_clients(0).blocking()?;
    }
    assert!(loss_report(&broker).is_some_and(|report| report.starts_with("3 messages were lost")));
    Ok(())
}

#[test]
fn what_is_not_written_is_written_afterwards_in_order() -> Outcome {
    const LONG: usize = 20_000_000;
    let broker = Broker::builder().journal_limit(256 * 1024 * 1024).start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    // More than the buffers of the system hold: a part is written already.
    let long = "x".repeat(LONG);
    broker.command(["PUBLISH", "chat", &long])?;
    let stall = broker.stop_writing(Filter::subscribed_to("chat"));
    for number in 0..100 {
        broker.command(["PUBLISH", "chat", &number.to_string()])?;
    }
    // Its requests run, and their answers wait too.
    subscriber.send("SUBSCRIBE done\r\nQUIT")?;
    broker.wait_for_subscribers("done", 1).blocking()?;
    // Reads until nothing more arrives.
    subscriber.0.set_nonblocking(true)?;
    let mut other = Wire::connect(&broker)?;
    let (mut read, mut nothing) = (Vec::new(), 0);
    while nothing < 20 {
        let start = read.len();
        read.resize(start + 64 * 1024, 0);
        match subscriber.0.read(&mut read[start..]) {
            Ok(count) => {
                read.truncate(start + count);
                nothing = 0;
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                read.truncate(start);
                nothing += 1;
                other.ask("PING", "+PONG\r\n")?;
            }
        }
    }
    assert!(!read.is_empty() && read.len() < LONG, "{}", read.len());
    subscriber.0.set_nonblocking(false)?;
    drop(stall);
    let message = format!("*3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n${LONG}\r\n{long}\r\n");
    assert!(message.as_bytes().starts_with(&read));
    subscriber.expect(&message[read.len()..])?;
    for number in 0..100 {
        subscriber.expect_message("chat", &number.to_string())?;
    }
    subscriber.expect("*3\r\n$9\r\nsubscribe\r\n$4\r\ndone\r\n:2\r\n+OK\r\n")?;
    assert!(subscriber.is_cut());
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn nothing_is_written_while_writing_is_stopped() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let mut other = Wire::connect(&broker)?;
    other.ask("PING", "+PONG\r\n")?;
    for _ in 0..100 {
        client.ask("PING", "+PONG\r\n")?;
        let outer = broker.stop_writing(Filter::id(1));
        let inner = broker.stop_writing(Filter::all());
        client.send("INCR count")?;
        broker.command(["SET", "mark", "x"])?;
        drop(inner);
        other.ask("PING", "+PONG\r\n")?;
        client.0.set_nonblocking(true)?;
        let nothing = client.0.read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        client.0.set_nonblocking(false)?;
        drop(outer);
        client.line()?;
    }
    assert_eq!(broker.command(["GET", "count"])?, "100");
    Ok(())
}

#[test]
fn quit_of_a_client_that_is_not_written_to_is_answered_afterwards() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    let stall = broker.stop_writing(Filter::all());
    client.send("SUBSCRIBE done\r\nQUIT")?;
    broker.wait_for_subscribers("done", 1).blocking()?;
    let mut other = Wire::connect(&broker)?;
    other.ask("PING", "+PONG\r\n")?;
    drop(stall);
    client.expect("*3\r\n$9\r\nsubscribe\r\n$4\r\ndone\r\n:1\r\n+OK\r\n")?;
    assert!(client.is_cut());
    Ok(())
}

#[test]
fn a_subscriber_that_is_not_written_to_crosses_its_limit_at_the_byte() -> Outcome {
    // The fixed buffer and four blocks: more exceeds the limit.
    const LIMIT: usize = 4 * 20 * 1024;
    let broker = Broker::builder().subscriber_output_limit(LIMIT).start()?;
    let mut slow = Wire::connect(&broker)?;
    slow.subscribe("chat")?;
    let mut quick = Wire::connect(&broker)?;
    quick.subscribe("chat")?;
    let stall = broker.stop_writing(Filter::id(1));
    let text = "x".repeat(1000);
    let message = "*3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$1000\r\n\r\n".len() + text.len();
    let fit = (16 * 1024 + LIMIT) / message;
    for _ in 0..fit {
        assert_eq!(broker.command(["PUBLISH", "chat", &text])?, 2);
        quick.expect_message("chat", &text)?;
    }
    broker.assert_no_message_lost();
    // This message exceeds the limit.
    assert_eq!(broker.command(["PUBLISH", "chat", &text])?, 2);
    broker.wait_for_clients(1).blocking()?;
    broker.wait_until(|state| state.clients() == 1).blocking()?;
    assert!(slow.is_cut());
    quick.expect_message("chat", &text)?;
    assert_eq!(endings(&broker.journal()), [(1, Ending::OutputLimit)]);
    let info = broker.command(["INFO", "stats"])?.to_string();
    assert!(info.contains("client_output_buffer_limit_disconnections:1"), "{info}");
    let report = loss_report(&broker).ok_or("no message was lost")?;
    assert!(report.starts_with(&format!("{} messages were lost", fit + 1)), "{report}");
    assert!(report.contains("cut off by client-output-buffer-limit"), "{report}");
    drop(stall);
    quick.ask("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n")?;
    Ok(())
}

#[test]
fn a_subscriber_that_is_over_its_soft_limit_for_too_long_is_cut_off() -> Outcome {
    let broker = Broker::start()?;
    let limits = "pubsub 0 65536 1";
    broker.command(["CONFIG", "SET", "client-output-buffer-limit", limits])?;
    let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    let mut chat = connection.as_pubsub();
    chat.subscribe("chat")?;
    let stall = broker.stop_writing(Filter::subscribed_to("chat"));
    // Above the limit, but not for long: the output is written in time.
    broker.command(["PUBLISH", "chat", &"x".repeat(200_000)])?;
    drop(stall);
    assert_eq!(chat.get_message()?.get_payload_bytes().len(), 200_000);
    let _stall = broker.stop_writing(Filter::subscribed_to("chat"));
    broker.command(["PUBLISH", "chat", &"x".repeat(200_000)])?;
    broker.wait_for_clients(0).blocking()?;
    assert!(chat.get_message().unwrap_err().is_connection_dropped());
    assert_eq!(endings(&broker.journal()), [(1, Ending::OutputLimit)]);
    Ok(())
}

#[test]
fn a_client_that_drops_a_hanging_connection_is_served_on_another() -> Outcome {
    let broker = Broker::start()?;
    let client = redis::Client::open(broker.url())?;
    let mut hanging = client.get_connection()?;
    let () = hanging.rpush("queue", "one")?;
    let stall = broker.stop_reading(Filter::all());
    hanging.send_packed_command(&redis::cmd("RPUSH").arg("queue").arg("two").get_packed_command())?;
    let mut second = client.get_connection()?;
    let () = second.rpush("queue", "three")?;
    // The client closes the hanging connection; the requests that it has sent there still run.
    drop(hanging);
    drop(stall);
    broker.wait_until(|state| state.length("queue") == 3 && state.clients() == 1).blocking()?;
    assert_eq!(broker.command(["LRANGE", "queue", "0", "-1"])?.to_string(), r#"["one", "three", "two"]"#);
    Ok(())
}
