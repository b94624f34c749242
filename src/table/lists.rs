//! Lists.

use crate::commands::lists;
use crate::spec::{Categories, Command, Deprecated, Flags, Group, KeySpec, Run};

/// What the rows have in common.
const LIST: Command = Command { group: Group::List, categories: Categories::LIST, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "blmove",
        arity: 6,
        flags: Flags::WRITE
            .or(Flags::DENYOOM)
            .or(Flags::BLOCKING)
            .or(Flags::NOSCRIPT_IN_7_0)
            .or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
        since: "6.2.0",
        summary: "Moves an element from one list to another, waiting for it if need be.",
        complexity: "O(1)",
        syntax: "source:key destination:key#1 wherefrom(LEFT|RIGHT) whereto(LEFT|RIGHT) timeout:double",
        run: Run::Command(lists::blmove),
        ..LIST
    },
    Command {
        name: "blmpop",
        arity: -5,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::counted(2, "RW access delete")],
        since: "7.0.0",
        summary: "Takes elements from the first list that has any, waiting if none has.",
        complexity: "O(N+M)",
        syntax: "timeout:double numkeys:integer key:key... where(LEFT|RIGHT) [COUNT count:integer]",
        run: Run::Command(lists::blmpop),
        ..LIST
    },
    Command {
        name: "blpop",
        arity: -3,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::NOSCRIPT_IN_7_0).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::range(1, -2, 1, "RW access delete")],
        since: "2.0.0",
        summary: "Takes the first element of the first list that has one, waiting if none has.",
        complexity: "O(N)",
        syntax: "key:key... timeout:double",
        run: Run::Command(lists::blpop),
        ..LIST
    },
    Command {
        name: "brpop",
        arity: -3,
        flags: Flags::WRITE.or(Flags::BLOCKING).or(Flags::NOSCRIPT_IN_7_0).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::range(1, -2, 1, "RW access delete")],
        since: "2.0.0",
        summary: "Takes the last element of the first list that has one, waiting if none has.",
        complexity: "O(N)",
        syntax: "key:key... timeout:double",
        run: Run::Command(lists::brpop),
        ..LIST
    },
    Command {
        name: "brpoplpush",
        arity: 4,
        flags: Flags::WRITE
            .or(Flags::DENYOOM)
            .or(Flags::BLOCKING)
            .or(Flags::NOSCRIPT_IN_7_0)
            .or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
        since: "2.2.0",
        summary: "Moves the last element of a list to the front of another, waiting for it if need be.",
        complexity: "O(1)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "BLMOVE ... RIGHT LEFT" }),
        syntax: "source:key destination:key#1 timeout:double",
        run: Run::Command(lists::brpoplpush),
        ..LIST
    },
    Command {
        name: "lindex",
        arity: 3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Reads the element at a position.",
        complexity: "O(N)",
        syntax: "key:key index:integer",
        run: Run::Command(lists::lindex),
        ..LIST
    },
    Command {
        name: "linsert",
        arity: 5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "2.2.0",
        summary: "Puts an element before or after another.",
        complexity: "O(N)",
        syntax: "key:key where(BEFORE|AFTER) pivot element",
        run: Run::Command(lists::linsert),
        ..LIST
    },
    Command {
        name: "llen",
        arity: 2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO")],
        since: "1.0.0",
        summary: "Returns how many elements a list has.",
        complexity: "O(1)",
        syntax: "key:key",
        run: Run::Command(lists::llen),
        ..LIST
    },
    Command {
        name: "lmove",
        arity: 5,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
        since: "6.2.0",
        summary: "Moves an element from one list to another.",
        complexity: "O(1)",
        syntax: "source:key destination:key#1 wherefrom(LEFT|RIGHT) whereto(LEFT|RIGHT)",
        run: Run::Command(lists::lmove),
        ..LIST
    },
    Command {
        name: "lmpop",
        arity: -4,
        flags: Flags::WRITE.or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::counted(1, "RW access delete")],
        since: "7.0.0",
        summary: "Takes elements from the first list that has any.",
        complexity: "O(N+M)",
        syntax: "numkeys:integer key:key... where(LEFT|RIGHT) [COUNT count:integer]",
        run: Run::Command(lists::lmpop),
        ..LIST
    },
    Command {
        name: "lpop",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete")],
        since: "1.0.0",
        summary: "Takes elements from the front.",
        complexity: "O(N)",
        syntax: "key:key [count:integer^6.2.0]",
        run: Run::Command(lists::lpop),
        ..LIST
    },
    Command {
        name: "lpos",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "6.0.6",
        summary: "Finds the positions of an element.",
        complexity: "O(N)",
        syntax: "key:key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
        run: Run::Command(lists::lpos),
        ..LIST
    },
    Command {
        name: "lpush",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "1.0.0",
        summary: "Adds elements at the front, creating the list if need be.",
        complexity: "O(N)",
        syntax: "key:key element...",
        run: Run::Command(lists::lpush),
        ..LIST
    },
    Command {
        name: "lpushx",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "2.2.0",
        summary: "Adds elements at the front of a list that exists.",
        complexity: "O(N)",
        syntax: "key:key element...",
        run: Run::Command(lists::lpushx),
        ..LIST
    },
    Command {
        name: "lrange",
        arity: 4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "1.0.0",
        summary: "Reads the elements between two positions.",
        complexity: "O(S+N)",
        syntax: "key:key start:integer stop:integer",
        run: Run::Command(lists::lrange),
        ..LIST
    },
    Command {
        name: "lrem",
        arity: 4,
        flags: Flags::WRITE.or(Flags::EVENTS_FIRST_SINCE_7_2),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "1.0.0",
        summary: "Removes elements equal to a value.",
        complexity: "O(N+M)",
        syntax: "key:key count:integer element",
        run: Run::Command(lists::lrem),
        ..LIST
    },
    Command {
        name: "lset",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW update")],
        since: "1.0.0",
        summary: "Replaces the element at a position.",
        complexity: "O(N)",
        syntax: "key:key index:integer element",
        run: Run::Command(lists::lset),
        ..LIST
    },
    Command {
        name: "ltrim",
        arity: 4,
        flags: Flags::WRITE.or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW delete")],
        since: "1.0.0",
        summary: "Keeps only the elements between two positions.",
        complexity: "O(N)",
        syntax: "key:key start:integer stop:integer",
        run: Run::Command(lists::ltrim),
        ..LIST
    },
    Command {
        name: "rpop",
        arity: -2,
        flags: Flags::WRITE.or(Flags::FAST).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete")],
        since: "1.0.0",
        summary: "Takes elements from the end.",
        complexity: "O(N)",
        syntax: "key:key [count:integer^6.2.0]",
        run: Run::Command(lists::rpop),
        ..LIST
    },
    Command {
        name: "rpoplpush",
        arity: 3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::EVENTS_FIRST),
        keys: &[KeySpec::one(1, "RW access delete"), KeySpec::one(2, "RW insert")],
        since: "1.2.0",
        summary: "Moves the last element of a list to the front of another.",
        complexity: "O(1)",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "LMOVE ... RIGHT LEFT" }),
        syntax: "source:key destination:key#1",
        run: Run::Command(lists::rpoplpush),
        ..LIST
    },
    Command {
        name: "rpush",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "1.0.0",
        summary: "Adds elements at the end, creating the list if need be.",
        complexity: "O(N)",
        syntax: "key:key element...",
        run: Run::Command(lists::rpush),
        ..LIST
    },
    Command {
        name: "rpushx",
        arity: -3,
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST),
        keys: &[KeySpec::one(1, "RW insert")],
        since: "2.2.0",
        summary: "Adds elements at the end of a list that exists.",
        complexity: "O(N)",
        syntax: "key:key element...",
        run: Run::Command(lists::rpushx),
        ..LIST
    },
];
