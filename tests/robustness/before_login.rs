//! What a client may hold before it has logged in: as little going out as coming in.

use minibroker::internal::clients::Address;
use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::engine::{Engine, Flow};
use minibroker::internal::resp::{OwnedRequest, Parser};
use minibroker::{Broker, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::peer::{Peer, TIMEOUT, encode, info};

const PASSWORD: &str = "s3cret";
const NOAUTH: &[u8] = b"-NOAUTH Authentication required.\r\n";
/// So many of these replies fit into the fixed buffer of 16 KB that redis-server gives every client.
const FITS: usize = 16 * 1024 / NOAUTH.len();

fn broker() -> Broker {
    Broker::builder().password(PASSWORD).start().unwrap()
}

/// Over any kind of connection: what fits is answered, again and again, and one reply more closes it without a byte.
async fn is_limited<S: AsyncRead + AsyncWrite + Unpin>(mut connect: impl AsyncFnMut() -> S) {
    let mut reads = connect().await;
    let mut answers = vec![0; NOAUTH.len() * FITS];
    for _ in 0..50 {
        reads.write_all(&b"PING\r\n".repeat(FITS)).await.unwrap();
        reads.read_exact(&mut answers).await.unwrap();
        assert!(answers == NOAUTH.repeat(FITS));
    }
    let login = format!("AUTH {PASSWORD}\r\n");
    for before in ["", &format!("{login}RESET\r\n")] {
        let mut all = before.as_bytes().to_vec();
        all.extend(b"PING\r\n".repeat(FITS + 1));
        let confirmed = if before.is_empty() { 0 } else { b"+OK\r\n+RESET\r\n".len() };
        let everything = confirmed + NOAUTH.len() * (FITS + 1);
        loop {
            let mut greedy = connect().await;
            greedy.write_all(&all).await.unwrap();
            let mut answers = Vec::new();
            // A socket may be reset, as some of what was sent is never read.
            while answers.len() < everything
                && greedy.read_buf(&mut answers).await.is_ok_and(|count| count > 0)
            {}
            // On a busy machine a turn may end in between by its time; what was answered in it has been sent then.
            if answers.len() < everything {
                assert_eq!(answers.escape_ascii().to_string(), "");
                break;
            }
        }
    }
    // Behind a login more may wait.
    let mut known = connect().await;
    let mut all = login.into_bytes();
    all.extend(b"ECHO 12345678901234567890\r\n".repeat(FITS + 1));
    known.write_all(&all).await.unwrap();
    let mut answers = vec![0; 5 + b"$20\r\n12345678901234567890\r\n".len() * (FITS + 1)];
    known.read_exact(&mut answers).await.unwrap();
}

async fn in_time(test: impl Future<Output = ()>) {
    tokio::time::timeout(TIMEOUT, test).await.expect("it is still there");
}

#[tokio::test]
async fn replies_that_wait_before_login_are_limited_over_tcp() {
    let broker = broker();
    let address = broker.addr().unwrap();
    in_time(is_limited(async || tokio::net::TcpStream::connect(address).await.unwrap())).await;
    assert_eq!(info(&broker, "client_output_buffer_limit_disconnections"), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn replies_that_wait_before_login_are_limited_over_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("minibroker-before-login-{}", std::process::id()));
    let broker = Broker::builder().password(PASSWORD).unix_socket(&path).start().unwrap();
    in_time(is_limited(async || tokio::net::UnixStream::connect(&path).await.unwrap())).await;
    drop(broker);
}

#[tokio::test]
async fn replies_that_wait_before_login_are_limited_over_a_stream_in_memory() {
    let broker = broker();
    in_time(is_limited(async || broker.connect())).await;
}

#[tokio::test]
async fn replies_before_login_are_limited_on_a_served_stream() {
    let broker = broker();
    in_time(is_limited(async || {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(broker.serve_connection(theirs));
        ours
    }))
    .await;
}

#[test]
fn a_client_that_never_reads_that_it_has_to_log_in_is_cut_off() {
    let broker = broker();
    let mut peer = Peer::connect(&broker);
    // Their replies are many times as long as what the buffers of two sockets hold.
    let requests = "PING\r\n".repeat(10_000);
    for _ in 0..400 {
        peer.send_in_vain(&requests);
    }
    broker.wait_for_clients(0).blocking().unwrap();
    assert_eq!(info(&broker, "client_output_buffer_limit_disconnections"), 1);
    let got = peer.read_to_end().len();
    assert!(got < 400 * 10_000 * NOAUTH.len(), "{got}");
}

#[test]
fn one_megabyte_may_wait_to_be_run_before_login() {
    const MEGABYTE: usize = 1024 * 1024;
    for (compat, before_login) in [(Version::Redis7_0, false), (Version::Redis7_4, true)] {
        let config = Config { requirepass: PASSWORD.into(), compat, ..Config::default() };
        let now = Time::from_millis(1_700_000_000_000);
        let mut engine = Engine::new(config, 1, now);
        let [stranger, known] = [(); 2].map(|()| engine.connect(Address::default(), now).unwrap());
        let login = encode(&["AUTH", PASSWORD]);
        engine.feed(known, &mut Parser::new(), &login, now);
        engine.command(&OwnedRequest::new(["CLIENT", "PAUSE", "1000", "ALL"]), now, &mut Vec::new());
        for client in [stranger, known] {
            assert_eq!(engine.feed(client, &mut Parser::new(), &login, now).1, Flow::Blocked);
        }
        assert!(!engine.check_query_limit(stranger, MEGABYTE));
        assert_eq!(engine.check_query_limit(stranger, MEGABYTE + 1), before_login);
        assert!(!engine.check_query_limit(known, MEGABYTE + 1));
    }
}
