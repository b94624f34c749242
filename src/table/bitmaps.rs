//! Bitmaps.

use crate::commands::bitmaps;
use crate::spec::{Categories, Command, Flags, Group, KeySpec, Run};

/// What the rows have in common.
const BITMAP: Command = Command { group: Group::Bitmap, categories: Categories::BITMAP, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "setbit",
        arity: 4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW access update")],
        since: "2.2.0",
        summary: "Sets or clears a bit of a string, creating it if need be.",
        complexity: "O(1)",
        syntax: "key:key offset:integer value:integer",
        run: Run::Command(bitmaps::setbit),
        ..BITMAP
    },
    Command {
        name: "getbit",
        arity: 3,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.2.0",
        summary: "Reads a bit of a string.",
        complexity: "O(1)",
        syntax: "key:key offset:integer",
        run: Run::Command(bitmaps::getbit),
        ..BITMAP
    },
    Command {
        name: "bitcount",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.6.0",
        summary: "Counts the bits of a string that are set.",
        complexity: "O(N)",
        syntax: "key:key [range{start:integer end:integer [unit(BYTE|BIT)^7.0.0]}]",
        run: Run::Command(bitmaps::bitcount),
        ..BITMAP
    },
    Command {
        name: "bitpos",
        arity: -3,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "2.8.7",
        summary: "Finds the first bit of a string that is set, or is not.",
        complexity: "O(N)",
        syntax: "key:key bit:integer [range{start:integer [end-unit-block{end:integer [unit(BYTE|BIT)^7.0.0]}]}]",
        run: Run::Command(bitmaps::bitpos),
        ..BITMAP
    },
    Command {
        name: "bitop",
        arity: -4,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(2, "OW update"), KeySpec::range(3, -1, 1, "RO access")],
        since: "2.6.0",
        summary: "Joins strings bit by bit and stores the result.",
        complexity: "O(N)",
        syntax: "operation(AND|OR|XOR|NOT|DIFF~8.2.0|DIFF1~8.2.0|ANDOR~8.2.0|ONE~8.2.0) destkey:key key:key#1...",
        run: Run::Command(bitmaps::bitop),
        ..BITMAP
    },
    Command {
        name: "bitfield",
        arity: -2,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW access update variable_flags").note("writes only with SET and INCRBY")],
        since: "3.2.0",
        summary: "Reads, writes and adds to integers of any width within a string.",
        complexity: "O(1)",
        syntax: "key:key [operation(GET get-block{encoding offset:integer}|write{[OVERFLOW overflow-block(WRAP|SAT|FAIL)] write-operation(SET set-block{encoding offset:integer value:integer}|INCRBY incrby-block{encoding offset:integer increment:integer})})...]",
        run: Run::Command(bitmaps::bitfield),
        ..BITMAP
    },
    Command {
        name: "bitfield_ro",
        arity: -2,
        flags: Flags::READONLY.or(Flags::FAST),
        keys: &[KeySpec::one(1, "RO access")],
        since: "6.0.0",
        summary: "Reads integers of any width within a string.",
        complexity: "O(1)",
        syntax: "key:key [GET get-block{encoding offset:integer}...+]",
        run: Run::Command(bitmaps::bitfield_ro),
        ..BITMAP
    },
];
