//! LCS.

use crate::data::ByteString;
use crate::data::lcs::Lcs;
use crate::resp::Reply;
use crate::spec::numbers::{integer, is_option};
use crate::spec::{Context, Error, Outcome};

/// The options of LCS.
#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

impl Options {
    fn read(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut args = ctx.args.from(3).iter();
        while let Some(option) = args.next() {
            if is_option(option, "IDX") {
                options.idx = true;
            } else if is_option(option, "LEN") {
                options.len = true;
            } else if is_option(option, "WITHMATCHLEN") {
                options.with_match_len = true;
            } else if is_option(option, "MINMATCHLEN")
                && let Some(value) = args.next()
            {
                // A negative length counts as 0.
                options.min_match_len = usize::try_from(integer(value)?).unwrap_or_default();
            } else {
                return Err(Error::SYNTAX);
            }
        }
        if options.idx && options.len {
            return Err(Error::new("ERR If you want both the length and indexes, please just use IDX."));
        }
        Ok(options)
    }
}

/// `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]`.
///
/// # Errors
///
/// Options that do not fit together, one of the keys holds another type, or the table that is needed would be
/// longer than `proto-max-bulk-len`.
pub fn lcs(ctx: &mut Context<'_>) -> Outcome {
    let wrong_type = |_| Error::new("ERR The specified keys must contain string values");
    let longest = ctx.state.config.proto_max_bulk_len;
    // Both keys are looked up before either is refused.
    let [one, other] = [1, 2].map(|at| ctx.state.get::<ByteString>(&ctx.args[at]).map(|_| ()));
    one.and(other).map_err(wrong_type)?;
    let options = Options::read(ctx)?;
    let strings = ctx.state.get_shared::<ByteString>(ctx.args.range(1, 3).iter());
    let [one, other] = [0, 1].map(|at| strings[at].map(ByteString::bytes));
    let (one, other) = (one.as_deref().unwrap_or_default(), other.as_deref().unwrap_or_default());
    if one.len().max(other.len()) >= u32::MAX as usize - 1 {
        return Err(Error::new("ERR String too long for LCS"));
    }
    match Lcs::memory(one.len(), other.len()) {
        Some(memory) if memory as u64 <= longest => {}
        _ => {
            let text = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
            return Err(Error::new(text));
        }
    }
    let lcs = Lcs::new(one, other);
    if options.len {
        ctx.reply.count(lcs.len());
    } else if options.idx {
        reply_matches(&mut ctx.reply, &lcs, &options);
    } else {
        ctx.reply.bulk(&lcs.subsequence());
    }
    Ok(())
}

fn reply_matches(reply: &mut Reply<'_>, lcs: &Lcs<'_>, options: &Options) {
    let mut matches = lcs.matches();
    matches.retain(|piece| piece.len >= options.min_match_len);
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(matches.len());
    for piece in &matches {
        reply.array(2 + usize::from(options.with_match_len));
        for start in [piece.one, piece.other] {
            reply.array(2);
            reply.count(start);
            reply.count(start + piece.len - 1);
        }
        if options.with_match_len {
            reply.count(piece.len);
        }
    }
    reply.bulk(b"len");
    reply.count(lcs.len());
}
