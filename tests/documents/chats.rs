//! The chats of `programs/`: the lines that users type, in order.
//!
//! They make the same calls in the same order as the programs of the documents, which are not part of the repository.

use crate::person::{Person, Seen};
use crate::stage::Stage;

/// A queue that a server empties into a channel; lines that are pushed before the server starts wait.
pub fn queue(stage: &Stage) -> Vec<Seen> {
    let mut control = stage.control();
    let mut people: Vec<Person> = Vec::new();
    for (subscribers, name) in (1..).zip(["Zoë", "yan"]) {
        people.push(stage.script(name, "programs/queue_client.py", &[name]));
        control.until_subscribed(subscribers);
    }
    people[0].types("is the server up?");
    control.until_queued(1);
    people[1].types("not yet");
    control.until_queued(2);
    let server = stage.script("server", "programs/queue_server.py", &[]);
    for person in &mut people {
        person.sees("<yan> not yet\n");
        person.sees("<Zoë> is the server up?\n");
    }
    control.until_blocked(1);
    for (speaker, text) in [(1, "now it is"), (0, "a|b 'c' \"d\""), (1, ""), (0, "до завтра 👋")] {
        let name = ["Zoë", "yan"][speaker];
        people[speaker].types(text);
        for person in &mut people {
            person.sees(&format!("<{name}> {text}\n"));
        }
        control.until_blocked(1);
    }
    people.into_iter().chain([server]).map(Person::seen).collect()
}

/// A subscribed connection, and one that publishes.
pub fn subscribed(stage: &Stage) -> Vec<Seen> {
    alone(stage, "subscribed")
}

/// Rooms with a backlog and messages by their time.
pub fn rooms(stage: &Stage) -> Vec<Seen> {
    alone(stage, "rooms")
}

/// A program without input.
fn alone(stage: &Stage, program: &str) -> Vec<Seen> {
    let mut person = stage.script(program, &format!("programs/{program}.py"), &[]);
    person.leaves();
    vec![person.seen()]
}

/// A stream that is read after each line.
pub fn stream_in_turns(stage: &Stage) -> Vec<Seen> {
    let mut control = stage.control();
    let names = ["uwe", "vera"];
    let mut people = names.map(|name| stage.script(name, "programs/stream_turns.py", &[name]));
    let lines = ["good morning", "good morning, uwe", "coffee?", "in ten minutes", "fine"];
    for (number, line) in lines.into_iter().enumerate() {
        let speaker = number % 2;
        people[speaker].types(line);
        if number > 0 {
            people[1 - speaker].sees(&format!("group {{b'{}': b'{line}'}}\n", names[speaker]));
        }
        control.until_blocked(1);
    }
    people.map(Person::seen).into()
}

/// A stream that another thread reads at any time.
pub fn stream_of_all(stage: &Stage) -> Vec<Seen> {
    stream(stage, &[], |people, speaker, text| {
        people[speaker].sees(text);
        people[1 - speaker].sees(text);
    })
}

/// The same, where no client sees its own lines.
pub fn stream_of_others(stage: &Stage) -> Vec<Seen> {
    stream(stage, &["others"], |people, speaker, text| people[1 - speaker].sees(text))
}

fn stream(stage: &Stage, options: &[&str], arrives: fn(&mut [Person; 2], usize, &str)) -> Vec<Seen> {
    let mut control = stage.control();
    let names = ["uwe", "Véra"];
    let mut people = names.map(|name| {
        let arguments: Vec<&str> = [name].into_iter().chain(options.iter().copied()).collect();
        stage.script(name, "programs/stream_threads.py", &arguments)
    });
    control.until_blocked(2);
    for (speaker, line) in [(0, "one"), (0, "two"), (1, "three: 3"), (0, "четыре"), (1, "five")] {
        people[speaker].types("");
        if options.is_empty() {
            arrives(&mut people, speaker, &format!("group: {} says \n", names[speaker]));
            control.until_blocked(2);
        }
        people[speaker].types(line);
        arrives(&mut people, speaker, &format!("group: {} says {line}\n", names[speaker]));
        control.until_blocked(2);
    }
    people.map(Person::seen).into()
}

/// A lobby with a host, guests with their own names, and messages to one of them.
pub fn lobby(stage: &Stage) -> Vec<Seen> {
    let mut host = stage.script("host", "programs/lobby_host.py", &[]);
    host.sees("open\n");
    let [mut otto, mut pia] = ["otto", "pia"].map(|name| stage.script(name, "programs/lobby_guest.py", &[]));
    otto.types("otto");
    otto.sees("ready\n");
    pia.types("otto");
    pia.sees("otto is taken\n");
    pia.types("pia");
    pia.sees("ready\n");

    order(&mut otto, "who");
    order(&mut otto, "dance");
    order(&mut otto, "say good evening to everybody");
    order(&mut otto, "take 1");
    host.sees("log otto: good evening to everybody\n");
    order(&mut pia, "say здравствуйте");
    host.sees("log pia: здравствуйте\n");
    for guest in [&mut otto, &mut pia] {
        // The messages that both have received are taken one by one.
        order(guest, "take 1");
    }
    order(&mut pia, "take 1");
    order(&mut pia, "tell otto a secret: 秘密");
    order(&mut otto, "take 1");
    order(&mut pia, "tell quentin hello");
    host.types("the lobby closes");
    for guest in [&mut otto, &mut pia] {
        order(guest, "take 1");
    }
    order(&mut otto, "say bye");
    host.sees("log otto: bye\n");
    order(&mut otto, "take 1");
    otto.types("go");
    otto.leaves();
    order(&mut pia, "who");
    order(&mut pia, "tell otto wait");
    order(&mut pia, "take 1");
    pia.types("go");
    pia.leaves();
    [otto, pia, host].map(Person::seen).into()
}

/// Types a command of the lobby and waits for its answer.
fn order(guest: &mut Person, order: &str) {
    let (word, _) = order.split_once(' ').unwrap_or((order, ""));
    guest.types(order);
    guest.sees(&format!("{word}: "));
}
