//! Servers in a bad state. The expected answers are those of Redis 8.0.6 in that state.

use minibroker::Broker;

use crate::Outcome;
use crate::wire::Wire;

const LOADING: &str = "-LOADING Redis is loading the dataset in memory\r\n";
const READONLY: &str = "-READONLY You can't write against a read only replica.\r\n";
const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const NOAUTH: &str = "-NOAUTH Authentication required.\r\n";
const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.\r\n";

#[test]
fn a_server_that_loads_answers_about_itself_and_publishes() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().loading();
    for command in ["PING", "GET a", "SET a 1"] {
        client.ask(command, LOADING)?;
    }
    client.ask("GET", "-ERR wrong number of arguments for 'get' command\r\n")?;
    client.ask("ECHO x", "$1\r\nx\r\n")?;
    client.ask("PUBLISH a b", ":0\r\n")?;
    client.ask("CLIENT ID", ":1\r\n")?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("PUBLISH a b", "+QUEUED\r\n")?;
    client.ask("GET a", LOADING)?;
    client.ask("EXEC", ABORTED)?;
    assert_eq!(fault.hits(), 4);
    drop(fault);
    client.ask("PING", "+PONG\r\n")?;
    Ok(())
}

#[test]
fn what_was_queued_before_a_state_began_is_refused_by_exec() -> Outcome {
    let because = |text: &str| format!("-EXECABORT Transaction discarded because of: {}", &text[1..]);
    let broker = Broker::start()?;
    for (queued, state, text) in [
        ("SET a 1", 0, READONLY),
        ("SET a 1", 1, OOM),
        ("GET a", 2, LOADING),
        ("PING", 3, BUSY),
        ("PING", 4, NOAUTH),
    ] {
        let mut client = Wire::connect(&broker)?;
        client.ask("MULTI", "+OK\r\n")?;
        client.ask(queued, "+QUEUED\r\n")?;
        let faults = broker.faults();
        let _fault = match state {
            0 => faults.read_only(),
            1 => faults.out_of_memory(),
            2 => faults.loading(),
            3 => faults.busy(),
            _ => faults.no_auth(),
        };
        client.ask("EXEC", &because(text))?;
    }
    // Reads are not refused in a state that refuses only writes.
    let mut client = Wire::connect(&broker)?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("GET a", "+QUEUED\r\n")?;
    let _faults = [broker.faults().read_only(), broker.faults().out_of_memory()];
    client.ask("EXEC", "*1\r\n$-1\r\n")?;
    Ok(())
}

#[test]
fn a_replica_reads_and_publishes_but_does_not_write() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let _fault = broker.faults().read_only();
    for command in ["SET a 1", "BLPOP k 1", "SORT a", "GETEX a", "GEORADIUS a 1 1 1 km"] {
        client.ask(command, READONLY)?;
    }
    client.ask("SET", "-ERR wrong number of arguments for 'set' command\r\n")?;
    client.ask("PUBLISH c x", ":0\r\n")?;
    client.ask("PFCOUNT a", ":0\r\n")?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("SET a 1", READONLY)?;
    client.ask("EXEC", ABORTED)?;
    let info = broker.command(["INFO", "errorstats"])?.to_string();
    assert!(info.contains("errorstat_READONLY:count=6"), "{info}");
    Ok(())
}

#[test]
fn a_server_without_memory_takes_nothing_more() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    client.ask("RPUSH l 1", ":1\r\n")?;
    let _fault = broker.faults().out_of_memory();
    for command in ["SET a 2", "LPUSH l 1", "BLMOVE a b LEFT LEFT 1"] {
        client.ask(command, OOM)?;
    }
    client.ask("GET a", "$-1\r\n")?;
    client.ask("BLPOP l 1", "*2\r\n$1\r\nl\r\n$1\r\n1\r\n")?;
    client.ask("PUBLISH a b", ":0\r\n")?;
    Ok(())
}

#[test]
fn a_server_that_requires_a_password_allows_hello_and_quit() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let _fault = broker.faults().no_auth();
    for command in ["GET a", "PING", "MULTI", "SUBSCRIBE x", "CLIENT ID"] {
        client.ask(command, NOAUTH)?;
    }
    client.ask("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n")?;
    client.ask("RESET", "+RESET\r\n")?;
    client.ask("QUIT", "+OK\r\n")?;
    assert!(client.is_cut());
    Ok(())
}

#[test]
fn a_server_that_runs_a_script_answers_very_little() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let mut listener = Wire::connect(&broker)?;
    listener.subscribe("x")?;
    let _fault = broker.faults().busy();
    for command in ["GET a", "PING", "SUBSCRIBE a", "CLIENT ID", "INFO", "BLPOP a 1", "COMMAND COUNT"] {
        client.ask(command, BUSY)?;
    }
    client.ask("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n")?;
    client.ask("GET", "-ERR wrong number of arguments for 'get' command\r\n")?;
    client.ask("WATCH a", "+OK\r\n")?;
    client.ask("MULTI", "+OK\r\n")?;
    client.ask("GET a", BUSY)?;
    client.ask("EXEC", &format!("-EXECABORT Transaction discarded because of: {}", &BUSY[1..]))?;
    // A subscriber gets the error of the subscribed mode first.
    listener.ask("PING", BUSY)?;
    listener.send("GET a")?;
    assert!(listener.line()?.starts_with("-ERR Can't execute 'get': only"));
    Ok(())
}

#[test]
fn a_state_may_be_that_of_one_client_and_one_key_only() -> Outcome {
    let broker = Broker::start()?;
    let mut client = Wire::connect(&broker)?;
    let fault = broker.faults().on_key("session:*").on_client(1).nth(2).read_only();
    client.ask("SET session:1 x", "+OK\r\n")?;
    // Such a server does not refuse it, so it is not counted.
    client.ask("GET session:1", "$1\r\nx\r\n")?;
    client.ask("SET profile:1 x", "+OK\r\n")?;
    client.ask("SET session:1 x", READONLY)?;
    client.ask("SET session:1 x", "+OK\r\n")?;
    assert_eq!(fault.hits(), 1);
    Ok(())
}
