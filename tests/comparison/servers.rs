//! Starting the servers that are compared.

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use minibroker::Version;
use minibroker::internal::conform::control::Control;

/// How long a server may take to start. Only an upper bound, for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running server, real or `minibroker`; it ends with the value.
#[derive(Debug)]
pub struct Server {
    /// `minibroker`, or the name and version of the server: `redis-7.0`, `redis-8.2`, `valkey-9.1`.
    pub name: String,
    /// The full version, as `7.0.15`.
    pub release: String,
    pub addr: SocketAddr,
    keep: Keep,
}

#[derive(Debug)]
enum Keep {
    Process { process: Process },
    Broker { _broker: minibroker::Broker },
}

/// A process and its folder. Both are removed on drop, even while a panic unwinds.
#[derive(Debug)]
struct Process {
    child: Child,
    folder: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    /// Whether it still runs.
    #[allow(dead_code)] // Not every test uses it.
    pub fn is_running(&mut self) -> bool {
        match &mut self.keep {
            Keep::Process { process } => process.child.try_wait().is_ok_and(|status| status.is_none()),
            Keep::Broker { .. } => true,
        }
    }

    /// The version of `minibroker` for a comparison with this server.
    pub fn version(&self) -> Version {
        version_of(&self.name)
    }
}

/// The version of `minibroker` for a comparison with a server of this name. Valkey 9 is nearest to Redis 8.0.
pub fn version_of(name: &str) -> Version {
    if name.starts_with("valkey-") {
        return Version::Redis8_0;
    }
    name.strip_prefix("redis-").and_then(|version| version.parse().ok()).unwrap_or_default()
}

/// Starts `minibroker` in this process, as a server of this version.
pub fn minibroker(version: Version) -> Result<Server, String> {
    let broker = minibroker::Broker::builder().compat(version).start();
    let broker = broker.map_err(|error| format!("minibroker does not start: {error}"))?;
    let name = format!("minibroker as Redis {version}");
    let release = version.release().to_owned();
    Ok(Server {
        name,
        release,
        addr: broker.addr().expect("it listens"),
        keep: Keep::Broker { _broker: broker },
    })
}

/// Every installed real server, Redis 8.2 first, started when the iterator reaches it.
pub fn real() -> impl Iterator<Item = Result<Server, String>> {
    real_with(&[])
}

/// The same, with more settings for each.
pub fn real_with(settings: &[String]) -> impl Iterator<Item = Result<Server, String>> {
    programs().map(|program| {
        start(&program, settings).map_err(|error| format!("{} does not start: {error}", program.display()))
    })
}

/// The programs of all real servers that this machine has.
pub fn programs() -> impl Iterator<Item = PathBuf> {
    let peers = env::var_os("MINIBROKER_PEERS").map_or_else(|| PathBuf::from("/opt/peers"), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let installed =
        env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| file.is_file());
    let peer = |name: &str| Some(peers.join(name));
    // The server of the default version of minibroker comes first.
    [peer("redis82-server"), peer("redis8-server"), installed, peer("valkey9-server")]
        .into_iter()
        .flatten()
        .filter(|program| program.is_file())
}

/// The servers whose answers are recorded.
#[allow(dead_code)] // Not every test has recordings.
pub const RECORDED: [&str; 4] = ["redis-7.0", "redis-8.0", "redis-8.2", "valkey-9.1"];

/// The hint if a recording is missing.
#[allow(dead_code)]
pub const HOW_TO_RECORD: &str = "RECORD=1 cargo test records anew where all servers are at hand";

/// Whether this run records anew what real servers answer.
#[allow(dead_code)]
pub fn is_recording() -> bool {
    env::var_os("RECORD").is_some()
}

/// All servers that are recorded, in their order; none may be missing.
#[allow(dead_code)]
pub fn all_recorded() -> Result<Vec<Server>, String> {
    let mut found = real().collect::<Result<Vec<_>, _>>()?;
    let missing = RECORDED.iter().find(|name| !found.iter().any(|server| server.name == **name));
    if let Some(missing) = missing {
        return Err(format!("recording wants all of {}: there is no {missing}", RECORDED.join(", ")));
    }
    found.sort_by_key(|server| RECORDED.iter().position(|name| *name == server.name));
    Ok(found)
}

/// Starts one of them, with more settings.
pub fn start(program: &Path, settings: &[String]) -> io::Result<Server> {
    // The connection blocks, which a thread that drives asynchronous tasks must not do.
    let started = thread::scope(|scope| scope.spawn(|| try_often(program, settings)).join());
    started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn try_often(program: &Path, settings: &[String]) -> io::Result<Server> {
    let mut last = io::Error::other("no attempt");
    for _ in 0..5 {
        match attempt(program, settings) {
            Ok(server) => return Ok(server),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The port may be taken between choosing and using it; then the process ends and another is tried.
fn attempt(program: &Path, settings: &[String]) -> io::Result<Server> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("minibroker-comparison-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let child = Command::new(program)
        .args(["--port", &addr.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        // Like minibroker, which always allows DEBUG.
        .args(["--enable-debug-command", "yes", "--daemonize", "no", "--dir"])
        .arg(&folder)
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut process = Process { child, folder };
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(status) = process.child.try_wait()? {
            return Err(io::Error::other(format!("it ended at once: {status}")));
        }
        if let Ok(mut control) = Control::connect(addr)
            && control.barrier().is_ok()
            && process.child.try_wait()?.is_none()
        {
            let info = control.info("server")?;
            if field(&info, "process_id") != Some(&process.child.id().to_string()) {
                return Err(io::Error::other("another server has taken the port"));
            }
            let (name, release) = name(&info);
            return Ok(Server { name, release, addr, keep: Keep::Process { process } });
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no PONG in time"));
        }
        // The interval between two attempts to connect; the test does not depend on it.
        thread::sleep(Duration::from_millis(3));
    }
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Kind and version up to the minor number, and the full version.
fn name(info: &str) -> (String, String) {
    let (kind, version) = match field(info, "valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", field(info, "redis_version").unwrap_or("?")),
    };
    let short: Vec<&str> = version.split('.').take(2).collect();
    (format!("{kind}-{}", short.join(".")), version.to_owned())
}
