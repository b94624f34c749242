//! Bytes that are not requests, or not yet complete.

use minibroker::{Broker, Value};

use super::peer::{OtherClient, Peer, encode, repeat_without_growing};

#[test]
fn an_unfinished_request_delays_no_other_client() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let request = encode(&["ECHO", "hello"]);
    let mut peers: Vec<_> = (1..request.len())
        .map(|cut| {
            let mut peer = Peer::connect(&broker);
            peer.send(&request[..cut]);
            (peer, cut)
        })
        .collect();
    other_client.is_served();
    for (peer, cut) in &mut peers {
        peer.send(&request[*cut..]);
        assert_eq!(peer.reply(), Value::Bulk(b"hello".to_vec()));
    }
    for (peer, _) in peers {
        peer.leave();
    }
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_request_that_breaks_off_leaves_nothing_behind() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    let request = encode(&["SET", "name", "hello"]);
    for cut in 0..request.len() {
        let mut peer = Peer::connect(&broker);
        peer.send(&request[..cut]);
        peer.finish();
        assert_eq!(peer.read_to_end(), b"");
    }
    assert_eq!(broker.command(["EXISTS", "name"]).unwrap(), 0);
    other_client.disconnect_as_last(&broker);
}

#[test]
fn what_is_no_request_is_answered_with_an_error_and_cut_off() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let long = "1".repeat(64 * 1024 + 1);
    let cases: [(String, &str); 13] = [
        ("*2147483648\r\n".into(), "invalid multibulk length"),
        ("*9223372036854775808\r\n".into(), "invalid multibulk length"),
        ("*x\r\n".into(), "invalid multibulk length"),
        (format!("*{long}"), "too big mbulk count string"),
        ("*1\r\n$536870913\r\n".into(), "invalid bulk length"),
        ("*1\r\n$-1\r\n".into(), "invalid bulk length"),
        ("*1\r\n$99999999999999999999\r\n".into(), "invalid bulk length"),
        (format!("*1\r\n${long}"), "too big bulk count string"),
        ("*1\r\n:1\r\n".into(), "expected '$', got ':'"),
        ("*1\r\n\r\n\r\n".into(), "expected '$', got ' '"),
        (long.clone(), "too big inline request"),
        ("SET \"name\r\n".into(), "unbalanced quotes in request"),
        ("SET 'name'x\r\n".into(), "unbalanced quotes in request"),
    ];
    for (bytes, error) in cases {
        let mut peer = Peer::connect(&broker);
        // Requests before the invalid bytes are answered, requests after them are not run.
        peer.send(["PING\r\n", &bytes].concat());
        let answer = peer.read_to_end();
        assert_eq!(
            String::from_utf8_lossy(&answer),
            format!("+PONG\r\n-ERR Protocol error: {error}\r\n"),
            "{}",
            &bytes[..bytes.len().min(40)]
        );
        other_client.is_served();
    }
    other_client.disconnect_as_last(&broker);
}

#[test]
fn arrays_within_arrays_are_refused_however_deep() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    for depth in [2, 1000, 10_000] {
        let mut peer = Peer::connect(&broker);
        peer.send("*1\r\n".repeat(depth));
        assert_eq!(peer.read_to_end(), b"-ERR Protocol error: expected '$', got '*'\r\n");
    }
    other_client.disconnect_as_last(&broker);
}

#[test]
fn what_is_announced_takes_no_memory_before_it_has_arrived() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    repeat_without_growing(|| {
        let mut peers: Vec<_> = (0..100).map(|_| Peer::connect(&broker)).collect();
        for (index, peer) in peers.iter_mut().enumerate() {
            let announced = ["*2147483647\r\n$1\r\na\r\n", "*1\r\n$536870912\r\nab"][index % 2];
            peer.send(announced);
        }
        other_client.is_served();
        peers.into_iter().for_each(Peer::leave);
    });
    other_client.disconnect_as_last(&broker);
}

#[test]
fn garbage_ends_in_an_error_and_affects_no_other_client() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        let mut garbage: Vec<u8> = (0..10_000)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (random >> 56) as u8
            })
            .collect();
        garbage[0] = [b'*', b'$', b'G', 0, 255][round % 5];
        let mut peer = Peer::connect(&broker);
        peer.send_until_closed(&garbage);
        peer.finish();
        let answer = peer.read_to_end();
        assert!(answer.is_empty() || answer.starts_with(b"-ERR "), "{}", answer.escape_ascii());
        other_client.is_served();
    }
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_browsers_request_is_cut_off_before_any_of_it_runs() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    for header in ["POST / HTTP/1.1\r\n", "Host: 127.0.0.1:6379\r\n", "host: x\r\n"] {
        let mut peer = Peer::connect(&broker);
        peer.send([header, "\r\nSET name hello\r\n"].concat());
        assert_eq!(peer.read_to_end(), b"");
    }
    assert_eq!(broker.command(["EXISTS", "name"]).unwrap(), 0);
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_client_that_has_not_logged_in_may_send_little() {
    let broker = Broker::builder().password("secret").start().unwrap();
    let mut peer = Peer::connect(&broker);
    peer.send("*11\r\n$4\r\nPING\r\n");
    assert_eq!(peer.read_to_end(), b"-ERR Protocol error: unauthenticated multibulk length\r\n");
    let mut peer = Peer::connect(&broker);
    peer.send("*2\r\n$4\r\nAUTH\r\n$16385\r\n");
    assert_eq!(peer.read_to_end(), b"-ERR Protocol error: unauthenticated bulk length\r\n");

    let mut peer = Peer::connect(&broker);
    let longest = "x".repeat(16 * 1024);
    assert_eq!(peer.command(["ECHO", &longest]), Value::Error("NOAUTH Authentication required.".into()));
    assert_eq!(peer.command(["AUTH", "secret"]), Value::Simple("OK".into()));
    let longer = "x".repeat(16 * 1024 + 1);
    assert_eq!(peer.command(["ECHO", &longer]), Value::Bulk(longer.into_bytes()));
    peer.leave();
}

#[test]
fn a_half_closed_connection_gets_all_its_answers_before_it_ends() {
    let broker = Broker::start().unwrap();
    let other_client = OtherClient::connect(&broker);
    let mut peer = Peer::connect(&broker);
    peer.send("PING\r\n".repeat(1000));
    peer.finish();
    assert_eq!(peer.read_to_end(), b"+PONG\r\n".repeat(1000));
    other_client.disconnect_as_last(&broker);
}

#[test]
fn a_hundred_thousand_commands_in_a_row_are_answered_in_their_order() {
    let broker = Broker::start().unwrap();
    let mut other_client = OtherClient::connect(&broker);
    let mut peer = Peer::connect(&broker);
    let mut writer = peer.try_clone();
    let commands: Vec<u8> =
        (0..100_000).flat_map(|number| format!("ECHO {number}\r\n").into_bytes()).collect();
    let sender = std::thread::spawn(move || writer.send(commands));
    other_client.is_served();
    for number in 0..100_000 {
        let text = number.to_string();
        peer.expect(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
    }
    sender.join().unwrap();
    peer.leave();
    other_client.disconnect_as_last(&broker);
}
