//! Collections through the engine alone, from a thousand elements to a million: the time of each command that has to
//! be constant or logarithmic.
//!
//! Commands that are linear in redis-server too are left out: LINSERT, LREM and LPOS of an element far from the end,
//! and reads of a whole collection.

use std::time::Instant;

use minibroker::internal::clients::ClientKey;

use crate::driven::{Driven, request};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const SMOKE_SIZES: [usize; 2] = [1_000, 64_000];
/// How many times a group of commands is sent at once.
const AT_ONCE: usize = 64;
/// How often this is measured; the median counts.
const BATCHES: usize = 51;
/// How many elements one command adds when a collection is filled.
const IN_ONE: usize = 100;

/// What is measured: a collection of any size, and commands that leave it at that size.
struct Kind {
    name: &'static str,
    /// The commands that add `IN_ONE` elements to the collection, from this number on.
    fill: fn(usize) -> Vec<Vec<String>>,
    operations: &'static [Operation],
}

/// Commands that are sent together, written as in redis-cli. `{any}` is the number of an element that exists,
/// always the same within the operation; `{other}` is another; `{end}` the number of the last; `{len}` the number of
/// elements; `{new}` a number that grows.
type Operation = &'static str;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// One command: `name k`, and for each number from `from` on the result of `element`.
fn fill(name: &str, from: usize, element: impl Fn(usize) -> String) -> Vec<Vec<String>> {
    let mut command = words(&format!("{name} k"));
    command.extend((from..from + IN_ONE).flat_map(|number| words(&element(number))));
    vec![command]
}

/// The score of a member: not in the order of insertion.
fn score(number: usize) -> usize {
    number.wrapping_mul(7919) % 1_000_003
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "keys",
        fill: |from| {
            let set =
                |number| words(&format!("SET key{number} value PXAT {}", 4_000_000_000_000 + score(number)));
            (from..from + IN_ONE).map(set).collect()
        },
        operations: &[
            "GET key{any}",
            "SET key{any} value{new}",
            "DEL key{any} ; SET key{any} value PXAT 4{new}",
            "PEXPIREAT key{any} 4{new}",
            "RENAME key{any} other ; RENAME other key{any}",
            "SCAN {any} COUNT 10",
            "RANDOMKEY",
            "DBSIZE",
        ],
    },
    Kind {
        name: "list",
        fill: |from| fill("RPUSH", from, |number| format!("element{number}")),
        operations: &[
            "RPUSH k element{new} ; LPOP k",
            "LPUSH k element{new} ; RPOP k",
            "LINDEX k {any}",
            "LSET k {any} element{new}",
            "LRANGE k {any} {any}",
            "LRANGE k -10 -1",
            "LMOVE k k LEFT RIGHT",
            "LPUSH k element{new} ; LREM k 1 element{new}",
            "RPUSH k element{new} ; LREM k -1 element{new}",
            "RPUSH k element{new} ; LTRIM k 1 -1",
            "LPUSH k element{new} ; LTRIM k 0 {end}",
            "LPUSH k 1 2 3 4 5 ; LPOP k 5",
            "LMPOP 1 k RIGHT COUNT 2 ; RPUSH k 1 2",
        ],
    },
    Kind {
        name: "set",
        fill: |from| fill("SADD", from, |number| format!("member{number}")),
        operations: &[
            "SREM k member{any} ; SADD k member{any}",
            "SADD k member{any}",
            "SISMEMBER k member{any}",
            "SCARD k",
            "SADD k more{new} ; SPOP k",
            "SRANDMEMBER k",
            "SRANDMEMBER k 5",
            "SSCAN k {any} COUNT 10",
            "SMOVE k j member{any} ; SMOVE j k member{any}",
        ],
    },
    Kind {
        name: "sorted set",
        fill: |from| fill("ZADD", from, |number| format!("{} member{number}", score(number))),
        operations: &[
            "ZREM k member{any} ; ZADD k {other} member{any}",
            "ZADD k {other} member{any}",
            "ZINCRBY k 100 member{any}",
            "ZSCORE k member{any}",
            "ZRANK k member{any}",
            "ZRANGE k {any} {any} WITHSCORES",
            "ZRANGE k {any} +inf BYSCORE LIMIT 0 10",
            "ZRANGE k +inf {any} BYSCORE REV LIMIT 10 10",
            "ZREVRANGE k 0 9",
            "ZCOUNT k {any} +inf",
            "ZPOPMIN k ; ZADD k {any} more{new}",
            "ZPOPMAX k ; ZADD k {any} more{new}",
            "ZREMRANGEBYRANK k {any} {any} ; ZADD k {any} more{new}",
            "ZRANDMEMBER k",
            "ZRANDMEMBER k 5 WITHSCORES",
            "ZSCAN k {any} COUNT 10",
        ],
    },
    Kind {
        name: "sorted set of one score",
        fill: |from| fill("ZADD", from, |number| format!("0 {:07}", number.wrapping_mul(7919) % 1_000_003)),
        operations: &[
            "ZLEXCOUNT k [00{any} +",
            "ZRANGEBYLEX k [00{any} + LIMIT 0 10",
            "ZREVRANGEBYLEX k + [00{any} LIMIT 10 10",
            "ZADD k 0 more{new} ; ZREMRANGEBYLEX k [more +",
        ],
    },
    Kind {
        name: "hash",
        fill: |from| fill("HSET", from, |number| format!("field{number} value{number}")),
        operations: &[
            "HDEL k field{any} ; HSET k field{any} value",
            "HSET k field{any} value{new}",
            "HGET k field{any}",
            "HEXISTS k field{any}",
            "HINCRBY k counter 1",
            "HRANDFIELD k",
            "HRANDFIELD k 5 WITHVALUES",
            "HSCAN k {any} COUNT 10",
        ],
    },
    Kind {
        name: "stream",
        fill: |from| {
            (from + 1..=from + IN_ONE).map(|id| words(&format!("XADD k {id} field value"))).collect()
        },
        operations: &[
            "XRANGE k {any} + COUNT 10",
            "XREVRANGE k {any} - COUNT 10",
            "XREAD COUNT 10 STREAMS k {any}",
            "XRANGE k - + COUNT 1",
            "XLEN k",
            "XADD k MAXLEN = {len} * field value",
            "XADD k MAXLEN ~ {len} * field value",
            "XADD k * field value ; XTRIM k MAXLEN {len}",
            "XADD k 9{new}-1 field value ; XDEL k 9{new}-1",
        ],
    },
];

/// An operation that is measured at several sizes.
struct Bench {
    driven: Driven,
    client: ClientKey,
    random: fastrand::Rng,
    size: usize,
    new: usize,
}

impl Bench {
    fn new(kind: &Kind, size: usize) -> Self {
        let mut driven = Driven::new();
        let client = driven.connect();
        for from in (0..size).step_by(IN_ONE) {
            let requests: Vec<u8> =
                (kind.fill)(from).iter().flat_map(|arguments| request(arguments)).collect();
            driven.feed(client, &requests);
            no_error(&driven, kind.name);
        }
        Self { driven, client, random: fastrand::Rng::with_seed(1), size, new: 10_000_000_000_000 }
    }

    /// The commands of an operation, once.
    fn requests(&mut self, operation: Operation) -> Vec<u8> {
        self.new += 1;
        let any = self.random.usize(..self.size).to_string();
        let other = self.random.usize(..self.size).to_string();
        let text = operation
            .replace("{any}", &any)
            .replace("{other}", &other)
            .replace("{new}", &self.new.to_string())
            .replace("{len}", &self.size.to_string())
            .replace("{end}", &(self.size - 1).to_string());
        text.split(" ; ").flat_map(|command| request(&words(command))).collect()
    }

    /// How many nanoseconds one command of an operation takes.
    #[allow(clippy::cast_precision_loss)]
    fn measure(&mut self, operation: Operation) -> f64 {
        let commands = operation.split(" ; ").count() * AT_ONCE;
        let mut times = [0.0; BATCHES];
        for time in &mut times {
            let batch: Vec<u8> = (0..AT_ONCE).flat_map(|_| self.requests(operation)).collect();
            let started = Instant::now();
            self.driven.feed(self.client, &batch);
            *time = started.elapsed().as_nanos() as f64 / commands as f64;
            no_error(&self.driven, operation);
        }
        times.sort_by(f64::total_cmp);
        times[BATCHES / 2]
    }
}

fn no_error(driven: &Driven, what: &str) {
    let answer = String::from_utf8_lossy(&driven.out);
    assert!(!answer.starts_with('-') && !answer.contains("\n-"), "{what}: {answer}");
}

fn columns(numbers: impl Iterator<Item = f64>) -> String {
    numbers.map(|number| format!("{number:>10.0}")).collect::<Vec<_>>().concat()
}

/// Measures what is selected; false if a cost grows by more than caches explain.
#[allow(clippy::cast_precision_loss)]
pub fn run(is_selected: impl Fn(&str) -> bool, smoke: bool) -> bool {
    let sizes: &[usize] = if smoke { &SMOKE_SIZES } else { &SIZES };
    let growth = sizes[sizes.len() - 1] as f64 / sizes[0] as f64;
    // Between the cost of cache misses and that of a linear operation.
    let limit = growth.powf(0.6);
    let mut is_flat = true;
    for kind in KINDS.iter().filter(|kind| is_selected(kind.name)) {
        let mut benches: Vec<Bench> = sizes.iter().map(|size| Bench::new(kind, *size)).collect();
        let header = columns(sizes.iter().map(|size| *size as f64));
        println!("\n{:<60}{header}    ns, growth", format!("engine alone: {}", kind.name));
        for operation in kind.operations {
            let mut times: Vec<f64> = benches.iter_mut().map(|bench| bench.measure(operation)).collect();
            let grown = |times: &[f64]| times[times.len() - 1] / times[0];
            if grown(&times) > limit {
                // It is measured again, as another process may have used the CPU.
                times = benches.iter_mut().map(|bench| bench.measure(operation)).collect();
            }
            let columns = columns(times.iter().copied());
            let verdict = if grown(&times) > limit { "  TOO MUCH" } else { "" };
            println!("{operation:<60}{columns}    {:>5.1}{verdict}", grown(&times));
            is_flat &= grown(&times) <= limit;
        }
    }
    is_flat
}
