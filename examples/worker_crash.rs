//! A worker that dies in the middle of its job. Is the job lost?
//!
//! Between taking a job from the queue and finishing it, only the worker has the job. In production a crash at this
//! moment is rare; a fault of the broker causes it in each run: the command has run, and the connection is closed
//! before the worker has the reply.
//!
//! `cargo run --example worker_crash`

use std::error::Error;
use std::thread;

use minibroker::Broker;
use redis::{Commands, Direction, RedisResult};

/// Takes a job off the queue and does it.
fn careless_worker(url: &str) -> RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    loop {
        let (_, job): (String, String) = connection.blpop("jobs", 0.0)?;
        let () = connection.publish("done", job)?;
    }
}

/// The same, but the job stays in a second list until it is done, and a worker begins with what is left there.
fn careful_worker(url: &str) -> RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    loop {
        let unfinished: Option<String> = connection.lindex("jobs:taken", 0)?;
        let job: String = match unfinished {
            Some(job) => job,
            None => connection.blmove("jobs", "jobs:taken", Direction::Left, Direction::Right, 0.0)?,
        };
        let () = connection.publish("done", &job)?;
        let () = connection.lrem("jobs:taken", 1, &job)?;
    }
}

/// Makes a worker take a job and lose its connection before it has the reply.
fn crash(broker: &Broker, worker: fn(&str) -> RedisResult<()>, command: &str) -> Result<(), Box<dyn Error>> {
    // In force until it is dropped, at the end of this function.
    let fault = broker.faults().on_command(command).once().disconnect_after();
    let url = broker.url();
    let running = thread::spawn(move || worker(&url));

    // A worker that waits takes the job as soon as it is pushed.
    broker.wait_for_blocked("jobs", 1).blocking()?;
    broker.command(["RPUSH", "jobs", "send the invitation"])?;

    let end = running.join().expect("the worker does not panic");
    assert!(end.is_err_and(|error| error.is_connection_dropped()), "the worker has lost its connection");
    // A fault that never happened proves nothing.
    assert_eq!(fault.hits(), 1);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::start()?;
    broker.print_journal_on_panic();

    // BLPOP has taken the job off the queue, and no worker has done it.
    crash(&broker, careless_worker, "BLPOP")?;
    assert_eq!(broker.command(["LLEN", "jobs"])?, 0);
    assert!(broker.published("done").is_empty());
    println!("BLPOP: the job is lost");

    // BLMOVE has kept it, and the next worker finishes it.
    crash(&broker, careful_worker, "BLMOVE")?;
    assert_eq!(broker.command(["LLEN", "jobs:taken"])?, 1);
    let url = broker.url();
    let next = thread::spawn(move || careful_worker(&url));
    broker.wait_for_published("done", 1).blocking()?;
    broker.assert_published("done", "send the invitation");
    // The worker takes the job off the list, and waits for another one.
    broker.wait_for_blocked("jobs", 1).blocking()?;
    assert_eq!(broker.command(["LLEN", "jobs:taken"])?, 0);
    println!("BLMOVE: the next worker has done the job");

    // The end of the broker ends its clients.
    drop(broker);
    assert!(next.join().expect("the worker does not panic").is_err());
    Ok(())
}
