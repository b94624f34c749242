//! The command MINIBROKER: what a test in another language does over a connection.

use std::thread;
use std::time::Duration;

use minibroker::Broker;
use redis::{Commands, Connection, RedisResult};

use crate::Outcome;
use crate::wire::Wire;

fn controlled() -> Result<Broker, Box<dyn std::error::Error>> {
    Ok(Broker::builder().control().start()?)
}

pub fn connect(broker: &Broker) -> RedisResult<Connection> {
    redis::Client::open(broker.url())?.get_connection()
}

/// `MINIBROKER` with these words.
fn control<T: redis::FromRedisValue>(tester: &mut Connection, words: &str) -> RedisResult<T> {
    redis::cmd("MINIBROKER").arg(words.split(' ').collect::<Vec<_>>()).query(tester)
}

/// The text of an error.
fn refusal(result: RedisResult<redis::Value>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn without_control_the_command_is_unknown_as_in_redis() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask(
        "MINIBROKER PUBLISHED chat",
        "-ERR unknown command 'MINIBROKER', with args beginning with: 'PUBLISHED' 'chat' \r\n",
    )?;
    Ok(())
}

#[test]
fn no_list_of_commands_names_it() -> Outcome {
    let (broker, plain) = (controlled()?, Broker::start()?);
    for command in [&["COMMAND", "COUNT"][..], &["COMMAND", "LIST"], &["COMMAND", "INFO", "minibroker"]] {
        assert_eq!(broker.command(command)?, plain.command(command)?);
    }
    Ok(())
}

#[test]
fn waitfor_answers_when_the_subscribers_are_there() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let waiting = thread::spawn(move || control::<String>(&mut tester, "WAITFOR SUBSCRIBERS chat 2 60000"));
    let (mut ann, mut ben) = (Wire::connect(&broker)?, Wire::connect(&broker)?);
    ann.subscribe("chat")?;
    ben.subscribe("chat")?;
    assert_eq!(waiting.join().expect("no panic")?, "OK");
    Ok(())
}

#[test]
fn every_kind_of_state_can_be_waited_for() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut others: Vec<Wire> = Vec::new();
    redis::cmd("SELECT").arg(3).exec(&mut tester)?;
    let mut writer = Wire::connect(&broker)?;
    writer.send("SELECT 3\r\nRPUSH history hello you")?;
    assert_eq!(control::<String>(&mut tester, "WAITFOR LENGTH history 2 60000")?, "OK");
    writer.send("DEL history")?;
    assert_eq!(control::<String>(&mut tester, "WAITFOR LENGTH history 0 60000")?, "OK");
    for line in ["PSUBSCRIBE room:*", "BLPOP queue 0", "SUBSCRIBE chat"] {
        let mut client = Wire::connect(&broker)?;
        client.send(line)?;
        others.push(client);
    }
    for words in [
        "WAITFOR PATTERNSUBSCRIBERS room:* 1 60000",
        "WAITFOR BLOCKED queue 1 60000",
        "WAITFOR SUBSCRIBERS chat 1 60000",
        "WAITFOR CLIENTS 5 60000",
    ] {
        assert_eq!(control::<String>(&mut tester, words)?, "OK", "{words}");
    }
    broker.command(["PUBLISH", "chat", "hello"])?;
    assert_eq!(control::<String>(&mut tester, "WAITFOR PUBLISHED chat 1")?, "OK");
    broker.command(["XGROUP", "CREATE", "stream", "workers", "$", "MKSTREAM"])?;
    broker.command(["XADD", "stream", "*", "text", "hello"])?;
    broker.command(["XREADGROUP", "GROUP", "workers", "ann", "STREAMS", "stream", ">"])?;
    assert_eq!(control::<String>(&mut tester, "WAITFOR PENDING stream workers 1")?, "OK");
    others.clear();
    for words in ["WAITFOR CLIENTS 2 60000", "WAITFOR SUBSCRIBERS chat 0 60000", "WAITFOR BLOCKED queue 0"] {
        assert_eq!(control::<String>(&mut tester, words)?, "OK", "{words}");
    }
    Ok(())
}

#[test]
fn a_waitfor_that_times_out_says_what_it_saw() -> Outcome {
    let broker = controlled()?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("caht")?;
    let mut tester = connect(&broker)?;
    assert_eq!(
        refusal(control(&mut tester, "WAITFOR SUBSCRIBERS chat 2 20")),
        "ResponseError: waited 20ms for 2 subscribers of channel \"chat\", saw 0 (other channels: \"caht\" 1)"
    );
    let error = refusal(control(&mut tester, "WAITFOR CLIENTS 3 0"));
    assert!(error.ends_with("waited 0ns for 3 clients, saw 2"), "{error}");
    Ok(())
}

#[test]
fn a_client_in_waitfor_can_disconnect() -> Outcome {
    let broker = controlled()?;
    let mut tester = Wire::connect(&broker)?;
    tester.send("MINIBROKER WAITFOR SUBSCRIBERS chat 1 600000")?;
    broker.wait_for_clients(1).blocking()?;
    drop(tester);
    broker.wait_for_clients(0).blocking()?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("chat")?;
    Ok(())
}

#[test]
fn client_unblock_does_not_end_a_waitfor() -> Outcome {
    let broker = controlled()?;
    let mut tester = Wire::connect(&broker)?;
    tester.send("PING\r\nMINIBROKER WAITFOR SUBSCRIBERS chat 1 60000")?;
    tester.expect("+PONG\r\n")?;
    assert_eq!(broker.command(["CLIENT", "UNBLOCK", "1"])?, 0);
    Wire::connect(&broker)?.subscribe("chat")?;
    tester.expect("+OK\r\n")?;
    let counted = broker.command(["INFO", "commandstats"])?.to_string();
    assert!(counted.contains("cmdstat_ping:calls=1,"), "{counted}");
    Ok(())
}

#[test]
fn a_test_client_with_reply_off_gets_no_answers() -> Outcome {
    let broker = controlled()?;
    let mut tester = Wire::connect(&broker)?;
    tester.send("CLIENT REPLY OFF\r\nMINIBROKER LOST\r\nMINIBROKER WRONG\r\nCLIENT REPLY ON")?;
    tester.ask("PING", "+OK\r\n+PONG\r\n")?;
    Ok(())
}

#[test]
fn what_the_test_itself_waits_for_is_answered_at_once() -> Outcome {
    let broker = controlled()?;
    let error = broker.command(["MINIBROKER", "WAITFOR", "CLIENTS", "1"]).unwrap_err();
    assert!(error.message().ends_with("for 1 client, saw 0"), "{error}");
    Ok(())
}

#[test]
fn what_is_pipelined_behind_a_wait_comes_after_it() -> Outcome {
    let broker = controlled()?;
    let mut tester = Wire::connect(&broker)?;
    tester.send("MINIBROKER WAITFOR BLOCKED queue 1 60000\r\nRPUSH queue hello\r\nPING")?;
    let mut worker = Wire::connect(&broker)?;
    worker.ask("BLPOP queue 0", "*2\r\n$5\r\nqueue\r\n$5\r\nhello\r\n")?;
    tester.expect("+OK\r\n:1\r\n+PONG\r\n")?;
    Ok(())
}

#[test]
fn published_lists_the_messages() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut ann = connect(&broker)?;
    redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
    let _: usize = ann.publish("chat", "hello")?;
    let _: usize = ann.publish("chat", &b"\xff\0"[..])?;
    let _: usize = ann.publish("news", "elsewhere")?;
    let payloads: Vec<Vec<u8>> = control(&mut tester, "PUBLISHED chat")?;
    assert_eq!(payloads, [b"hello".to_vec(), b"\xff\0".to_vec()]);
    let full: Vec<std::collections::HashMap<String, redis::Value>> =
        control(&mut tester, "PUBLISHED news FULL")?;
    let text = |field: &str| redis::from_redis_value::<String>(full[0][field].clone());
    assert_eq!(text("payload")?, "elsewhere");
    assert_eq!(text("receivers")?, "0");
    assert!(text("publisher")?.contains(" ann 127.0.0.1:"));
    Ok(())
}

#[test]
fn journal_lists_events_with_filters() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut ann = connect(&broker)?;
    redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
    ann.set::<_, _, ()>("mood", "good")?;
    let _: usize = ann.publish("chat", "hello")?;
    let ends = |lines: Vec<String>, ends: &[&str]| {
        assert_eq!(lines.len(), ends.len(), "{lines:?}");
        assert!(lines.iter().zip(ends).all(|(line, end)| line.ends_with(end)), "{lines:?}");
    };
    ends(control(&mut tester, "JOURNAL KEY mood")?, &[r#"SET "mood" "good""#]);
    ends(control(&mut tester, "JOURNAL CHANNEL chat")?, &[r#"publishes "hello" on "chat", to 0"#]);
    ends(control(&mut tester, "JOURNAL COMMAND publish CLIENT ann")?, &[r#"PUBLISH "chat" "hello""#]);
    ends(
        control(&mut tester, "JOURNAL CLIENT ann COUNT 2")?,
        &[r#"publishes "hello" on "chat", to 0"#, "=> 0"],
    );
    let all: Vec<String> = control(&mut tester, "JOURNAL")?;
    assert!(
        !all.iter().any(|line| line.contains("MINIBROKER")),
        "the tester's own hand is not in it: {all:?}"
    );
    assert!(refusal(control(&mut tester, "JOURNAL COUNT")).contains("'COUNT' needs a value"));
    assert!(refusal(control(&mut tester, "JOURNAL COUNT x")).contains("out of range"));
    Ok(())
}

#[test]
fn lost_lists_the_lost_messages() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("chat")?;
    broker.command(["PUBLISH", "chat", "hello"])?;
    ann.expect_message("chat", "hello")?;
    assert_eq!(control::<Vec<String>>(&mut tester, "LOST")?, Vec::<String>::new());
    Ok(())
}

#[test]
fn wrong_arguments_get_the_same_errors_as_those_of_redis_commands() -> Outcome {
    let broker = controlled()?;
    let mut tester = Wire::connect(&broker)?;
    for (words, name) in [
        ("MINIBROKER WAIT", "WAIT"),
        ("MINIBROKER WAITFOR NOBODY 1", "NOBODY"),
        ("MINIBROKER WAITFOR SUBSCRIBERS chat", "SUBSCRIBERS"),
        ("MINIBROKER WAITFOR CLIENTS 1 2 3", "CLIENTS"),
        ("MINIBROKER HELP me", "HELP"),
    ] {
        let error = format!(
            "-ERR unknown subcommand or wrong number of arguments for '{name}'. Try MINIBROKER HELP.\r\n"
        );
        tester.ask(words, &error)?;
    }
    tester.ask("MINIBROKER", "-ERR wrong number of arguments for 'minibroker' command\r\n")?;
    tester.ask("MINIBROKER WAITFOR CLIENTS x", "-ERR value is out of range, must be positive\r\n")?;
    tester.ask("MINIBROKER PUBLISHED chat x", "-ERR syntax error at 'x'. Try MINIBROKER HELP.\r\n")?;
    tester.ask("MULTI", "+OK\r\n")?;
    tester.ask("MINIBROKER HELP", "-ERR Command not allowed inside a transaction\r\n")?;
    tester.ask("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n")?;
    Ok(())
}

#[test]
fn it_requires_login_if_there_is_a_password() -> Outcome {
    let broker = Broker::builder().control().password("s3cret").start()?;
    Wire::connect(&broker)?.ask("MINIBROKER HELP", "-NOAUTH Authentication required.\r\n")?;
    Ok(())
}

#[tokio::test]
async fn it_works_over_an_asynchronous_connection_too() -> Outcome {
    let broker = controlled()?;
    let client = redis::Client::open(broker.url())?;
    let mut subscriber = client.get_async_pubsub().await?;
    let mut tester = client.get_multiplexed_async_connection().await?;
    let subscribing = async {
        subscriber.subscribe("chat").await?;
        RedisResult::Ok(())
    };
    let mut waitfor = redis::cmd("MINIBROKER");
    waitfor.arg("WAITFOR").arg("SUBSCRIBERS").arg("chat").arg(1);
    let waiting = tokio::time::timeout(Duration::from_secs(60), waitfor.query_async::<String>(&mut tester));
    let (waited, outcome) = tokio::join!(waiting, subscribing);
    outcome?;
    assert_eq!(waited??, "OK");
    Ok(())
}

#[test]
fn a_test_client_moves_the_clock() -> Outcome {
    let broker = Broker::builder().control().manual_clock().start()?;
    let mut tester = connect(&broker)?;
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP queue 30")?;
    tester.set_ex::<_, _, ()>("session", "ann", 30 * 24 * 3600)?;
    broker.wait_for_blocked("queue", 1).blocking()?;
    assert_eq!(control::<String>(&mut tester, "ADVANCE 30000")?, "OK");
    worker.expect("*-1\r\n")?;
    let seconds = 30 * 24 * 3600 - 30;
    assert_eq!(tester.ttl::<_, i64>("session")?, seconds);
    assert_eq!(control::<String>(&mut tester, &format!("ADVANCE {}", seconds * 1000))?, "OK");
    assert!(!tester.exists::<_, bool>("session")?);
    let later = broker.now() + Duration::from_secs(60);
    let millis = later.duration_since(std::time::UNIX_EPOCH)?.as_millis();
    assert_eq!(control::<String>(&mut tester, &format!("SETTIME {millis}"))?, "OK");
    assert_eq!(broker.now().duration_since(std::time::UNIX_EPOCH)?.as_millis(), millis);
    assert!(refusal(control(&mut tester, "SETTIME 1000")).contains("never goes back"));
    for (words, expected) in [
        ("ADVANCE -1", "is no time"),
        ("ADVANCE 1.5", "a number with a unit"),
        ("SETTIME soon", "milliseconds since the Unix epoch"),
        ("ADVANCE 9223372036854775807", "the end of the year 9999"),
        ("SETTIME 253402300800000", "253402300799999"),
    ] {
        let refused = refusal(control(&mut tester, words));
        assert!(refused.contains(expected), "{words}: {refused}");
    }
    Ok(())
}

#[test]
fn waitfor_times_out_in_real_time_though_the_clock_stands_still() -> Outcome {
    let broker = Broker::builder().control().manual_clock().start()?;
    let mut tester = connect(&broker)?;
    let error = refusal(control(&mut tester, "WAITFOR SUBSCRIBERS chat 1 5"));
    assert!(error.contains("waited 5ms"), "{error}");
    Ok(())
}

#[test]
fn a_test_client_adds_faults_and_ends_them() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut ann = connect(&broker)?;
    redis::cmd("CLIENT").arg("SETNAME").arg("ann").exec(&mut ann)?;
    let fault: u64 = control(&mut tester, "FAULT ADD COMMAND get CLIENT ann NTH 2 ERROR TRYAGAIN")?;
    ann.get::<_, Option<String>>("mood")?;
    assert!(ann.get::<_, Option<String>>("mood").is_err());
    ann.get::<_, Option<String>>("mood")?;
    assert_eq!(control::<u64>(&mut tester, &format!("FAULT HITS {fault}"))?, 1);
    assert_eq!(control::<String>(&mut tester, &format!("WAITFOR FAULT {fault} 1"))?, "OK");
    let lines: Vec<String> = control(&mut tester, "FAULT LIST")?;
    assert_eq!(lines, [r#"1 GET of client "ann", the 2nd time: error "TRYAGAIN" (hits: 1)"#]);
    assert_eq!(control::<usize>(&mut tester, "FAULT END 1")?, 1);
    assert!(refusal(control(&mut tester, "FAULT END 1")).contains("no such fault"));
    for words in ["FAULT ADD LOADING", "FAULT ADD KEY session:* READONLY", "FAULT ADD EVERY 2 DELAY 1"] {
        control::<u64>(&mut tester, words)?;
    }
    assert!(ann.get::<_, Option<String>>("mood").unwrap_err().to_string().contains("loading"));
    assert_eq!(control::<usize>(&mut tester, "FAULT END ALL")?, 3);
    ann.get::<_, Option<String>>("mood")?;
    Ok(())
}

#[test]
fn a_test_client_adds_faults_on_messages() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("chat")?;
    control::<u64>(&mut tester, "FAULT ADD CHANNEL chat NTH 1 DROP")?;
    control::<u64>(&mut tester, "FAULT ADD CHANNELS ch* NTH 2 DUPLICATE")?;
    for text in ["1", "2"] {
        let _: usize = tester.publish("chat", text)?;
    }
    ann.expect_message("chat", "2")?;
    ann.expect_message("chat", "2")?;
    let lost: Vec<String> = control(&mut tester, "LOST")?;
    assert!(lost[0].contains("dropped by a fault") && lost[1].contains("more than once"), "{lost:?}");
    Ok(())
}

#[test]
fn what_is_no_fault_is_refused() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    for (words, expected) in [
        ("FAULT ADD COMMAND BLPOPP DISCONNECT", "there is no command 'BLPOPP'"),
        ("FAULT ADD NTH 0 DISCONNECT", "count from 1"),
        ("FAULT ADD PROBABILITY 1.5 DISCONNECT", "from 0 to 1"),
        ("FAULT ADD COMMAND GET DROP", "DROP applies to messages"),
        ("FAULT ADD CHANNEL chat DISCONNECT", "DISCONNECT applies to commands"),
        ("FAULT ADD COMMAND GET", "needs an action"),
        ("FAULT ADD COMMAND", "'COMMAND' needs a value"),
        ("FAULT ADD DISCONNECT now", "syntax error at 'now'"),
        ("FAULT ADD DELAY", "'DELAY' needs a value"),
        ("FAULT ADD DELAY 10 now", "syntax error at 'now'"),
        ("FAULT ADD COMAND GET DISCONNECT", "syntax error at 'COMAND'"),
        ("FAULT ADD DELAY soon", "is no time"),
        ("FAULT END x", "out of range"),
        ("FAULT HITS 7", "no such fault"),
        ("FAULT WHAT", "unknown subcommand"),
    ] {
        let error = refusal(control(&mut tester, words));
        assert!(error.contains(expected), "{words}: {error}");
    }
    assert_eq!(control::<Vec<String>>(&mut tester, "FAULT LIST")?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_test_client_cuts_off_others_but_never_itself() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut clients = Vec::new();
    for line in ["SUBSCRIBE chat", "BLPOP queue 0", "CLIENT SETNAME ann"] {
        let mut client = Wire::connect(&broker)?;
        client.send(line)?;
        clients.push(client);
    }
    broker
        .wait_until(|state| {
            state.subscribers("chat") + state.blocked("queue") + state.clients_named("ann") == 3
        })
        .blocking()?;
    for words in ["KILL CHANNEL chat NAME nobody", "KILL NAME ben", "KILL ID 1"] {
        assert_eq!(control::<usize>(&mut tester, words)?, 0, "{words}");
    }
    for words in ["KILL CHANNEL chat", "KILL BLOCKED queue", "KILL NAME ann", "KILL ALL"] {
        let expected = usize::from(words != "KILL ALL");
        assert_eq!(control::<usize>(&mut tester, words)?, expected, "{words}");
    }
    for client in &mut clients {
        while !client.is_cut() {}
    }
    assert!(refusal(control(&mut tester, "KILL NAME")).contains("'NAME' needs a value"));
    assert!(refusal(control(&mut tester, "KILL EVERYBODY 1")).contains("at 'EVERYBODY'"));
    Ok(())
}

#[test]
fn a_test_client_holds_a_client_until_it_passes_its_limit() -> Outcome {
    let broker = Broker::builder().control().subscriber_output_limit(64 * 1024).start()?;
    let mut tester = connect(&broker)?;
    let mut slow = Wire::connect(&broker)?;
    slow.subscribe("chat")?;
    assert_eq!(control::<usize>(&mut tester, "HOLD WRITING CHANNEL chat")?, 1);
    while tester.publish::<_, _, usize>("chat", "x".repeat(10_000))? == 1 {}
    assert!(slow.is_cut());
    let mut ann = Wire::connect(&broker)?;
    ann.ask("CLIENT SETNAME ann", "+OK\r\n")?;
    assert_eq!(control::<usize>(&mut tester, "HOLD READING ALL")?, 1);
    ann.send("RPUSH queue hello")?;
    assert_eq!(control::<String>(&mut tester, "RELEASE")?, "OK");
    assert_eq!(control::<String>(&mut tester, "WAITFOR LENGTH queue 1")?, "OK");
    ann.expect(":1\r\n")?;
    Ok(())
}

#[test]
fn a_test_client_restarts_the_broker_and_stays_connected() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    tester.set::<_, _, ()>("mood", "good")?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("PING", "+PONG\r\n")?;
    for (stop, resume, is_cut) in [("REFUSE", "ACCEPT", false), ("STOP", "RESTART", true)] {
        assert_eq!(control::<String>(&mut tester, stop)?, "OK");
        assert!(std::net::TcpStream::connect(broker.addr().expect("it listens")).is_err(), "{stop}");
        if is_cut {
            assert!(ann.is_cut());
        } else {
            ann.ask("PING", "+PONG\r\n")?;
        }
        assert_eq!(control::<String>(&mut tester, resume)?, "OK");
        Wire::connect(&broker)?.ask("PING", "+PONG\r\n")?;
    }
    assert_eq!(tester.get::<_, String>("mood")?, "good");
    assert_eq!(control::<String>(&mut tester, "RESTART EMPTY")?, "OK");
    assert_eq!(tester.get::<_, Option<String>>("mood")?, None);
    assert!(refusal(control(&mut tester, "RESTART FULL")).contains("at 'FULL'"));
    Ok(())
}

#[test]
fn the_broker_is_back_when_the_client_that_stopped_it_is_gone() -> Outcome {
    for command in ["STOP", "REFUSE"] {
        let broker = controlled()?;
        broker.command(["SET", "mood", "good"])?;
        let mut tester = connect(&broker)?;
        assert_eq!(control::<String>(&mut tester, command)?, "OK");
        assert!(std::net::TcpStream::connect(broker.addr().expect("it listens")).is_err(), "{command}");
        drop(tester);
        broker.wait_for_clients(0).blocking()?;
        Wire::connect(&broker)?.ask("GET mood", "$4\r\ngood\r\n")?;
    }
    Ok(())
}

#[test]
fn the_broker_comes_back_when_the_time_of_a_stop_has_passed() -> Outcome {
    for command in ["STOP", "REFUSE"] {
        let broker = controlled()?;
        let mut tester = connect(&broker)?;
        assert_eq!(control::<String>(&mut tester, &format!("{command} 1h"))?, "OK");
        drop(tester);
        broker.wait_for_clients(0).blocking()?;
        assert!(std::net::TcpStream::connect(broker.addr().expect("it listens")).is_err(), "{command} lasts");

        let broker = controlled()?;
        let mut tester = connect(&broker)?;
        assert_eq!(control::<String>(&mut tester, &format!("{command} 1ms"))?, "OK");
        while std::net::TcpStream::connect(broker.addr().expect("it listens")).is_err() {
            thread::yield_now();
        }
        assert!(refusal(control(&mut tester, &format!("{command} 1.5"))).contains("is no time"));
    }
    Ok(())
}

#[test]
fn the_arguments_of_fault_add_may_have_any_order() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    control::<i64>(&mut tester, "FAULT ADD ERROR later ONCE COMMAND GET")?;
    let mut ann = Wire::connect(&broker)?;
    ann.ask("GET k", "-later\r\n")?;
    ann.ask("GET k", "$-1\r\n")?;
    assert!(refusal(control(&mut tester, "FAULT ADD DROP DISCONNECT")).contains("at 'DISCONNECT'"));
    Ok(())
}

#[test]
fn a_reset_leaves_nothing_of_the_last_test() -> Outcome {
    let broker = controlled()?;
    let mut tester = connect(&broker)?;
    let mut ann = Wire::connect(&broker)?;
    ann.subscribe("chat")?;
    tester.set::<_, _, ()>("mood", "good")?;
    let _: usize = tester.publish("chat", "hello")?;
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(2).exec(&mut tester)?;
    for words in ["FAULT ADD LOADING", "REFUSE", "HOLD WRITING ALL"] {
        control::<redis::Value>(&mut tester, words)?;
    }
    assert_eq!(control::<String>(&mut tester, "RESET")?, "OK");
    assert_eq!(control::<Vec<String>>(&mut tester, "FAULT LIST")?, Vec::<String>::new());
    assert_eq!(control::<Vec<String>>(&mut tester, "PUBLISHED chat")?, Vec::<String>::new());
    assert_eq!(control::<Vec<String>>(&mut tester, "JOURNAL")?, Vec::<String>::new());
    assert_eq!(tester.get::<_, Option<String>>("mood")?, None);
    ann.expect_message("chat", "hello")?;
    assert!(ann.is_cut());
    let mut others = [Wire::connect(&broker)?, Wire::connect(&broker)?, Wire::connect(&broker)?];
    for other in &mut others {
        other.ask("PING", "+PONG\r\n")?;
    }
    Ok(())
}

#[test]
fn a_broker_with_a_manual_clock_does_not_sleep() -> Outcome {
    let broker = Broker::builder().control().manual_clock().start()?;
    let mut tester = Wire::connect(&broker)?;
    tester.ask(
        "DEBUG SLEEP 1",
        "-ERR the clock stands still, and no client could move it by MINIBROKER ADVANCE meanwhile\r\n",
    )?;
    tester.ask("MINIBROKER ADVANCE 1000", "+OK\r\n")?;
    Ok(())
}
