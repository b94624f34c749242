//! Whether messages were lost.

use std::panic::{AssertUnwindSafe, catch_unwind};

use minibroker::Broker;

use crate::Outcome;
use crate::wire::Wire;

/// The failure of the assertion that no message was lost.
fn loss_report(broker: &Broker) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| broker.assert_no_message_lost())).err()?;
    panic.downcast_ref::<String>().cloned()
}

#[test]
fn a_subscriber_that_gets_everything_has_lost_nothing() -> Outcome {
    let broker = Broker::start()?;
    let mut subscribers = [Wire::connect(&broker)?, Wire::connect(&broker)?];
    subscribers[0].subscribe("chat")?;
    subscribers[1].send("PSUBSCRIBE c* ch*")?;
    subscribers[1].send("SSUBSCRIBE chat")?;
    broker.wait_until(|state| state.pattern_subscribers("ch*") == 1).blocking()?;
    for number in 0..100 {
        broker.command(["PUBLISH", "chat", &number.to_string()])?;
        broker.command(["SPUBLISH", "chat", "to a shard"])?;
    }
    broker.assert_no_message_lost();
    for number in 0..100 {
        subscribers[0].expect_message("chat", &number.to_string())?;
    }
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn what_is_published_before_and_after_a_subscription_is_not_lost() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["PUBLISH", "chat", "too early"])?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    subscriber.send("UNSUBSCRIBE chat")?;
    broker.wait_for_subscribers("chat", 0).blocking()?;
    broker.command(["PUBLISH", "chat", "too late"])?;
    subscriber.send("SUBSCRIBE chat")?;
    broker.wait_for_subscribers("chat", 1).blocking()?;
    drop(subscriber);
    broker.wait_for_clients(0).blocking()?;
    broker.command(["PUBLISH", "chat", "too late"])?;
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn a_reader_too_slow_for_its_messages_loses_them() -> Outcome {
    let broker =
        Broker::builder().subscriber_output_limit(1024 * 1024).journal_limit(256 * 1024 * 1024).start()?;
    let mut quick = Wire::connect(&broker)?;
    quick.subscribe("chat")?;
    let mut slow = Wire::connect(&broker)?;
    slow.subscribe("news")?;
    let mut publisher = Wire::connect(&broker)?;
    publisher.ask("PUBLISH chat hello", ":1\r\n")?;
    quick.expect_message("chat", "hello")?;
    // Inline requests cannot be longer.
    let long = "x".repeat(50_000);
    let mut sent = 0;
    // Until the sockets and the output buffer are full.
    loop {
        publisher.send(&format!("PUBLISH news {long}"))?;
        if publisher.line()? == ":0" {
            break;
        }
        sent += 1;
    }
    // The connection of the client ends a moment after it was killed.
    broker.wait_until(|state| state.clients() == 2).blocking()?;
    let report = loss_report(&broker).expect("something was lost");
    assert!(report.contains("lost\nlost:\n  #2 "), "{report}");
    assert!(report.contains("(subscribed to channel \"news\"): \"xxxx"), "{report}");
    assert!(report.contains("(50000 bytes) on \"news\""), "{report}");
    let ending = "was not written before the connection ended: cut off by client-output-buffer-limit";
    assert!(report.contains(ending), "{report}");
    assert!(!report.contains("#1"), "{report}");
    // All other messages have arrived.
    let shown = report.lines().filter(|line| line.starts_with("  #2")).count();
    let more =
        report.lines().find_map(|line| line.strip_prefix("  ... and ")?.strip_suffix(" more")?.parse().ok());
    let lost = shown + more.unwrap_or(0);
    let length = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$50000\r\n\r\n".len() + long.len();
    let arrived = slow.read_to_end() / length;
    assert!(arrived > 0);
    assert_eq!(arrived + lost, sent);
    Ok(())
}

#[test]
fn a_subscriber_that_is_killed_loses_what_was_not_written() -> Outcome {
    let broker = Broker::builder().journal_limit(256 * 1024 * 1024).start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    subscriber.expect_message("chat", "hello")?;
    broker.command(["PUBLISH", "chat", &"x".repeat(20_000_000)])?;
    broker.command(["CLIENT", "KILL", "ID", "1"])?;
    broker.wait_for_clients(0).blocking()?;
    let report = loss_report(&broker).expect("the second was lost");
    assert!(report.starts_with("a message was lost\nlost:\n  #1 "), "{report}");
    assert!(
        report.ends_with("was not written before the connection ended: cut off by the broker"),
        "{report}"
    );
    Ok(())
}

#[test]
fn messages_after_a_quit_do_not_count_as_lost() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    subscriber.send("QUIT")?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.wait_for_clients(0).blocking()?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.assert_no_message_lost();
    Ok(())
}
