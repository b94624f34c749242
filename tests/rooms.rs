//! The rooms of the code: each uses only those below it, and the files of a room form no cycle.
//!
//! What a file uses is read from its `use` lines and from the paths that begin with `crate::` or `super::` in its text. Unit
//! tests may use anything and are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The table of rooms and the picture of their arrows are in ARCHITECTURE.md.
const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// Files above all rooms, or with documentation only.
const OUTSIDE: [&str; 4] = ["lib", "main", "differences", "testing_a_chat"];

/// A module with the modules that its file names.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn architecture() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(ARCHITECTURE);
    fs::read_to_string(path).expect("it can be read").replace("\r\n", "\n")
}

/// The rooms as the table lists them, the lowest first.
fn rooms() -> Vec<String> {
    let text = architecture();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("/` |"));
    let mut rooms: Vec<String> = rows.map(|(room, _)| room.to_owned()).collect();
    rooms.reverse();
    rooms
}

/// The lines between the fences of the picture.
fn picture() -> String {
    let text = architecture();
    let (_, picture) = text.split_once("```mermaid\n").expect("there is a picture");
    picture.split_once("```").expect("it ends").0.to_owned()
}

fn source_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            source_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// `state/list/mod.rs` as `state/list`, `state/list/nodes.rs` as `state/list/nodes`.
fn module_of(file: &Path, source: &Path) -> String {
    let path = file.strip_prefix(source).expect("it is below").with_extension("");
    let path = path.to_str().expect("names are text").replace('\\', "/");
    path.strip_suffix("/mod").unwrap_or(&path).to_owned()
}

/// The text without comments and without its unit tests.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(test)]") {
            // The module that follows, up to its closing brace; one in its own file is one line.
            let next = lines.next().unwrap_or_default();
            if !next.ends_with(';') {
                let _ = lines.by_ref().find(|line| *line == "}");
            }
        } else if !line.trim_start().starts_with("//") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The paths in a text that begin with `crate` or `super`, with groups in braces expanded.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':') {
                continue;
            }
            take_apart(&mut text[at..].chars().peekable(), String::new(), &mut found);
        }
    }
    found
}

/// Reads one path, or the paths of a group.
fn take_apart(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, prefix: String, found: &mut Vec<String>) {
    let mut path = prefix;
    while let Some(next) = rest.peek().copied() {
        match next {
            '{' if path.ends_with("::") => {
                rest.next();
                loop {
                    while rest.next_if(|next| next.is_whitespace() || *next == ',').is_some() {}
                    if rest.next_if_eq(&'}').is_some() || rest.peek().is_none() {
                        break;
                    }
                    take_apart(rest, path.clone(), found);
                    // ` as Name`
                    while rest.next_if(|next| !matches!(next, ',' | '}')).is_some() {}
                }
                return;
            }
            ':' | '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => {
                path.push(next);
                rest.next();
            }
            _ => break,
        }
    }
    found.push(path);
}

/// The module that a path in the file of `module` leads to, if it is one of `modules`.
fn target(path: &str, module: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut steps: Vec<&str> = path.split("::").filter(|step| !step.is_empty()).collect();
    let mut at: Vec<&str> = Vec::new();
    if steps.first() == Some(&"super") {
        at = module.split('/').collect();
        while steps.first() == Some(&"super") {
            at.pop();
            steps.remove(0);
        }
    } else {
        steps.remove(0);
    }
    at.extend(steps);
    while !at.is_empty() {
        let name = at.join("/");
        if modules.contains(&name) {
            return Some(name);
        }
        at.pop();
    }
    None
}

fn uses() -> Uses {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&source, &mut files);
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(file, &source)).collect();
    let of_file = |file: &PathBuf| {
        let module = module_of(file, &source);
        let text = without_tests(&fs::read_to_string(file).expect("the file can be read"));
        // What a module uses from one that it declares: `child::Item`.
        let below = modules.iter().filter(|other| {
            let child = other.strip_prefix(&format!("{module}/")).filter(|child| !child.contains('/'));
            child.is_some_and(|child| text.contains(&format!(" {child}::")))
        });
        let named = paths(&text).into_iter().filter_map(|path| target(&path, &module, &modules));
        let named: BTreeSet<String> = named.chain(below.cloned()).collect();
        (module.clone(), named.into_iter().filter(|other| *other != module).collect())
    };
    files.iter().filter(|file| !file.ends_with("tests.rs")).map(of_file).collect()
}

fn room(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

#[test]
fn the_table_of_rooms_names_every_folder_and_no_other() {
    let rooms: BTreeSet<String> = rooms().into_iter().collect();
    let uses = uses();
    let found: BTreeSet<String> = uses
        .keys()
        .map(|module| room(module))
        .filter(|room| !OUTSIDE.contains(room))
        .map(str::to_owned)
        .collect();
    assert_eq!(rooms, found, "the rooms in {ARCHITECTURE}, and the folders of src");
}

#[test]
fn a_room_uses_only_those_below_it() {
    let rooms = rooms();
    let position = |room: &str| rooms.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    for (module, others) in uses() {
        let Some(own) = position(room(&module)) else { continue };
        let above = others.iter().filter(|other| position(room(other)).is_some_and(|other| other > own));
        wrong.extend(above.map(|other| format!("{module} -> {other}")));
    }
    assert!(wrong.is_empty(), "arrows that run up:\n{}", wrong.join("\n"));
}

/// All modules or rooms that each one reaches by its arrows.
fn reached(uses: &Uses) -> Uses {
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for next in uses.get(module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    uses.keys().map(|module| (module.clone(), reach(module))).collect()
}

#[test]
fn the_picture_of_the_rooms_has_every_arrow_and_no_other() {
    let mut arrows = Uses::new();
    for (module, others) in uses() {
        let from = room(&module).to_owned();
        if OUTSIDE.contains(&from.as_str()) {
            continue;
        }
        let to = others.iter().map(|other| room(other)).filter(|to| *to != from && !OUTSIDE.contains(to));
        arrows.entry(from.clone()).or_default().extend(to.map(str::to_owned));
    }
    // An arrow that follows from a path through other rooms is left out, so that the picture is readable.
    let reached = reached(&arrows);
    let mut drawn = vec!["flowchart TD".to_owned()];
    for from in rooms().iter().rev() {
        let others = arrows.get(from).into_iter().flatten();
        for to in others.clone() {
            let by_another = others.clone().any(|over| over != to && reached[over].contains(to));
            if !by_another {
                drawn.push(format!("    {from} --> {to}"));
            }
        }
    }
    let drawn = drawn.join("\n") + "\n";
    assert_eq!(picture(), drawn, "the picture in {ARCHITECTURE} is not this:\n{drawn}");
}

/// A module is in a cycle if it reaches itself. A module that only gathers those below it (`mod.rs`) counts as its
/// items.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reached = reached(uses);
    let mut found: Vec<Vec<String>> = Vec::new();
    for module in uses.keys() {
        if found.iter().flatten().any(|other| other == module) {
            continue;
        }
        let circle: Vec<String> = uses
            .keys()
            .filter(|other| {
                reached[module].contains(*other)
                    && reached.get(*other).is_some_and(|from_other| from_other.contains(module))
            })
            .cloned()
            .collect();
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

#[test]
fn the_files_of_a_room_form_no_circle() {
    // What a file uses from the `mod.rs` above it comes from one of its siblings, or is the room's struct to which the
    // file adds methods: that is a room, not a cycle.
    let mut uses = uses();
    for (module, others) in &mut uses {
        others.retain(|other| !module.starts_with(&format!("{other}/")));
    }
    let circles = circles(&uses);
    let shown = |circle: &Vec<String>| {
        let arrows = circle.iter().flat_map(|module| {
            let inside = uses[module].iter().filter(|other| circle.contains(other));
            inside.map(move |other| format!("    {module} -> {other}"))
        });
        arrows.collect::<Vec<_>>().join("\n")
    };
    let text: Vec<String> = circles.iter().map(shown).collect();
    assert!(circles.is_empty(), "circles of files:\n{}", text.join("\n\n"));
}
