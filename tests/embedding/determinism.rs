//! The same seed and the same clock give the same bytes.

use std::time::{Duration, SystemTime};

use minibroker::{Broker, Builder, ClientStream, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Outcome;

/// A long session that uses everything random.
fn session() -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut say = |line: &str| lines.push(line.to_owned());
    for number in 0..200 {
        say(&format!("SADD set member:{number}"));
        say(&format!("HSET hash field:{number} {number}"));
        say(&format!("ZADD sorted {} member:{number}", number % 17));
        say(&format!("SET key:{number} value PX {}", 1000 + number * 37 % 5000));
        say(&format!("PFADD hyperloglog {number}"));
    }
    for _ in 0..20 {
        for line in [
            "SPOP set",
            "SPOP set 3",
            "SRANDMEMBER set",
            "SRANDMEMBER set 5",
            "SRANDMEMBER set -5",
            "RANDOMKEY",
            "HRANDFIELD hash",
            "HRANDFIELD hash 5 WITHVALUES",
            "HRANDFIELD hash -5",
            "ZRANDMEMBER sorted",
            "ZRANDMEMBER sorted 5 WITHSCORES",
            "ZRANDMEMBER sorted -5",
            "XADD stream * field value",
            "TIME",
        ] {
            say(line);
        }
    }
    for line in [
        "CONFIG SET maxmemory-policy allkeys-lfu",
        "SET counted 1",
        "GET counted",
        "GET counted",
        "OBJECT FREQ counted",
        "HPEXPIRE hash 2500 FIELDS 2 field:1 field:2",
        "SUBSCRIBE chat",
        "UNSUBSCRIBE chat",
        "PUBSUB CHANNELS",
        "SCAN 0 COUNT 30",
        "SCAN 100 COUNT 30",
        "SSCAN set 0 COUNT 30",
        "HSCAN hash 0 COUNT 30",
        "ZSCAN sorted 0 COUNT 30",
        "KEYS *",
        "SMEMBERS set",
        "HGETALL hash",
        "DUMP sorted",
        "DEBUG DIGEST",
        "MEMORY STATS",
        "MEMORY USAGE hash",
        "LOLWUT",
        "CLIENT LIST",
        "CLIENT INFO",
        "CONFIG GET *",
        "INFO everything",
        "COMMAND LIST",
        "HELLO 3",
        "SINTER set set",
        "HGETALL hash",
        "CLIENT TRACKINGINFO",
        "BLPOP nothing 0.001",
    ] {
        say(line);
    }
    lines
}

/// Sends a line and reads its answer.
async fn ask(stream: &mut ClientStream, line: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    read(stream).await
}

/// Reads the next answer.
async fn read(stream: &mut ClientStream) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut answer = Vec::new();
    while Value::read(&answer).is_none() {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the broker has hung up".into());
        }
    }
    Ok(answer)
}

/// All answers of that session, one in each line, and the journal.
async fn transcript(broker: &Broker) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut client = broker.connect();
    let mut answers = Vec::new();
    for (number, line) in session().iter().enumerate() {
        if number % 50 == 0 {
            broker.advance(Duration::from_micros(123_456));
        }
        // Nothing else moves the clock.
        let answer = if line.starts_with("BLPOP") {
            client.write_all(format!("{line}\r\n").as_bytes()).await?;
            broker.wait_for_blocked("nothing", 1).await?;
            broker.advance(Duration::from_millis(1));
            read(&mut client).await?
        } else {
            ask(&mut client, line).await?
        };
        answers.push(format!("{line}: {}", answer.escape_ascii()));
    }
    answers.extend(broker.journal().iter().map(ToString::to_string));
    Ok(answers)
}

fn seeded(seed: u64) -> Builder {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    // Without a port, which would differ each time.
    Broker::builder().bind([]).seed(seed).manual_clock_at(time)
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() -> Outcome {
    let first = transcript(&seeded(7).start()?).await?;
    let second = transcript(&seeded(7).start()?).await?;
    for (one, other) in first.iter().zip(&second) {
        assert_eq!(one, other);
    }
    assert_eq!(first.len(), second.len());
    assert!(first.iter().any(|line| line.contains("run_id:")));
    Ok(())
}

#[tokio::test]
async fn on_the_tests_runtime_the_bytes_are_the_same() -> Outcome {
    let own_thread = transcript(&seeded(7).start()?).await?;
    let on_runtime = transcript(&seeded(7).start_on_this_runtime()?).await?;
    for (one, other) in own_thread.iter().zip(&on_runtime) {
        assert_eq!(one, other);
    }
    Ok(())
}

#[tokio::test]
async fn another_seed_gives_other_choices() -> Outcome {
    let first = transcript(&seeded(7).start()?).await?;
    let second = transcript(&seeded(8).start()?).await?;
    for begin in ["SPOP", "SRANDMEMBER", "RANDOMKEY", "HRANDFIELD", "ZRANDMEMBER", "INFO"] {
        let of = |all: &[String]| -> Vec<String> {
            all.iter().filter(|line| line.starts_with(begin)).cloned().collect()
        };
        assert_ne!(of(&first), of(&second), "{begin}");
    }
    Ok(())
}
