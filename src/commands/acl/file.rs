//! The file of users: a line for each, `user name rule ...`.

use crate::config::Version;
use crate::data::Bytes;
use crate::spec::Table;
use crate::state::State;
use crate::users::{RuleError, User, Users};

use super::new_user;

/// A user as a line of the file.
pub(super) fn line_of(user: &User) -> Vec<u8> {
    [b"user ", &*user.name, b" ", &user.rules()].concat()
}

/// The users of a file with this path, and the default user.
///
/// # Errors
///
/// All wrong lines, in the words of ACL LOAD.
pub(super) fn users_of(text: &[u8], path: &str, state: &State, table: &Table) -> Result<Users, Vec<u8>> {
    let mut users = Users::new(state.config.compat >= Version::Redis7_4);
    let mut is_first_default = true;
    let mut errors: Vec<u8> = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let place = format!("{path}:{}", index + 1);
        let mut words = line.trim_ascii().split(|byte| *byte == b' ');
        let (Some(word), name) = (words.next().filter(|word| !word.is_empty()), words.next()) else {
            continue;
        };
        let Some(name) = name.filter(|_| word == b"user") else {
            let text = format!("{place} should start with user keyword followed by the username. ");
            errors.extend_from_slice(text.as_bytes());
            continue;
        };
        if !User::is_name(name) {
            let text = [b"'", place.as_bytes(), b": username '", name, b"' contains invalid characters. "];
            errors.extend_from_slice(&text.concat());
            continue;
        }
        let is_default = name == crate::users::DEFAULT && std::mem::take(&mut is_first_default);
        if users.find(name).is_some() && !is_default {
            let text = format!("' found on line {}. ", index + 1);
            errors.extend_from_slice(&[b"WARNING: Duplicate user '", name, text.as_bytes()].concat());
            continue;
        }
        let mut user = new_user(state);
        let rules = words.map(<[u8]>::trim_ascii).filter(|rule| !rule.is_empty());
        for text in wrong_rules(&mut user, rules, state, table) {
            errors.extend_from_slice(&[place.as_bytes(), b": ", &text, b". "].concat());
        }
        users.set(name, user);
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors.extend_from_slice(
        b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed",
    );
    Err(errors)
}

/// Applies all rules, and says what is wrong with them: as redis-server every unknown name, and the first of other errors,
/// which those after it may follow from.
fn wrong_rules<'a>(
    user: &mut User,
    rules: impl Iterator<Item = &'a [u8]>,
    state: &State,
    table: &Table,
) -> Vec<Vec<u8>> {
    let rules: Vec<Bytes> = match crate::users::joined(rules) {
        Ok(rules) => rules,
        Err(_) => return vec![b"Unmatched parenthesis in selector definition".to_vec()],
    };
    let mut wrong = Vec::new();
    let mut is_first = true;
    for rule in &rules {
        match user.apply([&**rule], state.config.acl_all_channels, table) {
            Ok(()) => {}
            Err((rule, Some(error @ RuleError::Unknown))) => {
                let error = format!("': {error}");
                wrong.push([b"Error in applying operation '", &*rule, error.as_bytes()].concat());
            }
            Err((_, error)) => {
                if std::mem::take(&mut is_first) {
                    wrong.push(error.unwrap_or(RuleError::Syntax).to_string().into_bytes());
                }
            }
        }
    }
    wrong
}
