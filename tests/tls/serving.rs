//! A connection with TLS is served as one without.

use std::io::{Read, Write};
use std::net::TcpStream;

use minibroker::{Broker, Filter};
use redis::Commands;

use crate::{Outcome, connect, conversation, ping};

/// More than the buffers of a connection hold.
const LONG: usize = 16 * 1024 * 1024;

/// How a TLS record with data begins.
const DATA: u8 = 23;

#[test]
fn long_values_arrive_whole_in_both_directions() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let mut ann = connect(&broker, None)?;
    let text: String = (0..LONG / 8).map(|number| format!("{number:8}")).collect::<Vec<_>>().concat();
    let _: () = ann.set("history", &text)?;
    assert!(ann.get::<_, String>("history")? == text);
    assert_eq!(broker.command(["STRLEN", "history"])?, i64::try_from(LONG)?);
    Ok(())
}

#[test]
fn messages_reach_all_subscribers() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let mut connections: Vec<_> = (0..20).map(|_| connect(&broker, None)).collect::<Result<_, _>>()?;
    let mut subscribers: Vec<_> = connections.iter_mut().map(redis::Connection::as_pubsub).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe("chat")?;
    }
    let mut publisher = connect(&broker, None)?;
    for number in 0..100 {
        assert_eq!(publisher.publish::<_, _, usize>("chat", number)?, 20);
    }
    for subscriber in &mut subscribers {
        for number in 0..100 {
            assert_eq!(subscriber.get_message()?.get_payload::<usize>()?, number);
        }
    }
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn the_replies_of_a_pipeline_are_one_record() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let mut socket = TcpStream::connect(broker.addr().expect("it listens"))?;
    let mut client = conversation(&broker)?;
    while client.is_handshaking() {
        client.complete_io(&mut socket)?;
    }
    // The session tickets come before the first reply.
    client.writer().write_all(b"PING\r\n")?;
    let mut answer = Vec::new();
    while answer.len() < 7 {
        client.complete_io(&mut socket)?;
        let _ = client.reader().read_to_end(&mut answer);
    }
    client.writer().write_all(&b"PING\r\n".repeat(1000))?;
    while client.wants_write() {
        client.write_tls(&mut socket)?;
    }
    let (mut received, mut part) = (Vec::new(), [0; 4096]);
    // As long as the replies and what a record adds to them.
    while received.len() < 7000 {
        let count = socket.read(&mut part)?;
        assert_ne!(count, 0, "the connection has ended");
        received.extend_from_slice(&part[..count]);
    }
    let length = usize::from(u16::from_be_bytes([received[3], received[4]]));
    assert_eq!((received[0], received.len()), (DATA, length + 5));
    let mut left = &received[..];
    while !left.is_empty() {
        client.read_tls(&mut left)?;
    }
    let answered = client.process_new_packets()?.plaintext_bytes_to_read();
    assert_eq!(answered, 7000);
    Ok(())
}

#[test]
fn a_subscriber_that_does_not_read_is_cut_off() -> Outcome {
    let broker = Broker::builder().tls().subscriber_output_limit(1_000_000).start()?;
    let mut slow = connect(&broker, None)?;
    let mut chat = slow.as_pubsub();
    chat.subscribe("chat")?;
    let mut other = connect(&broker, None)?;
    let message = "x".repeat(100_000);
    // Until the buffers of the system are full, and the broker's then.
    let sent = (0..10_000)
        .find(|_| other.publish::<_, _, usize>("chat", &message).is_ok_and(|receivers| receivers == 0));
    assert!(sent.is_some(), "it is still a subscriber");
    assert_eq!(ping(&mut other)?, "PONG");
    let stats: String = redis::cmd("INFO").arg("stats").query(&mut other)?;
    assert!(!stats.contains("client_output_buffer_limit_disconnections:0\r\n"), "{stats}");
    Ok(())
}

#[test]
fn a_connection_that_the_broker_closes_ends_as_tls_ends() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let mut socket = TcpStream::connect(broker.addr().expect("it listens"))?;
    let mut client = conversation(&broker)?;
    let mut stream = tokio_rustls::rustls::Stream::new(&mut client, &mut socket);
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    assert_eq!(broker.kill_clients(Filter::all()), 1);
    // Without the notice that it ends, this would be an error.
    assert_eq!(stream.read(&mut answer)?, 0);
    Ok(())
}

#[test]
fn a_restarted_broker_speaks_tls_on_the_same_port() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let mut before = connect(&broker, None)?;
    let _: () = before.set("mood", "good")?;
    broker.stop()?;
    assert!(ping(&mut before).is_err() && connect(&broker, None).is_err());
    broker.restart()?;
    assert_eq!(connect(&broker, None)?.get::<_, String>("mood")?, "good");
    Ok(())
}

#[cfg(feature = "scripting")]
#[test]
fn a_client_connects_while_a_script_is_busy_and_ends_it() -> Outcome {
    let broker = Broker::builder().tls().config("busy-reply-threshold", 1).start()?;
    let mut ann = connect(&broker, None)?;
    let script = std::thread::spawn(move || {
        redis::cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut ann).unwrap_err().to_string()
    });
    // It is busy when others get that error.
    let mut bob = loop {
        let mut bob = connect(&broker, None)?;
        if ping(&mut bob).is_err() {
            break bob;
        }
    };
    let killed: String = redis::cmd("SCRIPT").arg("KILL").query(&mut bob)?;
    assert_eq!(killed, "OK");
    let error = script.join().expect("it does not panic");
    assert!(error.contains("Script killed by user"), "{error}");
    assert_eq!(ping(&mut bob)?, "PONG");
    Ok(())
}
