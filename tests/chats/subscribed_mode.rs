//! A connection in subscribed mode, servers that reach each other's clients over one channel, and what happens
//! to a message for a client that is not connected.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use minibroker::Broker;
use redis::{Commands, Connection, RedisResult, Value, cmd};

use crate::Outcome;
use crate::connect::connect;

fn text(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn confirmation(what: &str, channel: &str, count: i64) -> Value {
    Value::Array(vec![text(what), text(channel), Value::Int(count)])
}

fn message(channel: &str, payload: &str) -> Value {
    Value::Array(vec![text("message"), text(channel), text(payload)])
}

/// One line of a session: what is typed, and the first answer to it.
fn typed(session: &mut Connection, line: &str) -> RedisResult<Value> {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap_or_default());
    words.for_each(|word| {
        command.arg(word);
    });
    session.send_packed_command(&command.get_packed_command())?;
    session.recv_response()
}

#[test]
fn a_subscribed_session_subscribes_to_more_and_gets_its_messages() -> Outcome {
    let broker = Broker::start()?;
    let mut reader = connect(&broker)?;
    let mut writer = connect(&broker)?;

    assert_eq!(typed(&mut reader, "SUBSCRIBE first_channel")?, confirmation("subscribe", "first_channel", 1));
    assert_eq!(typed(&mut reader, "subscribe test_channel")?, confirmation("subscribe", "test_channel", 2));
    assert_eq!(typed(&mut writer, "publish test_channel hi")?, Value::Int(1));
    assert_eq!(reader.recv_response()?, message("test_channel", "hi"));
    // Subscribing again does not add a subscription.
    assert_eq!(typed(&mut reader, "SUBSCRIBE test_channel")?, confirmation("subscribe", "test_channel", 2));
    assert_eq!(typed(&mut writer, "PUBLISH test_channel again")?, Value::Int(1));
    assert_eq!(reader.recv_response()?, message("test_channel", "again"));

    assert_eq!(
        typed(&mut reader, "UNSUBSCRIBE first_channel")?,
        confirmation("unsubscribe", "first_channel", 1)
    );
    assert_eq!(typed(&mut writer, "PUBLISH first_channel nobody")?, Value::Int(0));
    Ok(())
}

#[test]
fn a_subscribed_session_is_refused_everything_but_subscribing_and_ping() -> Outcome {
    let broker = Broker::start()?;
    let mut session = connect(&broker)?;
    typed(&mut session, "SUBSCRIBE test_channel")?;
    let Value::ServerError(refused) = typed(&mut session, "GET key")? else { panic!("GET was run") };
    assert!(refused.details().is_some_and(|text| text.starts_with("Can't execute 'get'")), "{refused}");
    assert_eq!(typed(&mut session, "PING")?, Value::Array(vec![text("pong"), text("")]));
    typed(&mut session, "UNSUBSCRIBE")?;
    assert_eq!(typed(&mut session, "GET key")?, Value::Nil);
    Ok(())
}

/// The channel between the servers.
const BETWEEN_SERVERS: &str = "servers";

/// A chat server: people are connected to it, and messages for others are sent over Redis.
struct Server {
    publishes: Connection,
}

impl Server {
    /// Starts a server for these people.
    fn start(broker: &Broker, people: HashMap<&'static str, Sender<String>>) -> RedisResult<Self> {
        let mut subscriber = connect(broker)?;
        typed(&mut subscriber, &format!("SUBSCRIBE {BETWEEN_SERVERS}"))?;
        thread::spawn(move || {
            while let Ok(value) = subscriber.recv_response() {
                let message: String = redis::Msg::from_owned_value(value)
                    .and_then(|message| message.get_payload().ok())
                    .expect("servers send text");
                let (to, line) = message.split_once('|').expect("servers name the receiver");
                if let Some(person) = people.get(to) {
                    // A person who has left does not read.
                    let _ = person.send(line.to_owned());
                }
            }
        });
        Ok(Self { publishes: connect(broker)? })
    }

    /// Sends a message to a client on any server; returns how many servers have received it.
    fn send(&mut self, from: &str, to: &str, text: &str) -> RedisResult<usize> {
        self.publishes.publish(BETWEEN_SERVERS, format!("{to}|{from}: {text}"))
    }
}

fn person(name: &'static str) -> (HashMap<&'static str, Sender<String>>, Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    (HashMap::from([(name, sender)]), receiver)
}

#[test]
fn a_message_reaches_its_receiver_on_another_server_only() -> Outcome {
    let broker = Broker::start()?;
    let (with_ann, ann) = person("ann");
    let (with_bob, bob) = person("bob");
    let mut first = Server::start(&broker, with_ann)?;
    let mut second = Server::start(&broker, with_bob)?;
    broker.wait_for_subscribers(BETWEEN_SERVERS, 2).blocking()?;

    assert_eq!(first.send("ann", "bob", "are you there?")?, 2);
    assert_eq!(bob.recv()?, "ann: are you there?");
    second.send("bob", "carla", "nobody is called so")?;
    second.send("bob", "ann", "I am")?;
    // The first message that ann receives is for her.
    assert_eq!(ann.recv()?, "bob: I am");
    drop(broker);
    assert!(ann.recv().is_err() && bob.recv().is_err(), "nothing else came until the servers ended");
    Ok(())
}

#[test]
fn an_absent_subscriber_loses_messages_but_a_queue_does_not() -> Outcome {
    let broker = Broker::start()?;
    let mut sender = connect(&broker)?;
    let mut reader = connect(&broker)?;
    let mut news = reader.as_pubsub();
    news.subscribe("news")?;
    broker.wait_for_subscribers("news", 1).blocking()?;
    // Away: the guard unsubscribes, the connection closes.
    drop(news);
    drop(reader);
    broker.wait_for_subscribers("news", 0).blocking()?;

    assert_eq!(sender.publish::<_, _, usize>("news", "lost")?, 0);
    let _: usize = sender.rpush("news_queue", &["kept", "kept too"])?;

    let mut reader = connect(&broker)?;
    let kept: [[String; 2]; 2] = [reader.blpop("news_queue", 0.0)?, reader.blpop("news_queue", 0.0)?];
    assert_eq!(kept.map(|[_, text]| text), ["kept", "kept too"]);
    let mut news = reader.as_pubsub();
    news.subscribe("news")?;
    broker.wait_for_subscribers("news", 1).blocking()?;
    sender.publish::<_, _, usize>("news", "after the return")?;
    assert_eq!(news.get_message()?.get_payload::<String>()?, "after the return");
    Ok(())
}
