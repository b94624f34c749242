//! The memory that commands use while they run does not grow with the number of times that a long value is named.

use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::OwnedRequest;

const NOW: Time = Time::from_micros(1_700_000_000_000_000);
/// How long each value is.
const VALUE: usize = 256 * 1024;
/// How many elements have this length together.
const ELEMENTS: usize = 16;

fn run(engine: &mut Engine, request: &OwnedRequest) -> Vec<u8> {
    let mut reply = Vec::new();
    engine.command(request, NOW, &mut reply);
    reply
}

/// A broker with a long value of each type, in a key with the name of the type.
fn engine() -> Engine {
    let mut engine = Engine::new(Config::default(), 1, NOW);
    let element = |number: usize| format!("{number:0>width$}", width = VALUE / ELEMENTS).into_bytes();
    let mut requests = vec![vec![b"SET".to_vec(), b"string".to_vec(), vec![b'x'; VALUE]]];
    for number in 0..ELEMENTS {
        let add = |command: &str, key: &str| vec![command.into(), key.into(), element(number)];
        requests.push(add("SADD", "set"));
        requests.push(add("RPUSH", "list"));
        requests.push(add("PFADD", "counter"));
        requests.push(vec![b"ZADD".to_vec(), b"zset".to_vec(), b"1".to_vec(), element(number)]);
    }
    for request in requests {
        let reply = run(&mut engine, &OwnedRequest::new(request));
        assert!(!reply.starts_with(b"-"), "{}", reply.escape_ascii());
    }
    engine
}

/// How much more memory a command uses at its peak than before, if it names the key this many times.
fn peak(command: &str, key: &str, times: usize) -> usize {
    let mut words = Vec::new();
    for word in command.split(' ') {
        match word {
            "KEYS" => words.extend(vec![key.to_owned(); times]),
            "COUNT" => words.push(times.to_string()),
            word => words.push(word.to_owned()),
        }
    }
    let request = OwnedRequest::new(words);
    let mut engine = engine();
    let mut reply = Vec::new();
    let info = allocation_counter::measure(|| reply = run(&mut engine, &request));
    assert!(!reply.starts_with(b"-"), "{command}: {}", reply.escape_ascii());
    usize::try_from(info.bytes_max).unwrap()
}

#[test]
fn a_long_value_named_a_hundred_times_takes_no_more_than_named_twice() {
    let commands = [
        ("string", "BITOP AND result KEYS"),
        ("string", "BITOP OR result KEYS"),
        ("string", "BITOP XOR result KEYS"),
        ("set", "SUNION KEYS"),
        ("set", "SUNIONSTORE result KEYS"),
        ("set", "SINTER KEYS"),
        ("set", "SINTERSTORE result KEYS"),
        ("set", "SINTERCARD COUNT KEYS"),
        ("set", "SDIFF set KEYS"),
        ("set", "SDIFFSTORE result other KEYS"),
        ("zset", "ZUNION COUNT KEYS"),
        ("zset", "ZUNIONSTORE result COUNT KEYS"),
        ("zset", "ZINTER COUNT KEYS"),
        ("zset", "ZINTERSTORE result COUNT KEYS"),
        ("zset", "ZINTERCARD COUNT KEYS"),
        ("zset", "ZDIFF COUNT KEYS"),
        ("zset", "ZDIFFSTORE result COUNT KEYS"),
        ("zset", "ZMPOP COUNT KEYS MIN"),
        ("set", "ZUNION COUNT KEYS"),
        ("set", "ZINTERSTORE result COUNT KEYS"),
        ("list", "LMPOP COUNT KEYS LEFT"),
        ("list", "BLMPOP 0 COUNT KEYS LEFT"),
        ("list", "BLPOP KEYS 0"),
        ("counter", "PFCOUNT KEYS"),
        ("counter", "PFMERGE result KEYS"),
        ("string", "EXISTS KEYS"),
        ("string", "TOUCH KEYS"),
        ("string", "DEL KEYS"),
        ("string", "WATCH KEYS"),
    ];
    for (key, command) in commands {
        let (twice, often) = (peak(command, key, 2), peak(command, key, 100));
        assert!(often < twice + VALUE / 4, "{command} with {key}: {often} bytes, and {twice} with two");
    }
}

#[test]
fn a_long_text_that_many_elements_are_sorted_by_is_not_copied() {
    let mut engine = engine();
    for _ in 0..100 {
        run(&mut engine, &OwnedRequest::new(["RPUSH", "letters", "g"]));
    }
    // The weight of each is the same long string.
    for sort in ["SORT letters BY strin* ALPHA", "SORT_RO letters BY strin* ALPHA DESC LIMIT 0 10"] {
        let request = OwnedRequest::new(sort.split(' '));
        let info = allocation_counter::measure(|| {
            run(&mut engine, &request);
        });
        assert!(info.bytes_max < VALUE as u64 / 4, "{sort}: {} bytes", info.bytes_max);
    }
}

#[test]
fn strings_that_are_too_long_to_be_compared_are_not_copied_first() {
    let mut engine = engine();
    let request = OwnedRequest::new(["LCS", "string", "string"]);
    let mut reply = Vec::new();
    let info = allocation_counter::measure(|| reply = run(&mut engine, &request));
    assert!(reply.starts_with(b"-ERR Insufficient memory"), "{}", reply.escape_ascii());
    assert!(info.bytes_max < VALUE as u64 / 4, "{} bytes", info.bytes_max);
}
