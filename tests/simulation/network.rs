//! A chat on a network that fails: two chat servers and the broker, each a host of a network that
//! [turmoil](https://docs.rs/turmoil) simulates, in simulated time. A minute of it takes some milliseconds, and all of it
//! follows from a seed.

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
type Heard = Arc<Mutex<Vec<String>>>;

/// A chat server: it says something every second, receives all lines, and connects again when its connection is lost.
async fn chat_server(name: &str, heard: &Heard) -> turmoil::Result {
    let mut said = 0;
    while talk(name, &mut said, heard).await.is_err() {
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn talk(name: &str, said: &mut u32, heard: &Heard) -> RedisResult<()> {
    let heard = Arc::clone(heard);
    let hear = move |push: PushInfo| {
        if push.kind == PushKind::Message {
            let text = redis::from_redis_value(push.data[1].clone()).expect("a text");
            heard.lock().expect("nobody panics").push(text);
        }
        Ok::<(), redis::aio::SendError>(())
    };
    let settings = "redis://broker/?protocol=resp3".into_connection_info()?;
    let config =
        AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(1))).set_push_sender(hear);
    let stream = TcpStream::connect(("broker", PORT)).await?;
    let (mut connection, driver) =
        MultiplexedConnection::new_with_config(settings.redis_settings(), stream, config).await?;
    tokio::spawn(driver);
    connection.subscribe("chat").await?;
    loop {
        *said += 1;
        let () = connection.publish("chat", format!("{name} {said}")).await?;
        sleep(Duration::from_secs(1)).await;
    }
}

/// What Ann's and Bob's servers received, and the broker's journal.
fn simulate(seed: u64) -> turmoil::Result<(Vec<String>, Vec<String>, String)> {
    let mut network =
        turmoil::Builder::new().rng_seed(seed).simulation_duration(Duration::from_secs(60)).build();
    let broker: Arc<OnceLock<Broker>> = Arc::default();
    let here = Arc::clone(&broker);
    network.host("broker", move || {
        let here = Arc::clone(&here);
        async move {
            let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
            serve(here.get_or_init(|| {
                let builder = Broker::builder().seed(seed).clock_at(midnight);
                builder.start_on_this_runtime().expect("it starts")
            }))
            .await
        }
    });
    let (ann, bob) = (Heard::default(), Heard::default());
    for (name, heard) in [("ann", &ann), ("bob", &bob)] {
        let heard = Arc::clone(heard);
        network.host(name, move || {
            let heard = Arc::clone(&heard);
            async move { chat_server(name, &heard).await }
        });
    }
    let there = Arc::clone(&broker);
    network.client("test", async move {
        sleep(Duration::from_millis(10)).await;
        let broker = there.get().expect("the broker's host has started");
        broker.wait_for_subscribers("chat", 2).await?;
        sleep(Duration::from_millis(3500)).await;
        turmoil::partition("ann", "broker");
        sleep(Duration::from_secs(5)).await;
        turmoil::repair("ann", "broker");
        // The broker cannot know that her first connection is dead.
        broker.wait_for_subscribers("chat", 3).await?;
        sleep(Duration::from_secs(3)).await;
        Ok(())
    });
    network.run()?;
    let taken = |heard: Heard| std::mem::take(&mut *heard.lock().expect("nobody panics"));
    let journal = broker.get().expect("it was started").journal().to_string();
    Ok((taken(ann), taken(bob), journal))
}

#[test]
fn a_partitioned_chat_server_misses_messages_until_it_is_back() -> turmoil::Result {
    let (ann, bob, journal) = simulate(1)?;
    let said_by = |name: &str, heard: &[String]| -> Vec<u32> {
        heard.iter().filter_map(|text| text.strip_prefix(name)?.trim().parse().ok()).collect()
    };
    let by_bob = said_by("bob", &bob);
    assert!(by_bob.iter().copied().eq((1..).take(by_bob.len())), "Bob misses nothing of his own: {by_bob:?}");
    let lost: Vec<u32> = by_bob.iter().copied().filter(|said| !said_by("bob", &ann).contains(said)).collect();
    assert_eq!(lost, [5, 6, 7, 8, 9], "Ann misses what Bob says while she is cut off, and no more");
    assert_eq!(simulate(1)?, (ann, bob, journal.clone()), "the same seed, the same chat");
    assert_ne!(simulate(2)?.2, journal);
    Ok(())
}
