//! The options of XADD and XTRIM.

use super::deleting::references;
use super::ids;
use crate::config::{Config, Version};
use crate::data::stream::{Keep, NewId, References, Trim};
use crate::resp::Args;
use crate::spec::{Error, numbers};

/// Without LIMIT, approximate trimming stops after this number of full nodes.
const NODES_AT_ONCE: usize = 100;
/// The limit if `stream-node-max-entries` is 0.
const LIMIT_DEFAULT: usize = 10_000;
/// No more than this is removed at once, however large the nodes are.
const LIMIT_MAX: usize = 1_000_000;

const LIMIT_IS_EXACT: &str = "ERR syntax error, LIMIT cannot be used without the special ~ option";

/// The arguments before the fields of XADD.
pub(super) struct AddOptions {
    /// A stream that does not exist is not created.
    pub no_mkstream: bool,
    /// What is removed after the entry was added.
    pub trim: Option<Trim>,
    /// The id of the entry.
    pub id: NewId,
    /// Where the fields begin.
    pub fields: usize,
}

/// What has been read of the options that XADD and XTRIM share.
#[derive(Default)]
struct TrimOptions {
    keep: Option<Keep>,
    approximate: bool,
    limit: Option<usize>,
    references: Option<References>,
}

impl TrimOptions {
    /// Reads the option at `at`, if there is one, and returns the index after it.
    fn read(&mut self, args: Args<'_>, at: usize, config: &Config) -> Result<Option<usize>, Error> {
        if config.compat >= Version::Redis8_2
            && self.references.is_none()
            && let Some(references) = references(&args[at])
        {
            self.references = Some(references);
            return Ok(Some(at + 1));
        }
        let Some(next) = args.get(at + 1) else { return Ok(None) };
        let option = &args[at];
        if numbers::is_option(option, "LIMIT") {
            self.limit = Some(amount(next, "ERR The LIMIT argument must be >= 0.")?);
            return Ok(Some(at + 2));
        }
        let by_length = numbers::is_option(option, "MAXLEN");
        if !by_length && !numbers::is_option(option, "MINID") {
            return Ok(None);
        }
        if self.keep.is_some() {
            return Err(Error::new(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        self.approximate = ids::is_sign(next, b'~');
        let has_sign = self.approximate || ids::is_sign(next, b'=');
        let (threshold, end) = match args.get(at + 2) {
            Some(threshold) if has_sign => (threshold, at + 3),
            _ => (next, at + 2),
        };
        self.keep = Some(if by_length {
            Keep::Newest(amount(threshold, "ERR The MAXLEN argument must be >= 0.")?)
        } else {
            Keep::From(ids::strict(threshold, 0)?)
        });
        Ok(Some(end))
    }

    /// The trimming to do.
    fn finish(self, config: &Config) -> Result<Option<Trim>, Error> {
        let Self { keep, approximate, limit, references } = self;
        let Some(keep) = keep else {
            if limit.is_some_and(|limit| limit != 0) {
                return Err(Error::new(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                ));
            }
            return Ok(None);
        };
        if limit.is_some() && !approximate {
            return Err(Error::new(LIMIT_IS_EXACT));
        }
        let limit = match limit {
            Some(limit) => limit,
            None if !approximate => 0,
            None if config.stream_node_max_entries == 0 => LIMIT_DEFAULT,
            None => config.stream_node_max_entries.saturating_mul(NODES_AT_ONCE).min(LIMIT_MAX),
        };
        Ok(Some(Trim { keep, approximate, limit, references: references.unwrap_or_default() }))
    }
}

/// A number of entries.
fn amount(text: &[u8], negative: &'static str) -> Result<usize, Error> {
    let amount = numbers::integer(text)?;
    if amount < 0 {
        return Err(Error::new(negative));
    }
    Ok(usize::try_from(amount).unwrap_or(usize::MAX))
}

/// Reads the options and the id of XADD.
///
/// # Errors
///
/// They do not fit together, or something is neither an option nor an id.
pub(super) fn read_xadd(
    args: Args<'_>,
    config: &Config,
    arity: impl Fn() -> Error,
) -> Result<AddOptions, Error> {
    let mut options = TrimOptions::default();
    let mut no_mkstream = false;
    let mut id = None;
    let mut at = 2;
    while id.is_none() && at < args.len() {
        if let Some(end) = options.read(args, at, config)? {
            at = end;
            continue;
        }
        if numbers::is_option(&args[at], "NOMKSTREAM") {
            no_mkstream = true;
        } else {
            id = Some(ids::new_id(&args[at])?);
        }
        at += 1;
    }
    let is_limited = options.limit.is_some();
    let trim = options.finish(config)?;
    if is_limited && trim.is_none() {
        return Err(Error::new(LIMIT_IS_EXACT));
    }
    let fields = args.from(at).len();
    match id {
        Some(id) if fields >= 2 && fields.is_multiple_of(2) => {
            Ok(AddOptions { no_mkstream, trim, id, fields: at })
        }
        _ => Err(arity()),
    }
}

/// Reads the options of XTRIM.
///
/// # Errors
///
/// They do not fit together, or are missing.
pub(super) fn read_xtrim(args: Args<'_>, config: &Config) -> Result<Trim, Error> {
    let mut options = TrimOptions::default();
    let mut at = 2;
    while at < args.len() {
        at = options.read(args, at, config)?.ok_or(Error::SYNTAX)?;
    }
    options
        .finish(config)?
        .ok_or(Error::new("ERR syntax error, XTRIM must be called with a trimming strategy"))
}
