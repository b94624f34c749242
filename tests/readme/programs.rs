//! The README's table of the libraries that run unchanged: those of the programs in `tests/programs`, which are run.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::section;

/// A language, the folder of its programs, how their comments begin, and the file with the versions of the
/// libraries.
const LANGUAGES: [(&str, &str, &str, &str); 4] = [
    ("Python", "python", "# ", "requirements.txt"),
    ("Node", "node", "// ", "package.json"),
    ("Ruby", "ruby", "# ", ""),
    ("Rust", "rust/src/bin", "//! ", "../../Cargo.toml"),
];

/// The recorded version of a library.
fn version<'a>(written: &'a str, library: &str) -> Option<&'a str> {
    let ways = [
        format!("{library}=="),
        format!("\"{library}\": \""),
        format!("{library} = \"="),
        format!("{library} = {{ version = \"="),
    ];
    let rest =
        written.lines().find_map(|line| ways.iter().find_map(|way| line.trim_start().strip_prefix(way)))?;
    rest.split('"').next()
}

/// The table, in the order of the languages and of the names of the files.
fn table() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut table = String::from("| | library | what runs |\n|---|---|---|\n");
    for (language, name, comment, versions) in LANGUAGES {
        let folder = folder.join(name);
        let versions = fs::read_to_string(folder.join(versions)).unwrap_or_default();
        let files =
            fs::read_dir(&folder).expect("there are programs").map(|file| file.expect("it is there").path());
        let is_program = |file: &Path| {
            matches!(file.extension().and_then(|end| end.to_str()), Some("py" | "js" | "rb" | "rs"))
        };
        let mut files: Vec<_> = files.filter(|file| is_program(file)).collect();
        files.sort();
        for file in files {
            // A file that several programs share is not a program.
            if file.file_stem().is_some_and(|name| name == "connection") {
                continue;
            }
            let text = fs::read_to_string(&file).expect("it is text");
            let description =
                text.lines().next().and_then(|line| line.strip_prefix(comment)?.split_once(": "));
            let Some((library, description)) = description else {
                panic!("{} does not begin with its library and what runs", file.display());
            };
            let version = match version(&versions, library) {
                Some(version) => version,
                None if language == "Ruby" => "of Debian 12",
                None => panic!("{library} has no version in {}", folder.display()),
            };
            let _ = writeln!(table, "| {language} | {library} {version} | {description} |");
        }
    }
    table
}

#[test]
fn the_readme_lists_the_libraries_whose_programs_are_run() {
    section::is("programs", &table());
}
