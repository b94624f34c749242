//! Unit tests of the engine without I/O.

use super::*;

const START: SystemTime = SystemTime::UNIX_EPOCH;

fn after(millis: u64) -> SystemTime {
    START + Duration::from_millis(millis)
}

fn engine() -> Engine {
    Engine::new(Version::default(), 1, START)
}

#[test]
fn requests_behind_one_that_waits_run_when_the_wait_ends() -> Result<(), Refused> {
    let mut engine = engine();
    let (worker, other) = (engine.connect(START)?, engine.connect(START)?);
    engine.request(worker, b"BLPOP l 0\r\nINCR n\r\nBLPOP l 0\r\nINCR n\r\n", START);
    assert_eq!(engine.output(worker), b"");
    engine.request(other, b"RPUSH l a b\r\nGET n\r\n", START);
    assert_eq!(engine.ready(), [worker, other]);
    assert_eq!(engine.output(other), b":2\r\n$-1\r\n");
    let replies = b"*2\r\n$1\r\nl\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nl\r\n$1\r\nb\r\n:2\r\n";
    assert_eq!(engine.output(worker), replies);
    Ok(())
}

#[test]
fn a_published_message_is_output_of_each_subscriber() -> Result<(), Refused> {
    let mut engine = engine();
    let clients = [engine.connect(START)?, engine.connect(START)?, engine.connect(START)?];
    for client in &clients[..2] {
        engine.request(*client, b"SUBSCRIBE chat\r\n", START);
        engine.output(*client);
    }
    engine.ready();
    engine.request(clients[2], b"PUBLISH chat hello\r\n", START);
    assert_eq!(engine.ready(), clients);
    for client in &clients[..2] {
        assert_eq!(engine.output(*client), b"*3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$5\r\nhello\r\n");
    }
    assert_eq!(engine.output(clients[2]), b":2\r\n");
    Ok(())
}

#[test]
fn the_time_is_the_callers_and_never_goes_back() -> Result<(), Refused> {
    let mut engine = engine();
    let client = engine.connect(after(10))?;
    engine.request(client, b"SET k v PX 100\r\nPTTL k\r\n", START);
    assert_eq!(engine.output(client), b"+OK\r\n:100\r\n");
    assert_eq!(engine.next_deadline(), Some(after(110)));
    engine.advance(after(109));
    engine.request(client, b"EXISTS k\r\n", after(109));
    assert_eq!(engine.output(client), b":1\r\n");
    engine.advance(after(111));
    engine.request(client, b"EXISTS k\r\n", after(50));
    assert_eq!(engine.output(client), b":0\r\n");
    assert_eq!(engine.next_deadline(), None);
    Ok(())
}

#[test]
fn a_connection_that_the_engine_closes_has_a_last_output() -> Result<(), Refused> {
    let mut engine = engine();
    let (quitting, other) = (engine.connect(START)?, engine.connect(START)?);
    engine.request(quitting, b"QUIT\r\nSET k v\r\n", START);
    assert_eq!(engine.ready(), [quitting]);
    assert!(engine.is_connected(quitting));
    assert_eq!(engine.output(quitting), b"+OK\r\n");
    assert!(!engine.is_connected(quitting));
    engine.request(quitting, b"SET k v\r\n", START);
    engine.request(other, b"EXISTS k\r\n", START);
    assert_eq!((engine.output(quitting), engine.output(other)), (Vec::new(), b":0\r\n".to_vec()));
    let next = engine.connect(START)?;
    assert!(next != quitting, "a client is never another one's");
    Ok(())
}

#[test]
fn a_client_that_has_gone_gets_no_element() -> Result<(), Refused> {
    let mut engine = engine();
    let (worker, other) = (engine.connect(START)?, engine.connect(START)?);
    engine.request(worker, b"BLPOP l 0\r\n", START);
    engine.disconnect(worker, START);
    engine.request(other, b"RPUSH l a\r\nLLEN l\r\n", START);
    assert_eq!(engine.output(other), b":1\r\n:1\r\n");
    Ok(())
}

#[test]
fn one_client_too_many_is_refused_with_the_error_of_redis() -> Result<(), Refused> {
    let mut engine = engine();
    let client = engine.connect(START)?;
    engine.request(client, b"CONFIG SET maxclients 1\r\n", START);
    assert_eq!(engine.output(client), b"+OK\r\n");
    let refused = engine.connect(START).expect_err("there is one already");
    assert_eq!(refused.reply(), b"-ERR max number of clients reached\r\n");
    assert_eq!(refused.to_string(), "ERR max number of clients reached");
    Ok(())
}
