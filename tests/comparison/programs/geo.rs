//! Places: close together, far apart, at the poles, at the date line, and scores that are not places.

use proptest::{prelude::*, sample::select};

use super::{Family, arguments::*, nothing};

/// A coordinate: mostly one of a few, so that places coincide, otherwise any.
fn coordinate(limit: f64) -> Piece {
    let text = prop_oneof![
        6 => (-4_i32..=4).prop_map(|number| f64::from(number) / 8.0),
        6 => (-9_i32..=9).prop_map(move |number| f64::from(number) / 9.0 * limit),
        3 => (-1.0..1.0).prop_map(move |part: f64| part * limit),
        2 => (0.9..1.0).prop_map(move |part: f64| part * limit),
        1 => (-4_i32..=4).prop_map(|number| f64::from(number) * 1e-7),
        1 => (0.9..1.1).prop_map(move |part: f64| -part * limit),
    ];
    either([text.prop_map(|number| vec![number.to_string().into_bytes()]).boxed()])
}

fn position() -> Piece {
    let usual = || all([coordinate(180.0), coordinate(85.051_128_78)]);
    either([usual(), usual(), usual(), usual(), usual(), usual(), usual(), all([double(), double()])])
}

fn unit() -> Piece {
    one_of(&["m", "km", "ft", "mi", "M", "KM", "km", "km", "km", "x"])
}

fn length() -> Piece {
    let lengths = prop_oneof![
        4 => (0_i32..=9).prop_map(f64::from),
        6 => (-3_i32..=8).prop_map(|power| 10_f64.powi(power)),
        4 => 0.0..30_000.0_f64,
        1 => select(&[f64::INFINITY, 20_037_726.37, 20_015.0, -1.0][..]),
    ];
    let usual = || lengths.clone().prop_map(|length| vec![length.to_string().into_bytes()]).boxed();
    either([usual(), usual(), usual(), usual(), usual(), usual(), usual(), double()])
}

fn member() -> Piece {
    let usual = || one_of(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"]);
    either([usual(), usual(), usual(), usual(), usual(), element()])
}

/// The options that follow a search, in any order.
fn options() -> Vec<Piece> {
    let one = || {
        either([
            one_of(&["WITHDIST", "withhash", "WITHCOORD"]),
            one_of(&["ASC", "DESC", "asc"]),
            option("COUNT", between(1..=6)),
            option("COUNT", between(1..=20)),
            all([words("COUNT"), between(1..=6), words("ANY")]),
            all([words("COUNT"), integer()]),
        ])
    };
    vec![times(0..4, one())]
}

fn from() -> Piece {
    let by_position = || all([words("FROMLONLAT"), position()]);
    either([by_position(), by_position(), option("FROMMEMBER", member())])
}

fn by() -> Piece {
    either([all([words("BYRADIUS"), length(), unit()]), all([words("BYBOX"), length(), length(), unit()])])
}

fn with_options(pieces: impl IntoIterator<Item = Piece>) -> Vec<Piece> {
    pieces.into_iter().chain(options()).collect()
}

pub fn family() -> Family {
    let store = || maybe(all([one_of(&["STORE", "STOREDIST"]), key()]));
    let many = || times(1..20, all([position(), member()]));
    Family {
        commands: commands([
            (8, call("GEOADD", [key(), many()])),
            (2, call("GEOADD", [key(), one_of(&["NX", "XX", "CH", "CH NX", "xx ch"]), many()])),
            (2, call("GEODIST", [key(), member(), member(), maybe(unit())])),
            (2, call("GEOPOS", [key(), times(0..5, member())])),
            (2, call("GEOHASH", [key(), times(0..5, member())])),
            (10, call("GEOSEARCH", with_options([key(), from(), by()]))),
            (
                3,
                call("GEOSEARCHSTORE", with_options([key(), key(), from(), by(), maybe(words("STOREDIST"))])),
            ),
            (3, call("GEORADIUS", with_options([key(), position(), length(), unit(), store()]))),
            (2, call("GEORADIUSBYMEMBER", with_options([key(), member(), length(), unit(), store()]))),
            (2, call("GEORADIUS_RO", with_options([key(), position(), length(), unit()]))),
            (1, call("GEORADIUSBYMEMBER_RO", with_options([key(), member(), length(), unit()]))),
            (1, call("ZADD", [key(), double(), member()])),
            (1, call("ZADD", [key(), between(0..=5_000_000_000_000_000), member()])),
            (1, call("ZREM", [key(), member()])),
            (1, call("DEL", [key()])),
            (1, call("SET", [key(), element()])),
        ]),
        questions: &[],
        known: nothing,
    }
}
