//! Faults on messages on their way to subscribers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::StreamExt;
use minibroker::{Broker, EventKind};

use crate::Outcome;
use crate::wire::Wire;

/// The lost messages that the assertion lists, without its heading.
fn lost(broker: &Broker) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| broker.assert_no_message_lost())).err();
    let text = panic.and_then(|panic| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    text.split_once("lost:\n").map(|(_, lines)| lines.to_owned()).unwrap_or_default()
}

fn subscriber(broker: &Broker, name: &str) -> Result<Wire, Box<dyn std::error::Error>> {
    let mut subscriber = Wire::connect(broker)?;
    subscriber.ask(&format!("CLIENT SETNAME {name}"), "+OK\r\n")?;
    subscriber.subscribe("chat")?;
    Ok(subscriber)
}

#[test]
fn a_message_that_is_dropped_is_counted_and_lost() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let fault = broker.faults().on_channel("chat").nth(2).drop_messages();
    for message in ["one", "two", "three"] {
        assert_eq!(broker.command(["PUBLISH", "chat", message])?, 1);
    }
    ann.expect_message("chat", "one")?;
    ann.expect_message("chat", "three")?;
    assert_eq!(fault.hits(), 1);
    let text = lost(&broker);
    assert!(text.contains(r#"(subscribed to channel "chat"): "two" on "chat""#), "{text}");
    assert!(text.ends_with("was dropped by a fault"), "{text}");
    let journal = broker
        .journal()
        .by_client("ann")
        .filter(|event| matches!(event.kind, EventKind::FaultHit(_) | EventKind::Dropped { .. }));
    let lines: Vec<String> = journal.iter().map(|event| event.kind.to_string()).collect();
    assert_eq!(
        lines,
        [
            r#"is hit by a fault: messages on channel "chat", the 2nd time: drop"#,
            r#"does not get "two" on "chat": dropped by a fault"#,
        ]
    );
    Ok(())
}

#[test]
fn a_duplicated_message_is_reported() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let fault = broker.faults().on_channel("chat").once().duplicate_messages();
    broker.command(["PUBLISH", "chat", "one"])?;
    broker.command(["PUBLISH", "chat", "two"])?;
    for message in ["one", "one", "two"] {
        ann.expect_message("chat", message)?;
    }
    assert_eq!(fault.hits(), 1);
    let text = lost(&broker);
    assert!(text.contains("\"one\" on \"chat\"") && text.ends_with("was sent more than once"), "{text}");
    Ok(())
}

#[test]
fn messages_that_are_all_delayed_keep_their_order_and_are_not_lost() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let fault = broker.faults().on_channel("chat").delay(Duration::from_millis(20));
    for number in 0..10 {
        assert_eq!(broker.command(["PUBLISH", "chat", &number.to_string()])?, 1);
    }
    broker.assert_no_message_lost();
    for number in 0..10 {
        ann.expect_message("chat", &number.to_string())?;
    }
    broker.assert_no_message_lost();
    assert_eq!(fault.hits(), 10);
    Ok(())
}

#[test]
fn a_message_that_is_delayed_is_overtaken_by_others() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let hold = broker.faults().on_channel("chat").once().delay_messages(Duration::MAX);
    broker.command(["PUBLISH", "chat", "first"])?;
    broker.command(["PUBLISH", "chat", "second"])?;
    ann.expect_message("chat", "second")?;
    broker.assert_no_message_lost();
    drop(hold);
    ann.expect_message("chat", "first")?;
    let text = lost(&broker);
    assert!(text.contains(r#""first" on "chat" (event"#), "{text}");
    assert!(text.contains(r#"was sent behind "second" on "chat""#), "{text}");
    Ok(())
}

#[test]
fn when_a_fault_ends_what_it_has_delayed_arrives_in_order() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let hold = broker.faults().on_channel("chat").delay(Duration::MAX);
    broker.command(["PUBLISH", "chat", "one"])?;
    broker.command(["PUBLISH", "chat", "two"])?;
    drop(hold);
    broker.command(["PUBLISH", "chat", "three"])?;
    for message in ["one", "two", "three"] {
        ann.expect_message("chat", message)?;
    }
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn a_message_on_the_way_is_lost_with_the_connection() -> Outcome {
    let broker = Broker::start()?;
    let ann = subscriber(&broker, "ann")?;
    let hold = broker.faults().on_channel("chat").delay(Duration::MAX);
    broker.command(["PUBLISH", "chat", "hello"])?;
    drop(ann);
    broker.wait_for_clients(0).blocking()?;
    let text = lost(&broker);
    assert!(text.ends_with("was not written before the connection ended: the client left"), "{text}");
    // The message does not go to another client in the same slot either.
    let mut bob = subscriber(&broker, "bob")?;
    drop(hold);
    broker.command(["PUBLISH", "chat", "for bob"])?;
    bob.expect_message("chat", "for bob")?;
    Ok(())
}

#[test]
fn a_message_on_the_way_is_dropped_by_an_unsubscribe_and_counts_as_lost() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let hold = broker.faults().on_channel("chat").delay(Duration::MAX);
    broker.command(["PUBLISH", "chat", "hello"])?;
    ann.ask("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$4\r\nchat\r\n:0\r\n")?;
    drop(hold);
    ann.ask("PING", "+PONG\r\n")?;
    let text = lost(&broker);
    assert!(
        text.contains(r#""hello" on "chat" (event"#) && text.ends_with("was dropped by a fault"),
        "{text}"
    );
    Ok(())
}

#[test]
fn one_of_two_subscribers_may_miss_a_message() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let mut bob = subscriber(&broker, "bob")?;
    let fault = broker.faults().on_client("bob").on_channel("chat").once().drop_messages();
    assert_eq!(broker.command(["PUBLISH", "chat", "one"])?, 2);
    assert_eq!(broker.command(["PUBLISH", "chat", "two"])?, 2);
    ann.expect_message("chat", "one")?;
    bob.expect_message("chat", "two")?;
    assert_eq!(fault.hits(), 1);
    assert_eq!(fault.to_string(), r#"messages on channel "chat" to client "bob", once: drop"#);
    Ok(())
}

#[test]
fn all_messages_to_a_client_are_hit_if_no_channel_is_named() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = subscriber(&broker, "ann")?;
    let mut bob = subscriber(&broker, "bob")?;
    let fault = broker.faults().on_client("bob").drop_messages();
    broker.command(["PUBLISH", "chat", "one"])?;
    drop(fault);
    broker.command(["PUBLISH", "chat", "two"])?;
    ann.expect_message("chat", "one")?;
    bob.expect_message("chat", "two")?;
    Ok(())
}

#[test]
fn messages_by_patterns_shard_channels_and_keys_are_hit_too() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("PSUBSCRIBE r?om:*", "*3\r\n$10\r\npsubscribe\r\n$6\r\nr?om:*\r\n:1\r\n")?;
    let mut bob = Wire::connect(&broker)?;
    bob.ask("SSUBSCRIBE room:1", "*3\r\n$10\r\nssubscribe\r\n$6\r\nroom:1\r\n:1\r\n")?;
    let mut keys = Wire::connect(&broker)?;
    keys.subscribe("__keyspace@0__:a")?;
    broker.command(["CONFIG", "SET", "notify-keyspace-events", "KA"])?;
    let rooms = broker.faults().on_channels("room:*").once().drop_messages();
    broker.command(["PUBLISH", "room:1", "x"])?;
    broker.command(["PUBLISH", "room:1", "y"])?;
    ann.expect("*4\r\n$8\r\npmessage\r\n$6\r\nr?om:*\r\n$6\r\nroom:1\r\n$1\r\ny\r\n")?;
    drop(rooms);
    let _shard = broker.faults().on_channel("room:1").on_channel("__keyspace@0__:a").every(2).drop_messages();
    broker.command(["SPUBLISH", "room:1", "x"])?;
    bob.expect("*3\r\n$8\r\nsmessage\r\n$6\r\nroom:1\r\n$1\r\nx\r\n")?;
    broker.command(["SET", "a", "1"])?;
    broker.command(["DEL", "a"])?;
    keys.expect_message("__keyspace@0__:a", "del")?;
    Ok(())
}

#[test]
fn a_subscriber_that_publishes_itself_may_miss_its_own_message() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.send("HELLO 3\r\nSUBSCRIBE chat\r\nPING")?;
    while ann.line()? != "+PONG" {}
    let _fault = broker.faults().on_channel("chat").once().drop_messages();
    ann.ask("PUBLISH chat one", ":1\r\n")?;
    ann.ask("PUBLISH chat two", ":1\r\n>3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$3\r\ntwo\r\n")?;
    Ok(())
}

#[test]
fn all_receivers_of_a_message_are_cut_off_at_once() -> Outcome {
    let broker = Broker::start()?;
    let mut by_channel = subscriber(&broker, "ann")?;
    let mut by_pattern = Wire::connect(&broker)?;
    by_pattern.ask("PSUBSCRIBE c*", "*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:1\r\n")?;
    let mut other = Wire::connect(&broker)?;
    other.subscribe("news")?;
    assert_eq!(broker.faults().on_client("bob").on_channel("chat").kill_subscribers(), 0);
    assert_eq!(broker.faults().on_channel("chat").kill_subscribers(), 2);
    assert_eq!(broker.command(["PUBLISH", "chat", "x"])?, 0);
    assert!(by_channel.is_cut());
    assert!(by_pattern.is_cut());
    broker.wait_for_clients(1).blocking()?;
    let disconnected =
        broker.journal().by_client("ann").filter(|event| matches!(event.kind, EventKind::Disconnected(_)));
    assert_eq!(disconnected[0].kind.to_string(), "is gone: cut off by a fault");
    broker.command(["PUBLISH", "news", "x"])?;
    other.expect_message("news", "x")?;
    broker.assert_no_message_lost();
    Ok(())
}

#[tokio::test]
async fn an_async_listener_gets_a_delayed_message_behind_a_later_one() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let delay = Duration::from_millis(10);
    let mut chat = redis::Client::open(broker.url())?.get_async_pubsub().await?;
    chat.subscribe("chat").await?;
    let _fault = broker.faults().on_channel("chat").once().delay(delay);
    broker.command(["PUBLISH", "chat", "first"])?;
    broker.command(["PUBLISH", "chat", "second"])?;
    broker.advance(delay);
    let mut messages = chat.on_message();
    for expected in ["second", "first"] {
        let message = messages.next().await.ok_or("the connection has ended")?;
        assert_eq!(message.get_payload::<String>()?, expected);
    }
    Ok(())
}

#[test]
fn an_invalidation_is_lost_late_or_repeated_by_faults_on_its_channel() -> Outcome {
    const INVALIDATION: &str = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nmood\r\n";
    let broker = Broker::builder().manual_clock().start()?;
    let mut cache = Wire::connect(&broker)?;
    cache.send("HELLO 3\r\nCLIENT TRACKING ON")?;
    while cache.line()? != "+OK" {}
    let changes = |cache: &mut Wire, value: &str, read: &str| -> Outcome {
        cache.ask("GET mood", read)?;
        broker.command(["SET", "mood", value])?;
        Ok(())
    };
    let channel = "__redis__:invalidate";
    let lost = broker.faults().on_channel(channel).once().drop_messages();
    changes(&mut cache, "calm", "_\r\n")?;
    cache.ask("PING", "+PONG\r\n")?;
    assert_eq!(lost.hits(), 1);
    let _repeated = broker.faults().on_channel(channel).once().duplicate_messages();
    changes(&mut cache, "glad", "$4\r\ncalm\r\n")?;
    cache.expect(&INVALIDATION.repeat(2))?;
    let delay = Duration::from_secs(1);
    let _late = broker.faults().on_channel(channel).once().delay(delay);
    changes(&mut cache, "sad", "$4\r\nglad\r\n")?;
    cache.ask("PING", "+PONG\r\n")?;
    broker.advance(delay);
    cache.expect(INVALIDATION)?;
    Ok(())
}
