//! Waits on a real server.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use minibroker::{AnyServer, Broker, Filter, Wait, WaitError};

use crate::Outcome;
use crate::running::{self, Running};

/// A timeout for something that does not happen.
const SHORT: Duration = Duration::from_millis(20);

/// Runs the same check on every server.
fn everywhere(check: impl Fn(&Running, &Broker<AnyServer>) -> Outcome) -> Outcome {
    for server in running::all() {
        let broker = Broker::attach(&server.url)?;
        check(&server, &broker).map_err(|error| format!("{}: {error}", server.name))?;
    }
    Ok(())
}

fn timeout_error(wait: Wait<'_>) -> String {
    let error: WaitError = wait.within(SHORT).blocking().expect_err("it times out");
    let text = error.to_string();
    text.split(" (at ").next().unwrap_or_default().to_owned()
}

fn connection(broker: &Broker<AnyServer>) -> redis::RedisResult<redis::Connection> {
    redis::Client::open(broker.url())?.get_connection()
}

#[test]
fn a_wait_that_times_out_says_what_it_saw_instead() -> Outcome {
    everywhere(|_, broker| {
        let typo = broker.unique("chta");
        let mut ann = connection(broker)?;
        let mut chat = ann.as_pubsub();
        chat.subscribe(&typo)?;
        broker.wait_for_subscribers(&typo, 1).blocking()?;
        broker.command(["PUBLISH", &typo, "hello"])?;
        assert_eq!(
            timeout_error(broker.wait_for_subscribers("chat", 2)),
            format!(
                "waited 20ms for 2 subscribers of channel \"chat\", saw 0 (other channels: \"{typo}\" 1)"
            )
        );
        assert_eq!(
            timeout_error(broker.wait_for_published("chat", 1)),
            format!(
                "waited 20ms for 1 message published on channel \"chat\", saw 0 (other channels: \"{typo}\" 1)"
            )
        );
        assert_eq!(
            timeout_error(broker.wait_for_pending("chat", "workers", 1)),
            "waited 20ms for 1 pending entry of group \"workers\" of stream \"chat\", saw 0 (there is no such group)"
        );
        assert_eq!(
            timeout_error(broker.wait_for_blocked("queue", 1)),
            "waited 20ms for 1 client blocked on key \"queue\", saw 0"
        );
        assert_eq!(
            timeout_error(broker.wait_for_pattern_subscribers("room:*", 1)),
            "waited 20ms for 1 subscriber of pattern \"room:*\", saw 0"
        );
        assert_eq!(timeout_error(broker.wait_for_clients(2)), "waited 20ms for 2 clients, saw 1");
        assert_eq!(timeout_error(broker.wait_for_clients(0)), "waited 20ms for 0 clients, saw 1");
        assert_eq!(broker.wait_for_clients(7).within(SHORT).blocking().expect_err("one").seen(), Some(1));
        assert_eq!(
            timeout_error(broker.wait_until(|_| false)),
            "waited 20ms for a state, saw 1 clients, 0 blocked; 0 keys"
        );
        let error = broker.wait_for_clients(2).within(SHORT).blocking().expect_err("one only");
        assert!(error.to_string().contains("(at tests/attached/waits.rs:"), "{error}");
        Ok(())
    })
}

#[test]
fn a_key_is_distinguished_from_another_that_is_blocked_on() -> Outcome {
    everywhere(|_, broker| {
        let waiting: Vec<_> = ["one", "two", "two"]
            .into_iter()
            .map(|queue| {
                let url = broker.url();
                thread::spawn(move || -> redis::RedisResult<(String, String)> {
                    let mut connection = redis::Client::open(url)?.get_connection()?;
                    redis::cmd("BLPOP").arg(queue).arg("both").arg(0).query(&mut connection)
                })
            })
            .collect();
        broker.wait_for_blocked("two", 2).blocking()?;
        broker.wait_for_blocked("one", 1).blocking()?;
        broker.wait_for_blocked("both", 3).blocking()?;
        broker.wait_for_blocked("three", 0).blocking()?;
        assert_eq!(
            timeout_error(broker.wait_for_blocked("one", 2)),
            "waited 20ms for 2 clients blocked on key \"one\", saw 1"
        );
        broker.command(["RPUSH", "two", "a", "b"])?;
        broker.wait_for_blocked("two", 0).blocking()?;
        broker.wait_for_blocked("both", 1).blocking()?;
        broker.command(["RPUSH", "both", "c"])?;
        broker.wait_for_blocked("one", 0).blocking()?;
        for worker in waiting {
            worker.join().expect("it does not panic")?;
        }
        Ok(())
    })
}

#[test]
fn patterns_are_counted_as_clients_come_and_go() -> Outcome {
    everywhere(|_, broker| {
        let (mut ann, mut bob) = (connection(broker)?, connection(broker)?);
        let mut rooms = ann.as_pubsub();
        rooms.psubscribe(&["room:*", "user:*"])?;
        let mut users = bob.as_pubsub();
        users.psubscribe("user:*")?;
        broker.wait_for_pattern_subscribers("room:*", 1).blocking()?;
        broker.wait_for_pattern_subscribers("user:*", 2).blocking()?;
        rooms.punsubscribe("user:*")?;
        assert_eq!(
            timeout_error(broker.wait_for_pattern_subscribers("user:*", 2)),
            "waited 20ms for 2 subscribers of pattern \"user:*\", saw 1"
        );
        broker.wait_for_pattern_subscribers("user:?", 0).blocking()?;
        drop(users);
        drop(bob);
        broker.wait_for_pattern_subscribers("user:*", 0).blocking()?;
        drop(rooms);
        // The connection is used again, and has no subscriptions.
        redis::cmd("PING").exec(&mut ann)?;
        broker.wait_for_pattern_subscribers("room:*", 0).blocking()?;
        Ok(())
    })
}

#[test]
fn what_was_published_is_known_when_publish_has_answered() -> Outcome {
    everywhere(|_, broker| {
        let chat = broker.unique("chat");
        let mut ann = connection(broker)?;
        redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
        let bytes: &[u8] = b"\0\r\n\"\\\xff";
        for count in 1..=100 {
            // Our own connections are not counted.
            let receivers: usize = redis::cmd("PUBLISH").arg(&chat).arg(bytes).query(&mut ann)?;
            assert_eq!((receivers, broker.published(&chat).len()), (0, count));
        }
        let () = redis::pipe()
            .atomic()
            .cmd("PUBLISH")
            .arg(&chat)
            .arg("first")
            .ignore()
            .cmd("PUBLISH")
            .arg(&chat)
            .arg("second")
            .ignore()
            .query(&mut ann)?;
        broker.command(["PUBLISH", &chat, "third"])?;
        broker.wait_for_published(&chat, 103).within(Duration::ZERO).blocking()?;
        let published = broker.published(&chat);
        assert_eq!(published[0].payload, bytes);
        assert_eq!(published[0].client.as_ref().map(|peer| peer.name.as_str()), Some("ann"));
        let last: Vec<_> = published[100..].iter().map(minibroker::Message::text).collect();
        assert_eq!(last, ["first", "second", "third"]);
        assert!(published[102].client.as_ref().is_some_and(minibroker::Peer::is_test));
        assert!(published.is_sorted_by(|one, two| one.number < two.number && one.time <= two.time));
        Ok(())
    })
}

#[tokio::test]
async fn a_wait_ends_soon_after_its_event_and_others_wait_meanwhile() -> Outcome {
    for server in running::all() {
        let broker = Arc::new(Broker::attach(&server.url)?);
        let chat = broker.unique("chat");
        let barrier = Arc::new(Barrier::new(2));
        let publisher = thread::spawn({
            let (broker, chat, barrier) = (Arc::clone(&broker), chat.clone(), Arc::clone(&barrier));
            move || {
                barrier.wait();
                broker.command(["PUBLISH", &chat, "hello"])
            }
        });
        let started = Instant::now();
        let waits = async {
            tokio::try_join!(
                broker.wait_for_published(&chat, 1).into_future(),
                broker.wait_until(|state| state.get("mood") == "good").into_future(),
            )
        };
        broker.command(["SET", "mood", "good"])?;
        barrier.wait();
        waits.await?;
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        publisher.join().expect("it does not panic")?;
        // A wait that is dropped does not delay others.
        for _ in 0..20 {
            let wait = broker.wait_for_clients(9).into_future();
            let _ = tokio::time::timeout(Duration::from_millis(1), wait).await;
        }
        broker.wait_for_clients(0).await?;
    }
    Ok(())
}

#[test]
fn a_question_to_the_state_is_answered_by_the_server() -> Outcome {
    everywhere(|_, broker| {
        let chat = broker.unique("chat");
        let mut ann = connection(broker)?;
        redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
        let mut bob = connection(broker)?;
        let mut listens = bob.as_pubsub();
        listens.subscribe(&chat)?;
        listens.psubscribe("user:*")?;
        for command in [
            &["RPUSH", "list", "a", "b"][..],
            &["SADD", "set", "a"],
            &["ZADD", "sorted", "1", "a"],
            &["HSET", "hash", "field", "value"],
            &["SET", "string", "text"],
            &["XADD", "stream", "*", "a", "b"],
            &["XGROUP", "CREATE", "stream", "group", "0"],
            &["XREADGROUP", "GROUP", "group", "ann", "STREAMS", "stream", ">"],
            &["PUBLISH", &chat, "hello"],
        ] {
            broker.command(command)?;
        }
        broker
            .wait_until(move |state| {
                let lengths = ["list", "set", "sorted", "hash", "string", "stream", "none"]
                    .map(|key| state.length(key));
                assert_eq!(lengths, [2, 1, 1, 1, 4, 1, 0]);
                assert_eq!(state.keys().len(), 6);
                assert!(state.exists("list") && !state.exists("none"));
                assert!(state.has_member("set", "a") && state.has_member("sorted", "a"));
                assert!(
                    !state.has_member("set", "b")
                        && !state.has_member("list", "a")
                        && !state.has_member("none", "a")
                );
                assert_eq!(
                    (format!("{:?}", state.get("string")), format!("{:?}", state.get("list"))),
                    ("\"text\"".into(), "(nil)".into())
                );
                assert_eq!(state.field("hash", "field"), "value");
                assert_eq!((state.clients(), state.clients_named("ann"), state.blocked_clients()), (2, 1, 0));
                assert_eq!((state.subscribers(&chat), state.pattern_subscribers("user:*")), (1, 1));
                assert_eq!((state.published(&chat), state.pending("stream", "group")), (1, 1));
                assert_eq!((state.pending("stream", "none"), state.blocked("list")), (0, 0));
                assert_eq!(format!("{state:?}"), "2 clients, 0 blocked; 6 keys");
                assert!(state.database(99).keys().is_empty());
                true
            })
            .blocking()?;
        let panics = std::panic::AssertUnwindSafe(|| broker.wait_until(|_| panic!("on purpose")).blocking());
        let panic = std::panic::catch_unwind(panics).expect_err("it panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
        broker.wait_until(|state| state.exists("list")).blocking()?;
        Ok(())
    })
}

#[test]
fn clients_are_cut_off_by_what_they_are_and_do() -> Outcome {
    everywhere(|server, broker| {
        let mut unaffected = server.connection();
        let mut ann = connection(broker)?;
        redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
        let id: u64 = redis::cmd("CLIENT").arg("ID").query(&mut ann)?;
        assert_eq!(broker.kill_clients(Filter::name("bob")), 0);
        assert_eq!(broker.kill_clients(Filter::name("ann").and(Filter::id(id))), 1);
        broker.wait_for_clients(0).blocking()?;
        let (mut one, mut two) = (connection(broker)?, connection(broker)?);
        let (mut first, mut second) = (one.as_pubsub(), two.as_pubsub());
        first.subscribe("chat")?;
        second.psubscribe("c*")?;
        assert_eq!(broker.kill_clients(Filter::subscribed_to("chat")), 1);
        assert!(first.get_message().expect_err("it is cut off").is_connection_dropped());
        assert_eq!(broker.kill_clients(Filter::all()), 1);
        assert!(second.get_message().expect_err("it is cut off").is_connection_dropped());
        redis::cmd("PING").exec(&mut unaffected)?;
        assert_eq!(broker.command(["PING"])?, "PONG");
        Ok(())
    })
}

#[test]
fn the_end_of_the_server_is_reported() -> Outcome {
    let server = Broker::start()?;
    let broker = Broker::attach(&server.url())?;
    server.stop()?;
    let error = broker.wait_for_clients(3).blocking().expect_err("the server has ended").to_string();
    assert!(error.starts_with("cannot wait for 3 clients: redis://127.0.0.1:"), "{error}");
    let error = broker.command(["PING"]).expect_err("the server has ended").to_string();
    assert!(error.starts_with("no answer from redis://127.0.0.1:"), "{error}");
    Ok(())
}
