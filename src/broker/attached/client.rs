//! A client of the server, as the server lists it and as the observer has seen it.

use super::observer::Facts;
use crate::clients::Candidate;
use crate::remote::Listed;

/// A client of the server.
pub struct Client {
    pub listed: Listed,
    pub facts: Option<Facts>,
    /// Its commands can be observed.
    pub is_known: bool,
    /// It has sent nothing while its facts were queried.
    pub is_sure: bool,
}

impl Client {
    /// True if its facts meet the condition, or could not be observed.
    fn may(&self, fact: impl FnOnce(&Facts) -> bool) -> bool {
        if self.is_known { self.facts.as_ref().is_some_and(fact) } else { true }
    }
}

impl Candidate for Client {
    fn id(&self) -> u64 {
        self.listed.id
    }

    fn name(&self) -> &[u8] {
        self.listed.name.as_bytes()
    }

    fn address(&self) -> &str {
        &self.listed.address
    }

    fn has_channel(&self, channel: &[u8]) -> bool {
        self.listed.channels > 0 && self.may(|facts| facts.channels.contains(channel))
    }

    fn has_pattern(&self, pattern: &[u8]) -> bool {
        self.listed.patterns > 0 && self.may(|facts| facts.patterns.contains(pattern))
    }

    fn waits_for(&self, key: &[u8]) -> bool {
        self.listed.blocked && self.may(|facts| facts.may_wait_for(key))
    }
}
