//! LOLWUT: a picture, a different one each time, and the version.

use crate::spec::numbers::{integer, is_option};
use crate::spec::{Context, Outcome};

/// `LOLWUT [VERSION version [columns [rows]]]`: dots like raindrops on a window; no picture for a version of Redis
/// that has none.
///
/// # Errors
///
/// Invalid numbers.
pub fn lolwut(ctx: &mut Context<'_>) -> Outcome {
    const VERSIONS: [i64; 4] = [0, 5, 6, 8];
    let args = ctx.args;
    let asked = args.get(1).is_some_and(|option| is_option(option, "VERSION")) && args.len() > 2;
    let number = |at: usize| args.get(at).filter(|_| asked).map(integer).transpose();
    let version = number(2)?.unwrap_or_default();
    let size = |value: Option<i64>, usual: usize| {
        value.map_or(usual, |value| usize::try_from(value).unwrap_or(1).clamp(1, 1000))
    };
    let (columns, rows) = (size(number(3)?, 66), size(number(4)?, 10));
    let mut text = String::new();
    if VERSIONS.contains(&version) {
        for row in 0..rows {
            for _ in 0..columns {
                // More drops below than above.
                let drop = ctx.state.random.usize(0..rows * 2) <= row;
                text.push(if drop {
                    ctx.state.random.choice(['.', ':', '\'', 'o']).unwrap_or('.')
                } else {
                    ' '
                });
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text.push_str("\nRain on a window. ");
    }
    text.push_str("Redis ver. ");
    text.push_str(ctx.state.config.compat.release());
    text.push('\n');
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}
