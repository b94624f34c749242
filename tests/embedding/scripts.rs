//! Scripts in the journal and with faults. The answers of servers in a bad state are those of Redis 8.0.6.

use minibroker::{Broker, EventKind, Journal};

use crate::Outcome;
use crate::wire::Wire;

const WRITES_TWICE: &str = "redis.call('set', 'a', 1) return redis.call('set', 'b', 2)";

/// The lines without numbers and times, with the client.
fn lines(journal: &Journal) -> Vec<String> {
    let client = |event: &minibroker::Event| match &event.client {
        Some(client) => client.id.map_or("test".to_owned(), |id| format!("#{id}")),
        None => "broker".to_owned(),
    };
    let events = journal.iter().filter(|event| !matches!(event.kind, EventKind::Connected));
    events.map(|event| format!("{} {}", client(event), event.kind)).collect()
}

#[test]
fn the_embedding_program_runs_scripts_and_functions() -> Outcome {
    let broker = Broker::start()?;
    let script = "redis.call('rpush', KEYS[1], unpack(ARGV)) return redis.call('lrange', KEYS[1], 0, -1)";
    let reply = broker.command(["EVAL", script, "1", "list", "a", "b"])?;
    assert_eq!(reply.to_string(), r#"["a", "b"]"#);
    let name = broker.command(["SCRIPT", "LOAD", "return ARGV[1]"])?.to_string();
    let name = name.trim_matches('"');
    assert_eq!(broker.command(["EVALSHA", name, "0", "x"])?, "x");
    let library = "#!lua name=l\nredis.register_function('f', function(keys) return #keys end)";
    broker.command(["FUNCTION", "LOAD", library])?;
    assert_eq!(broker.command(["FCALL", "f", "2", "a", "b"])?, 2);
    let error = broker.command(["EVAL", "return redis.call('get', 'list')", "0"]).unwrap_err().to_string();
    assert!(error.starts_with("WRONGTYPE Operation against a key"), "{error}");
    Ok(())
}

#[test]
fn a_reply_is_read_256_levels_deep_and_no_deeper() -> Outcome {
    let broker = Broker::start()?;
    let deep = "local t = 'deep' for _ = 1, ARGV[1] do t = {t} end return t";
    let reply = broker.command(["EVAL", deep, "0", "255"])?;
    assert_eq!(reply.to_string(), format!("{}\"deep\"{}", "[".repeat(255), "]".repeat(255)));
    let cut = format!("{}(error) ERR nested deeper than 256 levels{}", "[".repeat(256), "]".repeat(256));
    for script in [deep, "local t = {} t[1] = t return t"] {
        let reply = broker.command(["EVAL", script, "0", "256"])?;
        assert_eq!(reply.to_string(), cut);
        assert!(broker.journal().to_string().contains("=> [[[["), "{}", broker.journal());
    }
    Ok(())
}

#[test]
fn the_journal_has_the_script_its_commands_and_what_others_get() -> Outcome {
    let broker = Broker::start()?;
    let mut subscriber = Wire::connect(&broker)?;
    subscriber.subscribe("c")?;
    let mut sender = Wire::connect(&broker)?;
    sender.ask("EVAL \"redis.call('incr','k')return redis.call('publish','c','m')\" 0", ":1\r\n")?;
    subscriber.expect_message("c", "m")?;
    let of_sender = broker.journal().by_client(2);
    assert_eq!(
        lines(&of_sender),
        [
            r#"#2 EVAL "redis.call('incr','k')return redis.call('publish','c','m')" "0""#,
            r#"#2 INCR "k""#,
            r#"#2 PUBLISH "c" "m""#,
            r#"#2 publishes "m" on "c", to 1"#,
            "#2 => 1",
        ]
    );
    let published = broker.published("c");
    let client = published[0].client.as_ref().and_then(|client| client.id);
    assert_eq!((published.len(), published[0].receivers, client), (1, Some(1), Some(2)));
    broker.assert_no_message_lost();
    Ok(())
}

#[test]
fn a_fault_on_eval_refuses_the_script_and_runs_nothing_of_it() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().on_command("EVAL").error("ERR no scripts today");
    client.ask(&format!("EVAL \"{WRITES_TWICE}\" 0"), "-ERR no scripts today\r\n")?;
    assert_eq!(fault.hits(), 1);
    assert_eq!(broker.command(["EXISTS", "a", "b"])?, 0);
    drop(fault);
    client.ask(&format!("EVAL \"{WRITES_TWICE}\" 0"), "+OK\r\n")?;
    Ok(())
}

#[test]
fn a_connection_that_a_fault_cuts_after_eval_has_run_the_script() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let _fault = broker.faults().on_command("EVAL").disconnect_after();
    client.send(&format!("EVAL \"{WRITES_TWICE}\" 0"))?;
    assert!(client.is_cut());
    assert_eq!(broker.command(["MGET", "a", "b"])?.to_string(), r#"["1", "2"]"#);
    Ok(())
}

#[test]
fn a_server_without_memory_refuses_what_a_script_writes_first() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().out_of_memory();
    client.ask("EVAL \"return redis.call('exists', 'a')\" 0", ":0\r\n")?;
    client.send(&format!("EVAL \"{WRITES_TWICE}\" 0"))?;
    let refused = client.line()?;
    assert!(
        refused.starts_with("-OOM command not allowed when used memory > 'maxmemory'. script: "),
        "{refused}"
    );
    client.ask(
        "EVAL \"return redis.pcall('set', 'a', 1)\" 0",
        "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    )?;
    // A script that has written before is not interrupted.
    client.ask("EVAL \"redis.call('del', 'a') return redis.call('set', 'a', 1)\" 0", "+OK\r\n")?;
    drop(fault);
    client.ask("GET a", "$1\r\n1\r\n")?;
    Ok(())
}

#[test]
fn a_replica_refuses_what_a_script_writes() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().read_only();
    client.ask("EVAL \"return redis.call('exists', 'a')\" 0", ":0\r\n")?;
    client.send(&format!("EVAL \"{WRITES_TWICE}\" 0"))?;
    let refused = client.line()?;
    assert!(
        refused.starts_with("-READONLY You can't write against a read only replica. script: "),
        "{refused}"
    );
    client.ask("EVAL \"return redis.call('publish', 'c', 'm')\" 0", ":0\r\n")?;
    drop(fault);
    client.ask("EXISTS a b", ":0\r\n")?;
    Ok(())
}

/// The answers of a server in a bad state to scripts and what they declare, as of Redis 8.0.6.
fn answers_to_declared_scripts(broker: &Broker, refusal: &str, answers: &[(&str, &str)]) -> Outcome {
    let mut client = Wire::connect(broker)?;
    for (script, expected) in answers {
        let expected = if *expected == "refused" { refusal } else { expected };
        let answer = client.line_of(script)?;
        assert!(answer.starts_with(expected), "{script}: {answer}, not {expected}");
    }
    Ok(())
}

#[test]
fn what_a_script_declares_decides_whether_a_server_without_memory_runs_it() -> Outcome {
    let broker = Broker::start()?;
    let library = "#!lua name=l\nlocal function f() return redis.pcall('set', 'a', 1) end \
                   redis.register_function('plain', f) \
                   redis.register_function{function_name='oom', callback=f, flags={'allow-oom'}} \
                   redis.register_function{function_name='stale', callback=f, flags={'allow-stale'}} \
                   redis.register_function{function_name='reads', callback=f, flags={'no-writes'}}";
    broker.command(["FUNCTION", "LOAD", library])?;
    let _fault = broker.faults().out_of_memory();
    let refusal = "-OOM command not allowed when used memory > 'maxmemory'.";
    let cannot = "-ERR Can not execute a script with write flag using *_ro command.";
    answers_to_declared_scripts(
        &broker,
        refusal,
        &[
            ("EVAL \"return 1\" 0", ":1"),
            ("EVAL \"#!lua\\nreturn 1\" 0", "refused"),
            ("EVAL_RO \"#!lua\\nreturn 1\" 0", "refused"),
            ("EVAL \"#!lua flags=allow-stale\\nreturn 1\" 0", "refused"),
            ("EVAL \"#!lua flags=allow-oom\\nreturn 1\" 0", ":1"),
            ("EVAL_RO \"#!lua flags=allow-oom\\nreturn 1\" 0", cannot),
            ("EVAL \"#!lua flags=no-writes\\nreturn 1\" 0", ":1"),
            ("EVAL \"#!lua flags=allow-oom\\nreturn redis.call('set', 'a', '1')\" 0", "+OK"),
            ("EVAL \"return redis.call('set', 'a', '1')\" 0", "refused"),
            ("FCALL plain 0", "refused"),
            ("FCALL oom 0", "+OK"),
            ("FCALL_RO oom 0", cannot),
            ("FCALL stale 0", "refused"),
            ("FCALL reads 0", "-ERR Write commands are not allowed from read-only scripts."),
            ("SCRIPT LOAD \"return 1\"", "$40"),
        ],
    )?;
    let mut client = Wire::connect(&broker)?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("EVAL \"#!lua flags=allow-oom\\nreturn 1\" 0", "+QUEUED\r\n")?;
    client.ask("EXEC", "*1\r\n:1\r\n")?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("EVAL \"#!lua\\nreturn 1\" 0", &format!("{refusal}\r\n"))?;
    client.ask("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n")?;
    Ok(())
}

#[test]
fn what_a_script_declares_decides_whether_a_replica_runs_it() -> Outcome {
    let broker = Broker::start()?;
    let _fault = broker.faults().read_only();
    answers_to_declared_scripts(
        &broker,
        "-READONLY You can't write against a read only replica.",
        &[
            ("EVAL \"return 1\" 0", ":1"),
            ("EVAL \"#!lua\\nreturn 1\" 0", "refused"),
            ("EVAL \"#!lua flags=allow-oom\\nreturn 1\" 0", "refused"),
            ("EVAL \"#!lua flags=allow-stale\\nreturn 1\" 0", "refused"),
            ("EVAL \"#!lua flags=no-writes\\nreturn 1\" 0", ":1"),
            ("EVAL \"return redis.pcall('set', 'a', 1)\" 0", "refused"),
        ],
    )
}

#[test]
fn the_commands_of_scripts_are_counted_beside_the_script() -> Outcome {
    let broker = Broker::start()?;
    for script in [
        "redis.call('set', 'k', 1) redis.call('get', 'k') redis.pcall('get') redis.pcall('multi') \
         redis.pcall('lpush', 'k', 1) return 1",
        "redis.call('lpush', 'k', 1)",
        "return redis.pcall('lpush', 'k', 1)",
    ] {
        let _ = broker.command(["EVAL", script, "0"]);
    }
    let _ = broker.command(["EVALSHA", &"f".repeat(40), "0"]);
    let info = broker.command(["INFO", "commandstats"])?.to_string();
    // Calls, rejected, failed.
    for (name, counts) in [
        ("eval", [3, 0, 2]),
        ("evalsha", [1, 0, 1]),
        ("set", [1, 0, 0]),
        ("get", [1, 1, 0]),
        ("lpush", [3, 0, 3]),
        ("multi", [0, 1, 0]),
    ] {
        let line = info.split("\r\n").find(|line| line.starts_with(&format!("cmdstat_{name}:")));
        let line = line.ok_or_else(|| format!("no {name} in {info}"))?;
        let [calls, rejected, failed] = counts;
        assert!(line.contains(&format!(":calls={calls},")), "{line}");
        assert!(line.ends_with(&format!(",rejected_calls={rejected},failed_calls={failed}")), "{line}");
    }
    let errors = broker.command(["INFO", "errorstats"])?.to_string();
    for count in ["errorstat_ERR:count=2", "errorstat_NOSCRIPT:count=1", "errorstat_WRONGTYPE:count=3"] {
        assert!(errors.contains(count), "{errors}");
    }
    Ok(())
}
