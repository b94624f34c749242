//! A process that has no file descriptor left for another connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use minibroker::Broker;

use super::peer::TIMEOUT;

/// The variable that marks the process with few files.
const FEW_FILES: &str = "MINIBROKER_TEST_FEW_FILES";
/// How many files the process may open.
const FILES: usize = 40;
/// How many clients connect.
const CLIENTS: usize = 100;

/// The process that the test starts: it runs a broker and prints its port, until its input ends.
fn serve() {
    let broker = Broker::start().unwrap();
    println!("port {}", broker.port());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn connect(port: u16) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    BufReader::new(stream)
}

fn ask(client: &mut BufReader<TcpStream>, line: &str) -> String {
    // The connection of a client that is refused may be closed already; the error can still be read.
    let _ = client.get_mut().write_all(format!("{line}\r\n").as_bytes());
    let mut answer = String::new();
    client.read_line(&mut answer).unwrap();
    answer
}

#[test]
fn clients_without_a_free_file_get_an_error_and_others_are_served() {
    if std::env::var_os(FEW_FILES).is_some() {
        return serve();
    }
    let name = "files::clients_without_a_free_file_get_an_error_and_others_are_served";
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" --exact {name} --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .env(FEW_FILES, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| line.strip_prefix("port ")?.parse().ok()).unwrap();
    let (mut served, mut refused) = (Vec::new(), 0);
    for _ in 0..CLIENTS {
        let mut client = connect(port);
        match &*ask(&mut client, "PING") {
            "+PONG\r\n" => served.push(client),
            "-ERR max number of clients reached\r\n" => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(!served.is_empty() && served.len() < FILES, "{} served", served.len());
    let first = &mut served[0];
    assert_eq!(ask(first, "CLIENT SETNAME first"), "+OK\r\n");
    let mut answer = ask(first, "INFO stats");
    let mut rest = vec![0; answer[1..].trim_end().parse::<usize>().unwrap() + 2];
    first.read_exact(&mut rest).unwrap();
    answer.push_str(&String::from_utf8(rest).unwrap());
    assert!(answer.contains(&format!("\r\nrejected_connections:{refused}\r\n")), "{answer}");
    // When a client has disconnected another is served.
    let mut last = served.pop().unwrap();
    assert_eq!(ask(&mut last, "QUIT"), "+OK\r\n");
    assert_eq!(last.read(&mut [0]).unwrap(), 0);
    assert_eq!(ask(&mut connect(port), "PING"), "+PONG\r\n");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
