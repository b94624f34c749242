//! Making transcripts comparable: what may differ between two runs is masked.

use crate::person::Seen;

/// What replaces the id of a stream's entry.
const ID: &str = "<id>";

impl Seen {
    /// Masks the ids of stream entries: thirteen digits, a dash, digits.
    pub fn without_ids(mut self) -> Seen {
        self.out = mask_ids(&self.out);
        self
    }

    /// Removes a prompt from the text and counts it instead.
    ///
    /// For programs where one thread asks and another one shows messages: their order depends on timing.
    pub fn with_prompt_apart(mut self, prompt: &str) -> Seen {
        let count = self.out.matches(prompt).count();
        let shown = self.out.replace(prompt, "");
        self.out = format!("{prompt:?} {count} times\n{}\n", shown.trim());
        self
    }

    /// Shows a prompt once where it is repeated with nothing between.
    ///
    /// For programs that repeat the prompt until a message has arrived.
    pub fn with_prompt_once(mut self, prompt: &str) -> Seen {
        let twice = prompt.repeat(2);
        while self.out.contains(&twice) {
            self.out = self.out.replace(&twice, prompt);
        }
        self
    }

    /// Sorts the members in lines that show a Python set of byte strings.
    pub fn with_sets_sorted(mut self) -> Seen {
        let lines = self.out.split('\n').map(|line| {
            let set = line.split_once("{b'").and_then(|(before, rest)| {
                let mut members: Vec<&str> = rest.strip_suffix("'}")?.split("', b'").collect();
                members.sort_unstable();
                Some(format!("{before}{{b'{}'}}", members.join("', b'")))
            });
            set.unwrap_or_else(|| line.to_owned())
        });
        self.out = lines.collect::<Vec<_>>().join("\n");
        self
    }

    /// Masks the port in redis-cli's prompt, and what newer versions show while
    /// they wait for messages, which they repeat as often as they wake up.
    pub fn of_terminal(mut self, port: u16) -> Seen {
        self.out = self.out.replace("\r\n", "\n");
        self.out = self.out.replace("\u{1b}[K", "").replace(&format!(":{port}"), ":<port>");
        while let Some((before, rest)) = self.out.split_once("Reading messages...") {
            let end = rest.find(['\r', '\n']).map_or(rest.len(), |at| at + 1);
            self.out = format!("{before}{}", &rest[end..]);
        }
        self
    }
}

fn mask_ids(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('-') {
        let time = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let sequence = after.trim_start_matches(|c: char| c.is_ascii_digit());
        if before.len() - time.len() == 13 && sequence.len() < after.len() {
            masked.push_str(time);
            masked.push_str(ID);
            rest = sequence;
        } else {
            masked.push_str(before);
            masked.push('-');
            rest = after;
        }
    }
    masked + rest
}

#[test]
fn only_ids_of_stream_entries_are_masked() {
    let text = "(b'1700000000001-0', b'a-b') 12-0 1700000000001-x";
    assert_eq!(mask_ids(text), "(b'<id>', b'a-b') 12-0 1700000000001-x");
}
