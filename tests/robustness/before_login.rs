//! Limits before login, for output and for input.

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
/// The number of these replies that fit into the fixed buffer of 16 KB that redis-server gives every client.
const FITS: usize = 16 * 1024 / NOAUTH.len();

fn broker() -> Broker {
    Broker::builder().password(PASSWORD).start().unwrap()
}

/// On any kind of connection: requests whose replies fit are always answered, and one more closes the connection
/// without a reply. Returns how many connections were closed.
async fn is_limited<S: AsyncRead + AsyncWrite + Unpin>(mut connect: impl AsyncFnMut() -> S) -> u64 {
    let mut closed = 0;
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
        let confirmed = if before.is_empty() { &b""[..] } else { b"+OK\r\n+RESET\r\n" };
        let all_answers = [confirmed, &NOAUTH.repeat(FITS + 1)].concat();
        loop {
            let mut connection = connect().await;
            connection.write_all(&all).await.unwrap();
            let mut answers = Vec::new();
            // A socket may be reset, as some of the input is never read.
            while answers.len() < all_answers.len()
                && connection.read_buf(&mut answers).await.is_ok_and(|count| count > 0)
            {}
            closed += u64::from(answers.len() < all_answers.len());
            // On a busy machine the time of a turn may end in between; its replies have been sent then.
            if answers.is_empty() {
                break;
            }
            assert!(all_answers.starts_with(&answers), "{}", answers.escape_ascii());
        }
    }
    // After login more output may wait.
    let mut logged_in = connect().await;
    let mut all = login.into_bytes();
    all.extend(b"ECHO 12345678901234567890\r\n".repeat(FITS + 1));
    logged_in.write_all(&all).await.unwrap();
    let mut answers = vec![0; 5 + b"$20\r\n12345678901234567890\r\n".len() * (FITS + 1)];
    logged_in.read_exact(&mut answers).await.unwrap();
    closed
}

async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, test).await.expect("it is still there")
}

#[tokio::test]
async fn replies_that_wait_before_login_are_limited_over_tcp() {
    let broker = broker();
    let address = broker.addr().unwrap();
    let closed = in_time(is_limited(async || tokio::net::TcpStream::connect(address).await.unwrap())).await;
    assert_eq!(info(&broker, "client_output_buffer_limit_disconnections"), closed);
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
    // The replies are many times as long as the buffers of two sockets.
    let requests = "PING\r\n".repeat(10_000);
    for _ in 0..400 {
        peer.send_until_closed(&requests);
    }
    broker.wait_for_clients(0).blocking().unwrap();
    assert_eq!(info(&broker, "client_output_buffer_limit_disconnections"), 1);
    let received = peer.read_to_end().len();
    assert!(received < 400 * 10_000 * NOAUTH.len(), "{received}");
}

#[test]
fn one_megabyte_may_wait_to_be_run_before_login() {
    const MEGABYTE: usize = 1024 * 1024;
    for (compat, before_login) in [(Version::Redis7_0, false), (Version::Redis7_4, true)] {
        let config = Config { requirepass: PASSWORD.into(), compat, ..Config::default() };
        let now = Time::from_millis(1_700_000_000_000);
        let mut engine = Engine::new(config, 1, now);
        let [new_client, logged_in] = [(); 2].map(|()| engine.connect(Address::default(), now).unwrap());
        let login = encode(&["AUTH", PASSWORD]);
        engine.feed(logged_in, &mut Parser::new(), &login, now);
        engine.command(&OwnedRequest::new(["CLIENT", "PAUSE", "1000", "ALL"]), now, &mut Vec::new());
        for client in [new_client, logged_in] {
            assert_eq!(engine.feed(client, &mut Parser::new(), &login, now).1, Flow::Blocked);
        }
        assert!(!engine.check_query_limit(new_client, MEGABYTE));
        assert_eq!(engine.check_query_limit(new_client, MEGABYTE + 1), before_login);
        assert!(!engine.check_query_limit(logged_in, MEGABYTE + 1));
    }
}
