//! `cjson`, `cmsgpack`, `struct`, `bit`, and the functions of `redis` besides commands.

use super::{Author, quoted};

impl Author<'_> {
    pub(super) fn library_statement(&mut self) -> String {
        match self.random.u8(0..20) {
            0..5 => self.json_statement(),
            5..9 => self.message_pack_statement(),
            9..13 => self.struct_statement(),
            13..16 => {
                let bits = self.bits(2);
                self.shown(&bits)
            }
            _ => self.redis_statement(),
        }
    }

    /// A text of JSON, right or wrong, as a string of Lua.
    pub(super) fn json_text(&mut self) -> String {
        let text = self.json(3);
        let text = if self.once_in(3) { self.mangled(&text) } else { text };
        quoted(text.as_bytes())
    }

    fn json(&mut self, depth: u32) -> String {
        if depth == 0 || self.once_in(4) {
            return self
                .one_of(&[
                    "1",
                    "0",
                    "-1",
                    "-0",
                    "1.5",
                    "1e3",
                    "1E+2",
                    "12345678901234567890",
                    "0x10",
                    "1.",
                    ".5",
                    "01",
                    "nan",
                    "-inf",
                    "Infinity",
                    "+1",
                    "true",
                    "false",
                    "null",
                    "\"\"",
                    "\"a\"",
                    "\"\\n\\/\\\"\"",
                    "\"\\u00e9\\u20ac\"",
                    "\"\\ud83d\\ude00\"",
                    "\"\\ud83d\"",
                    "\"\\x\"",
                    "\"\\u12\"",
                    "\"tab\t\"",
                    "\"\\u0000\"",
                    "9007199254740993",
                    "tru",
                    "1e400",
                    "\"é\"",
                ])
                .into();
        }
        let space = self.one_of(&["", "", "", " ", "\n", "\t "]);
        if self.random.bool() {
            let elements = self.list(0..4, |author| author.json(depth - 1));
            return format!("[{space}{elements}{space}]");
        }
        let fields = self.list(0..4, |author| {
            let name =
                author.one_of(&["\"a\"", "\"b\"", "\"1\"", "\"\"", "\"key\"", "\"a\"", "\"longer name\""]);
            format!("{name}{space}:{}", author.json(depth - 1))
        });
        format!("{{{space}{fields}}}")
    }

    fn json_statement(&mut self) -> String {
        match self.random.u8(0..12) {
            0..4 => {
                let value = if self.once_in(4) { self.reply(2) } else { self.any(3) };
                self.shown(&format!("cjson.encode({value})"))
            }
            4..7 => {
                let text = self.json_text();
                self.shown(&format!("cjson.decode({text})"))
            }
            7 => format!("p(function() return cjson.encode(cjson.decode({})) end)", self.json_text()),
            8 => format!("p(function() return cjson.decode(cjson.encode({})) end)", self.table(2)),
            9 => format!(
                "p({},{})",
                self.one_of(&["cjson.decode", "cjson.encode"]),
                self.list(1..3, |author| author.any(1))
            ),
            10 => self
                .one_of(&[
                    "s(cjson.null==nil,type(cjson.null),cjson.encode(cjson.null),cjson.encode({cjson.null}))",
                    "p(cjson.encode,{[1]=1,[20]=2})",
                    "p(cjson.encode,{[1]=1,[4]=2})",
                    "p(cjson.encode,{1,2,a=3})",
                    "p(cjson.encode,{[1.5]=1})",
                    "p(cjson.encode,{[true]=1})",
                    "p(cjson.encode,{f=error})",
                    "p(cjson.encode)",
                    "p(cjson.decode)",
                    "p(function() local t={} t.t=t return cjson.encode(t) end)",
                    "s(cjson._NAME,cjson._VERSION)",
                    "p(cjson.encode,{[0]=1})",
                    "p(cjson.encode,{['1']=1,[1]=2})",
                    "p(cjson.encode,-0.0)",
                ])
                .into(),
            _ => {
                // A setting would last for the next script, too, so it is reset.
                let value = self.any(1);
                let (set, reset) = [
                    ("encode_number_precision(3)", "encode_number_precision(14)"),
                    ("encode_sparse_array(true)", "encode_sparse_array(false,2,10)"),
                    ("encode_sparse_array(false,1,1)", "encode_sparse_array(false,2,10)"),
                    ("encode_max_depth(1)", "encode_max_depth(1000)"),
                    ("decode_max_depth(1)", "decode_max_depth(1000)"),
                    ("encode_invalid_numbers(true)", "encode_invalid_numbers(false)"),
                    ("encode_invalid_numbers('null')", "encode_invalid_numbers(false)"),
                    ("decode_invalid_numbers(false)", "decode_invalid_numbers(true)"),
                ][self.random.usize(0..8)];
                let text = self.json_text();
                format!("s(cjson.{set}) p(cjson.encode,{value}) p(cjson.decode,{text}) s(cjson.{reset})")
            }
        }
    }

    /// Bytes, as a string of Lua.
    fn bytes(&mut self, lengths: std::ops::Range<usize>) -> String {
        let length = self.random.usize(lengths);
        let bytes: Vec<u8> = (0..length).map(|_| self.random.u8(..)).collect();
        quoted(&bytes)
    }

    fn message_pack_statement(&mut self) -> String {
        match self.random.u8(0..9) {
            0..3 => {
                let values = self.list(1..3, |author| author.any(3));
                self.shown(&format!("cmsgpack.pack({values})"))
            }
            3 => format!(
                "p(function() return cmsgpack.unpack(cmsgpack.pack({})) end)",
                self.list(0..4, |author| author.any(2))
            ),
            4 | 5 => {
                let bytes = self.bytes(0..8);
                self.shown(&format!("cmsgpack.unpack({bytes})"))
            }
            6 => format!(
                "p(function() return cmsgpack.unpack_one(cmsgpack.pack({}),{}) end)",
                self.list(1..4, |author| author.any(1)),
                self.random.i32(-1..6)
            ),
            7 => format!(
                "p(function() return cmsgpack.unpack_limit(cmsgpack.pack({}),{},{}) end)",
                self.list(1..4, |author| author.any(1)),
                self.random.i32(-1..4),
                self.random.i32(-1..4)
            ),
            _ => {
                let name = self.one_of(&["pack", "unpack", "unpack_one", "unpack_limit"]);
                format!("p(cmsgpack.{name},{})", self.list(1..4, |author| author.any(0)))
            }
        }
    }

    fn struct_format(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.random.usize(0..5) {
            text.push_str(
                self.one_of(&["", "", "", "", "<", ">", "=", "!", "!1", "!2", "!4", "!8", "!3", " "]),
            );
            text.push_str(self.one_of(&[
                "b", "B", "h", "H", "l", "L", "T", "i", "I", "f", "d", "s", "x", "c", "q", "i", "I", "c",
            ]));
            text.push_str(self.one_of(&[
                "",
                "",
                "",
                "",
                "0",
                "1",
                "2",
                "3",
                "4",
                "8",
                "16",
                "32",
                "33",
                "99999999999",
            ]));
        }
        quoted(text.as_bytes())
    }

    fn struct_statement(&mut self) -> String {
        let format = self.struct_format();
        match self.random.u8(0..8) {
            0..3 => {
                let values = self.list(0..5, |author| match author.random.u8(0..5) {
                    0 => author.string(0),
                    1 => "'abcdefghijklmnopqrstuvwxyz0123456789'".into(),
                    _ => author.number(1),
                });
                let comma = if values.is_empty() { "" } else { "," };
                self.shown(&format!("struct.pack({format}{comma}{values})"))
            }
            3..5 => {
                let bytes = self.bytes(0..40);
                let start = self.one_of(&["", "", "", ",1", ",2", ",0", ",-1", ",100", ",'2'"]);
                self.shown(&format!("struct.unpack({format},{bytes}{start})"))
            }
            5 => self.shown(&format!("struct.size({format})")),
            6 => format!(
                "p(function() return struct.unpack({format},struct.pack({format},{})) end)",
                self.list(4..5, |author| author.number(1))
            ),
            _ => format!(
                "p(struct.{},{})",
                self.one_of(&["pack", "unpack", "size"]),
                self.list(1..3, |author| author.any(0))
            ),
        }
    }

    pub(super) fn bits(&mut self, depth: u32) -> String {
        let (name, arguments) = match self.random.u8(0..4) {
            0 => (self.one_of(&["tobit", "bnot", "bswap"]), 1..2),
            1 => (self.one_of(&["band", "bor", "bxor"]), 1..4),
            2 => (self.one_of(&["lshift", "rshift", "arshift", "rol", "ror"]), 2..3),
            _ => (self.one_of(&["band", "lshift", "tobit"]), 0..3),
        };
        format!("bit.{name}({})", self.list(arguments, |author| author.number(depth)))
    }

    fn redis_statement(&mut self) -> String {
        match self.random.u8(0..8) {
            0 => format!("s(redis.status_reply({}))", self.string(1)),
            1 => format!("p(redis.error_reply,{})", self.list(1..3, |author| author.string(1))),
            2 => format!("p(redis.sha1hex,{})", self.any(1)),
            3 => format!(
                "p(redis.setresp,{})",
                self.one_of(&["2", "3", "2", "3", "2", "3", "4", "'3'", "{}", "2,3"])
            ),
            4 => format!("p(redis.acl_check_cmd,{})", self.list(1..3, |author| author.any(0))),
            5 => format!(
                "p(redis.log,{})",
                self.one_of(&["redis.LOG_DEBUG,'x'", "1", "redis.LOG_VERBOSE,{}", "99,'x'", "'x','y'"])
            ),
            6 => format!(
                "p(redis.set_repl,{})",
                self.one_of(&["redis.REPL_ALL", "redis.REPL_NONE", "7", "'x'", "1,2"])
            ),
            _ => self
                .one_of(&[
                    "s(redis.replicate_commands())",
                    "s(redis.breakpoint())",
                    "s(redis.LOG_DEBUG,redis.LOG_VERBOSE,redis.LOG_NOTICE,redis.LOG_WARNING)",
                    "s(redis.REPL_NONE,redis.REPL_AOF,redis.REPL_SLAVE,redis.REPL_REPLICA,redis.REPL_ALL)",
                    "p(redis.call)",
                    "p(redis.pcall)",
                    "p(redis.call,{})",
                    "p(redis.pcall,nil)",
                    "p(redis.call,'get',true)",
                    "p(redis.register_function,'f',error)",
                ])
                .into(),
        }
    }
}
