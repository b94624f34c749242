//! Glob patterns.

use proptest::collection::vec;
use proptest::prelude::*;

use super::drivers::patterns;
use super::for_all;

/// Texts of few letters, so that patterns sometimes match.
fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![6 => prop::sample::select(b"abAB:".to_vec()), 1 => any::<u8>()], 0..20)
}

#[test]
fn a_pattern_matches_what_trying_everything_matches() {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["*", "?", "a", "b", "A", ":", "[ab]", "[^a]", "[a-c]", "[B-a]", "\\"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(prop::sample::select(b"[]^-\\*?aZ\xe4".to_vec()), 1..6),
    ];
    let inputs = (vec(piece, 0..8), text(), any::<bool>());
    for_all(20_000, inputs, |(pieces, text, nocase)| {
        patterns::compare(&pieces.concat(), &text, nocase);
    });
}

#[test]
fn a_pattern_of_the_shell_matches_what_glob_matches() {
    let piece =
        prop::sample::select(vec!["*", "?", "a", "b", "a:", "room", "[ab]", "[a-b:]", "[A-Z]", "[0-9x]"]);
    let inputs = (vec(piece, 1..8), "[abrx5:][abroom:A5]{0,11}");
    for_all(10_000, inputs, |(pieces, text)| {
        let pattern = pieces.concat();
        if patterns::is_shared(pattern.as_bytes(), text.as_bytes()) {
            let judged = patterns::by_glob(pattern.as_bytes(), text.as_bytes(), false);
            let found =
                minibroker::internal::data::pattern::matches(pattern.as_bytes(), text.as_bytes(), false);
            assert_eq!(Some(found), judged, "{pattern} {text}");
        }
    });
}

#[test]
fn a_pattern_of_many_stars_comes_to_an_end() {
    let text = "a".repeat(10_000);
    let pattern = "a*".repeat(900) + "b";
    assert!(!minibroker::internal::data::pattern::matches(pattern.as_bytes(), text.as_bytes(), false));
}

#[test]
fn beyond_a_thousand_stars_nothing_matches_as_in_redis_server() {
    let text = "a".repeat(1500);
    let matches = |stars: usize, end: &str| {
        let pattern = "*a".repeat(stars) + end;
        minibroker::internal::data::pattern::matches(pattern.as_bytes(), text.as_bytes(), false)
    };
    assert!(matches(1000, ""));
    assert!(matches(1000, "*"));
    assert!(!matches(1001, ""));
    assert!(!matches(1001, "*"));
}

#[test]
fn ranges_of_signed_bytes_are_ordered_before_letters_are_folded() {
    let matches = minibroker::internal::data::pattern::matches;
    // As redis-server 7.0, 8.0 and Valkey 9 answer.
    assert!(!matches(b"[a-\xff]", b"z", false));
    assert!(matches(b"[a-\xff]", b"A", false));
    assert!(matches(b"[\x80-\xff]", b"\xa0", false));
    assert!(!matches(b"[Z-a]ort", b"port", true));
    assert!(matches(b"[z-a]ort", b"Port", true));
}
