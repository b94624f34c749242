//! Turns: a client whose requests take long lets others run in between.

use minibroker::{Broker, Filter};

use super::peer::Peer;

/// How many elements the list has that a slow request reads, and how many such requests arrive at once. They take far
/// longer than a turn.
const ELEMENTS: usize = 20_000;
const REQUESTS: usize = 2_500;

#[test]
fn others_run_between_slow_requests_that_have_arrived_at_once() {
    let broker = Broker::start().unwrap();
    let push: Vec<&str> = ["RPUSH", "list"].into_iter().chain(std::iter::repeat_n("x", ELEMENTS)).collect();
    broker.command(&push[..]).unwrap();
    let (mut slow, mut other) = (Peer::connect(&broker), Peer::connect(&broker));
    // The broker has accepted both.
    for peer in [&mut slow, &mut other] {
        peer.send("PING\r\n");
        peer.expect(b"+PONG\r\n");
    }
    let (first, second) = (broker.stop_reading(Filter::id(1)), broker.stop_reading(Filter::id(2)));
    assert_eq!((first.clients(), second.clients()), (1, 1));
    slow.send("LPOS list y\r\n".repeat(REQUESTS) + "SET done 1\r\n");
    other.send("GET done\r\n");
    drop((first, second));
    other.expect(b"$-1\r\n");
}
