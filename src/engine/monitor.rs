//! MONITOR: clients that asked to see all commands see them.

use super::Engine;
use super::admission::is_control;
use crate::clients::{Client, ClientKey, Encoded};
use crate::config::Config;
use crate::data::{Time, present};
use crate::resp::Args;
use crate::spec::{Command, Flags, Run, Script};
use crate::state::State;
use crate::testing::Recorder;

/// What is shown in place of a password.
const REDACTED: &[u8] = b"(redacted)";

/// How many bytes of commands may wait for a reader of `watch_commands`.
pub const WATCH_LIMIT: usize = 1024 * 1024;

impl Engine {
    /// Shows a command to all monitors, in redis-server's format, never with passwords. Commands about the server
    /// itself and those that were refused are shown only to the embedding program.
    pub(super) fn feed_monitors(
        &mut self,
        key: ClientKey,
        command: Option<&Command>,
        args: Args<'_>,
        ran: bool,
    ) {
        if self.state.clients.monitors.is_empty() {
            return;
        }
        if ran
            && command.is_some_and(|command| {
                matches!(command.run, Run::Script(Script::Eval { .. } | Script::Call { .. }))
            })
        {
            // It was shown before the commands that it has run.
            return;
        }
        let public = ran && command.is_some_and(is_public);
        self.show(key, command, args, public, None);
    }

    /// Shows a command that runs a script, before the script runs.
    pub(super) fn show_script(&mut self, key: ClientKey, command: &Command, args: Args<'_>) {
        if !self.state.clients.monitors.is_empty() {
            self.show(key, Some(command), args, true, None);
        }
    }

    /// Shows a command that a script has run.
    pub(super) fn show_command_of_script(&mut self, key: ClientKey, command: &Command, args: Args<'_>) {
        self.show(key, Some(command), args, is_public(command), Some("lua"));
    }

    /// Shows a command to the embedding program, and to clients if it is `public`; with `source` or the client's
    /// address as its origin.
    fn show(
        &mut self,
        key: ClientKey,
        command: Option<&Command>,
        args: Args<'_>,
        public: bool,
        source: Option<&str>,
    ) {
        let Some(line) = self.monitor_line(key, command, args, source) else { return };
        let line = bytes::Bytes::from(line);
        for monitor in self.state.clients.monitors.clone() {
            let Some(client) = present(self.state.clients.get_mut(monitor)) else { continue };
            if !(client.internal || public && !client.reply_mode.off) {
                continue;
            }
            if client.internal && client.pending_output() + line.len() > WATCH_LIMIT {
                client.left_out += 1;
                continue;
            }
            let left_out = std::mem::take(&mut client.left_out);
            let State { clients, config, now, .. } = &mut *self.state;
            if left_out > 0 {
                let line = format!("+(left out: {left_out} commands, because nobody read them)\r\n");
                clients.deliver(monitor, Encoded::Copied(line.as_bytes()), config, *now);
            }
            clients.deliver(monitor, Encoded::from(&line), config, *now);
        }
    }

    fn monitor_line(
        &self,
        key: ClientKey,
        command: Option<&Command>,
        args: Args<'_>,
        source: Option<&str>,
    ) -> Option<Vec<u8>> {
        let client = self.state.clients.get(key)?;
        let micros = self.state.now.micros();
        let source = if let Some(source) = source {
            source.to_owned()
        } else if client.address.unix {
            format!("unix:{}", self.state.config.unixsocket)
        } else {
            client.address.peer.to_string()
        };
        let mut line = format!("+{}.{:06} [{} {source}]", micros / 1_000_000, micros % 1_000_000, client.db)
            .into_bytes();
        for argument in shown(command, args) {
            line.push(b' ');
            quote(argument, &mut line);
        }
        line.extend_from_slice(b"\r\n");
        Some(line)
    }
}

/// Records a command in the journal, without passwords; not one of a test client.
#[inline(never)]
pub(super) fn record_command(
    journal: &mut Recorder,
    (client, config, now): (&Client, &Config, Time),
    command: Option<&Command>,
    args: Args<'_>,
) {
    match command {
        None if is_control(config, args) => {}
        _ => journal.command(client, shown(command, args), now),
    }
}

/// True for a command that clients are shown: not one about the server itself.
fn is_public(command: &Command) -> bool {
    !command.flags.intersects(Flags::SKIP_MONITOR.or(Flags::ADMIN))
}

/// The arguments, without names of users and passwords. One that is not parsed as such is shown, as by redis-server, which
/// redacts them while it parses them.
pub(super) fn shown<'a>(
    command: Option<&Command>,
    args: Args<'a>,
) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
    let is_secret = command.and_then(|command| command.is_secret);
    let shown = move |(index, argument)| match is_secret {
        Some(is_secret) if is_secret(args, index) => REDACTED,
        _ => argument,
    };
    args.iter().enumerate().map(shown)
}

/// A text in double quotes as redis-server's `sdscatrepr` writes it.
fn quote(text: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for byte in text {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', *byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            7 => line.extend_from_slice(b"\\a"),
            8 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(*byte),
            other => line.extend_from_slice(format!("\\x{other:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}
