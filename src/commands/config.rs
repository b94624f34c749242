//! CONFIG: the settings, read and changed while the broker runs.
//!
//! The table below has the settings that have an effect here, and those that clients ask for and whose value is
//! fixed by what this broker is (`save`, `appendonly`, `maxmemory`). The latter can be set to that value only:
//! nothing is accepted and then ignored. What is not in the table is unknown.

use crate::config::OutputLimit;
use crate::config::Policy;
#[cfg(feature = "tls")]
use crate::config::{AuthClients, Tls};
use crate::config::{Class, Config, Version};
use crate::data::pattern;
use crate::resp::{Args, parse_double, parse_integer};
use crate::spec::{Context, Error, Outcome};

/// One setting.
struct Parameter {
    name: &'static str,
    /// An older name that still works.
    alias: &'static str,
    kind: Kind,
}

/// The kind of a setting.
enum Kind {
    /// An integer between two bounds.
    Integer { min: i64, max: i64, get: fn(&Config) -> i64, set: fn(&mut Config, i64) },
    /// The same, where Redis 8.2 refuses any negative number by its sign: it keeps the setting as an unsigned integer.
    Unsigned { min: i64, max: i64, get: fn(&Config) -> i64, set: fn(&mut Config, i64) },
    /// A number of bytes between two bounds, which may be given with a unit.
    Memory { min: i64, max: i64, get: fn(&Config) -> i64, set: fn(&mut Config, i64) },
    /// Anything else. The error says what is wrong.
    Text { get: fn(&Config) -> Vec<u8>, set: fn(&mut Config, &[u8]) -> Result<(), String> },
    /// Chosen when the broker starts.
    Immutable { get: fn(&Config) -> Vec<u8> },
}

/// The defaults of a row.
const ROW: Parameter = Parameter { name: "", alias: "", kind: Kind::Immutable { get: |_| Vec::new() } };

/// A field of [`Config`] that is a number.
macro_rules! number {
    ($kind:ident, $name:literal, $alias:literal, $min:expr, $max:expr, $field:ident) => {
        Parameter {
            name: $name,
            alias: $alias,
            kind: Kind::$kind {
                min: $min,
                max: $max,
                get: |config| i64::try_from(config.$field).unwrap_or(i64::MAX),
                set: |config, value| config.$field = value.try_into().unwrap_or(config.$field),
            },
        }
    };
}

/// A setting whose value is fixed by what the broker is. `$meaning` reads a value in redis-server's notation and is
/// `Ok(true)` for the fixed value.
macro_rules! fact {
    ($name:literal, $value:literal, $meaning:expr, $reason:literal) => {
        Parameter {
            name: $name,
            kind: Kind::Text {
                get: |_| $value.into(),
                set: |_, text| {
                    let is_true: Result<bool, String> = $meaning(text);
                    if is_true? { Ok(()) } else { Err($reason.into()) }
                },
            },
            ..ROW
        }
    };
}

/// A file of TLS, which is read when all settings of the command are known.
#[cfg(feature = "tls")]
macro_rules! file {
    ($name:literal, $field:ident) => {
        Parameter {
            name: $name,
            kind: Kind::Text {
                get: |config| config.tls.$field.clone().into_bytes(),
                set: |config, text| {
                    config.tls.$field = String::from_utf8_lossy(text).into_owned();
                    Ok(())
                },
            },
            ..ROW
        }
    };
}

const INT_MAX: i64 = i32::MAX as i64;
const UINT_MAX: i64 = u32::MAX as i64;
const MEGABYTE: i64 = 1024 * 1024;

/// All settings.
const PARAMETERS: &[Parameter] = &[
    number!(Integer, "timeout", "", 0, INT_MAX, timeout),
    number!(Unsigned, "maxclients", "", 1, UINT_MAX, maxclients),
    number!(Memory, "proto-max-bulk-len", "", MEGABYTE, i64::MAX, proto_max_bulk_len),
    number!(Memory, "client-query-buffer-limit", "", MEGABYTE, i64::MAX, client_query_buffer_limit),
    number!(Unsigned, "set-max-intset-entries", "", 0, i64::MAX, set_max_intset_entries),
    number!(Unsigned, "set-max-listpack-entries", "", 0, i64::MAX, set_max_listpack_entries),
    number!(Unsigned, "set-max-listpack-value", "", 0, i64::MAX, set_max_listpack_value),
    number!(
        Unsigned,
        "hash-max-listpack-entries",
        "hash-max-ziplist-entries",
        0,
        i64::MAX,
        hash_max_listpack_entries
    ),
    number!(
        Memory,
        "hash-max-listpack-value",
        "hash-max-ziplist-value",
        0,
        i64::MAX,
        hash_max_listpack_value
    ),
    number!(
        Unsigned,
        "zset-max-listpack-entries",
        "zset-max-ziplist-entries",
        0,
        i64::MAX,
        zset_max_listpack_entries
    ),
    number!(
        Memory,
        "zset-max-listpack-value",
        "zset-max-ziplist-value",
        0,
        i64::MAX,
        zset_max_listpack_value
    ),
    Parameter {
        name: "list-max-listpack-size",
        alias: "list-max-ziplist-size",
        kind: Kind::Integer {
            min: i32::MIN as i64,
            max: INT_MAX,
            get: |config| config.list_max_listpack_size,
            set: |config, value| config.list_max_listpack_size = value,
        },
    },
    number!(Memory, "hll-sparse-max-bytes", "", 0, i64::MAX, hll_sparse_max_bytes),
    number!(Memory, "stream-node-max-bytes", "", 0, i64::MAX, stream_node_max_bytes),
    number!(Integer, "stream-node-max-entries", "", 0, i64::MAX, stream_node_max_entries),
    Parameter {
        name: "maxmemory-policy",
        kind: Kind::Text { get: |config| config.maxmemory_policy.name().into(), set: set_policy },
        ..ROW
    },
    number!(Integer, "busy-reply-threshold", "lua-time-limit", 0, i64::MAX, busy_reply_threshold),
    number!(Unsigned, "tracking-table-max-keys", "", 0, i64::MAX, tracking_table_max_keys),
    number!(Integer, "slowlog-log-slower-than", "", -1, i64::MAX, slowlog_log_slower_than),
    number!(Integer, "slowlog-max-len", "", 0, i64::MAX, slowlog_max_len),
    number!(Integer, "latency-monitor-threshold", "", 0, i64::MAX, latency_monitor_threshold),
    Parameter {
        name: "latency-tracking",
        kind: Kind::Text {
            get: |config| if config.latency_tracking { "yes".into() } else { "no".into() },
            set: |config, text| {
                config.latency_tracking = is_yes(text)?;
                Ok(())
            },
        },
        ..ROW
    },
    Parameter {
        name: "latency-tracking-info-percentiles",
        kind: Kind::Text {
            get: |config| {
                let percentiles = config.latency_percentiles.iter().copied().map(print_percentile);
                percentiles.collect::<Vec<_>>().join(" ").into_bytes()
            },
            set: set_percentiles,
        },
        ..ROW
    },
    number!(Integer, "lfu-log-factor", "", 0, INT_MAX, lfu_log_factor),
    number!(Integer, "lfu-decay-time", "", 0, INT_MAX, lfu_decay_time),
    number!(Integer, "acllog-max-len", "", 0, i64::MAX, acllog_max_len),
    Parameter {
        name: "acl-pubsub-default",
        kind: Kind::Text {
            get: |config| if config.acl_all_channels { "allchannels" } else { "resetchannels" }.into(),
            set: |config, text| {
                config.acl_all_channels = match text.to_ascii_lowercase().as_slice() {
                    b"allchannels" => true,
                    b"resetchannels" => false,
                    _ => {
                        return Err(
                            "argument(s) must be one of the following: allchannels, resetchannels".to_owned()
                        );
                    }
                };
                Ok(())
            },
        },
        ..ROW
    },
    Parameter {
        name: "requirepass",
        kind: Kind::Text {
            get: |config| config.requirepass.clone(),
            set: |config, text| {
                config.requirepass = text.to_vec();
                Ok(())
            },
        },
        ..ROW
    },
    Parameter {
        name: "notify-keyspace-events",
        kind: Kind::Text {
            get: |config| config.notify_keyspace_events.letters().into_bytes(),
            set: |config, text| {
                let classes = Class::parse(text, config.compat);
                config.notify_keyspace_events =
                    classes.ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
                Ok(())
            },
        },
        ..ROW
    },
    Parameter {
        name: "client-output-buffer-limit",
        kind: Kind::Text { get: |config| print_output_limits(config), set: set_output_limits },
        ..ROW
    },
    // What minibroker is. Saving, evicting and replicating are left to the real server.
    fact!("save", "", saves_nothing, "nothing is saved by minibroker"),
    fact!("appendonly", "no", is_no, "nothing is saved by minibroker"),
    fact!("appendfsync", "everysec", is_every_second, "nothing is saved by minibroker"),
    fact!("maxmemory", "0", is_no_memory, "minibroker has no limit of memory"),
    fact!("maxmemory-clients", "0", is_no_memory, "minibroker evicts no clients"),
    fact!("protected-mode", "no", is_no, "minibroker serves every client that reaches its address"),
    fact!("activedefrag", "no", is_no, "minibroker does not defragment its memory"),
    Parameter {
        alias: "slave-read-only",
        ..fact!("replica-read-only", "yes", is_yes, "minibroker has no replicas")
    },
    Parameter {
        name: "port",
        kind: Kind::Text {
            get: |config| config.port.to_string().into_bytes(),
            set: |config, text| set_port(text, config.port),
        },
        ..ROW
    },
    Parameter {
        name: "bind",
        kind: Kind::Text {
            get: |config| config.bind.clone().into_bytes(),
            set: |config, text| {
                let same = text == config.bind.as_bytes();
                same.then_some(()).ok_or("the addresses of minibroker are chosen when it starts".into())
            },
        },
        ..ROW
    },
    Parameter {
        name: "databases",
        kind: Kind::Immutable { get: |config| config.databases.to_string().into_bytes() },
        ..ROW
    },
    Parameter {
        name: "unixsocket",
        kind: Kind::Immutable { get: |config| config.unixsocket.clone().into_bytes() },
        ..ROW
    },
    #[cfg(feature = "tls")]
    Parameter {
        name: "tls-port",
        kind: Kind::Text {
            get: |config| config.tls.port.to_string().into_bytes(),
            set: |config, text| set_port(text, config.tls.port),
        },
        ..ROW
    },
    #[cfg(feature = "tls")]
    file!("tls-cert-file", cert_file),
    #[cfg(feature = "tls")]
    file!("tls-key-file", key_file),
    #[cfg(feature = "tls")]
    file!("tls-ca-cert-file", ca_cert_file),
    #[cfg(feature = "tls")]
    Parameter {
        name: "tls-auth-clients",
        kind: Kind::Text {
            get: |config| config.tls.auth_clients().name().into(),
            set: |config, text| {
                let named = |known: &AuthClients| known.name().as_bytes().eq_ignore_ascii_case(text);
                let known = AuthClients::ALL.into_iter().find(named);
                let known = known.ok_or("argument(s) must be one of the following: no, yes, optional")?;
                config.tls.auth_clients = Some(known);
                Ok(())
            },
        },
        ..ROW
    },
    Parameter { name: "cluster-enabled", kind: Kind::Immutable { get: |_| "no".into() }, ..ROW },
    Parameter { name: "replicaof", alias: "slaveof", kind: Kind::Immutable { get: |_| Vec::new() } },
    Parameter {
        name: "aclfile",
        kind: Kind::Immutable { get: |config| config.aclfile.clone().into_bytes() },
        ..ROW
    },
    Parameter {
        name: "dir",
        kind: Kind::Text { get: |config| config.dir.clone().into_bytes(), set: |_, _| Err(PROTECTED.into()) },
        ..ROW
    },
    Parameter {
        name: "dbfilename",
        kind: Kind::Text {
            get: |config| config.dbfilename.clone().into_bytes(),
            set: |_, _| Err(PROTECTED.into()),
        },
        ..ROW
    },
    Parameter { name: "daemonize", kind: Kind::Immutable { get: |_| "no".into() }, ..ROW },
    Parameter { name: "logfile", kind: Kind::Immutable { get: |_| Vec::new() }, ..ROW },
    Parameter { name: "supervised", kind: Kind::Immutable { get: |_| "no".into() }, ..ROW },
    Parameter { name: "io-threads", kind: Kind::Immutable { get: |_| "1".into() }, ..ROW },
    Parameter { name: "enable-debug-command", kind: Kind::Immutable { get: |_| "yes".into() }, ..ROW },
    Parameter { name: "enable-module-command", kind: Kind::Immutable { get: |_| "no".into() }, ..ROW },
];

/// A port, which can be set to its value only.
fn set_port(text: &[u8], port: u16) -> Result<(), String> {
    match parse_integer(text) {
        None => Err(NOT_INTEGER.into()),
        Some(wanted) if !(0..=65_535).contains(&wanted) => Err(between(0, 65_535)),
        Some(wanted) if wanted == port.into() => Ok(()),
        Some(_) => Err("the port of minibroker is chosen when it starts".into()),
    }
}

const NOT_INTEGER: &str = "argument couldn't be parsed into an integer";

fn between(min: i64, max: i64) -> String {
    format!("argument must be between {min} and {max} inclusive")
}

impl Parameter {
    fn get(&self, config: &Config) -> Vec<u8> {
        match self.kind {
            Kind::Integer { get, .. } | Kind::Unsigned { get, .. } | Kind::Memory { get, .. } => {
                get(config).to_string().into_bytes()
            }
            Kind::Text { get, .. } | Kind::Immutable { get } => get(config),
        }
    }

    fn set(&self, config: &mut Config, text: &[u8]) -> Result<(), String> {
        let (value, min, max, set) = match self.kind {
            Kind::Integer { min, max, set, .. } => (parse_integer(text).ok_or(NOT_INTEGER)?, min, max, set),
            Kind::Unsigned { min, max, set, .. } => {
                let value = parse_integer(text).ok_or(NOT_INTEGER)?;
                if value < 0 && config.compat >= Version::Redis8_2 {
                    return Err("argument must be greater or equal to 0".to_owned());
                }
                (value, min, max, set)
            }
            Kind::Memory { min, max, set, .. } => (parse_memory(text)?, min, max, set),
            Kind::Text { set, .. } => return set(config, text),
            Kind::Immutable { .. } => return Err(IMMUTABLE.into()),
        };
        if !(min..=max).contains(&value) {
            return Err(between(min, max));
        }
        set(config, value);
        Ok(())
    }

    /// Whether this version of Redis has the setting.
    fn is_in(&self, version: Version) -> bool {
        !self.name.starts_with("set-max-listpack-") || version >= Version::Redis7_4
    }

    /// The names of the setting.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name, self.alias].into_iter().filter(|name| !name.is_empty())
    }
}

/// The names of all settings that CONFIG SET changes.
pub fn names() -> impl Iterator<Item = &'static str> {
    let can_be_set = |parameter: &&Parameter| !matches!(parameter.kind, Kind::Immutable { .. });
    PARAMETERS.iter().filter(can_be_set).flat_map(Parameter::names)
}

/// What redis-server answers while `enable-protected-configs` is off, as it is at first.
const PROTECTED: &str = "can't set protected config";

const IMMUTABLE: &str = "can't set immutable config";

/// The setting of this name, in either case.
fn lookup(name: &[u8], version: Version) -> Option<&'static Parameter> {
    PARAMETERS
        .iter()
        .filter(|parameter| parameter.is_in(version))
        .find(|parameter| parameter.names().any(|known| known.as_bytes().eq_ignore_ascii_case(name)))
}

/// A number of bytes with an optional unit, as redis-server's `memtoull` reads it: `b` and no unit are bytes, `k` is
/// 1,000, `kb` 1,024 and so on; a unit alone is 0. What does not fit in 64 bits wraps around.
pub(super) fn parse_memory(text: &[u8]) -> Result<i64, String> {
    const LONGEST: usize = 127;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return Err("argument must be a memory value".into()),
    };
    if digits > LONGEST {
        return Err("argument must be a memory value".into());
    }
    let number = number
        .iter()
        .fold(0u64, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    Ok(number.wrapping_mul(unit).cast_signed())
}

fn is_no(text: &[u8]) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_slice() {
        b"no" => Ok(true),
        b"yes" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

fn is_yes(text: &[u8]) -> Result<bool, String> {
    is_no(text).map(|is_no| !is_no)
}

/// `appendfsync`.
fn is_every_second(text: &[u8]) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_slice() {
        b"everysec" => Ok(true),
        b"always" | b"no" => Ok(false),
        _ => Err("argument(s) must be one of the following: everysec, always, no".into()),
    }
}

fn is_no_memory(text: &[u8]) -> Result<bool, String> {
    Ok(parse_memory(text)? == 0)
}

/// `latency-tracking-info-percentiles`: numbers from 0 to 100, with one space between two.
fn set_percentiles(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let mut percentiles = Vec::new();
    for word in text.split(|byte| *byte == b' ').filter(|_| !text.is_empty()) {
        let percent = parse_double(word).ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percent) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
        }
        percentiles.push(percent);
    }
    config.latency_percentiles = percentiles;
    Ok(())
}

/// A percentile as CONFIG GET and INFO show it: with six digits after the point, but no zeros at their end.
#[must_use]
pub fn print_percentile(percent: f64) -> String {
    let text = format!("{percent:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `maxmemory-policy`: every policy is accepted. As `maxmemory` is 0, redis-server would evict nothing under any
/// policy either; it records accesses as the policy says.
fn set_policy(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let known = Policy::ALL.into_iter().find(|policy| policy.name().as_bytes().eq_ignore_ascii_case(text));
    config.maxmemory_policy = known.ok_or_else(|| {
        let names = Policy::ALL.map(Policy::name);
        format!("argument(s) must be one of the following: {}", names.join(", "))
    })?;
    Ok(())
}

/// `save`: pairs of seconds and changes, or nothing.
fn saves_nothing(text: &[u8]) -> Result<bool, String> {
    let words: Vec<_> = text.split(|byte| *byte == b' ').filter(|_| !text.is_empty()).collect();
    let valid = words.len().is_multiple_of(2)
        && words
            .chunks_exact(2)
            .all(|pair| matches!((parse_integer(pair[0]), parse_integer(pair[1])), (Some(1..), Some(0..))));
    if !valid {
        return Err("Invalid save parameters".into());
    }
    Ok(words.is_empty())
}

fn print_output_limits(config: &Config) -> Vec<u8> {
    let limits = [
        ("normal", config.output_limit_normal),
        ("slave", config.output_limit_replica),
        ("pubsub", config.output_limit_pubsub),
    ];
    let print = |(class, limit): &(&str, OutputLimit)| {
        format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds)
    };
    limits.iter().map(print).collect::<Vec<_>>().join(" ").into_bytes()
}

/// `client-output-buffer-limit`: class, hard limit, soft limit and seconds, any number of times. Classes that
/// are not named keep their limits.
fn set_output_limits(config: &mut Config, text: &[u8]) -> Result<(), String> {
    let words: Vec<_> = text.split(|byte| *byte == b' ').filter(|_| !text.is_empty()).collect();
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for words in words.chunks_exact(4) {
        let limit = match words[0].to_ascii_lowercase().as_slice() {
            b"normal" => &mut config.output_limit_normal,
            b"slave" | b"replica" => &mut config.output_limit_replica,
            b"pubsub" => &mut config.output_limit_pubsub,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let bytes = |text| parse_memory(text).ok().map(i64::cast_unsigned);
        // An empty number of seconds is 0.
        let seconds = if words[3].is_empty() { Some(0) } else { parse_integer(words[3]) };
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let (Some(hard), Some(soft), Some(soft_seconds)) = (bytes(words[1]), bytes(words[2]), seconds) else {
            let problem = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            return Err(problem.into());
        };
        let bytes = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        *limit = OutputLimit { hard: bytes(hard), soft: bytes(soft), soft_seconds };
    }
    Ok(())
}

/// `CONFIG GET pattern...`: names and values of all that match, each once. A name without `*`, `?` and `[` is
/// looked up and shown as it was written.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn get(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let version = ctx.state.config.compat;
    let mut found: Vec<(&[u8], &Parameter)> = Vec::new();
    let add = |found: &mut Vec<_>, name, parameter| {
        if !found.iter().any(|(known, _): &(&[u8], _)| known.eq_ignore_ascii_case(name)) {
            found.push((name, parameter));
        }
    };
    for wanted in args.from(2).iter() {
        if !wanted.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            if let Some(parameter) = lookup(wanted, version) {
                add(&mut found, wanted, parameter);
            }
            continue;
        }
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.is_in(version)) {
            for name in parameter.names().filter(|name| pattern::matches(wanted, name.as_bytes(), true)) {
                add(&mut found, name.as_bytes(), parameter);
            }
        }
    }
    ctx.reply.map(found.len());
    for (name, parameter) in found {
        ctx.reply.bulk(name);
        ctx.reply.bulk(&parameter.get(&ctx.state.config));
    }
    Ok(())
}

/// True for the value of a password in CONFIG SET.
#[must_use]
pub fn is_secret_of_set(args: Args<'_>, index: usize) -> bool {
    index > 2 && index % 2 == 1 && args[index - 1].eq_ignore_ascii_case(b"requirepass")
}

/// `CONFIG SET name value...`: changes all of them, or none.
///
/// # Errors
///
/// A name that does not exist or is given twice, a setting that cannot be changed, an invalid value.
pub fn set(ctx: &mut Context<'_>) -> Outcome {
    let pairs = ctx.args.from(2);
    if !pairs.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let failed = |name: &[u8], problem: &str| {
        let problem = format!("') - {problem}");
        Error::quoting("ERR CONFIG SET failed (possibly related to argument '", name, &problem)
    };
    // All names are checked before the first value.
    let mut settings: Vec<(&[u8], &[u8], &Parameter)> = Vec::new();
    for at in (0..pairs.len()).step_by(2) {
        let (name, value) = (&pairs[at], &pairs[at + 1]);
        let Some(parameter) = lookup(name, ctx.state.config.compat) else {
            let unknown = "ERR Unknown option or number of arguments for CONFIG SET - '";
            return Err(Error::quoting(unknown, name, "'"));
        };
        if matches!(parameter.kind, Kind::Immutable { .. }) {
            return Err(failed(name, IMMUTABLE));
        }
        // An alias counts as another setting.
        let same = |known: &&[u8]| known.eq_ignore_ascii_case(name);
        if settings.iter().any(|(known, ..)| same(known)) {
            return Err(failed(name, "duplicate parameter"));
        }
        settings.push((name, value, parameter));
    }
    let mut config = ctx.state.config.clone();
    for (name, value, parameter) in settings {
        parameter.set(&mut config, value).map_err(|problem| failed(name, &problem))?;
    }
    let now = ctx.state.config.maxclients;
    if config.maxclients != now && config.maxclients > config.maxclients_possible {
        let possible = config.maxclients_possible;
        let problem = "The operating system is not able to handle the specified number of clients, try with";
        return Err(failed(b"maxclients", &format!("{problem} {possible}")));
    }
    #[cfg(feature = "tls")]
    if let Some(certificates) = &ctx.state.certificates {
        let file = pairs.iter().step_by(2).find(|name| Tls::is_file(name));
        match file {
            Some(name) if !certificates.load(&config.tls) => {
                return Err(failed(name, "Unable to update TLS configuration. Check server logs."));
            }
            Some(_) => {}
            None => certificates.ask(&config.tls),
        }
    }
    let changes_password = config.requirepass != ctx.state.config.requirepass
        || pairs.iter().step_by(2).any(|name| name.eq_ignore_ascii_case(b"requirepass"));
    ctx.state.config = config;
    if changes_password {
        ctx.state.apply_password();
    }
    ctx.state.clients.forget_idle_check();
    ctx.reply.ok();
    Ok(())
}

/// Changes one setting outside of any command.
///
/// # Errors
///
/// The error of CONFIG SET for the name or the value.
pub fn change(config: &mut Config, name: &str, value: &str) -> Result<(), String> {
    let parameter = lookup(name.as_bytes(), config.compat).ok_or("unknown setting")?;
    if matches!(parameter.kind, Kind::Immutable { .. }) {
        return Err(IMMUTABLE.to_owned());
    }
    parameter.set(config, value.as_bytes())
}

/// `CONFIG RESETSTAT`: the counters of INFO start again at 0.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn resetstat(ctx: &mut Context<'_>) -> Outcome {
    ctx.state.stats.reset();
    ctx.state.clients.output_limit_disconnections = 0;
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once() {
        let mut names: Vec<_> = PARAMETERS.iter().flat_map(Parameter::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn setting_a_shown_value_again_changes_nothing() {
        let mut config = Config::default();
        for parameter in PARAMETERS {
            let shown = parameter.get(&config);
            let set = parameter.set(&mut config, &shown);
            let fixed = matches!(parameter.kind, Kind::Immutable { .. })
                || set.as_ref().is_err_and(|reason| reason == PROTECTED);
            assert_eq!(set.is_err(), fixed, "{}: {set:?}", parameter.name);
            assert_eq!(parameter.get(&config), shown, "{}", parameter.name);
        }
    }

    #[test]
    fn bytes_are_read_with_their_units() {
        let read = |text: &str| parse_memory(text.as_bytes()).ok();
        assert_eq!(read("1k").zip(read("1KB")), Some((1000, 1024)));
        assert_eq!(read("3g").zip(read("3gB")), Some((3_000_000_000, 3 << 30)));
        assert_eq!(read("").zip(read("mb")), Some((0, 0)));
        assert_eq!([read("-1"), read("1.5mb"), read("1tb"), read(" 1"), read("1 ")], [None; 5]);
        assert_eq!(read("99999999999999999999999"), Some(-1));
        assert_eq!(read(&"1".repeat(128)), None);
    }
}
