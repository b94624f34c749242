//! Faults on commands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use minibroker::{Broker, Ending, EventKind};

use crate::Outcome;
use crate::wire::Wire;

/// The events of faults in the journal, without numbers and times.
fn hits(broker: &Broker) -> Vec<String> {
    let events = broker.journal().filter(|event| matches!(event.kind, EventKind::FaultHit(_)));
    events.iter().map(|event| event.kind.to_string()).collect()
}

/// How connections have ended.
fn endings(broker: &Broker) -> Vec<Ending> {
    let journal = broker.journal();
    let ending =
        |kind: &EventKind| if let EventKind::Disconnected(ending) = kind { Some(*ending) } else { None };
    journal.iter().filter_map(|event| ending(&event.kind)).collect()
}

#[test]
fn a_command_that_is_cut_off_does_not_run_and_earlier_replies_arrive() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().on_command("blpop").nth(2).disconnect();
    let mut worker = Wire::connect(&broker)?;
    broker.command(["RPUSH", "q", "one", "two"])?;
    worker.send("PING\r\nBLPOP q 0\r\nPING\r\nBLPOP q 0\r\nPING")?;
    worker.expect("+PONG\r\n*2\r\n$1\r\nq\r\n$3\r\none\r\n+PONG\r\n")?;
    assert!(worker.is_cut());
    assert_eq!(broker.command(["LRANGE", "q", "0", "-1"])?.to_string(), r#"["two"]"#);
    assert_eq!(fault.hits(), 1);
    assert_eq!(hits(&broker), ["is hit by a fault: BLPOP, the 2nd time: disconnect"]);
    broker.wait_for_clients(0).blocking()?;
    assert_eq!(endings(&broker), [Ending::Fault]);
    Ok(())
}

#[test]
fn a_client_that_is_cut_off_is_subscribed_to_nothing_any_more() -> Outcome {
    let broker = Broker::start()?;
    let mut listener = Wire::connect(&broker)?;
    listener.subscribe("chat")?;
    let _fault = broker.faults().on_command("SUBSCRIBE").on_channel("news").disconnect();
    listener.send("SUBSCRIBE news")?;
    assert!(listener.is_cut());
    assert_eq!(broker.command(["PUBLISH", "chat", "x"])?, 0);
    broker.assert_no_message_lost();
    broker.wait_for_clients(0).blocking()?;
    let journal = broker.journal();
    let end = |expected: fn(&EventKind) -> bool| journal.iter().position(|event| expected(&event.kind));
    let unsubscribed = end(|kind| matches!(kind, EventKind::Unsubscribed { .. }));
    let disconnected = end(|kind| matches!(kind, EventKind::Disconnected(_)));
    assert!(unsubscribed < disconnected, "{journal}");
    Ok(())
}

#[test]
fn an_error_is_answered_in_place_of_running_the_command() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().on_command("SET").once().error("LOADING not\r\nyet");
    client.ask("SET a 1", "-LOADING not  yet\r\n")?;
    client.ask("EXISTS a", ":0\r\n")?;
    client.ask("SET a 1", "+OK\r\n")?;
    assert_eq!(fault.hits(), 1);
    let info = broker.command(["INFO", "everything"])?.to_string();
    assert!(info.contains("errorstat_LOADING:count=1"), "{info}");
    assert!(info.contains("cmdstat_set:calls=1,"), "{info}");
    assert!(info.contains("rejected_calls=1,failed_calls=0"), "{info}");
    Ok(())
}

#[test]
fn an_error_in_a_transaction_aborts_it() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let on_set = broker.faults().on_command("SET").error("ERR no");
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("SET a 1", "-ERR no\r\n")?;
    client.ask("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n")?;
    drop(on_set);
    let _on_exec = broker.faults().on_command("EXEC").error("ERR no");
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("SET a 1", "+QUEUED\r\n")?;
    client.ask("EXEC", "-EXECABORT Transaction discarded because of: no\r\n")?;
    client.ask("DISCARD", "-ERR DISCARD without MULTI\r\n")?;
    client.ask("EXISTS a", ":0\r\n")?;
    Ok(())
}

#[test]
fn a_fault_hits_what_matches_all_its_scopes() -> Outcome {
    let broker = Broker::start()?;
    let mut worker = Wire::connect(&broker)?;
    let mut other = Wire::connect(&broker)?;
    worker.ask("CLIENT SETNAME worker-1", "+OK\r\n")?;
    let fault = broker
        .faults()
        .on_client("worker-1")
        .on_command("GET")
        .on_command("SET")
        .on_key("s:*")
        .error("ERR no");
    worker.ask("GET s:1", "-ERR no\r\n")?;
    worker.ask("SET s:1 x", "-ERR no\r\n")?;
    worker.ask("GET t:1", "$-1\r\n")?;
    worker.ask("STRLEN s:1", ":0\r\n")?;
    other.ask("GET s:1", "$-1\r\n")?;
    assert_eq!(fault.hits(), 2);
    assert_eq!(fault.to_string(), r#"GET or SET of client "worker-1" on key "s:*": error "ERR no""#);
    drop(fault);
    worker.ask("GET s:1", "$-1\r\n")?;
    Ok(())
}

#[test]
fn a_client_is_named_by_its_number_or_its_address_too() -> Outcome {
    let broker = Broker::start()?;
    let mut first = Wire::connect(&broker)?;
    let mut second = Wire::connect(&broker)?;
    first.ask("PING", "+PONG\r\n")?;
    second.ask("PING", "+PONG\r\n")?;
    let by_number = broker.faults().on_client(1).error("ERR first");
    first.ask("PING", "-ERR first\r\n")?;
    second.ask("PING", "+PONG\r\n")?;
    drop(by_number);
    let addresses = broker.journal().by_client(2);
    let address = addresses[0].client.as_ref().map(|client| client.address.clone()).unwrap_or_default();
    let _by_address = broker.faults().on_client(address).error("ERR second");
    first.ask("PING", "+PONG\r\n")?;
    second.ask("PING", "-ERR second\r\n")?;
    Ok(())
}

#[test]
fn a_subcommand_is_named_by_two_words_and_a_container_is_all_of_them() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let set = broker.faults().on_command("config set").error("ERR set");
    client.ask("CONFIG SET timeout 0", "-ERR set\r\n")?;
    client.ask("CONFIG GET nothing", "*0\r\n")?;
    drop(set);
    let _all = broker.faults().on_command("CONFIG").error("ERR all");
    client.ask("CONFIG SET timeout 0", "-ERR all\r\n")?;
    client.ask("CONFIG GET nothing", "-ERR all\r\n")?;
    client.ask("CLIENT ID", ":1\r\n")?;
    Ok(())
}

#[test]
fn a_fault_on_an_unknown_command_panics_at_the_callers_line() -> Outcome {
    let broker = Broker::start()?;
    let panic = catch_unwind(AssertUnwindSafe(|| broker.faults().on_command("BLPOPP").disconnect()));
    let text = panic.err().and_then(|panic| panic.downcast_ref::<String>().cloned());
    assert_eq!(text.as_deref(), Some("`on_command(\"BLPOPP\")`: no such command"));
    Ok(())
}

#[test]
fn every_third_command_is_hit() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().on_command("PING").every(3).error("ERR no");
    for number in 1..=7 {
        client.ask("PING", if number % 3 == 0 { "-ERR no\r\n" } else { "+PONG\r\n" })?;
    }
    assert_eq!(fault.hits(), 2);
    Ok(())
}

#[test]
fn hits_with_a_probability_follow_from_the_seed() -> Outcome {
    let run = || -> Result<(Vec<String>, String), Box<dyn std::error::Error>> {
        let broker = Broker::builder().seed(7).start()?;
        let mut client = Wire::connect(&broker)?;
        broker.faults().on_command("PING").with_probability(0.5).error("ERR no").keep();
        let mut answers = Vec::new();
        for _ in 0..32 {
            client.send("PING")?;
            answers.push(client.line()?);
        }
        broker.command(["SADD", "s", "1", "2", "3", "4", "5", "6", "7", "8"])?;
        Ok((answers, broker.command(["SRANDMEMBER", "s", "-9"])?.to_string()))
    };
    let (first, chosen) = run()?;
    assert_eq!(run()?, (first.clone(), chosen.clone()));
    assert!(first.contains(&"+PONG".to_owned()) && first.contains(&"-ERR no".to_owned()), "{first:?}");
    // The random choices of commands are those without faults.
    let broker = Broker::builder().seed(7).start()?;
    broker.command(["SADD", "s", "1", "2", "3", "4", "5", "6", "7", "8"])?;
    assert_eq!(broker.command(["SRANDMEMBER", "s", "-9"])?.to_string(), chosen);
    Ok(())
}

#[test]
fn the_commands_of_the_test_itself_are_not_hit() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().error("ERR no");
    broker.command(["SET", "a", "1"])?;
    assert_eq!(fault.hits(), 0);
    Ok(())
}

#[test]
fn a_fault_that_is_kept_outlives_its_handle() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    broker.faults().on_command("PING").error("ERR no").keep();
    client.ask("PING", "-ERR no\r\n")?;
    Ok(())
}

#[test]
fn a_fault_may_outlive_its_broker() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().on_command("PING").error("ERR no");
    drop(broker);
    assert_eq!(fault.hits(), 0);
    Ok(())
}

#[test]
fn a_wait_for_a_fault_that_times_out_names_the_fault() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().on_command("GET").disconnect();
    let error = || {
        let timed_out = broker.wait_for_fault(&fault, 1).within(Duration::from_millis(1)).blocking();
        timed_out.unwrap_err().to_string()
    };
    let begins = |text: &str, seen: &str| {
        let begin = format!("waited 1ms for 1 hit of the fault `GET: disconnect`, saw {seen} (at ");
        assert!(text.starts_with(&begin), "{text}");
    };
    // Commands of the test itself are never hit.
    broker.command(["GET", "mood"])?;
    begins(&error(), "0 (no client has sent a command since)");
    let mut ann = Wire::connect(&broker)?;
    ann.ask("incrby visits 2", ":2\r\n")?;
    ann.ask("INCRBY visits 1", ":3\r\n")?;
    ann.ask("PING", "+PONG\r\n")?;
    begins(&error(), "0 (commands since: INCRBY 2, PING 1)");
    Ok(())
}

#[test]
fn a_command_that_is_delayed_holds_up_its_own_client_only() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let mut slow = Wire::connect(&broker)?;
    let mut quick = Wire::connect(&broker)?;
    let delay = Duration::from_millis(50);
    let fault = broker.faults().on_command("SET").once().delay(delay);
    slow.send("SET a slow\r\nGET a\r\nSET a again")?;
    broker.wait_for_fault(&fault, 1).blocking()?;
    quick.ask("SET a quick", "+OK\r\n")?;
    quick.ask("GET a", "$5\r\nquick\r\n")?;
    broker.advance(delay);
    slow.expect("+OK\r\n$4\r\nslow\r\n+OK\r\n")?;
    assert_eq!(hits(&broker), ["is hit by a fault: SET, once: delay of 50ms"]);
    let woken = broker.journal().by_client(1).filter(|event| matches!(event.kind, EventKind::Unblocked(_)));
    assert_eq!(woken[0].kind.to_string(), "continues after the delay by a fault");
    Ok(())
}

#[test]
fn when_a_fault_ends_what_it_holds_continues_in_order() -> Outcome {
    let broker = Broker::start()?;
    let hold = broker.faults().on_command("RPUSH").delay(Duration::MAX);
    let mut clients = Vec::new();
    for number in 1..=3 {
        let mut client = Wire::connect(&broker)?;
        client.send(&format!("RPUSH q {number}"))?;
        broker.wait_for_fault(&hold, number).blocking()?;
        clients.push(client);
    }
    assert_eq!(broker.command(["LLEN", "q"])?, 0);
    drop(hold);
    assert_eq!(broker.command(["LRANGE", "q", "0", "-1"])?.to_string(), r#"["1", "2", "3"]"#);
    for (client, length) in clients.iter_mut().zip(1..) {
        client.expect(&format!(":{length}\r\n"))?;
    }
    Ok(())
}

#[test]
fn a_delayed_command_of_a_client_that_leaves_never_runs() -> Outcome {
    let broker = Broker::start()?;
    let hold = broker.faults().on_command("RPUSH").delay(Duration::MAX);
    let mut client = Wire::connect(&broker)?;
    client.send("RPUSH q 1")?;
    broker.wait_for_fault(&hold, 1).blocking()?;
    drop(client);
    broker.wait_for_clients(0).blocking()?;
    drop(hold);
    assert_eq!(broker.command(["LLEN", "q"])?, 0);
    Ok(())
}

#[test]
fn a_command_may_be_delayed_and_then_cut_off() -> Outcome {
    let broker = Broker::start()?;
    let hold = broker.faults().on_command("RPUSH").delay(Duration::MAX);
    let cut = broker.faults().on_command("RPUSH").disconnect_after();
    let mut client = Wire::connect(&broker)?;
    client.send("RPUSH q 1")?;
    broker.wait_for_fault(&hold, 1).blocking()?;
    assert_eq!(cut.hits(), 0);
    drop(hold);
    assert!(client.is_cut());
    assert_eq!(cut.hits(), 1);
    assert_eq!(broker.command(["LLEN", "q"])?, 1);
    Ok(())
}

#[test]
fn a_delayed_command_waits_for_a_pause_that_has_begun_meanwhile() -> Outcome {
    let broker = Broker::start()?;
    let hold = broker.faults().on_command("SET").delay(Duration::MAX);
    // The command counts once, in spite of the delay and the pause.
    let _second = broker.faults().on_command("SET").nth(2).error("ERR no");
    let mut client = Wire::connect(&broker)?;
    client.send("SET a 1")?;
    broker.wait_for_fault(&hold, 1).blocking()?;
    let started = Instant::now();
    broker.command(["CLIENT", "PAUSE", "50"])?;
    drop(hold);
    client.expect("+OK\r\n")?;
    // The pause ends with a whole millisecond.
    assert!(started.elapsed() >= Duration::from_millis(49));
    Ok(())
}

#[test]
fn a_delayed_command_continues_when_a_pause_is_cut_short() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let hold = broker.faults().on_command("SET").delay(Duration::from_secs(1));
    let mut client = Wire::connect(&broker)?;
    client.send("SET a 1")?;
    broker.wait_for_fault(&hold, 1).blocking()?;
    broker.command(["CLIENT", "PAUSE", "1000000", "WRITE"])?;
    broker.advance(Duration::from_secs(1));
    assert_eq!(broker.command(["EXISTS", "a"])?, 0);
    broker.command(["CLIENT", "UNPAUSE"])?;
    client.expect("+OK\r\n")?;
    assert_eq!(hold.hits(), 1);
    Ok(())
}

#[test]
fn the_end_of_a_delay_that_is_over_wakes_no_client() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let hold = broker.faults().on_command("BLPOP").delay(Duration::from_secs(1));
    let lost = broker.faults().on_command("BLPOP").disconnect_after();
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP q 0")?;
    broker.wait_for_fault(&hold, 1).blocking()?;
    broker.advance(Duration::from_secs(1));
    broker.wait_for_blocked("q", 1).blocking()?;
    drop(hold);
    broker.advance(Duration::from_secs(1));
    assert_eq!(lost.hits(), 0);
    broker.wait_for_blocked("q", 1).blocking()?;
    broker.command(["RPUSH", "q", "job"])?;
    assert!(worker.is_cut());
    Ok(())
}

#[test]
fn a_command_that_waited_through_a_pause_counts_once() -> Outcome {
    let broker = Broker::builder().manual_clock().start()?;
    let fault = broker.faults().on_command("BLPOP").nth(2).error("ERR no");
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP q 0")?;
    broker.wait_for_blocked("q", 1).blocking()?;
    broker.command(["CLIENT", "PAUSE", "1000000"])?;
    broker.command(["RPUSH", "q", "job"])?;
    broker.command(["CLIENT", "UNPAUSE"])?;
    worker.expect("*2\r\n$1\r\nq\r\n$3\r\njob\r\n")?;
    worker.ask("BLPOP q 0", "-ERR no\r\n")?;
    assert_eq!(fault.hits(), 1);
    Ok(())
}

#[test]
fn a_command_that_was_paused_counts_once() -> Outcome {
    let broker = Broker::start()?;
    let _fault = broker.faults().on_command("GET").nth(2).error("ERR no");
    let mut client = Wire::connect(&broker)?;
    client.ask("PING", "+PONG\r\n")?;
    broker.command(["CLIENT", "PAUSE", "20"])?;
    client.ask("GET a", "$-1\r\n")?;
    client.ask("GET a", "-ERR no\r\n")?;
    Ok(())
}

#[test]
fn a_command_whose_reply_is_lost_has_run() -> Outcome {
    let broker = Broker::start()?;
    let _fault = broker.faults().on_command("INCR").nth(2).disconnect_after();
    let mut client = Wire::connect(&broker)?;
    client.send("INCR a\r\nINCR a\r\nINCR a")?;
    client.expect(":1\r\n")?;
    assert!(client.is_cut());
    assert_eq!(broker.command(["GET", "a"])?, "2");
    assert_eq!(hits(&broker), ["is hit by a fault: INCR, the 2nd time: disconnect in place of the reply"]);
    Ok(())
}

#[test]
fn a_worker_may_be_cut_off_between_blpop_and_its_work() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().on_command("BLPOP").disconnect_after();
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP q 0")?;
    broker.wait_for_blocked("q", 1).blocking()?;
    assert_eq!(fault.hits(), 0);
    broker.command(["RPUSH", "q", "job"])?;
    assert!(worker.is_cut());
    assert_eq!((broker.command(["LLEN", "q"])?, fault.hits()), (minibroker::Value::Integer(0), 1));
    broker.wait_for_clients(0).blocking()?;
    assert_eq!(endings(&broker), [Ending::Fault]);
    Ok(())
}

#[test]
fn the_answer_to_a_wait_that_times_out_is_lost_as_well() -> Outcome {
    let broker = Broker::start()?;
    let _fault = broker.faults().on_command("BLPOP").disconnect_in_reply(2);
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP q 0.01")?;
    worker.expect("*-")?;
    assert!(worker.is_cut());
    Ok(())
}

#[test]
fn a_fault_that_has_ended_does_not_hit_clients_that_waited() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().on_command("BLPOP").disconnect_after();
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP q 0")?;
    broker.wait_for_blocked("q", 1).blocking()?;
    drop(fault);
    broker.command(["RPUSH", "q", "job"])?;
    worker.expect("*2\r\n$1\r\nq\r\n$3\r\njob\r\n")?;
    worker.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn a_reply_may_end_in_the_middle() -> Outcome {
    let broker = Broker::start()?;
    broker.command(["SET", "a", "hello"])?;
    let _fault = broker.faults().on_command("GET").disconnect_in_reply(6);
    let mut at_once = Wire::connect(&broker)?;
    at_once.send("PING\r\nGET a")?;
    at_once.expect("+PONG\r\n$5\r\nhe")?;
    assert!(at_once.is_cut());
    let _later = broker.faults().on_command("BRPOP").disconnect_in_reply(9);
    let mut served_later = Wire::connect(&broker)?;
    served_later.send("BRPOP q 0")?;
    broker.wait_for_blocked("q", 1).blocking()?;
    broker.command(["RPUSH", "q", "job"])?;
    served_later.expect("*2\r\n$1\r\nq")?;
    assert!(served_later.is_cut());
    let _long = broker.faults().on_command("ECHO").disconnect_in_reply(1000);
    let mut whole = Wire::connect(&broker)?;
    whole.ask("ECHO x", "$1\r\nx\r\n")?;
    assert!(whole.is_cut());
    Ok(())
}

#[test]
fn the_reply_of_a_whole_transaction_may_be_lost() -> Outcome {
    let broker = Broker::start()?;
    let _fault = broker.faults().on_command("EXEC").disconnect_after();
    let mut client = Wire::connect(&broker)?;
    client.send("MULTI\r\nSET a 1\r\nSET b 1\r\nEXEC")?;
    client.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n")?;
    assert!(client.is_cut());
    assert_eq!(broker.command(["EXISTS", "a", "b"])?, 2);
    Ok(())
}

#[tokio::test]
async fn an_async_client_gets_an_error_when_its_connection_is_gone() -> Outcome {
    let broker = Broker::start()?;
    let client = redis::Client::open(broker.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let fault = broker.faults().on_command("LPUSH").once().disconnect_after();
    let lost: redis::RedisResult<i64> =
        redis::cmd("LPUSH").arg("q").arg("job").query_async(&mut connection).await;
    assert!(lost.unwrap_err().is_connection_dropped());
    broker.wait_for_fault(&fault, 1).await?;
    // A client that repeats a command that may have run runs it twice.
    let mut connection = client.get_multiplexed_async_connection().await?;
    let length: i64 = redis::cmd("LPUSH").arg("q").arg("job").query_async(&mut connection).await?;
    assert_eq!(length, 2);
    Ok(())
}

#[test]
fn a_worker_that_waits_through_a_pause_is_hit_once_it_is_served() -> Outcome {
    let broker = Broker::start()?;
    let fault = broker.faults().on_command("BLPOP").once().disconnect_after();
    let mut worker = Wire::connect(&broker)?;
    worker.send("BLPOP q 0")?;
    broker.wait_for_blocked("q", 1).blocking()?;
    broker.command(["CLIENT", "PAUSE", "30"])?;
    broker.command(["RPUSH", "q", "job"])?;
    assert!(worker.is_cut());
    assert_eq!((broker.command(["LLEN", "q"])?, fault.hits()), (minibroker::Value::Integer(0), 1));
    Ok(())
}
