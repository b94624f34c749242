//! Limits: a client that exceeds them is disconnected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use minibroker::internal::clients::{Address, Close};
use minibroker::internal::config::Config;
use minibroker::internal::config::OutputLimit;
use minibroker::internal::data::Time;
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::Parser;
use minibroker::{Broker, Value, Version};

use super::peer::{OtherClient, Peer, TIMEOUT, encode, info, repeat_without_growing};

#[test]
fn a_subscriber_that_never_reads_is_cut_off_at_its_limit() {
    const MESSAGE: usize = 64 * 1024;
    const MESSAGES: usize = 1024;
    // How many messages the publisher may be ahead of the reader.
    const AHEAD: usize = 64;
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    repeat_without_growing(|| {
        let mut slow_reader = Peer::connect(&broker);
        let mut reader_connection = Peer::connect(&broker);
        for peer in [&mut slow_reader, &mut reader_connection] {
            peer.send("SUBSCRIBE chat\r\n");
            peer.expect(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n");
        }
        let (progress, read) = std::sync::mpsc::sync_channel(MESSAGES);
        let reader = std::thread::spawn(move || {
            for _ in 0..MESSAGES {
                let Value::Array(parts) = reader_connection.reply() else { panic!("no message") };
                assert_eq!(parts[2].as_bytes().map(<[u8]>::len), Some(MESSAGE));
                progress.send(()).unwrap();
            }
            reader_connection
        });
        let mut publisher = Peer::connect(&broker);
        let message = "x".repeat(MESSAGE);
        let mut receivers = Vec::new();
        for sent in 0..MESSAGES {
            receivers.push(publisher.command(["PUBLISH", "chat", &message]).as_integer().unwrap());
            if sent >= AHEAD {
                read.recv_timeout(TIMEOUT).unwrap();
            }
        }
        // Both at first; only one after 32 MB waited for the other, in addition to the buffers of the sockets.
        assert_eq!(receivers[..400], [2; 400]);
        assert_eq!(receivers[MESSAGES - 200..], [1; 200]);
        other_client.is_served();
        let received = slow_reader.read_to_end();
        assert!(received.len() < 33 * 1024 * 1024 + 8 * 1024 * 1024, "{} bytes", received.len());
        reader.join().unwrap().leave();
        publisher.leave();
    });
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_subscriber_that_reads_late_gets_every_message_in_order() {
    // Of many sizes, so that buffers end in the middle of messages; some are nearly as long as a read.
    const MESSAGES: usize = 3000;
    let size = |number: usize| if number.is_multiple_of(100) { 60_000 } else { number * 7 };
    let broker = Broker::start().unwrap();
    broker.command(["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]).unwrap();
    let mut late = Peer::connect(&broker);
    late.send("SUBSCRIBE chat\r\n");
    late.expect(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n");
    let mut publisher = Peer::connect(&broker);
    let mut kept = 0;
    for number in 0..MESSAGES {
        let message = format!("{number:0>width$}", width = size(number).max(4));
        kept += message.len();
        assert_eq!(publisher.command(["PUBLISH", "chat", &message]), 1);
    }
    let clients = broker.command(["CLIENT", "LIST", "TYPE", "PUBSUB"]).unwrap().to_string();
    let field = |name: &str| -> usize {
        let field = clients.split(' ').find_map(|field| field.strip_prefix(name));
        field.unwrap_or_else(|| panic!("{clients}")).parse().unwrap()
    };
    // The buffers of the sockets hold some of it.
    let reported = field("omem=");
    assert!((kept - 8 * 1024 * 1024..2 * kept).contains(&reported), "{reported} of {kept}");
    // The figures fit together.
    assert!(field("oll=") > 0 && field("rbs=") >= field("obl="), "{clients}");
    assert!(field("tot-mem=") >= field("rbs=") + reported, "{clients}");
    for number in 0..MESSAGES {
        let Value::Array(parts) = late.reply() else { panic!("no message") };
        let text = parts[2].as_str().unwrap();
        assert_eq!(text.len(), size(number).max(4));
        assert_eq!(text.parse(), Ok(number));
    }
    late.send("PING\r\n");
    late.expect(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    let end = broker.command(["CLIENT", "LIST", "TYPE", "PUBSUB"]).unwrap().to_string();
    assert!(end.contains(" omem=0 "), "{end}");
}

#[test]
fn a_client_that_never_reads_its_replies_is_cut_off_if_there_is_a_limit() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    broker.command(["CONFIG", "SET", "client-output-buffer-limit", "normal 1mb 0 0"]).unwrap();
    broker.command(["SET", "long", &"x".repeat(100_000)]).unwrap();
    let mut peer = Peer::connect(&broker);
    peer.command(["PING"]);
    // More than the buffers of two sockets hold.
    peer.send_until_closed("GET long\r\n".repeat(1000));
    // A client that reads all the time would never be over the limit.
    broker.wait_until(|state| state.clients() == 1).blocking().unwrap();
    let received = peer.read_to_end();
    assert!(received.len() < 1000 * 100_000, "all of it was received");
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_blocked_client_that_keeps_sending_is_cut_off_at_the_limit() {
    let broker = Broker::builder().query_buffer_limit(1024 * 1024).start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let mut peer = Peer::connect(&broker);
    peer.send(encode(&["BLPOP", "chat_queue", "0"]));
    broker.wait_for_blocked("chat_queue", 1).blocking().unwrap();
    peer.send_until_closed(encode(&["ECHO", &"x".repeat(2 * 1024 * 1024)]));
    assert_eq!(peer.read_to_end(), b"");
    broker.wait_for_blocked("chat_queue", 0).blocking().unwrap();
    other_client.is_served();
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_transaction_that_queues_too_much_is_cut_off() {
    let broker = Broker::builder().query_buffer_limit(1024 * 1024).start().unwrap();
    let other_client = OtherClient::connect(&broker);
    let mut peer = Peer::connect(&broker);
    peer.send("MULTI\r\n");
    peer.expect(b"+OK\r\n");
    let request = encode(&["ECHO", &"x".repeat(1024)]);
    for _ in 0..2000 {
        peer.send_until_closed(&request);
    }
    let answer = peer.read_to_end();
    assert_eq!(answer.len() % b"+QUEUED\r\n".len(), 0);
    assert!(answer.len() < 2000 * b"+QUEUED\r\n".len());
    other_client.disconnect_as_last(&broker);
}

#[test]
fn the_queue_of_a_transaction_counts_since_redis_7_2() {
    for compat in [Version::Redis7_0, Version::Redis7_4] {
        let broker = Broker::builder().query_buffer_limit(1024 * 1024).compat(compat).start().unwrap();
        let mut peer = Peer::connect(&broker);
        peer.command(["MULTI"]);
        let set = encode(&["SET", "key", &"x".repeat(500_000)]);
        for _ in 0..2 {
            peer.send(&set);
            peer.expect(b"+QUEUED\r\n");
        }
        if compat == Version::Redis7_0 {
            peer.send([&set[..], &set[..], &encode(&["EXEC"])].concat());
            peer.expect(b"+QUEUED\r\n+QUEUED\r\n*4\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
        } else {
            peer.send_until_closed(&set);
            assert_eq!(peer.read_to_end(), b"");
        }
    }
}

#[test]
fn a_client_above_the_maximum_gets_an_error() {
    let broker = Broker::builder().max_clients(2).start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    other_client.is_served();
    let mut second = Peer::connect(&broker);
    assert_eq!(second.command(["PING"]), Value::Simple("PONG".into()));
    for _ in 0..100 {
        assert_eq!(Peer::connect(&broker).read_to_end(), b"-ERR max number of clients reached\r\n");
    }
    second.leave();
    assert_eq!(info(&broker, "rejected_connections"), 100);
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_hundred_thousand_channels_of_a_client_have_linear_cost() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    let names: Vec<String> = (0..100_000).map(|number| format!("name:{number}")).collect();
    let with = |command: &str| {
        let arguments: Vec<&str> = std::iter::once(command).chain(names.iter().map(String::as_str)).collect();
        encode(&arguments)
    };
    let mut peer = Peer::connect(&broker);
    let mut writer = peer.try_clone();
    let requests = [with("WATCH"), with("SUBSCRIBE"), with("UNSUBSCRIBE"), with("SUBSCRIBE")].concat();
    let sender = std::thread::spawn(move || writer.send(requests));
    peer.expect(b"+OK\r\n");
    for (word, last) in [("subscribe", 100_000), ("unsubscribe", 0), ("subscribe", 100_000)] {
        for (index, name) in names.iter().enumerate() {
            let count = if word == "subscribe" { index + 1 } else { names.len() - index - 1 };
            let (word_length, name_length) = (word.len(), name.len());
            peer.expect(
                format!("*3\r\n${word_length}\r\n{word}\r\n${name_length}\r\n{name}\r\n:{count}\r\n")
                    .as_bytes(),
            );
            assert!(index + 1 < names.len() || count == last);
        }
    }
    sender.join().unwrap();
    peer.leave();
    other_client.disconnect_as_last(&broker);
}

/// Publishes a message longer than the soft limit at these seconds to a subscriber that reads at once, or never;
/// returns whether it is still connected.
fn survives_bursts_at(seconds: &[u64], reads: bool) -> bool {
    let soft = OutputLimit { soft: 100_000, soft_seconds: 60, ..OutputLimit::default() };
    let start = Time::from_millis(1_700_000_000_000);
    let config = Config { output_limit_pubsub: soft, ..Config::default() };
    let mut engine = Engine::new(config, 1, start);
    let [subscriber, publisher] = [(); 2].map(|()| engine.connect(Address::default(), start).unwrap());
    engine.feed(subscriber, &mut Parser::new(), b"SUBSCRIBE chat\r\n", start);
    for second in seconds {
        let now = start + Duration::from_secs(*second);
        engine.feed(publisher, &mut Parser::new(), &encode(&["PUBLISH", "chat", &"x".repeat(200_000)]), now);
        if reads {
            engine.take_output(subscriber, &mut Vec::new());
        }
    }
    engine.closing(subscriber) == Close::No
}

#[test]
fn the_soft_limit_cuts_off_clients_that_stay_above_it() {
    assert!(survives_bursts_at(&[0, 59], false));
    assert!(!survives_bursts_at(&[0, 61], false));
    assert!(survives_bursts_at(&[0, 30, 61, 100, 1000], true));
}

#[test]
fn a_program_that_publishes_without_end_does_not_starve_clients() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let mut subscribers: Vec<_> = (0..4).map(|_| Peer::connect(&broker)).collect();
    for peer in &mut subscribers {
        peer.send("SUBSCRIBE chat\r\n");
    }
    broker.wait_for_subscribers("chat", 4).blocking().unwrap();
    let readers: Vec<_> =
        subscribers.into_iter().map(|peer| std::thread::spawn(move || peer.read_to_end())).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    broker.command(["PUBLISH", "chat", "hello"]).unwrap();
                }
            });
        }
        for _ in 0..100 {
            other_client.is_served();
        }
        done.store(true, Ordering::Relaxed);
    });
    broker.command(["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap();
    for reader in readers {
        reader.join().unwrap();
    }
    broker.wait_for_subscribers("chat", 0).blocking().unwrap();
    other_client.disconnect_as_last(&broker);
}
