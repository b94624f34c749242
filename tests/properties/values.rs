//! Values in redis-server's serialization.

use proptest::collection::vec;
use proptest::prelude::*;

use super::drivers::values;
use super::{for_all, seeds::seeds};

#[test]
fn a_payload_with_changed_bytes_is_refused_or_read_and_rewritten() {
    let seeds = seeds("restore");
    let byte = prop_oneof![Just(0), Just(1), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()];
    let inputs = (0..seeds.len(), vec((any::<usize>(), byte), 0..4));
    for_all(20_000, inputs, |(seed, changes)| values::check_changed(&seeds[seed].1, &changes));
}

#[test]
fn a_payload_that_is_cut_off_is_refused_or_read_and_written_again() {
    for (name, seed) in seeds("restore") {
        println!("{name}");
        for end in 0..seed.len() {
            values::check(&seed[..end]);
        }
    }
}
