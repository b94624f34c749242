//! The program from its user's side: flags, what it prints, signals, `run`.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use minibroker::Broker;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A timeout that is not reached even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

fn minibroker<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minibroker"));
    // No terminal, even if the tests run in one.
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it until it ends by itself.
fn ended<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> io::Result<Output> {
    minibroker(arguments).output()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program while it serves. It is killed with the test.
struct Program {
    child: Child,
    /// What it has printed when it was ready.
    ready: String,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Program {
    /// Starts it and reads the ready line.
    fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> io::Result<Self> {
        Self::of(&mut minibroker(arguments))
    }

    fn of(command: &mut Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut ready = String::new();
        stdout.read_line(&mut ready)?;
        Ok(Self { child, ready: ready.trim_end().to_owned(), stdout, stderr })
    }

    /// The addresses in the ready line.
    fn addresses(&self) -> Vec<&str> {
        let addresses =
            self.ready.split_once(" is ready on ").unwrap_or_else(|| panic!("{:?}", self.ready)).1;
        addresses.split(", ").collect()
    }

    fn connect(&self) -> io::Result<Wire> {
        Wire::connect(self.addresses()[0])
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("an id"), signal).expect("it is there");
    }

    /// Waits for its end; returns the status and what else it has printed on standard output and standard error.
    fn end(mut self) -> io::Result<(ExitStatus, String, String)> {
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out)?;
        self.stderr.read_to_string(&mut err)?;
        Ok((self.child.wait()?, out, err))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection on which lines are typed.
struct Wire(BufReader<TcpStream>);

impl Wire {
    fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The next line.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Types a line and returns the first line of the answer.
    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.line()
    }
}

/// A folder for one test; paths of sockets must be short.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("minibroker-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_ready_line_has_the_version_and_the_free_port() -> Outcome {
    let program = Program::start(["--port", "0"])?;
    let version = env!("CARGO_PKG_VERSION");
    assert!(program.ready.starts_with(&format!("minibroker {version} is ready on 127.0.0.1:")));
    assert!(!program.addresses()[0].ends_with(":0"));
    assert_eq!(program.connect()?.ask("PING")?, "+PONG");
    Ok(())
}

#[test]
fn the_port_is_the_one_that_was_asked_for() -> Outcome {
    // It was free a moment ago; if another process has taken it, another port is tried.
    for _ in 0..20 {
        let port = Broker::start()?.port().to_string();
        let program = Program::start(["--port", &port])?;
        if !program.ready.is_empty() {
            assert_eq!(program.addresses(), [format!("127.0.0.1:{port}")]);
            return Ok(());
        }
    }
    panic!("no port stays free");
}

#[cfg(unix)]
#[test]
fn the_port_file_has_the_port_while_the_program_listens() -> Outcome {
    let folder = Folder::new("port-file")?;
    let path = folder.file("port");
    let program = Program::start(["--port", "0", "--port-file", &path])?;
    let port = fs::read_to_string(&path)?;
    assert_eq!(program.addresses(), [format!("127.0.0.1:{}", port.trim_end())]);
    program.signal(rustix::process::Signal::TERM);
    program.end()?;
    assert_eq!(fs::read_dir(&folder.0)?.count(), 0);
    Ok(())
}

#[test]
fn a_port_file_that_cannot_be_written_is_an_error() -> Outcome {
    let ended = ended(["--port", "0", "--port-file", "/no/such/folder/port"])?;
    let stderr = text(&ended.stderr);
    assert!(stderr.starts_with("minibroker: cannot write /no/such/folder/port: "), "{stderr}");
    assert_eq!((ended.status.code(), stderr.lines().count()), (Some(2), 1));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn it_listens_on_all_addresses_that_it_is_given() -> Outcome {
    let program = Program::start(["--port", "0", "--bind", "127.0.0.1", "127.0.0.2"])?;
    let addresses = program.addresses();
    assert_eq!(addresses.len(), 2);
    assert!(
        addresses[0].starts_with("127.0.0.1:") && addresses[1].starts_with("127.0.0.2:"),
        "{addresses:?}"
    );
    for address in addresses {
        assert_eq!(Wire::connect(address)?.ask("PING")?, "+PONG");
    }
    Ok(())
}

#[test]
fn addresses_may_be_names_and_a_star_is_all() -> Outcome {
    let program = Program::start(["--port", "0", "--bind", "localhost"])?;
    assert_eq!(program.connect()?.ask("PING")?, "+PONG");
    let program = Program::start(["--port", "0", "--bind", "*"])?;
    let port = program.addresses()[0].strip_prefix("0.0.0.0:").expect("all addresses").to_owned();
    assert_eq!(Wire::connect(&format!("127.0.0.1:{port}"))?.ask("PING")?, "+PONG");
    Ok(())
}

#[test]
fn clients_have_to_give_the_password() -> Outcome {
    let program = Program::start(["--port", "0", "--requirepass", "s3cret"])?;
    let mut client = program.connect()?;
    assert_eq!(client.ask("PING")?, "-NOAUTH Authentication required.");
    assert_eq!(client.ask("AUTH s3cret")?, "+OK");
    assert_eq!(client.ask("PING")?, "+PONG");
    Ok(())
}

#[test]
fn there_are_as_many_databases_and_clients_as_were_asked_for() -> Outcome {
    let program = Program::start(["--port", "0", "--databases", "3", "--maxclients", "1"])?;
    let mut client = program.connect()?;
    assert_eq!(client.ask("SELECT 2")?, "+OK");
    assert_eq!(client.ask("SELECT 3")?, "-ERR DB index is out of range");
    assert_eq!(program.connect()?.line()?, "-ERR max number of clients reached");
    Ok(())
}

/// Runs the program with a limit of open files that it cannot raise.
#[cfg(unix)]
fn with_few_files(soft: u32, hard: u32, arguments: &str) -> io::Result<Program> {
    let script = format!("ulimit -Sn {soft}; ulimit -Hn {hard}; exec \"$0\" {arguments}");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_minibroker")]);
    Program::of(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

#[cfg(unix)]
#[test]
fn there_are_not_more_clients_than_files_and_the_program_says_so() -> Outcome {
    let mut program = with_few_files(50, 72, "--port 0 --maxclients 10000")?;
    let mut line = String::new();
    program.stderr.read_line(&mut line)?;
    let expected =
        "minibroker: only 72 files may be open: maxclients is 40 and not 10000; `ulimit -n` raises it\n";
    assert_eq!(line, expected);
    let mut clients = (0..40).map(|_| program.connect()).collect::<io::Result<Vec<_>>>()?;
    for client in &mut clients {
        assert_eq!(client.ask("PING")?, "+PONG");
    }
    for _ in 0..20 {
        assert_eq!(program.connect()?.line()?, "-ERR max number of clients reached");
    }
    let client = &mut clients[0];
    let refused = "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is \
                   not able to handle the specified number of clients, try with 40";
    assert_eq!(client.ask("CONFIG SET timeout 0 maxclients 41")?, refused);
    assert_eq!(client.ask("CONFIG SET maxclients 40")?, "+OK");
    assert_eq!(client.ask("CONFIG SET maxclients 39 timeout 0")?, "+OK");
    Ok(())
}

#[cfg(unix)]
#[test]
fn the_limit_of_open_files_is_raised_for_the_clients() -> Outcome {
    let mut program = with_few_files(50, 200, "--port 0 --maxclients 100")?;
    let mut clients = (0..100).map(|_| program.connect()).collect::<io::Result<Vec<_>>>()?;
    for client in &mut clients {
        assert_eq!(client.ask("PING")?, "+PONG");
    }
    assert_eq!(clients[0].ask("CONFIG SET maxclients 168")?, "+OK");
    drop(clients);
    program.child.kill()?;
    assert_eq!(program.end()?.2, "");
    Ok(())
}

#[test]
fn other_settings_of_redis_conf_are_flags() -> Outcome {
    let flags = "--port 0 --notify-keyspace-events KEA --list-max-listpack-size -3 \
                 --client-output-buffer-limit pubsub 10mb 5mb 60 --protected-mode no --appendonly no --save";
    let program = Program::start(flags.split(' ').chain([""]))?;
    let mut client = program.connect()?;
    for (name, value) in [
        ("notify-keyspace-events", "AKE"),
        ("list-max-listpack-size", "-3"),
        ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 10485760 5242880 60"),
        ("save", ""),
    ] {
        assert_eq!(client.ask(&format!("CONFIG GET {name}"))?, "*2");
        let answer = [client.line()?, client.line()?, client.line()?, client.line()?];
        assert_eq!([&answer[1], &answer[3]], [name, value]);
    }
    Ok(())
}

#[test]
fn a_setting_that_cannot_be_is_one_clear_line_and_status_2() -> Outcome {
    for (name, value, reason) in [
        ("appendonly", "yes", "nothing is saved by minibroker"),
        ("timeout", "soon", "argument couldn't be parsed into an integer"),
    ] {
        let ended = ended(["--port", "0", &format!("--{name}"), value])?;
        let expected = format!("minibroker: cannot set `{name}` to \"{value}\": {reason}\n");
        assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(2), expected));
    }
    Ok(())
}

#[test]
fn compat_chooses_the_version_that_is_spoken() -> Outcome {
    for (arguments, version) in [
        (&["--port", "0"][..], "8.2.3"),
        (&["--port", "0", "--compat", "8.2"], "8.2.3"),
        (&["--port", "0", "--compat", "8.0"], "8.0.6"),
        (&["--port", "0", "--compat", "7.4"], "7.4.7"),
        (&["--port", "0", "--compat", "7.0"], "7.0.15"),
    ] {
        let program = Program::start(arguments)?;
        let mut client = program.connect()?;
        client.ask("LOLWUT VERSION 7")?;
        assert_eq!(client.line()?, format!("Redis ver. {version}"));
    }
    Ok(())
}

#[test]
fn a_version_that_is_not_spoken_is_refused_with_those_that_are() -> Outcome {
    for version in ["6.2", "7.2", "8", "valkey"] {
        let ended = ended(["--port", "0", "--compat", version])?;
        let stderr = text(&ended.stderr);
        let expected = format!(
            "error: invalid value '{version}' for '--compat <VERSION>': there are 7.0, 7.4, 8.0, 8.2\n"
        );
        assert!(stderr.starts_with(&expected), "{stderr}");
        assert_eq!(ended.status.code(), Some(2));
    }
    Ok(())
}

#[test]
fn verbose_prints_the_commands_and_no_password() -> Outcome {
    let mut program = Program::start(["--port", "0", "--requirepass", "s3cret", "--verbose"])?;
    let mut client = program.connect()?;
    client.ask("AUTH s3cret")?;
    client.ask("CONFIG SET timeout 0 RequirePass another")?;
    client.ask("PUBLISH chat hello")?;
    let mut printed = || -> io::Result<String> {
        let mut line = String::new();
        program.stderr.read_line(&mut line)?;
        Ok(line.trim_end().split_once("] ").map_or(line.clone(), |(_, command)| command.to_owned()))
    };
    let auth = printed()?;
    assert!(auth.starts_with("\"AUTH\"") && !auth.contains("s3cret"), "{auth}");
    assert_eq!(printed()?, r#""CONFIG" "SET" "timeout" "0" "RequirePass" "(redacted)""#);
    assert_eq!(printed()?, r#""PUBLISH" "chat" "hello""#);
    Ok(())
}

#[test]
fn a_busy_port_is_one_clear_line_and_status_2() -> Outcome {
    let broker = Broker::start()?;
    let ended = ended(["--port", &broker.port().to_string()])?;
    assert_eq!(ended.status.code(), Some(2));
    let stderr = text(&ended.stderr);
    let expected = format!("minibroker: cannot listen on 127.0.0.1:{}: ", broker.port());
    assert!(stderr.starts_with(&expected) && stderr.lines().count() == 1, "{stderr}");
    assert!(ended.stdout.is_empty());
    Ok(())
}

#[cfg(unix)]
#[test]
fn it_serves_though_its_output_is_not_read() -> Outcome {
    let folder = Folder::new("unread")?;
    let path = folder.file("chat.sock");
    let mut child = minibroker(["--port", "0", "--verbose", "--unixsocket", &path]).spawn()?;
    drop((child.stdout.take(), child.stderr.take()));
    let answer = loop {
        // Connecting is tried until it works, as the ready line is not read.
        match std::os::unix::net::UnixStream::connect(&path) {
            Err(_) => std::thread::yield_now(),
            Ok(mut stream) => {
                stream.write_all(b"PING\r\nPING\r\n")?;
                let mut answer = [0; 14];
                stream.read_exact(&mut answer)?;
                break answer;
            }
        }
    };
    child.kill()?;
    child.wait()?;
    assert_eq!(&answer, b"+PONG\r\n+PONG\r\n");
    Ok(())
}

const FLAGS: [&str; 13] = [
    "--port",
    "--bind",
    "--unixsocket",
    "--requirepass",
    "--databases",
    "--maxclients",
    "--seed",
    "--port-file",
    "--compat",
    "--verbose",
    "--load",
    "--dbfilename",
    "--dir",
];

#[test]
fn help_has_every_flag_and_fits_the_screen() -> Outcome {
    for arguments in [&["--help"][..], &["-h"], &["run", "--help"]] {
        let ended = ended(arguments)?;
        assert!(ended.status.success());
        let help = text(&ended.stdout);
        let others = ["--help", "--notify-keyspace-events", "minibroker run [OPTIONS] -- COMMAND"];
        for flag in FLAGS.into_iter().chain(others) {
            assert!(help.contains(flag), "{flag} is missing in {arguments:?}:\n{help}");
        }
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }
    assert_eq!(text(&ended(["--help"])?.stdout), text(&ended(["-h"])?.stdout));
    Ok(())
}

#[test]
fn a_file_that_was_saved_is_loaded_again() -> Outcome {
    let folder = std::env::temp_dir().join(format!("minibroker-saved-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (dir, file) = (folder.display().to_string(), folder.join("chat.rdb").display().to_string());
    let url = |program: &Program| format!("redis://{}", program.addresses()[0]);
    let saving = Program::start(["--port", "0", "--dir", &dir, "--dbfilename", "chat.rdb"])?;
    let mut client = redis::Client::open(url(&saving))?.get_connection()?;
    redis::cmd("RPUSH").arg("history").arg("hello").exec(&mut client)?;
    redis::cmd("SAVE").exec(&mut client)?;
    drop(saving);
    for arguments in [&["--load", &file][..], &["--dir", &dir, "--dbfilename", "chat.rdb"]] {
        let loading = Program::start([&["--port", "0"], arguments].concat())?;
        let mut client = redis::Client::open(url(&loading))?.get_connection()?;
        assert_eq!(redis::cmd("LLEN").arg("history").query::<i64>(&mut client)?, 1);
    }
    std::fs::write(&file, "REDIS0099")?;
    let ended = ended(["--port", "0", "--load", &file])?;
    assert_eq!(ended.status.code(), Some(2));
    let expected =
        format!("minibroker: cannot load {file}: byte 0: version \"REDIS0099\" of the format is not known\n");
    assert_eq!(text(&ended.stderr), expected);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[test]
fn version_is_the_packages() -> Outcome {
    let ended = ended(["--version"])?;
    assert_eq!(text(&ended.stdout), format!("minibroker {}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}

#[test]
fn invalid_arguments_are_refused_with_status_2() -> Outcome {
    for (arguments, named) in [
        (&["--prot", "1"][..], "--prot"),
        (&["--port", "65536"], "65536"),
        (&["--bind", "no such name"], "no such name"),
        (&["--databases", "0"], "--databases"),
        (&["--maxclients", "0"], "--maxclients"),
        (&["--timeout"], "--timeout"),
        (&["serve"], "serve"),
    ] {
        let ended = ended(arguments)?;
        let stderr = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(named), "{arguments:?}: {stderr}");
    }
    Ok(())
}

#[cfg(unix)]
mod signals {
    use rustix::process::Signal;

    use super::*;

    #[test]
    fn ctrl_c_and_sigterm_end_it_cleanly() -> Outcome {
        let folder = Folder::new("signals")?;
        for signal in [Signal::INT, Signal::TERM] {
            let path = folder.file("chat.sock");
            let program = Program::start(["--port", "0", "--unixsocket", &path])?;
            assert_eq!(program.addresses()[1], path);
            let mut client = program.connect()?;
            assert_eq!(client.ask("PING")?, "+PONG");
            std::os::unix::net::UnixStream::connect(&path)?;
            program.signal(signal);
            let (status, out, err) = program.end()?;
            assert_eq!((status.code(), out.as_str(), err.as_str()), (Some(0), "", ""));
            assert!(!fs::exists(&path)?, "the socket's file is gone");
            assert_eq!(client.line()?, "", "the client is cut");
        }
        Ok(())
    }

    #[test]
    fn it_runs_on_when_its_terminal_is_closed() -> Outcome {
        let program = Program::start(["--port", "0", "--verbose"])?;
        let mut client = program.connect()?;
        program.signal(Signal::HUP);
        assert_eq!(client.ask("PING")?, "+PONG");
        // The second signal is seen after the first one.
        program.signal(Signal::TERM);
        let (status, ..) = program.end()?;
        assert_eq!(status.code(), Some(0));
        Ok(())
    }

    #[test]
    fn it_ends_between_slow_requests() -> Outcome {
        // All of them together take far longer than a signal.
        const REQUESTS: usize = 500;
        let program = Program::start(["--port", "0"])?;
        let mut client = program.connect()?;
        for key in ["a", "b"] {
            assert_eq!(client.ask(&format!("SET {key} {}", "x".repeat(3_000)))?, "+OK");
        }
        client.0.get_mut().write_all("LCS a b LEN\r\n".repeat(REQUESTS).as_bytes())?;
        assert_eq!(client.line()?, ":3000");
        program.signal(Signal::TERM);
        let (status, ..) = program.end()?;
        assert_eq!(status.code(), Some(0));
        let mut replies = String::new();
        // The connection may have been reset, as requests were left.
        let _ = client.0.read_to_string(&mut replies);
        assert!(replies.lines().count() < REQUESTS - 1, "all requests were run first");
        Ok(())
    }

    #[test]
    fn the_last_commands_are_printed_before_the_end() -> Outcome {
        const COMMANDS: usize = 500;
        let program = Program::start(["--port", "0", "--verbose"])?;
        let mut client = program.connect()?;
        for number in 0..COMMANDS {
            client.ask(&format!("PING {number}"))?;
            client.line()?;
        }
        program.signal(Signal::TERM);
        let (status, _, printed) = program.end()?;
        assert!(status.success());
        assert_eq!(printed.lines().count(), COMMANDS);
        assert!(printed.trim_end().ends_with(&format!("\"PING\" \"{}\"", COMMANDS - 1)), "{printed}");
        Ok(())
    }

    #[test]
    fn it_ends_though_its_output_is_not_read() -> Outcome {
        // Far more than the pipe can hold.
        const COMMANDS: usize = 10_000;
        let mut program = Program::start(["--port", "0", "--verbose"])?;
        let mut client = program.connect()?;
        client.0.get_mut().write_all("PING\r\n".repeat(COMMANDS).as_bytes())?;
        for _ in 0..COMMANDS {
            assert_eq!(client.line()?, "+PONG");
        }
        program.signal(Signal::TERM);
        assert!(program.child.wait()?.success());
        Ok(())
    }
}

#[cfg(unix)]
mod run {
    use rustix::process::Signal;

    use super::*;

    fn run(script: &str) -> io::Result<Output> {
        ended(["run", "--", "sh", "-c", script])
    }

    #[test]
    fn the_command_finds_the_broker_by_its_environment() -> Outcome {
        let ended = ended(["run", "--requirepass", "s cret", "--", "sh", "-c", "env | grep ^REDIS_ | sort"])?;
        assert!(ended.status.success() && ended.stderr.is_empty());
        let printed = text(&ended.stdout);
        let lines: Vec<_> = printed.lines().collect();
        let port = lines[1].strip_prefix("REDIS_PORT=").expect("the port");
        assert_ne!(port, "6379", "each run has a port of its own");
        let url = format!("REDIS_URL=redis://default:s%20cret@127.0.0.1:{port}");
        assert_eq!(lines, ["REDIS_HOST=127.0.0.1", lines[1], &url]);
        Ok(())
    }

    #[test]
    fn the_broker_is_there_for_the_time_of_the_command() -> Outcome {
        // The command prints where the broker is and waits for a line.
        let mut child = minibroker(["run", "--", "sh", "-c", "echo $REDIS_HOST:$REDIS_PORT; read line"])
            .stdin(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address)?;
        let mut client = Wire::connect(address.trim_end())?;
        assert_eq!(client.ask("PING")?, "+PONG");
        child.stdin.take().expect("piped").write_all(b"end\n")?;
        assert!(child.wait()?.success());
        assert_eq!(client.line()?, "");
        Ok(())
    }

    #[test]
    fn the_exit_status_is_the_commands() -> Outcome {
        for (script, status) in [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -KILL $$", 137)] {
            assert_eq!(run(script)?.status.code(), Some(status), "{script}");
        }
        Ok(())
    }

    #[test]
    fn arguments_with_dashes_are_the_commands_own() -> Outcome {
        let ended = ended(["run", "--", "printf", "%s.", "--port", "-x", "--", "a b"])?;
        assert_eq!(text(&ended.stdout), "--port.-x.--.a b.");
        Ok(())
    }

    #[test]
    fn flags_stand_before_or_behind_run() -> Outcome {
        let script = ["--", "sh", "-c", "echo $REDIS_URL"];
        for flags in [
            &["--requirepass", "x", "--bind", "127.0.0.1", "run"][..],
            &["run", "--bind", "127.0.0.1", "--requirepass", "x"],
            &["--requirepass", "x", "run", "--port", "0"],
        ] {
            let ended = ended(flags.iter().chain(&script))?;
            assert!(
                text(&ended.stdout).starts_with("redis://default:x@127.0.0.1:"),
                "{}",
                text(&ended.stderr)
            );
        }
        Ok(())
    }

    #[test]
    fn signals_are_passed_on_as_they_came() -> Outcome {
        // Some shells lose a signal that arrives just before `wait`; a loop runs its traps repeatedly.
        let script = "trap 'exit 7' INT; trap 'exit 8' TERM; echo trapped; while :; do sleep 0.05; done";
        for (signal, status) in [(Signal::INT, 7), (Signal::TERM, 8)] {
            let program = Program::start(["run", "--", "sh", "-c", script])?;
            assert_eq!(program.ready, "trapped");
            program.signal(signal);
            assert_eq!(program.end()?.0.code(), Some(status));
        }
        Ok(())
    }

    #[test]
    fn verbose_prints_what_the_command_did() -> Outcome {
        // The test itself sends what is printed; the command prints the URL and waits for it.
        let mut child = minibroker(["run", "--verbose", "--", "sh", "-c", "echo $REDIS_PORT; read line"])
            .stdin(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut port)?;
        let mut client = Wire::connect(&format!("127.0.0.1:{}", port.trim_end()))?;
        client.ask("PING")?;
        client.ask("PING")?;
        drop(child.stdin.take());
        let printed = text(&child.wait_with_output()?.stderr);
        assert_eq!(printed.lines().filter(|line| line.ends_with("] \"PING\"")).count(), 2, "{printed}");
        Ok(())
    }

    #[test]
    fn a_command_is_needed() -> Outcome {
        for arguments in [&["run"][..], &["run", "--"], &["run", "--port", "0"]] {
            let ended = ended(arguments)?;
            let stderr = text(&ended.stderr);
            assert_eq!(ended.status.code(), Some(2));
            assert!(
                stderr.contains("<COMMAND>") && stderr.contains("minibroker run [OPTIONS] --"),
                "{stderr}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_command_that_cannot_be_run_is_one_line_and_the_shells_status() -> Outcome {
        let folder = Folder::new("cannot-run")?;
        let file = folder.file("notes.txt");
        fs::write(&file, "no program")?;
        for (command, status) in [("no-such-command", 127), (&file, 126)] {
            let ended = ended(["run", "--", command])?;
            assert_eq!(ended.status.code(), Some(status));
            let stderr = text(&ended.stderr);
            assert!(stderr.starts_with(&format!("minibroker: cannot run {command}: ")), "{stderr}");
            assert_eq!(stderr.lines().count(), 1);
        }
        Ok(())
    }
}

#[cfg(all(feature = "tls", unix))]
#[test]
fn run_speaks_tls_with_certificates_of_its_own() -> Outcome {
    let folder = Folder::new("tls-own")?;
    let directory = folder.0.display().to_string();
    let script = "echo $REDIS_URL $REDIS_PORT; cd \"$0\" && echo *";
    let flags = ["run", "--tls-port", "0", "--tls-dir", &directory, "--", "sh", "-c", script, &directory];
    let output = ended(flags)?;
    let printed = text(&output.stdout);
    let (first, files) = printed.split_once('\n').expect("lines");
    let (url, port) = first.split_once(' ').expect("two words");
    assert_eq!(url, format!("rediss://127.0.0.1:{port}"));
    assert_eq!(files, "ca.crt client.crt client.key server.crt server.key\n");
    Ok(())
}

#[cfg(feature = "tls")]
#[test]
fn a_port_for_tls_is_beside_the_plain_one_unless_that_is_0() -> Outcome {
    let folder = Folder::new("tls-beside")?;
    let directory = folder.0.display().to_string();
    // The port may be taken between choosing and using it.
    let (plain, program) = loop {
        let plain = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let program = Program::start(["--port", &plain, "--tls-port", "0", "--tls-dir", &directory])?;
        if !program.ready.is_empty() {
            break (plain, program);
        }
    };
    let addresses = program.addresses();
    assert_eq!((addresses.len(), addresses[0]), (2, format!("127.0.0.1:{plain}").as_str()));
    assert!(addresses[1].ends_with(" (TLS)"), "{addresses:?}");
    assert_eq!(program.connect()?.ask("PING")?, "+PONG");
    drop(program);

    let (certificate, key) = (folder.file("server.crt"), folder.file("server.key"));
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let program = Program::start(["--port", "0", "--tls-port", "0"].iter().chain(&files))?;
    let addresses = program.addresses();
    assert!(addresses.len() == 1 && addresses[0].ends_with(" (TLS)"), "{addresses:?}");
    Ok(())
}

#[cfg(feature = "tls")]
#[test]
fn tls_without_certificates_is_an_error() -> Outcome {
    let folder = Folder::new("tls-without")?;
    let missing = folder.file("server.crt");
    for (flags, error) in [
        (
            vec!["--tls-port", "0"],
            "minibroker: cannot speak TLS: no --tls-cert-file, and no --tls-dir for certificates of its own\n"
                .to_owned(),
        ),
        (
            vec!["--tls-port", "0", "--tls-cert-file", &missing],
            "minibroker: cannot set `tls-key-file` to \"\": No tls-key-file configured!\n".to_owned(),
        ),
        (
            vec!["--tls-port", "0", "--tls-cert-file", &missing, "--tls-key-file", &missing],
            format!("minibroker: cannot set `tls-cert-file` to {missing:?}: "),
        ),
    ] {
        let output = ended(["--port", "0"].iter().chain(&flags))?;
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{printed}");
        assert!(printed.starts_with(&error), "{printed}");
    }
    Ok(())
}
