//! The languages of the programs, and where their libraries are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

use crate::folder;

/// The language of a program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Language {
    Python,
    Node,
    Ruby,
    Rust,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 4] = [Language::Python, Language::Node, Language::Ruby, Language::Rust];

    /// The folder of its libraries.
    fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Node => "node",
            Language::Ruby => "ruby",
            Language::Rust => "rust",
        }
    }

    /// The folder of its programs.
    pub fn folder(self) -> &'static str {
        match self {
            Language::Rust => "rust/src/bin",
            language => language.name(),
        }
    }

    /// The extension of its programs.
    pub fn suffix(self) -> &'static str {
        match self {
            Language::Python => ".py",
            Language::Node => ".js",
            Language::Ruby => ".rb",
            Language::Rust => ".rs",
        }
    }

    /// The name of its libraries in `skipped`.
    pub fn missing(self) -> &'static str {
        match self {
            Language::Python => "programs in Python",
            Language::Node => "programs in Node",
            Language::Ruby => "programs in Ruby",
            Language::Rust => "programs in Rust",
        }
    }

    /// Whether its libraries are installed, in the recorded versions.
    pub fn is_there(self) -> bool {
        static THERE: [OnceLock<bool>; Language::ALL.len()] =
            [const { OnceLock::new() }; Language::ALL.len()];
        *THERE[self as usize].get_or_init(|| match self {
            Language::Python => {
                is_made_from(self, &["requirements.txt"]) && runs(&mut self.program(), &["-V"])
            }
            Language::Node => {
                is_made_from(self, &["package-lock.json"]) && runs(&mut self.program(), &["-v"])
            }
            // Version 7 is configured in another way.
            Language::Ruby => {
                let of_version_6 = "require 'sidekiq'; exit Sidekiq::VERSION.start_with?('6.')";
                runs(&mut self.program(), &["-e", of_version_6])
            }
            // The programs are built with their libraries, so their texts count too.
            Language::Rust => {
                let mut files = vec!["Cargo.toml".to_owned(), "Cargo.lock".to_owned()];
                let programs = crate::files(&folder().join(self.folder()), self.suffix());
                files.extend(programs.iter().map(|name| format!("src/bin/{name}.rs")));
                is_made_from(self, &files)
            }
        })
    }

    /// A command that runs a program.
    pub fn command(self, name: &str) -> Command {
        if self == Language::Rust {
            return Command::new(libraries().join("rust/debug").join(name));
        }
        let mut command = self.program();
        command.arg(folder().join(self.folder()).join(format!("{name}{}", self.suffix())));
        command
    }

    /// The command that runs its programs, in an environment that finds the libraries.
    ///
    /// # Panics
    ///
    /// For Rust, whose programs run by themselves.
    fn program(self) -> Command {
        let libraries = libraries().join(self.name());
        match self {
            Language::Python => {
                let mut command = Command::new(libraries.join("bin/python"));
                command
                    .env_remove("PYTHONHOME")
                    .env_remove("PYTHONPATH")
                    .env_remove("PYTHONSTARTUP")
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    .env("PYTHONIOENCODING", "utf-8")
                    // Sets print their members in the same order every time.
                    .env("PYTHONHASHSEED", "0");
                command
            }
            Language::Node => {
                let mut command = Command::new(libraries.join("bin/node"));
                command.env_remove("NODE_OPTIONS").env("NODE_PATH", libraries.join("node_modules"));
                command
            }
            Language::Ruby => {
                let mut command = Command::new("ruby");
                // The libraries warn of calls among themselves.
                command.arg("-W0").env_remove("RUBYOPT").env_remove("RUBYLIB");
                command
            }
            Language::Rust => unreachable!("programs in Rust run by themselves"),
        }
    }
}

/// Where `setup` has put the libraries.
fn libraries() -> PathBuf {
    match env::var_os("MINIBROKER_PROGRAMS") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/programs"),
    }
}

/// Whether `setup` has made a language's folder from the present versions of these files.
fn is_made_from(language: Language, files: &[impl AsRef<Path>]) -> bool {
    let made_from = fs::read(libraries().join(language.name()).join("made-from"));
    let from = folder().join(language.name());
    let now = files.iter().map(|file| fs::read(from.join(file))).collect::<Result<Vec<_>, _>>();
    made_from.is_ok_and(|made_from| now.is_ok_and(|now| now.concat() == made_from))
}

fn runs(command: &mut Command, arguments: &[&str]) -> bool {
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
