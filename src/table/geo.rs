//! Positions on the earth.

use crate::commands::geo;
use crate::spec::{Categories, Command, Deprecated, Flags, Group, KeySpec, Run};

/// What the rows have in common.
const GEO: Command = Command { group: Group::Geo, categories: Categories::GEO, ..Command::EMPTY };

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "geoadd",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "RW update")],
        since: "3.2.0",
        summary: "Adds places, or moves them.",
        complexity: "O(log(N)) for each place",
        syntax: "key:key [condition(NX|XX)^6.2.0] [change:CH^6.2.0] data{longitude:double latitude:double member}...",
        run: Run::Command(geo::geoadd),
        ..GEO
    },
    Command {
        name: "geodist",
        arity: -4,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "3.2.0",
        summary: "Returns the distance between two members.",
        complexity: "O(1)",
        syntax: "key:key member1 member2 [unit(M|KM|FT|MI)]",
        run: Run::Command(geo::geodist),
        ..GEO
    },
    Command {
        name: "geohash",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "3.2.0",
        summary: "Returns the geohashes of members.",
        complexity: "O(1) for each place",
        syntax: "key:key [member...]",
        run: Run::Command(geo::geohash),
        ..GEO
    },
    Command {
        name: "geopos",
        arity: -2,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "3.2.0",
        summary: "Returns the positions of members.",
        complexity: "O(1) for each place",
        syntax: "key:key [member...]",
        run: Run::Command(geo::geopos),
        ..GEO
    },
    Command {
        name: "geosearch",
        arity: -7,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "6.2.0",
        summary: "Finds the places within a circle or a box.",
        complexity: "O(N+log(M)), N being the members in the cells that are looked at and M what is found",
        syntax: "key:key from(FROMMEMBER member|FROMLONLAT fromlonlat{longitude:double latitude:double}) by(circle{BYRADIUS radius:double unit(M|KM|FT|MI)}|box{BYBOX width:double height:double unit(M|KM|FT|MI)}) [order(ASC|DESC)] [count-block{COUNT count:integer [ANY]}] [WITHCOORD] [WITHDIST] [WITHHASH]",
        run: Run::Command(geo::geosearch),
        ..GEO
    },
    Command {
        name: "geosearchstore",
        arity: -8,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[KeySpec::one(1, "OW update"), KeySpec::one(2, "RO access")],
        since: "6.2.0",
        summary: "Stores the places within a circle or a box.",
        complexity: "O(N+log(M)), N being the members in the cells that are looked at and M what is found",
        syntax: "destination:key source:key#1 from(FROMMEMBER member|FROMLONLAT fromlonlat{longitude:double latitude:double}) by(circle{BYRADIUS radius:double unit(M|KM|FT|MI)}|box{BYBOX width:double height:double unit(M|KM|FT|MI)}) [order(ASC|DESC)] [count-block{COUNT count:integer [ANY]}] [STOREDIST]",
        run: Run::Command(geo::geosearchstore),
        ..GEO
    },
    Command {
        name: "georadius",
        arity: -6,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[
            KeySpec::one(1, "RO access"),
            KeySpec::after("STORE", 6, "OW update"),
            KeySpec::after("STOREDIST", 6, "OW update"),
        ],
        since: "3.2.0",
        summary: "Finds or stores the places within a circle.",
        complexity: "O(N+log(M)), N being the members in the cells that are looked at and M what is found",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "GEOSEARCH or GEOSEARCHSTORE with BYRADIUS" }),
        syntax: "key:key longitude:double latitude:double radius:double unit(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count-block{COUNT count:integer [ANY^6.2.0]}] [order(ASC|DESC)] [store(STORE storekey\"key\":key#1|STOREDIST storedistkey\"key\":key#2)]",
        run: Run::Command(geo::georadius),
        ..GEO
    },
    Command {
        name: "georadiusbymember",
        arity: -5,
        flags: Flags::WRITE.or(Flags::DENYOOM),
        keys: &[
            KeySpec::one(1, "RO access"),
            KeySpec::after("STORE", 5, "OW update"),
            KeySpec::after("STOREDIST", 5, "OW update"),
        ],
        since: "3.2.0",
        summary: "Finds or stores the places within a circle around one of them.",
        complexity: "O(N+log(M)), N being the members in the cells that are looked at and M what is found",
        deprecated: Some(Deprecated {
            since: "6.2.0",
            instead: "GEOSEARCH or GEOSEARCHSTORE with BYRADIUS and FROMMEMBER",
        }),
        syntax: "key:key member radius:double unit(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count-block{COUNT count:integer [ANY]}] [order(ASC|DESC)] [store(STORE storekey\"key\":key#1|STOREDIST storedistkey\"key\":key#2)]",
        run: Run::Command(geo::georadiusbymember),
        ..GEO
    },
    Command {
        name: "georadius_ro",
        arity: -6,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "3.2.10",
        summary: "Finds the places within a circle.",
        complexity: "O(N+log(M)), N being the members in the cells that are looked at and M what is found",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "GEOSEARCH with BYRADIUS" }),
        syntax: "key:key longitude:double latitude:double radius:double unit(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count-block{COUNT count:integer [ANY^6.2.0]}] [order(ASC|DESC)]",
        run: Run::Command(geo::georadius_ro),
        ..GEO
    },
    Command {
        name: "georadiusbymember_ro",
        arity: -5,
        flags: Flags::READONLY,
        keys: &[KeySpec::one(1, "RO access")],
        since: "3.2.10",
        summary: "Finds the places within a circle around one of them.",
        complexity: "O(N+log(M)), N being the members in the cells that are looked at and M what is found",
        deprecated: Some(Deprecated { since: "6.2.0", instead: "GEOSEARCH with BYRADIUS and FROMMEMBER" }),
        syntax: "key:key member radius:double unit(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count-block{COUNT count:integer [ANY]}] [order(ASC|DESC)]",
        run: Run::Command(geo::georadiusbymember_ro),
        ..GEO
    },
];
