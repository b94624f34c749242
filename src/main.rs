//! The broker as a program of its own: `minibroker --port 6380`.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use minibroker::{Broker, StartError};
use tokio::io::{AsyncBufReadExt, BufReader};

/// A broker that speaks the Redis protocol, for testing chats and queues.
///
/// It keeps everything in memory and forgets it at the end. Clients of Redis use it unchanged.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Start a broker, run a command with REDIS_URL, REDIS_HOST and REDIS_PORT set, and end with its exit status.
    Run {
        #[command(flatten)]
        options: RunOptions,
        /// The command and its arguments.
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
}

/// The options of `minibroker run`: a free port unless another is asked for.
#[derive(Args, Debug)]
struct RunOptions {
    /// TCP port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    settings: Settings,
}

/// The options of the broker alone.
#[derive(Args, Debug)]
struct Options {
    /// TCP port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 6379)]
    port: u16,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args, Debug)]
struct Settings {
    /// Addresses to listen on; whoever can reach them can use the broker.
    #[arg(long, num_args = 1.., value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: Vec<IpAddr>,
    /// Password that clients have to give.
    #[arg(long, value_name = "PASSWORD")]
    requirepass: Option<String>,
    /// Number of databases.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    databases: u16,
    /// Most clients at a time.
    #[arg(long, default_value_t = 10_000)]
    maxclients: usize,
    /// Unix socket to listen on as well.
    #[arg(long, value_name = "PATH")]
    unixsocket: Option<PathBuf>,
    /// File to write the port into once the broker listens, for scripts.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// Print each command as it comes, to standard error.
    #[arg(long)]
    verbose: bool,
}

/// The exit status when the broker could not be started, or the command of `run` could not.
const FAILURE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (port, settings, command) = match cli.command {
        None => (cli.options.port, cli.options.settings, None),
        Some(Command::Run { options, command }) => (options.port, options.settings, Some(command)),
    };
    let outcome = start(port, &settings).and_then(|broker| match command {
        None => serve(&broker, settings.verbose),
        Some(command) => run(&broker, &command, settings.verbose),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("minibroker: {error}");
        ExitCode::from(FAILURE)
    })
}

/// What ends the program early, as one line for its user.
#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self(error.to_string())
    }
}

fn start(port: u16, settings: &Settings) -> Result<Broker, Failure> {
    let mut builder = Broker::builder()
        .port(port)
        .bind(settings.bind.iter().copied())
        .databases(usize::from(settings.databases))
        .max_clients(settings.maxclients)
        .password(settings.requirepass.clone().unwrap_or_default());
    if let Some(path) = &settings.unixsocket {
        builder = builder.unix_socket(path);
    }
    let broker = builder.start()?;
    if let Some(path) = &settings.port_file {
        write_port(path, broker.port())
            .map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(broker)
}

/// Writes the port so that whoever waits for the file never reads half of it.
fn write_port(path: &std::path::Path, port: u16) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    std::fs::write(&unfinished, format!("{port}\n"))?;
    std::fs::rename(&unfinished, path)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure(format!("cannot start: {error}")))
}

/// Serves until Ctrl-C or SIGTERM.
fn serve(broker: &Broker, verbose: bool) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        // Before the ready line: who has read it may send a signal at once.
        let ended = ended()?;
        if verbose {
            tokio::spawn(print_commands(broker.commands()));
        }
        let mut out = std::io::stdout().lock();
        // Whoever started us may have closed our standard output; we serve all the same.
        let _ = writeln!(out, "minibroker {} is ready on {}", env!("CARGO_PKG_VERSION"), broker.addr());
        let _ = out.flush();
        drop(out);
        ended.await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Runs a command with the broker's address in its environment.
fn run(broker: &Broker, command: &[std::ffi::OsString], verbose: bool) -> Result<ExitCode, Failure> {
    let (program, arguments) = command.split_first().ok_or(Failure("no command to run".into()))?;
    let cannot = |error| Failure(format!("cannot run {}: {error}", program.display()));
    runtime()?.block_on(async {
        let ended = ended()?;
        if verbose {
            tokio::spawn(print_commands(broker.commands()));
        }
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env("REDIS_URL", broker.url())
            .env("REDIS_HOST", broker.addr().ip().to_string())
            .env("REDIS_PORT", broker.port().to_string())
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        tokio::select! {
            status = child.wait() => Ok(exit_code(status.map_err(cannot)?)),
            () = ended => {
                pass_on_end(&child);
                Ok(exit_code(child.wait().await.map_err(cannot)?))
            }
        }
    })
}

/// Tells the command of `run` that it is to end, as we were told.
fn pass_on_end(child: &tokio::process::Child) {
    if let Some(id) = child.id() {
        // The system's own program, so that no unsafe code is needed here.
        let _ = std::process::Command::new("kill").arg(id.to_string()).status();
    }
}

/// The exit status of the command; 128 and the signal, as shells say, where a signal ended it.
fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    let code = status.code().or(signal.map(|signal: i32| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Resolves when the program is told to end.
fn ended() -> Result<impl Future<Output = ()>, Failure> {
    let cannot = |error| Failure(format!("cannot listen to signals: {error}"));
    #[cfg(unix)]
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(cannot)?;
    #[cfg(unix)]
    let mut interrupt =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).map_err(cannot)?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

async fn print_commands(commands: tokio::io::DuplexStream) {
    let mut lines = BufReader::new(commands).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = line.strip_prefix(b"+").unwrap_or(&line);
        eprintln!("{}", String::from_utf8_lossy(line.trim_ascii_end()));
    }
}
