//! People: programs that are typed to and whose output is read.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::DEADLINE;
use crate::scratch::Scratch;

/// A person at a terminal with a program running. The program is killed on drop.
pub struct Person {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    out: Output,
    err: Output,
    /// How far into the output each awaited text has been found.
    found: HashMap<String, usize>,
    home: Scratch,
}

/// What a person has seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The person.
    pub name: String,
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
}

impl Person {
    /// Writes `program` to the person's own directory and starts it with `command`.
    pub fn start(name: &str, command: impl FnOnce(&Path) -> Command) -> Person {
        let home = Scratch::new();
        let mut child = command(home.path())
            .current_dir(home.path())
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the program of {name} cannot start: {error}"));
        let stdin = child.stdin.take();
        let out = Output::of(child.stdout.take().expect("stdout is a pipe"));
        let err = Output::of(child.stderr.take().expect("stderr is a pipe"));
        Person { name: name.to_owned(), child, stdin, out, err, found: HashMap::new(), home }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.presses(&format!("{line}\n"));
    }

    /// Types exactly these characters.
    pub fn presses(&mut self, keys: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        if let Err(error) = stdin.write_all(keys.as_bytes()).and_then(|()| stdin.flush()) {
            self.fail(&format!("could not type {keys:?}: {error}"));
        }
    }

    /// Waits until `text` is shown, later than it was last awaited with this method.
    ///
    /// Each text has its own progress, so that it does not matter which of two
    /// threads of a program prints first.
    pub fn sees(&mut self, text: &str) {
        let from = self.found.get(text).copied().unwrap_or(0);
        match self.out.find(text, from) {
            Some(at) => {
                self.found.insert(text.to_owned(), at + text.len());
            }
            None => self.fail(&format!("never saw {text:?} (again)")),
        }
    }

    /// Whether `text` has been shown up to now.
    pub fn has_seen(&self, text: &str) -> bool {
        self.out.text().contains(text)
    }

    /// Waits until the program ends.
    pub fn leaves(&mut self) {
        if !self.out.closed() || !self.err.closed() {
            self.fail("should have left");
        }
    }

    /// A file that the person's program has written into its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Ends the program if it still runs, and returns everything it has shown.
    pub fn seen(mut self) -> Seen {
        self.stop();
        Seen {
            name: self.name.clone(),
            out: self.out.rest(),
            err: self.err.rest().replace(&*self.home.path().to_string_lossy(), "~"),
        }
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn fail(&self, what: &str) -> ! {
        let (out, err) = (self.out.text(), self.err.text());
        panic!("{} {what}\n--- stdout:\n{out}\n--- stderr:\n{err}", self.name);
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A stream of a program, read by its own thread.
struct Output {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output {
    fn of(mut source: impl Read + Send + 'static) -> Output {
        let shared = Arc::new(Shared::default());
        let to = Arc::clone(&shared);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                to.lock().bytes.extend_from_slice(&buffer[..count]);
                to.changed.notify_all();
            }
            to.lock().closed = true;
            to.changed.notify_all();
        });
        Output { shared, reader: Some(reader) }
    }

    /// The position of `text` at or after `from`, as soon as it is there; `None` if the stream ends without
    /// it.
    fn find(&self, text: &str, from: usize) -> Option<usize> {
        let find = |state: &State| {
            let rest = state.bytes.get(from..)?;
            let at = rest.windows(text.len()).position(|window| window == text.as_bytes())?;
            Some(from + at)
        };
        let state = self.wait(|state| state.closed || find(state).is_some());
        find(&state)
    }

    /// Waits for the end of the stream; false at the deadline.
    fn closed(&self) -> bool {
        self.wait(|state| state.closed).closed
    }

    /// Waits until `enough`, or the deadline.
    fn wait(&self, enough: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let end = Instant::now() + DEADLINE;
        let mut state = self.shared.lock();
        while !enough(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// What has been received up to now.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().bytes).into_owned()
    }

    /// Everything, after the program has ended.
    fn rest(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading does not panic");
        }
        self.text()
    }
}
