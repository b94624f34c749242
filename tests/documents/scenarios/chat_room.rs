//! The document 004: a chat room with users, whispers, and a server that logs.

use std::time::Instant;

use crate::DEADLINE;
use crate::document::{literals, prompts};
use crate::person::{Person, Seen};
use crate::server::Control;
use crate::stage::Stage;

/// The program of the clients and what its users are asked.
struct Client {
    program: String,
    asks_name: String,
    asks_command: String,
}

/// An evening in the chat room.
pub fn play(stage: &Stage) -> Vec<Seen> {
    let document = stage.document("004_");
    let (program, server) = (document.fenced(0), document.fenced(1));
    let [asks_name, asks_command] =
        prompts(&program).try_into().expect("the client asks for a name and for commands");
    let client = Client { program, asks_name, asks_command };
    let asks_message = prompts(&server).remove(0);
    let mut control = stage.control();

    let mut host = stage.program("server", &server);
    host.sees(&asks_message);
    control.until_subscribed(1);
    // Bob's program starts while Alice's program still pauses before the first
    // command, so that both pauses overlap; the first name that Bob types is taken.
    let mut alice = client.enter(stage, "alice", &mut control, 3);
    let mut bob = stage.program("bob", &client.program);
    bob.sees(&client.asks_name);
    bob.types("alice");
    bob.sees(&client.asks_name);
    bob.types("bob");
    control.until_subscribed(5);
    alice.sees(&client.asks_command);
    bob.sees(&client.asks_command);

    for command in ["users", "help", "pull", "nonsense"] {
        client.command(&mut alice, command);
    }
    client.command(&mut alice, "pub Hello everybody, it is me");
    client.pull(&mut alice, "hello everybody, it is me");
    client.pull(&mut bob, "hello everybody, it is me");
    client.command(&mut bob, "pub привет");
    client.pull(&mut alice, "привет");
    client.pull(&mut bob, "привет");

    bob.types("to alice");
    bob.sees("alice> ");
    bob.types("A Secret: 你好");
    bob.sees(&client.asks_command);
    client.pull(&mut alice, "A Secret: 你好");
    client.command(&mut bob, "to nobody");
    client.command(&mut bob, "pull");

    host.types("Closing soon");
    host.sees(&asks_message);
    client.pull(&mut alice, "Closing soon");
    client.pull(&mut bob, "Closing soon");
    client.command(&mut alice, "pub bye");
    client.pull(&mut bob, "alice: bye");
    client.pull(&mut alice, "alice: bye");

    alice.types("downline");
    alice.leaves();
    control.until_subscribed(3);
    client.command(&mut bob, "users");
    client.command(&mut bob, "to alice");
    bob.types("downline");
    bob.leaves();
    control.until_subscribed(1);

    let database = literals(&server, "sqlite3.connect").remove(0);
    let log = host.file(&database);
    let log = log.to_str().expect("the path is of UTF-8");
    let mut log = stage.script("log", "python/read_log.py", &[log, "3"]);
    log.sees("end\n");
    let people = [alice, bob, host, log].map(Person::seen);
    people.map(|seen| seen.with_prompt_once(&client.asks_command).with_sets_sorted()).into()
}

impl Client {
    /// A client that gives a name and has `subscriptions` channels in all.
    fn enter(&self, stage: &Stage, name: &str, control: &mut Control, subscriptions: i64) -> Person {
        let mut person = stage.program(name, &self.program);
        person.sees(&self.asks_name);
        person.types(name);
        control.until_subscribed(subscriptions);
        person
    }

    /// Types a command and waits until it is done.
    fn command(&self, person: &mut Person, command: &str) {
        person.types(command);
        person.sees(&self.asks_command);
    }

    /// Pulls until a message has arrived.
    fn pull(&self, person: &mut Person, message: &str) {
        let start = Instant::now();
        while !person.has_seen(message) && start.elapsed() < DEADLINE {
            self.command(person, "pull");
        }
        person.sees(message);
    }
}
