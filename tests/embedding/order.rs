//! What is true for all clients together: there is one order of all events, and no client delays another.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use minibroker::Broker;

use crate::Outcome;
use crate::wire::Wire;

#[test]
fn two_subscribers_of_two_channels_see_one_order() -> Outcome {
    const PUBLISHERS: usize = 4;
    const MESSAGES: usize = 300;
    let broker = Broker::start()?;
    let subscribers = [subscriber_of_both(&broker)?, subscriber_of_both(&broker)?];
    let [first, second] = thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let broker = &broker;
            scope.spawn(move || -> io::Result<()> {
                let mut connection = Wire::connect(broker)?;
                for number in 0..MESSAGES {
                    let channel = ["one", "two"][(publisher + number) % 2];
                    connection.ask(&format!("PUBLISH {channel} {publisher}/{number}"), ":2\r\n")?;
                }
                Ok(())
            });
        }
        let reading = subscribers.map(|mut subscriber| {
            scope.spawn(move || {
                (0..PUBLISHERS * MESSAGES).map(|_| message(&mut subscriber)).collect::<io::Result<Vec<_>>>()
            })
        });
        reading.map(|reader| reader.join().expect("no thread panics"))
    });
    let first = first?;
    assert_eq!(first, second?);
    // It keeps the order of each publisher.
    for publisher in 0..PUBLISHERS {
        let own = format!("{publisher}/");
        let numbers = first.iter().filter_map(|(_, text)| text.strip_prefix(&own));
        assert!(numbers.eq((0..MESSAGES).map(|number| number.to_string())));
    }
    Ok(())
}

fn subscriber_of_both(broker: &Broker) -> io::Result<Wire> {
    let mut subscriber = Wire::connect(broker)?;
    subscriber.subscribe("one")?;
    subscriber.ask("SUBSCRIBE two", "*3\r\n$9\r\nsubscribe\r\n$3\r\ntwo\r\n:2\r\n")?;
    Ok(subscriber)
}

/// The channel and the text of the next message.
fn message(subscriber: &mut Wire) -> io::Result<(String, String)> {
    subscriber.expect("*3\r\n$7\r\nmessage\r\n")?;
    let mut bulk = || {
        subscriber.line()?;
        subscriber.line()
    };
    Ok((bulk()?, bulk()?))
}

#[test]
fn a_confirmation_comes_before_any_message_and_after_the_last() -> Outcome {
    const TIMES: usize = 200;
    let broker = Broker::start()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| -> Outcome {
        for _ in 0..2 {
            scope.spawn(|| -> io::Result<()> {
                let mut publisher = Wire::connect(&broker)?;
                while !over.load(Ordering::Relaxed) {
                    publisher.send("PUBLISH chat hello")?;
                    publisher.line()?;
                }
                Ok(())
            });
        }
        // Ends the publishers even if this fails.
        let _ends = Ends(&over);
        let mut subscriber = Wire::connect(&broker)?;
        for _ in 0..TIMES {
            subscriber.subscribe("chat")?;
            subscriber.expect_message("chat", "hello")?;
            subscriber.send("UNSUBSCRIBE chat")?;
            let confirmed = "$11\r\nunsubscribe\r\n$4\r\nchat\r\n:0\r\n";
            loop {
                subscriber.expect("*3\r\n")?;
                let length = subscriber.line()?;
                if length == "$11" {
                    subscriber.expect(confirmed.trim_start_matches("$11\r\n"))?;
                    break;
                }
                subscriber.expect("message\r\n$4\r\nchat\r\n$5\r\nhello\r\n")?;
            }
            // From here on only the answer is received.
            subscriber.ask("PING", "+PONG\r\n")?;
        }
        Ok(())
    })
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn matching_patterns_bring_a_message_in_the_order_of_subscription() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    for number in 0..200 {
        let patterns = [
            format!("room:{number}*"),
            format!("lobby{number}*"),
            format!("*:{number}"),
            format!("??*{number}"),
        ];
        for pattern in &patterns {
            subscriber.send(&format!("PSUBSCRIBE {pattern}"))?;
            subscriber.expect(&format!("*3\r\n$10\r\npsubscribe\r\n${}\r\n{pattern}\r\n", pattern.len()))?;
            subscriber.line()?;
        }
    }
    broker.command(["PUBLISH", "room:17", "hello"])?;
    for pattern in ["room:1*", "??*7", "room:17*", "*:17", "??*17"] {
        let push = format!("*4\r\n$8\r\npmessage\r\n${}\r\n{pattern}\r\n", pattern.len());
        subscriber.expect(&push)?;
        subscriber.expect("$7\r\nroom:17\r\n$5\r\nhello\r\n")?;
    }
    // Nothing else is received.
    subscriber.ask("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n")?;
    Ok(())
}

#[test]
fn a_subscriber_that_does_not_read_delays_no_other() -> Outcome {
    const MESSAGES: usize = 200;
    const LENGTH: usize = 100_000;
    // 20 MB, far more than the sockets hold and less than the limit.
    let broker = Broker::start()?;
    let mut lazy = Wire::connect(&broker)?;
    lazy.subscribe("chat")?;
    let mut reader = Wire::connect(&broker)?;
    reader.subscribe("chat")?;
    let text = "x".repeat(LENGTH);
    let mut publisher = Wire::connect(&broker)?;
    for _ in 0..MESSAGES {
        publisher.ask(&format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nchat\r\n${LENGTH}\r\n{text}"), ":2\r\n")?;
        reader.expect_message("chat", &text)?;
    }
    // Nothing is lost for the subscriber that reads late.
    for _ in 0..MESSAGES {
        lazy.expect_message("chat", &text)?;
    }
    Ok(())
}

#[test]
fn a_worker_that_disconnects_while_it_waits_takes_no_element() -> Outcome {
    let broker = Broker::start()?;
    let mut disconnecting = Wire::connect(&broker)?;
    disconnecting.send("BLPOP queue another_queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    let mut waiting = Wire::connect(&broker)?;
    waiting.send("BLPOP queue 0")?;
    broker.wait_for_blocked("queue", 2).blocking()?;
    drop(disconnecting);
    broker.wait_for_blocked("another_queue", 0).blocking()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("LPUSH queue first", ":1\r\n")?;
    waiting.expect("*2\r\n$5\r\nqueue\r\n$5\r\nfirst\r\n")?;
    drop(waiting);
    client.ask("LPUSH queue second", ":1\r\n")?;
    client.ask("LRANGE queue 0 -1", "*1\r\n$6\r\nsecond\r\n")?;
    Ok(())
}

#[test]
fn an_item_pushed_after_its_only_worker_has_gone_is_kept() -> Outcome {
    let broker = Broker::start()?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BRPOP queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    drop(worker);
    broker.wait_for_blocked("queue", 0).blocking()?;
    broker.command(["LPUSH", "queue", "kept"])?;
    assert_eq!(broker.command(["LRANGE", "queue", "0", "-1"])?.to_string(), r#"["kept"]"#);
    Ok(())
}

#[test]
fn requests_that_follow_a_blocking_one_are_run_when_it_is_answered() -> Outcome {
    let broker = Broker::start()?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 0\r\nPING\r\nBLPOP queue 0\r\nPING")?;
    for item in ["one", "two"] {
        broker.wait_for_blocked("queue", 1).blocking()?;
        broker.command(["RPUSH", "queue", item])?;
        worker.expect(&format!("*2\r\n$5\r\nqueue\r\n$3\r\n{item}\r\n+PONG\r\n"))?;
    }
    Ok(())
}

#[test]
fn client_list_shows_how_many_bytes_wait_to_be_run() -> Outcome {
    let broker = Broker::start()?;
    let mut waiting = Wire::connect(&broker)?;
    // Bytes that arrive with the command count, and those that arrive later.
    waiting.send("BLPOP queue 0\r\nPING")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    let mut other = Wire::connect(&broker)?;
    let mut shows = |bytes: usize| -> Outcome {
        loop {
            other.send("CLIENT LIST ID 1")?;
            other.line()?;
            if other.line()?.contains(&format!(" qbuf={bytes} ")) {
                return Ok(());
            }
        }
    };
    shows(6)?;
    waiting.send("PING")?;
    shows(12)?;
    broker.command(["RPUSH", "queue", "hello"])?;
    waiting.expect("*2\r\n$5\r\nqueue\r\n$5\r\nhello\r\n+PONG\r\n+PONG\r\n")?;
    shows(0)
}

#[test]
fn clients_are_answered_while_a_great_many_keys_expire() -> Outcome {
    const KEYS: usize = 100_000;
    let broker = Broker::start()?;
    let mut connection = Wire::connect(&broker)?;
    connection.ask("DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n")?;
    for batch in 0..KEYS / 1000 {
        let sets: Vec<String> = (0..1000).map(|key| format!("SET {batch}/{key} x PX 1")).collect();
        connection.ask(&sets.join("\r\n"), &"+OK\r\n".repeat(1000))?;
    }
    connection.ask("DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n")?;
    let mut seen = Vec::new();
    while seen.last() != Some(&0) {
        connection.send("DBSIZE")?;
        let line = connection.line()?;
        seen.push(line.trim_start_matches(':').parse::<usize>()?);
    }
    assert!(seen.iter().any(|left| (1..KEYS).contains(left)), "{seen:?}");
    Ok(())
}
