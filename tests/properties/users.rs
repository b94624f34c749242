//! The rights of users, compared with a plain model of the rules.

use minibroker::Broker;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::for_all;

/// Calls with what each does with its keys: `r` reads, `w` writes; `c` names a channel, `p` a pattern of channels.
const CALLS: [(&str, &str); 9] = [
    ("get", "r"),
    ("append", "w"),
    ("getdel", "b"),
    ("mget", "rr"),
    ("del", "ww"),
    ("copy", "rw"),
    ("touch", "n"),
    ("publish", "c"),
    ("psubscribe", "p"),
];

/// Keys, channels and patterns of them.
const NAMES: [&str; 5] = ["a", "ab", "b", "a*", "*"];

/// A selector of the model.
#[derive(Clone, Debug)]
struct Selector {
    /// Which of the calls are allowed.
    calls: Vec<bool>,
    /// Patterns of keys that may be read and written.
    keys: Vec<(&'static str, bool, bool)>,
    channels: Vec<&'static str>,
}

/// Whether a name matches one of the patterns above.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

impl Selector {
    fn rules(&self) -> String {
        let calls = CALLS.iter().zip(&self.calls).filter(|(_, allowed)| **allowed);
        let mut rules: Vec<String> = calls.map(|((call, _), _)| format!("+{call}")).collect();
        // After a pattern for everything no other may be added.
        let all_keys = self.keys.iter().any(|(pattern, read, write)| *pattern == "*" && *read && *write);
        let prefix = |read, write| match (read, write) {
            (true, false) => "%R~",
            (false, true) => "%W~",
            _ => "~",
        };
        if all_keys {
            rules.push("~*".to_owned());
        } else {
            let keys =
                self.keys.iter().map(|(pattern, read, write)| format!("{}{pattern}", prefix(*read, *write)));
            rules.extend(keys);
        }
        if self.channels.contains(&"*") {
            rules.push("&*".to_owned());
        } else {
            rules.extend(self.channels.iter().map(|pattern| format!("&{pattern}")));
        }
        rules.join(" ")
    }

    fn allows(&self, call: usize, names: &[&str]) -> bool {
        let (_, uses) = CALLS[call];
        self.calls[call]
            && uses.chars().zip(names).all(|(used, name)| match used {
                'c' => self.channels.iter().any(|pattern| matches(pattern, name)),
                'p' => self.channels.iter().any(|pattern| *pattern == "*" || pattern == name),
                _ => self.keys.iter().any(|(pattern, read, write)| {
                    // A pattern that is given twice has the rights of both.
                    let same = self.keys.iter().filter(|(other, ..)| other == pattern);
                    let (read, write) =
                        same.fold((*read, *write), |(r, w), (_, read, write)| (r | read, w | write));
                    matches(pattern, name)
                        && (read || !matches!(used, 'r' | 'b'))
                        && (write || !matches!(used, 'w' | 'b'))
                }),
            })
    }
}

fn selector() -> impl Strategy<Value = Selector> {
    let name = || prop::sample::select(&NAMES[..]);
    let key = (name(), 1..4).prop_map(|(name, rights)| (name, rights & 1 > 0, rights & 2 > 0));
    (vec(any::<bool>(), CALLS.len()), vec(key, 0..4), vec(name(), 0..3))
        .prop_map(|(calls, keys, channels)| Selector { calls, keys, channels })
}

#[test]
fn users_may_call_what_a_plain_model_of_their_rules_allows() {
    let broker = Broker::start().expect("it starts");
    let name = || prop::sample::select(&NAMES[..]);
    let calls = vec((0..CALLS.len(), name(), name()), 1..8);
    for_all(400, (vec(selector(), 1..4), calls), |(selectors, calls)| {
        let mut rules = vec!["ACL".to_owned(), "SETUSER".to_owned(), "ann".to_owned(), "reset".to_owned()];
        let (own, others) = selectors.split_first().expect("there is one");
        rules.extend(own.rules().split(' ').map(str::to_owned));
        rules.extend(others.iter().map(|selector| format!("({})", selector.rules())));
        broker.command(rules).expect("the rules are right");
        for (call, first, second) in calls {
            let (command, uses) = CALLS[call];
            let names = &[first, second][..uses.len()];
            let mut dry_run = vec!["ACL", "DRYRUN", "ann", command];
            dry_run.extend(names);
            if matches!(command, "append" | "publish") {
                dry_run.push("x");
            }
            let allowed = selectors.iter().any(|selector| selector.allows(call, names));
            let said = broker.command(&dry_run[..]).expect("user and command are there").to_string();
            assert_eq!(said == "OK", allowed, "{dry_run:?}: {said}, with {selectors:?}");
        }
    });
}
