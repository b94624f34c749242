//! The document 000: a server between a queue and a channel, and its clients.

use crate::document::prompts;
use crate::person::{Person, Seen};
use crate::stage::Stage;

/// Two users talk, one line at a time, and then leave a backlog for a late server.
pub fn play(stage: &Stage) -> Vec<Seen> {
    let document = stage.document("000_");
    let (server, client) = (document.fenced(0), document.fenced(1));
    let prompt = prompts(&client).remove(0);
    let mut control = stage.control();

    let mut people = Vec::new();
    for (subscribers, name) in (1..).zip(["Анна", "bob"]) {
        let mut person = stage.program(name, &client);
        person.sees(&prompt);
        person.types(name);
        control.until_subscribed(subscribers);
        people.push(person);
    }

    // No server runs yet: lines wait in the queue.
    people[0].types("first of the backlog");
    control.until_queued(1);
    people[1].types("second of the backlog");
    control.until_queued(2);
    let relay = stage.program("server", &server);
    for person in &mut people {
        person.sees("first of the backlog\n");
        person.sees("second of the backlog\n");
    }
    control.until_blocked(1);

    let talk = [(0, "Привет, Боб"), (1, "hi: a colon, and 'quotes'"), (0, ""), (1, "🙂 bye")];
    for (speaker, line) in talk {
        people[speaker].types(line);
        let name = ["Анна", "bob"][speaker];
        for person in &mut people {
            person.sees(&format!("{name}: {line}\n"));
        }
    }
    people.into_iter().chain([relay]).map(Person::seen).collect()
}
