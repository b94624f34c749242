//! Clients push lines to a queue; a server takes them with BLPOP and publishes them to all clients.

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use minibroker::Broker;
use redis::{AsyncCommands, Commands, Connection, RedisResult};

use crate::Outcome;
use crate::connect::{connect, connect_async, next, subscribe_async};

const QUEUE: &str = "chat_queue";
const CHANNEL: &str = "chat";

/// How a queued line is shown to all clients: `name:text` in the queue, `name: text` on the channel.
fn shown(queued: &str) -> String {
    queued.split_once(':').map_or_else(|| queued.to_owned(), |(name, text)| format!("{name}: {text}"))
}

/// The server: publishes what is queued until its connection ends, and returns the number of lines.
fn serve(mut connection: Connection) -> usize {
    let mut published = 0;
    while let Ok([_, line]) = connection.blpop::<_, [String; 2]>(QUEUE, 0.0) {
        if connection.publish::<_, _, usize>(CHANNEL, shown(&line)).is_err() {
            break;
        }
        published += 1;
    }
    published
}

fn start_server(broker: &Broker) -> RedisResult<JoinHandle<usize>> {
    let connection = connect(broker)?;
    Ok(thread::spawn(move || serve(connection)))
}

/// A client: one connection that sends, one that is subscribed.
struct Client {
    name: &'static str,
    sender: Connection,
    listens: Connection,
}

impl Client {
    fn join(broker: &Broker, name: &'static str) -> RedisResult<Self> {
        let mut listens = connect(broker)?;
        listens.subscribe_once(CHANNEL)?;
        Ok(Self { name, sender: connect(broker)?, listens })
    }

    fn say(&mut self, text: &str) -> RedisResult<usize> {
        self.sender.lpush(QUEUE, format!("{}:{text}", self.name))
    }

    fn receive(&mut self) -> RedisResult<String> {
        let message = self.listens.recv_response()?;
        redis::Msg::from_owned_value(message).expect("a message").get_payload()
    }
}

/// Subscribing without the guard that unsubscribes at its end.
trait SubscribeOnce {
    fn subscribe_once(&mut self, channel: &str) -> RedisResult<()>;
}

impl SubscribeOnce for Connection {
    fn subscribe_once(&mut self, channel: &str) -> RedisResult<()> {
        self.send_packed_command(&redis::cmd("SUBSCRIBE").arg(channel).get_packed_command())?;
        self.recv_response().map(|_| ())
    }
}

#[test]
fn what_one_client_sends_all_clients_receive() -> Outcome {
    let broker = Broker::start()?;
    let server = start_server(&broker)?;
    let mut ann = Client::join(&broker, "ann")?;
    let mut bob = Client::join(&broker, "bob")?;
    broker.wait_for_subscribers(CHANNEL, 2).blocking()?;
    broker.wait_for_blocked(QUEUE, 1).blocking()?;

    ann.say("is anybody here?")?;
    assert_eq!(ann.receive()?, "ann: is anybody here?");
    assert_eq!(bob.receive()?, "ann: is anybody here?");
    bob.say("yes: me")?;
    assert_eq!(ann.receive()?, "bob: yes: me");
    assert_eq!(bob.receive()?, "bob: yes: me");

    // A server that waits without a timeout ends with the broker.
    drop(broker);
    assert_eq!(server.join().expect("the server does not panic"), 2);
    Ok(())
}

#[test]
fn all_clients_receive_everything_in_the_same_order() -> Outcome {
    const LINES: usize = 200;
    let broker = Broker::start()?;
    start_server(&broker)?;
    let clients = [Client::join(&broker, "ann")?, Client::join(&broker, "bob")?];
    broker.wait_for_subscribers(CHANNEL, clients.len()).blocking()?;
    let count = clients.len() * LINES;
    let received = thread::scope(|scope| {
        let clients = clients.map(|mut client| {
            scope.spawn(move || -> RedisResult<Vec<String>> {
                for line in 0..LINES {
                    client.say(&line.to_string())?;
                }
                (0..count).map(|_| client.receive()).collect()
            })
        });
        clients.map(|client| client.join().expect("a client does not panic"))
    });
    let [ann, bob] = received;
    let (ann, bob) = (ann?, bob?);
    assert_eq!(ann, bob);
    let sent: BTreeSet<_> =
        (0..LINES).flat_map(|line| [format!("ann: {line}"), format!("bob: {line}")]).collect();
    assert_eq!(ann.into_iter().collect::<BTreeSet<_>>(), sent);
    Ok(())
}

#[test]
fn messages_queued_during_an_absence_are_published_newest_first() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Client::join(&broker, "ann")?;
    for (index, text) in ["one", "two", "three"].into_iter().enumerate() {
        assert_eq!(ann.say(text)?, index + 1);
    }
    start_server(&broker)?;
    // LPUSH and BLPOP work at the same end.
    assert_eq!(ann.receive()?, "ann: three");
    assert_eq!(ann.receive()?, "ann: two");
    assert_eq!(ann.receive()?, "ann: one");
    Ok(())
}

#[test]
fn servers_that_share_the_queue_publish_each_line_once() -> Outcome {
    const LINES: usize = 200;
    let broker = Broker::start()?;
    let servers = [start_server(&broker)?, start_server(&broker)?, start_server(&broker)?];
    broker.wait_for_blocked(QUEUE, servers.len()).blocking()?;
    let mut ann = Client::join(&broker, "ann")?;
    for line in 0..LINES {
        ann.say(&line.to_string())?;
    }
    let received: BTreeSet<_> = (0..LINES).map(|_| ann.receive()).collect::<RedisResult<_>>()?;
    assert_eq!(received.len(), LINES);
    // All servers wait again, so no more messages follow.
    broker.wait_for_blocked(QUEUE, servers.len()).blocking()?;
    drop(broker);
    let published = servers.map(|server| server.join().expect("a server does not panic"));
    assert_eq!(published.iter().sum::<usize>(), LINES);
    // The client that has waited longest is served next, so every client is served.
    assert!(published.iter().all(|count| *count > 0), "{published:?}");
    Ok(())
}

#[tokio::test]
async fn the_same_chat_works_in_async_code() -> Outcome {
    let broker = Broker::start()?;
    let mut server = connect_async(&broker).await?;
    let mut publisher = connect_async(&broker).await?;
    let server = tokio::spawn(async move {
        while let Ok([_, line]) = server.blpop::<_, [String; 2]>(QUEUE, 0.0).await {
            let receivers: RedisResult<usize> = publisher.publish(CHANNEL, shown(&line)).await;
            if receivers.is_err() {
                break;
            }
        }
    });
    let mut ann = subscribe_async(&broker, CHANNEL).await?.into_on_message();
    let mut bob = subscribe_async(&broker, CHANNEL).await?.into_on_message();
    let mut sender = connect_async(&broker).await?;
    broker.wait_for_subscribers(CHANNEL, 2).await?;
    broker.wait_for_blocked(QUEUE, 1).await?;
    for line in ["ann:tea?", "bob:with milk, please", "ann:coming"] {
        let _: usize = sender.lpush(QUEUE, line).await?;
        assert_eq!(next(&mut ann).await, shown(line));
        assert_eq!(next(&mut bob).await, shown(line));
    }
    drop(broker);
    server.await?;
    Ok(())
}
