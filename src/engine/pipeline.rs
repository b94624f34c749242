//! Pipelines of simple commands.
//!
//! Most commands are [simple](Command::is_simple), and most clients send them in the simplest state: no transaction, no faults,
//! no subscriptions in RESP2. For a run of such requests in one batch, what is the same for all of them is done once, and
//! their replies are appended to one buffer. Each takes the steps of `command_life.rs` that are left: it is found in the table,
//! runs, and is accounted for. Any other request ends the run and takes all steps.

use super::Engine;
use super::command_life::{Caller, Finished, Origin};
use crate::clients::{Client, ClientKey, Close, FIXED_OUTPUT, ReplyMode, Rights};
use crate::config::Version;
use crate::data::present;
use crate::resp::{Args, Protocol, Reply};
use crate::spec::{Command, Context, Run};
use crate::state::State;
use crate::table::TABLE;

/// Simple requests of one client, which run one after another.
pub(super) struct Pipeline {
    caller: Caller,
    /// The client's output buffer. The last reply begins at `start`.
    out: Vec<u8>,
    start: usize,
    /// How much output of the client is being written.
    in_flight: usize,
    /// The bytes of the requests, which the statistics do not have yet.
    received: u64,
    /// The last command and the length of its request.
    last: Option<(usize, usize)>,
}

impl Pipeline {
    /// How many bytes of replies wait to be written.
    #[inline]
    pub(super) fn output(&self) -> usize {
        self.out.len()
    }
}

/// Whether a client is in the state in which most are.
fn is_usual(client: &Client) -> bool {
    client.rights == Rights::All
        && client.reply_mode == ReplyMode::default()
        && client.close == Close::No
        && client.transaction.is_none()
        && client.pending_fault.is_none()
        && !(client.protocol == Protocol::Resp2 && client.is_subscribed())
        && !(client.monitor || client.internal || client.no_touch)
}

impl Engine {
    /// Whether nothing that happens to single commands is to happen to those of this client.
    #[inline(never)]
    pub(super) fn may_begin_pipeline(&self, key: ClientKey) -> bool {
        let State { journal, faults, waiters, tracked, clients, busy, asleep_until, .. } = &*self.state;
        !(journal.is_on() || faults.are_of_commands() || self.is_each_measured())
            && waiters.pause.is_none()
            && !(waiters.has_condition_waiters() || waiters.has_ready())
            && busy.is_none()
            && asleep_until.is_none()
            && tracked.clients() == 0
            && clients.monitors.is_empty()
            && clients.get(key).is_some_and(is_usual)
    }

    /// Takes the output buffer of a client, for the replies to simple requests.
    #[inline]
    pub(super) fn begin_pipeline(&mut self, key: ClientKey) -> Option<Pipeline> {
        let (out, client) = present(self.state.clients.take_outbox(key))?;
        let in_flight = client.in_flight;
        let caller = Caller::new(key, Origin::Request, client);
        let state = &mut *self.state;
        (state.db, state.caller) = (caller.database, key);
        (state.in_script, state.in_transaction, state.touches) = (false, false, true);
        state.keeps_expired = false;
        Some(Pipeline { caller, start: out.len(), out, in_flight, received: 0, last: None })
    }

    /// The command of a request if it is simple and there is nothing to say against its arguments' number.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive` in `command_life.rs`.
    pub(super) fn simple_command(&self, args: Args<'_>) -> Option<&'static Command> {
        let version = self.state.config.compat;
        let command = TABLE.lookup(args.get(0)?)?;
        let is_simple = command.is_simple() && !command.may_take_long(args.len());
        (is_simple && command.is_in(version) && command.accepts_in(version, args.len())).then_some(command)
    }

    /// Runs a simple command. False if the run of requests ends with it.
    #[inline(always)]
    #[allow(clippy::inline_always)] // See `receive` in `command_life.rs`.
    pub(super) fn run_simple(
        &mut self,
        pipeline: &mut Pipeline,
        command: &'static Command,
        args: Args<'_>,
        length: usize,
    ) -> bool {
        let Pipeline { caller, out, start, .. } = pipeline;
        let client = caller.client;
        *start = out.len();
        let Run::Command(function) = command.run else { return false };
        let in_full = self.state.config.compat < Version::Redis7_4;
        let reply = Reply::new(out, caller.protocol).with_doubles_in_full(in_full);
        let state = &mut self.state;
        let mut context = Context { args, reply, state, client, command, may_block: false, wait: None };
        let outcome = function(&mut context);
        debug_assert!(context.wait.is_none(), "a simple command does not wait");
        self.account_for(*caller, command, (outcome, Finished::default()), (*start, out));
        self.count_run(command);
        pipeline.received += length as u64;
        pipeline.last = Some((command.index(), length));
        let State { clients, waiters, .. } = &*self.state;
        let is_usual = |client: &Client| client.outbox.capacity() == 0 && client.close == Close::No;
        pipeline.out.len() + pipeline.in_flight <= FIXED_OUTPUT
            && !waiters.has_ready()
            && clients.get(client).is_some_and(is_usual)
    }

    /// Returns the output buffer, and does what follows every reply and every request.
    pub(super) fn end_pipeline(&mut self, pipeline: Option<Pipeline>) {
        let Some(Pipeline { caller, out, start, received, last, .. }) = pipeline else { return };
        let State { clients, config, now, stats, .. } = &mut *self.state;
        stats.net_input += received;
        if let (Some(client), Some((command, length))) = (present(clients.get_mut(caller.client)), last) {
            client.net_input += received;
            client.last_interaction = *now;
            client.last_command = Some(command);
            client.query_buffer = length;
        }
        clients.put_reply(caller.client, out, start, config, *now);
        self.serve_after_request();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Address;
    use crate::config::Config;
    use crate::data::Time;
    use crate::resp::Parser;
    use crate::spec::Error;

    fn start() -> Time {
        Time::from_millis(0)
    }

    /// Sends all requests at once and returns the output.
    fn send(engine: &mut Engine, client: ClientKey, requests: &str) -> String {
        engine.feed(client, &mut Parser::new(), requests.replace(" ; ", "\r\n").as_bytes(), start());
        let mut output = Vec::new();
        engine.take_output(client, &mut output);
        String::from_utf8_lossy(&output).replace("\r\n", " ")
    }

    #[test]
    fn commands_about_values_are_simple_and_those_about_clients_are_not() {
        let is_simple = |name: &&str| TABLE.lookup_full(name.as_bytes()).is_some_and(Command::is_simple);
        let simple = "get set ping echo publish spublish lpush xadd zrange rename";
        let others = "nosuch blpop xread multi exec watch subscribe select copy client|reply eval config|set debug touch \
                      hello auth quit monitor flushall wait acl|setuser";
        assert!(simple.split_whitespace().all(|name| is_simple(&name)));
        let wrong: Vec<&str> = others.split_whitespace().filter(is_simple).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_message_to_oneself_stands_between_the_replies_of_a_pipeline() -> Result<(), Error> {
        let mut engine = Engine::new(Config::default(), 1, start());
        let client = engine.connect(Address::default(), start())?;
        send(&mut engine, client, "HELLO 3 ; SUBSCRIBE c ; ");
        let output = send(&mut engine, client, "SET a 1\r\nPUBLISH c x\r\nINCR a\r\n");
        assert_eq!(output, "+OK :1 >3 $7 message $1 c $1 x :2 ");
        Ok(())
    }

    #[test]
    fn a_waiter_is_served_before_the_next_request_of_a_pipeline() -> Result<(), Error> {
        let mut engine = Engine::new(Config::default(), 1, start());
        let waiter = engine.connect(Address::default(), start())?;
        assert_eq!(send(&mut engine, waiter, "BLPOP l 0\r\n"), "");
        let client = engine.connect(Address::default(), start())?;
        let output = send(&mut engine, client, "RPUSH l x\r\nLLEN l\r\nRPUSH l y\r\nLLEN l\r\n");
        assert_eq!(output, ":1 :0 :1 :1 ");
        let mut output = Vec::new();
        engine.take_output(waiter, &mut output);
        assert_eq!(output, b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
        Ok(())
    }

    #[test]
    fn what_a_pipeline_has_done_is_counted_when_another_request_asks() -> Result<(), Error> {
        let mut engine = Engine::new(Config::default(), 1, start());
        let client = engine.connect(Address::default(), start())?;
        let output = send(&mut engine, client, "PING\r\nGET\r\nGET a\r\nCLIENT INFO\r\nINFO stats\r\n");
        assert!(
            output.starts_with("+PONG -ERR wrong number of arguments for 'get' command $-1 "),
            "{output}"
        );
        assert!(output.contains(" qbuf=13 ") && output.contains("cmd=client|info "), "{output}");
        assert!(output.contains("total_commands_processed:3 "), "{output}");
        assert!(output.contains("total_net_input_bytes:43 "), "{output}");
        assert!(output.contains("keyspace_misses:1 "), "{output}");
        Ok(())
    }
}
