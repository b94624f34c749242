//! A chat on a network that fails: two chat servers and the broker, each a host of a network that
//! [turmoil](https://docs.rs/turmoil) simulates, in simulated time. A simulated minute takes some milliseconds, and
//! everything follows from a seed.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use minibroker::Broker;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig, IntoConnectionInfo, PushInfo, PushKind, RedisResult};
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};

const PORT: u16 = 6379;

/// The broker as a host: it accepts from the simulated network.
async fn serve(broker: &Broker) -> turmoil::Result {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(broker.serve_connection(stream));
    }
}

/// The lines that a chat server has received.
type Lines = Arc<Mutex<Vec<String>>>;

/// A chat server: it publishes a line every second, receives all lines, and connects again when its connection is lost.
async fn chat_server(name: &str, lines: &Lines) -> turmoil::Result {
    let mut sent = 0;
    while send_lines(name, &mut sent, lines).await.is_err() {
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn send_lines(name: &str, sent: &mut u32, lines: &Lines) -> RedisResult<()> {
    let lines = Arc::clone(lines);
    let on_push = move |push: PushInfo| {
        if push.kind == PushKind::Message {
            let text = redis::from_redis_value(push.data[1].clone()).expect("a text");
            lines.lock().expect("no thread has panicked").push(text);
        }
        Ok::<(), redis::aio::SendError>(())
    };
    let settings = "redis://broker/?protocol=resp3".into_connection_info()?;
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(Duration::from_secs(1)))
        .set_push_sender(on_push);
    let stream = TcpStream::connect(("broker", PORT)).await?;
    let (mut connection, driver) =
        MultiplexedConnection::new_with_config(settings.redis_settings(), stream, config).await?;
    tokio::spawn(driver);
    connection.subscribe("chat").await?;
    loop {
        *sent += 1;
        let () = connection.publish("chat", format!("{name} {sent}")).await?;
        sleep(Duration::from_secs(1)).await;
    }
}

/// What Ann's and Bob's servers received, and the broker's journal.
fn simulate(seed: u64) -> turmoil::Result<(Vec<String>, Vec<String>, String)> {
    let mut network =
        turmoil::Builder::new().rng_seed(seed).simulation_duration(Duration::from_secs(60)).build();
    let broker: Arc<OnceLock<Broker>> = Arc::default();
    let host = Arc::clone(&broker);
    network.host("broker", move || {
        let host = Arc::clone(&host);
        async move {
            let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
            serve(host.get_or_init(|| {
                let builder = Broker::builder().seed(seed).clock_at(midnight);
                builder.start_on_this_runtime().expect("it starts")
            }))
            .await
        }
    });
    let (ann, bob) = (Lines::default(), Lines::default());
    for (name, lines) in [("ann", &ann), ("bob", &bob)] {
        let lines = Arc::clone(lines);
        network.host(name, move || {
            let lines = Arc::clone(&lines);
            async move { chat_server(name, &lines).await }
        });
    }
    let started = Arc::clone(&broker);
    network.client("test", async move {
        sleep(Duration::from_millis(10)).await;
        let broker = started.get().expect("the broker's host has started");
        broker.wait_for_subscribers("chat", 2).await?;
        sleep(Duration::from_millis(3500)).await;
        turmoil::partition("ann", "broker");
        sleep(Duration::from_secs(5)).await;
        turmoil::repair("ann", "broker");
        // The broker cannot know that the first connection of Ann's server is dead.
        broker.wait_for_subscribers("chat", 3).await?;
        sleep(Duration::from_secs(3)).await;
        Ok(())
    });
    network.run()?;
    let taken = |lines: Lines| std::mem::take(&mut *lines.lock().expect("no thread has panicked"));
    let journal = broker.get().expect("it was started").journal().to_string();
    Ok((taken(ann), taken(bob), journal))
}

#[test]
fn a_partitioned_chat_server_misses_messages_until_it_is_back() -> turmoil::Result {
    let (ann, bob, journal) = simulate(1)?;
    let sent_by = |name: &str, lines: &[String]| -> Vec<u32> {
        lines.iter().filter_map(|text| text.strip_prefix(name)?.trim().parse().ok()).collect()
    };
    let from_bob = sent_by("bob", &bob);
    assert!(
        from_bob.iter().copied().eq((1..).take(from_bob.len())),
        "Bob's server misses none of its lines: {from_bob:?}"
    );
    let lost: Vec<u32> =
        from_bob.iter().copied().filter(|sent| !sent_by("bob", &ann).contains(sent)).collect();
    assert_eq!(
        lost,
        [5, 6, 7, 8, 9],
        "Ann's server misses the lines that are published during the partition only"
    );
    assert_eq!(simulate(1)?, (ann, bob, journal.clone()), "the same seed, the same chat");
    assert_ne!(simulate(2)?.2, journal);
    Ok(())
}
