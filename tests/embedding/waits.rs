//! Waiting for the moment when somebody is there.

use std::future::IntoFuture;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use minibroker::Broker;

use crate::Outcome;
use crate::wire::Wire;

/// A time that nothing takes.
const NEVER: Duration = Duration::from_secs(3600);
/// A time that is over before anybody comes.
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
        waiting.join().expect("nobody panics")
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
fn a_wait_for_nobody_ends_when_the_last_has_gone() -> Outcome {
    let broker = Broker::start()?;
    let mut leaves = Wire::connect(&broker)?;
    leaves.subscribe("chat")?;
    let mut disconnects = Wire::connect(&broker)?;
    disconnects.subscribe("chat")?;
    let one_is_too_many = broker.wait_for_subscribers("chat", 0).within(SHORT).blocking();
    assert_eq!(one_is_too_many.unwrap_err().seen(), 2);
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
fn a_wait_in_vain_says_what_it_saw_and_where_it_stands() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("chat")?;
    let began = Instant::now();
    let wait = broker.wait_for_subscribers("chat", 2).within(SHORT);
    let line = line!() - 1;
    let error = wait.blocking().unwrap_err();
    assert!(began.elapsed() >= SHORT);
    assert_eq!(error.seen(), 1);
    let file = file!();
    let text = format!("waited 20ms for 2 subscribers of channel \"chat\", saw 1 (at {file}:{line}:23)");
    assert_eq!(error.to_string(), text);
    // What `unwrap` and `?` show in a test.
    assert_eq!(format!("{error:?}"), text);
    for (wait, wanted) in [
        (broker.wait_for_pattern_subscribers("a*", 1), "for 1 subscriber of pattern \"a*\", saw 0"),
        (broker.wait_for_blocked(b"\xff", 3), "for 3 clients blocked on key \"\\xff\", saw 0"),
        (broker.wait_for_subscribers("chat", 0), "for 0 subscribers of channel \"chat\", saw 1"),
    ] {
        let text = wait.within(SHORT).blocking().unwrap_err().to_string();
        assert!(text.contains(wanted), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wait_in_vain_says_the_same_when_it_is_awaited() -> Outcome {
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
async fn a_blocking_wait_in_async_code_needs_nobody_else_of_that_runtime() -> Outcome {
    let broker = Broker::start()?;
    let addr = broker.addr();
    let client = thread::spawn(move || redis::Client::open(format!("redis://{addr}"))?.get_connection());
    let mut connection = client.join().expect("nobody panics")?;
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
        waiting.join().expect("nobody panics")
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
                    // This one is in vain while others are not.
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
            thread.join().expect("nobody panics")?;
        }
        Ok(())
    })
}
