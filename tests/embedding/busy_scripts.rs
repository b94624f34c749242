//! Scripts that do not end, for every kind of connection.

use std::thread;
use std::time::{Duration, Instant};

use minibroker::{Broker, Filter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Outcome;
use crate::wire::Wire;

const ENDLESS: &str = "EVAL \"while true do end\" 0";
const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const KILLED: &str = "-ERR Script killed by user with SCRIPT KILL... script: \
                      694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7, on @user_script:1.\r\n";

/// A broker whose scripts are busy after this many milliseconds.
fn broker(threshold: u32) -> Result<Broker, minibroker::StartError> {
    Broker::builder().config("busy-reply-threshold", threshold.to_string()).start()
}

#[test]
fn all_clients_are_answered_while_a_script_runs_and_can_end_it() -> Outcome {
    let broker = broker(20)?;
    let (mut runs, mut waits) = (Wire::connect(&broker)?, Wire::connect(&broker)?);
    waits.send("BLPOP queue 0")?;
    broker.wait_until(|state| state.blocked("queue") == 1).blocking()?;
    runs.send(ENDLESS)?;
    // Later clients are served, and so are streams in memory and the embedding program.
    let mut later = Wire::connect(&broker)?;
    while later.line_of("PING")? == "+PONG" {}
    later.ask("PING", &format!("-{BUSY}\r\n"))?;
    assert_eq!(broker.command(["RPUSH", "queue", "x"]).unwrap_err().to_string(), BUSY);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let mut stream = broker.connect();
        stream.write_all(b"GET x\r\n").await?;
        let mut answer = vec![0; BUSY.len() + 3];
        stream.read_exact(&mut answer).await?;
        assert_eq!(String::from_utf8_lossy(&answer), format!("-{BUSY}\r\n"));
        Ok::<(), std::io::Error>(())
    })?;
    // A client that disconnects is removed.
    later.ask("QUIT", "+OK\r\n")?;
    assert!(later.is_cut());
    assert_eq!(broker.command(["SCRIPT", "KILL"])?, "OK");
    runs.expect(KILLED)?;
    assert_eq!(broker.command(["RPUSH", "queue", "x"])?, 1);
    waits.expect("*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n")?;
    Ok(())
}

#[test]
fn the_script_of_a_stream_in_memory_is_ended_from_a_socket() -> Outcome {
    // It ends by itself after twice the threshold.
    let broker = broker(3000)?;
    let mut other = Wire::connect(&broker)?;
    thread::scope(|scope| {
        let runs = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(async {
                let mut stream = broker.connect();
                stream.write_all(format!("{ENDLESS}\r\n").as_bytes()).await?;
                let mut answer = vec![0; KILLED.len()];
                stream.read_exact(&mut answer).await?;
                Ok::<_, std::io::Error>(answer)
            })
        });
        // The script may not have started yet.
        while other.line_of("SCRIPT KILL")? != "+OK" {}
        let answer = runs.join().expect("no panic")?;
        assert_eq!(String::from_utf8_lossy(&answer), KILLED);
        Ok::<(), std::io::Error>(())
    })?;
    other.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn a_script_on_the_thread_of_its_client_ends_after_twice_the_threshold() -> Outcome {
    const WANTED: &str = "ERR Script ended by minibroker after 100 ms: it keeps the thread of its client";
    let broker = broker(50)?;
    let error = broker.command(["EVAL", "while true do end", "0"]).unwrap_err().to_string();
    assert!(error.starts_with(WANTED), "{error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let broker = Broker::builder().config("busy-reply-threshold", "50").start_on_this_runtime()?;
        let mut stream = broker.connect();
        stream.write_all(format!("{ENDLESS}\r\nPING\r\n").as_bytes()).await?;
        let mut answer = String::new();
        while !answer.ends_with("+PONG\r\n") {
            let mut some = [0; 1024];
            let count = stream.read(&mut some).await?;
            assert!(count > 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&some[..count]));
        }
        assert!(answer.starts_with(&format!("-{WANTED}")), "{answer}");
        Ok(())
    })
}

#[test]
fn a_pattern_that_tries_too_much_ends_and_one_that_nests_deep_fails() -> Outcome {
    let fast = broker(50)?;
    // What does not end by time may take long on a busy machine.
    let slow = broker(60_000)?;
    let ended = "ERR Script ended by minibroker after 100 ms";
    for (script, expected) in [
        ("return string.find(string.rep('a', 100), string.rep('a-', 50) .. 'b')", ended),
        ("return string.match(string.rep('a', 100), string.rep('a*', 50) .. 'b')", ended),
        ("for a in string.gmatch(string.rep('a', 100), string.rep('a?', 100) .. 'b') do end", ended),
        ("return pcall(string.gsub, string.rep('a', 100), string.rep('(a*)', 30) .. 'b', '')", ended),
        ("return string.find('x', string.rep('a?', 100000))", "nothing"),
        (
            "return string.find(string.rep('a', 1000), string.rep('a?', 100000))",
            "ERR user_script:1: pattern too complex",
        ),
    ] {
        let broker = if expected == ended { &fast } else { &slow };
        let outcome = broker.command(["EVAL", script, "0"]);
        let text = outcome.err().map_or_else(|| "nothing".to_owned(), |error| error.to_string());
        assert!(text.starts_with(expected), "{script}: {text}");
        assert_eq!(broker.command(["PING"])?, "PONG");
    }
    Ok(())
}

#[test]
fn a_broker_that_is_dropped_stopped_or_restarted_ends_the_script() -> Outcome {
    for how in ["drop", "stop", "restart", "kill the client"] {
        let broker = broker(20)?;
        let (mut runs, mut other) = (Wire::connect(&broker)?, Wire::connect(&broker)?);
        // A script that has written can be ended too.
        runs.send("EVAL \"redis.call('set', 'k', 1) while true do end\" 0")?;
        while other.line_of("PING")? == "+PONG" {}
        let started = Instant::now();
        match how {
            "drop" => drop(broker),
            "stop" => broker.stop()?,
            "restart" => {
                broker.restart()?;
                assert_eq!(broker.command(["EVAL", "return redis.call('get', 'k')", "0"])?, "1");
            }
            _ => {
                assert_eq!(broker.kill_clients(Filter::all()), 2);
                assert_eq!(broker.command(["PING"])?, "PONG");
            }
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{how}");
        runs.read_to_end();
    }
    Ok(())
}

/// Sends PING until a script keeps the broker busy.
fn wait_until_busy(client: &mut Wire) -> Outcome {
    while client.line_of("PING")? == "+PONG" {}
    Ok(())
}

#[test]
fn a_test_client_stops_and_restarts_only_while_no_script_is_busy() -> Outcome {
    let broker = Broker::builder().config("busy-reply-threshold", "20").control().start()?;
    let (mut runs, mut tester) = (Wire::connect(&broker)?, Wire::connect(&broker)?);
    for order in ["STOP", "RESTART", "RESTART EMPTY", "RESET"] {
        runs.send(ENDLESS)?;
        wait_until_busy(&mut tester)?;
        tester.ask(&format!("MINIBROKER {order}"), &format!("-{BUSY}\r\n"))?;
        tester.ask("SCRIPT KILL", "+OK\r\n")?;
        runs.expect(KILLED)?;
    }
    tester.ask("MINIBROKER RESTART EMPTY", "+OK\r\n")?;
    assert!(runs.is_cut());
    tester.ask("EVAL \"return 7\" 0", ":7\r\n")?;
    Ok(())
}

#[test]
fn a_stop_that_ends_with_its_test_client_ends_after_the_script() -> Outcome {
    let broker = Broker::builder().config("busy-reply-threshold", "200").control().start()?;
    let mut tester = Wire::connect(&broker)?;
    tester.ask("MINIBROKER STOP", "+OK\r\n")?;
    thread::scope(|scope| {
        let runs = loop {
            let runs = scope.spawn(|| broker.command(["EVAL", "while true do end", "0"]));
            let mut is_busy = false;
            // It is busy for 200 ms, which a loaded machine may miss.
            while !is_busy && !runs.is_finished() {
                is_busy = tester.line_of("PING")? != "+PONG";
            }
            if is_busy {
                break runs;
            }
        };
        // The server restarts when this client has disconnected, which is detected while the script runs.
        drop(tester);
        let error = runs.join().expect("no panic").unwrap_err().to_string();
        assert!(error.starts_with("ERR Script ended by minibroker after 400 ms"), "{error}");
        Ok::<(), Box<dyn std::error::Error>>(())
    })?;
    let mut client = loop {
        if let Ok(client) = Wire::connect(&broker) {
            break client;
        }
    };
    client.ask("EVAL \"return 7\" 0", ":7\r\n")?;
    let journal = broker.journal().to_string();
    let at = |text: &str| journal.find(text).ok_or_else(|| format!("no {text} in {journal}"));
    assert!(at("Script ended by minibroker")? < at("restarted")?, "{journal}");
    Ok(())
}
