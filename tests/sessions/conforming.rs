//! `minibroker conform` counts how many answers of a server are those of real servers, or reports why it cannot.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use minibroker::Broker;
use minibroker::internal::conform::differences::matches;
use redis::Commands;

use crate::program::{Ended, ended, started};
use crate::wrong::{closed_port, refused};
use crate::{Tested, servers, skipped};

fn conform(url: &str, more: &[&str]) -> std::io::Result<Ended> {
    ended(["conform", url].iter().chain(more))
}

/// The number of answers, and how many agree with this version, from this row of the table.
fn count(out: &str, name: &str, column: usize) -> Result<(usize, usize), String> {
    let row = out.lines().find(|line| line.split_whitespace().next() == Some(name));
    let row = row.ok_or_else(|| format!("no row {name} in {out}"))?;
    let numbers: Vec<usize> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let number = |index: usize| numbers.get(index).copied().ok_or_else(|| format!("too short: {row}"));
    Ok((number(0)?, number(column)?))
}

/// The columns of the table.
const REDIS_7_0: usize = 1;
const REDIS_8_0: usize = 2;
const REDIS_8_2: usize = 3;

/// The printed differences: family, scenario, step, and their number.
fn differences(out: &str) -> BTreeMap<(String, String, String), usize> {
    let mut found = BTreeMap::new();
    for block in out.split("\n\n").skip(2) {
        let mut lines = block.lines();
        let (Some(head), Some(step)) = (lines.next(), lines.next()) else { continue };
        let Some((family, rest)) = head.split_once(": \"") else { continue };
        let Some((title, protocols)) = rest.rsplit_once("\" (") else { continue };
        let key = (family.to_owned(), title.to_owned(), step.trim().to_owned());
        *found.entry(key).or_default() += protocols.split(", ").count();
    }
    found
}

/// Fails if a difference is not listed in `differences.md` for this server.
fn assert_listed(server: &str, differences: &BTreeMap<(String, String, String), usize>) -> Tested {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/comparison/differences.md");
    let text = std::fs::read_to_string(file)?;
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    for (family, title, step) in differences.keys() {
        let is_listed = rows.iter().any(|row| {
            let [servers, of, scenario, steps, _] = row[..] else { return false };
            let name = servers.split(' ').next().unwrap_or_default();
            matches(name, server) && of == family && matches(scenario, title) && matches(steps, step)
        });
        assert!(is_listed, "{family}: {title}: {step}");
    }
    Ok(())
}

/// Plays all cases on a broker of this version: all differences are listed.
fn conforms(version: &str, named: &str, column: usize) -> Tested {
    let broker = Broker::builder().compat(version.parse()?).start()?;
    let out = conform(&broker.url(), &[&format!("--differences={named}")])?.with(0).out;
    let differences = differences(&out);
    assert_listed(named, &differences)?;
    let (answers, same) = count(&out, "total", column)?;
    assert_eq!(answers - same, differences.values().sum::<usize>(), "{out}");
    assert_eq!(broker.command(["DBSIZE"])?, 0);
    Ok(())
}

// Three tests, as most of the time is spent waiting.
#[test]
fn minibroker_answers_as_redis_8_0_but_for_the_listed_differences() -> Tested {
    conforms("8.0", "redis-8.0", REDIS_8_0)
}

#[test]
fn minibroker_answers_as_redis_8_2_but_for_the_listed_differences() -> Tested {
    conforms("8.2", "redis-8.2", REDIS_8_2)
}

#[test]
fn minibroker_answers_as_redis_7_0_but_for_the_listed_differences() -> Tested {
    conforms("7.0", "redis-7.0", REDIS_7_0)
}

#[test]
fn a_real_server_answers_as_its_own_version_is_recorded() -> Tested {
    let mut is_found = false;
    for server in servers::real() {
        let server = server?;
        let Some(at) = servers::RECORDED.iter().position(|name| *name == server.name) else { continue };
        is_found = true;
        let url = format!("redis://{}", server.addr);
        let out = conform(&url, &["--differences", "--family", "lists"])?.with(0).out;
        let (answers, same) = count(&out, "total", at + 1)?;
        assert!(answers > 0 && out.contains(&server.release), "{out}");
        assert_eq!(answers, same, "{out}");
    }
    if !is_found {
        skipped::missing("redis-server");
    }
    Ok(())
}

#[test]
fn one_family_or_scenario_can_be_played_alone() -> Tested {
    let broker = Broker::start()?;
    let family = conform(&broker.url(), &["--family", "hashes"])?.with(0).out;
    let (answers, same) = count(&family, "hashes", REDIS_8_2)?;
    assert_eq!((answers, same), count(&family, "total", REDIS_8_2)?);
    assert!(answers > 100 && same == answers, "{family}");
    let scenario = conform(&broker.url(), &["--only", "pushing and popping", "--differences"])?.with(0).out;
    assert_eq!(count(&scenario, "lists", REDIS_8_2)?, count(&scenario, "total", REDIS_8_2)?);
    assert!(scenario.ends_with("\n# no difference from Redis 8.2.3\n"), "{scenario}");
    refused(conform(&broker.url(), &["--family", "list"])?, &["no family \"list\"", "lists"]);
    refused(conform(&broker.url(), &["--only", "no such title"])?, &["\"no such title\""]);
    refused(conform(&broker.url(), &["--differences=redis-6.2"])?, &["\"redis-6.2\"", "redis-8.0"]);
    Ok(())
}

#[test]
fn a_difference_is_counted_and_printed() -> Tested {
    let broker = Broker::start()?;
    let _fault = broker.faults().on_command("LLEN").error("ERR not built");
    let out = conform(&broker.url(), &["--only", "pushing and popping", "--differences"])?.with(0).out;
    let (answers, same) = count(&out, "total", REDIS_8_2)?;
    assert_eq!(answers - same, 4, "two steps in both versions of the protocol: {out}");
    assert!(out.contains("\nlists: \"pushing and popping\" (resp2, resp3)\n  A: LLEN k\n"), "{out}");
    assert!(out.contains("\n  - A <- : \"6\"\n  + A <- - \"ERR not built\"\n"), "{out}");
    Ok(())
}

#[test]
fn a_server_that_is_not_empty_is_flushed_only_where_it_is_allowed() -> Tested {
    let broker = Broker::start()?;
    let mut other =
        redis::Client::open(format!("{}/3", broker.url().trim_end_matches('/')))?.get_connection()?;
    let _: () = other.set("kept", "v")?;
    refused(conform(&broker.url(), &["--family", "bit"])?, &["would be flushed", "it has 1 key", "--flush"]);
    assert_eq!(other.get::<_, String>("kept")?, "v");
    conform(&broker.url(), &["--family", "bit", "--flush"])?.with(0);
    assert_eq!(other.get::<_, Option<String>>("kept")?, None);
    Ok(())
}

#[test]
fn a_server_with_a_password_is_compared_and_keeps_it() -> Tested {
    let broker = Broker::builder().password("s3cret").start()?;
    let addr = broker.addr().expect("it listens");
    let with = format!("redis://:s3cret@{addr}");
    refused(conform(&format!("redis://{addr}"), &[])?, &["refuses: NOAUTH"]);
    refused(conform(&format!("redis://:wrong@{addr}"), &[])?, &["refuses: WRONGPASS"]);
    let strings = conform(&with, &["--family", "strings"])?.with(0).out;
    let (answers, same) = count(&strings, "total", REDIS_8_2)?;
    assert!(answers > 100 && answers == same, "{strings}");
    // The server keeps its password.
    let out = conform(&with, &["--family", "connection"])?.with(0).out;
    assert!(
        out.contains("left out: they change the password") || out.contains("1 scenario is left out"),
        "{out}"
    );
    refused(conform(&format!("redis://{addr}"), &[])?, &["refuses: NOAUTH"]);
    Ok(())
}

#[test]
fn settings_are_restored() -> Tested {
    let broker = Broker::builder().config("list-max-listpack-size", "-4").start()?;
    let before = broker.command(["CONFIG", "GET", "*"])?;
    conform(&broker.url(), &["--family", "server"])?.with(0);
    conform(&broker.url(), &["--family", "object"])?.with(0);
    assert_eq!(broker.command(["CONFIG", "GET", "*"])?, before);
    Ok(())
}

#[test]
fn resp3_is_left_out_where_hello_is_unknown() -> Tested {
    let broker = Broker::start()?;
    let _fault = broker.faults().on_command("HELLO").error("ERR unknown command 'HELLO'");
    let out = conform(&broker.url(), &["--family", "bit"])?.with(0).out;
    assert!(out.contains("# RESP3 is left out: the server refuses HELLO 3: ERR unknown command"), "{out}");
    let (answers, same) = count(&out, "bit", REDIS_8_2)?;
    assert!(answers == same && answers > 0, "{out}");
    Ok(())
}

#[test]
fn an_address_without_a_server_is_an_error() -> Tested {
    refused(conform(&closed_port()?, &[])?, &["cannot connect to redis://127.0.0.1:", "refused"]);
    refused(conform("localhost", &[])?, &["URL localhost: a URL begins with redis://"]);
    refused(conform("redis://localhost/3", &[])?, &["redis://localhost:6379/3", "all databases"]);
    Ok(())
}

#[test]
fn a_server_of_another_protocol_is_an_error() -> Tested {
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], ": it does not speak the Redis protocol"),
        (b"", " has gone away"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("redis://{}", listener.local_addr()?);
        let server = thread::spawn(move || -> std::io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            let _ = stream.read(&mut [0; 1024])?;
            stream.write_all(answer)
        });
        refused(conform(&url, &[])?, &[&url, expected]);
        server.join().map_err(|_| "the server panics")??;
    }
    // A server that does not answer.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("redis://{}", listener.local_addr()?);
    refused(conform(&url, &[])?, &[&url, ": no answer within "]);
    Ok(())
}

#[test]
fn a_server_that_ends_in_the_middle_is_an_error() -> Tested {
    let broker = Broker::start()?;
    let mut commands = broker.watch_commands();
    let program = started(["conform", &broker.url(), "--family", "lists"])?;
    while commands.blocking_next().ok_or("the broker has ended")?.name() != "RPUSH" {}
    broker.stop()?;
    let ended = Ended::from(program.wait_with_output()?).with(2);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    assert!(ended.err.contains(" has gone away, in lists: \""), "{}", ended.err);
    Ok(())
}
