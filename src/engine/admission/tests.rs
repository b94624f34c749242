//! Which commands redis-server refuses in which state.

use super::*;
use crate::table::TABLE;

// The answers of Redis 8.0.6 when every command was sent to it in that state, each with as many arguments as it
// needs.

/// The commands that it answers while it loads a data set.
const LOADING_ANSWERS: &str = "\
    auth client|caching client|getname client|getredir client|help client|id client|info \
    client|list client|no-evict client|no-touch client|setinfo client|setname client|tracking \
    client|trackinginfo client|unblock command|count command|docs command|getkeys \
    command|getkeysandflags command|help command|info command|list config|get config|help \
    discard echo exec hello info lastsave latency|doctor latency|graph latency|help \
    latency|histogram latency|history latency|latest latency|reset memory|help multi object|help \
    psubscribe publish pubsub|channels pubsub|help pubsub|numpat pubsub|numsub \
    pubsub|shardchannels pubsub|shardnumsub punsubscribe readonly readwrite reset role select \
    slowlog|get slowlog|help slowlog|len slowlog|reset spublish ssubscribe subscribe \
    sunsubscribe time unsubscribe unwatch watch xgroup|help xinfo|help";

/// The commands that it answers while a script runs for too long. EXEC is refused with another code.
const BUSY_ANSWERS: &str = "\
    auth discard hello multi reset unwatch watch";

/// The commands that it answers for a client that has not given the password.
const NO_AUTH_ANSWERS: &str = "\
    auth hello reset";

/// The commands that a replica refuses.
const READ_ONLY_REFUSES: &str = "\
    append bitfield bitop blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin copy \
    decr decrby del expire expireat flushall flushdb geoadd georadius georadiusbymember \
    geosearchstore getdel getex getset hdel hexpire hexpireat hgetdel hgetex hincrby \
    hincrbyfloat hmset hpersist hpexpire hpexpireat hset hsetex hsetnx incr incrby incrbyfloat \
    linsert lmove lmpop lpop lpush lpushx lrem lset ltrim migrate move mset msetnx persist \
    pexpire pexpireat pfadd pfdebug pfmerge psetex rename renamenx restore rpop rpoplpush rpush \
    rpushx sadd sdiffstore set setbit setex setnx setrange sinterstore smove sort spop srem \
    sunionstore swapdb unlink xack xackdel xadd xautoclaim xclaim xdel xdelex xgroup|create \
    xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid xreadgroup xsetid xtrim \
    zadd zdiffstore zincrby zinterstore zmpop zpopmax zpopmin zrangestore zrem zremrangebylex \
    zremrangebyrank zremrangebyscore zunionstore";

/// The commands that it refuses when its memory is full.
const OUT_OF_MEMORY_REFUSES: &str = "\
    append bitfield bitop blmove brpoplpush copy decr decrby geoadd georadius georadiusbymember \
    geosearchstore getset hincrby hincrbyfloat hmset hset hsetex hsetnx incr incrby incrbyfloat \
    linsert lmove lpush lpushx lset mset msetnx pfadd pfdebug pfmerge psetex restore rpoplpush \
    rpush rpushx sadd sdiffstore set setbit setex setnx setrange sinterstore sort sunionstore \
    xadd xgroup|create xgroup|createconsumer xsetid zadd zdiffstore zincrby zinterstore \
    zrangestore zunionstore";

/// The commands that were not sent to it, because they would have changed the server or ended the connection.
const NOT_ASKED: &str = "\
    acl|cat acl|deluser acl|dryrun acl|genpass acl|getuser acl|help acl|list acl|load acl|log \
    acl|save acl|setuser acl|users acl|whoami client|kill client|pause client|reply \
    client|unpause config|resetstat config|rewrite config|set debug failover function|delete \
    function|dump function|flush function|help function|kill function|list function|load \
    function|restore function|stats monitor psync quit replconf replicaof restore-asking script|debug script|exists script|flush script|help \
    script|kill script|load shutdown slaveof sync wait waitaof";

/// The commands that are refused in a state, or those that are answered, among those that were sent to redis-server.
fn ours(state: SimulatedState, refused: bool) -> Vec<String> {
    let not_asked: Vec<&str> = NOT_ASKED.split(' ').collect();
    let asked = TABLE.all().iter().filter(|row| {
        let name = row.full_name();
        let family = name.split('|').next().unwrap_or_default();
        !row.is_container() && !not_asked.contains(&&*name) && !not_asked.contains(&family)
    });
    let mut names: Vec<String> = asked
        .filter(|row| refuses(state, row.flags, &[]) == refused)
        .map(|row| row.full_name().into_owned())
        .collect();
    names.sort_unstable();
    names
}

/// The names in one of these lists that minibroker implements.
fn theirs(names: &str) -> Vec<String> {
    let is_built = |name: &&str| TABLE.lookup_full(name.as_bytes()).is_some();
    names.split(' ').filter(is_built).map(str::to_owned).collect()
}

#[test]
fn each_state_refuses_what_redis_server_refuses() {
    let answered = [
        (SimulatedState::Loading, LOADING_ANSWERS),
        (SimulatedState::Busy, BUSY_ANSWERS),
        (SimulatedState::NoAuth, NO_AUTH_ANSWERS),
    ];
    for (state, names) in answered {
        assert_eq!(ours(state, false), theirs(names), "{state}");
    }
    let refused =
        [(SimulatedState::ReadOnly, READ_ONLY_REFUSES), (SimulatedState::OutOfMemory, OUT_OF_MEMORY_REFUSES)];
    for (state, names) in refused {
        assert_eq!(ours(state, true), theirs(names), "{state}");
    }
}
