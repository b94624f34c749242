//! The program, its files, and the servers that it connects to.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{servers, skipped};

/// The URL of a server, as an argument of the program.
pub fn url(addr: SocketAddr) -> String {
    format!("redis://{addr}")
}

/// Every server of this machine, minibroker included.
pub fn all() -> Result<Vec<servers::Server>, String> {
    let mut servers = vec![servers::minibroker(minibroker::Version::default())?];
    for server in servers::real() {
        servers.push(server?);
    }
    if servers.len() == 1 {
        skipped::missing("redis-server");
    }
    Ok(servers)
}

/// The program with these arguments and piped output.
pub fn minibroker<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minibroker"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The output of the program when it has ended by itself, and its exit status.
pub struct Ended {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ended {
    /// Fails unless the exit status is this one.
    #[track_caller]
    pub fn with(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}{}", self.out, self.err);
        self
    }
}

/// Runs the program until it ends by itself.
pub fn ended<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> io::Result<Ended> {
    Ok(minibroker(arguments).output()?.into())
}

/// Starts the program.
pub fn started<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> io::Result<Child> {
    minibroker(arguments).spawn()
}

/// Plays a session.
pub fn replay(file: &str, server: &str, more: &[&str]) -> io::Result<Ended> {
    ended(["replay", file, "--to", server].iter().chain(more))
}

/// Compares minibroker with a server by a session.
pub fn compare(file: &str, server: &str, more: &[&str]) -> io::Result<Ended> {
    ended(["compare", file, "--with", server].iter().chain(more))
}

/// A recording that is being made.
pub struct Recorder {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Where clients connect.
    pub addr: SocketAddr,
}

impl Recorder {
    pub fn start(upstream: &str, out: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let mut child = started(["record", "--upstream", upstream, "--listen", "0", "--out", out])?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("piped")?);
        let mut ready = String::new();
        stdout.read_line(&mut ready)?;
        let addr = ready.split_once(" is ready on ").and_then(|(_, rest)| rest.split_once(','));
        let addr = addr.ok_or_else(|| format!("{ready:?}"))?.0.parse()?;
        Ok(Self { child, stdout, addr })
    }

    /// Ends it as Ctrl-C does.
    pub fn end(self) -> Result<(), Box<dyn std::error::Error>> {
        let ended = self.ended()?.with(0);
        assert!(ended.out.is_empty() && ended.err.is_empty(), "{}{}", ended.out, ended.err);
        Ok(())
    }

    /// The same, with any exit status.
    pub fn ended(mut self) -> Result<Ended, Box<dyn std::error::Error>> {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.ok_or("no id")?, rustix::process::Signal::INT)?;
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out)?;
        self.child.stderr.take().ok_or("piped")?.read_to_string(&mut err)?;
        Ok(Ended { status: self.child.wait()?.code(), out, err })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for one test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("minibroker-sessions-{}-{number}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// A file with this text.
    pub fn with(&self, name: &str, text: &str) -> io::Result<String> {
        let file = self.file(name);
        fs::write(&file, text)?;
        Ok(file)
    }

    /// The names of all files.
    pub fn files(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
