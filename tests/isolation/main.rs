//! Many brokers share nothing, and leave nothing behind when they are dropped.
//!
//! Resources of the whole process are counted, so this program has only one test.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use minibroker::Broker;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// How many exist at the same time.
const ALIVE: usize = 1_000;
/// How many are started and dropped in turn.
const IN_TURN: usize = 10_000;
/// One in this many of them has a client.
const WITH_CLIENT: usize = 10;
/// How many threads run at a time.
const THREADS: usize = 4;
/// A broker with a client uses fewer files than this.
const FILES: usize = 10;
/// An address of this machine whose ports no other process uses.
const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 77, 77, 77);
/// A timeout that is never reached.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How many bytes 10,000 brokers may leave allocated; 2 KB for each would be more.
const MEMORY_LEFT: usize = 16 * 1024 * 1024;

/// The resources of the process.
#[derive(Debug)]
struct Held {
    threads: usize,
    files: usize,
    /// Bytes.
    memory: usize,
}

impl Held {
    fn now() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let pages: usize =
            fs::read_to_string("/proc/self/statm")?.split(' ').nth(1).ok_or("it has two numbers")?.parse()?;
        Ok(Self {
            threads: fs::read_dir("/proc/self/task")?.count(),
            files: fs::read_dir("/proc/self/fd")?.count(),
            memory: pages * rustix::param::page_size(),
        })
    }
}

/// Sends a line on a connection and reads the expected answer.
fn ask(client: &mut TcpStream, line: &str, answer: &str) -> Outcome {
    client.write_all(format!("{line}\r\n").as_bytes())?;
    let mut read = vec![0; answer.len()];
    client.read_exact(&mut read)?;
    assert_eq!(String::from_utf8_lossy(&read), answer);
    Ok(())
}

/// Raises the limit of open files to the maximum of the system.
fn allow_files() -> Result<usize, Box<dyn Error + Send + Sync>> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX)))
}

fn many_live_side_by_side(count: usize) -> Outcome {
    let mut all = Vec::new();
    for number in 0..count {
        let broker = Broker::start()?;
        let mut client = TcpStream::connect(broker.addr().expect("it listens"))?;
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(TIMEOUT))?;
        ask(&mut client, &format!("SET key {number:06}"), "+OK\r\n")?;
        ask(&mut client, "SUBSCRIBE chat", "*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n")?;
        all.push((broker, client));
    }
    for (number, (broker, _)) in all.iter().enumerate() {
        assert_eq!(
            broker.command(["PUBLISH", "chat", &format!("{number:06}")])?,
            1,
            "its own client receives it"
        );
    }
    for (number, (broker, client)) in all.iter_mut().enumerate() {
        let number = format!("{number:06}");
        let message = format!("*3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$6\r\n{number}\r\n");
        ask(client, "PING", &format!("{message}*2\r\n$4\r\npong\r\n$0\r\n\r\n"))?;
        assert_eq!(broker.command(["GET", "key"])?, number.as_str());
        assert_eq!(broker.command(["DBSIZE"])?, 1);
        assert_eq!(broker.published("chat").len(), 1);
    }
    let ports: HashSet<_> = all.iter().map(|(broker, _)| broker.port()).collect();
    assert_eq!(ports.len(), count);
    Ok(())
}

/// Returns the ports that they had.
fn start_and_drop_in_turn(count: usize) -> Result<HashSet<u16>, Box<dyn Error + Send + Sync>> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let some = || -> Result<HashSet<u16>, Box<dyn Error + Send + Sync>> {
            let mut ports = HashSet::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(ports);
                }
                let broker = Broker::builder().bind([OWN_ADDRESS.into()]).start()?;
                if number.is_multiple_of(WITH_CLIENT) {
                    let mut client = TcpStream::connect(broker.addr().expect("it listens"))?;
                    ask(&mut client, "SUBSCRIBE chat", "*3\r\n$9\r\nsubscribe\r\n$4\r\nchat\r\n:1\r\n")?;
                    ports.insert(broker.port());
                    drop(broker);
                    assert_eq!(client.read(&mut [0])?, 0, "it is cut off");
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(some)).collect();
        let mut ports = HashSet::new();
        for thread in threads {
            ports.extend(thread.join().expect("no thread panics")?);
        }
        Ok(ports)
    })
}

/// The system removes a thread a moment after it has ended: returns the resources as soon as they are as expected,
/// or after a timeout.
fn held_in_the_end(expected: &Held) -> Result<Held, Box<dyn Error + Send + Sync>> {
    let began = Instant::now();
    loop {
        let held = Held::now()?;
        if (held.threads, held.files) == (expected.threads, expected.files) || began.elapsed() > TIMEOUT {
            return Ok(held);
        }
        thread::yield_now();
    }
}

#[test]
fn brokers_share_nothing_and_leave_nothing_behind() -> Outcome {
    let files = allow_files()?;
    // Allocates what is allocated only once.
    start_and_drop_in_turn(100)?;
    let before = Held::now()?;

    many_live_side_by_side(ALIVE.min(files / FILES))?;
    let after = held_in_the_end(&before)?;
    assert_eq!((after.threads, after.files), (before.threads, before.files));

    // The allocator keeps the memory that the brokers had used at the same time.
    let before = after;
    let ports = start_and_drop_in_turn(IN_TURN)?;
    let after = held_in_the_end(&before)?;
    println!("{before:?}, then {after:?}");
    assert_eq!((after.threads, after.files), (before.threads, before.files));
    assert!(after.memory < before.memory + MEMORY_LEFT, "{before:?}, then {after:?}");
    for port in ports {
        TcpListener::bind((OWN_ADDRESS, port))?;
    }
    Ok(())
}
