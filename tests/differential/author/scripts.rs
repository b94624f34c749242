//! Requests that run scripts and functions.

use super::{Author, Theme};
use crate::program::is_array;
use crate::random_requests::Requests;

/// The functions of the libraries of programs, and one that does not exist.
const FUNCTIONS: [&str; 5] = ["run", "peek", "fail", "send", "nosuch"];
const LIBRARIES: [&str; 7] = ["chat", "chat", "chat", "chat-again", "other", "clash", "none"];

/// The arguments of a script.
struct Call {
    script: &'static str,
    keys: Vec<String>,
    arguments: Vec<String>,
    /// It writes nothing, so that the read-only commands may call it.
    reads: bool,
}

impl Author {
    pub(super) fn script_request(&mut self) -> String {
        match self.random.u8(0..40) {
            0..12 => self.within_a_script(),
            12..27 => {
                let call = self.call();
                self.eval(call)
            }
            27..31 => self.function_call(),
            31..34 => self.library_request(),
            34..36 => {
                let script = self.call().script;
                self.scripts.push(script);
                format!("SCRIPT LOAD {{script:{script}}}")
            }
            36 => {
                let script = self.call().script;
                format!("SCRIPT EXISTS {{sha:{script}}} {{sha:count}} x")
            }
            37 => self
                .one_of(&["SCRIPT FLUSH", "SCRIPT FLUSH ASYNC", "SCRIPT FLUSH SYNC", "SCRIPT KILL"])
                .into(),
            38 => self
                .one_of(&[
                    "EVAL {script:number} x",
                    "EVAL {script:number} 2 k0",
                    "EVAL {script:number} -1",
                    "EVAL {script:number}",
                    "EVAL {script:broken} 1 k0",
                    "SCRIPT LOAD {script:broken}",
                    "EVALSHA {sha:broken} 0",
                    "EVALSHA x 0",
                    "SCRIPT FLUSH x",
                    "SCRIPT EXISTS",
                    "SCRIPT x",
                    "FCALL send x",
                    "FCALL send 1",
                ])
                .into(),
            _ => "EVAL {script:kinds} 0".into(),
        }
    }

    /// Sends a request, or several, from inside a script or a function.
    fn within_a_script(&mut self) -> String {
        let (script, count) = match self.random.u8(0..10) {
            0..3 => ("call", 1),
            3 => ("pcall", 1),
            4 => ("call3", 1),
            5 => ("pcall3", 1),
            6..9 => ("each", self.small()),
            _ => ("each3", self.small()),
        };
        if count > 1 || script.starts_with("each") {
            let requests: Vec<String> = (0..count).map(|_| self.inner_request() + " ;").collect();
            return self.eval(Call { script, keys: vec![], arguments: requests, reads: false });
        }
        let request = self.inner_request();
        if self.once_in(5) {
            return format!("FCALL run 0 {request}");
        }
        let reads = self.random.bool();
        self.eval(Call { script, keys: vec![], arguments: vec![request], reads })
    }

    /// A request that a script sends.
    fn inner_request(&mut self) -> String {
        loop {
            let theme = self.theme();
            let request = match theme {
                Theme::Transactions => {
                    self.one_of(&["MULTI", "EXEC", "WATCH k0", "UNWATCH", "DISCARD", "PING"]).into()
                }
                // A script neither runs nor loads another.
                Theme::Scripts if self.once_in(10) => {
                    self.one_of(&["EVAL x 0", "SCRIPT LOAD x", "FCALL send 0"]).into()
                }
                Theme::Scripts if self.random.bool() => self.pubsub_request(|random| random.u8(0..24)),
                Theme::Scripts => self.list_request(|random| random.u8(0..26)),
                theme => self.request_of(theme),
            };
            // In an answer to EVAL, the comparison cannot recognize what differs by nature: idle times, and unordered
            // elements.
            let differs_by_nature =
                ["XINFO", "XPENDING", "CHANNELS", "HELLO"].iter().any(|word| request.contains(word));
            if is_array(&request) && !differs_by_nature {
                return request;
            }
        }
    }

    /// A call of one of the scripts.
    fn call(&mut self) -> Call {
        let reads = |script, keys| Call { script, keys, arguments: vec![], reads: true };
        let writes = |script, keys, arguments| Call { script, keys, arguments, reads: false };
        let channel = self.one_of(&["chat.1", "chat.2", "room"]).to_owned();
        match self.random.u8(0..32) {
            0..2 => reads("read", vec![self.any_key()]),
            2 => {
                let arguments = if self.once_in(4) { vec![self.fresh('v')] } else { vec![] };
                Call { arguments, ..reads("look", vec![self.key('s')]) }
            }
            3..5 => writes("count", vec![self.key('s')], vec![self.lifetime()]),
            5 => {
                let value = if self.once_in(3) { "1".into() } else { format!("v{}", self.last) };
                writes("release", vec![self.key('s')], vec![value])
            }
            6 => {
                let arguments = vec![self.fresh('v'), self.lifetime(), self.lifetime()];
                writes("expire", vec![self.key('s'), self.any_key()], arguments)
            }
            7..10 => {
                let other = self.one_of(&["chat.1", "chat.2", "room"]).to_owned();
                let arguments = vec![channel, self.fresh('m'), other, self.fresh('m'), self.fresh('m')];
                writes("publish", vec![self.key('s')], arguments)
            }
            10..14 => {
                let keys = vec![self.key('q'), self.key('z'), self.key('x'), self.key('q')];
                let member = format!("p{}", self.random.u8(0..5));
                let score = self.small().to_string();
                let arguments =
                    vec![self.fresh('i'), self.fresh('i'), score, member, self.new_id(), self.fresh('i')];
                writes("push", keys, arguments)
            }
            14..16 => writes("push-and-pop", vec![self.key('q')], vec![self.fresh('i'), self.fresh('i')]),
            16 => {
                let member = format!("p{}", self.random.u8(0..5));
                let id = if self.ids_given { self.new_id() } else { "999-1".into() };
                writes("add-and-remove", vec![self.key('z'), self.key('x')], vec![member, id])
            }
            17..19 => {
                writes("replace", vec![self.any_key(), self.key('q')], vec![self.fresh('i'), self.fresh('i')])
            }
            19..21 => writes("move", vec![self.key('q'), self.key('q')], vec![]),
            21 => writes("due", vec![self.key('z'), self.key('q')], vec![self.small().to_string()]),
            22..24 => {
                let database = self.random.u8(0..2).to_string();
                let arguments = vec![database, self.fresh('i'), self.new_id()];
                writes("select", vec![self.key('q'), self.key('x')], arguments)
            }
            24 => writes("group", vec![self.key('x')], vec![self.new_id(), self.fresh('e')]),
            25 => writes("fail", vec![self.key('s'), self.key('q')], vec![self.fresh('v')]),
            26 => writes("throw", vec![self.key('q')], vec![self.fresh('i')]),
            27 => writes("refuse", vec![], vec![channel, self.fresh('m')]),
            28..30 => reads("kinds", vec![]),
            30 => reads("nothing", vec![self.key('s')]),
            _ => reads("number", vec![self.any_key(), self.any_key()]),
        }
    }

    /// The time to live of a key. A script that a pause delays runs late, so its keys must not expire at a slot.
    fn lifetime(&mut self) -> String {
        if self.themes.contains(&Theme::Pause) { self.far() } else { self.millis() }
    }

    /// Runs a script by its text or by its name.
    fn eval(&mut self, call: Call) -> String {
        let only_reads = if call.reads { self.once_in(3) } else { self.once_in(25) };
        let suffix = if only_reads { "_RO" } else { "" };
        let Call { script, keys, arguments, .. } = call;
        let number = keys.len();
        let words = [keys, arguments].concat().join(" ");
        let is_known = self.scripts.contains(&script);
        let command = if self.once_in(if is_known { 2 } else { 10 }) {
            format!("EVALSHA{suffix} {{sha:{script}}}")
        } else {
            self.scripts.push(script);
            format!("EVAL{suffix} {{script:{script}}}")
        };
        format!("{command} {number} {words}").trim_end().to_owned()
    }

    fn function_call(&mut self) -> String {
        if !self.functions && !self.once_in(5) {
            return self.library_request();
        }
        let function = FUNCTIONS[self.random.usize(0..FUNCTIONS.len())];
        let suffix = if function == "peek" && self.random.bool() || self.once_in(20) { "_RO" } else { "" };
        let key = self.key('q');
        let words = match function {
            "run" => return format!("FCALL{suffix} run 0 {}", self.inner_request()),
            "peek" if self.once_in(4) => format!("{} {}", self.fresh('i'), self.fresh('i')),
            "peek" => String::new(),
            _ => format!("{} {}", self.fresh('i'), self.one_of(&["chat.1", "chat.2", "room"])),
        };
        format!("FCALL{suffix} {function} 1 {key} {words}").trim_end().to_owned()
    }

    fn library_request(&mut self) -> String {
        match self.random.u8(0..12) {
            0..7 => {
                self.functions = true;
                let library = self.one_of(&LIBRARIES);
                let replace = if self.random.bool() { "REPLACE " } else { "" };
                format!("FUNCTION LOAD {replace}{{library:{library}}}")
            }
            7 => format!("FUNCTION DELETE {}", self.one_of(&["chat", "other", "none"])),
            8 => self
                .one_of(&["FUNCTION LIST", "FUNCTION LIST WITHCODE", "FUNCTION LIST LIBRARYNAME c*"])
                .into(),
            9 => self.one_of(&["FUNCTION FLUSH", "FUNCTION FLUSH SYNC", "FUNCTION FLUSH ASYNC"]).into(),
            10 => self.one_of(&["FUNCTION STATS", "FUNCTION KILL", "FUNCTION x", "FUNCTION LOAD"]).into(),
            _ => {
                self.functions = true;
                "FUNCTION LOAD {library:chat}".into()
            }
        }
    }

    /// The scripts and functions that exist at the end.
    pub(super) fn read_scripts() -> Vec<String> {
        vec!["SCRIPT EXISTS {sha:call} {sha:each} {sha:count} {sha:push}".into(), "FUNCTION LIST".into()]
    }
}
