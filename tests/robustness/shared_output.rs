//! A long message is stored once for all its receivers, and is at the right position in the output of each.

use minibroker::Broker;
use minibroker::Value;
use minibroker::internal::clients::{Address, ClientKey};
use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::Parser;

use super::peer::{Peer, encode};

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
/// How many clients do not read.
const CLIENTS: usize = 50;
const LONG: usize = 8 * 1024 * 1024;

fn engine() -> Engine {
    let mut config = Config { control: true, ..Config::default() };
    config.output_limit_pubsub.hard = 0;
    Engine::new(config, 1, NOW)
}

fn feed(engine: &mut Engine, key: ClientKey, request: &[u8]) {
    assert_eq!(engine.feed(key, &mut Parser::new(), request, NOW).0, request.len());
}

/// Clients that have all sent this.
fn clients(engine: &mut Engine, request: &[&str]) -> Vec<ClientKey> {
    let connect = |_| {
        let key = engine.connect(Address::default(), NOW).unwrap();
        feed(engine, key, &encode(request));
        key
    };
    (0..CLIENTS).map(connect).collect()
}

/// A unique message of at least this length.
fn message(number: usize, length: usize) -> String {
    format!("{number}{}", "x".repeat(length))
}

/// The length of the pending output of a client.
fn pending(engine: &Engine, key: ClientKey) -> usize {
    engine.client(key).unwrap().pending_output()
}

#[test]
fn a_long_message_to_many_slow_readers_is_kept_once() {
    let rules: [&[&str]; 3] = [
        &["PING"],
        &["MINIBROKER", "FAULT", "ADD", "CHANNELS", "other", "DUPLICATE"],
        &["MINIBROKER", "FAULT", "ADD", "CHANNELS", "chat", "DUPLICATE"],
    ];
    for rule in rules {
        for subscribe in [&["SUBSCRIBE", "chat"][..], &["PSUBSCRIBE", "c*"], &["MONITOR"]] {
            let mut engine = engine();
            let publisher = engine.connect(Address::default(), NOW).unwrap();
            feed(&mut engine, publisher, &encode(rule));
            let mut answer = Vec::new();
            engine.take_output(publisher, &mut answer);
            assert!(!answer.starts_with(b"-"), "{}", answer.escape_ascii());
            let receivers = clients(&mut engine, subscribe);
            let request = encode(&[b"PUBLISH", &b"chat"[..], &vec![b'x'; LONG]]);
            let info = allocation_counter::measure(|| feed(&mut engine, publisher, &request));
            for receiver in receivers {
                // All of it counts for each of them.
                assert!(pending(&engine, receiver) > LONG);
                assert!(engine.client(receiver).unwrap().output_memory() > LONG);
            }
            // The line of MONITOR is built in a buffer that grows.
            assert!(info.bytes_max < 3 * LONG as u64, "{subscribe:?}, {rule:?}: {} bytes", info.bytes_max);
        }
    }
}

#[test]
fn a_short_message_is_sent_without_an_allocation() {
    let mut engine = engine();
    let receivers = clients(&mut engine, &["SUBSCRIBE", "chat"]);
    let publisher = engine.connect(Address::default(), NOW).unwrap();
    let request = encode(&["PUBLISH", "chat", "hello"]);
    let (mut parser, mut written, mut dirty) = (Parser::new(), Vec::new(), Vec::new());
    let mut publish = || {
        engine.feed(publisher, &mut parser, &request, NOW);
        for client in receivers.iter().chain([&publisher]) {
            written.clear();
            engine.take_output(*client, &mut written);
            assert!(!written.is_empty());
        }
        dirty.clear();
        engine.take_dirty(&mut dirty);
    };
    // Buffers are allocated.
    publish();
    publish();
    let info = allocation_counter::measure(|| (0..100).for_each(|_| publish()));
    // Fewer than one for each message: only buffers that grow now and then.
    assert!(info.count_total < 10, "{} allocations", info.count_total);
}

#[test]
fn long_messages_are_in_order_with_replies_and_short_messages() {
    let mut engine = engine();
    let client = engine.connect(Address::default(), NOW).unwrap();
    let other = engine.connect(Address::default(), NOW).unwrap();
    let push = |text: &str| {
        let parts = ["message", "chat", text].map(|part| Value::Bulk(part.into()));
        Value::Push(parts.into())
    };
    feed(&mut engine, client, &encode(&["HELLO", "3"]));
    feed(&mut engine, client, &encode(&["SUBSCRIBE", "chat"]));
    engine.take_output(client, &mut Vec::new());
    let (mut expected, mut written) = (Vec::new(), Vec::new());
    let lengths = [0, 8, 16 * 1024 - 60, 16 * 1024, 16 * 1024 + 1, 40_000, 9, 300_000];
    for number in 0..2000 {
        let text = message(number, lengths[number * 31 % lengths.len()]);
        match number * 17 % 11 {
            0..4 => {
                feed(&mut engine, other, &encode(&["PUBLISH", "chat", &text]));
                expected.push(push(&text));
            }
            4 | 5 => {
                feed(&mut engine, client, &encode(&["ECHO", &text]));
                expected.push(Value::Bulk(text.into()));
            }
            6 => {
                feed(&mut engine, client, &encode(&["PUBLISH", "chat", &text]));
                expected.extend([Value::Integer(1), push(&text)]);
            }
            7 => {
                for request in [&["MULTI"][..], &["PUBLISH", "chat", &text], &["ECHO", "a"], &["EXEC"]] {
                    feed(&mut engine, client, &encode(request));
                }
                let replies = vec![Value::Integer(1), Value::Bulk("a".into())];
                expected.extend(["OK", "QUEUED", "QUEUED"].map(|text| Value::Simple(text.into())));
                expected.extend([Value::Array(replies), push(&text)]);
            }
            8 => {
                // As in the shell when a full connection accepts writes again.
                let before = pending(&engine, client);
                let mut part = engine.take_part(client, 1).unwrap_or_default();
                assert_eq!(pending(&engine, client), before);
                while let Some(segment) = part.pop() {
                    written.extend_from_slice(&segment);
                    engine.set_in_flight(client, part.bytes());
                }
            }
            _ => {
                engine.take_output(client, &mut written);
                assert_eq!(pending(&engine, client), 0);
            }
        }
        let client = engine.client(client).unwrap();
        assert_eq!(
            client.pending_output() as u64 + client.written(),
            client.outbox.len() as u64 + client.net_output
        );
    }
    engine.take_output(client, &mut written);
    let mut rest = &written[..];
    for (index, expected) in expected.iter().enumerate() {
        let (value, length) = Value::read(rest).expect("a value");
        assert!(value == *expected, "{index}: {length} bytes");
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

#[test]
fn the_lost_output_of_a_client_that_is_cut_off_does_not_count_as_sent() {
    let mut engine = engine();
    let receivers = clients(&mut engine, &["SUBSCRIBE", "chat"]);
    let publisher = engine.connect(Address::default(), NOW).unwrap();
    for receiver in &receivers {
        engine.take_output(*receiver, &mut Vec::new());
    }
    let sent = |engine: &Engine| engine.client(receivers[0]).unwrap().written();
    let before = sent(&engine);
    feed(&mut engine, publisher, &encode(&["PUBLISH", "chat", &"x".repeat(100_000)]));
    assert_eq!(sent(&engine), before);
    feed(
        &mut engine,
        publisher,
        &encode(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 150000 0 0"]),
    );
    feed(&mut engine, publisher, &encode(&["PUBLISH", "chat", &"x".repeat(100_000)]));
    assert_eq!((sent(&engine), pending(&engine, receivers[0])), (before, 0));
}

#[test]
fn slow_readers_read_long_and_short_messages_in_their_order() {
    let broker = Broker::start().unwrap();
    broker.command(["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"]).unwrap();
    let mut readers: Vec<Peer> = (0..8).map(|_| Peer::connect(&broker)).collect();
    for reader in &mut readers {
        reader.command(["SUBSCRIBE", "chat"]);
    }
    let messages: Vec<String> =
        (0..40).map(|number| message(number, [3, 1_000_000, 70_000, 20_000, 500][number % 5])).collect();
    for message in &messages {
        assert_eq!(broker.command(["PUBLISH", "chat", message]).unwrap(), 8);
    }
    let readers = readers.into_iter().map(|mut reader| {
        let messages = messages.clone();
        std::thread::spawn(move || {
            for message in &messages {
                let push = encode(&["message", "chat", message]);
                reader.expect(&push);
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.join().unwrap();
    }
}
