//! Connections in memory, without a socket.

use futures_util::StreamExt;
use minibroker::{Broker, ByteString};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands, RedisConnectionInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use crate::Outcome;
use crate::wire::TIMEOUT;

/// A connection of the redis crate over a stream in memory, with the task that drives it.
async fn connect(broker: &Broker) -> redis::RedisResult<MultiplexedConnection> {
    let stream = broker.connect();
    let (give, given) = oneshot::channel();
    tokio::spawn(async move {
        // The task owns the connection that the driver borrows.
        let info = RedisConnectionInfo::default();
        match MultiplexedConnection::new(&info, stream).await {
            Ok((mut connection, driver)) => {
                connection.set_response_timeout(TIMEOUT);
                // The test may have ended.
                let _ = give.send(Ok(connection));
                driver.await;
            }
            Err(error) => drop(give.send(Err(error))),
        }
    });
    given.await.expect("the task sends it")
}

#[tokio::test]
async fn a_client_works_over_a_stream_in_memory() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = connect(&broker).await?;
    let () = connection.set("greeting", "hello").await?;
    assert_eq!(connection.get::<_, String>("greeting").await?, "hello");
    Ok(())
}

#[tokio::test]
async fn messages_cross_between_memory_and_sockets() -> Outcome {
    let broker = Broker::start()?;
    let mut in_memory = PubSub::new(&RedisConnectionInfo::default(), broker.connect()).await?;
    in_memory.subscribe("chat").await?;
    let mut by_socket = redis::Client::open(broker.url())?.get_async_pubsub().await?;
    by_socket.subscribe("chat").await?;
    broker.wait_for_subscribers("chat", 2).await?;
    let mut connection = connect(&broker).await?;
    assert_eq!(connection.publish::<_, _, usize>("chat", "hello").await?, 2);
    for subscriber in [in_memory, by_socket] {
        let message = subscriber.into_on_message().next().await.expect("a message");
        assert_eq!(message.get_payload::<String>()?, "hello");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_may_write_megabytes_before_it_reads_an_answer() -> Outcome {
    const REQUESTS: usize = 500_000;
    let broker = Broker::start()?;
    let mut stream = broker.connect();
    // 3 MB of requests and 3.5 MB of answers through 64 KB each way.
    stream.write_all("PING\r\n".repeat(REQUESTS).as_bytes()).await?;
    let mut answers = vec![0; REQUESTS * "+PONG\r\n".len()];
    stream.read_exact(&mut answers).await?;
    assert!(answers.chunks(7).all(|answer| answer == b"+PONG\r\n"));
    Ok(())
}

#[tokio::test]
async fn answers_may_be_far_longer_than_the_buffer_of_the_stream() -> Outcome {
    const LENGTH: usize = 100_000;
    const REQUESTS: usize = 200;
    let broker = Broker::start()?;
    broker.command(["SET", "long", &"x".repeat(LENGTH)])?;
    let mut connection = connect(&broker).await?;
    let mut pipeline = redis::pipe();
    for _ in 0..REQUESTS {
        pipeline.get("long");
    }
    let answers: Vec<String> = pipeline.query_async(&mut connection).await?;
    assert!(answers.len() == REQUESTS && answers.iter().all(|answer| answer.len() == LENGTH));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_stops_writing_does_not_keep_others_waiting() -> Outcome {
    let broker = Broker::start()?;
    let (mut reads, mut writes) = tokio::io::split(broker.connect());
    let writing = tokio::spawn(async move {
        let requests = "PING\r\n".repeat(1000);
        while writes.write_all(requests.as_bytes()).await.is_ok() {}
    });
    let drain = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while !matches!(reads.read(&mut buffer).await, Ok(0) | Err(_)) {}
    });
    let mut connection = connect(&broker).await?;
    for number in 1..=20 {
        assert_eq!(connection.incr::<_, _, usize>("count", 1).await?, number);
    }
    assert!(!writing.is_finished(), "it was writing all the time");
    drop(broker);
    writing.await?;
    drain.await?;
    Ok(())
}

#[tokio::test]
async fn a_stream_counts_as_a_client() -> Outcome {
    let broker = Broker::builder().max_clients(1).start()?;
    let mut first = broker.connect();
    first.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    first.read_exact(&mut answer).await?;
    let mut second = broker.connect();
    let mut error = String::new();
    second.read_to_string(&mut error).await?;
    assert_eq!(error, "-ERR max number of clients reached\r\n");
    Ok(())
}

#[test]
fn a_stream_counts_as_a_client_from_its_creation() -> Outcome {
    let broker = Broker::start()?;
    let mut streams = Vec::new();
    for count in 1..=100 {
        streams.push(broker.connect());
        let clients = broker.command(["INFO", "clients"])?;
        let listed = clients
            .as_str()
            .and_then(|text| text.lines().find_map(|line| line.strip_prefix("connected_clients:")));
        assert_eq!(listed, Some(count.to_string().as_str()));
    }
    Ok(())
}

#[tokio::test]
async fn all_commands_can_be_read_as_they_come() -> Outcome {
    let broker = Broker::start()?;
    let mut commands = broker.watch_commands();
    let mut connection = connect(&broker).await?;
    let () = connection.set("greeting", "hello\n").await?;
    assert!(connection.get::<_, String>("no such command, no such key").await.is_err());
    broker.command(["GET", "greeting"])?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let command = commands.next().await.expect("the broker is there");
        assert_eq!((command.database, command.left_out), (0, 0));
        // The requests with which the client connects do not matter.
        if !command.name().eq_ignore_ascii_case("client") {
            seen.push((command.address.is_some(), command.arguments));
        }
    }
    let expected =
        [(true, vec!["SET", "greeting", "hello\n"]), (true, vec!["GET", "no such command, no such key"])];
    let expected = expected.into_iter().chain([(false, vec!["GET", "greeting"])]);
    let expected =
        expected.map(|(is_client, words)| (is_client, words.into_iter().map(ByteString::from).collect()));
    assert_eq!(seen, expected.collect::<Vec<(bool, Vec<ByteString>)>>());
    drop(broker);
    assert_eq!(commands.next().await, None);
    Ok(())
}

#[test]
fn a_watched_command_prints_as_a_line_of_monitor() -> Outcome {
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let broker = Broker::builder().manual_clock_at(time).start()?;
    let mut commands = broker.watch_commands();
    broker.command(("CONFIG", "SET", "requirepass", "s3cret"))?;
    let command = commands.blocking_next().expect("the broker is there");
    assert_eq!(command.time, time);
    let line = r#"1700000000.000000 [0 ] "CONFIG" "SET" "requirepass" "(redacted)""#;
    assert_eq!(command.to_string(), line);
    Ok(())
}

#[tokio::test]
async fn commands_that_are_not_read_are_kept_up_to_a_limit() -> Outcome {
    const COMMANDS: usize = 20_000;
    let broker = Broker::start()?;
    let mut commands = broker.watch_commands();
    let value = "x".repeat(200);
    for _ in 0..COMMANDS {
        broker.command(["SET", "key", &value])?;
    }
    let (mut read, mut left_out) = (0, 0);
    while read < 2000 {
        left_out += commands.next().await.expect("the broker is there").left_out;
        read += 1;
    }
    // Now there is room again.
    broker.command(["ECHO", "last"])?;
    loop {
        let command = commands.next().await.expect("the broker is there");
        left_out += command.left_out;
        if command.name() == "ECHO" {
            break;
        }
        read += 1;
    }
    assert_eq!(read + usize::try_from(left_out)?, COMMANDS);
    assert!(read < COMMANDS / 2, "{read} commands were kept");
    Ok(())
}
