//! Patterns of `string.find` and its relatives.

use super::{Author, quoted};

impl Author<'_> {
    /// A text in which patterns find something.
    pub(super) fn subject(&mut self) -> String {
        const LETTERS: &[&str] = &[
            "a", "b", "ab", "1", "2", " ", ",", "(", ")", "A", "%", ".", "-", "_", "\\0", "\\t", "\\233",
            "hello", "=",
        ];
        if self.once_in(8) {
            return self.string(1);
        }
        let count = self.random.usize(0..12);
        let text: String = (0..count).map(|_| self.one_of(LETTERS)).collect();
        format!("('{text}')")
    }

    /// A pattern, right or wrong.
    pub(super) fn pattern(&mut self) -> String {
        const ITEMS: &[&str] = &[
            "a", "b", ".", "%a", "%d", "%w", "%s", "%p", "%u", "%l", "%x", "%c", "%A", "%D", "%W", "%S",
            "%z", "%.", "%%", "[ab]", "[^a]", "[a-c1-2]", "[%d,]", "[]a]", "[^]]", "[a-]", "[%w_]", "ab",
            " ", "-", "%(", "=", "h", "[%a-z]",
        ];
        const ODD: &[&str] = &[
            "%b()", "%bab", "%f[%w]", "%f[^a]", "()", "%1", "(", ")", "[", "[a", "%", "%b", "%f", "%9", "%g",
            "$", "^", "[^", "%ba",
        ];
        const REPEATED: &[&str] = &["", "", "", "*", "+", "-", "?"];
        let mut text = String::new();
        if self.once_in(6) {
            text.push('^');
        }
        let mut open = 0;
        for _ in 0..self.random.usize(0..5) {
            if self.once_in(4) {
                text.push('(');
                open += 1;
            }
            if self.once_in(7) {
                text.push_str(self.one_of(ODD));
            } else {
                text.push_str(self.one_of(ITEMS));
                text.push_str(self.one_of(REPEATED));
            }
            if open > 0 && self.random.bool() {
                text.push(')');
                open -= 1;
            }
        }
        if !self.once_in(20) {
            text.push_str(&")".repeat(open));
        }
        if self.once_in(6) {
            text.push('$');
        }
        quoted(text.as_bytes())
    }

    /// What `gsub` replaces a match with.
    pub(super) fn replacement(&mut self) -> String {
        match self.random.u8(0..9) {
            0..5 => self
                .one_of(&[
                    "'x'", "'<%0>'", "'%1'", "'%2%1'", "'%%'", "'%9'", "'%'", "''", "'a\\0b'", "5", "'%a'",
                ])
                .into(),
            5 => self.one_of(&["{a='1',b=false}", "{['1']=2}", "{}", "{a={}}"]).into(),
            6..8 => self
                .one_of(&[
                    "function(...) return select('#',...)..(...) end",
                    "function(x) if x=='a' then return nil end return x end",
                    "function(x) return {} end",
                    "function(x) return false end",
                    "string.upper",
                    "error",
                ])
                .into(),
            _ => self.any(0),
        }
    }

    pub(super) fn pattern_statement(&mut self) -> String {
        let (subject, pattern) = (self.subject(), self.pattern());
        let found = match self.random.u8(0..8) {
            0..2 => {
                let start =
                    if self.random.bool() { format!(",{}", self.random.i32(-5..9)) } else { String::new() };
                format!("string.find({subject},{pattern}{start})")
            }
            2 => format!("string.find({subject},{pattern},{},true)", self.random.i32(-3..5)),
            3 => format!("string.match({subject},{pattern})"),
            4 => format!("({subject}):match({pattern},{})", self.random.i32(-5..9)),
            5 => {
                let most = self.one_of(&["", ",0", ",1", ",2", ",-1", ",'x'"]);
                format!("string.gsub({subject},{pattern},{}{most})", self.replacement())
            }
            6 => format!("({subject}):gsub({pattern},{})", self.replacement()),
            _ => {
                return format!(
                    "p(function() local n=0 for a,b in string.gmatch({subject},{pattern}) do s(a,b) n=n+1 if n>9 then break end end end)"
                );
            }
        };
        self.shown(&found)
    }
}
