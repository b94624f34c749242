//! Calls of commands.

use super::{Author, quoted};

impl Author<'_> {
    /// A call of a command whose reply, or only its type, is shown.
    pub fn call(&mut self, arguments: &[Vec<u8>], only_type: bool) -> String {
        let words: Vec<String> = arguments.iter().map(|argument| self.argument(argument)).collect();
        let words = words.join(",");
        if only_type {
            return format!("s(type(redis.pcall({words})))");
        }
        match self.random.u8(0..14) {
            0..8 => format!("s(redis.pcall({words}))"),
            8..10 => format!("p(function() return redis.call({words}) end)"),
            10 => format!("p(redis.call,{words})"),
            11 => format!("p(redis.pcall,{words})"),
            12 => format!("s(redis.call({words}))"),
            _ => format!(
                "do local x=redis.pcall({words}) if type(x)=='table' then s(#x,x.ok,x.err,next(x)) else s(x) end end"
            ),
        }
    }

    /// An argument: numbers are sometimes Lua numbers.
    fn argument(&mut self, argument: &[u8]) -> String {
        let text = std::str::from_utf8(argument).unwrap_or_default();
        let is_number = text.parse::<f64>().is_ok_and(f64::is_finite)
            && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte))
            && !text.starts_with('+');
        if is_number && self.random.bool() { text.to_owned() } else { quoted(argument) }
    }
}
