//! The journal, its filters, and the published messages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use minibroker::{Broker, Ending, EventKind, Journal, Wakeup};

use crate::Outcome;
use crate::wire::Wire;

/// The message of a panic.
fn panic_of(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it panics");
    let owned = panic.downcast_ref::<String>().cloned();
    owned
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("it panics with a text")
}

/// The lines without numbers and times.
fn lines(journal: &Journal) -> Vec<String> {
    let client = |event: &minibroker::Event| match &event.client {
        Some(client) => client.id.map_or("test".to_owned(), |id| format!("#{id}")),
        None => "broker".to_owned(),
    };
    journal.iter().map(|event| format!("{} {}", client(event), event.kind)).collect()
}

#[test]
fn a_chat_reads_as_it_happened() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("chat")?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    broker.command(["RPUSH", "queue", "hello"])?;
    worker.expect("*2\r\n$5\r\nqueue\r\n$5\r\nhello\r\n")?;
    worker.ask("PUBLISH chat hello", ":1\r\n")?;
    ann.expect_message("chat", "hello")?;
    drop(worker);
    broker.wait_until(|state| state.clients() == 1).blocking()?;
    assert_eq!(
        lines(&broker.journal().filter(|event| !matches!(event.kind, EventKind::Disconnected(_)))),
        [
            "#1 connects",
            r#"#1 SUBSCRIBE "chat""#,
            r#"#1 is subscribed to channel "chat""#,
            r#"#1 => ["subscribe", "chat", 1]"#,
            "#2 connects",
            r#"#2 BLPOP "queue" "0""#,
            r#"#2 waits for "queue""#,
            r#"test RPUSH "queue" "hello""#,
            "test => 1",
            r#"#2 is woken by "queue""#,
            r#"#2 => ["queue", "hello"]"#,
            r#"#2 PUBLISH "chat" "hello""#,
            r#"#2 publishes "hello" on "chat", to 1"#,
            r#"#1 gets "hello" on "chat""#,
            "#2 => 1",
        ]
    );
    let last = broker.journal().last().cloned().expect("it has disconnected");
    assert_eq!(last.kind, EventKind::Disconnected(Ending::Left));
    let numbers: Vec<u64> = broker.journal().iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<u64>>());
    assert!(broker.journal().is_sorted_by_key(|event| event.at));
    Ok(())
}

#[test]
fn a_line_has_number_time_client_and_event() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("CLIENT SETNAME ann", "+OK\r\n")?;
    ann.ask("PING", "+PONG\r\n")?;
    let ping = broker.journal().of_command("ping");
    let client = ping[0].client.clone().expect("a client has sent it");
    assert_eq!((client.id, client.name.as_str()), (Some(1), "ann"));
    let line = ping[0].to_string();
    let (number, rest) = line.trim_start().split_once(' ').expect("there is more");
    assert_eq!(number, "4");
    assert!(rest.trim_start().starts_with("0."), "{line}");
    assert!(line.ends_with(&format!("  #1 ann {}  PING", client.address)), "{line}");
    assert_eq!(ping.to_string(), format!("{line}\n"));
    Ok(())
}

#[test]
fn filters_find_clients_commands_channels_and_keys() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("CLIENT SETNAME ann", "+OK\r\n")?;
    ann.ask("MSET mood good place home", "+OK\r\n")?;
    let mut bob = Wire::connect(&broker)?;
    bob.subscribe("chat")?;
    ann.ask("PUBLISH chat hello", ":1\r\n")?;
    ann.ask("PUBLISH other hello", ":0\r\n")?;
    broker.command(["CONFIG", "SET", "timeout", "0"])?;
    let journal = || broker.journal();
    assert_eq!(lines(&journal().by_client("ann")).len(), 9);
    assert_eq!(lines(&journal().by_client(1)).len(), 11);
    assert_eq!(lines(&journal().by_client(2).of_command("SUBSCRIBE")).len(), 1);
    assert_eq!(lines(&journal().by_test()), [r#"test CONFIG "SET" "timeout" "0""#, "test => OK"]);
    assert_eq!(journal().of_command("config set").len(), 1);
    assert_eq!(journal().of_command("config get").len(), 0);
    assert_eq!(
        lines(&journal().on_channel("chat")),
        [
            r#"#2 is subscribed to channel "chat""#,
            r#"#1 publishes "hello" on "chat", to 1"#,
            r#"#2 gets "hello" on "chat""#
        ]
    );
    assert_eq!(lines(&journal().of_key("place")), [r#"#1 MSET "mood" "good" "place" "home""#]);
    assert_eq!(lines(&journal().of_key("home")), [""; 0]);
    Ok(())
}

#[test]
fn an_entry_of_a_stream_wakes_only_the_reader_that_gets_it() -> Outcome {
    const READERS: usize = 20;
    let broker = Broker::start()?;
    broker.command(["XGROUP", "CREATE", "jobs", "workers", "$", "MKSTREAM"])?;
    let mut readers = Vec::new();
    for number in 0..READERS {
        let mut reader = Wire::connect(&broker)?;
        reader.send(&format!("XREADGROUP GROUP workers {number} BLOCK 0 STREAMS jobs >"))?;
        broker.wait_for_blocked("jobs", number + 1).blocking()?;
        readers.push(reader);
    }
    let mut other = Wire::connect(&broker)?;
    other.send("XREAD BLOCK 0 STREAMS jobs 9-0")?;
    broker.wait_for_blocked("jobs", READERS + 1).blocking()?;
    for id in ["1-0", "2-0", "3-0"] {
        broker.command(["XADD", "jobs", id, "task", "x"])?;
    }
    broker.wait_for_blocked("jobs", READERS - 2).blocking()?;
    let journal = broker.journal();
    let woken = journal.iter().filter(|event| matches!(event.kind, EventKind::Unblocked(_)));
    assert_eq!(woken.count(), 3, "{journal}");
    for (reader, id) in readers.iter_mut().zip(["1-0", "2-0", "3-0"]) {
        let entry = format!("*2\r\n$3\r\n{id}\r\n*2\r\n$4\r\ntask\r\n$1\r\nx\r\n");
        reader.expect(&format!("*1\r\n*2\r\n$4\r\njobs\r\n*1\r\n{entry}"))?;
    }
    Ok(())
}

#[test]
fn a_reader_of_several_streams_is_woken_only_by_what_it_gets() -> Outcome {
    const READERS: usize = 20;
    let broker = Broker::start()?;
    let mut readers = Vec::new();
    for stream in ["jobs", "mail"] {
        broker.command(["XGROUP", "CREATE", stream, "workers", "$", "MKSTREAM"])?;
    }
    for number in 0..READERS {
        let mut reader = Wire::connect(&broker)?;
        reader.send(&format!("XREADGROUP GROUP workers {number} BLOCK 0 STREAMS jobs mail > >"))?;
        let mut follower = Wire::connect(&broker)?;
        follower.send("XREAD BLOCK 0 STREAMS jobs mail 9-0 9-0")?;
        broker.wait_for_blocked("jobs", 2 * number + 2).blocking()?;
        readers.extend([reader, follower]);
    }
    for (stream, id) in [("jobs", "1-0"), ("mail", "1-0"), ("jobs", "2-0")] {
        broker.command(["XADD", stream, id, "task", "x"])?;
    }
    broker.wait_for_blocked("jobs", 2 * READERS - 3).blocking()?;
    let journal = broker.journal();
    let woken = journal.iter().filter(|event| matches!(event.kind, EventKind::Unblocked(_)));
    assert_eq!(woken.count(), 3, "{journal}");
    Ok(())
}

#[test]
fn waits_that_time_out_and_keys_that_expire_are_recorded() -> Outcome {
    let broker = Broker::start()?;
    let mut worker = Wire::connect(&broker)?;
    worker.ask("BLPOP queue 0.01", "*-1\r\n")?;
    broker.command(["SET", "mood", "good", "PX", "1"])?;
    broker.wait_until(|state| !state.exists("mood")).blocking()?;
    broker.command(["GET", "mood"])?;
    let journal = broker.journal();
    let unblocked = journal.iter().any(|event| event.kind == EventKind::Unblocked(Wakeup::TimedOut));
    assert!(unblocked, "{journal}");
    let blocked = journal.iter().find_map(|event| match &event.kind {
        EventKind::Blocked { until, .. } => Some((*until, event.at)),
        _ => None,
    });
    let (until, at) = blocked.expect("it waited");
    assert!(until.is_some_and(|until| until > at && until < at + Duration::from_secs(1)));
    let expired = EventKind::Expired { database: 0, key: "mood".into() };
    let expired = journal.iter().find(|event| event.kind == expired).expect("it expired");
    assert_eq!(expired.client, None);
    Ok(())
}

#[test]
fn transactions_and_refused_commands_are_recorded_in_order() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("PUBLISH chat hello", "+QUEUED\r\n")?;
    client.ask("EXEC", "*1\r\n:0\r\n")?;
    client.ask("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n")?;
    client.ask("AUTH ann s3cret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n")?;
    assert_eq!(
        lines(&broker.journal()),
        [
            "#1 connects",
            "#1 MULTI",
            "#1 => OK",
            r#"#1 PUBLISH "chat" "hello""#,
            "#1 => QUEUED",
            "#1 EXEC",
            r#"#1 publishes "hello" on "chat", to 0"#,
            "#1 => [0]",
            "#1 NOSUCH",
            "#1 => (error) ERR unknown command 'NOSUCH', with args beginning with: ",
            r#"#1 AUTH "(redacted)" "(redacted)""#,
            "#1 => (error) WRONGPASS invalid username-password pair or user is disabled.",
        ]
    );
    Ok(())
}

#[test]
fn a_publisher_that_is_subscribed_gets_its_message_after_the_reply() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.send("HELLO 3")?;
    client.send("SUBSCRIBE chat")?;
    broker.wait_for_subscribers("chat", 1).blocking()?;
    client.send("PUBLISH chat hello")?;
    broker.wait_for_published("chat", 1).blocking()?;
    broker.wait_until(|_| true).blocking()?;
    let lines = lines(&broker.journal().by_client(1));
    let last: Vec<_> = lines[lines.len() - 4..].iter().map(String::as_str).collect();
    assert_eq!(
        last,
        [
            r#"#1 PUBLISH "chat" "hello""#,
            r#"#1 publishes "hello" on "chat", to 1"#,
            "#1 => 1",
            r#"#1 gets "hello" on "chat""#
        ]
    );
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn all_messages_of_a_channel_are_kept_with_publisher_and_receivers() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["CONFIG", "SET", "notify-keyspace-events", "KEA"])?;
    let mut subscribers = [Wire::connect(&broker)?, Wire::connect(&broker)?];
    subscribers[0].subscribe("chat")?;
    subscribers[1].send("PSUBSCRIBE c*")?;
    broker.wait_for_pattern_subscribers("c*", 1).blocking()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("PUBLISH chat one", ":2\r\n")?;
    broker.command(["PUBLISH", "other", "two"])?;
    broker.command([&b"PUBLISH"[..], b"chat", b"\xff\0"])?;
    ann.ask("SPUBLISH chat three", ":0\r\n")?;
    ann.ask("SET mood good", "+OK\r\n")?;
    let published = broker.published("chat");
    let receivers: Vec<_> =
        published.iter().map(|message| (&*message.payload, message.receivers, message.shard)).collect();
    assert_eq!(
        receivers,
        [(&b"one"[..], Some(2), false), (b"\xff\0", Some(2), false), (b"three", Some(0), true)]
    );
    let publishers: Vec<_> =
        published.iter().map(|message| message.client.as_ref().map(|client| client.id)).collect();
    assert_eq!(publishers, [Some(Some(3)), Some(None), Some(Some(3))]);
    assert!(published.is_sorted_by_key(|message| (message.number, message.time)));
    assert_eq!(broker.published("nothing"), []);
    assert_eq!(broker.published("__keyevent@0__:set")[0].text(), "mood");
    broker.assert_published("chat", b"\xff\0");
    Ok(())
}

#[test]
fn a_message_that_was_not_published_fails_with_what_was() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["PUBLISH", "chat", "hallo"])?;
    assert_eq!(
        panic_of(|| broker.assert_published("chat", "hello")),
        "\"hello\" was not published on channel \"chat\"\npublished there:\n  \"hallo\", to 0, by the test"
    );
    assert_eq!(
        panic_of(|| broker.assert_published("chta", "hallo")),
        "\"hallo\" was not published on channel \"chta\"\nmessages on other channels:\n  \"chat\": 1"
    );
    Ok(())
}

#[test]
fn the_journal_keeps_to_its_limit_and_counts_what_it_drops() -> Outcome {
    let broker = Broker::builder().journal_limit(8192).start()?;
    for number in 0..1000 {
        broker.command(["PUBLISH", "chat", &number.to_string()])?;
    }
    broker.command(["PUBLISH", "chat", &"x".repeat(10_000)])?;
    broker.command(["PING"])?;
    let journal = broker.journal();
    assert!((100..600).contains(&journal.len()), "{}", journal.len());
    // The message that is too long is dropped, in the middle of the others.
    let recorded = journal.dropped() + journal.len() as u64;
    assert_eq!(recorded, 3 * 1001 + 2);
    assert_eq!(lines(&journal)[journal.len() - 2..], ["test PING", "test => PONG"]);
    let published = broker.published("chat");
    assert_eq!(published.last().expect("some are kept").text(), "999");
    broker.wait_for_published("chat", published.len()).within(Duration::ZERO).blocking()?;
    let timed_out = broker.wait_for_published("chat", published.len() + 1).within(Duration::ZERO).blocking();
    assert_eq!(timed_out.unwrap_err().seen(), Some(published.len()));
    let text = panic_of(|| broker.assert_no_message_lost());
    assert!(text.starts_with("whether a message was lost is unknown"), "{text}");
    assert!(text.contains("`journal_limit` of the builder makes it larger"), "{text}");
    Ok(())
}

#[test]
fn a_broker_that_records_nothing_says_so() -> Outcome {
    let broker = Broker::builder().journal_limit(0).start()?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    let calls: [&dyn Fn(); 5] = [
        &|| drop(broker.journal()),
        &|| drop(broker.published("chat")),
        &|| drop(broker.wait_for_published("chat", 1)),
        &|| broker.assert_no_message_lost(),
        &|| broker.print_journal_on_panic(),
    ];
    for call in calls {
        let text = panic_of(call);
        assert_eq!(text, "this broker records nothing: its builder was given `journal_limit(0)`");
    }
    Ok(())
}

/// Run by the next test in its own process.
#[test]
#[ignore = "panics, as the test that runs it wants"]
fn panics_with_a_journal() {
    let broker = Broker::start().expect("it starts");
    broker.print_journal_on_panic();
    broker.command(["SET", "mood", "good"]).expect("it is set");
    panic!("as a failed assertion");
}

#[test]
fn a_test_that_panics_shows_what_happened_before() -> Outcome {
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", "journal::panics_with_a_journal", "--ignored", "--nocapture"])
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let parts = stderr.split_once("the last events of the broker on 127.0.0.1:");
    let (before, events) = parts.expect("the events are printed");
    assert!(before.contains("as a failed assertion"), "{before}");
    assert!(events.contains(r#"the test  SET "mood" "good""#), "{events}");
    assert!(events.contains("the test  => OK"), "{events}");
    Ok(())
}

/// Run by the next test in its own process.
#[test]
#[ignore = "fails, as the test that runs it wants"]
fn returns_the_error_of_a_wait() -> Outcome {
    let broker = Broker::start()?;
    broker.print_journal_on_panic();
    broker.command(["SET", "mood", "good"])?;
    broker.wait_for_subscribers("chat", 1).within(Duration::ZERO).blocking()?;
    Ok(())
}

/// The same, awaited, and with a panic after it.
#[tokio::test]
#[ignore = "fails, as the test that runs it wants"]
async fn panics_with_the_error_of_a_wait() {
    let broker = Broker::start().expect("it starts");
    broker.print_journal_on_panic();
    broker.command(["SET", "mood", "good"]).expect("it is set");
    broker.wait_for_subscribers("chat", 1).within(Duration::ZERO).await.unwrap();
}

#[test]
fn a_wait_that_fails_shows_once_what_happened_before() -> Outcome {
    for name in ["returns_the_error_of_a_wait", "panics_with_the_error_of_a_wait"] {
        let output = Command::new(std::env::current_exe()?)
            .args(["--exact", &format!("journal::{name}"), "--ignored", "--nocapture"])
            .output()?;
        assert!(!output.status.success(), "{name}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr.matches("the last events of the broker on 127.0.0.1:").count(), 1, "{stderr}");
        assert_eq!(stderr.matches(r#"the test  SET "mood" "good""#).count(), 1, "{stderr}");
    }
    Ok(())
}
