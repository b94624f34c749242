//! A broker on the runtime of the test, whose time it follows.

use std::time::Duration;

use minibroker::Broker;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use redis::{IntoConnectionInfo, RedisResult};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::Outcome;

const HOUR: Duration = Duration::from_secs(3600);

/// A client of the `redis` crate over a stream in memory.
async fn connect(broker: &Broker) -> RedisResult<MultiplexedConnection> {
    let settings = "redis://memory".into_connection_info()?;
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let stream = broker.connect();
    let (connection, driver) =
        MultiplexedConnection::new_with_config(settings.redis_settings(), stream, config).await?;
    tokio::spawn(driver);
    Ok(connection)
}

#[tokio::test(start_paused = true)]
async fn paused_time_passes_as_soon_as_all_tasks_wait() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    let mut connection = connect(&broker).await?;
    redis::cmd("SET").arg("session").arg("there").arg("EX").arg(1800).exec_async(&mut connection).await?;
    let (began, at) = (Instant::now(), broker.now());
    let popped: Option<(String, String)> =
        redis::cmd("BLPOP").arg("queue").arg(3600).query_async(&mut connection).await?;
    assert_eq!(popped, None);
    assert!((HOUR..HOUR + Duration::from_millis(2)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(broker.now().duration_since(at)?, began.elapsed());
    assert_eq!(redis::cmd("EXISTS").arg("session").query_async::<i64>(&mut connection).await?, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn paused_time_is_paused_for_the_broker_too() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    let before = broker.now();
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(broker.now(), before);
    sleep(HOUR).await;
    assert_eq!(broker.now(), before + HOUR);
    // Outside of the runtime the time is the same.
    let seen = std::thread::scope(|scope| scope.spawn(|| broker.now()).join().expect("no thread panics"));
    assert_eq!(seen, before + HOUR);
    broker.advance(HOUR);
    sleep(HOUR).await;
    assert_eq!(broker.now(), before + 3 * HOUR);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_a_test_last_as_long_in_simulated_time() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    let began = Instant::now();
    assert!(broker.wait_for_clients(1).within(HOUR).await.is_err());
    assert!((HOUR..HOUR + Duration::from_millis(2)).contains(&began.elapsed()));
    Ok(())
}

#[tokio::test]
async fn a_broker_on_the_tests_runtime_listens_nowhere_and_serves_any_stream() -> Outcome {
    let broker = Broker::builder().password("s3cret").start_on_this_runtime()?;
    assert_eq!((broker.addr(), broker.unix_socket()), (None, None));
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let served = tokio::spawn(broker.serve_connection(theirs));
    broker.wait_for_clients(1).await?;
    ours.write_all(b"AUTH s3cret\r\nSUBSCRIBE chat\r\n").await?;
    broker.wait_for_subscribers("chat", 1).await?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.assert_published("chat", "hello");
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello\r\n") {
        assert_ne!(ours.read_buf(&mut answer).await?, 0);
    }
    drop(ours);
    served.await?;
    broker.wait_for_clients(0).await?;
    Ok(())
}

#[tokio::test]
async fn a_stream_that_holds_back_what_is_written_is_flushed() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    // As with TLS: written bytes wait for a flush, which waits for room.
    let (mut client, server) = tokio::io::duplex(64);
    tokio::spawn(broker.serve_connection(tokio::io::BufStream::with_capacity(1024, 64 * 1024, server)));
    let text = "x".repeat(10_000);
    client.write_all(format!("SET k {text}\r\nGET k\r\nQUIT\r\n").as_bytes()).await?;
    let mut answers = String::new();
    client.read_to_string(&mut answers).await?;
    assert!(answers == format!("+OK\r\n$10000\r\n{text}\r\n+OK\r\n"), "{} bytes", answers.len());
    Ok(())
}

#[tokio::test]
async fn connections_of_a_dropped_broker_end_after_what_was_published() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    let (mut ours, theirs) = tokio::io::duplex(1024);
    let served = tokio::spawn(broker.serve_connection(theirs));
    ours.write_all(b"SUBSCRIBE chat\r\n").await?;
    broker.wait_for_subscribers("chat", 1).await?;
    broker.command(["PUBLISH", "chat", "the last"])?;
    drop(broker);
    served.await?;
    let mut all = Vec::new();
    ours.read_to_end(&mut all).await?;
    assert!(all.ends_with(b"the last\r\n"), "{}", all.escape_ascii());
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_not_served_any_longer_has_gone() -> Outcome {
    let broker = Broker::start()?;
    let (_ours, theirs) = tokio::io::duplex(1024);
    let serving = broker.serve_connection(theirs);
    broker.wait_for_clients(1).within(Duration::ZERO).await?;
    drop(serving);
    broker.wait_for_clients(0).within(Duration::ZERO).await?;
    Ok(())
}

#[tokio::test]
async fn a_connection_that_has_ended_is_gone_though_its_future_is_held() -> Outcome {
    let broker = Broker::start()?;
    let (mut ours, theirs) = tokio::io::duplex(1024);
    ours.write_all(b"QUIT\r\n").await?;
    let mut serving = std::pin::pin!(broker.serve_connection(theirs));
    serving.as_mut().await;
    broker.wait_for_clients(0).within(Duration::ZERO).await?;
    let mut received = Vec::new();
    ours.read_to_end(&mut received).await?;
    assert_eq!(received, b"+OK\r\n");
    Ok(())
}

#[test]
#[should_panic(expected = "no reactor running")]
fn outside_of_a_runtime_it_cannot_be_started() {
    let _ = Broker::builder().start_on_this_runtime();
}

#[tokio::test]
async fn a_broker_that_listens_nowhere_has_no_address() -> Outcome {
    let broker = Broker::builder().start_on_this_runtime()?;
    assert_eq!(broker.addr(), None);
    for ask in [|broker: &Broker| drop(broker.url()), |broker: &Broker| assert_ne!(broker.port(), 0)] {
        let panic =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&broker))).expect_err("none");
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(text.contains("this broker listens nowhere"), "{text}");
    }
    assert_eq!(format!("{broker:?}"), "Broker { addr: none, .. }");
    Ok(())
}

#[tokio::test]
async fn a_listener_of_the_test_is_served_until_the_broker_ends() -> Outcome {
    let broker = Broker::builder().password("s3cret").start_on_this_runtime()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let serving = tokio::spawn(broker.serve_listener(listener));
    assert_eq!((broker.addr(), broker.url()), (Some(addr), format!("redis://default:s3cret@{addr}")));
    let client = redis::Client::open(broker.url())?;
    let mut ann = client.get_multiplexed_async_connection().await?;
    redis::cmd("SET").arg("mood").arg("good").exec_async(&mut ann).await?;
    let listed: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut ann).await?;
    assert!(listed.contains(" addr=127.0.0.1:") && listed.contains(&format!(" laddr={addr} ")), "{listed}");

    let refusal = broker.refuse_connections();
    assert!(client.get_multiplexed_async_connection().await.is_err());
    drop(refusal);
    let mut bob = client.get_multiplexed_async_connection().await?;
    assert_eq!(redis::cmd("GET").arg("mood").query_async::<String>(&mut bob).await?, "good");

    drop(broker);
    serving.await?;
    assert!(redis::cmd("PING").exec_async(&mut bob).await.is_err());
    Ok(())
}
