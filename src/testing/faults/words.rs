//! A rule as text, for the journal and for failed tests.

use std::fmt;

use super::{Action, Channel, Rule, Scope, SimulatedState, When};
use crate::data::Quoted;

/// `BLPOP of client "worker-1", the 2nd time: disconnect`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, when, action } = self;
        if action.is_of_messages() { scope.fmt_messages(f) } else { scope.fmt_commands(f) }?;
        write!(f, "{when}: {action}")
    }
}

impl Scope {
    fn fmt_commands(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commands.is_empty() {
            f.write_str("every command")?;
        }
        list(f, "", &self.commands, |f, command| f.write_str(&command.name))?;
        list(f, " of client ", &self.clients, |f, client| client_name(f, client))?;
        list(f, " on key ", &self.keys, |f, key| write!(f, "{}", Quoted(key)))?;
        list(f, " on channel ", &self.channels, |f, channel| write!(f, "{channel}"))
    }

    fn fmt_messages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")?;
        list(f, " on channel ", &self.channels, |f, channel| write!(f, "{channel}"))?;
        list(f, " to client ", &self.clients, |f, client| client_name(f, client))
    }
}

/// A number as it is, a name in quotes.
fn client_name(f: &mut fmt::Formatter<'_>, client: &str) -> fmt::Result {
    match client.parse::<u64>() {
        Ok(id) => write!(f, "{id}"),
        Err(_) => write!(f, "{client:?}"),
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    before: &str,
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { before } else { " or " })?;
        write(f, item)?;
    }
    Ok(())
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => write!(f, "{}", Quoted(name)),
            Self::Like(glob) => write!(f, "like {}", Quoted(glob)),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ordinal = |n: u64| {
            let ending = match (n % 10, n % 100) {
                (_, 11..=13) => "th",
                (1, _) => "st",
                (2, _) => "nd",
                (3, _) => "rd",
                _ => "th",
            };
            format!("{n}{ending}")
        };
        match self {
            Self::Always => Ok(()),
            Self::Nth(1) => f.write_str(", once"),
            Self::Nth(n) => write!(f, ", the {} time", ordinal(*n)),
            Self::Every(n) => write!(f, ", every {} time", ordinal(*n)),
            Self::Probability(probability) => write!(f, ", with probability {probability}"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(text) => write!(f, "error {}", Quoted(text)),
            Self::Delay(delay) | Self::DelayMessage(delay) => write!(f, "delay of {delay:?}"),
            Self::Disconnect => f.write_str("disconnect"),
            Self::LoseReply(0) => f.write_str("disconnect in place of the reply"),
            Self::LoseReply(bytes) => write!(f, "disconnect after {bytes} bytes of the reply"),
            Self::Simulate(state) => write!(f, "{state}"),
            Self::Drop => f.write_str("drop"),
            Self::Duplicate => f.write_str("duplicate"),
        }
    }
}

impl fmt::Display for SimulatedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAuth => "no auth",
            Self::OutOfMemory => "out of memory",
            Self::ReadOnly => "read only",
            Self::Loading => "loading",
            Self::Busy => "busy",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::CommandName;
    use super::*;

    #[test]
    fn rules_in_words() {
        let command = |name: &str| CommandName { name: name.to_owned(), indices: 0..1 };
        let bytes = |text: &str| text.as_bytes().into();
        let of_worker =
            Scope { commands: vec![command("BLPOP")], clients: vec!["worker-1".into()], ..Scope::default() };
        let many = Scope {
            commands: vec![command("GET"), command("CONFIG SET")],
            clients: vec!["3".into()],
            keys: vec![bytes("session:*")],
            ..Scope::default()
        };
        let chat = Scope {
            channels: vec![Channel::Named(bytes("chat")), Channel::Like(bytes("r:*"))],
            clients: vec!["ann".into()],
            ..Scope::default()
        };
        let second = Duration::from_secs(1);
        let cases = [
            (
                of_worker,
                When::Nth(2),
                Action::Disconnect,
                r#"BLPOP of client "worker-1", the 2nd time: disconnect"#,
            ),
            (
                many,
                When::Every(13),
                Action::Error(bytes("ERR no")),
                r#"GET or CONFIG SET of client 3 on key "session:*", every 13th time: error "ERR no""#,
            ),
            (
                chat,
                When::Nth(1),
                Action::DelayMessage(second),
                r#"messages on channel "chat" or like "r:*" to client "ann", once: delay of 1s"#,
            ),
            (
                Scope::default(),
                When::Probability(0.5),
                Action::Simulate(SimulatedState::Loading),
                "every command, with probability 0.5: loading",
            ),
            (
                Scope::default(),
                When::Always,
                Action::LoseReply(3),
                "every command: disconnect after 3 bytes of the reply",
            ),
        ];
        for (scope, when, action, words) in cases {
            assert_eq!(Rule { scope, when, action }.to_string(), words);
        }
    }
}
