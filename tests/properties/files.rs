//! RDB files.

use proptest::collection::vec;
use proptest::prelude::*;

use super::drivers::files;
use super::{for_all, seeds::seeds};

#[test]
fn a_file_with_changed_bytes_is_refused_or_loaded_and_written_again() {
    let seeds = seeds("rdb");
    let byte = prop_oneof![Just(0), Just(1), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()];
    let inputs = (0..seeds.len(), vec((any::<usize>(), byte), 0..4));
    for_all(20_000, inputs, |(seed, changes)| files::check_changed(&seeds[seed].1, &changes));
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    for (name, seed) in seeds("rdb") {
        println!("{name}");
        files::check_seed(&seed);
        for end in 0..seed.len() {
            files::check(&seed[..end]);
        }
    }
}
