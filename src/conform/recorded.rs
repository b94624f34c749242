//! The answers of real servers that are compiled into the program.

use super::answers::Answers;
use super::differences::{self, Difference};
use super::script::{self, Scenario};

/// The files by the names of the families.
const FILES: [(&str, &str); 37] = [
    ("acl", include_str!("../../tests/comparison/answers/acl.txt")),
    ("bit", include_str!("../../tests/comparison/answers/bit.txt")),
    ("bitmaps", include_str!("../../tests/comparison/answers/bitmaps.txt")),
    ("busy_scripts", include_str!("../../tests/comparison/answers/busy_scripts.txt")),
    ("cjson", include_str!("../../tests/comparison/answers/cjson.txt")),
    ("client", include_str!("../../tests/comparison/answers/client.txt")),
    ("cmsgpack", include_str!("../../tests/comparison/answers/cmsgpack.txt")),
    ("connection", include_str!("../../tests/comparison/answers/connection.txt")),
    ("debug", include_str!("../../tests/comparison/answers/debug.txt")),
    ("functions", include_str!("../../tests/comparison/answers/functions.txt")),
    ("geo", include_str!("../../tests/comparison/answers/geo.txt")),
    ("hashes", include_str!("../../tests/comparison/answers/hashes.txt")),
    ("hashes_expiry", include_str!("../../tests/comparison/answers/hashes_expiry.txt")),
    ("hyperloglog", include_str!("../../tests/comparison/answers/hyperloglog.txt")),
    ("keys", include_str!("../../tests/comparison/answers/keys.txt")),
    ("latency", include_str!("../../tests/comparison/answers/latency.txt")),
    ("lists", include_str!("../../tests/comparison/answers/lists.txt")),
    ("lists_blocking", include_str!("../../tests/comparison/answers/lists_blocking.txt")),
    ("object", include_str!("../../tests/comparison/answers/object.txt")),
    ("protocol", include_str!("../../tests/comparison/answers/protocol.txt")),
    ("pubsub", include_str!("../../tests/comparison/answers/pubsub.txt")),
    ("scripting", include_str!("../../tests/comparison/answers/scripting.txt")),
    ("scripts_and_others", include_str!("../../tests/comparison/answers/scripts_and_others.txt")),
    ("serialization", include_str!("../../tests/comparison/answers/serialization.txt")),
    ("server", include_str!("../../tests/comparison/answers/server.txt")),
    ("sets", include_str!("../../tests/comparison/answers/sets.txt")),
    ("slow_log", include_str!("../../tests/comparison/answers/slow_log.txt")),
    ("sort", include_str!("../../tests/comparison/answers/sort.txt")),
    ("sorted_sets", include_str!("../../tests/comparison/answers/sorted_sets.txt")),
    ("sorted_sets_pop", include_str!("../../tests/comparison/answers/sorted_sets_pop.txt")),
    ("streams", include_str!("../../tests/comparison/answers/streams.txt")),
    ("streams_groups", include_str!("../../tests/comparison/answers/streams_groups.txt")),
    ("streams_references", include_str!("../../tests/comparison/answers/streams_references.txt")),
    ("strings", include_str!("../../tests/comparison/answers/strings.txt")),
    ("struct", include_str!("../../tests/comparison/answers/struct.txt")),
    ("tracking", include_str!("../../tests/comparison/answers/tracking.txt")),
    ("transactions", include_str!("../../tests/comparison/answers/transactions.txt")),
];

/// The known differences, which also have the markers for answers that differ from one start of a server to the
/// next.
const DIFFERENCES: &str = include_str!("../../tests/comparison/differences.md");

/// The cases of a family, and the answers of real servers.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// The cases.
    pub scenarios: Vec<Scenario>,
    /// The answers.
    pub answers: Answers,
    /// The known differences.
    pub rows: Vec<Difference>,
}

/// The names of all families.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Reads the families that have this name, or all.
///
/// # Errors
///
/// A file is not what the formats say.
pub fn families(wanted: Option<&str>) -> Result<Vec<Family>, String> {
    let files = FILES.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let read = |(name, text): &(&'static str, &str)| {
        let answers = Answers::read(name, text)?;
        let scenarios = script::read(name, &answers.cases())?;
        let servers: Vec<&str> = answers.references.iter().map(|reference| reference.name.as_str()).collect();
        let rows = differences::read("differences.md", DIFFERENCES, name, &servers)?;
        Ok(Family { name, scenarios, answers, rows })
    };
    files.map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn all_answers_are_there_and_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/comparison/answers");
        let mut files: Vec<String> = fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        assert_eq!(names().map(|name| format!("{name}.txt")).collect::<Vec<_>>(), files);
        let families = families(None).expect("they are well formed");
        for family in &families {
            assert_eq!(family.answers.references, families[0].answers.references, "{}", family.name);
        }
    }
}
