//! A test program that forks: the broker stays the parent's.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fork::{Fork, fork, waitpid};
use minibroker::{Broker, Filter};

use crate::Outcome;
use crate::wire::{TIMEOUT, Wire};

/// Drops this in a forked child; true if it did so without a panic.
fn drops_in_a_child<T>(owned: T) -> Result<(bool, T), Box<dyn std::error::Error>> {
    let (mut ours, mut theirs) = UnixStream::pair()?;
    match fork()? {
        Fork::Child => {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(owned))).is_ok();
            let _ = theirs.write_all(&[u8::from(dropped)]);
            std::process::exit(0);
        }
        Fork::Parent(child) => {
            drop(theirs);
            // A child that hangs does not block this test.
            ours.set_read_timeout(Some(TIMEOUT))?;
            let mut dropped = [0];
            ours.read_exact(&mut dropped)?;
            let _ = waitpid(child);
            Ok((dropped == [1], owned))
        }
    }
}

#[test]
fn a_broker_that_is_dropped_in_a_forked_child_runs_on_in_the_parent() -> Outcome {
    let path = std::env::temp_dir().join(format!("minibroker-forked-{}.sock", std::process::id()));
    let broker = Broker::builder().unix_socket(&path).start()?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("SET mood good", "+OK\r\n")?;
    let fault = broker.faults().on_command("GET").error("ERR no");
    let stall = broker.stop_reading(Filter::subscribed_to("chat"));
    let (dropped, (broker, fault, _stall)) = drops_in_a_child((broker, fault, stall))?;
    assert!(dropped, "it panics in the child");
    ann.ask("GET mood", "-ERR no\r\n")?;
    drop(fault);
    ann.ask("GET mood", "$4\r\ngood\r\n")?;
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    assert!(path.exists(), "the file of the socket is the parent's");
    UnixStream::connect(&path)?;
    drop(broker);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn connections_are_refused_until_the_parent_takes_them_again() -> Outcome {
    let broker = Broker::start()?;
    let refusal = broker.refuse_connections();
    let (dropped, refusal) = drops_in_a_child(refusal)?;
    assert!(dropped, "it panics in the child");
    assert!(std::net::TcpStream::connect(broker.addr().expect("it listens")).is_err());
    drop(refusal);
    Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn an_attached_server_is_still_attached_in_the_parent() -> Outcome {
    let server = Broker::start()?;
    let attached = Broker::attach(&server.url())?;
    attached.command(["SET", "mood", "good"])?;
    let (dropped, attached) = drops_in_a_child(attached)?;
    assert!(dropped, "it panics in the child");
    assert_eq!(attached.command(["GET", "mood"])?.to_string(), "good");
    Ok(())
}
