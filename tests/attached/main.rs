//! A broker attached to a real server: the same tests run on an embedded broker and on the server of `MINIBROKER_URL`.
//!
//! The servers are an embedded broker to which others attach, and redis-server, Redis 8 and Valkey 9 if this machine
//! has them.

mod abilities;
#[cfg(feature = "tls")]
mod certificates;
mod clean;
mod everywhere;
mod isolation;
mod refusals;
mod running;
mod suite;
#[cfg(feature = "tls")]
mod tls;
mod waits;

#[path = "../comparison/servers.rs"]
#[allow(dead_code)]
mod servers;
#[path = "../skipped/mod.rs"]
mod skipped;

/// What a test returns.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// How many clients a server has.
fn servers_clients(server: &running::Running) -> usize {
    let listed: String =
        redis::cmd("CLIENT").arg("LIST").query(&mut server.connection()).expect("it answers");
    listed.lines().count()
}
