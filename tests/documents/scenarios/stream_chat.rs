//! The document 002: a group chat over a stream, in the three forms it grows through.

use crate::document::{prompts, typed};
use crate::person::{Person, Seen};
use crate::server::Control;
use crate::stage::Stage;

/// A form of the program and what its user is asked.
struct Form {
    program: String,
    asks_name: String,
    asks_line: String,
}

impl Form {
    fn new(stage: &Stage, block: usize) -> Form {
        let program = stage.document("002_").fenced(block);
        let [asks_name, asks_line] =
            prompts(&program).try_into().expect("the program asks for a name and for a line");
        Form { program, asks_name, asks_line }
    }

    fn user(&self, stage: &Stage, name: &str) -> Person {
        let mut person = stage.program(name, &self.program);
        person.sees(&self.asks_name);
        person.types(name);
        person.sees(&self.asks_line);
        person
    }
}

/// The form that reads after each line: the session the document shows, turn by turn.
pub fn blocking(stage: &Stage) -> Vec<Seen> {
    let form = Form::new(stage, 0);
    let document = stage.document("002_");
    let recorded = [1, 2].map(|block| typed(&form.program, &document.fenced(block)));
    let mut people = recorded.each_ref().map(|lines| form.user(stage, &lines[0]));
    let mut control = stage.control();

    let turns = recorded[0].len().min(recorded[1].len());
    let mut lines = 0;
    for turn in 1..turns {
        for speaker in [0, 1] {
            let line = &recorded[speaker][turn];
            people[speaker].types(line);
            if lines > 0 {
                // The other user has been waiting for this line.
                let shown = format!("{{b'{}': b'{line}'}}", recorded[speaker][0]);
                people[1 - speaker].sees(&shown);
                people[1 - speaker].sees(&form.asks_line);
            }
            control.until_blocked(1);
            lines += 1;
        }
    }
    assert!(lines >= 4, "the document's session has two lines of each user");
    people.map(|person| person.seen().without_ids()).into()
}

/// The form where another thread prints every line, those of the user too.
pub fn threaded(stage: &Stage) -> Vec<Seen> {
    talk(stage, &Form::new(stage, 3), |people, speaker, name, line| {
        let shown = format!("{{b'{name}': b'{line}'}}");
        people[speaker].sees(&shown);
        people[1 - speaker].sees(&shown);
    })
}

/// The form that shows only the lines of others.
pub fn tidy(stage: &Stage) -> Vec<Seen> {
    talk(stage, &Form::new(stage, 4), |people, speaker, name, line| {
        people[1 - speaker].sees(&format!("[{name}]: {line}"));
    })
}

/// Two users talk freely in a form with threads; `arrives` waits for a line.
fn talk(stage: &Stage, form: &Form, arrives: fn(&mut [Person; 2], usize, &str, &str)) -> Vec<Seen> {
    let names = ["ann", "ben"];
    let mut control = stage.control();
    let mut people = names.map(|name| form.user(stage, name));
    ready(&mut control);
    let lines = [(0, "hello"), (0, "anybody here?"), (1, "yes - me"), (0, "fine"), (1, "bye")];
    for (speaker, line) in lines {
        people[speaker].types(line);
        people[speaker].sees(&form.asks_line);
        arrives(&mut people, speaker, names[speaker], line);
        ready(&mut control);
    }
    people.map(|person| person.seen().without_ids().with_prompt_apart(&form.asks_line)).into()
}

/// Waits until both users wait for what is said next.
fn ready(control: &mut Control) {
    control.until_blocked(2);
}
