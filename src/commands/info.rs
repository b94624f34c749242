//! INFO: what is known about the server, section by section.
//!
//! Every field has the name and the meaning that it has in redis-server, and a true value. A field that cannot
//! be known here is left out, not invented: the engine knows no process, no processor time and no allocator.

use std::fmt::Write;

use crate::clients::pubsub::Kind;
use crate::commands::config::print_percentile;
use crate::config::{Config, Version};
use crate::spec::{Context, Outcome};
use crate::users::Reason;

/// Writes the fields of a section.
type WriteSection = fn(&Context<'_>, &mut String) -> std::fmt::Result;

/// A section of INFO.
struct Section {
    /// Its name in a request, in lower case.
    name: &'static str,
    /// Its title in the answer.
    title: &'static str,
    /// Shown by INFO without arguments.
    by_default: bool,
    write: WriteSection,
}

/// All sections, in redis-server's order.
const SECTIONS: &[Section] = &[
    Section { name: "server", title: "Server", by_default: true, write: server },
    Section { name: "clients", title: "Clients", by_default: true, write: clients },
    Section { name: "memory", title: "Memory", by_default: true, write: memory },
    Section { name: "persistence", title: "Persistence", by_default: true, write: persistence },
    Section { name: "stats", title: "Stats", by_default: true, write: stats },
    Section { name: "replication", title: "Replication", by_default: true, write: replication },
    // There are no modules: the section is empty.
    Section { name: "modules", title: "Modules", by_default: true, write: |_, _| Ok(()) },
    Section { name: "commandstats", title: "Commandstats", by_default: false, write: commandstats },
    Section { name: "latencystats", title: "Latencystats", by_default: false, write: latencystats },
    Section { name: "errorstats", title: "Errorstats", by_default: true, write: errorstats },
    Section { name: "cluster", title: "Cluster", by_default: true, write: cluster },
    Section { name: "keyspace", title: "Keyspace", by_default: true, write: keyspace },
];

/// `INFO [section...]`. `all` and `everything` are all sections, `default` is what INFO alone shows; an
/// unknown section is ignored.
///
/// # Errors
///
/// None: all commands have this return type.
pub fn info(ctx: &mut Context<'_>) -> Outcome {
    let wanted = ctx.args.from(1);
    let asked = |name: &str| wanted.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let all = asked("all") || asked("everything");
    let default = wanted.is_empty() || asked("default");
    let mut text = String::new();
    for section in SECTIONS {
        if !(all || default && section.by_default || asked(section.name)) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "# {}\r\n", section.title);
        let _ = (section.write)(ctx, &mut text);
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// A line: the name of a field and its value.
macro_rules! field {
    ($text:expr, $name:literal, $($value:tt)*) => {
        write!($text, concat!($name, ":{}\r\n"), format_args!($($value)*))?
    };
}

/// Fields whose values are fixed because the broker has no disks, replicas or limits.
fn constants(text: &mut String, fields: &[(&str, &str)]) -> std::fmt::Result {
    fields.iter().try_for_each(|(name, value)| write!(text, "{name}:{value}\r\n"))
}

fn server(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    let config = &ctx.state.config;
    let uptime = ctx.state.now.since(ctx.state.stats.started).as_secs();
    // Clients choose by this field which commands they use.
    field!(text, "redis_version", "{}", config.compat.release());
    field!(text, "minibroker_version", "{}", env!("CARGO_PKG_VERSION"));
    field!(text, "redis_mode", "standalone");
    field!(text, "os", "{} {}", system(), std::env::consts::ARCH);
    field!(text, "arch_bits", "{}", usize::BITS);
    field!(text, "run_id", "{}", ctx.state.stats.run_id);
    #[cfg(feature = "tls")]
    let tls_port = config.tls.port;
    #[cfg(not(feature = "tls"))]
    let tls_port = 0;
    field!(text, "tcp_port", "{}", if config.port == 0 { tls_port } else { config.port });
    field!(text, "server_time_usec", "{}", ctx.state.now.micros());
    field!(text, "uptime_in_seconds", "{uptime}");
    field!(text, "uptime_in_days", "{}", uptime / 86_400);
    field!(text, "config_file", "");
    // They are numbered by their kinds.
    listener(text, "listener0:name=tcp", config, config.port)?;
    if !config.unixsocket.is_empty() {
        write!(text, "listener1:name=unix,bind={}\r\n", config.unixsocket)?;
    }
    listener(text, "listener2:name=tls", config, tls_port)
}

/// The line of a port, if there is one.
fn listener(text: &mut String, name: &str, config: &Config, port: u16) -> std::fmt::Result {
    if port == 0 {
        return Ok(());
    }
    text.push_str(name);
    for address in config.bind.split_ascii_whitespace() {
        write!(text, ",bind={address}")?;
    }
    write!(text, ",port={port}\r\n")
}

/// The name of the operating system as `uname` gives it.
fn system() -> &'static str {
    match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "Darwin",
        "windows" => "Windows",
        "freebsd" => "FreeBSD",
        other => other,
    }
}

fn clients(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    let all = || ctx.state.clients.iter().map(|(_, client)| client);
    field!(text, "connected_clients", "{}", ctx.state.clients.len());
    field!(text, "cluster_connections", "0");
    field!(text, "maxclients", "{}", ctx.state.config.maxclients);
    field!(text, "blocked_clients", "{}", all().filter(|client| client.blocked.is_some()).count());
    field!(text, "tracking_clients", "{}", ctx.state.tracked.clients());
    let is_old = ctx.state.config.compat < Version::Redis7_4;
    if !is_old {
        field!(text, "pubsub_clients", "{}", all().filter(|client| client.is_subscribed()).count());
        field!(text, "watching_clients", "{}", all().filter(|client| client.watches() > 0).count());
    }
    field!(text, "clients_in_timeout_table", "{}", ctx.state.waiters.timeouts());
    if is_old {
        return Ok(());
    }
    field!(text, "total_watched_keys", "{}", ctx.state.watches.keys());
    field!(text, "total_blocking_keys", "{}", ctx.state.waiters.keys());
    field!(text, "total_blocking_keys_on_nokey", "{}", ctx.state.waiters.keys_of_groups());
    Ok(())
}

fn memory(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    let memory = ctx.state.memory();
    let (total, overhead) = (memory.total(), memory.clients + memory.pubsub);
    field!(text, "used_memory", "{total}");
    field!(text, "used_memory_human", "{}", human(total));
    field!(text, "used_memory_overhead", "{overhead}");
    field!(text, "used_memory_dataset", "{}", memory.dataset);
    let (scripts, bytes) = ctx.state.cached_scripts;
    field!(text, "used_memory_scripts_eval", "{bytes}");
    field!(text, "number_of_cached_scripts", "{scripts}");
    let (libraries, functions) = ctx.state.functions;
    field!(text, "number_of_functions", "{functions}");
    field!(text, "number_of_libraries", "{libraries}");
    constants(text, &[("maxmemory", "0"), ("maxmemory_human", "0B")])?;
    field!(text, "maxmemory_policy", "{}", ctx.state.config.maxmemory_policy.name());
    constants(text, &[("mem_replication_backlog", "0"), ("mem_clients_slaves", "0")])?;
    field!(text, "mem_clients_normal", "{}", memory.clients);
    constants(text, &[("mem_cluster_links", "0"), ("mem_aof_buffer", "0"), ("active_defrag_running", "0")])
}

/// A number of bytes in redis-server's human-readable form.
fn human(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    #[allow(clippy::cast_precision_loss)]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.2}{}", UNITS[unit])
}

fn persistence(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    constants(text, &[("loading", "0"), ("async_loading", "0")])?;
    field!(text, "rdb_changes_since_last_save", "{}", ctx.state.stats.dirty);
    let saves = &ctx.state.saves;
    let seconds = |time: Option<u64>| time.map_or("-1".to_owned(), |time| time.to_string());
    let lasts = saves.background.map(|background| ctx.state.now.since(background.began).as_secs());
    field!(text, "rdb_bgsave_in_progress", "{}", u8::from(saves.background.is_some()));
    field!(text, "rdb_last_save_time", "{}", saves.last.seconds());
    field!(text, "rdb_last_bgsave_status", "{}", if saves.failed { "err" } else { "ok" });
    field!(text, "rdb_last_bgsave_time_sec", "{}", seconds(saves.lasted));
    field!(text, "rdb_current_bgsave_time_sec", "{}", seconds(lasts));
    field!(text, "rdb_saves", "{}", saves.count);
    field!(text, "rdb_last_load_keys_expired", "{}", saves.expired);
    field!(text, "rdb_last_load_keys_loaded", "{}", saves.loaded);
    constants(
        text,
        &[
            ("aof_enabled", "0"),
            ("aof_rewrite_in_progress", "0"),
            ("aof_rewrite_scheduled", "0"),
            ("aof_last_rewrite_time_sec", "-1"),
            ("aof_current_rewrite_time_sec", "-1"),
            ("aof_last_bgrewrite_status", "ok"),
            ("aof_last_write_status", "ok"),
            ("module_fork_in_progress", "0"),
        ],
    )
}

fn stats(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    let counters = &ctx.state.stats;
    let rates = counters.per_second(ctx.state.now);
    field!(text, "total_connections_received", "{}", counters.connections);
    field!(text, "total_commands_processed", "{}", counters.commands);
    field!(text, "instantaneous_ops_per_sec", "{}", rates.commands);
    field!(text, "total_net_input_bytes", "{}", counters.net_input);
    field!(text, "total_net_output_bytes", "{}", counters.net_output);
    field!(text, "instantaneous_input_kbps", "{}", kilobytes(rates.input));
    field!(text, "instantaneous_output_kbps", "{}", kilobytes(rates.output));
    field!(text, "rejected_connections", "{}", counters.rejected_connections);
    constants(text, &[("sync_full", "0"), ("sync_partial_ok", "0"), ("sync_partial_err", "0")])?;
    if ctx.state.config.compat >= Version::Redis7_4 {
        field!(text, "expired_subkeys", "{}", counters.expired_fields);
    }
    field!(text, "expired_keys", "{}", counters.expired_keys);
    constants(text, &[("evicted_keys", "0"), ("evicted_clients", "0")])?;
    if ctx.state.config.compat >= Version::Redis7_4 {
        field!(text, "evicted_scripts", "{}", counters.evicted_scripts);
    }
    field!(text, "keyspace_hits", "{}", counters.keyspace_hits);
    field!(text, "keyspace_misses", "{}", counters.keyspace_misses);
    field!(text, "pubsub_channels", "{}", ctx.state.pubsub.names(Kind::Channel).len());
    field!(text, "pubsub_patterns", "{}", ctx.state.pubsub.names(Kind::Pattern).len());
    field!(text, "pubsubshard_channels", "{}", ctx.state.pubsub.names(Kind::Shard).len());
    constants(text, &[("latest_fork_usec", "0"), ("total_forks", "0")])?;
    let tracked = &ctx.state.tracked;
    field!(text, "tracking_total_keys", "{}", tracked.keys());
    field!(text, "tracking_total_items", "{}", tracked.items());
    field!(text, "tracking_total_prefixes", "{}", tracked.prefixes());
    field!(text, "total_error_replies", "{}", counters.error_replies);
    if ctx.state.config.compat < Version::Redis7_4 {
        return Ok(());
    }
    field!(text, "client_query_buffer_limit_disconnections", "{}", counters.query_limit_disconnections);
    let slow = ctx.state.clients.output_limit_disconnections;
    field!(text, "client_output_buffer_limit_disconnections", "{slow}");
    for (name, reason) in
        [("auth", Reason::Auth), ("cmd", Reason::Command), ("key", Reason::Key), ("channel", Reason::Channel)]
    {
        write!(text, "acl_access_denied_{name}:{}\r\n", counters.denials(reason))?;
    }
    Ok(())
}

/// Bytes as kilobytes with two decimals.
fn kilobytes(bytes: u64) -> String {
    let hundredths = bytes.saturating_mul(100) / 1024;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn replication(_: &Context<'_>, text: &mut String) -> std::fmt::Result {
    constants(
        text,
        &[
            ("role", "master"),
            ("connected_slaves", "0"),
            ("master_failover_state", "no-failover"),
            ("master_repl_offset", "0"),
            ("second_repl_offset", "-1"),
            ("repl_backlog_active", "0"),
        ],
    )
}

fn commandstats(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    for (command, stats) in ctx.table().all().iter().zip(&ctx.state.stats.by_command) {
        if stats.calls + stats.rejected + stats.failed == 0 {
            continue;
        }
        let hundredths = (stats.nanos / 10).checked_div(stats.calls).unwrap_or_default();
        write!(
            text,
            "cmdstat_{}:calls={},usec={},usec_per_call={}.{:02},rejected_calls={},failed_calls={}\r\n",
            command.full_name(),
            stats.calls,
            stats.nanos / 1000,
            hundredths / 100,
            hundredths % 100,
            stats.rejected,
            stats.failed,
        )?;
    }
    Ok(())
}

fn latencystats(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    let Config { latency_tracking, latency_percentiles, .. } = &ctx.state.config;
    for command in ctx.table().all().iter().filter(|_| *latency_tracking) {
        let Some(durations) = ctx.state.stats.durations(command.index()) else { continue };
        write!(text, "latency_percentiles_usec_{}:", command.full_name())?;
        for (index, percent) in latency_percentiles.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let nanos = durations.percentile(*percent);
            let percent = print_percentile(*percent);
            write!(text, "{comma}p{percent}={}.{:03}", nanos / 1000, nanos % 1000)?;
        }
        text.push_str("\r\n");
    }
    Ok(())
}

fn errorstats(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    let mut errors: Vec<_> = ctx.state.stats.errors.iter().collect();
    errors.sort_unstable();
    errors.into_iter().try_for_each(|(code, count)| write!(text, "errorstat_{code}:count={count}\r\n"))
}

fn cluster(_: &Context<'_>, text: &mut String) -> std::fmt::Result {
    constants(text, &[("cluster_enabled", "0")])
}

fn keyspace(ctx: &Context<'_>, text: &mut String) -> std::fmt::Result {
    for (number, database) in
        ctx.state.databases.iter().enumerate().filter(|(_, database)| !database.is_empty())
    {
        write!(
            text,
            "db{number}:keys={},expires={},avg_ttl={}",
            database.len(),
            database.expiring(),
            database.mean_ttl(ctx.state.now),
        )?;
        if ctx.state.config.compat >= Version::Redis7_4 {
            write!(text, ",subexpiry={}", database.with_expiring_fields())?;
        }
        text.push_str("\r\n");
    }
    Ok(())
}
