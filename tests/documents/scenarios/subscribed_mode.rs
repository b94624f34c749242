//! The document 001: subscribing and publishing with redis-cli.

use crate::document::{exchanges, words};
use crate::person::{Person, Seen};
use crate::resp::Reply;
use crate::stage::Stage;

/// What redis-cli shows while it waits for messages.
const WAITING: &str = "Reading messages...";

/// The commands of the document and what it shows for them.
struct Session {
    mode_prompt: String,
    subscribe: String,
    subscribed: String,
    publish: String,
    message: String,
}

impl Session {
    fn of(stage: &Stage) -> Session {
        let document = stage.document("001_");
        let mut exchanges = exchanges(&document.fenced(0));
        exchanges.extend(self::exchanges(&document.fenced(1)));
        let [subscribing, publishing, receiving] =
            exchanges.try_into().expect("the document subscribes, publishes and receives");
        let port = format!(":{}", stage.server.port());
        Session {
            mode_prompt: subscribing.speaker.replace(":6379", &port),
            subscribe: subscribing.command.expect("a command subscribes"),
            subscribed: subscribing.shown,
            publish: publishing.command.expect("a command publishes"),
            message: receiving.shown,
        }
    }

    /// The subscribing command, with another channel before the document's, so
    /// that the count of subscriptions is the one the document shows.
    fn subscribe_two(&self) -> String {
        let (command, channel) = self.subscribe.split_once(' ').expect("a channel is named");
        format!("{command} another_channel {channel}")
    }
}

/// Two terminals with redis-cli: one subscribes, the other one publishes.
pub fn on_terminals(stage: &Stage) -> Vec<Seen> {
    let session = Session::of(stage);
    let prompt = format!("127.0.0.1:{}> ", stage.server.port());
    let on_terminal = |text: &str| text.replace('\n', "\r\n");
    let mut control = stage.control();

    // As of 7.2, redis-cli takes commands in the subscribed mode; it then shows
    // the document's session to the letter.
    let has_mode = stage.redis_cli_version() >= [7, 2];
    let mut subscriber = stage.redis_cli_on_terminal("subscriber");
    subscriber.sees(&prompt);
    if has_mode {
        subscriber.types("subscribe another_channel");
        control.until_subscribed(1);
        subscriber.sees(WAITING);
        subscriber.types(&session.subscribe);
        subscriber.sees(&session.mode_prompt);
    } else {
        subscriber.types(&session.subscribe_two());
    }
    subscriber.sees(&on_terminal(&session.subscribed));
    control.until_subscribed(2);
    subscriber.sees(WAITING);

    let mut publisher = stage.redis_cli_on_terminal("publisher");
    publisher.sees(&prompt);
    for _ in 0..2 {
        publisher.types(&session.publish);
        publisher.sees("(integer) 1\r\n");
        publisher.sees(&prompt);
        subscriber.sees(&on_terminal(&session.message));
        if has_mode {
            subscriber.sees(WAITING);
        }
    }
    if has_mode {
        for command in ["get key", "ping", "unsubscribe another_channel"] {
            subscriber.types(command);
            subscriber.sees(&session.mode_prompt);
            subscriber.sees(WAITING);
        }
    }
    publisher.types("publish nobody_listens hi");
    publisher.sees("(integer) 0\r\n");
    publisher.sees(&prompt);
    publisher.types("exit");
    publisher.leaves();

    [subscriber, publisher].map(|p| p.seen().of_terminal(stage.server.port())).into()
}

/// redis-cli without a terminal, its commands piped in.
pub fn on_pipes(stage: &Stage) -> Vec<Seen> {
    let session = Session::of(stage);
    let mut control = stage.control();
    let mut subscriber = stage.redis_cli_on_pipe("subscriber");
    subscriber.types(&session.subscribe_two());
    control.until_subscribed(2);
    let mut publisher = stage.redis_cli_on_pipe("publisher");
    publisher.types(&session.publish);
    publisher.sees("1\n");
    let last = words(&session.publish).pop().expect("a message is published");
    subscriber.sees(&format!("{last}\n"));
    [subscriber, publisher].map(Person::seen).into()
}

/// The subscribed mode itself, over a bare connection: the document's command
/// typed while another channel is subscribed already, and what is refused then.
pub fn on_the_wire(stage: &Stage) -> Vec<Seen> {
    let session = Session::of(stage);
    let mut connection = stage.server.connect();
    let mut out = String::new();
    let mut say = |command: &str| {
        let reply = connection.run(&words(command)).expect("the server answers");
        out.push_str(&reply.as_redis_cli());
        out.push('\n');
        reply
    };
    say("subscribe another_channel");
    assert_eq!(say(&session.subscribe).as_redis_cli(), session.subscribed);
    for refused in [session.publish.as_str(), "get key", "client list", "multi", "nonsense"] {
        assert!(matches!(say(refused), Reply::Error(_)), "{refused}");
    }
    for allowed in ["ping", "ping hello", "psubscribe *", "punsubscribe", "unsubscribe nothing"] {
        assert!(matches!(say(allowed), Reply::Array(_)), "{allowed}");
    }
    assert_eq!(
        stage.control().run(&words(&session.publish).iter().map(String::as_str).collect::<Vec<_>>()),
        Reply::Integer(1)
    );
    let message = connection.receive().expect("the message comes");
    assert_eq!(message.as_redis_cli(), session.message);
    out.push_str(&message.as_redis_cli());
    vec![Seen { name: "subscriber".to_owned(), out, err: String::new() }]
}
