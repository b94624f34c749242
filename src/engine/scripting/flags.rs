//! The first line of a script, `#!lua name=NAME flags=FLAG,FLAG`.

use crate::spec::Flags;

/// The declarations of a script about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of redis-server's.
pub(super) struct ScriptFlags {
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot_keys: bool,
}

impl ScriptFlags {
    /// All flags in the order in which FUNCTION LIST shows them.
    const NAMES: [&'static str; 5] =
        ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        let set =
            [self.no_writes, self.allow_oom, self.allow_stale, self.no_cluster, self.allow_cross_slot_keys];
        Self::NAMES.into_iter().zip(set).filter_map(|(name, set)| set.then_some(name))
    }

    /// The flags of the command that runs the script, with those that depend on the script taken from its declarations.
    /// A script that does not write needs no memory.
    pub fn of_command(self, flags: Flags) -> Flags {
        let said = Flags::STALE.or(Flags::DENYOOM).or(Flags::WRITE).or(Flags::PROPAGATED);
        let declared = [
            (!self.allow_oom && !self.no_writes, Flags::DENYOOM),
            (!self.no_writes, Flags::WRITE),
            (self.allow_stale, Flags::STALE),
        ];
        let declared = declared.into_iter().filter_map(|(is_so, flag)| is_so.then_some(flag));
        declared.fold(flags.without(said), Flags::or)
    }

    /// Sets a flag by its name; false if there is no such flag.
    pub fn set(&mut self, name: &[u8]) -> bool {
        let flag = match name {
            b"no-writes" => &mut self.no_writes,
            b"allow-oom" => &mut self.allow_oom,
            b"allow-stale" => &mut self.allow_stale,
            b"no-cluster" => &mut self.no_cluster,
            b"allow-cross-slot-keys" => &mut self.allow_cross_slot_keys,
            _ => return false,
        };
        *flag = true;
        true
    }
}

/// A script without its first line, and the flags of that line; no flags if it is not a `#!` line. The line's end
/// stays, so that lines keep their numbers.
pub(super) fn of_script(text: &[u8]) -> Result<(&[u8], Option<ScriptFlags>), Vec<u8>> {
    if !text.starts_with(b"#!") {
        return Ok((text, None));
    }
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
        return Err(b"ERR Invalid script shebang".to_vec());
    };
    let (line, body) = text.split_at(end);
    let mut words = words(line).ok_or_else(|| b"ERR Invalid engine in script shebang".to_vec())?.into_iter();
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err([b"ERR Unexpected engine in script shebang: ", &*engine].concat());
    }
    let mut flags = ScriptFlags::default();
    for word in words {
        let Some(names) = word.strip_prefix(b"flags=") else {
            return Err([b"ERR Unknown lua shebang option: ", &*word].concat());
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|byte| *byte == b',') {
            if !flags.set(name) {
                return Err([b"ERR Unexpected flag in script shebang: ", name].concat());
            }
        }
    }
    Ok((body, Some(flags)))
}

/// The words of the line; quoted words count as one. None if a quote is not closed.
pub(super) fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for byte in line {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (None, b'"' | b'\'') => {
                quote = Some(*byte);
                word.get_or_insert_default();
            }
            (None, b' ' | b'\t' | b'\r' | 0) => words.extend(word.take()),
            (_, byte) => word.get_or_insert_default().push(*byte),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}
