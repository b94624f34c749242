//! Tests that run at the same time on one server.

use std::sync::Barrier;
use std::thread;

use minibroker::{Broker, Value};

use crate::Outcome;
use crate::running;

/// More than a server has databases: some have to wait until others are done.
const TESTS: usize = 40;

#[test]
fn tests_at_the_same_time_do_not_disturb_each_other() -> Outcome {
    for server in running::all() {
        let begin = Barrier::new(TESTS);
        thread::scope(|scope| {
            let tests: Vec<_> = (0..TESTS)
                .map(|number| {
                    let (begin, url) = (&begin, &server.url);
                    scope.spawn(move || -> Result<(), String> {
                        begin.wait();
                        run_test(url, number).map_err(|error| format!("test {number}: {error}"))
                    })
                })
                .collect();
            tests.into_iter().try_for_each(|test| test.join().expect("it does not panic"))
        })
        .map_err(|error| format!("{}: {error}", server.name))?;
        assert_eq!(server.keyspace(), "", "{}", server.name);
    }
    Ok(())
}

fn run_test(url: &str, number: usize) -> Outcome {
    let broker = Broker::attach(url)?;
    assert_eq!(broker.command(["DBSIZE"])?, 0);
    let chat = broker.unique("chat");
    let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    for round in 0..20 {
        let text = format!("{number}:{round}");
        let length: usize = redis::cmd("RPUSH").arg("history").arg(&text).query(&mut connection)?;
        assert_eq!(length, round + 1);
        broker.command(["PUBLISH", "everybody", &text])?;
        broker.command(["PUBLISH", &chat, &text])?;
    }
    broker.wait_for_clients(1).blocking()?;
    // Messages of other tests are not counted.
    assert_eq!((broker.published("everybody").len(), broker.published(&chat).len()), (20, 20));
    assert_eq!(broker.command(["LLEN", "history"])?, 20);
    Ok(())
}

#[test]
fn each_broker_has_an_empty_database_of_its_own_and_gives_it_back() -> Outcome {
    for server in running::all() {
        let mut outside = server.connection();
        redis::cmd("SET").arg("foreign").arg("data").exec(&mut outside)?;
        let brokers: Vec<_> = (0..15).map(|_| Broker::attach(&server.url)).collect::<Result<_, _>>()?;
        let mut urls: Vec<_> = brokers.iter().map(Broker::url).collect();
        urls.sort();
        urls.dedup();
        assert_eq!(urls.len(), 15);
        for broker in &brokers {
            assert!(broker.embedded().is_none());
            assert_eq!(broker.command(["DBSIZE"])?, 0);
            broker.command(["SET", "mine", "data"])?;
        }
        drop(brokers);
        assert_eq!(server.keyspace().lines().count(), 1, "{}: {}", server.name, server.keyspace());
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut outside)?;
        assert_eq!(keys, ["foreign"]);
    }
    Ok(())
}

#[test]
fn a_database_that_holds_what_is_no_tests_is_never_taken() -> Outcome {
    for server in running::all() {
        let mut outside = server.connection();
        for database in 1..16 {
            redis::cmd("SELECT").arg(database).exec(&mut outside)?;
            redis::cmd("SET").arg("foreign").arg(database).exec(&mut outside)?;
        }
        let refused = Broker::attach(&server.url).expect_err("none is free").to_string();
        assert!(
            refused.ends_with(
                "it has no free database for the test: of 15 beside database 0, 0 are taken by other tests and 15 hold \
                 keys that are no test's; empty one, or name one in the URL"
            ),
            "{refused}"
        );
        // A database that the URL names is not emptied, neither before nor after the test.
        let broker = Broker::attach(&format!("{}/7", server.url))?;
        assert_eq!(broker.url(), format!("{}/7", server.url));
        assert_eq!(broker.command(["GET", "foreign"])?, "7");
        drop(broker);
        redis::cmd("SELECT").arg(7).exec(&mut outside)?;
        assert_eq!(redis::cmd("GET").arg("foreign").query::<String>(&mut outside)?, "7");
        // A single free database is found.
        redis::cmd("DEL").arg("foreign").exec(&mut outside)?;
        assert!(Broker::attach(&server.url)?.url().ends_with("/7"));
    }
    Ok(())
}

#[test]
fn the_database_of_a_killed_test_is_emptied_once_it_is_free() -> Outcome {
    for server in running::all() {
        let mut outside = server.connection();
        // The state that a killed process leaves, after its lease has ended.
        for database in 1..16 {
            redis::cmd("SELECT").arg(database).exec(&mut outside)?;
            redis::cmd("SET").arg("left").arg("behind").exec(&mut outside)?;
            redis::cmd("SELECT").arg(0).exec(&mut outside)?;
            redis::cmd("HSET").arg("minibroker:databases").arg(database).arg("gone").exec(&mut outside)?;
        }
        for _ in 0..3 {
            let broker = Broker::attach(&server.url)?;
            assert_eq!(broker.command(["GET", "left"])?, Value::Null);
        }
    }
    Ok(())
}

#[test]
fn where_there_is_one_database_it_is_used_and_left_alone() -> Outcome {
    let server = Broker::builder().databases(1).start()?;
    server.command(["SET", "foreign", "data"])?;
    let broker = Broker::attach(&server.url())?;
    assert_eq!(broker.url(), format!("{}/0", server.url()));
    broker.command(["SET", "mine", "data"])?;
    drop(broker);
    assert_eq!(server.command(["DBSIZE"])?, 2);
    Ok(())
}
