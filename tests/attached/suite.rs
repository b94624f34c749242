//! A small suite, as for a chat. It runs on an embedded broker here, and on servers in `everywhere`.

use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use minibroker::Broker;
use redis::AsyncCommands;

use crate::Outcome;

#[test]
fn all_members_of_a_room_receive_a_message() -> Outcome {
    let broker = Broker::from_env()?;
    broker.print_journal_on_panic();
    let room = broker.unique("room:lobby");
    let client = redis::Client::open(broker.url())?;
    let listeners: Vec<_> = (0..3)
        .map(|_| {
            let (client, room) = (client.clone(), room.clone());
            thread::spawn(move || -> redis::RedisResult<Vec<String>> {
                let mut connection = client.get_connection()?;
                let mut chat = connection.as_pubsub();
                chat.subscribe(room)?;
                (0..2).map(|_| chat.get_message()?.get_payload()).collect()
            })
        })
        .collect();
    broker.wait_for_subscribers(&room, 3).blocking()?;
    let mut ann = client.get_connection()?;
    for text in ["hello", "bye"] {
        let receivers: usize = redis::cmd("PUBLISH").arg(&room).arg(text).query(&mut ann)?;
        assert_eq!(receivers, 3);
    }
    for listener in listeners {
        assert_eq!(listener.join().expect("it does not panic")?, ["hello", "bye"]);
    }
    broker.wait_for_subscribers(&room, 0).blocking()?;
    let texts: Vec<_> = broker.published(&room).iter().map(|message| message.text().into_owned()).collect();
    assert_eq!(texts, ["hello", "bye"]);
    broker.assert_published(&room, "bye");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_cut_off_comes_back_for_its_work() -> Outcome {
    let broker = Broker::from_env()?;
    let client = redis::Client::open(broker.url())?;
    let worker = tokio::spawn(async move {
        loop {
            let mut connection = client.get_multiplexed_async_connection().await?;
            let taken: redis::RedisResult<(String, String)> = connection.blpop("chat_queue", 0.0).await;
            match taken {
                Err(error) if error.is_connection_dropped() || error.is_io_error() => {}
                taken => return taken,
            }
        }
    });
    broker.wait_for_blocked("chat_queue", 1).await?;
    assert_eq!(broker.kill_clients(minibroker::Filter::blocked_on("chat_queue")), 1);
    broker.wait_for_blocked("chat_queue", 1).await?;
    broker.command(["RPUSH", "chat_queue", "hello"])?;
    assert_eq!(worker.await??.1, "hello");
    assert_eq!(broker.command(["LLEN", "chat_queue"])?, 0);
    Ok(())
}

#[tokio::test]
async fn a_message_is_pending_until_it_is_acknowledged() -> Outcome {
    let broker = Broker::from_env()?;
    broker.command(["XGROUP", "CREATE", "chat", "workers", "$", "MKSTREAM"])?;
    let mut connection = redis::Client::open(broker.url())?.get_multiplexed_async_connection().await?;
    let id: String = connection.xadd("chat", "*", &[("text", "hello")]).await?;
    let options = redis::streams::StreamReadOptions::default().group("workers", "ann");
    let _: redis::streams::StreamReadReply = connection.xread_options(&["chat"], &[">"], &options).await?;
    broker.wait_for_pending("chat", "workers", 1).await?;
    let acknowledged: usize = connection.xack("chat", "workers", &[id]).await?;
    assert_eq!(acknowledged, 1);
    broker.wait_for_pending("chat", "workers", 0).await?;
    Ok(())
}

#[tokio::test]
async fn presence_is_stored_before_it_is_announced() -> Outcome {
    let broker = Broker::from_env()?;
    let rooms = broker.unique("presence:");
    let client = redis::Client::open(broker.url())?;
    let mut pubsub = client.get_async_pubsub().await?;
    let pattern = format!("{rooms}*");
    pubsub.psubscribe(&pattern).await?;
    broker.wait_for_pattern_subscribers(&pattern, 1).await?;
    let channel = format!("{rooms}ann");
    let joins = tokio::spawn({
        let channel = channel.clone();
        async move {
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::pipe()
                .atomic()
                .sadd("online", "ann")
                .publish(channel, "joined")
                .exec_async(&mut connection)
                .await
        }
    });
    broker.wait_until(|state| state.has_member("online", "ann") && state.length("online") == 1).await?;
    broker.wait_for_published(&channel, 1).await?;
    joins.await??;
    let message = pubsub.on_message().next().await.ok_or("it ends")?;
    assert_eq!(message.get_payload::<String>()?, "joined");
    Ok(())
}

#[test]
fn a_session_that_is_not_kept_alive_ends() -> Outcome {
    let broker = Broker::from_env()?;
    broker.command(["SET", "session:ann", "there", "PX", "40"])?;
    if let Some(broker) = broker.embedded() {
        broker.advance(Duration::from_millis(40));
    }
    broker.wait_until(|state| !state.exists("session:ann")).blocking()?;
    Ok(())
}
