//! The scripts that clients have sent, by their SHA-1.

use std::collections::HashMap;
use std::sync::Arc;

use sha1_smol::{Digest, Sha1};

use super::flags::ScriptFlags;
use super::running::Kept;

/// How many scripts that were sent only with EVAL are kept, as in redis-server (`LRU_LIST_LENGTH`).
const EVAL_SCRIPTS_MAX: usize = 500;

/// The digest of a text.
pub(super) fn sha1(text: &[u8]) -> Digest {
    let mut hash = Sha1::new();
    hash.update(text);
    hash.digest()
}

/// The name of a script: its SHA-1 in hexadecimal digits, in lower case.
pub(super) type Name = [u8; 40];

/// The name of a script with this text.
pub(super) fn name_of(text: &[u8]) -> Name {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut name = [0; 40];
    for (pair, byte) in name.chunks_exact_mut(2).zip(sha1(text).bytes()) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    name
}

/// The name that a client has given, in either case; none if it cannot be a name.
pub(super) fn given_name(text: &[u8]) -> Option<Name> {
    let mut name: Name = text.try_into().ok()?;
    name.make_ascii_lowercase();
    Some(name)
}

/// A script that has been compiled.
#[derive(Debug)]
pub(super) struct Script {
    pub function: Arc<Kept>,
    /// The flags of its first line; none if it has no `#!` line.
    pub flags: Option<ScriptFlags>,
    /// The length of the text.
    size: usize,
    /// When it was used last, if it was sent only with EVAL.
    used: Option<u64>,
}

/// All scripts.
#[derive(Debug, Default)]
pub(super) struct Cache {
    scripts: HashMap<Name, Script, foldhash::fast::RandomState>,
    /// How many of them were sent only with EVAL.
    from_eval: usize,
    uses: u64,
    /// The length of all texts.
    bytes: usize,
}

impl Cache {
    pub fn contains(&self, name: &Name) -> bool {
        self.scripts.contains_key(name)
    }

    /// The number of scripts, and the length of their texts.
    pub fn size(&self) -> (usize, usize) {
        (self.scripts.len(), self.bytes)
    }

    /// The flags of a script's first line; none if it has no such line or does not exist.
    pub fn flags(&self, name: &Name) -> Option<ScriptFlags> {
        self.scripts.get(name).and_then(|script| script.flags)
    }

    /// The script, which counts as used now.
    pub fn get(&mut self, name: &Name) -> Option<&Script> {
        let script = self.scripts.get_mut(name)?;
        if let Some(used) = &mut script.used {
            self.uses += 1;
            *used = self.uses;
        }
        Some(script)
    }

    /// Keeps a script for SCRIPT LOAD; false if it does not exist.
    pub fn keep(&mut self, name: &Name) -> bool {
        let Some(script) = self.scripts.get_mut(name) else { return false };
        if script.used.take().is_some() {
            self.from_eval -= 1;
        }
        true
    }

    /// Adds a script, to be kept if `keep`. If `evicts`, the least recently used script of EVAL may be removed for it;
    /// true if one was.
    pub fn insert(
        &mut self,
        name: Name,
        (function, flags, size): (Kept, Option<ScriptFlags>, usize),
        keep: bool,
        evicts: bool,
    ) -> bool {
        self.uses += 1;
        let used = (!keep).then_some(self.uses);
        let evicts = evicts && used.is_some() && self.from_eval >= EVAL_SCRIPTS_MAX;
        if evicts {
            self.evict();
        }
        self.from_eval += usize::from(used.is_some());
        self.bytes += size;
        self.scripts.insert(name, Script { function: Arc::new(function), flags, size, used });
        evicts
    }

    fn evict(&mut self) {
        let used = self.scripts.iter().filter_map(|(name, script)| Some((script.used?, *name)));
        if let Some(script) = used.min().and_then(|(_, name)| self.scripts.remove(&name)) {
            self.from_eval -= 1;
            self.bytes -= script.size;
        }
    }
}
