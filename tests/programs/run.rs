//! Running a program on a server.

use std::env;
use std::fs;
use std::io::Read;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use minibroker::Version;

use crate::language::Language;
use crate::servers::Server;
use crate::tls::OverTls;
use crate::{folder, servers, skipped};

/// How long a program may take. Only an upper bound: it takes seconds, on a busy machine longer.
const DEADLINE: Duration = Duration::from_secs(180);

/// The programs whose libraries refuse servers older than Redis 7.4.
const REFUSE_7_0: [&str; 1] = ["redis_py_cache"];

/// How the names of programs end that connect over TLS.
const OVER_TLS: &str = "_tls";

/// Runs a program on minibroker and on a real server at once: on both it prints what is recorded.
pub fn has_the_same_outcome(language: Language, name: &str) {
    if !language.is_there() {
        skipped::missing(language.missing());
        return;
    }
    let expected = folder().join("expected").join(format!("{name}.txt"));
    let tls = name.ends_with(OVER_TLS).then(OverTls::start);
    // Not every real server is built with TLS.
    let speaks_tls = |program: &PathBuf| tls.as_ref().is_none_or(|tls| tls.real(program).is_ok());
    let real = servers::programs().find(speaks_tls);
    let plain = |server: &Server| vec![("REDIS_URL", format!("redis://{}", server.addr))];
    let (ours, theirs) = thread::scope(|scope| {
        let theirs = real.as_ref().map(|program| {
            scope.spawn(|| {
                let (server, environment) = match &tls {
                    None => {
                        let server = servers::start(program, &[]).expect("the server starts");
                        let environment = plain(&server);
                        (server, environment)
                    }
                    Some(tls) => {
                        let (server, port) = tls.real(program).expect("the server starts, and speaks TLS");
                        (server, tls.environment(port))
                    }
                };
                let is_refused = server.version() < Version::Redis7_4 && REFUSE_7_0.contains(&name);
                (!is_refused).then(|| (server.name.clone(), outcome(language, name, environment)))
            })
        });
        let ours = if let Some(tls) = &tls {
            outcome(language, name, tls.environment(tls.port()))
        } else {
            let broker = servers::minibroker(Version::default()).expect("it starts");
            outcome(language, name, plain(&broker))
        };
        (ours, theirs.and_then(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))))
    });
    match theirs {
        Some((server, theirs)) => {
            if env::var_os("RECORD").is_some() {
                fs::write(&expected, &theirs.out).expect("it can be written");
            }
            theirs.is(&fs::read_to_string(&expected).unwrap_or_default(), &server);
        }
        None => skipped::missing("a server beside the recorded answers"),
    }
    ours.is(&fs::read_to_string(&expected).unwrap_or_default(), "minibroker");
}

/// What a program has printed, and how it ended.
struct Outcome {
    out: String,
    err: String,
    end: String,
}

impl Outcome {
    #[track_caller]
    fn is(&self, expected: &str, server: &str) {
        let Outcome { out, err, end } = self;
        assert!(
            out == expected && end == "exit status: 0",
            "expected is\n{expected}\nbut on {server} it prints\n{out}\nand ends with {end}; on standard error\n{err}",
        );
    }
}

fn outcome(language: Language, name: &str, environment: Vec<(&str, String)>) -> Outcome {
    let mut command = language.command(name);
    command
        .envs(environment)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env_remove("REDISCLI_AUTH")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let out = read(child.stdout.take().expect("it is a pipe"));
    let err = read(child.stderr.take().expect("it is a pipe"));
    let end = end(&mut child);
    let text = |reader: JoinHandle<String>| reader.join().expect("it only reads");
    Outcome { out: text(out), err: text(err), end }
}

/// How the program ends. It is killed if it does not end in time.
fn end(child: &mut Child) -> String {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("it is a child") {
            return status.to_string();
        }
        // The interval between two checks; the test does not depend on it.
        thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    format!("nothing: it still ran after {DEADLINE:?}")
}

/// Reads a stream to its end in another thread.
fn read(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
