//! What a real server can and cannot do for a test.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use minibroker::{AnyServer, Broker, Filter, Value, WatchedCommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Outcome;
use crate::running;

thread_local! {
    static FILE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The message of the panic of a call, and the file.
fn panic_of(call: impl FnOnce()) -> (String, String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let file = info.location().map(|file| file.file().to_owned()).unwrap_or_default();
            FILE.with(|last| *last.borrow_mut() = file);
            before(info);
        }));
    });
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    (text, FILE.with(|last| last.borrow().clone()))
}

#[test]
fn only_an_embedded_broker_has_what_real_servers_cannot_do() -> Outcome {
    let server = Broker::start()?;
    assert!(Broker::attach(&server.url())?.embedded().is_none());
    let any: Broker<AnyServer> = server.into();
    let embedded = any.embedded().expect("it is one");
    assert_eq!((embedded.url(), embedded.journal().by_client("ann").len()), (any.url(), 0));
    Ok(())
}

#[test]
fn the_error_of_a_missing_message_lists_the_published_ones() -> Outcome {
    let server = Broker::start()?;
    let broker = Broker::attach(&server.url())?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.assert_published("chat", "hello");
    let (text, file) = panic_of(|| broker.assert_published("chat", "bye"));
    assert_eq!(text, "\"bye\" was not published on channel \"chat\"\npublished there:\n  \"hello\"");
    assert_eq!(file, file!());
    let (text, _) = panic_of(|| broker.assert_published("chta", "bye"));
    assert_eq!(
        text,
        "\"bye\" was not published on channel \"chta\"\nmessages on other channels:\n  \"chat\": 1"
    );
    Ok(())
}

#[test]
fn a_command_answers_as_that_of_an_embedded_broker() -> Outcome {
    let embedded = Broker::start()?;
    for server in running::all() {
        let attached = Broker::attach(&server.url)?;
        let bulk = "x".repeat(300_000);
        let commands: [&[&str]; 22] = [
            &["SET", "a", "1"],
            &["GET", "a"],
            &["GET", "none"],
            &["LPUSH", "a", "x"],
            &["HSET", "h", "f", "v"],
            &["HGETALL", "h"],
            &["SADD", "s", "x"],
            &["SMEMBERS", "s"],
            &["ZADD", "z", "1.5", "m"],
            &["ZSCORE", "z", "m"],
            &["BLPOP", "queue", "0"],
            &["BLPOP", "a", "0"],
            &["BLPOP", "queue"],
            &["XREAD", "BLOCK", "0", "STREAMS", "none", "$"],
            &["RPUSH", "queue", "x"],
            &["BLPOP", "queue", "0"],
            &["SET", "long", &bulk],
            &["GET", "long"],
            &["GET"],
            &["SELECT", "1"],
            &["MULTI"],
            &["DBSIZE"],
        ];
        for command in commands {
            let (expected, actual) = (embedded.command(command), attached.command(command));
            assert_eq!(actual, expected, "{}: {:?}", server.name, &command[0]);
        }
        assert_eq!(attached.command([""; 0]), embedded.command([""; 0]));
        assert_eq!(attached.command([""]), embedded.command([""]));
        // The state of the connection is lost as well.
        attached.command(["SUBSCRIBE", "chat"])?;
        assert_eq!(attached.command(["QUIT"])?, "OK");
        assert_eq!(attached.command(["GET", "a"])?, "1");
        let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        let all: Vec<_> = ["RPUSH", "many"].into_iter().chain(many.iter().map(String::as_str)).collect();
        attached.command(all)?;
        let all = attached.command(["LRANGE", "many", "0", "-1"])?;
        assert_eq!(all.as_slice().map(<[Value]>::len), Some(10_000));
        let far = attached.now().duration_since(SystemTime::now()).unwrap_or_else(|error| error.duration());
        assert!(far < Duration::from_secs(5), "{far:?}");
        embedded.command(["FLUSHALL"])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_of_the_broker_is_a_connection_in_the_database_of_the_test() -> Outcome {
    for server in running::all() {
        let broker = Broker::attach(&server.url)?;
        let mut stream = broker.connect();
        stream.write_all(b"*3\r\n$3\r\nSET\r\n$4\r\nmood\r\n$4\r\ngood\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"+OK\r\n");
        assert_eq!(broker.command(["GET", "mood"])?, "good");
        broker.wait_for_clients(1).await?;
        drop(stream);
        broker.wait_for_clients(0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn commands_shows_what_clients_of_the_test_send_from_then_on() -> Outcome {
    for server in running::all() {
        let (broker, other) = (Broker::attach(&server.url)?, Broker::attach(&server.url)?);
        broker.command(["SET", "before", "1"])?;
        let mut commands = broker.watch_commands();
        other.command(["SET", "elsewhere", "1"])?;
        broker.wait_for_clients(0).await?;
        broker.command(["SET", "mood", "good"])?;
        let mut connection = redis::Client::open(broker.url())?.get_multiplexed_async_connection().await?;
        redis::cmd("RPUSH").arg("history").arg("a b").exec_async(&mut connection).await?;
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last: &WatchedCommand| last.name() != "RPUSH") {
            seen.push(commands.next().await.expect("the server is there"));
        }
        assert_eq!(seen[0].arguments, ["SET", "mood", "good"], "{}", server.name);
        assert_eq!(seen[seen.len() - 1].arguments, ["RPUSH", "history", "a b"], "{}", server.name);
    }
    Ok(())
}

#[tokio::test]
async fn other_tasks_run_while_a_command_is_awaited() -> Outcome {
    let server = Broker::start()?;
    let broker = Broker::attach(&server.url())?;
    broker.command(("RPUSH", "history", 1, 2.5))?;
    // The server does not answer before another task of this runtime has run.
    let stall = server.stop_reading(Filter::all());
    let other = tokio::spawn(async move { drop(stall) });
    assert_eq!(broker.command_async(("RPUSH", "history", "three")).await?, 3);
    other.await?;
    let refused = broker.command_async(["GET", "history"]).await.expect_err("it is a list");
    assert_eq!((refused.code(), refused.is_connection_lost()), (Some("WRONGTYPE"), false));
    Ok(())
}

#[test]
fn a_server_that_is_gone_differs_from_one_that_refuses() -> Outcome {
    let server = Broker::start()?;
    let broker = Broker::attach(&server.url())?;
    let address = server.addr().expect("it listens");
    server.stop()?;
    let lost = broker.command(["PING"]).expect_err("the server has ended");
    assert!(lost.is_connection_lost() && lost.code().is_none(), "{lost}");
    assert!(lost.to_string().starts_with(&format!("no answer from redis://{address}: ")), "{lost}");
    server.restart()?;
    assert_eq!(broker.command(["PING"])?, "PONG");
    Ok(())
}

#[test]
fn where_monitor_is_refused_messages_are_still_seen() -> Outcome {
    for server in running::real() {
        let mut outside = server.connection();
        redis::cmd("ACL")
            .arg(&["SETUSER", "ann", "on", ">pw", "~*", "&*", "+@all", "-monitor", "-config"])
            .exec(&mut outside)?;
        let broker = Broker::attach(&server.url.replacen("redis://", "redis://ann:pw@", 1))?;
        let chat = broker.unique("chat");
        broker.command(["PUBLISH", &chat, "hello"])?;
        broker.wait_for_published(&chat, 1).blocking()?;
        assert_eq!(broker.published(&chat)[0].payload, "hello");
        let url = broker.url();
        let worker = std::thread::spawn(move || -> redis::RedisResult<(String, String)> {
            let mut connection = redis::Client::open(url)?.get_connection()?;
            redis::cmd("BLPOP").arg("queue").arg(0).query(&mut connection)
        });
        broker.wait_for_blocked("queue", 1).blocking()?;
        broker.command(["RPUSH", "queue", "x"])?;
        worker.join().expect("it does not panic")?;
        let (text, file) = panic_of(|| drop(broker.watch_commands()));
        assert!(text.ends_with("the server refuses MONITOR"), "{text}");
        assert_eq!(file, file!());
    }
    Ok(())
}

#[test]
fn a_connection_that_the_server_has_closed_meanwhile_is_opened_again() -> Outcome {
    for server in running::all() {
        let broker = Broker::attach(&server.url)?;
        broker.command(["SET", "mood", "good"])?;
        broker.wait_until(|state| state.exists("mood")).blocking()?;
        // All but the observer's connection, as if their timeout had passed.
        let mut outside = server.connection();
        let own: u64 = redis::cmd("CLIENT").arg("ID").query(&mut outside)?;
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut outside)?;
        let killed = list.lines().filter(|line| !line.contains("cmd=ping") && !line.contains("flags=O"));
        for id in killed.filter_map(|line| line.strip_prefix("id=")?.split(' ').next()) {
            if id != own.to_string() {
                redis::cmd("CLIENT").arg("KILL").arg("ID").arg(id).exec(&mut outside)?;
            }
        }
        assert_eq!(broker.command(["GET", "mood"])?, "good", "{}", server.name);
        broker.wait_until(|state| state.exists("mood")).blocking()?;
        drop(broker);
        assert_eq!(server.keyspace(), "", "{}", server.name);
    }
    Ok(())
}
