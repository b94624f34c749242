//! Commands of the test itself, without a connection.

use std::thread;

use minibroker::{Broker, Value};

use crate::Outcome;
use crate::wire::Wire;

#[test]
fn answers_come_as_values() -> Outcome {
    let broker = Broker::start()?;
    assert_eq!(broker.command(["SET", "greeting", "hello"])?, "OK");
    assert_eq!(broker.command(["GET", "greeting"])?, "hello");
    assert_eq!(broker.command(["GET", "nothing"])?, Value::Null);
    assert_eq!(broker.command(["APPEND", "greeting", "!"])?, 6);
    let several = broker.command(["MGET", "greeting", "nothing"])?;
    assert_eq!(several.as_slice(), Some(&[Value::Bulk(b"hello!".to_vec()), Value::Null][..]));
    assert_eq!(several.to_string(), r#"["hello!", (nil)]"#);
    Ok(())
}

#[test]
fn answers_have_the_types_of_resp3() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["HSET", "ann", "mood", "good"])?;
    let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
    assert_eq!(broker.command(["HGETALL", "ann"])?, Value::Map(vec![(bulk("mood"), bulk("good"))]));
    broker.command(["SADD", "users", "ann"])?;
    assert_eq!(broker.command(["SMEMBERS", "users"])?, Value::Set(vec![bulk("ann")]));
    broker.command(["ZADD", "by_time", "1.5", "hello"])?;
    assert_eq!(broker.command(["ZSCORE", "by_time", "hello"])?, Value::Double(1.5));
    Ok(())
}

#[test]
fn arguments_are_bytes() -> Outcome {
    let broker = Broker::start()?;
    let bytes: &[u8] = b"\0\r\n\xff $";
    broker.command([b"SET", bytes, bytes])?;
    assert_eq!(broker.command([b"GET", bytes])?.as_bytes(), Some(bytes));
    let owned: Vec<String> = vec!["STRLEN".into(), "nothing".into()];
    assert_eq!(broker.command(owned)?, 0);
    Ok(())
}

#[test]
fn what_redis_refuses_is_an_error_with_its_text() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["SET", "greeting", "hello"])?;
    let refused = |command: &[&str]| broker.command(command).unwrap_err().to_string();
    assert_eq!(refused(&["INCR", "greeting"]), "ERR value is not an integer or out of range");
    assert_eq!(
        refused(&["SADD", "greeting", "ann"]),
        "WRONGTYPE Operation against a key holding the wrong kind of value"
    );
    assert_eq!(refused(&["GET"]), "ERR wrong number of arguments for 'get' command");
    assert_eq!(refused(&["NOSUCH", "x"]), "ERR unknown command 'NOSUCH', with args beginning with: 'x' ");
    assert_eq!(refused(&[""]), "ERR unknown command '', with args beginning with: ");
    assert_eq!(refused(&[]), "ERR unknown command '', with args beginning with: ");
    Ok(())
}

#[test]
fn a_command_cannot_subscribe() -> Outcome {
    let broker = Broker::start()?;
    for command in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"] {
        let refused = broker.command([command, "chat"]).unwrap_err().to_string();
        assert_eq!(refused, format!("ERR {command} isn't allowed for a DENY BLOCKING client"));
    }
    broker.wait_for_subscribers("chat", 0).blocking()?;
    Ok(())
}

#[test]
fn a_command_that_would_block_answers_at_once() -> Outcome {
    let broker = Broker::start()?;
    assert_eq!(broker.command(["BLPOP", "queue", "0"])?, Value::Null);
    assert_eq!(broker.command(["XREAD", "BLOCK", "0", "STREAMS", "chat", "$"])?, Value::Null);
    assert_eq!(broker.command(["BLMOVE", "queue", "other", "LEFT", "RIGHT", "0"])?, Value::Null);
    broker.command(["RPUSH", "queue", "hello"])?;
    assert_eq!(broker.command(["BLPOP", "queue", "0"])?.to_string(), r#"["queue", "hello"]"#);
    Ok(())
}

#[test]
fn a_command_leaves_no_state_of_a_client_behind() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["SELECT", "1"])?;
    broker.command(["SET", "key", "in the first database"])?;
    broker.command(["MULTI"])?;
    assert_eq!(broker.command(["GET", "key"])?, "in the first database");
    assert_eq!(broker.command(["EXEC"]).unwrap_err().to_string(), "ERR EXEC without MULTI");
    Wire::connect(&broker)?.ask("DBSIZE", ":1\r\n")?;
    Ok(())
}

#[test]
fn a_command_serves_a_client_that_waits_on_a_socket() -> Outcome {
    let broker = Broker::start()?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 0")?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    broker.command(["RPUSH", "queue", "hello"])?;
    worker.expect("*2\r\n$5\r\nqueue\r\n$5\r\nhello\r\n")?;
    Ok(())
}

#[test]
fn a_published_message_reaches_subscribers_on_sockets() -> Outcome {
    let broker = Broker::start()?;
    let mut subscribers = [Wire::connect(&broker)?, Wire::connect(&broker)?];
    for subscriber in &mut subscribers {
        subscriber.subscribe("chat")?;
    }
    assert_eq!(broker.command(["PUBLISH", "chat", "hello"])?, 2);
    for subscriber in &mut subscribers {
        subscriber.expect_message("chat", "hello")?;
    }
    Ok(())
}

#[test]
fn commands_of_many_threads_run_one_at_a_time() -> Outcome {
    const THREADS: usize = 8;
    const TIMES: usize = 1000;
    let broker = Broker::start()?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    broker.command(["INCR", "count"]).expect("it counts");
                }
            });
        }
    });
    assert_eq!(broker.command(["GET", "count"])?, (THREADS * TIMES).to_string().as_str());
    Ok(())
}
