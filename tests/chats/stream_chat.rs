//! A group chat over a stream: a client that sends adds an entry `name text`, all clients read the new entries.

use std::sync::mpsc;
use std::thread;

use minibroker::Broker;
use redis::streams::{StreamId, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, Commands, Connection, RedisResult, from_redis_value_ref};

use crate::Outcome;
use crate::connect::{connect, connect_async};

const STREAM: &str = "group";

/// Only what is added from now on.
const FROM_NOW: &str = "$";

/// An entry as a line for the screen.
fn line(entry: &StreamId) -> String {
    let (name, text) = entry.map.iter().next().expect("an entry has a field");
    format!("{name}: {}", from_redis_value_ref::<String>(text).expect("messages are text"))
}

fn say(connection: &mut Connection, name: &str, text: &str) -> RedisResult<String> {
    connection.xadd(STREAM, "*", &[(name, text)])
}

/// Waits for entries after `after`.
fn read(connection: &mut Connection, after: &str) -> RedisResult<Vec<StreamId>> {
    let options = StreamReadOptions::default().block(0);
    let reply: StreamReadReply = connection.xread_options(&[STREAM], &[after], &options)?;
    Ok(reply.keys.into_iter().flat_map(|key| key.ids).collect())
}

#[test]
fn users_that_write_and_read_in_turns_see_each_other() -> Outcome {
    let broker = Broker::start()?;
    // Each sends while the other waits: a reader that starts at `$` sees only later entries.
    let other_waits = || broker.wait_for_blocked(STREAM, 1).blocking().expect("the other waits");
    let talk = |name, lines: [(&str, bool); 2]| {
        let mut connection = connect(&broker)?;
        let mut seen = Vec::new();
        for (text, is_answer) in lines {
            if is_answer {
                other_waits();
            }
            say(&mut connection, name, text)?;
            seen.extend(read(&mut connection, FROM_NOW)?.iter().map(line));
        }
        RedisResult::Ok(seen)
    };
    let (ann_sees, bob_sees) = thread::scope(|scope| {
        let ann = scope.spawn(|| talk("ann", [("good morning", false), ("rain, as usual", true)]));
        let bob = scope.spawn(|| talk("bob", [("how is the weather?", true), ("I stay in bed", true)]));
        let ann_sees = ann.join().expect("ann does not panic");
        other_waits();
        broker.command(["XADD", STREAM, "*", "carla", "so do I"]).expect("it is added");
        (ann_sees, bob.join().expect("bob does not panic"))
    });
    assert_eq!(ann_sees?, ["bob: how is the weather?", "bob: I stay in bed"]);
    assert_eq!(bob_sees?, ["ann: rain, as usual", "carla: so do I"]);
    Ok(())
}

#[test]
fn a_reader_from_now_on_misses_earlier_messages() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = connect(&broker)?;
    say(&mut ann, "ann", "too early")?;
    let mut bob = connect(&broker)?;
    let bob = thread::spawn(move || read(&mut bob, FROM_NOW));
    broker.wait_for_blocked(STREAM, 1).blocking()?;
    say(&mut ann, "ann", "in time")?;
    let seen = bob.join().expect("bob does not panic")?;
    assert_eq!(seen.iter().map(line).collect::<Vec<_>>(), ["ann: in time"]);
    Ok(())
}

/// A member with a thread that reads while another speaks. Reading continues after the last entry that was seen, so
/// that nothing is missed; a client's own lines are not shown.
fn follow(broker: &Broker, name: &'static str) -> RedisResult<mpsc::Receiver<String>> {
    let (show, screen) = mpsc::channel();
    let mut connection = connect(broker)?;
    thread::spawn(move || {
        let mut last = String::from("0-0");
        while let Ok(entries) = read(&mut connection, &last) {
            for entry in entries {
                if !entry.map.contains_key(name) {
                    // The test may have seen enough.
                    let _ = show.send(line(&entry));
                }
                last = entry.id;
            }
        }
    });
    Ok(screen)
}

#[test]
fn users_with_a_reading_thread_miss_nothing_but_their_own_messages() -> Outcome {
    const LINES: usize = 100;
    let broker = Broker::start()?;
    let names = ["ann", "bob", "carla"];
    let mut screens = Vec::new();
    for name in names {
        screens.push(follow(&broker, name)?);
    }
    broker.wait_for_blocked(STREAM, names.len()).blocking()?;
    thread::scope(|scope| {
        for name in names {
            let broker = &broker;
            scope.spawn(move || -> RedisResult<()> {
                let mut connection = connect(broker)?;
                for number in 0..LINES {
                    say(&mut connection, name, &number.to_string())?;
                }
                Ok(())
            });
        }
    });
    for (name, screen) in names.into_iter().zip(&screens) {
        let seen: Vec<String> = screen.iter().take((names.len() - 1) * LINES).collect();
        for other in names {
            let from_other = seen.iter().filter_map(|line| line.strip_prefix(&format!("{other}: ")));
            let expected: Vec<String> = (0..LINES).map(|number| number.to_string()).collect();
            assert_eq!(from_other.eq(&expected), other != name, "what {name} has seen of {other}");
        }
    }
    // All wait, so that there is nothing more to see.
    broker.wait_for_blocked(STREAM, names.len()).blocking()?;
    assert!(screens.iter().all(|screen| screen.try_recv().is_err()));
    Ok(())
}

#[tokio::test]
async fn the_group_chat_works_in_async_code() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = connect_async(&broker).await?;
    // A connection that blocks in XREAD answers nothing else until then.
    let mut reader = connect_async(&broker).await?;
    let (show, mut screen) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::spawn(async move {
        let options = StreamReadOptions::default().block(0).count(10);
        let mut last = String::from(FROM_NOW);
        loop {
            let reply: RedisResult<StreamReadReply> =
                reader.xread_options(&[STREAM], &[&last], &options).await;
            let Ok(reply) = reply else { return };
            for entry in reply.keys.into_iter().flat_map(|key| key.ids) {
                // The test may have seen enough.
                let _ = show.send(line(&entry));
                last = entry.id;
            }
        }
    });
    broker.wait_for_blocked(STREAM, 1).await?;
    for text in ["one", "two", "three"] {
        let _: String = ann.xadd(STREAM, "*", &[("ann", text)]).await?;
    }
    for text in ["one", "two", "three"] {
        assert_eq!(screen.recv().await, Some(format!("ann: {text}")));
    }
    let count: usize = ann.xlen(STREAM).await?;
    assert_eq!(count, 3);
    drop(broker);
    reading.await?;
    Ok(())
}
