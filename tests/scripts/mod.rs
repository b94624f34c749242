//! Random scripts, drawn from a source of random numbers.
//!
//! A script is some statements between a beginning and an end. The statements are independent, so that a script can be
//! shortened by leaving some out. It shows what it has found with `s(...)`, which appends texts to the table `r`;
//! `p(f)` shows what a function returns or throws. Nothing that is shown depends on memory addresses.

pub mod calls;
mod libraries;
mod patterns;

use std::fmt::Write as _;

use fastrand::Rng;

/// The beginning of a script: seeds the random numbers, and defines how values are shown: numbers with all digits,
/// tables in the order of `pairs`.
const SHOW: &str = "local r={} math.randomseed(1) \
    local function v(x,d) local t=type(x) \
    if t=='number' then if x~=x then return 'nan' end return string.format('%.17g',x) \
    elseif t=='string' then return string.format('%q',x) \
    elseif t=='nil' or t=='boolean' then return tostring(x) \
    elseif t~='table' then return t \
    elseif d>5 then return '{...}' end \
    local o={} for k,w in pairs(x) do o[#o+1]=v(k,d+1)..'='..v(w,d+1) end \
    return '{'..table.concat(o,',')..'}' end \
    local function s(...) r[#r+1]='#'..select('#',...) for i=1,select('#',...) do r[#r+1]=v((select(i,...)),0) end end \
    local function p(f,...) s(pcall(f,...)) end ";

/// How deep expressions are nested at most.
const DEPTH: u32 = 3;

/// A script of these statements.
pub fn script(statements: &[String], end: &str) -> String {
    let mut text = String::from(SHOW);
    for statement in statements {
        text.push('\n');
        text.push_str(statement);
    }
    let _ = write!(text, "\n{end}");
    text
}

/// A text as a string of Lua.
pub fn quoted(text: &[u8]) -> String {
    let mut out = String::from("'");
    for byte in text {
        match byte {
            b'\'' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            other => {
                let _ = write!(out, "\\{other:03}");
            }
        }
    }
    out.push('\'');
    out
}

/// Draws statements.
pub struct Author<'a> {
    pub random: &'a mut Rng,
}

impl Author<'_> {
    /// True once in `times`.
    fn once_in(&mut self, times: u32) -> bool {
        self.random.u32(0..times) == 0
    }

    fn one_of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.random.usize(0..words.len())]
    }

    /// Several expressions, separated by commas.
    fn list(&mut self, counts: std::ops::Range<usize>, mut one: impl FnMut(&mut Self) -> String) -> String {
        let count = self.random.usize(counts);
        (0..count).map(|_| one(self)).collect::<Vec<_>>().join(",")
    }

    /// A statement that needs no server.
    pub fn statement(&mut self) -> String {
        match self.random.u8(0..42) {
            0..10 => {
                let shown = self.list(1..4, |author| author.any(DEPTH));
                self.shown(&shown)
            }
            10..16 => self.pattern_statement(),
            16..19 => self.table_statement(),
            19..23 => self.error_statement(),
            23..25 => self.metatable_statement(),
            25..27 => self.coroutine_statement(),
            27..29 => self.loading_statement(),
            29..31 => self.loop_statement(),
            31..40 => self.library_statement(),
            _ => self.sandbox_statement(),
        }
    }

    /// Shows an expression: mostly caught, as most errors would end the script.
    fn shown(&mut self, expression: &str) -> String {
        if self.once_in(12) {
            format!("s({expression})")
        } else {
            format!("p(function() return {expression} end)")
        }
    }

    /// Any value.
    pub fn any(&mut self, depth: u32) -> String {
        match self.random.u8(0..20) {
            0..6 => self.number(depth),
            6..11 => self.string(depth),
            11..14 => self.truth(depth),
            14..19 => self.table(depth),
            _ => "nil".into(),
        }
    }

    /// A number, or, by mistake, something else.
    pub fn number(&mut self, depth: u32) -> String {
        const LITERALS: [&str; 32] = [
            "0",
            "1",
            "2",
            "3",
            "-1",
            "-2",
            "7",
            "10",
            "16",
            "100",
            "255",
            "256",
            "1.5",
            "-0.5",
            "3.7",
            "0.1",
            "1e3",
            "1e15",
            "1e16",
            "1e100",
            "2^31",
            "2^32",
            "2^53",
            "2^63",
            "-2^63",
            "2^64",
            "1/0",
            "-1/0",
            "0/0",
            "0x1F",
            "1e-7",
            "12345678.9",
        ];
        if depth == 0 {
            return if self.random.bool() {
                self.random.i32(-9..30).to_string()
            } else {
                format!("({})", self.one_of(&LITERALS))
            };
        }
        if self.once_in(25) {
            return self.any(depth - 1);
        }
        let next = depth - 1;
        match self.random.u8(0..24) {
            0..8 => {
                let operator = self.one_of(&["+", "-", "*", "/", "%", "+", "-", "*", "%"]);
                format!("({}{operator}{})", self.number(next), self.number(next))
            }
            8 => format!("-({})", self.number(next)),
            // The last digits of a number that is not whole depend on the machine.
            9 => format!("tonumber(string.format('%.10g',({})^({})))", self.number(next), self.number(next)),
            10 => format!("#({})", self.string(next)),
            11 => format!("#{}", self.table(next)),
            12..15 => self.mathematics(next),
            15..17 => {
                if self.once_in(3) {
                    let base = self.random.u8(0..38);
                    return format!("tonumber({},{base})", self.string(next));
                }
                format!("tonumber({})", self.string(next))
            }
            17 => format!("({}):byte({})", self.string(next), self.number(0)),
            18 => format!("select('#',{})", self.list(0..4, |author| author.any(0))),
            19 => format!("(select({},{}))", self.number(0), self.list(1..4, |author| author.any(0))),
            20 => self.bits(next),
            21 => {
                let digits = self.one_of(&["'10'", "'0x10'", "' 5 '", "'1e1'", "'5x'", "''", "'-3'", "'.5'"]);
                format!("({digits}+{})", self.number(next))
            }
            22 => format!("({} and {} or {})", self.truth(next), self.number(next), self.number(next)),
            _ => format!("table.maxn({})", self.table(next)),
        }
    }

    fn mathematics(&mut self, depth: u32) -> String {
        match self.random.u8(0..12) {
            0..5 => {
                let name = self.one_of(&["floor", "ceil", "abs", "modf", "sqrt", "frexp", "deg", "rad"]);
                format!("math.{name}({})", self.number(depth))
            }
            5 => {
                let name = self.one_of(&[
                    "sin", "cos", "tan", "exp", "log", "log10", "asin", "acos", "atan", "sinh", "cosh",
                    "tanh",
                ]);
                format!("tonumber(string.format('%.10g',math.{name}({})))", self.number(depth))
            }
            6 => format!("math.fmod({},{})", self.number(depth), self.number(depth)),
            7 => {
                let name = self.one_of(&["max", "min"]);
                format!("math.{name}({})", self.list(0..4, |author| author.number(depth)))
            }
            8 => format!("math.ldexp({},{})", self.number(depth), self.random.i32(-80..80)),
            9 => format!("math.random({})", self.list(0..3, |author| author.number(0))),
            10 => format!(
                "tonumber(string.format('%.10g',math.{}({},{})))",
                self.one_of(&["atan2", "pow"]),
                self.number(depth),
                self.number(depth)
            ),
            _ => self.one_of(&["math.huge", "math.pi", "math.randomseed(7)"]).into(),
        }
    }

    /// A string, or, by mistake, something else.
    pub fn string(&mut self, depth: u32) -> String {
        const LITERALS: [&str; 24] = [
            "''",
            "'a'",
            "'abc'",
            "'hello world'",
            "'10'",
            "'-3.5'",
            "'0x1f'",
            "' 12 '",
            "'1e2'",
            "'z'",
            "'k1'",
            "'\\0'",
            "'a\\0b'",
            "'\\t'",
            "'\\255\\254'",
            "'\\195\\169'",
            "'\"q\"'",
            "[[long]]",
            "'nan'",
            "'inf'",
            "'true'",
            "'nil'",
            "'a,b,c'",
            "'Key=Val'",
        ];
        if depth == 0 {
            return format!("({})", self.one_of(&LITERALS));
        }
        if self.once_in(25) {
            return self.any(depth - 1);
        }
        let next = depth - 1;
        match self.random.u8(0..22) {
            0..4 => format!("({}..{})", self.string(next), self.string(next)),
            4 => format!("({}..{})", self.string(next), self.number(next)),
            5 => format!("({}):sub({})", self.string(next), self.list(1..3, |author| author.number(0))),
            // Not more repetitions: nested strings would grow.
            6 => format!("string.rep({},{})", self.string(0), self.random.i32(-2..9)),
            7..9 => {
                let name = self.one_of(&["upper", "lower", "reverse", "len", "byte"]);
                format!("string.{name}({})", self.string(next))
            }
            9..12 => self.format(next),
            12 => {
                format!("string.char({})", self.list(0..4, |author| author.random.i32(-1..258).to_string()))
            }
            13..15 => format!("tostring({})", self.printable(next)),
            15 => {
                let separator =
                    if self.random.bool() { format!(",{}", self.string(0)) } else { String::new() };
                format!("table.concat({}{separator})", self.sequence(next))
            }
            16 => format!("cjson.encode({})", self.any(next)),
            17 => format!("redis.sha1hex({})", self.string(next)),
            18 => format!("type({})", self.any(next)),
            19 => format!("(string.gsub({},{},{}))", self.string(next), self.pattern(), self.replacement()),
            20 => format!("bit.tohex({})", self.list(1..3, |author| author.number(0))),
            _ => format!("({} or {})", self.truth(next), self.string(next)),
        }
    }

    /// A value that `tostring` shows without an address.
    fn printable(&mut self, depth: u32) -> String {
        match self.random.u8(0..4) {
            0 => self.truth(depth),
            1 => "nil".into(),
            _ => format!("({}+0)", self.number(depth)),
        }
    }

    fn format(&mut self, depth: u32) -> String {
        let (mut format, mut values) = (String::new(), Vec::new());
        for _ in 0..self.random.usize(1..4) {
            format.push_str(self.one_of(&["", "", "x", " ", "%%"]));
            format.push('%');
            format.push_str(self.one_of(&["", "", "", "-", "+", " ", "#", "0", "-0", "+-"]));
            format.push_str(self.one_of(&["", "", "", "1", "5", "12", "99", "100"]));
            format.push_str(self.one_of(&["", "", "", ".0", ".3", ".15", ".", ".99"]));
            let kind = self.one_of(&[
                "d", "i", "s", "s", "x", "X", "o", "u", "c", "e", "f", "g", "G", "q", "E", "y", "5",
            ]);
            format.push_str(kind);
            let value = match kind {
                "s" | "q" if self.random.bool() => self.string(depth),
                "d" | "i" | "c" | "x" | "X" | "o" | "u" => self.number(0),
                _ => self.number(depth),
            };
            if !self.once_in(20) {
                values.push(value);
            }
        }
        format!(
            "string.format({}{})",
            quoted(format.as_bytes()),
            values.iter().fold(String::new(), |all, one| all + "," + one)
        )
    }

    /// A truth value.
    pub fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.one_of(&["true", "false"]).into();
        }
        let next = depth - 1;
        match self.random.u8(0..7) {
            0 => format!("({}=={})", self.any(next), self.any(next)),
            1..3 => {
                let operator = self.one_of(&["<", "<=", ">", ">=", "~="]);
                format!("({}{operator}{})", self.number(next), self.number(next))
            }
            3 => {
                let operator = self.one_of(&["<", "<=", ">", ">=", "==", "~="]);
                format!("({}{operator}{})", self.string(next), self.string(next))
            }
            4 => format!("(not {})", self.any(next)),
            5 => format!("rawequal({},{})", self.any(next), self.any(next)),
            _ => self.one_of(&["true", "false"]).into(),
        }
    }

    /// A table.
    pub fn table(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self
                .one_of(&["{}", "{1,2,3}", "{a=1}", "{'x','y'}", "{1,nil,3}", "{[2]=1}", "{n=0,5}"])
                .into();
        }
        let next = depth - 1;
        match self.random.u8(0..9) {
            0..3 => self.sequence(next),
            3..6 => {
                let fields = self.list(0..6, |author| {
                    let value = author.any(next);
                    match author.random.u8(0..5) {
                        0 => value,
                        1 => format!("[{}]={value}", author.random.i32(-3..20)),
                        2 => format!(
                            "[{}]={value}",
                            author.one_of(&["1.5", "true", "'1'", "-0", "2^53", "1e300"])
                        ),
                        _ => format!(
                            "{}={value}",
                            author.one_of(&["a", "b", "c", "key", "x10", "n", "foo", "longer_name"])
                        ),
                    }
                });
                format!("{{{fields}}}")
            }
            6 => format!("{{string.find({},{})}}", self.subject(), self.pattern()),
            7 => format!("cjson.decode({})", self.json_text()),
            _ => {
                let tail = self.list(0..3, |author| author.random.i32(-2..6).to_string());
                let tail = if tail.is_empty() { tail } else { format!(",{tail}") };
                format!("{{unpack({}{tail})}}", self.sequence(next))
            }
        }
    }

    /// A table of elements in a row.
    fn sequence(&mut self, depth: u32) -> String {
        let elements = self.list(0..5, |author| match author.random.u8(0..10) {
            0 => author.any(depth),
            1..6 => author.number(depth.min(1)),
            _ => author.string(depth.min(1)),
        });
        format!("{{{elements}}}")
    }

    /// The key of a field. The position of a table as a key would depend on its address.
    fn key(&mut self) -> String {
        match self.random.u8(0..6) {
            0 => self.truth(0),
            1 => "nil".into(),
            2..4 => format!("(0+{})", self.random.i32(-2..9)),
            4 => format!("(0+{})", self.number(0)),
            _ => format!("(''..{})", self.string(0)),
        }
    }

    fn table_statement(&mut self) -> String {
        let table = if self.random.bool() { self.sequence(1) } else { self.table(2) };
        let done = match self.random.u8(0..14) {
            0 => format!("table.insert(t,{})", self.any(1)),
            1 => format!("table.insert(t,{},{})", self.random.i32(-2..9), self.any(1)),
            2 => format!("s(table.remove(t{}))", self.one_of(&["", ",1", ",2", ",9", ",0"])),
            3 => "table.sort(t)".into(),
            4 => "table.sort(t,function(a,b) return v(a,0)>v(b,0) end)".into(),
            5 => "for i,x in ipairs(t) do s(i,x) end".into(),
            6 => format!("t[{}]={} s(#t,next(t))", self.key(), self.any(1)),
            7 => format!("s(rawget(t,{}),rawset(t,{},{}))", self.any(1), self.key(), self.any(0)),
            8 => "table.foreach(t,function(k,x) s(k,x) if k==2 then return k end end)".into(),
            9 => format!(
                "s(table.foreachi(t,function(i,x) s(i,x) if i=={} then return x end end))",
                self.number(0)
            ),
            10 => "s(table.getn(t),table.maxn(t),#t)".into(),
            11 => "for i=1,20 do t[i]=i t[i*3]=nil end s(#t)".into(),
            12 => "for i=1,9 do t['f'..i]=i end for k in pairs(t) do t[k]=nil end s(next(t))".into(),
            _ => format!("s(table.concat(t,{},{},{}))", self.string(0), self.number(0), self.number(0)),
        };
        format!("p(function() local t={table} {done} return t end)")
    }

    fn loop_statement(&mut self) -> String {
        match self.random.u8(0..5) {
            0 => {
                let step = self.one_of(&["", ",1", ",-1", ",0.1", ",3", ",'2'"]);
                let (from, to) = (self.random.i32(-3..3), self.random.i32(-3..9));
                format!("p(function() local n=0 for i={from},{to}{step} do n=n+i if n>99 then break end end return n end)")
            }
            1 => format!("p(function() for i={},{} do return i end end)", self.any(1), self.any(1)),
            2 => format!("p(function() for a,b in {} do return a,b end end)", self.any(1)),
            3 => format!("p(function(...) local a,b=... return select('#',...),a,b,... end,{})", self.any(1)),
            _ => "do local i=0 repeat local j=i i=i+1 until j>3 s(i) while i>0 do i=i-2 if i==1 then break end end s(i) end".into(),
        }
    }

    /// Errors of all kinds.
    fn error_statement(&mut self) -> String {
        let thrown = match self.random.u8(0..8) {
            0 => format!("error({})", self.string(1)),
            1 => format!("error({},{})", self.string(1), self.random.u8(0..4)),
            2 => format!("error({{err={}}})", self.string(1)),
            3 => format!("error(redis.error_reply({}))", self.string(1)),
            4 => format!("assert({},{})", self.any(1), self.string(0)),
            5 => {
                let wrong = [
                    "local a return a.b",
                    "local t={} t.x.y=1",
                    "local a='x' return a+1",
                    "local f f()",
                    "return 1<'x'",
                    "return {}<{}",
                    "return #nil",
                    "return -{}",
                    "return nil..'x'",
                    "undefined()",
                    "x=1",
                    "return ('x')()",
                    "local t={} t[nil]=1",
                    "local t={} t[0/0]=1",
                    "return 2 .. {}",
                    "string.rep()",
                    "('x'):rep({})",
                    "('x'):nosuch()",
                    "return math.floor('a')",
                    "error()",
                    "redis.call()",
                    "redis.call('get')",
                    "redis.call('nosuch')",
                    "redis.nosuch()",
                    "return tostring()",
                    "setmetatable(1,{})",
                    "return ipairs()",
                    "return select(0)",
                    "next({},1)",
                ];
                self.one_of(&wrong).into()
            }
            6 => format!("error({})", self.number(1)),
            _ => format!("local x={}.f", self.any(1)),
        };
        match self.random.u8(0..8) {
            0 => format!("do {thrown} end"),
            1 => format!("s(xpcall(function() {thrown} end,function(m) return 'h',v(m,0) end))"),
            2 => format!("s(xpcall(function() {thrown} end,function(m) {thrown} end))"),
            3 => format!("s(select('#',pcall(pcall,function() {thrown} end)))"),
            4 => format!("p(function() local ok,e=pcall(function() {thrown} end) error(e) end)"),
            5 => format!("p(function() local ok,e=pcall(function() {thrown} end) error(e,0) end)"),
            _ => format!("p(function() {thrown} end)"),
        }
    }

    fn metatable_statement(&mut self) -> String {
        let value = self.any(1);
        let used = self.one_of(&[
            "t.nosuch",
            "t[1]",
            "t+1",
            "1-t",
            "t..'x'",
            "'x'..t",
            "-t",
            "#t",
            "t<t",
            "t<=1",
            "t==t",
            "t()",
            "t(1,2)",
            "t%2",
            "t^2",
            "rawget(t,'nosuch')",
            "getmetatable(t)",
            "setmetatable(t,{})",
            "pairs(t)==nil",
        ]);
        let name = self.one_of(&[
            "__index",
            "__add",
            "__sub",
            "__concat",
            "__unm",
            "__len",
            "__lt",
            "__le",
            "__eq",
            "__call",
            "__mod",
            "__pow",
            "__metatable",
            "__tostring",
            "__newindex",
        ]);
        let method = if self.random.bool() { format!("function(a,b) return {value} end") } else { value };
        format!(
            "p(function() local t=setmetatable({{}},{{{name}={method}}}) t.z={} return {used} end)",
            self.number(0)
        )
    }

    fn coroutine_statement(&mut self) -> String {
        let (one, two) = (self.any(1), self.any(1));
        match self.random.u8(0..6) {
            0 => format!(
                "do local c=coroutine.create(function(a) local b=coroutine.yield({one},a) return b,{two} end) \
                 s(coroutine.resume(c,1)) s(coroutine.resume(c,2)) s(coroutine.resume(c)) s(coroutine.status(c)) end"
            ),
            1 => format!("p(function() local f=coroutine.wrap(function() coroutine.yield({one}) error({two}) end) s(f()) return f() end)"),
            2 => format!("p(function() for x in coroutine.wrap(function() for i=1,3 do coroutine.yield(i,{one}) end end) do s(x) end end)"),
            3 => format!("s(coroutine.resume(coroutine.create(function() local x={one} return x.y.z end)))"),
            4 => "p(function() local c=coroutine.wrap(function() return redis.call('incr','k4') end) return c() end)".into(),
            _ => self.one_of(&[
                "s(coroutine.running())",
                "p(coroutine.resume)",
                "p(coroutine.resume,1)",
                "p(coroutine.yield,1)",
                "p(coroutine.wrap,1)",
                "p(coroutine.status,{})",
                "p(function() local c c=coroutine.create(function() return coroutine.resume(c) end) return coroutine.resume(c) end)",
                "p(function() return coroutine.wrap(function() return pcall(coroutine.yield,1) end)() end)",
            ])
            .into(),
        }
    }

    /// `load` and `loadstring`, also of texts that are not programs.
    fn loading_statement(&mut self) -> String {
        let text = format!("return {}", self.any(2));
        let text = if self.random.bool() { self.mangled(&text) } else { text };
        let text = quoted(text.as_bytes());
        match self.random.u8(0..5) {
            0..3 => format!("do local f,e=loadstring({text}) s(e) if f then p(f) end end"),
            3 => format!(
                "do local f,e=loadstring({text},{}) s(e) if f then p(f) end end",
                // Without line breaks: Redis 8.2 leaves them in errors, after which nothing can be read.
                self.one_of(&["'@n'", "'=n'", "'n'", "'a\tb'"])
            ),
            _ => format!(
                "do local t={text} local i=0 local f,e=load(function() i=i+3 return t:sub(i-2,i) end) s(e) if f then p(f) end end"
            ),
        }
    }

    fn sandbox_statement(&mut self) -> String {
        let library = self.one_of(&[
            "string",
            "table",
            "math",
            "redis",
            "cjson",
            "bit",
            "struct",
            "cmsgpack",
            "_G",
            "coroutine",
        ]);
        match self.random.u8(0..10) {
            0 => format!("p(function() {library}.x=1 end)"),
            1 => format!("p(rawset,{library},'x',1)"),
            2 => format!("p(setmetatable,{library},{{}})"),
            3 => format!("s(type(getmetatable({library})))"),
            4 => format!("p(table.insert,{library},1)"),
            5 => format!("s(type(next({library})),#{library},rawget({library},'nosuch'))"),
            6 => format!("p(function() return {library}.nosuch end)"),
            7 => format!(
                "s(type({library}.{}))",
                self.one_of(&["call", "format", "encode", "band", "pack", "sort", "floor"])
            ),
            8 => format!(
                "p(function() local n=0 for k,x in pairs({library}) do n=n+1 if type(k)~='string' then return k end end return n>0 end)"
            ),
            _ => format!(
                "p(function() return {} end)",
                self.one_of(&[
                    "print", "os.time", "io", "debug", "require", "dofile", "getfenv", "newproxy", "arg",
                    "KEYS[1]", "ARGV[1]", "#KEYS", "_VERSION"
                ])
            ),
        }
    }

    /// A text with a character removed, doubled or added.
    pub fn mangled(&mut self, text: &str) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        if characters.is_empty() {
            return String::new();
        }
        let at = self.random.usize(0..characters.len());
        match self.random.u8(0..3) {
            0 => drop(characters.remove(at)),
            1 => characters.insert(at, characters[at]),
            _ => {
                let other = self.one_of(&[
                    "(", ")", "end", " ", "\n", "=", "'", "]]", "--", "~", "1", "{", "\\", ".", "@",
                ]);
                characters.splice(at..at, other.chars());
            }
        }
        characters.into_iter().collect()
    }

    /// What a script returns.
    pub fn end(&mut self) -> String {
        match self.random.u8(0..10) {
            0..6 => "return r".into(),
            6 | 7 => format!("return {}", self.reply(3)),
            8 => format!("return {{{},r}}", self.reply(2)),
            _ => format!("return {}", self.any(2)),
        }
    }

    /// A value most of whose parts become replies of different kinds.
    pub fn reply(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.random.u8(0..6) {
                0 => self.truth(0),
                1 => self
                    .one_of(&["nil", "3.99", "-3.99", "1e3", "2^53", "1/0", "0/0", "-2^63", "2^64", "-0.9"])
                    .into(),
                2 => "redis.call".into(),
                _ => self.string(0),
            };
        }
        let next = depth - 1;
        match self.random.u8(0..16) {
            0 => format!("{{ok={}}}", self.string(1)),
            1 => format!("{{err={}}}", self.string(1)),
            2 => format!("{{double={}}}", self.number(1)),
            3 => format!("{{map={{a={},[{}]={}}}}}", self.reply(next), self.number(0), self.reply(next)),
            4 => format!("{{set={{a=true,[{}]={}}}}}", self.number(0), self.reply(0)),
            5 => format!(
                "{{big_number={}}}",
                self.one_of(&["'123'", "'-12345678901234567890'", "'1\\r\\n2'", "'a\\0b'", "5", "''"])
            ),
            6 => format!(
                "{{verbatim_string={{format={},string={}}}}}",
                self.one_of(&["'txt'", "'mkd'", "'x'", "'long'", "1", "''"]),
                self.string(0)
            ),
            7 => format!("redis.error_reply({})", self.list(0..3, |author| author.string(1))),
            8 => format!("redis.status_reply({})", self.list(0..3, |author| author.string(1))),
            9 => format!(
                "{{{}={},{}={}}}",
                self.one_of(&["ok", "err", "map"]),
                self.reply(0),
                self.one_of(&["double", "set", "a"]),
                self.reply(0)
            ),
            10 => format!("setmetatable({{{}}},{{__index={{ok='x'}}}})", self.reply(0)),
            11 => self.number(1),
            _ => format!("{{{}}}", self.list(0..4, |author| author.reply(next))),
        }
    }
}
