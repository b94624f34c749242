//! Positions on the earth, kept in sorted sets.

use super::sorted_sets::{AddOptions, add_scored};
use crate::config::{Class, Version};
use crate::data::geo;
use crate::data::geo::{Found, Position, Shape};
use crate::data::partial_sort::partial_sort;
use crate::data::sorted_set::Limits;
use crate::data::{SortedSet, Typed, present};
use crate::resp::{Args, Reply, up_to_nul};
use crate::spec::numbers::{self, is_option};
use crate::spec::{Context, Error, Outcome};

/// A longitude and a latitude.
fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, Error> {
    let (longitude, latitude) = (numbers::float(longitude)?, numbers::float(latitude)?);
    let error = || format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
    Position::new(longitude, latitude).ok_or_else(|| Error::new(error()))
}

/// The metres of a unit.
fn unit(name: &[u8]) -> Result<f64, Error> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let unit = UNITS.into_iter().find(|(known, _)| is_option(name, known));
    unit.map(|(_, metres)| metres)
        .ok_or(Error::new("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]`
///
/// # Errors
///
/// Options that do not fit together, a position that is not on the map, or the key holds another type.
pub fn geoadd(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let key = &args[1];
    let mut options = AddOptions::default();
    let mut first = 2;
    while let Some(option) = args.get(first) {
        let known = [
            ("NX", &mut options.only_new),
            ("XX", &mut options.only_existing),
            ("CH", &mut options.count_changed),
        ];
        let Some((_, flag)) = known.into_iter().find(|(name, _)| is_option(option, name)) else { break };
        *flag = true;
        first += 1;
    }
    let given = args.from(first);
    if given.is_empty() || !given.len().is_multiple_of(3) || options.only_new && options.only_existing {
        return Err(Error::SYNTAX);
    }
    let triples = (0..given.len()).step_by(3);
    let scored = triples.map(|at| Ok((position(&given[at], &given[at + 1])?.score(), &given[at + 2])));
    let scored: Vec<(f64, &[u8])> = scored.collect::<Result<_, Error>>()?;
    let added = add_scored(ctx.state, key, options, scored.into_iter().map(Ok))?;
    ctx.reply.count(added.counted);
    Ok(())
}

/// `GEOPOS key [member ...]`
///
/// # Errors
///
/// The key holds another type.
pub fn geopos(ctx: &mut Context<'_>) -> Outcome {
    let version = ctx.state.config.compat;
    let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
    let members = ctx.args.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => write_position(&mut ctx.reply, Position::of_score(score), version),
            None => ctx.reply.null_array(),
        }
    }
    Ok(())
}

fn write_position(reply: &mut Reply<'_>, position: Position, version: Version) {
    reply.array(2);
    for number in [position.longitude, position.latitude] {
        if version < Version::Redis7_4 {
            // 17 digits after the point; later versions write it like any other double.
            let text = format!("{number:.17}");
            reply.printed_double(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
        } else {
            reply.double(number);
        }
    }
}

/// `GEOHASH key [member ...]`
///
/// # Errors
///
/// The key holds another type.
pub fn geohash(ctx: &mut Context<'_>) -> Outcome {
    let set: Option<&SortedSet> = ctx.state.get(&ctx.args[1])?;
    let members = ctx.args.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.bulk(&Position::of_score(score).geohash()),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// `GEODIST key member1 member2 [M | KM | FT | MI]`
///
/// # Errors
///
/// The unit is invalid, or the key holds another type.
pub fn geodist(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    if args.len() > 5 {
        return Err(Error::SYNTAX);
    }
    let metres = args.get(4).map_or(Ok(1.0), unit)?;
    let set: Option<&SortedSet> = ctx.state.get(&args[1])?;
    let position = |member: &[u8]| set?.score(member).map(Position::of_score);
    match (position(&args[2]), position(&args[3])) {
        (Some(one), Some(other)) => write_distance(&mut ctx.reply, one.distance(other) / metres),
        _ => ctx.reply.null(),
    }
    Ok(())
}

/// A distance with four decimals, as a text in RESP3 too.
fn write_distance(reply: &mut Reply<'_>, distance: f64) {
    const UNITS: u64 = 10_000;
    let scaled = geo::to_i64((distance * 1e4).round_ties_even());
    let (sign, scaled) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    let text = format!("{sign}{}.{:04}", scaled / UNITS, scaled % UNITS);
    reply.bulk(text.as_bytes());
}

/// The commands that search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS.
    Around,
    /// GEORADIUSBYMEMBER.
    AroundMember,
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchAndStore,
}

/// `GEORADIUS key longitude latitude radius M|KM|FT|MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC|DESC] [STORE key | STOREDIST key]`
///
/// # Errors
///
/// As all commands that search: the key holds another type, a position that is not on the map, invalid numbers or
/// units, options that do not fit together.
pub fn georadius(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Around, true)
}

/// `GEORADIUS_RO key longitude latitude radius M|KM|FT|MI [...]`: as [`georadius`], but stores nothing.
///
/// # Errors
///
/// As [`georadius`].
pub fn georadius_ro(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Around, false)
}

/// `GEORADIUSBYMEMBER key member radius M|KM|FT|MI [...]`: as [`georadius`].
///
/// # Errors
///
/// As [`georadius`], and if there is no such member.
pub fn georadiusbymember(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::AroundMember, true)
}

/// `GEORADIUSBYMEMBER_RO key member radius M|KM|FT|MI [...]`: as [`georadiusbymember`], but stores nothing.
///
/// # Errors
///
/// As [`georadiusbymember`].
pub fn georadiusbymember_ro(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::AroundMember, false)
}

/// `GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius M|KM|FT|MI | BYBOX width height
/// M|KM|FT|MI [ASC|DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`
///
/// # Errors
///
/// As [`georadiusbymember`].
pub fn geosearch(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Search, false)
}

/// `GEOSEARCHSTORE destination source [...] [STOREDIST]`: as [`geosearch`].
///
/// # Errors
///
/// As [`geosearch`].
pub fn geosearchstore(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::SearchAndStore, false)
}

/// The arguments of a command that searches.
#[allow(clippy::struct_excessive_bools)]
struct Query<'a> {
    /// `None` only if the key does not exist.
    middle: Option<Position>,
    shape: Shape,
    /// The metres of the unit in which distances are given.
    metres: f64,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    /// True if the nearest come first; not sorted if `None`.
    ascending: Option<bool>,
    count: Option<usize>,
    /// The first `count` members that are found are enough, not the nearest.
    any: bool,
    /// The key for the result.
    destination: Option<&'a [u8]>,
    /// The distances are stored instead of the positions.
    stores_distance: bool,
}

impl<'a> Query<'a> {
    /// Reads the arguments; members that are named are looked up in the set immediately.
    fn parse(args: Args<'a>, set: Option<&SortedSet>, form: Form, may_store: bool) -> Result<Self, Error> {
        let mut query = Self {
            middle: None,
            shape: Shape::Circle(0.0),
            metres: 1.0,
            with_distance: false,
            with_hash: false,
            with_position: false,
            ascending: None,
            count: None,
            any: false,
            destination: None,
            stores_distance: false,
        };
        let searches = matches!(form, Form::Search | Form::SearchAndStore);
        let mut at = match form {
            Form::Around => {
                query.middle = Some(position(&args[2], &args[3])?);
                query.read_circle(args.range(4, 6))?;
                6
            }
            Form::AroundMember => {
                if let Some(set) = set {
                    query.middle = Some(position_of_member(set, &args[2])?);
                    query.read_circle(args.range(3, 5))?;
                }
                5
            }
            Form::Search => 2,
            Form::SearchAndStore => {
                query.destination = args.get(1);
                3
            }
        };
        let (mut from_member, mut from_position, mut by_radius, mut by_box) = (false, false, false, false);
        while let Some(option) = args.get(at) {
            let is = |name: &str| is_option(option, name);
            let left = args.len() - at - 1;
            at += 1;
            if is("WITHDIST") {
                query.with_distance = true;
            } else if is("WITHHASH") {
                query.with_hash = true;
            } else if is("WITHCOORD") {
                query.with_position = true;
            } else if is("ANY") {
                query.any = true;
            } else if is("ASC") || is("DESC") {
                query.ascending = Some(is("ASC"));
            } else if is("COUNT") && left >= 1 {
                let count = numbers::integer(&args[at])?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
                query.count = Some(count.ok_or(Error::new("ERR COUNT must be > 0"))?);
                at += 1;
            } else if may_store && (is("STORE") || is("STOREDIST")) && left >= 1 {
                query.destination = args.get(at);
                query.stores_distance = is("STOREDIST");
                at += 1;
            } else if searches && is("FROMMEMBER") && left >= 1 && !from_position {
                query.middle = set.map(|set| position_of_member(set, &args[at])).transpose()?;
                from_member = true;
                at += 1;
            } else if searches && is("FROMLONLAT") && left >= 2 && !from_member {
                query.middle = Some(position(&args[at], &args[at + 1])?);
                from_position = true;
                at += 2;
            } else if searches && is("BYRADIUS") && left >= 2 && !by_box {
                query.read_circle(args.range(at, at + 2))?;
                by_radius = true;
                at += 2;
            } else if searches && is("BYBOX") && left >= 3 && !by_radius {
                query.read_box(args.range(at, at + 3))?;
                by_box = true;
                at += 3;
            } else if form == Form::SearchAndStore && is("STOREDIST") {
                query.stores_distance = true;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        query.check_destination(searches)?;
        let one_of = |words: &str| {
            let before = format!("ERR exactly one of {words} can be specified for ");
            Err(Error::quoting(&before, up_to_nul(&args[0]), ""))
        };
        if searches && !from_member && !from_position {
            return one_of("FROMMEMBER or FROMLONLAT");
        }
        if searches && !by_radius && !by_box {
            return one_of("BYRADIUS and BYBOX");
        }
        if query.any && query.count.is_none() {
            return Err(Error::new("ERR the ANY argument requires COUNT argument"));
        }
        // COUNT without ANY means the nearest members.
        if query.count.is_some() && !query.any {
            query.ascending = query.ascending.or(Some(true));
        }
        Ok(query)
    }

    /// An error if results are to be stored and distances, hashes or coordinates are asked for as well.
    fn check_destination(&self, searches: bool) -> Outcome {
        if self.destination.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let what = if searches { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            let text = format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
            return Err(Error::new(text));
        }
        Ok(())
    }

    /// A radius and its unit.
    fn read_circle(&mut self, args: Args<'_>) -> Outcome {
        let radius = numbers::float(&args[0]).map_err(|_| Error::new("ERR need numeric radius"))?;
        if radius < 0.0 {
            return Err(Error::new("ERR radius cannot be negative"));
        }
        self.metres = unit(&args[1])?;
        self.shape = Shape::Circle(radius * self.metres);
        Ok(())
    }

    /// A width, a height and their unit.
    fn read_box(&mut self, args: Args<'_>) -> Outcome {
        let width = numbers::float(&args[0]).map_err(|_| Error::new("ERR need numeric width"))?;
        let height = numbers::float(&args[1]).map_err(|_| Error::new("ERR need numeric height"))?;
        if width < 0.0 || height < 0.0 {
            return Err(Error::new("ERR height or width cannot be negative"));
        }
        self.metres = unit(&args[2])?;
        self.shape = Shape::Box { width: width * self.metres, height: height * self.metres };
        Ok(())
    }

    /// The members that match, in the requested order.
    fn find<'s>(&self, set: &'s SortedSet) -> Vec<Found<'s>> {
        let Some(middle) = present(self.middle) else { return Vec::new() };
        let mut found = geo::search(set, middle, self.shape, self.count.filter(|_| self.any));
        let wanted = self.count.map_or(found.len(), |count| count.min(found.len()));
        if let Some(ascending) = self.ascending {
            let compare = |one: &Found<'_>, other: &Found<'_>| {
                // A total order of all doubles: sorting may panic if a NaN distance compares equal to all others.
                let order = one.distance.total_cmp(&other.distance);
                if ascending { order } else { order.reverse() }
            };
            if wanted == found.len() {
                found.sort_by(compare);
            } else {
                partial_sort(&mut found, wanted, compare);
            }
        }
        found.truncate(wanted);
        found
    }
}

fn position_of_member(set: &SortedSet, member: &[u8]) -> Result<Position, Error> {
    let score = set.score(member);
    score.map(Position::of_score).ok_or(Error::new("ERR could not decode requested zset member"))
}

fn search(ctx: &mut Context<'_>, form: Form, may_store: bool) -> Outcome {
    let args = ctx.args;
    let source = if form == Form::SearchAndStore { &args[2] } else { &args[1] };
    let limits = Limits::from(&ctx.state.config);
    let version = ctx.state.config.compat;
    let set: Option<&SortedSet> = ctx.state.get(source)?;
    let query = Query::parse(args, set, form, may_store)?;
    let found = set.map(|set| query.find(set)).unwrap_or_default();
    let Some(destination) = query.destination else {
        write_found(&mut ctx.reply, &query, &found, version);
        return Ok(());
    };
    let mut result = SortedSet::default();
    for found in &found {
        let score = if query.stores_distance { found.distance / query.metres } else { found.score };
        result.insert(found.member, score, limits);
    }
    let len = result.len();
    let event = if form == Form::SearchAndStore { "geosearchstore" } else { "georadiusstore" };
    ctx.state.put_result(destination, result.into_value(), len, Class::SORTED_SET, event);
    ctx.reply.count(len);
    Ok(())
}

fn write_found(reply: &mut Reply<'_>, query: &Query<'_>, found: &[Found<'_>], version: Version) {
    let parts = [query.with_distance, query.with_hash, query.with_position];
    let parts = parts.into_iter().filter(|part| *part).count();
    reply.array(found.len());
    for found in found {
        if parts > 0 {
            reply.array(1 + parts);
        }
        reply.bulk(found.member);
        if query.with_distance {
            write_distance(reply, found.distance / query.metres);
        }
        if query.with_hash {
            reply.integer(geo::to_i64(found.score));
        }
        if query.with_position {
            write_position(reply, found.position, version);
        }
    }
}
