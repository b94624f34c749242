//! The version of Redis that a broker speaks.

use minibroker::{Broker, Version};
use redis::Client;

use super::Outcome;
use super::wire::{Wire, bulks};

fn broker(version: Version) -> Result<Broker, minibroker::StartError> {
    Broker::builder().compat(version).start()
}

/// A field of INFO, as a RESP2 client reads it.
fn info(
    connection: &mut redis::Connection,
    section: &str,
    field: &str,
) -> redis::RedisResult<Option<String>> {
    let text: String = redis::cmd("INFO").arg(section).query(connection)?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(value.map(str::to_owned))
}

/// Sends HELLO 3 and reads the answer, whose end is the empty list of modules.
fn switch_to_resp3(client: &mut Wire) -> std::io::Result<()> {
    client.send("HELLO 3")?;
    while client.line()? != "*0" {}
    Ok(())
}

#[test]
fn a_broker_answers_as_redis_8_2_by_default() -> Outcome {
    let broker = Broker::start()?;
    let mut connection = Client::open(broker.url())?.get_connection()?;
    assert_eq!(info(&mut connection, "server", "redis_version")?.as_deref(), Some("8.2.3"));
    Ok(())
}

#[test]
fn info_hello_and_lolwut_have_the_version() -> Outcome {
    for (version, release) in [
        (Version::Redis7_0, "7.0.15"),
        (Version::Redis7_4, "7.4.7"),
        (Version::Redis8_0, "8.0.6"),
        (Version::Redis8_2, "8.2.3"),
    ] {
        let broker = broker(version)?;
        let mut connection = Client::open(broker.url())?.get_connection()?;
        assert_eq!(info(&mut connection, "server", "redis_version")?.as_deref(), Some(release));
        let text: String = redis::cmd("LOLWUT").query(&mut connection)?;
        assert!(text.ends_with(&format!("Redis ver. {release}\n")), "{text}");
        let begin = format!("%7\r\n{}", bulks(&["server", "redis", "version", release]));
        Wire::connect(&broker)?.ask("HELLO 3", &begin)?;
    }
    Ok(())
}

/// Commands, whole or with the name of a subcommand, and the version that brought them.
const NEWER: [(&[&str], Version); 11] = [
    (&["CLIENT", "SETINFO", "LIB-NAME", "x"], Version::Redis7_4),
    (&["CLIENT", "NO-TOUCH", "on"], Version::Redis7_4),
    (&["WAITAOF", "0", "0", "1"], Version::Redis7_4),
    (&["HEXPIRE", "h", "60", "FIELDS", "1", "f"], Version::Redis7_4),
    (&["HPTTL", "h", "FIELDS", "1", "f"], Version::Redis7_4),
    (&["HGETDEL", "h", "FIELDS", "1", "f"], Version::Redis8_0),
    (&["HGETEX", "h", "FIELDS", "1", "f"], Version::Redis8_0),
    (&["HSETEX", "h", "FIELDS", "1", "f", "v"], Version::Redis8_0),
    (&["XDELEX", "x", "IDS", "1", "1-1"], Version::Redis8_2),
    (&["XACKDEL", "x", "g", "IDS", "1", "1-1"], Version::Redis8_2),
    (&["SSUBSCRIBE", "room"], Version::Redis7_0),
];

#[test]
fn a_command_that_is_newer_than_the_version_is_unknown_to_clients() -> Outcome {
    for version in Version::ALL {
        let broker = broker(version)?;
        for (command, since) in NEWER {
            let mut client = Wire::connect(&broker)?;
            let line = command.join(" ");
            if version >= since {
                client.send(&line)?;
                let answer = client.line()?;
                assert!(!answer.starts_with("-ERR unknown"), "{line} in {version}: {answer}");
            } else if command[0] == "CLIENT" {
                let answer = format!("-ERR unknown subcommand '{}'. Try CLIENT HELP.\r\n", command[1]);
                client.ask(&line, &answer)?;
            } else {
                client.ask(
                    &line,
                    &format!("-ERR unknown command '{}', with args beginning with: ", command[0]),
                )?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_transaction_with_a_command_that_is_newer_than_the_version_is_refused() -> Outcome {
    let broker = broker(Version::Redis7_0)?;
    let mut client = Wire::connect(&broker)?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask(
        "HTTL h FIELDS 1 f",
        "-ERR unknown command 'HTTL', with args beginning with: 'h' 'FIELDS' '1' 'f' \r\n",
    )?;
    client.ask("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n")?;
    Ok(())
}

#[test]
fn command_lists_the_commands_of_the_version() -> Outcome {
    let mut counts = Vec::new();
    for version in Version::ALL {
        let broker = broker(version)?;
        let mut connection = Client::open(broker.url())?.get_connection()?;
        let mut ask = |words: &[&str]| redis::cmd("COMMAND").arg(words).query(&mut connection);
        let count: usize = redis::from_redis_value(ask(&["COUNT"])?)?;
        let infos: Vec<redis::Value> = redis::from_redis_value(ask(&["INFO"])?)?;
        let docs: Vec<redis::Value> = redis::from_redis_value(ask(&["DOCS"])?)?;
        assert_eq!((infos.len(), docs.len()), (count, 2 * count));
        counts.push(count);

        let names: Vec<String> = redis::from_redis_value(ask(&["LIST"])?)?;
        for (command, since) in NEWER {
            let name = match command {
                ["CLIENT", subcommand, ..] => format!("client|{}", subcommand.to_lowercase()),
                _ => command[0].to_lowercase(),
            };
            let is_there = version >= since;
            assert_eq!(names.contains(&name), is_there, "{name} in {version}");
            let info: Vec<redis::Value> = redis::from_redis_value(ask(&["INFO", &name])?)?;
            assert_eq!(info != [redis::Value::Nil], is_there, "{name} in {version}");
            let docs: Vec<redis::Value> = redis::from_redis_value(ask(&["DOCS", &name])?)?;
            assert_eq!(!docs.is_empty(), is_there, "{name} in {version}");
        }
        let subcommands = format!("{:?}", ask(&["INFO", "client"])?);
        assert_eq!(subcommands.contains("client|setinfo"), version >= Version::Redis7_4);
    }
    // WAITAOF and nine commands for fields that expire; three more of these.
    assert_eq!([counts[1] - counts[0], counts[2] - counts[1]], [10, 3]);
    Ok(())
}

#[test]
fn options_that_are_newer_than_the_version_are_refused() -> Outcome {
    let broker = broker(Version::Redis7_0)?;
    let mut client = Wire::connect(&broker)?;
    client.ask("HSET h f v", ":1\r\n")?;
    client.ask("HSCAN h 0 NOVALUES", "-ERR syntax error\r\n")?;
    client.ask("ZRANK z m WITHSCORE", "-ERR wrong number of arguments for 'zrank' command\r\n")?;
    client.ask("CLIENT KILL MAXAGE 1", "-ERR syntax error\r\n")?;
    client.ask("XREAD STREAMS chat +", "-ERR Invalid stream ID specified as stream command argument\r\n")?;
    client.ask("CONFIG GET set-max-listpack-entries", "*0\r\n")?;
    Ok(())
}

#[test]
fn with_redis_7_0_doubles_have_17_digits() -> Outcome {
    for (version, in_resp2, in_resp3) in [
        (Version::Redis7_0, "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n"),
        (Version::Redis7_4, "$3\r\n0.1\r\n", ",0.1\r\n"),
    ] {
        let broker = broker(version)?;
        let mut client = Wire::connect(&broker)?;
        client.ask("ZADD z 0.1 m", ":1\r\n")?;
        client.ask("ZSCORE z m", in_resp2)?;
        switch_to_resp3(&mut client)?;
        client.ask("ZSCORE z m", in_resp3)?;
    }
    Ok(())
}

#[test]
fn with_redis_7_0_a_publisher_gets_its_own_message_before_the_answer() -> Outcome {
    let push = format!(">3\r\n{}", bulks(&["message", "chat", "hello"]));
    for (version, expected) in
        [(Version::Redis7_0, format!("{push}:1\r\n")), (Version::Redis7_4, format!(":1\r\n{push}"))]
    {
        let broker = broker(version)?;
        let mut client = Wire::connect(&broker)?;
        switch_to_resp3(&mut client)?;
        client.ask("SUBSCRIBE chat", &format!(">3\r\n{}:1\r\n", bulks(&["subscribe", "chat"])))?;
        client.ask("PUBLISH chat hello", &expected)?;
    }
    Ok(())
}

#[test]
fn with_redis_7_0_a_waiter_is_served_from_the_key_that_was_filled_first() -> Outcome {
    for (version, expected) in [(Version::Redis7_0, "second"), (Version::Redis7_4, "first")] {
        let broker = broker(version)?;
        let mut worker = Wire::connect(&broker)?;
        worker.send("BLPOP first second 0")?;
        broker.wait_for_blocked("second", 1).blocking()?;
        let mut connection = Client::open(broker.url())?.get_connection()?;
        redis::pipe().atomic().rpush("second", 2).rpush("first", 1).exec(&mut connection)?;
        worker.expect(&format!("*2\r\n${}\r\n{expected}\r\n", expected.len()))?;
    }
    Ok(())
}

#[test]
fn with_redis_7_0_a_reader_of_a_deleted_stream_gets_an_error() -> Outcome {
    for (version, expected) in [
        (Version::Redis7_0, "-UNBLOCKED the stream key no longer exists\r\n"),
        (
            Version::Redis7_4,
            "-NOGROUP No such key 'chat' or consumer group 'workers' in XREADGROUP with GROUP option\r\n",
        ),
    ] {
        let broker = broker(version)?;
        broker.command(["XGROUP", "CREATE", "chat", "workers", "$", "MKSTREAM"])?;
        let mut reader = Wire::connect(&broker)?;
        reader.send("XREADGROUP GROUP workers ann BLOCK 0 STREAMS chat >")?;
        broker.wait_for_blocked("chat", 1).blocking()?;
        broker.command(["DEL", "chat"])?;
        reader.expect(expected)?;
    }
    Ok(())
}

#[test]
fn the_version_survives_a_restart() -> Outcome {
    let broker = broker(Version::Redis7_0)?;
    broker.restart()?;
    let mut connection = Client::open(broker.url())?.get_connection()?;
    assert_eq!(info(&mut connection, "server", "redis_version")?.as_deref(), Some("7.0.15"));
    assert_eq!(info(&mut connection, "clients", "pubsub_clients")?, None);
    Ok(())
}

#[tokio::test]
async fn async_clients_work_with_every_version() -> Outcome {
    for version in Version::ALL {
        let broker = broker(version)?;
        // The client sends its name with CLIENT SETINFO, and continues if that is unknown.
        let mut connection = Client::open(broker.url())?.get_multiplexed_async_connection().await?;
        let pong: String = redis::cmd("PING").query_async(&mut connection).await?;
        assert_eq!(pong, "PONG", "{version}");
    }
    Ok(())
}

#[test]
fn versions_are_read_as_they_are_printed() {
    for version in Version::ALL {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
    for text in ["", "7", "7.2", "8.0.6", " 8.0", "valkey"] {
        assert!(text.parse::<Version>().is_err(), "{text:?}");
    }
}

#[test]
fn a_command_that_a_fault_has_delayed_runs_for_the_first_time() -> Outcome {
    for version in Version::ALL {
        let broker = broker(version)?;
        let mut client = Wire::connect(&broker)?;
        let fault = broker.faults().on_command("XREADGROUP").delay(std::time::Duration::MAX);
        client.send("XREADGROUP GROUP readers ann STREAMS log >")?;
        broker.wait_for_fault(&fault, 1).blocking()?;
        drop(fault);
        let refused =
            "-NOGROUP No such key 'log' or consumer group 'readers' in XREADGROUP with GROUP option";
        assert_eq!(client.line()?, refused);
    }
    Ok(())
}
