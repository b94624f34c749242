//! Workers that share the messages of a stream as a consumer group. Others take over the messages of one that is lost.

use std::thread;

use minibroker::Broker;
use redis::streams::{StreamAutoClaimOptions, StreamAutoClaimReply, StreamReadOptions, StreamReadReply};
use redis::{Commands, RedisResult};

use crate::Outcome;
use crate::connect::connect;

const STREAM: &str = "moderation";
const GROUP: &str = "moderators";

/// The entries that were not delivered to any worker yet.
const NEW: &str = ">";

fn messages(reply: StreamReadReply) -> Vec<String> {
    let entries = reply.keys.into_iter().flat_map(|key| key.ids);
    entries.map(|entry| entry.get("text").expect("a message has a text")).collect()
}

/// Waits for new messages as this worker.
fn take(broker: &Broker, worker: &str) -> RedisResult<StreamReadReply> {
    let options = StreamReadOptions::default().group(GROUP, worker).count(1).block(0);
    connect(broker)?.xread_options(&[STREAM], &[NEW], &options)
}

#[test]
fn each_message_goes_to_the_worker_that_has_waited_longest() -> Outcome {
    let broker = Broker::start()?;
    let mut chat = connect(&broker)?;
    chat.xgroup_create_mkstream::<_, _, _, ()>(STREAM, GROUP, "$")?;
    thread::scope(|scope| -> Outcome {
        let mut workers = Vec::new();
        for (index, name) in ["ann", "bob"].into_iter().enumerate() {
            let broker = &broker;
            workers.push(scope.spawn(move || take(broker, name).map(messages)));
            broker.wait_for_blocked(STREAM, index + 1).blocking()?;
        }
        for text in ["first", "second"] {
            chat.xadd::<_, _, _, _, String>(STREAM, "*", &[("text", text)])?;
        }
        let taken: Vec<_> =
            workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect();
        assert_eq!(taken, [Ok(vec!["first".to_owned()]), Ok(vec!["second".to_owned()])]);
        Ok(())
    })
}

#[test]
fn the_pending_messages_of_a_lost_worker_are_taken_over_once() -> Outcome {
    let broker = Broker::start()?;
    let mut chat = connect(&broker)?;
    chat.xgroup_create_mkstream::<_, _, _, ()>(STREAM, GROUP, "$")?;
    for text in ["one", "two"] {
        chat.xadd::<_, _, _, _, String>(STREAM, "*", &[("text", text)])?;
    }
    // Ann takes a message, and the connection ends before the message is acknowledged.
    assert_eq!(messages(take(&broker, "ann")?), ["one"]);
    let bobs = take(&broker, "bob")?;
    let done: i64 = chat.xack(STREAM, GROUP, &[&bobs.keys[0].ids[0].id])?;
    assert_eq!((messages(bobs), done), (vec!["two".to_owned()], 1));

    let claim = |chat: &mut redis::Connection| -> RedisResult<Vec<String>> {
        let options = StreamAutoClaimOptions::default().count(10);
        let reply: StreamAutoClaimReply = chat.xautoclaim_options(STREAM, GROUP, "bob", 0, "0-0", options)?;
        reply.claimed.iter().map(|entry| Ok(entry.get("text").expect("a message has a text"))).collect()
    };
    assert_eq!(claim(&mut chat)?, ["one"]);
    let options = StreamReadOptions::default().group(GROUP, "ann");
    let anns: StreamReadReply = chat.xread_options(&[STREAM], &["0"], &options)?;
    assert!(messages(anns).is_empty(), "it is bob's now");
    let pending: redis::streams::StreamPendingCountReply =
        chat.xpending_count(STREAM, GROUP, "-", "+", 10)?;
    let [entry] = &pending.ids[..] else { panic!("one message is pending: {pending:?}") };
    assert_eq!((entry.consumer.as_str(), entry.times_delivered), ("bob", 2));
    assert_eq!(chat.xack::<_, _, _, i64>(STREAM, GROUP, &[&entry.id])?, 1);
    assert!(claim(&mut chat)?.is_empty());
    Ok(())
}
