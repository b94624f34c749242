//! The clock of a broker, which a test moves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use minibroker::{Broker, EventKind, Journal, Wakeup};
use redis::{AsyncConnectionConfig, Client};
use tokio::io::AsyncWriteExt;

use crate::Outcome;
use crate::wire::{TIMEOUT, Wire};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
/// A millisecond less than an hour.
const ALMOST_AN_HOUR: Duration = Duration::from_millis(3_599_999);

/// A moment in 2023, 13 digits of milliseconds long.
const START_SECONDS: u64 = 1_700_000_000;

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(START_SECONDS)
}

fn stopped() -> Result<Broker, minibroker::StartError> {
    Broker::builder().manual_clock_at(start()).start()
}

/// The answer to a command of the test itself, as text.
fn answer(broker: &Broker, line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    broker.command(words).map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
}

/// The events with their milliseconds, without the commands of the test and their answers.
fn events(journal: Journal) -> Vec<(u128, String)> {
    let of_clients = journal.filter(|event| !event.client.as_ref().is_some_and(minibroker::Peer::is_test));
    of_clients.iter().map(|event| (event.at.as_millis(), event.kind.to_string())).collect()
}

#[test]
fn what_a_fault_delays_is_due_to_the_millisecond() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let delay = HOUR;
    let slow = broker.faults().on_command("SET").delay(delay);
    let _late = broker.faults().on_channel("chat").delay(delay);
    let [mut client, mut listener] = [Wire::connect(&broker)?, Wire::connect(&broker)?];
    listener.subscribe("chat")?;
    client.send("SET a 1")?;
    broker.command(["PUBLISH", "chat", "late"])?;
    broker.wait_for_fault(&slow, 1).blocking()?;
    broker.advance(ALMOST_AN_HOUR);
    assert_eq!(broker.command(["EXISTS", "a"])?, 0);
    broker.advance(MILLISECOND);
    assert_eq!(broker.command(["EXISTS", "a"])?, 1);
    let received =
        broker.journal().iter().filter(|event| matches!(event.kind, EventKind::Delivered { .. })).count();
    assert_eq!(received, 1);
    Ok(())
}

#[test]
fn a_session_of_thirty_days_expires_in_no_time() -> Outcome {
    let began = Instant::now();
    let broker = Broker::builder().manual_clock().start()?;
    let mut connection = Client::open(broker.url())?.get_connection()?;
    redis::cmd("SET").arg("session:ann").arg("there").arg("EX").arg(30 * 24 * 3600).exec(&mut connection)?;
    broker.advance(29 * 24 * HOUR + 23 * HOUR + ALMOST_AN_HOUR);
    assert_eq!(redis::cmd("PTTL").arg("session:ann").query::<i64>(&mut connection)?, 1);
    broker.advance(MILLISECOND);
    assert_eq!(redis::cmd("GET").arg("session:ann").query::<Option<String>>(&mut connection)?, None);
    assert!(began.elapsed() < TIMEOUT);
    Ok(())
}

#[test]
fn time_stands_still_until_it_is_moved() -> Outcome {
    let broker = stopped()?;
    let mut client = Wire::connect(&broker)?;
    for _ in 0..3 {
        client.ask("TIME", "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n")?;
        assert_eq!(broker.now(), start());
        thread::sleep(MILLISECOND);
    }
    broker.advance(Duration::from_micros(1_000_007));
    client.ask("TIME", "*2\r\n$10\r\n1700000001\r\n$1\r\n7\r\n")?;
    assert_eq!(broker.now(), start() + Duration::from_micros(1_000_007));
    Ok(())
}

#[test]
fn by_default_the_clock_starts_at_the_systems_time_in_whole_ms() -> Outcome {
    let before = SystemTime::now();
    let broker = Broker::builder().manual_clock().start()?;
    let after = SystemTime::now();
    assert!((before - MILLISECOND..=after).contains(&broker.now()));
    assert_eq!(broker.now().duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos() % 1_000_000, 0);
    Ok(())
}

#[test]
fn a_blocked_client_times_out_when_its_time_has_passed() -> Outcome {
    const NOTHING: &str = "*-1\r\n";
    let waits = [
        ("BLPOP key 3600", NOTHING),
        ("BRPOP key 3600", NOTHING),
        ("BLMOVE key other LEFT RIGHT 3600", NOTHING),
        ("BRPOPLPUSH key other 3600", NOTHING),
        ("BLMPOP 3600 1 key LEFT", NOTHING),
        ("BZPOPMIN key 3600", NOTHING),
        ("BZPOPMAX key 3600", NOTHING),
        ("BZMPOP 3600 1 key MIN", NOTHING),
        ("XREAD BLOCK 3600000 STREAMS key $", NOTHING),
        ("WAIT 1 3600000", ":0\r\n"),
        ("WAITAOF 0 1 3600000", "*2\r\n:0\r\n:0\r\n"),
    ];
    let broker = stopped()?;
    for (command, answer) in waits {
        let mut client = Wire::connect(&broker)?;
        client.send(command)?;
        broker.wait_until(|state| state.blocked_clients() == 1).blocking()?;
        broker.advance(ALMOST_AN_HOUR);
        broker.wait_until(|state| state.blocked_clients() == 1).within(Duration::ZERO).blocking()?;
        broker.advance(MILLISECOND);
        broker.wait_until(|state| state.blocked_clients() == 0).within(Duration::ZERO).blocking()?;
        client.expect(answer)?;
        client.ask("PING", "+PONG\r\n")?;
    }
    Ok(())
}

#[test]
fn a_reader_of_a_group_times_out_when_its_time_has_passed() -> Outcome {
    let broker = stopped()?;
    broker.command(["XGROUP", "CREATE", "chat", "workers", "$", "MKSTREAM"])?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("XREADGROUP GROUP workers ann BLOCK 3600000 STREAMS chat >")?;
    broker.wait_for_blocked("chat", 1).blocking()?;
    broker.advance(2 * HOUR);
    worker.expect("*-1\r\n")?;
    let woken = broker.journal().filter(|event| event.kind == EventKind::Unblocked(Wakeup::TimedOut));
    assert_eq!(woken[0].at, HOUR, "at its own time, not when the clock has arrived");
    Ok(())
}

#[test]
fn a_client_that_is_served_in_time_does_not_time_out() -> Outcome {
    let broker = stopped()?;
    let mut client = Wire::connect(&broker)?;
    client.send("BLPOP key 10")?;
    broker.wait_for_blocked("key", 1).blocking()?;
    broker.advance(Duration::from_millis(9_999));
    broker.command(["RPUSH", "key", "hello"])?;
    broker.advance(HOUR);
    client.expect("*2\r\n$3\r\nkey\r\n$5\r\nhello\r\n")?;
    client.ask("PING", "+PONG\r\n").map_err(Into::into)
}

#[test]
fn the_pause_of_clients_ends_at_its_time() -> Outcome {
    let broker = stopped()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("CLIENT PAUSE 5000 WRITE", "+OK\r\n")?;
    client.send("SET key value PX 1000")?;
    broker.wait_until(|state| state.clients() == 1 && !state.exists("key")).blocking()?;
    let paused = |event: &minibroker::Event| matches!(event.kind, EventKind::Blocked { paused: true, .. });
    let looked = |broker: &Broker| broker.journal().iter().any(paused);
    while !looked(&broker) {
        // The request is on its way; there is no wait for paused clients.
        thread::yield_now();
    }
    broker.advance(Duration::from_millis(5500));
    client.expect("+OK\r\n")?;
    assert_eq!(answer(&broker, "PTTL key"), "500", "it ran when the pause ended");
    Ok(())
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines() -> Outcome {
    let broker = stopped()?;
    broker.command(["CONFIG", "SET", "notify-keyspace-events", "Ex"])?;
    let mut watcher = Wire::connect(&broker)?;
    watcher.subscribe("__keyevent@0__:expired")?;
    let mut waiters = Vec::new();
    for (key, seconds) in [("late", 4), ("early", 2)] {
        let mut waiter = Wire::connect(&broker)?;
        waiter.send(&format!("BLPOP {key} {seconds}"))?;
        broker.wait_for_blocked(key, 1).blocking()?;
        waiters.push(waiter);
    }
    for (key, milliseconds) in [("three", "3000"), ("one", "1000"), ("five", "5000"), ("two", "2000")] {
        broker.command(["SET", key, "v", "PX", milliseconds])?;
    }
    broker.command(["HSET", "hash", "field", "v"])?;
    broker.command(["HPEXPIRE", "hash", "3500", "FIELDS", "1", "field"])?;
    let begun = broker.journal().last().map_or(0, |event| event.number);
    broker.advance(HOUR);
    let recorded = events(broker.journal().filter(|event| {
        event.number > begun && !matches!(event.kind, EventKind::Delivered { .. } | EventKind::Reply(_))
    }));
    let order: Vec<_> = recorded.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(
        order,
        [
            (1000, r#""one" expires"#),
            (1000, r#"publishes "one" on "__keyevent@0__:expired", to 1"#),
            (2000, r#""two" expires"#),
            (2000, r#"publishes "two" on "__keyevent@0__:expired", to 1"#),
            (2000, "waits no longer: its time is up"),
            (3000, r#""three" expires"#),
            (3000, r#"publishes "three" on "__keyevent@0__:expired", to 1"#),
            (4000, "waits no longer: its time is up"),
            (5000, r#""five" expires"#),
            (5000, r#"publishes "five" on "__keyevent@0__:expired", to 1"#),
        ]
    );
    for key in ["one", "two", "three", "five"] {
        watcher.expect_message("__keyevent@0__:expired", key)?;
    }
    for waiter in &mut waiters {
        waiter.expect("*-1\r\n")?;
    }
    assert_eq!(answer(&broker, "EXISTS hash"), "0");
    Ok(())
}

#[test]
fn a_great_many_keys_have_all_expired_when_advance_returns() -> Outcome {
    const KEYS: usize = 50_000;
    let broker = Broker::builder().manual_clock().journal_limit(0).start()?;
    let mut connection = Client::open(broker.url())?.get_connection()?;
    for chunk in 0..KEYS / 1000 {
        let mut requests = redis::pipe();
        for key in 0..1000 {
            let number = chunk * 1000 + key;
            requests.cmd("SET").arg(number).arg("").arg("PX").arg(1 + number % 7919).ignore();
        }
        requests.exec(&mut connection)?;
    }
    assert_eq!(answer(&broker, "DBSIZE"), KEYS.to_string());
    broker.advance(HOUR);
    assert_eq!(broker.command(["DBSIZE"])?, 0);
    let stats = answer(&broker, "INFO stats");
    assert!(stats.contains(&format!("expired_keys:{KEYS}")), "{stats}");
    Ok(())
}

#[test]
fn all_ages_follow_the_brokers_clock() -> Outcome {
    let broker = stopped()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("XADD chat * text hello", "$15\r\n1700000000000-0\r\n")?;
    client.ask("XADD chat * text hello", "$15\r\n1700000000000-1\r\n")?;
    client.ask("SET key value", "+OK\r\n")?;
    client.ask("XGROUP CREATE chat workers 0", "+OK\r\n")?;
    client.send("XREADGROUP GROUP workers ann STREAMS chat >")?;
    // The idle time of a client begins with its last answer.
    assert_eq!(client.line()?, "*1");
    broker.advance(Duration::from_secs(86_400 + 60));
    assert_eq!(answer(&broker, "OBJECT IDLETIME key"), "86460");
    assert_eq!(answer(&broker, "XADD chat * text hello"), r#""1700086460000-0""#);
    let pending = answer(&broker, "XPENDING chat workers - + 10");
    assert!(pending.starts_with(r#"[["1700000000000-0", "ann", 86460000, 1], "#), "{pending}");
    assert_eq!(
        answer(&broker, "XAUTOCLAIM chat workers bob 86460001 0 JUSTID"),
        r#"["0-0", [], []]"#,
        "no client is that old"
    );
    assert_eq!(
        answer(&broker, "XAUTOCLAIM chat workers bob 86460000 0 JUSTID"),
        r#"["0-0", ["1700000000000-0", "1700000000000-1"], []]"#
    );
    let clients = answer(&broker, "CLIENT LIST");
    assert!(clients.contains(" age=86460 idle=86460 "), "{clients}");
    let server = answer(&broker, "INFO server");
    assert!(server.contains("uptime_in_seconds:86460"), "{server}");
    assert!(server.contains("uptime_in_days:1"), "{server}");
    assert!(server.contains("server_time_usec:1700086460000000"), "{server}");
    let journal = broker.journal();
    let last = journal.last().expect("something has happened");
    assert_eq!((last.at, last.time), (Duration::from_secs(86_460), broker.now()));
    Ok(())
}

#[test]
fn fields_of_hashes_expire_when_their_time_comes() -> Outcome {
    let broker = stopped()?;
    broker.command(["HSET", "session", "user", "ann", "token", "s3cret"])?;
    broker.command(["HEXPIRE", "session", "60", "FIELDS", "1", "token"])?;
    broker.advance(Duration::from_millis(59_999));
    assert_eq!(answer(&broker, "HPTTL session FIELDS 1 token"), "[1]");
    broker.advance(MILLISECOND);
    assert_eq!(answer(&broker, "HGETALL session"), r#"{"user": "ann"}"#);
    Ok(())
}

#[test]
fn an_idle_client_is_cut_off_when_the_timeout_has_passed() -> Outcome {
    let broker = stopped()?;
    broker.command(["CONFIG", "SET", "timeout", "60"])?;
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    broker.advance(Duration::from_secs(59));
    client.ask("PING", "+PONG\r\n")?;
    broker.advance(Duration::from_secs(62));
    assert!(client.is_cut());
    broker.wait_for_clients(0).blocking()?;
    Ok(())
}

#[tokio::test]
async fn a_subscriber_is_cut_off_when_it_was_over_its_soft_limit_for_too_long() -> Outcome {
    let broker = stopped()?;
    broker.command(["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 100000 60"])?;
    // Over a stream in memory, whose buffer for unread output is small.
    let mut lazy = broker.connect();
    lazy.write_all(b"SUBSCRIBE chat\r\n").await?;
    broker.wait_for_subscribers("chat", 1).await?;
    broker.command(["PUBLISH", "chat", &"x".repeat(1024 * 1024)])?;
    broker.advance(Duration::from_millis(60_999));
    broker.command(["PUBLISH", "chat", "still there"])?;
    broker.advance(MILLISECOND);
    broker.command(["PUBLISH", "chat", "gone"])?;
    broker.wait_for_subscribers("chat", 0).await?;
    let delivered = broker.journal().filter(|event| matches!(event.kind, EventKind::Delivered { .. }));
    assert_eq!(delivered.len(), 2, "{delivered}");
    Ok(())
}

#[test]
fn a_broker_that_sleeps_wakes_when_the_clock_is_moved() -> Outcome {
    let broker = stopped()?;
    let mut sleeper = Wire::connect(&broker)?;
    sleeper.send("DEBUG SLEEP 60")?;
    let sleeps = |broker: &Broker| !broker.journal().of_command("DEBUG").is_empty();
    while !sleeps(&broker) {
        // No event shows that it sleeps.
        thread::yield_now();
    }
    let mut other = Wire::connect(&broker)?;
    other.send("TIME")?;
    broker.advance(Duration::from_secs(60));
    sleeper.expect("+OK\r\n")?;
    other.expect("*2\r\n$10\r\n1700000060\r\n$1\r\n0\r\n")?;
    Ok(())
}

#[test]
fn a_running_clock_jumps_and_runs_on() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = Client::open(broker.url())?.get_connection()?;
    redis::cmd("SET").arg("session").arg("there").arg("EX").arg(3600).exec(&mut connection)?;
    let before = broker.now();
    broker.advance(HOUR);
    assert!(broker.now() >= before + HOUR);
    assert_eq!(redis::cmd("EXISTS").arg("session").query::<i64>(&mut connection)?, 0);
    // The clock runs: this ends by itself, though its deadline is an hour ahead of the system's clock.
    let timed_out =
        redis::cmd("BLPOP").arg("queue").arg(0.01).query::<Option<(String, String)>>(&mut connection)?;
    assert_eq!(timed_out, None);
    redis::cmd("SET").arg("short").arg("").arg("PX").arg(10).exec(&mut connection)?;
    broker.wait_until(|state| !state.exists("short")).blocking()?;
    // A client that waits already is woken by a jump.
    let waiter = thread::spawn(move || {
        redis::cmd("BLPOP").arg("queue").arg(3600).query::<Option<(String, String)>>(&mut connection)
    });
    broker.wait_for_blocked("queue", 1).blocking()?;
    broker.set_time(broker.now() + 2 * HOUR);
    assert_eq!(waiter.join().expect("no thread panics")?, None);
    Ok(())
}

#[tokio::test]
async fn a_client_on_the_tests_runtime_sees_time_move() -> Outcome {
    let broker = stopped()?;
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(TIMEOUT));
    let client = Client::open(broker.url())?;
    let mut waiter = client.get_multiplexed_async_connection_with_config(&config).await?;
    let waits = tokio::spawn(async move {
        redis::cmd("BLPOP").arg("queue").arg(600).query_async::<Option<(String, String)>>(&mut waiter).await
    });
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    redis::cmd("SET").arg("typing:ann").arg("1").arg("EX").arg(5).exec_async(&mut connection).await?;
    broker.wait_for_blocked("queue", 1).await?;
    broker.advance(Duration::from_secs(600));
    assert_eq!(waits.await??, None);
    assert_eq!(redis::cmd("EXISTS").arg("typing:ann").query_async::<i64>(&mut connection).await?, 0);
    Ok(())
}

#[test]
fn absolute_times_are_reached_by_setting_the_clock() -> Outcome {
    let broker = stopped()?;
    broker.command(["SET", "offer", "half price"])?;
    broker.command(["EXPIREAT", "offer", &(START_SECONDS + 3600).to_string()])?;
    broker.command(["SET", "other", "half price", "PXAT", &((START_SECONDS + 7200) * 1000).to_string()])?;
    broker.set_time(start() + ALMOST_AN_HOUR);
    assert_eq!(answer(&broker, "EXISTS offer other"), "2");
    broker.set_time(start() + HOUR);
    assert_eq!(answer(&broker, "EXISTS offer other"), "1");
    broker.set_time(start() + 2 * HOUR);
    broker.set_time(start() + 2 * HOUR);
    assert_eq!(answer(&broker, "EXISTS offer other"), "0");
    Ok(())
}

#[test]
fn a_time_that_has_passed_cannot_be_set() -> Outcome {
    for broker in [stopped()?, Broker::builder().clock_at(start()).start()?] {
        broker.advance(HOUR);
        let panic = catch_unwind(AssertUnwindSafe(|| broker.set_time(start()))).expect_err("it panics");
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.starts_with("the broker's clock does not go back: it is 36"), "{text}");
        // It still answers.
        assert_eq!(answer(&broker, "PING"), "PONG");
    }
    Ok(())
}

#[test]
fn the_clock_can_be_set_up_to_the_end_of_the_year_9999() -> Outcome {
    let last = SystemTime::UNIX_EPOCH + Duration::from_millis(253_402_300_799_999);
    for builder in [
        Broker::builder().manual_clock_at(last + MILLISECOND),
        Broker::builder().clock_at(last + MILLISECOND),
    ] {
        let refused = builder.start().expect_err("it is refused").to_string();
        assert!(refused.contains("the end of the year 9999"), "{refused}");
    }
    let broker = Broker::builder().manual_clock_at(last).start()?;
    for passed in [
        catch_unwind(AssertUnwindSafe(|| broker.advance(MILLISECOND))),
        catch_unwind(AssertUnwindSafe(|| broker.advance(Duration::MAX))),
        catch_unwind(AssertUnwindSafe(|| broker.set_time(last + MILLISECOND))),
    ] {
        let text = passed.expect_err("it panics").downcast::<&str>().expect("a text");
        assert!(text.contains("the end of the year 9999"), "{text}");
    }
    assert_eq!(broker.now(), last);
    // Keys expire even then.
    broker.command(["SET", "k", "v", "PX", "100"])?;
    assert_eq!(broker.command(["PTTL", "k"])?, 100);
    Ok(())
}

#[test]
fn two_threads_that_move_the_clock_at_once_move_it_by_both() -> Outcome {
    const TIMES: u32 = 100;
    let broker = stopped()?;
    for key in 1..=2000 {
        broker.command(["SET", &format!("{key}"), "", "EX", &key.to_string()])?;
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..TIMES).for_each(|_| broker.advance(Duration::from_secs(5))));
        }
    });
    assert_eq!(broker.now(), start() + 4 * TIMES * Duration::from_secs(5));
    assert_eq!(answer(&broker, "DBSIZE"), "0");
    Ok(())
}

#[test]
fn the_waits_of_the_test_itself_last_as_long_as_they_say() -> Outcome {
    let broker = stopped()?;
    let timed_out = broker.wait_for_subscribers("chat", 1).within(MILLISECOND);
    assert!(timed_out.blocking().is_err());
    Ok(())
}
