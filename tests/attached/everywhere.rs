//! The suite runs unchanged on every server, in separate processes, as cargo starts them.

use std::env;
use std::process::{Command, Output};

use crate::Outcome;
use crate::running::{self, Running};

/// Runs the suite on a server.
fn run(url: &str, arguments: &[&str]) -> Result<Output, std::io::Error> {
    Command::new(env::current_exe()?)
        .args(["suite::", "--test-threads", "4"])
        .args(arguments)
        .env("MINIBROKER_URL", url)
        .output()
}

fn passes(server: &Running) -> Outcome {
    let output = run(&server.url, &[])?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{} at {}:\n{stdout}", server.name, server.url);
    assert!(stdout.contains("5 passed"), "{stdout}");
    assert_eq!(server.keyspace(), "", "{} is left as it was", server.name);
    Ok(())
}

#[test]
fn the_suite_passes_on_every_server() -> Outcome {
    running::all().try_for_each(|server| passes(&server))
}

#[test]
fn the_suite_passes_on_servers_with_a_password() -> Outcome {
    running::all().try_for_each(|server| passes(&server.with_password()))
}

#[test]
#[cfg(unix)]
fn the_suite_passes_over_unix_sockets() -> Outcome {
    for (server, _embedded) in running::by_unix_socket() {
        passes(&server)?;
    }
    Ok(())
}

#[test]
fn the_suite_passes_on_a_cluster_of_one_node() -> Outcome {
    for server in running::clusters() {
        let output = Command::new(env::current_exe()?)
            .args(["suite::", "--test-threads", "1"])
            .env("MINIBROKER_URL", &server.url)
            // There is one database, which all tests use.
            .env("MINIBROKER_FLUSH", "1")
            .output()?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{} at {}:\n{stdout}", server.name, server.url);
        assert_eq!(server.keyspace(), "");
    }
    Ok(())
}

#[test]
fn without_a_url_or_with_an_empty_one_the_broker_is_embedded() -> Outcome {
    let output = run("", &["whoever"])?;
    assert!(output.status.success(), "{output:?}");
    Ok(())
}

#[test]
fn a_url_that_leads_nowhere_fails_the_tests_in_one_line() -> Outcome {
    let output = run("redis://ann:s3cret@127.0.0.1:1", &["session"])?;
    assert!(!output.status.success());
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("cannot attach to redis://127.0.0.1:1: Connection refused"), "{stdout}");
    assert!(!stdout.contains("s3cret"), "{stdout}");
    Ok(())
}
