//! A user: name, passwords and selectors.

use super::password::Hash;
use super::rule::{CommandNames, RuleError, joined};
use super::selector::{Call, Denial, KeyUse, Selector, has_spaces};
use crate::data::Bytes;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: Bytes,
    /// Whether clients may log in as this user.
    pub is_on: bool,
    /// Any password is right.
    pub needs_no_password: bool,
    /// `sanitize-payload` or `skip-sanitize-payload`. Neither changes anything: RESTORE always checks what it gets.
    sanitizes: Option<bool>,
    passwords: Vec<Hash>,
    /// The one outside of parentheses, followed by those in parentheses.
    selectors: Vec<Selector>,
}

impl Default for User {
    /// Switched off, without any rights.
    fn default() -> Self {
        Self {
            name: Bytes::default(),
            is_on: false,
            needs_no_password: false,
            sanitizes: None,
            passwords: Vec::new(),
            selectors: vec![Selector::default()],
        }
    }
}

impl User {
    /// A new user of ACL SETUSER, without rights. `all_channels` as `acl-pubsub-default`; `sanitizes`: the flag
    /// `sanitize-payload` is shown, as since Redis 7.2.
    #[must_use]
    pub fn new(all_channels: bool, sanitizes: bool) -> Self {
        Self {
            sanitizes: sanitizes.then_some(true),
            selectors: vec![Selector::default().with_all_channels(all_channels)],
            ..Self::default()
        }
    }

    /// Without a password, and with all rights.
    pub(super) fn unrestricted(sanitizes: bool) -> Self {
        Self {
            is_on: true,
            sanitizes: sanitizes.then_some(true),
            needs_no_password: true,
            selectors: vec![Selector::unrestricted()],
            ..Self::default()
        }
    }

    /// Whether one selector allows everything.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::is_unrestricted)
    }

    /// Whether this name may be a user's.
    #[must_use]
    pub fn is_name(name: &[u8]) -> bool {
        !has_spaces(name)
    }

    /// Whether this password is right.
    #[must_use]
    pub fn accepts(&self, password: &[u8]) -> bool {
        self.needs_no_password || {
            let hash = Hash::of(password);
            // All are compared, so that the time says nothing.
            self.passwords.iter().fold(false, |found, known| found | known.is(&hash))
        }
    }

    /// The password as `requirepass` sets it; an empty one is none.
    pub(super) fn set_only_password(&mut self, password: &[u8]) {
        self.needs_no_password = password.is_empty();
        self.passwords = (!password.is_empty()).then(|| Hash::of(password)).into_iter().collect();
    }

    /// Applies rules, separated as the arguments of ACL SETUSER are. If one is wrong, those before it have been applied.
    ///
    /// # Errors
    ///
    /// The rule that is wrong, and why; or the selector that is not closed, and nothing.
    pub fn apply<'a>(
        &mut self,
        rules: impl IntoIterator<Item = &'a [u8]>,
        all_channels: bool,
        names: &dyn CommandNames,
    ) -> Result<(), (Bytes, Option<RuleError>)> {
        for rule in joined(rules).map_err(|open| (open, None))? {
            self.apply_one(&rule, all_channels, names).map_err(|error| (rule, Some(error)))?;
        }
        Ok(())
    }

    fn apply_one(
        &mut self,
        rule: &[u8],
        all_channels: bool,
        names: &dyn CommandNames,
    ) -> Result<(), RuleError> {
        match (rule, rule.to_ascii_lowercase().as_slice()) {
            ([], _) => {}
            (_, b"on") => self.is_on = true,
            (_, b"off") => self.is_on = false,
            (_, b"sanitize-payload") => self.sanitizes = Some(true),
            (_, b"skip-sanitize-payload") => self.sanitizes = Some(false),
            (_, b"nopass") => (self.needs_no_password, self.passwords) = (true, Vec::new()),
            (_, b"resetpass") => (self.needs_no_password, self.passwords) = (false, Vec::new()),
            (_, b"clearselectors") => self.selectors.truncate(1),
            (_, b"reset") => *self = Self { name: self.name.clone(), ..Self::new(all_channels, true) },
            ([sign @ (b'>' | b'#' | b'<' | b'!'), password @ ..], _) => {
                let hash = match sign {
                    b'>' | b'<' => Hash::of(password),
                    _ => Hash::read(password).ok_or(RuleError::InvalidHash)?,
                };
                let known = self.passwords.iter().position(|known| *known == hash);
                match (matches!(sign, b'>' | b'#'), known) {
                    (true, known) => {
                        self.needs_no_password = false;
                        if known.is_none() {
                            self.passwords.push(hash);
                        }
                    }
                    (false, Some(index)) => drop(self.passwords.remove(index)),
                    (false, None) => return Err(RuleError::NoSuchPassword),
                }
            }
            ([b'(', rules @ .., b')'], _) => {
                let mut selector = Selector::default().with_all_channels(all_channels);
                for rule in rules.split(|byte| *byte == b' ').filter(|rule| !rule.is_empty()) {
                    selector.apply(rule, names)?;
                }
                self.selectors.push(selector);
            }
            _ => match self.selectors.first_mut() {
                Some(own) => own.apply(rule, names)?,
                None => debug_assert!(false, "a user has a selector outside of parentheses"),
            },
        }
        Ok(())
    }

    /// The selector outside of parentheses, followed by those in parentheses.
    #[must_use]
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// Checks a call.
    ///
    /// # Errors
    ///
    /// No selector allows it.
    pub fn check(&self, call: &Call<'_>) -> Result<(), Denial> {
        let mut denial = Denial::Command;
        for selector in &self.selectors {
            match selector.check(call) {
                Ok(()) => return Ok(()),
                Err(other) => denial = denial.max(other),
            }
        }
        Err(denial)
    }

    /// Whether some selector allows a key to be used so.
    #[must_use]
    pub fn allows_key(&self, used: &KeyUse<'_>) -> bool {
        self.selectors.iter().any(|selector| selector.allows_key(used))
    }

    /// Whether some selector allows a channel, or a pattern of channels, to be named.
    #[must_use]
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors.iter().any(|selector| selector.allows_channel(name, is_pattern))
    }

    /// Whether some selector allows this command to read all keys.
    #[must_use]
    pub fn may_read_all_keys(&self, command: usize, argument: Option<&[u8]>) -> bool {
        self.selectors.iter().any(|selector| selector.may_read_all_keys(command, argument))
    }

    /// Whether another user may name all channels that this one may name by the same patterns.
    #[must_use]
    pub fn has_no_more_channels_than(&self, other: &Self) -> bool {
        let of_other: Vec<&Bytes> = other.selectors.iter().flat_map(Selector::channels).collect();
        let has_all = |user: &Self| user.selectors.iter().any(Selector::has_all_channels);
        has_all(other)
            || (!has_all(self)
                && self.selectors.iter().flat_map(Selector::channels).all(|known| of_other.contains(&known)))
    }

    /// The flags, in redis-server's order.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> + use<> {
        let sanitizes = self
            .sanitizes
            .map(|sanitizes| if sanitizes { "sanitize-payload" } else { "skip-sanitize-payload" });
        let on = if self.is_on { "on" } else { "off" };
        [Some(on), self.needs_no_password.then_some("nopass"), sanitizes].into_iter().flatten()
    }

    /// The hashes of the passwords.
    pub fn passwords(&self) -> impl ExactSizeIterator<Item = &str> {
        self.passwords.iter().map(Hash::as_str)
    }

    /// All rules, as in ACL LIST: applied to a new user they make an equal one.
    #[must_use]
    pub fn rules(&self) -> Vec<u8> {
        let mut rules: Vec<u8> = Vec::new();
        for flag in self.flags() {
            rules.extend_from_slice(flag.as_bytes());
            rules.push(b' ');
        }
        for password in self.passwords() {
            rules.push(b'#');
            rules.extend_from_slice(password.as_bytes());
            rules.push(b' ');
        }
        for (index, selector) in self.selectors.iter().enumerate() {
            let text = selector.rules();
            if index == 0 {
                rules.extend_from_slice(&text);
            } else {
                rules.extend_from_slice(&[b" (", text.as_slice(), b")"].concat());
            }
        }
        rules
    }
}
