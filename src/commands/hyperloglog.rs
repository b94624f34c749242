//! HyperLogLog: strings that count different elements.

use crate::config::Class;
use crate::data::hyperloglog;
use crate::data::hyperloglog::{Corrupted, Union};
use crate::data::string::View;
use crate::data::{ByteString, Value};
use crate::spec::numbers::is_option;
use crate::spec::{Context, Error, Outcome};
use crate::state::State;

const CORRUPTED: &str = "INVALIDOBJ Corrupted HLL object detected";
const NO_COUNTER: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

impl From<Corrupted> for Error {
    fn from(_: Corrupted) -> Self {
        Self::new(CORRUPTED)
    }
}

/// The counter of a key, if the key exists. Not counted as a hit or miss.
fn view<'a>(state: &'a mut State, key: &[u8]) -> Result<Option<View<'a>>, Error> {
    let string = state.get_mut::<ByteString>(key)?;
    checked(string.map(|string| string.bytes()))
}

/// The counter of a key, for a command that reads.
fn read<'a>(state: &'a mut State, key: &[u8]) -> Result<Option<View<'a>>, Error> {
    checked(state.get::<ByteString>(key)?.map(ByteString::bytes))
}

fn checked(bytes: Option<View<'_>>) -> Result<Option<View<'_>>, Error> {
    match bytes {
        Some(bytes) if !hyperloglog::is_counter(&bytes) => Err(Error::new(NO_COUNTER)),
        bytes => Ok(bytes),
    }
}

/// Changes the counter of a key, which is created if it does not exist.
fn edit<R>(state: &mut State, key: &[u8], change: impl FnOnce(&mut Vec<u8>) -> R) -> Result<R, Error> {
    if view(state, key)?.is_none() {
        state.insert(key, Value::String(ByteString::raw(hyperloglog::new())), None);
    }
    let string = state.get_or_create::<ByteString>(key)?;
    Ok(string.edit(change))
}

/// `PFADD key [element ...]`: 1 if a register has changed or the key is new.
///
/// # Errors
///
/// The key holds something else, or the counter is corrupted.
pub fn pfadd(ctx: &mut Context<'_>) -> Outcome {
    let (key, elements) = (&ctx.args[1], ctx.args.from(2));
    let sparse_max = ctx.state.config.hll_sparse_max_bytes;
    let created = view(ctx.state, key)?.is_none();
    let changes = edit(ctx.state, key, |counter| {
        let mut changes = usize::from(created);
        for element in elements.iter() {
            changes += usize::from(hyperloglog::add(counter, element, sparse_max)?);
        }
        if changes > 0 {
            hyperloglog::set_stale(counter);
        }
        Ok::<_, Corrupted>(changes)
    })??;
    if changes > 0 {
        ctx.state.modified_by(changes, Class::STRING, "pfadd", key);
    }
    ctx.reply.integer((changes > 0).into());
    Ok(())
}

/// `PFCOUNT key [key ...]`: how many different elements the counters have seen together.
///
/// # Errors
///
/// A key holds something else, or a counter is corrupted.
pub fn pfcount(ctx: &mut Context<'_>) -> Outcome {
    let keys = ctx.args.from(1);
    let count = if keys.len() == 1 {
        let key = &ctx.args[1];
        let cached = match read(ctx.state, key)? {
            None => Some(0),
            Some(counter) => hyperloglog::cached_count(&counter),
        };
        if let Some(count) = cached {
            count
        } else {
            let count = edit(ctx.state, key, |counter| hyperloglog::count(counter))??;
            // The cached count is a change of the string.
            ctx.state.touched(key);
            count
        }
    } else {
        let mut union = Union::default();
        for key in keys.iter() {
            if let Some(counter) = read(ctx.state, key)? {
                union.add(&counter)?;
            }
        }
        union.count()
    };
    ctx.reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// `PFMERGE destination [key ...]`: the destination has then seen what all of the counters have seen, itself
/// included.
///
/// # Errors
///
/// A key holds something else, or a counter is corrupted.
pub fn pfmerge(ctx: &mut Context<'_>) -> Outcome {
    let (destination, keys) = (&ctx.args[1], ctx.args.from(1));
    let mut union = Union::default();
    let mut dense = false;
    for key in keys.iter() {
        if let Some(counter) = read(ctx.state, key)? {
            dense |= hyperloglog::is_dense(&counter);
            union.add(&counter)?;
        }
    }
    let sparse_max = ctx.state.config.hll_sparse_max_bytes;
    edit(ctx.state, destination, |counter| {
        if dense {
            hyperloglog::make_dense(counter)?;
        }
        union.write(counter, sparse_max)
    })??;
    ctx.state.modified(Class::STRING, "pfadd", destination);
    ctx.reply.ok();
    Ok(())
}

/// `PFDEBUG GETREG|DECODE|ENCODING|TODENSE key`.
///
/// # Errors
///
/// Another subcommand, no such key, the key holds something else, or the counter is corrupted or of the wrong
/// encoding.
pub fn pfdebug(ctx: &mut Context<'_>) -> Outcome {
    let (subcommand, key) = (&ctx.args[1], &ctx.args[2]);
    let missing = || Error::new("ERR The specified key does not exist");
    let counter = view(ctx.state, key)?.ok_or_else(missing)?.to_vec();
    let dense = hyperloglog::is_dense(&counter);
    if is_option(subcommand, "GETREG") {
        let registers = hyperloglog::registers(&counter)?;
        to_dense(ctx)?;
        ctx.reply.array(registers.len());
        for register in registers {
            ctx.reply.integer(register.into());
        }
    } else if is_option(subcommand, "DECODE") {
        if dense {
            return Err(Error::new("ERR HLL encoding is not sparse"));
        }
        ctx.reply.bulk(&decoded(&counter));
    } else if is_option(subcommand, "ENCODING") {
        ctx.reply.simple(if dense { "dense" } else { "sparse" });
    } else if is_option(subcommand, "TODENSE") {
        let changed = to_dense(ctx)?;
        ctx.reply.integer(changed.into());
    } else {
        return Err(Error::quoting("ERR Unknown PFDEBUG subcommand '", subcommand, "'"));
    }
    Ok(())
}

/// Makes a counter dense and counts that as a change.
fn to_dense(ctx: &mut Context<'_>) -> Result<bool, Error> {
    let changed = edit(ctx.state, &ctx.args[2], hyperloglog::make_dense)??;
    ctx.state.stats.dirty += u64::from(changed);
    Ok(changed)
}

/// The runs of a sparse counter as text: `z` zeros, `Z` many zeros, `v` a value.
fn decoded(counter: &[u8]) -> Vec<u8> {
    let runs = hyperloglog::runs(counter).map(|run| match run.value {
        0 if run.long_form => format!("Z:{}", run.len),
        0 => format!("z:{}", run.len),
        value => format!("v:{value},{}", run.len),
    });
    runs.collect::<Vec<_>>().join(" ").into_bytes()
}

/// `PFSELFTEST`: counts random elements.
///
/// # Errors
///
/// The counts are wrong.
pub fn pfselftest(ctx: &mut Context<'_>) -> Outcome {
    if let Some(text) = hyperloglog::self_test(&mut ctx.state.random.fork()) {
        return Err(Error::new(format!("TESTFAILED {text}")));
    }
    ctx.reply.ok();
    Ok(())
}
