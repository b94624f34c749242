//! Positions on the earth, kept as scores of a sorted set: the geohash arithmetic of redis-server, bit by bit.
//!
//! A score has 52 bits, alternately of longitude and latitude. A search looks at the cell of the grid that
//! contains the center and at the eight around it; their order is the order of an unsorted reply.

use std::ops::Bound;

use crate::data::SortedSet;
use crate::data::sorted_set::ScoreRange;

/// The earth's radius in metres, as redis-server has it.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// Half the width of the map, in metres.
const MERCATOR_MAX: f64 = 20_037_726.37;
/// The steps of refinement in a score: bits of each coordinate.
const STEPS: u32 = 26;
/// The bits of latitude.
const EVEN: u64 = 0x5555_5555_5555_5555;
/// The bits of longitude.
const ODD: u64 = !EVEN;
/// 2^63, the first integer that `i64` cannot hold.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// The range of a coordinate, from the lowest to the highest value.
#[derive(Clone, Copy, Debug)]
struct Extent {
    min: f64,
    max: f64,
}

/// Of longitudes.
const LONGITUDES: Extent = Extent { min: -180.0, max: 180.0 };
/// Of the latitudes on the map.
const LATITUDES: Extent = Extent { min: -85.051_128_78, max: 85.051_128_78 };
/// Of the latitudes in a standard geohash.
const ALL_LATITUDES: Extent = Extent { min: -90.0, max: 90.0 };

impl Extent {
    fn contains(self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// The index of the part that contains a value, of `parts` equal parts; for the greatest value it is `parts`.
    fn part(self, value: f64, parts: f64) -> u32 {
        // The part is at least 0 and at most `parts`.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let part = ((value - self.min) / (self.max - self.min) * parts) as u32;
        part
    }

    /// The range of values in a part.
    fn part_extent(self, part: u32, parts: f64) -> Self {
        let at = |part: u32| self.min + f64::from(part) / parts * (self.max - self.min);
        Self { min: at(part), max: at(part.wrapping_add(1)) }
    }

    fn middle(self) -> f64 {
        f64::midpoint(self.min, self.max)
    }
}

/// A position, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Position {
    /// The position; `None` if it is outside of the map.
    #[must_use]
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let is_on = LONGITUDES.contains(longitude) && LATITUDES.contains(latitude);
        is_on.then_some(Self { longitude, latitude })
    }

    /// The score of the position in a sorted set.
    #[must_use]
    pub fn score(self) -> f64 {
        // The bits are at most 53, which a double holds.
        #[allow(clippy::cast_precision_loss)]
        let score = Cell::of(self, LATITUDES, STEPS).bits as f64;
        score
    }

    /// The position of a score; every score has one.
    #[must_use]
    pub fn of_score(score: f64) -> Self {
        let area = Cell { bits: to_u64(score), steps: STEPS }.area();
        Self {
            longitude: area.longitude.middle().clamp(LONGITUDES.min, LONGITUDES.max),
            latitude: area.latitude.middle().clamp(LATITUDES.min, LATITUDES.max),
        }
    }

    /// The standard geohash: eleven characters, the last of which is always `0`, as redis-server has fewer bits.
    #[must_use]
    pub fn geohash(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, ALL_LATITUDES, STEPS).bits;
        std::array::from_fn(|at| {
            // The next five bits, shifted to the low end.
            let [low, ..] = 47_usize.checked_sub(at * 5).map_or(0, |shift| bits >> shift).to_le_bytes();
            ALPHABET[usize::from(low & 31)]
        })
    }

    /// The distance in metres along a great circle.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        let (latitude, other_latitude) = (radians(self.latitude), radians(other.latitude));
        let v = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if v == 0.0 {
            return self.distance_of_latitudes(other);
        }
        let u = ((other_latitude - latitude) / 2.0).sin();
        let a = u * u + latitude.cos() * other_latitude.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }

    /// The distance in metres if both were at the same longitude.
    fn distance_of_latitudes(self, other: Self) -> f64 {
        EARTH_RADIUS * (radians(other.latitude) - radians(self.latitude)).abs()
    }
}

/// Not `to_radians`, whose last bit is not guaranteed.
fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

/// A double as an integer, the smallest one if it does not fit, as on the processors on which redis-server mostly
/// runs.
#[must_use]
pub fn to_i64(value: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation)]
    let integer = value as i64;
    if (-TWO_TO_63..TWO_TO_63).contains(&value) { integer } else { i64::MIN }
}

fn to_u64(value: f64) -> u64 {
    if value < TWO_TO_63 {
        to_i64(value).cast_unsigned()
    } else {
        to_i64(value - TWO_TO_63).cast_unsigned() ^ (1 << 63)
    }
}

/// A cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// Longitude and latitude alternately, from the highest bits down.
    bits: u64,
    /// How many bits there are of each.
    steps: u32,
}

/// What a cell covers.
#[derive(Clone, Copy, Debug)]
struct Area {
    longitude: Extent,
    latitude: Extent,
}

impl Cell {
    /// The cell of a position, if the grid covers these latitudes.
    fn of(position: Position, latitudes: Extent, steps: u32) -> Self {
        let parts = parts(steps);
        let latitude = latitudes.part(position.latitude, parts);
        let longitude = LONGITUDES.part(position.longitude, parts);
        Self { bits: spread(latitude) | spread(longitude) << 1, steps }
    }

    fn area(self) -> Area {
        let parts = parts(self.steps);
        Area {
            longitude: LONGITUDES.part_extent(gather(self.bits >> 1), parts),
            latitude: LATITUDES.part_extent(gather(self.bits), parts),
        }
    }

    /// The cell `east` and `north` steps away, wrapping around in both directions.
    fn step(self, east: i8, north: i8) -> Self {
        let all = u64::MAX >> (64 - self.steps * 2);
        // If the bits of the other coordinate are all ones, a carry passes through them.
        let moved = |own: u64, other: u64, by: i8| match by {
            0 => self.bits & own,
            1.. => (self.bits & own).wrapping_add((other & all) + 1) & own & all,
            _ => (self.bits & own | other & all).wrapping_sub((other & all) + 1) & own & all,
        };
        Self { bits: moved(ODD, EVEN, east) | moved(EVEN, ODD, north), steps: self.steps }
    }

    /// The scores of the positions in the cell.
    fn scores(self) -> ScoreRange {
        let shift = 2 * (STEPS - self.steps);
        // The bits are at most 53, which a double holds.
        #[allow(clippy::cast_precision_loss)]
        let score = |bits: u64| (bits << shift) as f64;
        ScoreRange { min: Bound::Included(score(self.bits)), max: Bound::Excluded(score(self.bits + 1)) }
    }
}

/// How many parts of the map there are in each direction.
fn parts(steps: u32) -> f64 {
    f64::from(1u32 << steps)
}

/// Puts a zero in front of each bit.
fn spread(bits: u32) -> u64 {
    const MASKS: [(u32, u64); 5] = [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, EVEN),
    ];
    MASKS.into_iter().fold(u64::from(bits), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// Every second bit, from the lowest on.
fn gather(bits: u64) -> u32 {
    const MASKS: [(u32, u64); 5] = [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ];
    let gathered = MASKS.into_iter().fold(bits & EVEN, |bits, (shift, mask)| (bits | bits >> shift) & mask);
    // The mask of the last step.
    #[allow(clippy::cast_possible_truncation)]
    let gathered = gathered as u32;
    gathered
}

/// The area that a search covers around its center, in metres.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// All positions within this distance.
    Circle(f64),
    /// A box of a width and a height.
    #[allow(missing_docs)]
    Box { width: f64, height: f64 },
}

impl Shape {
    /// Half the extent from west to east, and from south to north.
    fn half(self) -> (f64, f64) {
        match self {
            Self::Circle(radius) => (radius, radius),
            Self::Box { width, height } => (width / 2.0, height / 2.0),
        }
    }

    /// From the center to the farthest point.
    fn radius(self) -> f64 {
        match self {
            Self::Circle(radius) => radius,
            Self::Box { width, height } => {
                (width / 2.0 * (width / 2.0) + height / 2.0 * (height / 2.0)).sqrt()
            }
        }
    }

    /// The distance of a position from the center, if the shape covers it.
    fn distance(self, middle: Position, position: Position) -> Option<f64> {
        match self {
            Self::Circle(radius) => {
                let distance = middle.distance(position);
                // A NaN distance, between opposite points, counts as inside.
                let outside = distance > radius;
                (!outside).then_some(distance)
            }
            Self::Box { width, height } => {
                let beside = Position { longitude: middle.longitude, ..position };
                let outside = position.distance_of_latitudes(middle) > height / 2.0
                    || position.distance(beside) > width / 2.0;
                (!outside).then(|| middle.distance(position))
            }
        }
    }
}

/// A member that a search has found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The member.
    pub member: &'a [u8],
    /// Its score.
    pub score: f64,
    /// Where it is.
    pub position: Position,
    /// The distance from the center, in metres.
    pub distance: f64,
}

/// The members of a sorted set that are within a shape around a position, in the order of the cells; no more than
/// `limit`, if there is one.
#[must_use]
pub fn search(set: &SortedSet, middle: Position, shape: Shape, limit: Option<usize>) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let is_enough = |found: usize| found > 0 && limit.is_some_and(|limit| found >= limit);
    let mut last: Option<Cell> = None;
    for (number, cell) in cells(middle, shape).into_iter().enumerate() {
        let Some(cell) = cell else { continue };
        // For a large shape, some of the cells may be equal. Like redis-server, this compares with the previous
        // one only.
        if last == Some(cell) {
            continue;
        }
        if is_enough(found.len()) {
            break;
        }
        for (member, score) in set.range(set.ranks_by_score(&cell.scores())) {
            let position = Position::of_score(score);
            if let Some(distance) = shape.distance(middle, position) {
                found.push(Found { member, score, position, distance });
                if is_enough(found.len()) {
                    break;
                }
            }
        }
        last = (number > 0).then_some(cell);
    }
    found
}

/// The cells to look at: the one of the center, north, south, east, west, and the corners; `None` for a cell that
/// the shape does not reach.
fn cells(middle: Position, shape: Shape) -> [Option<Cell>; 9] {
    let (width, height) = shape.half();
    let by_latitude = degrees(height / EARTH_RADIUS);
    // A degree of longitude is shorter closer to the pole.
    let widest =
        if middle.latitude < 0.0 { middle.latitude - by_latitude } else { middle.latitude + by_latitude };
    let by_longitude = degrees(width / EARTH_RADIUS / radians(widest).cos());
    let west = middle.longitude - by_longitude;
    let east = middle.longitude + by_longitude;
    let south = middle.latitude - by_latitude;
    let north = middle.latitude + by_latitude;

    let mut steps = steps(shape.radius(), middle.latitude);
    let mut cell = Cell::of(middle, LATITUDES, steps);
    let too_fine = cell.step(0, 1).area().latitude.max < north
        || cell.step(0, -1).area().latitude.min > south
        || cell.step(1, 0).area().longitude.max < east
        || cell.step(-1, 0).area().longitude.min > west;
    if steps > 1 && too_fine {
        steps -= 1;
        cell = Cell::of(middle, LATITUDES, steps);
    }

    let area = cell.area();
    let near = |east_by: i8, north_by: i8| {
        let useless = steps >= 2
            && (north_by < 0 && area.latitude.min < south
                || north_by > 0 && area.latitude.max > north
                || east_by < 0 && area.longitude.min < west
                || east_by > 0 && area.longitude.max > east);
        (!useless).then(|| cell.step(east_by, north_by))
    };
    let corners = [near(1, 1), near(-1, 1), near(1, -1), near(-1, -1)];
    let [north_east, north_west, south_east, south_west] = corners;
    let sides = [near(0, 1), near(0, -1), near(1, 0), near(-1, 0)];
    let [north, south, east, west] = sides;
    [Some(cell), north, south, east, west, north_east, north_west, south_east, south_west]
}

/// The number of steps whose cells are about as large as the radius, in metres.
fn steps(radius: f64, latitude: f64) -> u32 {
    if radius == 0.0 {
        return STEPS;
    }
    let (mut radius, mut steps) = (radius, 1);
    while radius < MERCATOR_MAX {
        radius *= 2.0;
        steps += 1;
    }
    // Two steps fewer, so that the shape is mostly covered, and fewer still near the poles, where cells are
    // narrow.
    steps -= 2;
    let pole = latitude.abs();
    steps -= i32::from(pole > 66.0) + i32::from(pole > 80.0);
    steps.clamp(1, STEPS.cast_signed()).cast_unsigned()
}
