//! What a scenario plays on: the tools of the machine, a server, and people.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::document::Document;
use crate::person::{Person, Seen};
use crate::server::{Control, Kind, Server};
use crate::skipped;

/// Which of the Python environments.
#[derive(Debug, Clone, Copy)]
pub enum Python {
    /// The one with the newest redis-py.
    Current,
    /// The one with redis-py 5.
    Five,
}

/// A scenario with its server.
pub struct Stage {
    tools: Tools,
    /// The server of all clients.
    pub server: Server,
}

/// Plays `scenario` with both servers at once and asserts that all clients saw the same.
pub fn same_under_both(python: Python, scenario: fn(&Stage) -> Vec<Seen>) {
    let needed = ["documents", "redis-py", "redis-server", "redis-cli"];
    let Some(tools) = Tools::find(python, &needed) else {
        return;
    };
    let play = |kind| scenario(&Stage::new(&tools, kind));
    let (redis, minibroker) = std::thread::scope(|scope| {
        let redis = scope.spawn(|| play(Kind::Redis));
        let minibroker = scope.spawn(|| play(Kind::Minibroker));
        (redis.join(), minibroker.join())
    });
    let redis = redis.unwrap_or_else(|panic| {
        eprintln!("the scenario failed against redis-server");
        resume_unwind(panic)
    });
    let minibroker = minibroker.unwrap_or_else(|panic| {
        eprintln!("the scenario failed against minibroker");
        resume_unwind(panic)
    });
    assert_eq!(redis.len(), minibroker.len(), "as many people under both servers");
    for (redis, minibroker) in redis.iter().zip(&minibroker) {
        assert!(
            redis == minibroker,
            "{} saw with redis-server\n{}\n{}\nbut with minibroker\n{}\n{}",
            redis.name,
            redis.out,
            redis.err,
            minibroker.out,
            minibroker.err,
        );
    }
}

impl Stage {
    /// A stage with a new server of this kind.
    pub fn new(tools: &Tools, kind: Kind) -> Stage {
        let server = Server::start(kind, &tools.redis_server);
        Stage { tools: tools.clone(), server }
    }

    /// The document whose file's name starts with `prefix`.
    pub fn document(&self, prefix: &str) -> Document {
        Document::read(&self.tools.documents, prefix)
    }

    /// A control connection to the server.
    pub fn control(&self) -> Control {
        Control::of(&self.server)
    }

    /// A user who runs a program of a document, unchanged.
    pub fn program(&self, name: &str, program: &str) -> Person {
        Person::start(name, |home| {
            let file = home.join("main.py");
            std::fs::write(file, program).expect("the program can be written down");
            let mut command = self.python();
            command.arg("main.py");
            command
        })
    }

    /// A user who runs a script of the tests, a path from their folder.
    pub fn script(&self, name: &str, script: &str, arguments: &[&str]) -> Person {
        Person::start(name, |_| {
            let mut command = self.python();
            command.arg(folder().join(script)).args(arguments);
            command
        })
    }

    /// Somebody at a terminal with redis-cli.
    pub fn redis_cli_on_terminal(&self, name: &str) -> Person {
        Person::start(name, |_| {
            let mut command = self.python();
            command.arg(folder().join("python/terminal.py"));
            command.arg(&self.tools.redis_cli).args(["-p", &self.server.port().to_string()]);
            // On this terminal redis-cli does not edit lines: its output is plain text.
            command.env("TERM", "dumb");
            command
        })
    }

    /// redis-cli as scripts use it, without a terminal.
    pub fn redis_cli_on_pipe(&self, name: &str) -> Person {
        Person::start(name, |_| {
            let mut command = Command::new(&self.tools.redis_cli);
            command.env_remove("REDISCLI_AUTH");
            command.args(["-p", &self.server.port().to_string()]);
            command
        })
    }

    /// The version of redis-cli: its first two numbers.
    pub fn redis_cli_version(&self) -> [u32; 2] {
        let output = Command::new(&self.tools.redis_cli).arg("--version").output();
        let output = output.expect("redis-cli can be run").stdout;
        let text = String::from_utf8_lossy(&output);
        let version = text.split_whitespace().nth(1).unwrap_or_default();
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        std::array::from_fn(|_| numbers.next().unwrap_or(0))
    }

    fn python(&self) -> Command {
        let mut command = Command::new(&self.tools.python);
        command
            .arg("-u")
            .env_remove("REDISCLI_AUTH")
            .env_remove("PYTHONHOME")
            .env_remove("PYTHONSTARTUP")
            .env_remove("PYTHONWARNINGS")
            .env("PYTHONPATH", folder().join("python/redirect"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONIOENCODING", "utf-8")
            // Sets print their members in the same order every time.
            .env("PYTHONHASHSEED", "0")
            .env("LC_ALL", "C.UTF-8")
            .env("REDIS_URL", format!("redis://127.0.0.1:{}", self.server.port()))
            .env("MINIBROKER_REDIRECT_PORT", self.server.port().to_string());
        command
    }
}

/// Where these tests are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// What the scenarios need from the machine.
#[derive(Debug, Clone)]
pub struct Tools {
    documents: PathBuf,
    python: PathBuf,
    redis_server: PathBuf,
    redis_cli: PathBuf,
}

impl Tools {
    /// Finds what is needed, by its name in `skipped`, or notes what is missing.
    pub fn find(python: Python, needed: &[&str]) -> Option<Tools> {
        let (variable, default) = match python {
            Python::Current => ("MINIBROKER_PYTHON_CURRENT", "target/python/current/bin/python"),
            Python::Five => ("MINIBROKER_PYTHON_5", "target/python/5/bin/python"),
        };
        let tools = Tools {
            documents: path("MINIBROKER_DOCUMENTS", "../shared/seeds"),
            python: path(variable, default),
            redis_server: PathBuf::from("redis-server"),
            redis_cli: std::env::var_os("MINIBROKER_REDIS_CLI")
                .map_or_else(|| "redis-cli".into(), PathBuf::from),
        };
        // All that is missing is noted, not only the first.
        let missing: Vec<_> = needed.iter().filter(|name| !tools.has(name)).collect();
        for name in &missing {
            skipped::missing(name);
        }
        missing.is_empty().then_some(tools)
    }

    /// The same tools if there is this one too, else notes it.
    pub fn and(&self, name: &str) -> Option<&Tools> {
        if !self.has(name) {
            skipped::missing(name);
            return None;
        }
        Some(self)
    }

    fn has(&self, name: &str) -> bool {
        match name {
            "documents" => self.documents.is_dir(),
            "redis-py" => runs(&self.python, &["-c", "import redis"]),
            "redis-server" => runs(&self.redis_server, &["--version"]),
            "redis-cli" => runs(&self.redis_cli, &["--version"]),
            other => panic!("{other} is no tool of these tests"),
        }
    }
}

/// The path in an environment variable, or the default one in the repository.
fn path(variable: &str, default: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(default),
    }
}

fn runs(program: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
