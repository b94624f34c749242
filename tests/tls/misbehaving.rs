//! Connections that do not finish the handshake.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use minibroker::Broker;

use crate::{Outcome, connect, conversation, ping};

/// What a TLS record with a handshake begins with.
const BEGINNING: &[u8] = b"\x16\x03\x01\x02";

fn raw(broker: &Broker) -> std::io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", broker.tls_port().expect("it speaks TLS")))
}

/// All that comes until the connection ends, by its closing or by a reset.
fn rest(mut stream: &TcpStream) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return all,
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                return all;
            }
        }
    }
}

#[test]
fn a_plain_client_gets_no_reply_where_tls_is_spoken() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let mut plain = raw(&broker)?;
    plain.write_all(b"SET mood bad\r\n")?;
    // At most a TLS record that says what is wrong.
    let answer = rest(&plain);
    assert!(answer.is_empty() || answer.starts_with(b"\x15\x03"), "{answer:?}");
    broker.wait_for_clients(0).blocking()?;
    assert_eq!(broker.command(["EXISTS", "mood"])?, 0);
    assert_eq!(ping(&mut connect(&broker, None)?)?, "PONG");
    Ok(())
}

#[test]
fn a_client_that_speaks_tls_does_not_connect_to_a_plain_port() -> Outcome {
    let broker = Broker::builder().tls_port(0).start()?;
    let mut hello = conversation(&broker)?;
    let mut socket = TcpStream::connect(("127.0.0.1", broker.port()))?;
    hello.write_tls(&mut socket)?;
    // To the plain port these are lines of a request, and without a newline the beginning of one.
    socket.write_all(b"\r\n")?;
    socket.shutdown(Shutdown::Write)?;
    let answer = rest(&socket);
    assert!(answer.is_empty() || answer.starts_with(b"-ERR "), "{answer:?}");
    broker.wait_for_clients(0).blocking()?;
    let mut other = redis::Client::open(broker.url())?.get_connection()?;
    assert_eq!(ping(&mut other)?, "PONG");
    Ok(())
}

#[test]
fn a_client_in_the_handshake_counts_and_keeps_nobody_waiting() -> Outcome {
    let broker = Broker::builder().tls().max_clients(3).start()?;
    let mut silent = [raw(&broker)?, raw(&broker)?];
    silent[1].write_all(BEGINNING)?;
    broker.wait_for_clients(2).blocking()?;
    let mut third = connect(&broker, None)?;
    assert_eq!(ping(&mut third)?, "PONG");
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut third)?;
    assert_eq!(list.matches(" cmd=NULL ").count(), 2, "{list}");

    // One too many is closed without a byte: there was no handshake in which an error could be sent.
    assert_eq!(rest(&raw(&broker)?), b"");
    let [first, second] = silent;
    drop(first);
    broker.wait_for_clients(2).blocking()?;
    let killed: usize = redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").query(&mut third)?;
    assert_eq!(killed, 1);
    assert_eq!(rest(&second), b"");
    assert_eq!(ping(&mut connect(&broker, None)?)?, "PONG");
    Ok(())
}

#[test]
fn a_handshake_that_never_ends_is_not_kept_in_memory() -> Outcome {
    let broker = Broker::builder().tls().start()?;
    let endless = raw(&broker)?;
    let mut writer = endless.try_clone()?;
    // A hello that announces 16 megabytes, in records of 16,384 bytes.
    let mut record = vec![0; 16_384 + 5];
    record[..9].copy_from_slice(b"\x16\x03\x01\x40\x00\x01\xff\xff\xff");
    let refused = (0..1024).find_map(|_| writer.write_all(&record).err());
    let answer = rest(&endless);
    assert!(refused.is_some() || answer.len() < 100, "{} bytes", answer.len());
    broker.wait_for_clients(0).blocking()?;
    assert_eq!(ping(&mut connect(&broker, None)?)?, "PONG");
    Ok(())
}
