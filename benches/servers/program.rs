//! Finds the servers, starts them as processes, and measures them from outside.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::bare;
use super::client::{Buffer, Connection, request};

/// How long a server may take to answer its first PING.
const START_LIMIT: Duration = Duration::from_secs(20);
/// The time between two attempts to connect to a server that starts.
const START_STEP: Duration = Duration::from_micros(100);

/// More than any work has.
const MAX_CLIENTS: &str = "15000";

/// A server that can be started.
pub struct Program {
    /// `minibroker`, `redis 7.0.15`.
    pub name: String,
    pub kind: Kind,
    path: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// minibroker.
    Ours,
    /// A real server, which we compare with.
    Real,
    /// Another build of minibroker.
    Beside,
    /// The bare loop: the cost of the kernel alone.
    Bare,
}

/// Raises the limit of open files to the maximum of the system, for this process and those that it starts.
pub fn allow_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If the limit stays low, work that needs more files fails with an error.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

impl Program {
    /// minibroker first, then every real server that this machine has.
    pub fn all() -> Vec<Self> {
        let path = env!("CARGO_BIN_EXE_minibroker").into();
        let ours = Self { name: "minibroker".into(), path, kind: Kind::Ours };
        let real = ["redis-server", "redis8-server", "valkey9-server"].into_iter().filter_map(installed);
        let real = real.map(|path| Self { name: version(&path), path, kind: Kind::Real });
        std::iter::once(ours).chain(real).collect()
    }

    /// Another build of minibroker, by its file.
    pub fn beside(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, path: path.into(), kind: Kind::Beside }
    }

    /// The bare loop, which is this program itself with another argument.
    pub fn bare() -> io::Result<Self> {
        Ok(Self { name: "bare loop".into(), path: env::current_exe()?, kind: Kind::Bare })
    }

    /// The programs that come with the servers and load them, by name and version.
    pub fn redis_benchmarks() -> Vec<(String, PathBuf)> {
        let found = ["redis-benchmark", "redis8-benchmark", "valkey9-benchmark"].into_iter();
        found.filter_map(installed).map(|path| (version(&path), path)).collect()
    }

    /// Starts it on a free port and waits for its first PONG.
    pub fn start(&self) -> Result<Server, String> {
        // The port may be taken between choosing and using it; then another is tried.
        let attempts = std::iter::repeat_with(|| self.attempt()).take(5);
        let mut last = String::new();
        for attempt in attempts {
            match attempt {
                Ok(server) => return Ok(server),
                Err(error) => last = format!("{} does not start: {error}", self.name),
            }
        }
        Err(last)
    }

    fn attempt(&self) -> io::Result<Server> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("minibroker-load-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(&self.path);
        let port = address.port().to_string();
        match self.kind {
            Kind::Bare => command.args([bare::FLAG, &port]),
            Kind::Ours | Kind::Beside | Kind::Real => {
                command.args(["--port", &port, "--bind", "127.0.0.1", "--maxclients", MAX_CLIENTS])
            }
        };
        if self.kind == Kind::Real {
            command.args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"]).arg(&folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let begin = Instant::now();
        let child = command.spawn()?;
        let mut server = Server { address, kind: self.kind, child, folder, started_in: Duration::ZERO };
        let (ping, mut buffer) = (request(["PING"]), Buffer::new());
        loop {
            let answer = Connection::open(address).and_then(|mut it| it.ask(&ping, 1, &mut buffer));
            server.started_in = begin.elapsed();
            if let Some(status) = server.child.try_wait()? {
                return Err(io::Error::other(format!("it ended at once: {status}")));
            }
            match answer {
                Ok(()) => return Ok(server),
                Err(error) if server.started_in > START_LIMIT => return Err(error),
                Err(_) => thread::sleep(START_STEP),
            }
        }
    }
}

/// Where a program is, if this machine has it: in the folder of the peers or in `PATH`.
fn installed(name: &str) -> Option<PathBuf> {
    let peers = env::var_os("MINIBROKER_PEERS").map_or_else(|| "/opt/peers".into(), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(peers).chain(env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// `Redis server v=7.0.15 sha=...` as `redis 7.0.15`, `redis-benchmark 7.0.15` as it is; the name of the file if
/// there is no version in the output.
fn version(path: &Path) -> String {
    let output = Command::new(path).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    let kind = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    let mut words = text.split_whitespace().map(|word| word.strip_prefix("v=").unwrap_or(word));
    let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    number.map_or_else(|| path.display().to_string(), |number| format!("{kind} {number}"))
}

/// A running server; it ends with the value.
pub struct Server {
    pub address: SocketAddr,
    pub kind: Kind,
    /// From the start of the process to its first PONG.
    pub started_in: Duration,
    child: Child,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and the folder may be gone: both are fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    /// The CPU time that all threads of the server have used, if the system reports it.
    pub fn cpu(&self) -> Option<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let nanos = tasks.flatten().filter_map(|task| {
            let line = fs::read_to_string(task.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse::<u64>().ok()
        });
        Some(Duration::from_nanos(nanos.sum()))
    }

    /// The resident memory in bytes, if the system reports it.
    pub fn memory(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// Waits until the server is idle, so that the end of one piece of work does not disturb the next.
    pub fn settle(&self) {
        const STEP: Duration = Duration::from_millis(2);
        // A server that is never idle is measured anyway.
        let mut before = self.cpu();
        for _ in 0..500 {
            thread::sleep(STEP);
            let now = self.cpu();
            let used = now.zip(before).map_or(Duration::ZERO, |(now, before)| now.saturating_sub(before));
            if used < STEP / 10 {
                return;
            }
            before = now;
        }
    }
}
