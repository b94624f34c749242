//! Replies: any input is answered with complete frames of the client's protocol.

use proptest::collection::vec;
use proptest::prelude::*;

use super::drivers::engine;
use super::for_all;

/// A line of a program for the engine, see [`engine`].
fn line() -> impl Strategy<Value = Vec<u8>> {
    // A line feed would end the line.
    let choices = vec(any::<u8>().prop_map(|byte| if byte == b'\n' { 0 } else { byte }), 2..16);
    let client = 0..4_u8;
    prop_oneof![
        20 => (client.clone(), choices).prop_map(|(client, choices)| [&[b'a' + client][..], &choices].concat()),
        1 => client.clone().prop_map(|client| format!("{client}hello 3").into_bytes()),
        1 => client.clone().prop_map(|client| format!("{client}reset").into_bytes()),
        1 => client.clone().prop_map(|client| format!("{client}exec").into_bytes()),
        1 => client.prop_map(|client| format!("x{client}").into_bytes()),
        2 => prop::sample::select(vec![1, 100, 5000, 100_000]).prop_map(|millis| format!("t{millis}").into_bytes()),
    ]
}

#[test]
fn every_reply_is_complete_and_follows_from_the_requests_alone() {
    for_all(150, vec(line(), 1..100), |lines| {
        let _ = engine::run(&lines.join(&b'\n'));
    });
}
