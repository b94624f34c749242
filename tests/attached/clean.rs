//! What a test leaves behind on a server.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::thread;

use minibroker::Broker;

use crate::Outcome;
use crate::running;

#[test]
fn a_test_that_panics_leaves_nothing_behind() {
    for server in running::all() {
        let before = crate::servers_clients(&server);
        let panics = catch_unwind(AssertUnwindSafe(|| {
            let broker = Broker::attach(&server.url).expect("it is there");
            broker.command(["SET", "mine", "data"]).expect("it is set");
            let _connection = broker.connect();
            panic!("as a test that fails");
        }));
        assert!(panics.is_err());
        assert_eq!(server.keyspace(), "", "{}", server.name);
        // The last connections are closed when the server notices.
        while crate::servers_clients(&server) > before {
            thread::yield_now();
        }
    }
}

#[test]
fn clients_that_still_use_the_database_are_cut_off() -> Outcome {
    for server in running::all() {
        let broker = Broker::attach(&server.url)?;
        let url = broker.url();
        let worker = thread::spawn(move || -> redis::RedisResult<(String, String)> {
            let mut connection = redis::Client::open(url)?.get_connection()?;
            redis::cmd("BLPOP").arg("chat_queue").arg(0).query(&mut connection)
        });
        broker.wait_for_blocked("chat_queue", 1).blocking()?;
        drop(broker);
        let ended = worker.join().expect("it does not panic").expect_err("it is cut off");
        assert!(ended.is_connection_dropped(), "{}: {ended}", server.name);
    }
    Ok(())
}

/// Run by the test below in its own process.
#[test]
#[ignore = "a part of another test"]
fn says_what_it_finds() -> Outcome {
    let broker = Broker::from_env()?;
    println!("{} finds {}", broker.url(), broker.command(["DBSIZE"])?);
    broker.command(["SET", "mine", "data"])?;
    Ok(())
}

#[test]
fn a_database_that_is_not_the_tests_own_is_emptied_only_by_order() -> Outcome {
    for server in running::all() {
        let run = |flush: &str| -> Result<String, std::io::Error> {
            let output = Command::new(env::current_exe()?)
                .args(["clean::says_what_it_finds", "--exact", "--ignored", "--nocapture"])
                .env("MINIBROKER_URL", format!("{}/3", server.url))
                .env("MINIBROKER_FLUSH", flush)
                .output()?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let mut outside = server.connection();
        redis::cmd("SET").arg("foreign").arg("data").exec(&mut outside)?;
        for (flush, found) in [("", 0), ("", 1), ("0", 1), ("1", 0), ("", 0)] {
            let output = run(flush)?;
            assert!(output.contains(&format!("/3 finds {found}\n")), "{flush}, {found}: {output}");
        }
        assert_eq!(redis::cmd("GET").arg("foreign").query::<String>(&mut outside)?, "data");
    }
    Ok(())
}

#[test]
fn the_last_commands_are_printed_when_a_test_panics() -> Outcome {
    for server in running::all() {
        let output = Command::new(env::current_exe()?)
            .args(["clean::panics_with_its_commands", "--exact", "--ignored", "--nocapture"])
            .env("MINIBROKER_URL", &server.url)
            .output()?;
        let output = String::from_utf8_lossy(&output.stderr);
        assert!(output.contains("the last commands in database "), "{output}");
        assert!(output.contains("\"RPUSH\" \"history\" \"hello\""), "{output}");
        assert!(!output.contains("minibroker:"), "{output}");
    }
    Ok(())
}

/// Run by the test above in its own process.
#[test]
#[ignore = "a part of another test"]
fn panics_with_its_commands() {
    let broker = Broker::from_env().expect("it is there");
    broker.print_journal_on_panic();
    broker.command(["RPUSH", "history", "hello"]).expect("it is a list");
    // Waits until the command has been seen.
    broker.wait_for_published("chat", 0).blocking().expect("nothing is published");
    panic!("as a test that fails");
}
