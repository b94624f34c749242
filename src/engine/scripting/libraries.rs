//! FUNCTION and FCALL.

use std::sync::Arc;

use super::Scripts;
use super::functions::{self, Libraries, Library};
use super::host::Access;
use super::interpreter::{Callee, Purpose, To};
use crate::clients::ClientKey;
use crate::config::Version;
use crate::data::dump::{LibrariesError, dump_libraries, restore_libraries};
use crate::data::pattern;
use crate::engine::Engine;
use crate::engine::command_life::Finished;
use crate::resp::{Args, Protocol, Reply, parse_integer};
use crate::spec::Error;
use crate::spec::Functions as Kind;
use crate::state::State;

impl Scripts {
    /// Runs the text of a library.
    fn run_library(&mut self, text: &[u8], state: &State) -> Result<Library, Error> {
        let (name, body) = functions::name_and_body(text)?;
        let functions = self
            .interpreter(Purpose::Functions, &state.config)?
            .load_library(body)
            .map_err(Error::from_bytes)?;
        if functions.is_empty() {
            return Err(Error::new("ERR No functions registered"));
        }
        Ok(Library { name, text: text.to_vec(), functions })
    }

    /// Loads a library, which replaces one of the same name if `replaces`.
    fn load_library(&mut self, text: &[u8], replaces: bool, state: &mut State) -> Result<Vec<u8>, Error> {
        let (name, _) = functions::name_and_body(text)?;
        if !replaces && self.libraries.contains(&name) {
            return Err(Error::quoting("ERR Library '", &name, "' already exists"));
        }
        let library = self.run_library(text, state)?;
        self.libraries.add(library)?;
        self.count_functions(state);
        Ok(name)
    }

    /// Adds the libraries of a payload, all or none.
    fn restore_libraries(&mut self, payload: &[u8], policy: Policy, state: &mut State) -> Result<(), Error> {
        let texts = restore_libraries(payload).map_err(|error| {
            Error::new(match error {
                LibrariesError::Footer => "ERR DUMP payload version or checksum are wrong",
                LibrariesError::Early => "ERR Pre-GA function format not supported",
                LibrariesError::Other => "ERR given type is not a function",
                LibrariesError::Malformed => "ERR Failed loading library payload",
            })
        })?;
        self.add_libraries(&texts, policy, state)
    }

    fn add_libraries(&mut self, texts: &[Vec<u8>], policy: Policy, state: &mut State) -> Result<(), Error> {
        let mut new = Libraries::default();
        for text in texts {
            let (name, _) = functions::name_and_body(text)?;
            if new.contains(&name) {
                return Err(Error::quoting("ERR Library '", &name, "' already exists"));
            }
            new.add(self.run_library(text, state)?)?;
        }
        let mut all = if policy == Policy::Flush { Libraries::default() } else { self.libraries.clone() };
        for library in new.iter() {
            if policy == Policy::Append && all.contains(&library.name) {
                return Err(Error::quoting("ERR Library ", &library.name, " already exists"));
            }
            all.add(library.clone())?;
        }
        self.libraries = all;
        self.count_functions(state);
        Ok(())
    }

    /// Adds the libraries with these texts, all or none, to those that there are or, if `flushes`, in their place. One
    /// that exists is an error, unless `replaces`.
    fn load_libraries(
        &mut self,
        texts: &[Vec<u8>],
        flushes: bool,
        replaces: bool,
        state: &mut State,
    ) -> Result<(), Error> {
        let policy = match (flushes, replaces) {
            (true, _) => Policy::Flush,
            (false, true) => Policy::Replace,
            (false, false) => Policy::Append,
        };
        if texts.is_empty() && flushes {
            // No interpreter is made for nothing.
            self.flush_libraries(state);
            return Ok(());
        }
        self.add_libraries(texts, policy, state)
    }

    fn count_functions(&self, state: &mut State) {
        state.functions = self.libraries.count();
    }

    /// Removes all libraries, and what they have left in the interpreter.
    pub(super) fn flush_libraries(&mut self, state: &mut State) {
        self.libraries = Libraries::default();
        self.functions = None;
        self.count_functions(state);
    }
}

/// What FUNCTION RESTORE does with the existing libraries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Append,
    Replace,
    Flush,
}

fn is(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

impl Engine {
    /// The texts of all libraries.
    pub(in crate::engine) fn library_texts(&self) -> impl Iterator<Item = &[u8]> {
        self.scripts.libraries.iter().map(|library| &*library.text)
    }

    /// Loads the libraries of a file, see [`Scripts::load_libraries`].
    pub(in crate::engine) fn load_libraries(
        &mut self,
        texts: &[Vec<u8>],
        flushes: bool,
        replaces: bool,
    ) -> Result<(), Error> {
        self.scripts.load_libraries(texts, flushes, replaces, &mut self.state)
    }

    /// FUNCTION.
    pub(super) fn functions_command(
        &mut self,
        kind: Kind,
        args: Args<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<(), Error> {
        match kind {
            Kind::Load => {
                let (options, text) = (args.range(2, args.len() - 1), &args[args.len() - 1]);
                if let Some(unknown) = options.iter().find(|option| !is(option, "replace")) {
                    return Err(Error::quoting("ERR Unknown option given: ", unknown, ""));
                }
                let name = self.scripts.load_library(text, !options.is_empty(), &mut self.state)?;
                reply.bulk(&name);
            }
            Kind::List => return self.list_libraries(args, reply),
            Kind::Delete => {
                if !self.scripts.libraries.remove(&args[2]) {
                    return Err(Error::new("ERR Library not found"));
                }
                self.scripts.count_functions(&mut self.state);
                reply.ok();
            }
            Kind::Flush => {
                if args.len() > 3 {
                    return Err(Error::subcommand_syntax(&args[1], "FUNCTION"));
                }
                if args.get(2).is_some_and(|mode| !is(mode, "sync") && !is(mode, "async")) {
                    return Err(Error::new("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
                }
                self.scripts.flush_libraries(&mut self.state);
                reply.ok();
            }
            Kind::Dump => {
                let texts = self.scripts.libraries.iter().map(|library| &*library.text);
                reply.bulk(&dump_libraries(texts, self.state.config.compat >= Version::Redis8_0));
            }
            Kind::Restore => {
                if args.len() > 4 {
                    return Err(Error::subcommand_syntax(&args[1], "FUNCTION"));
                }
                let policy = match args.get(3) {
                    None => Policy::Append,
                    Some(word) if is(word, "append") => Policy::Append,
                    Some(word) if is(word, "replace") => Policy::Replace,
                    Some(word) if is(word, "flush") => Policy::Flush,
                    Some(_) => {
                        let text =
                            "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
                        return Err(Error::new(format!("ERR {text}")));
                    }
                };
                self.scripts.restore_libraries(&args[2], policy, &mut self.state)?;
                reply.ok();
            }
            Kind::Stats => {
                let (libraries, functions) = self.state.functions;
                let running = match &self.state.busy {
                    None => None,
                    Some(busy) => match &busy.function {
                        None => return Err(Error::new(busy.error())),
                        Some((name, command)) => Some((name, command, busy.lasted)),
                    },
                };
                reply.map(2);
                reply.bulk(b"running_script");
                match running {
                    None => reply.null(),
                    Some((name, command, lasted)) => {
                        reply.map(3);
                        reply.bulk(b"name");
                        reply.bulk(name);
                        reply.bulk(b"command");
                        reply.array(command.args().len());
                        command.args().iter().for_each(|argument| reply.bulk(argument));
                        reply.bulk(b"duration_ms");
                        reply.integer(i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX));
                    }
                }
                reply.bulk(b"engines");
                reply.map(1);
                reply.bulk(b"LUA");
                reply.map(2);
                reply.bulk(b"libraries_count");
                reply.count(libraries);
                reply.bulk(b"functions_count");
                reply.count(functions);
            }
        }
        Ok(())
    }

    fn list_libraries(&self, args: Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        let (mut with_code, mut wanted, mut at) = (false, None, 2);
        while let Some(option) = args.get(at) {
            at += 1;
            if !with_code && is(option, "withcode") {
                with_code = true;
            } else if wanted.is_none() && is(option, "libraryname") {
                let given = args.get(at).ok_or(Error::new("ERR library name argument was not given"))?;
                wanted = Some(given);
                at += 1;
            } else {
                return Err(Error::quoting("ERR Unknown argument ", option, ""));
            }
        }
        let is_wanted =
            |library: &&Library| wanted.is_none_or(|wanted| pattern::matches(wanted, &library.name, true));
        let listed: Vec<_> = self.scripts.libraries.iter().filter(is_wanted).collect();
        reply.array(listed.len());
        for library in listed {
            reply.map(if with_code { 4 } else { 3 });
            reply.bulk(b"library_name");
            reply.bulk(&library.name);
            reply.bulk(b"engine");
            reply.bulk(b"LUA");
            reply.bulk(b"functions");
            reply.array(library.functions.len());
            for function in &library.functions {
                reply.map(3);
                reply.bulk(b"name");
                reply.bulk(&function.name);
                reply.bulk(b"description");
                reply.bulk_or_null(function.description.as_deref());
                reply.bulk(b"flags");
                let flags = function.flags.names();
                reply.set(flags.clone().count());
                flags.for_each(|flag| reply.simple(flag));
            }
            if with_code {
                reply.bulk(b"library_code");
                reply.bulk(&library.text);
            }
        }
        Ok(())
    }

    /// FCALL and FCALL_RO.
    pub(super) fn call_function(
        &mut self,
        client: ClientKey,
        args: Args<'_>,
        read_only: bool,
        (protocol, out): (Protocol, &mut Vec<u8>),
        finished: &mut Finished,
    ) -> Result<(), Error> {
        if self.scripts.functions.is_none() {
            // There is no interpreter yet, or it was lost in a panic: then its libraries are lost too.
            self.scripts.flush_libraries(&mut self.state);
        }
        let found = self.scripts.libraries.function(&args[1]).ok_or(Error::new("ERR Function not found"))?;
        let found = Arc::clone(found);
        let keys = parse_integer(&args[2]).ok_or(Error::new("ERR Bad number of keys provided"))?;
        let keys = super::key_count(keys, args)?;
        let access = Access::new(read_only, Some(found.flags))?;
        let given = (args.range(3, 3 + keys).iter(), args.from(3 + keys).iter());
        let to = To { protocol, version: self.state.config.compat };
        let ended =
            self.run_script(Purpose::Functions, (client, args, access), |interpreter, host, run| {
                interpreter.run(host, &Callee::Function(&found, args), given, run, (to, out))
            })?;
        self.end_script(ended, &found.name, finished)
    }
}
