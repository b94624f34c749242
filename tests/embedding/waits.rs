//! Waits for a state of the broker.

use std::future::{Future, IntoFuture};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use minibroker::{Broker, Value};

use crate::Outcome;
use crate::wire::Wire;

/// A timeout that is never reached.
const NEVER: Duration = Duration::from_secs(3600);
/// A timeout for something that does not happen.
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_wait_ends_when_the_subscribers_are_there() -> Outcome {
    let broker = Broker::start()?;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| broker.wait_for_subscribers("chat", 2).within(NEVER).blocking());
        let clients = [Wire::connect(&broker), Wire::connect(&broker)];
        let _subscribed = clients.map(|client| {
            let mut client = client.expect("it listens");
            client.subscribe("chat").expect("it answers");
            client
        });
        waiting.join().expect("no thread panics")
    })?;
    Ok(())
}

#[test]
fn a_wait_for_what_is_there_already_ends_at_once() -> Outcome {
    let broker = Broker::start()?;
    let mut subscribers = [Wire::connect(&broker)?, Wire::connect(&broker)?];
    for subscriber in &mut subscribers {
        subscriber.subscribe("chat")?;
    }
    for count in [1, 2] {
        broker.wait_for_subscribers("chat", count).within(Duration::ZERO).blocking()?;
    }
    broker.wait_for_subscribers("empty", 0).within(Duration::ZERO).blocking()?;
    Ok(())
}

#[test]
fn a_wait_for_no_subscribers_ends_when_the_last_is_gone() -> Outcome {
    let broker = Broker::start()?;
    let mut leaves = Wire::connect(&broker)?;
    leaves.subscribe("chat")?;
    let mut disconnects = Wire::connect(&broker)?;
    disconnects.subscribe("chat")?;
    let one_is_too_many = broker.wait_for_subscribers("chat", 0).within(SHORT).blocking();
    assert_eq!(one_is_too_many.unwrap_err().seen(), Some(2));
    leaves.send("UNSUBSCRIBE")?;
    drop(disconnects);
    broker.wait_for_subscribers("chat", 0).within(NEVER).blocking()?;
    Ok(())
}

#[test]
fn channels_patterns_and_keys_are_waited_for_each_for_itself() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.send("PSUBSCRIBE room:*")?;
    broker.wait_for_pattern_subscribers("room:*", 1).within(NEVER).blocking()?;
    assert!(broker.wait_for_subscribers("room:*", 1).within(SHORT).blocking().is_err());
    assert!(broker.wait_for_subscribers("room:lounge", 1).within(SHORT).blocking().is_err());
    assert!(broker.wait_for_pattern_subscribers("room:?", 1).within(SHORT).blocking().is_err());
    assert!(broker.wait_for_blocked("room:*", 1).within(SHORT).blocking().is_err());
    Ok(())
}

#[test]
fn a_client_that_waits_for_several_keys_is_blocked_on_each() -> Outcome {
    let broker = Broker::start()?;
    let mut first = Wire::connect(&broker)?;
    first.send("XREAD BLOCK 0 STREAMS one two $ $")?;
    let mut second = Wire::connect(&broker)?;
    second.send("XREAD BLOCK 0 STREAMS two $")?;
    broker.wait_for_blocked("two", 2).within(NEVER).blocking()?;
    broker.wait_for_blocked("one", 1).within(NEVER).blocking()?;
    broker.command(["XADD", "one", "1-1", "name", "text"])?;
    broker.wait_for_blocked("one", 0).within(NEVER).blocking()?;
    broker.wait_for_blocked("two", 1).within(Duration::ZERO).blocking()?;
    Ok(())
}

#[test]
fn a_wait_that_times_out_says_what_it_saw_and_its_line() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    let began = Instant::now();
    let wait = broker.wait_for_subscribers("chat", 2).within(SHORT);
    let line = line!() - 1;
    let error = wait.blocking().unwrap_err();
    assert!(began.elapsed() >= SHORT);
    assert_eq!(error.seen(), Some(1));
    let file = file!();
    let text = format!("waited 20ms for 2 subscribers of channel \"chat\", saw 1 (at {file}:{line}:23)");
    assert_eq!(error.to_string(), text);
    // The text that `unwrap` and `?` show in a test.
    assert_eq!(format!("{error:?}"), text);
    for (wait, expected) in [
        (broker.wait_for_pattern_subscribers("a*", 1), "for 1 subscriber of pattern \"a*\", saw 0"),
        (broker.wait_for_blocked(b"\xff", 3), "for 3 clients blocked on key \"\\xff\", saw 0"),
        (broker.wait_for_subscribers("chat", 0), "for 0 subscribers of channel \"chat\", saw 1"),
    ] {
        let text = wait.within(SHORT).blocking().unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wait_that_times_out_says_the_same_when_awaited() -> Outcome {
    let broker = Broker::start()?;
    let error = broker.wait_for_blocked("queue", 1).within(SHORT).await.unwrap_err();
    let line = line!() - 1;
    let text = format!("waited 20ms for 1 client blocked on key \"queue\", saw 0 (at {}:{line}:24)", file!());
    assert_eq!(error.to_string(), text);
    Ok(())
}

#[tokio::test]
async fn waits_are_awaited_side_by_side() -> Outcome {
    let broker = Broker::start()?;
    let client = redis::Client::open(broker.url())?;
    let joins = async {
        let mut subscriber = client.get_async_pubsub().await?;
        subscriber.subscribe("chat").await?;
        subscriber.psubscribe("room:*").await?;
        redis::RedisResult::Ok(subscriber)
    };
    let (of_channel, of_pattern, subscriber) = tokio::join!(
        broker.wait_for_subscribers("chat", 1).within(NEVER).into_future(),
        broker.wait_for_pattern_subscribers("room:*", 1).within(NEVER).into_future(),
        joins,
    );
    of_channel?;
    of_pattern?;
    drop(subscriber?);
    broker.wait_for_subscribers("chat", 0).within(NEVER).await?;
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn a_blocking_wait_in_async_code_needs_no_other_task() -> Outcome {
    let broker = Broker::start()?;
    let addr = broker.addr().expect("it listens");
    let client = thread::spawn(move || redis::Client::open(format!("redis://{addr}"))?.get_connection());
    let mut connection = client.join().expect("no thread panics")?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut chat = connection.as_pubsub();
            chat.subscribe("chat").expect("it answers");
            chat.get_message().expect("a message");
        });
        broker.wait_for_subscribers("chat", 1).within(NEVER).blocking()?;
        broker.command(["PUBLISH", "chat", "end"]).expect("it answers");
        Ok(())
    })
}

/// Awaits without any runtime.
fn block_on<T>(future: impl IntoFuture<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future.into_future());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_wait_can_be_awaited_in_any_runtime() -> Outcome {
    let broker = Broker::start()?;
    assert!(block_on(broker.wait_for_subscribers("chat", 1).within(SHORT)).is_err());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(broker.wait_for_subscribers("chat", 1).within(NEVER)));
        let mut subscriber = Wire::connect(&broker).expect("it listens");
        subscriber.subscribe("chat").expect("it answers");
        waiting.join().expect("no thread panics")
    })?;
    Ok(())
}

#[test]
fn many_threads_wait_at_once_each_for_its_own() -> Outcome {
    const THREADS: usize = 16;
    let broker = Broker::start()?;
    thread::scope(|scope| -> Outcome {
        let waiting: Vec<_> = (1..=THREADS)
            .map(|count| {
                let broker = &broker;
                scope.spawn(move || {
                    let own = format!("room:{count}");
                    broker.wait_for_subscribers("hall", count).within(NEVER).blocking()?;
                    broker.wait_for_subscribers(&own, 1).within(NEVER).blocking()?;
                    // This wait times out while others do not.
                    assert!(broker.wait_for_blocked(&own, 1).within(SHORT).blocking().is_err());
                    Ok::<_, minibroker::WaitError>(())
                })
            })
            .collect();
        let mut subscribers = Vec::new();
        for number in 1..=THREADS {
            let mut subscriber = Wire::connect(&broker)?;
            subscriber.send(&format!("SUBSCRIBE hall room:{number}"))?;
            subscribers.push(subscriber);
        }
        for thread in waiting {
            thread.join().expect("no thread panics")?;
        }
        Ok(())
    })
}

#[test]
fn messages_are_waited_for_from_any_publisher() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["PUBLISH", "chat", "one"])?;
    thread::scope(|scope| {
        let waiting = scope.spawn(|| broker.wait_for_published("chat", 2).within(NEVER).blocking());
        let mut publisher = Wire::connect(&broker).expect("it listens");
        publisher.ask("PUBLISH chat two", ":0\r\n").expect("it answers");
        waiting.join().expect("no thread panics")
    })?;
    broker.wait_for_published("nothing", 0).within(Duration::ZERO).blocking()?;
    let error = broker.wait_for_published("chta", 3).within(SHORT).blocking().unwrap_err().to_string();
    let expected = "for 3 messages published on channel \"chta\", saw 0 (other channels: \"chat\" 2) (at ";
    assert!(error.contains(expected), "{error}");
    Ok(())
}

#[test]
fn clients_are_waited_for_as_they_come_and_go() -> Outcome {
    let broker = Broker::start()?;
    broker.wait_for_clients(0).within(Duration::ZERO).blocking()?;
    let clients = [Wire::connect(&broker)?, Wire::connect(&broker)?];
    broker.wait_for_clients(2).within(NEVER).blocking()?;
    let error = broker.wait_for_clients(3).within(SHORT).blocking().unwrap_err().to_string();
    assert!(error.contains("for 3 clients, saw 2 (at "), "{error}");
    drop(clients);
    broker.wait_for_clients(0).within(NEVER).blocking()?;
    Ok(())
}

#[tokio::test]
async fn unacknowledged_entries_are_waited_for() -> Outcome {
    let broker = Broker::start()?;
    let error = broker.wait_for_pending("chat", "workers", 1).within(SHORT).await.unwrap_err().to_string();
    let expected =
        "for 1 pending entry of group \"workers\" of stream \"chat\", saw 0 (there is no such group) (at ";
    assert!(error.contains(expected), "{error}");
    broker.command(["XGROUP", "CREATE", "chat", "workers", "$", "MKSTREAM"])?;
    broker.wait_for_pending("chat", "workers", 0).within(Duration::ZERO).await?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("XREADGROUP GROUP workers ann BLOCK 0 STREAMS chat >")?;
    broker.wait_for_blocked("chat", 1).within(NEVER).await?;
    let (pending, added) =
        tokio::join!(broker.wait_for_pending("chat", "workers", 1).within(NEVER).into_future(), async {
            broker.command(["XADD", "chat", "1-1", "text", "hello"])
        },);
    pending?;
    added?;
    worker.send("XACK chat workers 1-1")?;
    broker.wait_for_pending("chat", "workers", 0).within(NEVER).await?;
    Ok(())
}

#[test]
fn any_state_can_be_waited_for() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let evaluated = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let evaluated = Arc::clone(&evaluated);
            let wait = broker.wait_until(move |state| {
                evaluated.fetch_add(1, Ordering::Relaxed);
                state.length("history") == 3
            });
            wait.within(NEVER).blocking()
        });
        for number in 1..=3 {
            client.ask("RPUSH history hello", &format!(":{number}\r\n")).expect("it answers");
        }
        waiting.join().expect("no thread panics")
    })?;
    // While nothing changes the predicate is not evaluated.
    assert!((1..=8).contains(&evaluated.load(Ordering::Relaxed)));
    Ok(())
}

#[test]
fn a_state_has_keys_values_clients_and_subscriptions() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("CLIENT SETNAME ann", "+OK\r\n")?;
    client.send("SUBSCRIBE chat")?;
    client.send("PSUBSCRIBE room:*")?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 0")?;
    for command in [
        "SET mood good",
        "HSET ann city Oslo",
        "SADD online ann bob",
        "ZADD by_time 1 hello",
        "XADD log * text hello",
        "XGROUP CREATE log workers 0",
        "XREADGROUP GROUP workers ann STREAMS log >",
        "RPUSH history a b c",
        "SET gone soon EXAT 1",
        "PUBLISH chat hello",
    ] {
        broker.command(command.split(' ').collect::<Vec<_>>())?;
    }
    broker
        .wait_until(|state| {
            state.clients() == 2
                && state.clients_named("ann") == 1
                && state.subscribers("chat") == 1
                && state.pattern_subscribers("room:*") == 1
                && state.published("chat") == 1
                && state.blocked("queue") == 1
                && state.blocked_clients() == 1
                && state.pending("log", "workers") == 1
                && state.pending("log", "others") == 0
                && state.keys().len() == 6
                && state.exists("mood")
                && !state.exists("gone")
                && ["mood", "ann", "online", "by_time", "log", "history", "gone"].map(|key| state.length(key))
                    == [4, 1, 2, 1, 1, 3, 0]
                && state.get("mood") == "good"
                && state.get("online") == Value::Null
                && state.field("ann", "city") == "Oslo"
                && state.field("ann", "street") == Value::Null
                && state.has_member("online", "bob")
                && state.has_member("by_time", "hello")
                && !state.has_member("online", "eve")
                && state.database(1).keys().is_empty()
                && !state.database(99).exists("mood")
        })
        .within(NEVER)
        .blocking()?;
    let error = broker.wait_until(|_| false).within(SHORT).blocking().unwrap_err().to_string();
    let expected = "for a state, saw 2 clients, 1 blocked; 6 keys; subscribers: \"chat\" 1; pattern subscribers: \
                  \"room:*\" 1 (at ";
    assert!(error.contains(expected), "{error}");
    Ok(())
}

/// The message of the panic of a wait.
fn panic_of(wait: impl FnOnce() -> Result<(), minibroker::WaitError>) -> String {
    let panic = catch_unwind(AssertUnwindSafe(wait)).expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .expect("it panics with a text")
}

#[test]
fn a_predicate_that_panics_fails_its_own_wait_only() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let wait = || {
        broker.wait_until(|state| {
            assert!(!state.exists("mood"), "there is a mood");
            false
        })
    };
    let text = thread::scope(|scope| -> std::io::Result<_> {
        let evaluated = Arc::new(Barrier::new(2));
        let other = scope.spawn(|| broker.wait_for_published("chat", 1).within(NEVER).blocking());
        let waiting = scope.spawn({
            let evaluated = Arc::clone(&evaluated);
            move || {
                evaluated.wait();
                panic_of(|| wait().within(NEVER).blocking())
            }
        });
        evaluated.wait();
        client.ask("SET mood good", "+OK\r\n")?;
        let text = waiting.join().expect("no thread panics");
        client.ask("PUBLISH chat hello", ":0\r\n")?;
        assert_eq!(other.join().expect("no thread panics"), Ok(()));
        Ok(text)
    })?;
    assert_eq!(text, "there is a mood");
    assert_eq!(panic_of(|| wait().blocking()), "there is a mood");
    Ok(())
}

#[test]
fn a_predicate_that_uses_the_broker_fails_instead_of_waiting_for_itself() -> Outcome {
    let broker = Arc::new(Broker::start()?);
    let calls: [fn(&Broker); 3] = [
        |broker| drop(broker.command(["PING"])),
        |broker| drop(broker.journal()),
        |broker| drop(broker.wait_for_clients(0).blocking()),
    ];
    for call in calls {
        let same = Arc::clone(&broker);
        let wait = broker.wait_until(move |_| {
            call(&same);
            true
        });
        let text = panic_of(|| wait.blocking());
        assert!(text.starts_with("the predicate of `wait_until` has used the broker"), "{text}");
    }
    assert_eq!(broker.command(["PING"])?, "PONG");
    Ok(())
}

#[test]
fn a_completed_wait_may_use_the_broker_at_once() -> Outcome {
    /// Uses the broker as soon as it is woken, as its task would.
    struct UsesBroker(Arc<Broker>, AtomicUsize);
    impl Wake for UsesBroker {
        fn wake(self: Arc<Self>) {
            if let Ok(Value::Integer(length)) = self.0.command(["RPUSH", "woken", "x"]) {
                self.1.store(usize::try_from(length).unwrap_or_default(), Ordering::SeqCst);
            }
        }
    }
    let broker = Arc::new(Broker::start()?);
    let waker_state = Arc::new(UsesBroker(Arc::clone(&broker), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&waker_state));
    let mut wait = broker.wait_for_published("chat", 1).within(NEVER).into_future();
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    broker.command(["PUBLISH", "chat", "hello"])?;
    assert_eq!(waker_state.1.load(Ordering::SeqCst), 1);
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    drop(wait);
    Ok(())
}

#[tokio::test]
async fn a_blocking_wait_that_keeps_its_own_runtime_from_running_says_so() -> Outcome {
    let broker = Broker::start()?;
    let url = broker.url();
    tokio::spawn(async move {
        let mut subscriber = redis::Client::open(url)?.get_async_pubsub().await?;
        subscriber.subscribe("chat").await?;
        std::future::pending::<redis::RedisResult<()>>().await
    });
    let error = broker.wait_for_subscribers("chat", 1).within(SHORT).blocking().unwrap_err();
    assert!(error.to_string().contains("`.blocking()` has kept the current-thread runtime"), "{error}");
    broker.wait_for_subscribers("chat", 1).await?;
    let error = broker.wait_for_subscribers("chat", 2).within(SHORT).await.unwrap_err();
    assert!(!error.to_string().contains("runtime"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_error_of_a_blocking_wait_in_its_own_thread_names_no_runtime() -> Outcome {
    let broker = Arc::new(Broker::start()?);
    let waits = Arc::clone(&broker);
    // The wait is much longer than it takes the idle runtime to run a task.
    let wait = move || waits.wait_for_clients(1).within(Duration::from_millis(500)).blocking();
    let error = tokio::task::spawn_blocking(wait).await?.unwrap_err();
    assert!(!error.to_string().contains("runtime"), "{error}");
    Ok(())
}
