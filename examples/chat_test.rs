//! A test of a chat that never fails by chance.
//!
//! The usual failure of such a test: it subscribes, publishes and waits for the message, and on a busy machine the
//! message is published before the client is subscribed. Pub/Sub stores nothing, so the test waits for ever. A sleep
//! between the two makes the failure rare and the test slow. Here the broker reports when the clients are
//! subscribed.
//!
//! `cargo run --example chat_test`

use std::error::Error;
use std::time::Duration;

use futures_util::StreamExt;
use minibroker::Broker;
use redis::AsyncCommands;

/// A member of a chat room, as in the service under test. It knows only a URL, not minibroker.
struct Member {
    connection: redis::aio::MultiplexedConnection,
    heard: redis::aio::PubSubStream,
}

impl Member {
    async fn join(url: &str, name: &str, room: &str) -> redis::RedisResult<Self> {
        let client = redis::Client::open(url)?;
        let (mut sink, heard) = client.get_async_pubsub().await?.split();
        sink.subscribe(room).await?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let () = connection.sadd(format!("{room}:members"), name).await?;
        Ok(Self { connection, heard })
    }

    async fn say(&mut self, room: &str, text: &str) -> redis::RedisResult<()> {
        let history = format!("{room}:history");
        redis::pipe().atomic().rpush(history, text).publish(room, text).exec_async(&mut self.connection).await
    }

    /// The next message of the room, or an error instead of a test that hangs.
    async fn next(&mut self) -> Result<String, Box<dyn Error>> {
        let message = tokio::time::timeout(Duration::from_secs(10), self.heard.next()).await?;
        Ok(message.ok_or("the connection has ended")?.get_payload()?)
    }
}

// In a test of your own this is `#[tokio::test] async fn everybody_in_the_room_hears_a_message()`.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A broker for this test alone: on a free port, empty, and stopped at the end. Tests run in parallel without
    // seeing each other.
    let broker = Broker::start()?;
    // If the test fails below, it prints what all clients did up to then.
    broker.print_journal_on_panic();

    let url = broker.url();
    // They join in separate tasks, as two processes would: the test does not know when they are subscribed.
    let ann = tokio::spawn({
        let url = url.clone();
        async move { Member::join(&url, "ann", "lobby").await }
    });
    let bob = tokio::spawn(async move { Member::join(&url, "bob", "lobby").await });

    // Instead of a sleep. The error of a wait says how many subscribers there were.
    broker.wait_for_subscribers("lobby", 2).await?;
    let (mut ann, mut bob) = (ann.await??, bob.await??);

    ann.say("lobby", "hello").await?;
    assert_eq!(ann.next().await?, "hello");
    assert_eq!(bob.next().await?, "hello");

    // The test can run any command on the broker directly, without a connection.
    assert_eq!(broker.command(["LRANGE", "lobby:history", "0", "-1"])?.to_string(), r#"["hello"]"#);
    assert_eq!(broker.command(["SCARD", "lobby:members"])?, 2);

    // "Bob did not get it": was it sent? The broker knows every message and the number of its receivers.
    let published = broker.published("lobby");
    assert_eq!(published[0].payload, "hello");
    assert_eq!(published[0].receivers, Some(2));
    broker.assert_no_message_lost();

    println!("both members have heard: {}", published[0].payload);
    Ok(())
}
