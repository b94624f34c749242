//! The COMMAND family: the rows of the table, for clients.
//!
//! Client libraries ask when they connect: redis-cli for its hints, cluster clients for the positions of keys.

use crate::config::Version;
use crate::data::pattern;
use crate::resp::Args;
use crate::spec::syntax::{self, Argument};
use crate::spec::{Begin, Categories, Command, Context, Error, Find, KeySpec, Outcome};

/// `COMMAND`: describes every command.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn command(ctx: &mut Context<'_>) -> Outcome {
    let commands = commands(ctx);
    ctx.reply.array(commands.len());
    for command in commands {
        write_info(ctx, command);
    }
    Ok(())
}

/// All commands of the configured version, without subcommands.
fn commands(ctx: &Context<'_>) -> Vec<&'static Command> {
    let version = ctx.state.config.compat;
    ctx.table().commands().filter(|command| command.is_in(version)).collect()
}

/// The command or subcommand of this full name, if the configured version has it.
fn lookup(ctx: &Context<'_>, name: &[u8]) -> Option<&'static Command> {
    ctx.table().lookup_full(name).filter(|command| command.is_in(ctx.state.config.compat))
}

/// The subcommands of a container that the configured version has.
fn subcommands(ctx: &Context<'_>, container: &'static Command) -> Vec<&'static Command> {
    let version = ctx.state.config.compat;
    container.subcommands.iter().filter(|command| command.is_in(version)).collect()
}

/// `COMMAND COUNT`: the number of commands, without subcommands.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn count(ctx: &mut Context<'_>) -> Outcome {
    let count = commands(ctx).len();
    ctx.reply.count(count);
    Ok(())
}

/// `COMMAND INFO [name ...]`: describes the named commands, or all; null for those that do not exist.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn info(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    if args.len() <= 2 {
        return command(ctx);
    }
    ctx.reply.array(args.len() - 2);
    for name in args.iter().skip(2) {
        match lookup(ctx, name) {
            Some(command) => write_info(ctx, command),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

/// `COMMAND DOCS [name ...]`: documents the named commands, or all; leaves out those that do not exist.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn docs(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let named: Vec<&Command> = if args.len() <= 2 {
        commands(ctx)
    } else {
        args.iter().skip(2).filter_map(|name| lookup(ctx, name)).collect()
    };
    ctx.reply.map(named.len());
    for command in named {
        ctx.reply.bulk(command.full_name().as_bytes());
        write_docs(ctx, command);
    }
    Ok(())
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`: names the commands and
/// subcommands.
///
/// # Errors
///
/// The filter is invalid.
pub fn list(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let filter = if args.len() == 2 { None } else { Some(filter(args.from(2))?) };
    let version = ctx.state.config.compat;
    let rows = ctx.table().all().iter().filter(|row| row.is_in(version));
    let rows = rows.filter(|row| filter.as_ref().is_none_or(|filter| filter.accepts(row)));
    let names: Vec<_> = rows.map(Command::full_name).collect();
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

/// What `COMMAND LIST FILTERBY` asks for.
enum Filter<'a> {
    /// Commands of a module: we have none.
    Module,
    /// Commands of this category; there are none in one that does not exist.
    Category(Option<Categories>),
    /// Commands whose full name matches, in either case.
    Pattern(&'a [u8]),
}

/// Reads `FILTERBY kind value`.
fn filter(args: Args<'_>) -> Result<Filter<'_>, Error> {
    if let (3, Some(filter_by), Some(kind), Some(value)) = (args.len(), args.get(0), args.get(1), args.get(2))
        && filter_by.eq_ignore_ascii_case(b"filterby")
    {
        if kind.eq_ignore_ascii_case(b"module") {
            return Ok(Filter::Module);
        }
        if kind.eq_ignore_ascii_case(b"aclcat") {
            return Ok(Filter::Category(Categories::by_name(value)));
        }
        if kind.eq_ignore_ascii_case(b"pattern") {
            return Ok(Filter::Pattern(value));
        }
    }
    Err(Error::new("ERR syntax error"))
}

impl Filter<'_> {
    fn accepts(&self, command: &Command) -> bool {
        match self {
            Self::Module => false,
            Self::Category(category) => category.is_some_and(|asked| command.categories.contains(asked)),
            Self::Pattern(pattern) => pattern::matches(pattern, command.full_name().as_bytes(), true),
        }
    }
}

/// `COMMAND GETKEYS command [arg ...]`: the keys in a call.
///
/// # Errors
///
/// If there is no such command, if it has no keys, or if these arguments do not determine them.
pub fn getkeys(ctx: &mut Context<'_>) -> Outcome {
    for_each_key(ctx, |ctx, key, _| ctx.reply.bulk(key))
}

/// `COMMAND GETKEYSANDFLAGS command [arg ...]`: the keys in a call and what happens to each.
///
/// # Errors
///
/// If there is no such command, if it has no keys, or if these arguments do not determine them.
pub fn getkeysandflags(ctx: &mut Context<'_>) -> Outcome {
    for_each_key(ctx, |ctx, key, flags| {
        ctx.reply.array(2);
        ctx.reply.bulk(key);
        write_flags(ctx, &words(flags));
    })
}

/// Replies with an array of the keys in the given call, each written by `write`.
fn for_each_key(ctx: &mut Context<'_>, write: impl Fn(&mut Context<'_>, &[u8], &'static str)) -> Outcome {
    let call = ctx.args.from(2);
    let version = ctx.state.config.compat;
    let command = call.get(0).and_then(|name| ctx.table().lookup(name));
    let command = match (command, call.get(1)) {
        (Some(container), Some(name)) if container.is_container() => container.subcommand(name),
        _ => command,
    };
    let command = command.filter(|command| command.is_in(version));
    let command = command.ok_or_else(|| Error::new("ERR Invalid command specified"))?;
    let keys = command.keys(call).map_err(|error| Error::new(error.message()))?;
    ctx.reply.array(keys.len());
    for (at, flags) in keys {
        write(ctx, &call[at], flags);
    }
    Ok(())
}

/// The words of a text; none if it is empty.
fn words(text: &'static str) -> Vec<&'static str> {
    text.split_ascii_whitespace().collect()
}

/// Flags: a set of simple strings.
fn write_flags(ctx: &mut Context<'_>, flags: &[&str]) {
    ctx.reply.set(flags.len());
    for flag in flags {
        ctx.reply.simple(flag);
    }
}

/// A name and a text.
fn write_field(ctx: &mut Context<'_>, name: &str, text: &str) {
    ctx.reply.bulk(name.as_bytes());
    ctx.reply.bulk(text.as_bytes());
}

/// A name and a number.
fn write_number(ctx: &mut Context<'_>, name: &str, number: i64) {
    ctx.reply.bulk(name.as_bytes());
    ctx.reply.integer(number);
}

/// One command as `COMMAND INFO` shows it.
fn write_info(ctx: &mut Context<'_>, command: &'static Command) {
    ctx.reply.array(10);
    ctx.reply.bulk(command.full_name().as_bytes());
    ctx.reply.integer(command.arity_in(ctx.state.config.compat).into());
    write_flags(ctx, &command.flags.names().collect::<Vec<_>>());
    let (first, last, step) = command.legacy_keys();
    for number in [first, last, step] {
        ctx.reply.integer(number.into());
    }
    ctx.reply.set(command.categories.names().count());
    for category in command.categories.names() {
        ctx.reply.simple(&format!("@{category}"));
    }
    let tips = words(command.tips);
    ctx.reply.set(tips.len());
    for tip in tips {
        ctx.reply.bulk(tip.as_bytes());
    }
    ctx.reply.set(command.keys.len());
    for spec in command.keys {
        write_key_spec(ctx, spec);
    }
    // An inconsistency of redis-server: no subcommands are an empty set, some are an array.
    let subcommands = subcommands(ctx, command);
    match subcommands.as_slice() {
        [] => ctx.reply.set(0),
        some => ctx.reply.array(some.len()),
    }
    for subcommand in subcommands {
        write_info(ctx, subcommand);
    }
}

/// A key spec as `COMMAND INFO` shows it.
fn write_key_spec(ctx: &mut Context<'_>, spec: &KeySpec) {
    let noted = !spec.note.is_empty();
    ctx.reply.map(3 + usize::from(noted));
    if noted {
        write_field(ctx, "notes", spec.note);
    }
    ctx.reply.bulk(b"flags");
    write_flags(ctx, &words(spec.flags));
    ctx.reply.bulk(b"begin_search");
    ctx.reply.map(2);
    match spec.begin {
        Begin::Index(index) => {
            write_field(ctx, "type", "index");
            ctx.reply.bulk(b"spec");
            ctx.reply.map(1);
            write_number(ctx, "index", index.into());
        }
        Begin::Keyword(keyword, from) => {
            write_field(ctx, "type", "keyword");
            ctx.reply.bulk(b"spec");
            ctx.reply.map(2);
            write_field(ctx, "keyword", keyword);
            write_number(ctx, "startfrom", from.into());
        }
        Begin::Unknown => write_unknown(ctx),
    }
    ctx.reply.bulk(b"find_keys");
    ctx.reply.map(2);
    let (kind, numbers) = match spec.find {
        Find::Unknown => return write_unknown(ctx),
        Find::Range { last, step, limit } => {
            ("range", [("lastkey", last), ("keystep", step), ("limit", limit)])
        }
        Find::Count { count, first, step } => {
            ("keynum", [("keynumidx", count), ("firstkey", first), ("keystep", step)])
        }
    };
    write_field(ctx, "type", kind);
    ctx.reply.bulk(b"spec");
    ctx.reply.map(numbers.len());
    for (name, number) in numbers {
        write_number(ctx, name, number.into());
    }
}

/// The part of a key spec that says nothing.
fn write_unknown(ctx: &mut Context<'_>) {
    write_field(ctx, "type", "unknown");
    ctx.reply.bulk(b"spec");
    ctx.reply.map(0);
}

/// One command as `COMMAND DOCS` shows it. The history of a command is left out.
fn write_docs(ctx: &mut Context<'_>, command: &'static Command) {
    let arguments = syntax::parse(command.syntax);
    let subcommands = subcommands(ctx, command);
    let version = ctx.state.config.compat;
    let deprecated = command.deprecated.filter(|deprecated| Version::having(deprecated.since) <= version);
    let costs = !command.complexity.is_empty();
    ctx.reply.map(
        3 + usize::from(costs)
            + 3 * usize::from(deprecated.is_some())
            + usize::from(command.for_operators)
            + usize::from(!arguments.is_empty())
            + usize::from(!subcommands.is_empty()),
    );
    write_field(ctx, "summary", command.summary);
    write_field(ctx, "since", command.since);
    write_field(ctx, "group", command.group.name());
    if costs {
        write_field(ctx, "complexity", command.complexity);
    }
    if let Some(deprecated) = deprecated {
        ctx.reply.bulk(b"doc_flags");
        write_flags(ctx, &["deprecated"]);
        write_field(ctx, "deprecated_since", deprecated.since);
        write_field(ctx, "replaced_by", deprecated.instead);
    }
    if command.for_operators {
        ctx.reply.bulk(b"doc_flags");
        write_flags(ctx, &["syscmd"]);
    }
    if !arguments.is_empty() {
        ctx.reply.bulk(b"arguments");
        write_arguments(ctx, &arguments);
    }
    if !subcommands.is_empty() {
        ctx.reply.bulk(b"subcommands");
        ctx.reply.map(subcommands.len());
        for subcommand in subcommands {
            ctx.reply.bulk(subcommand.full_name().as_bytes());
            write_docs(ctx, subcommand);
        }
    }
}

/// Arguments as `COMMAND DOCS` shows them. The nesting is that of the table, a few levels at most.
fn write_arguments(ctx: &mut Context<'_>, arguments: &[Argument]) {
    let version = ctx.state.config.compat;
    let is_in = |argument: &&Argument| {
        let since = argument.since.or(argument.untold_since);
        since.is_none_or(|since| Version::having(since) <= version)
    };
    ctx.reply.array(arguments.iter().filter(is_in).count());
    for argument in arguments.iter().filter(is_in) {
        let flags: Vec<&str> = [
            (argument.optional, "optional"),
            (argument.multiple, "multiple"),
            (argument.multiple_token, "multiple_token"),
        ]
        .into_iter()
        .filter_map(|(has, name)| has.then_some(name))
        .collect();
        // An argument with parts is shown by its parts.
        let display = argument.arguments.is_empty().then(|| argument.display.unwrap_or(&argument.name));
        let texts = [
            ("token", argument.token),
            ("since", argument.since),
            ("deprecated_since", argument.deprecated_since),
        ];
        ctx.reply.map(
            2 + usize::from(display.is_some())
                + usize::from(argument.key_spec.is_some())
                + texts.iter().filter(|(_, text)| text.is_some()).count()
                + usize::from(!flags.is_empty())
                + usize::from(!argument.arguments.is_empty()),
        );
        write_field(ctx, "name", &argument.name);
        write_field(ctx, "type", argument.kind.name());
        if let Some(display) = display {
            write_field(ctx, "display_text", display);
        }
        if let Some(number) = argument.key_spec {
            write_number(ctx, "key_spec_index", number);
        }
        for (name, text) in texts {
            if let Some(text) = text {
                write_field(ctx, name, text);
            }
        }
        if !flags.is_empty() {
            ctx.reply.bulk(b"flags");
            write_flags(ctx, &flags);
        }
        if !argument.arguments.is_empty() {
            ctx.reply.bulk(b"arguments");
            write_arguments(ctx, &argument.arguments);
        }
    }
}
