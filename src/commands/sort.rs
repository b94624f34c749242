//! SORT: the elements of a list, a set or a sorted set in another order, and values for them from other keys.

use std::cmp::Ordering;

use crate::config::{Class, Version};
use crate::data::list::ListLimits;
use crate::data::set::Member;
use crate::data::string::View;
use crate::data::value::Value;
use crate::data::{Bytes, Hash, List, Typed};
use crate::keyspace::Entry;
use crate::resp::{Args, parse_decimal, parse_double, up_to_nul};
use crate::spec::numbers::{integer, is_option, without_space_in_front};
use crate::spec::{Context, Error, Outcome};
use crate::state::{Lookup, State};

/// The keys of SORT, as far as they are named: the one that is sorted and the last that STORE names.
#[must_use]
pub fn sort_keys(args: Args<'_>) -> Vec<(usize, &'static str)> {
    named_keys(args, true)
}

/// The keys of SORT_RO, as far as they are named.
#[must_use]
pub fn sort_ro_keys(args: Args<'_>) -> Vec<(usize, &'static str)> {
    named_keys(args, false)
}

fn named_keys(args: Args<'_>, may_store: bool) -> Vec<(usize, &'static str)> {
    let is = |at: usize, word: &str| is_option(&args[at], word);
    let mut found = vec![(1, "RO access")];
    let mut at = 2;
    while at < args.len() {
        let skipped = [("limit", 2), ("get", 1), ("by", 1)];
        let skipped = skipped.into_iter().find(|(word, _)| is(at, word));
        if let Some((_, arguments)) = skipped {
            at += arguments;
        } else if may_store && is(at, "store") && at + 1 < args.len() {
            found.truncate(1);
            found.push((at + 1, "OW update"));
        }
        at += 1;
    }
    found
}

/// What the options say.
struct Options<'a> {
    /// The weight of an element is what this pattern finds, not the element itself.
    by: Option<Pattern<'a>>,
    /// `BY` with a pattern that is the same for all elements: they are not sorted.
    keeps_order: bool,
    /// What is in the reply for each element, if not the element itself.
    get: Vec<Pattern<'a>>,
    offset: i64,
    count: i64,
    descending: bool,
    alphabetic: bool,
    store: Option<&'a [u8]>,
}

/// Where another value for an element is found: `weight_*`, or `object_*->field` in a hash.
struct Pattern<'a> {
    /// `#`: the element itself.
    is_element: bool,
    /// What is before and after the first `*`; without a `*` nothing is ever found.
    around: Option<(&'a [u8], &'a [u8])>,
    field: Option<&'a [u8]>,
}

impl<'a> Pattern<'a> {
    fn read(text: &'a [u8]) -> Self {
        let shown = up_to_nul(text);
        let star = shown.iter().position(|byte| *byte == b'*');
        let (mut end, mut field) = (text.len(), None);
        // An arrow at the very end is part of the name of the key.
        if let Some(arrow) = star.and_then(|star| Some(star + 1 + find(shown.get(star + 1..)?, b"->")?))
            && arrow + 2 < shown.len()
        {
            (end, field) = (arrow, text.get(arrow + 2..));
        }
        let around = star.and_then(|star| Some((text.get(..star)?, text.get(star + 1..end)?)));
        Self { is_element: shown == b"#", around, field }
    }

    /// What the pattern finds for an element.
    fn look_up<'s>(&self, state: &'s mut State, element: &'s [u8]) -> Option<View<'s>> {
        if self.is_element {
            return Some(View::Bytes(element));
        }
        let key = self.key(element)?;
        self.value(state.lookup(&key, Lookup::Use)?)
    }

    /// The key in which the pattern looks for an element.
    fn key(&self, element: &[u8]) -> Option<Vec<u8>> {
        let (before, behind) = self.around?;
        Some([before, element, behind].concat())
    }

    /// What the pattern finds in that key.
    fn value<'s>(&self, entry: &'s Entry) -> Option<View<'s>> {
        match (&entry.value, self.field) {
            (Value::Hash(hash), Some(field)) => Hash::get(hash, field).map(View::Bytes),
            (Value::String(text), None) => Some(text.bytes()),
            _ => None,
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

impl<'a> Options<'a> {
    fn read(ctx: &Context<'a>, may_store: bool) -> Result<Self, Error> {
        let mut options = Self {
            by: None,
            keeps_order: false,
            get: Vec::new(),
            offset: 0,
            count: -1,
            descending: false,
            alphabetic: false,
            store: None,
        };
        let args = ctx.args;
        // What patterns find is not checked by itself: without the right to read all keys none may be used.
        let reads_all = ctx.may_read_all_keys();
        let mut at = 2;
        while let Some(option) = args.get(at) {
            let left = args.len() - 1 - at;
            let (next, behind) = (args.get(at + 1).unwrap_or_default(), args.get(at + 2).unwrap_or_default());
            if is_option(option, "ASC") {
                options.descending = false;
            } else if is_option(option, "DESC") {
                options.descending = true;
            } else if is_option(option, "ALPHA") {
                options.alphabetic = true;
            } else if is_option(option, "LIMIT") && left >= 2 {
                (options.offset, options.count) = (integer(next)?, integer(behind)?);
                at += 2;
            } else if may_store && is_option(option, "STORE") && left >= 1 {
                options.store = Some(next);
                at += 1;
            } else if is_option(option, "BY") && left >= 1 {
                if !reads_all && up_to_nul(next).contains(&b'*') {
                    return Err(Error::new(
                        "ERR BY option of SORT denied due to insufficient ACL permissions.",
                    ));
                }
                // A pattern without `*` has its effect even if another BY follows.
                options.keeps_order |= !up_to_nul(next).contains(&b'*');
                options.by = Some(Pattern::read(next));
                at += 1;
            } else if is_option(option, "GET") && left >= 1 {
                if !reads_all {
                    return Err(Error::new(
                        "ERR GET option of SORT denied due to insufficient ACL permissions.",
                    ));
                }
                options.get.push(Pattern::read(next));
                at += 1;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    /// The range of the elements in the reply, of `len` elements: the first index, and the one after the last.
    fn range(&self, len: usize) -> (usize, usize) {
        let index = |value: i64| usize::try_from(value.max(0)).unwrap_or(usize::MAX).min(len);
        let start = index(self.offset);
        let end = if self.count < 0 { len } else { start.saturating_add(index(self.count)).min(len) };
        (start, end)
    }
}

/// An element and its weight.
struct Item<'s> {
    element: Bytes,
    weight: Weight<'s>,
}

enum Weight<'s> {
    /// The element itself, by its bytes.
    Own,
    Number(f64),
    /// What BY has found. It is not copied: many elements may have the same long text.
    Text(Option<View<'s>>),
}

/// `SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA] [STORE destination]`.
///
/// # Errors
///
/// Invalid options, the key holds neither list nor set nor sorted set, weights that are not numbers.
pub fn sort(ctx: &mut Context<'_>) -> Outcome {
    run(ctx, true)
}

/// `SORT_RO`: as [`sort`], without STORE.
///
/// # Errors
///
/// As [`sort`].
pub fn sort_ro(ctx: &mut Context<'_>) -> Outcome {
    run(ctx, false)
}

fn run(ctx: &mut Context<'_>, may_store: bool) -> Outcome {
    let mut options = Options::read(ctx, may_store)?;
    let key = &ctx.args[1];
    let wants_order = options.store.is_some() || ctx.state.in_script;
    let entry = ctx.state.lookup(key, Lookup::Use);
    let kind = entry.map(|entry| &entry.value);
    if options.keeps_order && wants_order && matches!(kind, Some(Value::Set(_))) {
        // A set has no order that a stored list could keep or a script could rely on.
        (options.keeps_order, options.alphabetic, options.by) = (false, true, None);
    }
    let elements = load(kind, &options)?;
    if let Some(Value::SortedSet(set)) =
        ctx.state.lookup_mut(key, Lookup::Uncounted).map(|entry| &mut entry.value)
    {
        // redis-server converts the sorted set to the large form to sort it, and leaves it so.
        set.index();
    }
    let elements = if options.keeps_order { elements } else { sorted(ctx.state, elements, &options)? };
    answer(ctx, &elements, &options);
    Ok(())
}

/// The elements: all of them if they are to be sorted, else those of the reply.
fn load(value: Option<&Value>, options: &Options<'_>) -> Result<Vec<Bytes>, Error> {
    let kept = |len| if options.keeps_order { options.range(len) } else { (0, len) };
    let descending = options.keeps_order && options.descending;
    let turned = |(start, end): (usize, usize), len: usize| {
        if descending { len - end..len - start } else { start..end }
    };
    let mut elements: Vec<Bytes> = match value {
        None => Vec::new(),
        Some(Value::List(list)) => list.range(turned(kept(list.len()), list.len())).cloned().collect(),
        Some(Value::Set(set)) => {
            let (start, end) = kept(set.len());
            set.iter().skip(start).take(end - start).map(member).collect()
        }
        Some(Value::SortedSet(set)) => {
            set.range(turned(kept(set.len()), set.len())).map(|(member, _)| member.into()).collect()
        }
        Some(_) => return Err(Error::WRONG_TYPE),
    };
    if descending && !matches!(value, Some(Value::Set(_))) {
        elements.reverse();
    }
    Ok(elements)
}

fn member(member: Member<'_>) -> Bytes {
    match member {
        Member::Integer(integer) => itoa::Buffer::new().format(integer).as_bytes().into(),
        Member::Bytes(bytes) => bytes.into(),
    }
}

/// The elements of the reply, in their order.
fn sorted(state: &mut State, elements: Vec<Bytes>, options: &Options<'_>) -> Result<Vec<Bytes>, Error> {
    let version = state.config.compat;
    let mut items = Vec::with_capacity(elements.len());
    let mut all_numbers = true;
    for element in elements {
        let weight = match &options.by {
            None if options.alphabetic => Weight::Own,
            None => Weight::Number(number(&element, version, &mut all_numbers)),
            Some(by) => {
                let found = by.look_up(state, &element);
                if options.alphabetic {
                    Weight::Text(None)
                } else {
                    // A missing weight is 0.
                    Weight::Number(found.map_or(0.0, |text| number(&text, version, &mut all_numbers)))
                }
            }
        };
        items.push(Item { element, weight });
    }
    // All keys have been looked up. From here on the state does not change, and the texts are borrowed from it.
    let state: &State = state;
    if let Some(by) = options.by.as_ref().filter(|_| options.alphabetic) {
        for item in &mut items {
            let entry = by.key(&item.element).and_then(|key| state.lookup_shared(&key));
            item.weight = Weight::Text(entry.and_then(|entry| by.value(entry)));
        }
    }
    if !all_numbers {
        return Err(Error::new("ERR One or more scores can't be converted into double"));
    }
    let compare = |one: &Item<'_>, other: &Item<'_>| {
        let order = compare(one, other, options.store.is_some());
        if options.descending { order.reverse() } else { order }
    };
    let (start, end) = options.range(items.len());
    items.sort_by(compare);
    items.truncate(end);
    Ok(items.into_iter().skip(start).map(|item| item.element).collect())
}

/// A weight: without white space around it; an empty text is 0. Before Redis 7.2 white space may come first, the number
/// may be hexadecimal, and it must fit in a double.
fn number(text: &[u8], version: Version, all_numbers: &mut bool) -> f64 {
    let text = up_to_nul(text);
    if text.is_empty() {
        return 0.0;
    }
    let number = if version < Version::Redis7_4 {
        parse_double(without_space_in_front(text))
    } else {
        parse_decimal(text)
    };
    number.unwrap_or_else(|| {
        *all_numbers = false;
        0.0
    })
}

/// The order of two elements. A reply is sorted as C strings are, which end at a NUL; a stored result is sorted by all
/// bytes.
fn compare(one: &Item<'_>, other: &Item<'_>, by_all_bytes: bool) -> Ordering {
    let texts = |one: &[u8], other: &[u8]| {
        if by_all_bytes { one.cmp(other) } else { up_to_nul(one).cmp(up_to_nul(other)) }
    };
    match (&one.weight, &other.weight) {
        (Weight::Number(first), Weight::Number(second)) => {
            let order = first.partial_cmp(second).unwrap_or(Ordering::Equal);
            order.then_with(|| one.element.cmp(&other.element))
        }
        (Weight::Text(Some(first)), Weight::Text(Some(second))) => texts(first, second),
        (Weight::Text(first), Weight::Text(second)) => first.is_some().cmp(&second.is_some()),
        _ => texts(&one.element, &other.element),
    }
}

fn answer(ctx: &mut Context<'_>, elements: &[Bytes], options: &Options<'_>) {
    let count = elements.len() * options.get.len().max(1);
    if let Some(destination) = options.store {
        let mut list = Vec::with_capacity(count);
        for element in elements {
            if options.get.is_empty() {
                list.push(element.clone());
            }
            for pattern in &options.get {
                let found = pattern.look_up(ctx.state, element);
                list.push(found.as_deref().unwrap_or_default().into());
            }
        }
        store(ctx.state, destination, list);
        ctx.reply.count(count);
        return;
    }
    ctx.reply.array(count);
    for element in elements {
        if options.get.is_empty() {
            ctx.reply.bulk(element);
        }
        for pattern in &options.get {
            let found = pattern.look_up(ctx.state, element);
            ctx.reply.bulk_or_null(found.as_deref());
        }
    }
}

/// Stores the result at a key, or removes the key if the result is empty.
fn store(state: &mut State, key: &[u8], list: Vec<Bytes>) {
    let count = list.len();
    let limits = ListLimits::of(&state.config);
    state.put_result(key, List::from_elements(list, limits).into_value(), count, Class::LIST, "sortstore");
}
