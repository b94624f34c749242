//! A chat room that is used by commands: `users`, `pub`, `to`, `pull` and `downline`. A set has the members, a
//! channel is the hall, each member's own channel is for whispers; a server writes the hall's log.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use minibroker::Broker;
use redis::{AsyncCommands, Commands, Connection, RedisResult};

use crate::Outcome;
use crate::connect::{connect, connect_async, next};

const MEMBERS: &str = "users";
const HALL: &str = "chat";

/// A client in the room. A thread puts what arrives into the inbox, from which `pull` takes it.
struct Member {
    name: String,
    connection: Connection,
    inbox: Receiver<String>,
}

impl Member {
    /// Enters the room; `None` if the name is taken.
    fn enter(broker: &Broker, name: &str) -> RedisResult<Option<Self>> {
        let mut connection = connect(broker)?;
        if !connection.sadd::<_, _, bool>(MEMBERS, name)? {
            return Ok(None);
        }
        let mut listens = connect(broker)?;
        let (put, inbox) = mpsc::channel();
        let own = name.to_owned();
        thread::spawn(move || -> RedisResult<()> {
            let mut channels = listens.as_pubsub();
            channels.subscribe(&[HALL, own.as_str()])?;
            loop {
                let message = channels.get_message()?;
                let whispered = if message.get_channel_name() == own { "(whispers) " } else { "" };
                // A member that has left no longer reads.
                let _ = put.send(format!("{whispered}{}", message.get_payload::<String>()?));
            }
        });
        broker.wait_for_subscribers(name, 1).blocking().expect("a member listens");
        Ok(Some(Self { name: name.to_owned(), connection, inbox }))
    }

    /// Runs a typed line; returns what the screen shows.
    fn types(&mut self, line: &str) -> RedisResult<String> {
        let (order, rest) = line.split_once(' ').unwrap_or((line, ""));
        match order {
            "users" => {
                let mut names: Vec<String> = self.connection.smembers(MEMBERS)?;
                names.sort();
                Ok(names.join(" "))
            }
            "pub" => {
                let _: usize = self.connection.publish(HALL, format!("{}: {rest}", self.name))?;
                Ok(String::new())
            }
            "to" => {
                let (to, text) = rest.split_once(' ').unwrap_or((rest, ""));
                if !self.connection.sismember::<_, _, bool>(MEMBERS, to)? {
                    return Ok(format!("{to} is not here"));
                }
                let _: usize = self.connection.publish(to, format!("{}: {text}", self.name))?;
                Ok(String::new())
            }
            "downline" => {
                let _: usize = self.connection.srem(MEMBERS, &self.name)?;
                Ok("good bye".into())
            }
            other => Ok(format!("{other}?")),
        }
    }

    /// All that has arrived. A whisper to the same client arrives after everything that was sent before it, so that
    /// nothing in transit is missed.
    fn pull(&mut self) -> RedisResult<Vec<String>> {
        const END: &str = "that is all";
        self.types(&format!("to {} {END}", self.name))?;
        let end = format!("(whispers) {}: {END}", self.name);
        Ok(self.inbox.iter().take_while(|line| *line != end).collect())
    }
}

/// The log: what each member has published in the hall.
type Log = BTreeMap<String, Vec<String>>;

/// The sender of notices, which are not logged.
const HOUSE: &str = "the house";

/// Writes the log until the connection ends.
fn keep_log(broker: &Broker) -> RedisResult<JoinHandle<Log>> {
    let mut connection = connect(broker)?;
    let server = thread::spawn(move || {
        let mut log = Log::new();
        let mut hall = connection.as_pubsub();
        if hall.subscribe(HALL).is_err() {
            return log;
        }
        while let Ok(message) = hall.get_message() {
            let line: String = message.get_payload().expect("messages are text");
            let (name, text) = line.split_once(": ").expect("the speaker's name comes first");
            if name != HOUSE {
                log.entry(name.to_owned()).or_default().push(text.to_owned());
            }
        }
        log
    });
    broker.wait_for_subscribers(HALL, 1).blocking().expect("the log server listens");
    Ok(server)
}

#[test]
fn members_speak_in_the_hall_whisper_and_leave() -> Outcome {
    let broker = Broker::start()?;
    let log = keep_log(&broker)?;
    let mut ann = Member::enter(&broker, "ann")?.expect("the name is free");
    let mut bob = Member::enter(&broker, "bob")?.expect("the name is free");
    assert_eq!(ann.types("users")?, "ann bob");

    ann.types("pub hello to all of you")?;
    bob.types("to ann nice to see you")?;
    bob.types("pub hello, ann")?;
    let seen = ann.pull()?;
    assert_eq!(seen, ["ann: hello to all of you", "(whispers) bob: nice to see you", "bob: hello, ann"]);
    assert_eq!(bob.pull()?, ["ann: hello to all of you", "bob: hello, ann"]);
    assert!(ann.pull()?.is_empty(), "the inbox is empty");

    assert_eq!(ann.types("to carla are you there?")?, "carla is not here");
    assert_eq!(ann.types("shout")?, "shout?");
    assert_eq!(bob.types("downline")?, "good bye");
    assert_eq!(ann.types("users")?, "ann");
    assert_eq!(ann.types("to bob wait!")?, "bob is not here");

    // The log client has been sent everything by now, and reads it before its connection ends.
    drop(broker);
    let log = log.join().expect("the log server does not panic");
    let expected = [("ann", "hello to all of you"), ("bob", "hello, ann")];
    assert_eq!(log, expected.map(|(name, text)| (name.to_owned(), vec![text.to_owned()])).into());
    Ok(())
}

#[test]
fn a_name_is_taken_until_its_owner_leaves() -> Outcome {
    let broker = Broker::start()?;
    let mut ann = Member::enter(&broker, "ann")?.expect("the name is free");
    assert!(Member::enter(&broker, "ann")?.is_none());
    ann.types("downline")?;
    drop(ann);
    assert!(Member::enter(&broker, "ann")?.is_some());
    Ok(())
}

#[test]
fn of_clients_that_claim_a_name_at_once_one_gets_it() -> Outcome {
    let broker = Broker::start()?;
    let entered = thread::scope(|scope| {
        let entering: Vec<_> = (0..8).map(|_| scope.spawn(|| Member::enter(&broker, "ann"))).collect();
        let entered = entering.into_iter().map(|one| one.join().expect("no thread panics"));
        entered.collect::<RedisResult<Vec<_>>>()
    })?;
    assert_eq!(entered.iter().flatten().count(), 1);
    Ok(())
}

#[test]
fn notices_reach_all_members_and_are_not_logged() -> Outcome {
    let broker = Broker::start()?;
    let log = keep_log(&broker)?;
    let mut ann = Member::enter(&broker, "ann")?.expect("the name is free");
    assert_eq!(broker.command(["PUBLISH", HALL, &format!("{HOUSE}: we close at ten")])?, 2);
    ann.types("pub so early?")?;
    assert_eq!(ann.pull()?, ["the house: we close at ten", "ann: so early?"]);
    drop(broker);
    let log = log.join().expect("the log server does not panic");
    assert_eq!(log, Log::from([("ann".to_owned(), vec!["so early?".to_owned()])]));
    Ok(())
}

#[tokio::test]
async fn many_async_subscribers_receive_everything_in_one_order() -> Outcome {
    const CROWD: usize = 20;
    let broker = Broker::start()?;
    let names: Vec<String> = (0..CROWD).map(|number| format!("guest{number}")).collect();
    let mut crowd = Vec::new();
    for name in &names {
        let mut channels = redis::Client::open(broker.url())?.get_async_pubsub().await?;
        channels.subscribe(&[HALL, name]).await?;
        let mut connection = connect_async(&broker).await?;
        assert!(connection.sadd::<_, _, bool>(MEMBERS, name).await?);
        crowd.push((name.clone(), connection, channels.into_on_message()));
    }
    broker.wait_for_subscribers(HALL, CROWD).await?;
    let talking = crowd.into_iter().map(|(name, mut connection, mut messages)| async move {
        let receivers: usize = connection.publish(HALL, format!("{name}: hello")).await?;
        assert_eq!(receivers, CROWD);
        let mut received = Vec::new();
        for _ in 0..CROWD {
            received.push(next(&mut messages).await);
        }
        RedisResult::Ok(received)
    });
    let received = futures_util::future::try_join_all(talking).await?;
    assert!(received.iter().all(|one| one == &received[0]), "{received:?}");
    let mut greetings = received[0].clone();
    greetings.sort();
    let mut expected: Vec<String> = names.iter().map(|name| format!("{name}: hello")).collect();
    expected.sort();
    assert_eq!(greetings, expected);
    Ok(())
}
