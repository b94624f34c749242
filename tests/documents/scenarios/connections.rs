//! The document 003: connections A and B, a backlog, a window of time, a dictator.

use std::collections::HashMap;

use crate::document::{exchanges, words};
use crate::person::{Person, Seen};
use crate::resp::Connection;
use crate::stage::Stage;

/// Something that runs commands on connections known by a name.
trait Driver {
    /// Runs a command and returns what is shown for it.
    fn run(&mut self, connection: &str, command: &[String]) -> String;
    /// Waits for the next message and returns what is shown for it.
    fn receive(&mut self, connection: &str) -> String;
}

/// Over bare sockets, where everything also is as the document shows it.
pub fn over_sockets(stage: &Stage) -> Vec<Seen> {
    let mut driver = Sockets { stage, connections: HashMap::new() };
    let out = session(stage, &mut driver, true);
    vec![Seen { name: "connections".to_owned(), out, err: String::new() }]
}

/// Over redis-py.
pub fn over_redis_py(stage: &Stage) -> Vec<Seen> {
    let mut driver = RedisPy(stage.script("connections", "python/session.py", &[]));
    session(stage, &mut driver, false);
    vec![driver.0.seen()]
}

/// The transaction of the backlog, piped into redis-cli as the document has it.
pub fn backlog_over_redis_cli(stage: &Stage) -> Vec<Seen> {
    let block = stage.document("003_").indented(1);
    let mut person = stage.redis_cli_on_pipe("redis-cli");
    for line in block.lines() {
        person.types(line);
    }
    let key = words(block.lines().nth(1).expect("a list is pushed to")).remove(1);
    person.types(&format!("LRANGE {key} 0 -1"));
    person.types("ECHO finished");
    person.sees("finished\n");
    vec![person.seen()]
}

/// The whole of the document; returns everything shown.
fn session(stage: &Stage, driver: &mut dyn Driver, as_documented: bool) -> String {
    let document = stage.document("003_");
    let mut out = String::new();

    // The dialogue of A and B.
    for exchange in exchanges(&document.indented(0)) {
        let shown = match &exchange.command {
            Some(command) => driver.run(&exchange.speaker, &words(command)),
            None => driver.receive(&exchange.speaker),
        };
        if as_documented {
            assert_eq!(shown, exchange.shown.trim_end(), "as the document shows it");
        }
        note(&mut out, &exchange.speaker, &shown);
    }

    let mut say = |who: &str, command: &[String]| {
        let shown = driver.run(who, command);
        note(&mut out, who, &shown);
    };

    // The dictator listens to every room while the backlog grows.
    let transaction = document.indented(1);
    say("dictator", &words(&document.indented(2)));
    let messages = ["Good evening, all", "It's \"me\"", "чат"];
    for message in messages {
        for line in transaction.lines() {
            let fill = |word: String| word.replace("(message)", message);
            let command: Vec<String> = words(line).into_iter().map(fill).collect();
            say("connectionB", &command);
        }
    }
    let pushed = words(transaction.lines().nth(1).expect("a list is pushed to"));
    let backlog = pushed[1].as_str();
    for (from, to) in [("0", "1"), ("0", "-1"), ("-1", "5"), ("7", "9")] {
        say("connectionA", &["LRANGE", backlog, from, to].map(str::to_owned));
    }

    // The window of time over a sorted set, messages by their time.
    let window = format!("{backlog}:times");
    for (time, message) in ["100", "200.5", "300"].iter().zip(messages) {
        say("connectionB", &["ZADD", &window, time, message].map(str::to_owned));
    }
    for (from, to) in [("100", "200.5"), ("(100", "+inf"), ("-inf", "(100"), ("x", "1")] {
        say("connectionA", &["ZRANGEBYSCORE", &window, from, to].map(str::to_owned));
    }
    let scored = ["ZRANGEBYSCORE", &window, "0", "999", "WITHSCORES", "LIMIT", "1", "2"];
    say("connectionA", &scored.map(str::to_owned));

    for _ in messages {
        let shown = driver.receive("dictator");
        note(&mut out, "dictator", &shown);
    }
    out
}

fn note(out: &mut String, who: &str, shown: &str) {
    out.push_str(who);
    out.push_str(": ");
    out.push_str(shown);
    out.push('\n');
}

/// Bare sockets, one a name.
struct Sockets<'a> {
    stage: &'a Stage,
    connections: HashMap<String, Connection>,
}

impl Sockets<'_> {
    fn connection(&mut self, name: &str) -> &mut Connection {
        let open = || self.stage.server.connect();
        self.connections.entry(name.to_owned()).or_insert_with(open)
    }
}

impl Driver for Sockets<'_> {
    fn run(&mut self, connection: &str, command: &[String]) -> String {
        self.connection(connection).run(command).expect("the server answers").shown()
    }

    fn receive(&mut self, connection: &str) -> String {
        self.connection(connection).receive().expect("the message comes").shown()
    }
}

/// The script that keeps a redis-py client a name.
struct RedisPy(Person);

impl RedisPy {
    fn line(&mut self, connection: &str, command: &[String]) -> String {
        // A Rust string in quotes is JSON as long as nothing in it needs \u{}.
        let quoted = |text: &str| format!("{text:?}");
        let mut items = vec![quoted(connection)];
        items.extend(command.iter().map(|word| quoted(word)));
        self.0.types(&format!("[{}]", items.join(",")));
        self.0.sees("\n");
        String::new()
    }
}

impl Driver for RedisPy {
    fn run(&mut self, connection: &str, command: &[String]) -> String {
        self.line(connection, command)
    }

    fn receive(&mut self, connection: &str) -> String {
        self.line(connection, &[])
    }
}
