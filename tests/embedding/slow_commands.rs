//! SLOWLOG and LATENCY by the broker's clock: a test decides what takes long.

use std::time::Duration;

use minibroker::Broker;
use redis::{Commands, Value};

use crate::Outcome;
use crate::control::connect;

/// The entries of the slow log, the newest first: how long each command took in milliseconds, and its arguments.
fn slow_log(client: &mut redis::Connection) -> redis::RedisResult<Vec<(u64, Vec<String>)>> {
    type Entry = (u64, u64, u64, Vec<String>, String, String);
    let entries: Vec<Entry> = redis::cmd("SLOWLOG").arg("GET").arg(-1).query(client)?;
    Ok(entries.into_iter().map(|(_, _, micros, args, ..)| (micros / 1000, args)).collect())
}

/// A client of a broker that logs every command from now on.
fn logging_all(broker: &Broker) -> redis::RedisResult<redis::Connection> {
    let mut client = connect(broker)?;
    redis::cmd("CONFIG").arg(&["SET", "slowlog-log-slower-than", "0"]).exec(&mut client)?;
    Ok(client)
}

#[test]
fn a_fault_that_delays_a_command_decides_that_it_is_slow() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let mut client = connect(&broker)?;
    redis::cmd("CONFIG").arg(&["SET", "latency-monitor-threshold", "50"]).exec(&mut client)?;
    let delay = Duration::from_millis(60);
    let fault = broker.faults().on_command("SET").once().delay(delay);
    let mut other = connect(&broker)?;
    let slow = std::thread::spawn(move || redis::cmd("SET").arg(&["history", "hi"]).exec(&mut other));
    broker.wait_for_fault(&fault, 1).blocking()?;
    broker.advance(delay);
    slow.join().map_err(|_| "the client panics")??;
    for _ in 0..10 {
        redis::cmd("SET").arg(&["history", "again"]).exec(&mut client)?;
    }
    let args: Vec<String> = ["SET", "history", "hi"].map(String::from).into();
    assert_eq!(slow_log(&mut client)?, [(60, args)]);

    let latest: Vec<(String, u64, u64, u64)> = redis::cmd("LATENCY").arg("LATEST").query(&mut client)?;
    let events: Vec<_> =
        latest.iter().map(|(event, _, last, slowest)| (event.as_str(), *last, *slowest)).collect();
    assert_eq!(events, [("command", 60, 60)]);

    // Eleven runs, of which ten took no time by this clock. The buckets are those of redis-server.
    let histogram: Value = redis::cmd("LATENCY").arg(&["HISTOGRAM", "set"]).query(&mut client)?;
    let text = format!("{histogram:?}");
    assert!(text.contains("int(11), ") && text.contains("int(1), int(10), int(67633), int(11)"), "{text}");
    let info: String = redis::cmd("INFO").arg("latencystats").query(&mut client)?;
    let line = "latency_percentiles_usec_set:p50=0.001,p99=60030.975,p99.9=60030.975\r\n";
    assert!(info.contains(line), "{info}");
    Ok(())
}

#[test]
fn a_command_is_slow_for_as_long_as_it_was_held() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let hold = broker.faults().on_command("PING").once().delay(Duration::MAX);
    let mut client = connect(&broker)?;
    let slow = std::thread::spawn(move || redis::cmd("PING").exec(&mut client));
    broker.wait_for_fault(&hold, 1).blocking()?;
    broker.advance(Duration::from_millis(15));
    drop(hold);
    slow.join().map_err(|_| "the client panics")??;
    assert_eq!(slow_log(&mut connect(&broker)?)?, [(15, vec!["PING".into()])]);
    Ok(())
}

#[test]
fn a_restart_empties_the_slow_log() -> Outcome {
    let broker = Broker::start()?;
    let mut client = logging_all(&broker)?;
    redis::cmd("PING").exec(&mut client)?;
    assert!(!slow_log(&mut client)?.is_empty());
    broker.restart()?;
    assert!(slow_log(&mut connect(&broker)?)?.is_empty());
    Ok(())
}

#[test]
fn passwords_are_not_in_the_slow_log() -> Outcome {
    let broker = Broker::start()?;
    let mut client = logging_all(&broker)?;
    assert!(redis::cmd("AUTH").arg(&["ann", "secret"]).exec(&mut client).is_err());
    assert!(redis::cmd("HELLO").arg(&["2", "AUTH", "ann", "secret"]).exec(&mut client).is_err());
    redis::cmd("CONFIG").arg(&["SET", "requirepass", "secret"]).exec(&mut client)?;
    redis::cmd("CONFIG").arg(&["SET", "requirepass", ""]).exec(&mut client)?;
    let logged = format!("{:?}", slow_log(&mut client)?);
    assert_eq!((logged.matches("secret").count(), logged.matches("(redacted)").count()), (0, 6), "{logged}");
    Ok(())
}

#[test]
fn a_command_that_waited_is_logged_with_the_time_that_it_ran() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let mut client = logging_all(&broker)?;
    let mut waiter = connect(&broker)?;
    let waiting = std::thread::spawn(move || {
        let served: redis::RedisResult<(String, String)> = waiter.blpop("inbox", 0.0);
        let timed_out: redis::RedisResult<Option<(String, String)>> = waiter.blpop("inbox", 1.0);
        (served, timed_out)
    });
    broker.wait_for_blocked("inbox", 1).blocking()?;
    broker.advance(Duration::from_secs(10));
    client.rpush::<_, _, ()>("inbox", "hi")?;
    broker.wait_for_blocked("inbox", 1).blocking()?;
    broker.advance(Duration::from_secs(1));
    let (served, timed_out) = waiting.join().map_err(|_| "the waiter panics")?;
    assert_eq!((served?.1.as_str(), timed_out?), ("hi", None));
    let logged: Vec<_> = slow_log(&mut client)?;
    let blpop: Vec<_> = logged.iter().filter(|(_, args)| args[0] == "BLPOP").collect();
    assert_eq!(blpop.len(), 2, "{logged:?}");
    assert!(blpop.iter().all(|(millis, _)| *millis == 0), "{logged:?}");
    Ok(())
}
