//! Presence by keys that expire: each client renews a key of its own; when the key expires the others get an event.

use minibroker::Broker;
use redis::AsyncCommands;

use crate::Outcome;
use crate::connect::{connect, connect_async, next, subscribe_async};

/// The channel on which redis-server publishes the keys that have expired.
const EXPIRED: &str = "__keyevent@0__:expired";

#[tokio::test]
async fn presence_that_is_not_renewed_expires_without_being_read() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["CONFIG", "SET", "notify-keyspace-events", "Ex"])?;
    let mut expired = subscribe_async(&broker, EXPIRED).await?.into_on_message();
    let mut room = connect_async(&broker).await?;
    let _: () = room.set_options("here:ann", "1", with_expiry(redis::SetExpiry::PX(40))).await?;
    let _: () = room.set_options("here:bob", "1", with_expiry(redis::SetExpiry::EX(1000))).await?;
    assert_eq!(next(&mut expired).await, "here:ann");
    // No command has read it, and it is not counted any more.
    assert_eq!(redis::cmd("DBSIZE").query_async::<u64>(&mut room).await?, 1);
    assert_eq!(room.keys::<_, Vec<String>>("here:*").await?, ["here:bob"]);
    Ok(())
}

#[tokio::test]
async fn presence_that_expires_at_once_is_announced_in_order() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["CONFIG", "SET", "notify-keyspace-events", "Ex"])?;
    let mut expired = subscribe_async(&broker, EXPIRED).await?.into_on_message();
    let now: u64 = redis::cmd("TIME")
        .query_async::<(u64, u64)>(&mut connect_async(&broker).await?)
        .await
        .map(|(seconds, micros)| seconds * 1000 + micros / 1000)?;
    for (name, at) in [("carla", 52), ("ann", 50), ("dora", 53), ("bob", 51)] {
        broker.command(["SET", &format!("here:{name}"), "1", "PXAT", &(now + at).to_string()])?;
    }
    let mut names = Vec::new();
    while names.len() < 4 {
        names.push(next(&mut expired).await);
    }
    assert_eq!(names, ["here:ann", "here:bob", "here:carla", "here:dora"]);
    Ok(())
}

#[tokio::test]
async fn a_session_in_a_hash_outlives_a_field_of_it_that_expires() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["CONFIG", "SET", "notify-keyspace-events", "Eh"])?;
    let mut events = subscribe_async(&broker, "__keyevent@0__:hexpired").await?.into_on_message();
    let mut store = connect(&broker)?;
    redis::cmd("HSET").arg(&["session", "user", "ann", "typing", "yes"]).exec(&mut store)?;
    let set: Vec<i64> =
        redis::cmd("HPEXPIRE").arg(&["session", "40", "FIELDS", "1", "typing"]).query(&mut store)?;
    assert_eq!(set, [1]);
    assert_eq!(next(&mut events).await, "session");
    let left: Vec<(String, String)> = redis::cmd("HGETALL").arg("session").query(&mut store)?;
    assert_eq!(left, [("user".to_owned(), "ann".to_owned())]);
    Ok(())
}

fn with_expiry(expiry: redis::SetExpiry) -> redis::SetOptions {
    redis::SetOptions::default().with_expiration(expiry)
}
