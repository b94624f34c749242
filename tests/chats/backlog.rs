//! Rooms are channels; their messages are kept in a list and in a sorted set by time, and a moderator follows
//! all rooms by a pattern.

use std::thread;

use minibroker::Broker;
use redis::{AsyncCommands, Commands, Connection, RedisResult, Value, cmd, pipe};

use crate::Outcome;
use crate::connect::{connect, connect_async, next};

const ROOM: &str = "room:lounge";
const BACKLOG: &str = "room:lounge:backlog";
const BY_TIME: &str = "room:lounge:by_time";

/// Publishes a line in the room and adds it to the backlog, in one transaction; returns the length of the backlog and
/// the number of receivers.
fn say(connection: &mut Connection, text: &str) -> RedisResult<(usize, usize)> {
    pipe().atomic().lpush(BACKLOG, text).publish(ROOM, text).query(connection)
}

#[test]
fn one_connection_subscribes_another_publishes() -> Outcome {
    let broker = Broker::start()?;
    let (mut a, mut b) = (connect(&broker)?, connect(&broker)?);
    let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());

    a.send_packed_command(&cmd("SUBSCRIBE").arg(ROOM).get_packed_command())?;
    assert_eq!(a.recv_response()?, Value::Array(vec![text("subscribe"), text(ROOM), Value::Int(1)]));
    assert_eq!(cmd("PUBLISH").arg(ROOM).arg("welcome").query::<i64>(&mut b)?, 1);
    assert_eq!(a.recv_response()?, Value::Array(vec![text("message"), text(ROOM), text("welcome")]));
    a.send_packed_command(&cmd("UNSUBSCRIBE").arg(ROOM).get_packed_command())?;
    assert_eq!(a.recv_response()?, Value::Array(vec![text("unsubscribe"), text(ROOM), Value::Int(0)]));
    assert_eq!(cmd("PUBLISH").arg(ROOM).arg("anybody?").query::<i64>(&mut b)?, 0);
    Ok(())
}

#[test]
fn the_backlog_has_the_last_messages_newest_first() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = connect(&broker)?;
    for number in 1..=5_usize {
        assert_eq!(say(&mut connection, &format!("message {number}"))?, (number, 0));
    }
    let last: Vec<String> = connection.lrange(BACKLOG, 0, 2)?;
    assert_eq!(last, ["message 5", "message 4", "message 3"]);
    Ok(())
}

#[test]
fn a_received_message_is_in_the_backlog() -> Outcome {
    const SPEAKERS: usize = 3;
    const LINES: usize = 100;
    let broker = Broker::start()?;
    let (mut listens, mut reads) = (connect(&broker)?, connect(&broker)?);
    let mut room = listens.as_pubsub();
    room.subscribe(ROOM)?;
    thread::scope(|scope| -> RedisResult<()> {
        for speaker in 0..SPEAKERS {
            let broker = &broker;
            scope.spawn(move || -> RedisResult<()> {
                let mut connection = connect(broker)?;
                (0..LINES).try_for_each(|line| say(&mut connection, &format!("{speaker}/{line}")).map(|_| ()))
            });
        }
        for number in 1..=SPEAKERS * LINES {
            let message: String = room.get_message()?.get_payload()?;
            // The list grows at its head in the order of the messages: both are added in one transaction.
            let kept: String = reads.lindex(BACKLOG, -isize::try_from(number).expect("few messages"))?;
            assert_eq!(kept, message);
        }
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_window_of_time_has_the_messages_of_that_time() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = connect(&broker)?;
    let timed = [(1_000, "door opens"), (2_000, "hello"), (2_500, "hello back"), (9_000, "good night")];
    let _: usize = connection.zadd_multiple(BY_TIME, &timed)?;
    let window: Vec<String> = connection.zrangebyscore(BY_TIME, 2_000, 8_999)?;
    assert_eq!(window, ["hello", "hello back"]);
    let after: Vec<String> = connection.zrangebyscore(BY_TIME, "(2500", "+inf")?;
    assert_eq!(after, ["good night"]);
    let first: Vec<String> = connection.zrangebyscore_limit(BY_TIME, "-inf", "+inf", 0, 1)?;
    assert_eq!(first, ["door opens"]);
    Ok(())
}

#[test]
fn a_moderator_receives_all_rooms_and_knows_which() -> Outcome {
    let broker = Broker::start()?;
    let (mut overseer, mut speaker) = (connect(&broker)?, connect(&broker)?);
    let mut rooms = overseer.as_pubsub();
    rooms.psubscribe("room:*")?;
    broker.wait_for_pattern_subscribers("room:*", 1).blocking()?;
    for (room, receivers) in [("room:lounge", 1), ("hall", 0), ("room:kitchen", 1), ("room:", 1)] {
        assert_eq!(speaker.publish::<_, _, usize>(room, format!("in {room}"))?, receivers, "{room}");
    }
    for room in ["room:lounge", "room:kitchen", "room:"] {
        let message = rooms.get_message()?;
        assert_eq!(message.get_channel_name(), room);
        assert_eq!(message.get_pattern::<String>()?, "room:*");
        assert_eq!(message.get_payload::<String>()?, format!("in {room}"));
    }
    Ok(())
}

#[tokio::test]
async fn rooms_and_their_backlog_work_in_async_code() -> Outcome {
    let broker = Broker::start()?;
    let mut room = redis::Client::open(broker.url())?.get_async_pubsub().await?;
    room.subscribe(ROOM).await?;
    room.psubscribe("room:*").await?;
    let mut messages = room.into_on_message();
    let mut speaker = connect_async(&broker).await?;
    let timed: (usize, usize) =
        pipe().atomic().lpush(BACKLOG, "hello").publish(ROOM, "hello").query_async(&mut speaker).await?;
    // Subscribed to the room and to the pattern: received twice.
    assert_eq!(timed, (1, 2));
    assert_eq!(next(&mut messages).await, "hello");
    assert_eq!(next(&mut messages).await, "hello");
    let backlog: Vec<String> = speaker.lrange(BACKLOG, 0, -1).await?;
    assert_eq!(backlog, ["hello"]);
    Ok(())
}
