//! What a real server can and cannot do for a test.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use minibroker::{Broker, Filter, Value};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::Outcome;
use crate::running;

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

type Call<'a> = Box<dyn FnOnce() + 'a>;

/// With what a call panics, and in which file.
fn panic_of(call: impl FnOnce()) -> (String, String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|place| place.file().to_owned()).unwrap_or_default();
            PLACE.with(|last| *last.borrow_mut() = place);
            before(info);
        }));
    });
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("it cannot be had");
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    (text, PLACE.with(|last| last.borrow().clone()))
}

#[test]
fn what_a_real_server_cannot_do_panics_where_it_was_asked_for() -> Outcome {
    let server = Broker::builder().password("s3cret").start()?;
    let broker = &Broker::attach(&server.url())?;
    let address = server.addr();
    let calls: [(&str, Call<'_>); 12] = [
        ("faults", Box::new(|| drop(broker.faults()))),
        ("advance", Box::new(|| broker.advance(Duration::from_secs(1)))),
        ("set_time", Box::new(|| broker.set_time(SystemTime::now()))),
        ("journal", Box::new(|| drop(broker.journal()))),
        ("assert_no_message_lost", Box::new(|| broker.assert_no_message_lost())),
        ("stop", Box::new(|| broker.stop())),
        ("refuse_connections", Box::new(|| drop(broker.refuse_connections()))),
        ("stop_reading", Box::new(|| drop(broker.stop_reading(Filter::all())))),
        ("stop_writing", Box::new(|| drop(broker.stop_writing(Filter::all())))),
        ("serve_connection", Box::new(|| drop(broker.serve_connection(tokio::io::duplex(1).0)))),
        ("restart", Box::new(|| broker.restart().unwrap_or_else(|error| panic!("{error}")))),
        ("restart_empty", Box::new(|| broker.restart_empty().unwrap_or_else(|error| panic!("{error}")))),
    ];
    for (name, call) in calls {
        let (text, place) = panic_of(call);
        let begins = format!("`{name}`: this broker is attached to redis://{address}, and ");
        assert!(text.starts_with(&begins), "{text}");
        assert!(text.ends_with("; `broker.is_embedded()` tells before"), "{text}");
        assert_eq!(place, file!(), "{name}");
    }
    Ok(())
}

#[test]
fn a_message_that_was_not_published_is_told_with_those_that_were() -> Outcome {
    let server = Broker::start()?;
    let broker = Broker::attach(&server.url())?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    broker.assert_published("chat", "hello");
    let (text, place) = panic_of(|| broker.assert_published("chat", "bye"));
    assert_eq!(text, "\"bye\" was not published on channel \"chat\"\npublished there:\n  \"hello\"");
    assert_eq!(place, file!());
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
            let (wanted, got) = (embedded.command(command), attached.command(command));
            assert_eq!(got, wanted, "{}: {:?}", server.name, &command[0]);
        }
        assert_eq!(attached.command::<&str>([]), embedded.command::<&str>([]));
        assert_eq!(
            attached.command([""]).map_err(|error| error.0),
            embedded.command([""]).map_err(|error| error.0)
        );
        // A subscription or a password is forgotten as well.
        attached.command(["SUBSCRIBE", "chat"])?;
        assert_eq!(attached.command(["QUIT"])?, "OK");
        assert_eq!(attached.command(["GET", "a"])?, "1");
        let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
        attached.command(["RPUSH", "many"].into_iter().chain(many.iter().map(String::as_str)))?;
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
        let mut commands = BufReader::new(broker.commands());
        other.command(["SET", "elsewhere", "1"])?;
        broker.wait_for_clients(0).await?;
        broker.command(["SET", "mood", "good"])?;
        let mut connection = redis::Client::open(broker.url())?.get_multiplexed_async_connection().await?;
        redis::cmd("RPUSH").arg("history").arg("a b").exec_async(&mut connection).await?;
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last: &String| !last.contains("RPUSH")) {
            let mut line = String::new();
            commands.read_line(&mut line).await?;
            seen.push(line.split_once("] ").ok_or(line.clone())?.1.trim_end().to_owned());
        }
        assert_eq!(seen.first().map(String::as_str), Some(r#""SET" "mood" "good""#), "{}", server.name);
        assert_eq!(seen.last().map(String::as_str), Some(r#""RPUSH" "history" "a b""#));
    }
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
        assert_eq!(broker.published(&chat)[0].text(), "hello");
        let url = broker.url();
        let worker = std::thread::spawn(move || -> redis::RedisResult<(String, String)> {
            let mut connection = redis::Client::open(url)?.get_connection()?;
            redis::cmd("BLPOP").arg("queue").arg(0).query(&mut connection)
        });
        broker.wait_for_blocked("queue", 1).blocking()?;
        broker.command(["RPUSH", "queue", "x"])?;
        worker.join().expect("it does not panic")?;
        let (text, place) = panic_of(|| drop(broker.commands()));
        assert!(text.ends_with("the server refuses MONITOR"), "{text}");
        assert_eq!(place, file!());
    }
    Ok(())
}

#[test]
fn a_connection_that_the_server_has_closed_meanwhile_is_opened_again() -> Outcome {
    for server in running::all() {
        let broker = Broker::attach(&server.url)?;
        broker.command(["SET", "mood", "good"])?;
        broker.wait_until(|state| state.exists("mood")).blocking()?;
        // All but the one that watches, as if their time was up.
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
