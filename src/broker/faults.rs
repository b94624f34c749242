//! Injected faults: what networks, servers and operators do to a chat.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::server::sealed::Sealed;
use super::{Broker, Wait};
use crate::clients::FaultId;
use crate::clients::condition::Condition;
use crate::engine::Engine;
use crate::server::Shared;
use crate::table::TABLE;
use crate::testing::faults::{Action, Channel, Rule, Scope, SimulatedState, When};

/// [`Faults`] without a scope yet, or only with a scope of clients.
#[derive(Debug)]
pub enum Anything {}

/// [`Faults`] on commands.
#[derive(Debug)]
pub enum Commands {}

/// [`Faults`] on messages to subscribers.
#[derive(Debug)]
pub enum Messages {}

mod sealed {
    pub trait OfCommands {}
    impl OfCommands for super::Anything {}
    impl OfCommands for super::Commands {}
    pub trait OfMessages {}
    impl OfMessages for super::Anything {}
    impl OfMessages for super::Messages {}
}

/// A builder for a fault, from [`Broker::faults`]: what it hits, when, and last what it does.
///
/// **What it hits.** [`on_command`](Self::on_command), [`on_key`](Self::on_key) and [`on_client`](Self::on_client)
/// narrow it to commands; [`on_channel`](Self::on_channel) and [`on_channels`](Self::on_channels) to messages on their
/// way to subscribers, which [`on_client`](Self::on_client) narrows to one subscriber. All conditions have to be met at
/// the same time; of several of one kind, one is enough. Commands that the test itself runs by [`Broker::command`] are
/// never hit.
///
/// **When.** Every time, unless [`nth`](Self::nth), [`once`](Self::once), [`every`](Self::every) or
/// [`with_probability`](Self::with_probability) select some of the matches. Matches are counted from the creation of
/// the fault on.
///
/// **What it does.** The last call activates the fault and returns a [`Fault`]; it ends when that is dropped.
///
/// - To commands: [`error`](Self::error), [`delay`](Self::delay), [`disconnect`](Self::disconnect),
///   [`disconnect_after`](Self::disconnect_after), [`disconnect_in_reply`](Self::disconnect_in_reply).
/// - To commands that a server in a bad state refuses: [`loading`](Self::loading), [`read_only`](Self::read_only),
///   [`out_of_memory`](Self::out_of_memory), [`no_auth`](Self::no_auth), [`busy`](Self::busy). All others run.
/// - To messages: [`drop_messages`](Self::drop_messages), [`duplicate_messages`](Self::duplicate_messages),
///   [`delay_messages`](Self::delay_messages) or, where a channel was named, just `delay`; and
///   [`kill_subscribers`](Self::kill_subscribers), which acts once and at once.
///
/// If several faults hit one command, the longest delay comes first, then the effect of the fault made first. A command
/// between MULTI and EXEC is hit when it is sent and would be queued, not when EXEC runs it; EXEC is a command of its
/// own, whose reply is that of the whole transaction. Every hit is in the [journal](Broker::journal).
#[derive(Debug)]
#[must_use = "a fault is in force only when it is said what it does, as by `.disconnect()`"]
pub struct Faults<'a, Of = Anything> {
    shared: &'a Arc<Shared>,
    scope: Scope,
    when: When,
    of: PhantomData<Of>,
}

impl Broker {
    /// Starts the description of a [fault](Faults): its scope, when it hits, and what it does.
    ///
    /// ```
    /// use minibroker::Broker;
    ///
    /// let broker = Broker::start()?;
    /// let mut worker = redis::Client::open(broker.url())?.get_connection()?;
    ///
    /// // The worker's second BLPOP finds its connection closed. Does the worker come back?
    /// let fault = broker.faults().on_command("BLPOP").nth(2).disconnect();
    ///
    /// broker.command(["RPUSH", "chat_queue", "one", "two"])?;
    /// let mut next = || -> redis::RedisResult<(String, String)> {
    ///     loop {
    ///         match redis::cmd("BLPOP").arg("chat_queue").arg(0).query(&mut worker) {
    ///             Err(error) if error.is_connection_dropped() => {
    ///                 worker = redis::Client::open(broker.url())?.get_connection()?;
    ///             }
    ///             taken => return taken,
    ///         }
    ///     }
    /// };
    /// assert_eq!(next()?.1, "one");
    /// assert_eq!(next()?.1, "two");
    /// assert_eq!(fault.hits(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn faults(&self) -> Faults<'_> {
        let shared = &self.server.shared;
        Faults { shared, scope: Scope::default(), when: When::Always, of: PhantomData }
    }

    /// Waits until a fault has hit `count` times or more. If it times out and the fault has never hit, the error lists
    /// the commands that clients have sent since the fault was made: a client may send another command than its
    /// method's name suggests (`incr` of redis-rs sends INCRBY).
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    /// let fault = broker.faults().on_command("GET").error("ERR not today");
    /// let asked = std::thread::spawn(move || -> redis::RedisResult<String> {
    ///     redis::cmd("GET").arg("mood").query(&mut client.get_connection()?)
    /// });
    /// broker.wait_for_fault(&fault, 1).blocking()?;
    /// assert!(asked.join().unwrap().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::start()?;
    /// let mut client = redis::Client::open(broker.url())?.get_connection()?;
    /// let fault = broker.faults().on_command("INCR").error("ERR not today");
    /// redis::Commands::incr::<_, _, i64>(&mut client, "visits", 1)?;
    /// let error = broker.wait_for_fault(&fault, 1).within(Duration::from_millis(1)).blocking().unwrap_err();
    /// assert!(error.to_string().contains("saw 0 (commands since: INCRBY 1)"), "{error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn wait_for_fault(&self, fault: &Fault, count: usize) -> Wait<'_> {
        Wait::new(
            self.server.backend(),
            Condition::Fault { fault: fault.id, words: fault.words.clone(), count },
        )
    }
}

impl<'a, Of> Faults<'a, Of> {
    fn now_of<Other>(self) -> Faults<'a, Other> {
        let Self { shared, scope, when, of: _ } = self;
        Faults { shared, scope, when, of: PhantomData }
    }

    /// Only commands of this client, or messages to it: the client with this id (CLIENT ID), name (CLIENT SETNAME;
    /// since it has been set) or address, as in [`Journal::by_client`](super::Journal::by_client).
    // So that numbers and texts can be passed directly.
    #[allow(clippy::needless_pass_by_value)]
    pub fn on_client(mut self, client: impl ToString) -> Self {
        self.scope.clients.push(client.to_string());
        self
    }

    fn within(mut self, channel: Channel) -> Self {
        self.scope.channels.push(channel);
        self
    }

    /// Only the `n`th time, from 1.
    ///
    /// # Panics
    ///
    /// `n` is 0.
    #[track_caller]
    pub fn nth(self, n: u64) -> Self {
        assert!(n > 0, "`nth(0)`: the first time is 1");
        Self { when: When::Nth(n), ..self }
    }

    /// Only the first time.
    pub fn once(self) -> Self {
        Self { when: When::Nth(1), ..self }
    }

    /// Every `n`th time: with 3 the third, the sixth and so on.
    ///
    /// # Panics
    ///
    /// `n` is 0.
    #[track_caller]
    pub fn every(self, n: u64) -> Self {
        assert!(n > 0, "`every(0)`: every time is 1");
        Self { when: When::Every(n), ..self }
    }

    /// Each time with this probability, from 0 to 1. If the broker was given a seed, the seed determines which times
    /// these are: the same commands in the same order are hit at the same points.
    ///
    /// # Panics
    ///
    /// It is not between 0 and 1.
    #[track_caller]
    pub fn with_probability(self, probability: f64) -> Self {
        assert!((0.0..=1.0).contains(&probability), "`with_probability({probability})`: not between 0 and 1");
        Self { when: When::Probability(probability), ..self }
    }

    fn put(self, action: Action) -> Fault {
        let Self { shared, scope, when, of: _ } = self;
        let rule = Rule { scope, when, action };
        let words = rule.to_string();
        let id = shared.change(|engine, _| engine.add_fault(rule));
        Fault { shared: Arc::clone(shared), id, words, kept: false }
    }
}

/// Faults on commands.
#[allow(private_bounds)]
impl<'a, Of: sealed::OfCommands> Faults<'a, Of> {
    /// This command only, in upper or lower case. `CONFIG SET` names a subcommand, `CONFIG` all of them.
    ///
    /// # Panics
    ///
    /// There is no such command.
    ///
    /// ```should_panic
    /// let broker = minibroker::Broker::start().unwrap();
    /// let fault = broker.faults().on_command("BLPOPP").disconnect();
    /// ```
    #[track_caller]
    pub fn on_command(mut self, name: impl AsRef<str>) -> Faults<'a, Commands> {
        let name = name.as_ref();
        let Some(command) = TABLE.named(name) else { panic!("`on_command({name:?})`: no such command") };
        self.scope.commands.push(command);
        self.now_of()
    }

    /// Only commands with such a key: a pattern like that of KEYS, where `*` is any text, `?` any character and `[ab]`
    /// one of these. A name without such characters is that key.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut client = redis::Client::open(broker.url())?.get_connection()?;
    /// let _fault = broker.faults().on_key("session:*").error("ERR the disk is on fire");
    /// let refused = redis::cmd("HGETALL").arg("session:7").exec(&mut client);
    /// assert!(refused.unwrap_err().to_string().contains("the disk is on fire"));
    /// redis::cmd("HGETALL").arg("profile:7").exec(&mut client)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_key(mut self, pattern: impl AsRef<[u8]>) -> Faults<'a, Commands> {
        self.scope.keys.push(pattern.as_ref().into());
        self.now_of()
    }

    /// The command is answered with this error, code and text, and does not run. It aborts a transaction, and INFO
    /// counts it as rejected, like redis-server's own errors of this kind.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut client = redis::Client::open(broker.url())?.get_connection()?;
    /// redis::cmd("CLIENT").arg("SETNAME").arg("worker-1").exec(&mut client)?;
    ///
    /// let fault = broker.faults().on_client("worker-1").on_command("LLEN").once().error("TRYAGAIN later");
    /// let mut tries = 0;
    /// let length = loop {
    ///     tries += 1;
    ///     match redis::cmd("LLEN").arg("chat_queue").query::<i64>(&mut client) {
    ///         Err(error) if error.code() == Some("TRYAGAIN") => {}
    ///         other => break other?,
    ///     }
    /// };
    /// assert_eq!((length, tries, fault.hits()), (0, 2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn error(self, text: impl AsRef<[u8]>) -> Fault {
        self.put(Action::Error(text.as_ref().into()))
    }

    /// The command is delayed by `delay` on the broker's clock before it runs; other clients continue, later requests
    /// of the same client wait. If the fault ends before, the command runs then: with a very long delay, a command is
    /// held until the [`Fault`] is dropped. If the client disconnects before, the command never runs. The delay counts as
    /// time that the command takes: SLOWLOG and LATENCY show it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::start()?;
    /// let client = redis::Client::open(broker.url())?;
    ///
    /// // Ann's message is held on its way; Bob's, sent later, comes first.
    /// let hold = broker.faults().on_command("RPUSH").once().delay(Duration::MAX);
    /// let ann = std::thread::spawn({
    ///     let client = client.clone();
    ///     move || redis::cmd("RPUSH").arg("history").arg("ann").exec(&mut client.get_connection()?)
    /// });
    /// broker.wait_for_fault(&hold, 1).blocking()?;
    /// redis::cmd("RPUSH").arg("history").arg("bob").exec(&mut client.get_connection()?)?;
    /// drop(hold);
    /// ann.join().unwrap()?;
    /// assert_eq!(broker.command(["LRANGE", "history", "0", "-1"])?.to_string(), r#"["bob", "ann"]"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delay(self, delay: Duration) -> Fault {
        self.put(Action::Delay(delay))
    }

    /// The connection is closed in place of running the command. Earlier replies still arrive.
    pub fn disconnect(self) -> Fault {
        self.put(Action::Disconnect)
    }

    /// The command runs, but the connection is closed in place of its reply: the client cannot know whether it ran. A
    /// command that blocks is hit when it is served.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut worker = redis::Client::open(broker.url())?.get_connection()?;
    /// broker.command(["RPUSH", "chat_queue", "hello"])?;
    ///
    /// // The worker dies between BLPOP and its work: the message is gone. LMOVE to a second list would have saved it.
    /// let fault = broker.faults().on_command("BLPOP").disconnect_after();
    /// let taken: redis::RedisResult<(String, String)> =
    ///     redis::cmd("BLPOP").arg("chat_queue").arg(0).query(&mut worker);
    /// assert!(taken.unwrap_err().is_connection_dropped());
    /// assert_eq!(broker.command(["LLEN", "chat_queue"])?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn disconnect_after(self) -> Fault {
        self.put(Action::LoseReply(0))
    }

    /// The command runs, and the connection is closed after the first `bytes` bytes of its reply; after the whole reply
    /// if it is not longer. A command that blocks is hit when it is served.
    pub fn disconnect_in_reply(self, bytes: usize) -> Fault {
        self.put(Action::LoseReply(bytes))
    }

    /// Answers `LOADING` like a server that reads its data set from disk after a start. Commands that redis-server
    /// allows meanwhile run: AUTH, HELLO, SUBSCRIBE, PUBLISH, INFO and the like, but not PING.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut client = redis::Client::open(broker.url())?.get_connection()?;
    /// let loading = broker.faults().loading();
    /// let refused = redis::cmd("GET").arg("mood").exec(&mut client).unwrap_err();
    /// assert_eq!(refused.code(), Some("LOADING"));
    /// drop(loading);
    /// redis::cmd("GET").arg("mood").exec(&mut client)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn loading(self) -> Fault {
        self.put(Action::Simulate(SimulatedState::Loading))
    }

    /// Answers commands that write with `READONLY`, like a server that has become a replica: what a client sees after a
    /// failover that it has missed.
    pub fn read_only(self) -> Fault {
        self.put(Action::Simulate(SimulatedState::ReadOnly))
    }

    /// Answers commands that may need memory with `OOM`, like a server that has reached `maxmemory`.
    pub fn out_of_memory(self) -> Fault {
        self.put(Action::Simulate(SimulatedState::OutOfMemory))
    }

    /// Answers `NOAUTH` to all but AUTH, HELLO, QUIT and RESET, like a server where the client is not logged in any
    /// more. These four run as usual.
    pub fn no_auth(self) -> Fault {
        self.put(Action::Simulate(SimulatedState::NoAuth))
    }

    /// Answers `BUSY` like a server that runs a script which does not end. MULTI, WATCH, HELLO and a few others run
    /// meanwhile.
    pub fn busy(self) -> Fault {
        self.put(Action::Simulate(SimulatedState::Busy))
    }
}

impl<'a> Faults<'a, Anything> {
    /// Only messages on this channel, whichever subscription delivers them: to the channel, to a pattern, to a shard
    /// channel. Keyspace notifications are messages as well, and so are the invalidations that a client with CLIENT
    /// TRACKING gets, in RESP3 too: on the channel `__redis__:invalidate`.
    pub fn on_channel(self, channel: impl AsRef<[u8]>) -> Faults<'a, Messages> {
        self.now_of::<Messages>().on_channel(channel)
    }

    /// Messages on all channels whose names match: a pattern like that of PSUBSCRIBE.
    pub fn on_channels(self, pattern: impl AsRef<[u8]>) -> Faults<'a, Messages> {
        self.now_of::<Messages>().on_channels(pattern)
    }
}

impl Faults<'_, Commands> {
    /// Only commands that name this channel: PUBLISH, SUBSCRIBE, UNSUBSCRIBE and their counterparts for shard channels.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut client = redis::Client::open(broker.url())?.get_connection()?;
    /// let _fault = broker.faults().on_command("PUBLISH").on_channel("chat").error("ERR not today");
    /// assert!(redis::cmd("PUBLISH").arg("chat").arg("hello").exec(&mut client).is_err());
    /// assert!(redis::cmd("PUBLISH").arg("news").arg("hello").exec(&mut client).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_channel(self, channel: impl AsRef<[u8]>) -> Self {
        self.within(Channel::Named(channel.as_ref().into()))
    }

    /// Only commands that name a matching channel: a pattern like that of PSUBSCRIBE.
    pub fn on_channels(self, pattern: impl AsRef<[u8]>) -> Self {
        self.within(Channel::Like(pattern.as_ref().into()))
    }
}

impl Faults<'_, Messages> {
    /// Messages on this channel as well.
    pub fn on_channel(self, channel: impl AsRef<[u8]>) -> Self {
        self.within(Channel::Named(channel.as_ref().into()))
    }

    /// Messages on all channels whose names match as well.
    pub fn on_channels(self, pattern: impl AsRef<[u8]>) -> Self {
        self.within(Channel::Like(pattern.as_ref().into()))
    }

    /// The same as [`delay_messages`](Self::delay_messages).
    pub fn delay(self, delay: Duration) -> Fault {
        self.delay_messages(delay)
    }

    /// Cuts off at once all clients that would get a message on the channel, by any subscription, and returns how many
    /// these are. It happens once; `nth` and the like have no effect. With [`on_channels`](Self::on_channels), a client
    /// that is subscribed to a pattern is cut off only if it is exactly the same pattern.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = connection.as_pubsub();
    /// chat.subscribe("chat")?;
    ///
    /// assert_eq!(broker.faults().on_channel("chat").kill_subscribers(), 1);
    /// assert!(chat.get_message().unwrap_err().is_connection_dropped());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // The name is that of an action, not of a query.
    #[allow(clippy::must_use_candidate)]
    pub fn kill_subscribers(self) -> usize {
        self.shared.change(|engine, _| engine.state_mut().kill_subscribers(&self.scope))
    }
}

/// Faults on messages.
#[allow(private_bounds)]
impl<Of: sealed::OfMessages> Faults<'_, Of> {
    /// The messages are not sent, as if the network had lost them. PUBLISH counts the receivers nevertheless, and
    /// [`assert_no_message_lost`](Broker::assert_no_message_lost) reports the loss.
    ///
    /// ```
    /// let broker = minibroker::Broker::start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = connection.as_pubsub();
    /// chat.subscribe("chat")?;
    ///
    /// let _fault = broker.faults().on_channel("chat").nth(2).drop_messages();
    /// for message in ["1 hello", "2 anybody there?", "3 bye"] {
    ///     assert_eq!(broker.command(["PUBLISH", "chat", message])?, 1);
    /// }
    /// // A listener that looks at the numbers notices the gap.
    /// assert_eq!(chat.get_message()?.get_payload::<String>()?, "1 hello");
    /// assert_eq!(chat.get_message()?.get_payload::<String>()?, "3 bye");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_messages(self) -> Fault {
        self.put(Action::Drop)
    }

    /// The messages are sent twice in succession.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    ///
    /// let broker = minibroker::Broker::start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = connection.as_pubsub();
    /// chat.subscribe("chat")?;
    ///
    /// let _fault = broker.faults().on_channel("chat").duplicate_messages();
    /// broker.command(["PUBLISH", "chat", "7: hello"])?;
    ///
    /// // A listener that remembers the numbers of messages shows each once.
    /// let (mut seen, mut shown) = (BTreeSet::new(), Vec::new());
    /// for _ in 0..2 {
    ///     let message: String = chat.get_message()?.get_payload()?;
    ///     if seen.insert(message.split(':').next().unwrap_or_default().to_owned()) {
    ///         shown.push(message);
    ///     }
    /// }
    /// assert_eq!(shown, ["7: hello"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn duplicate_messages(self) -> Fault {
        self.put(Action::Duplicate)
    }

    /// The messages are sent later by `delay`, on the broker's clock. Those that the fault delays keep their order;
    /// messages that it does not hit (because of [`nth`](Self::nth), for example) overtake them. A delayed message is
    /// dropped if its subscriber unsubscribes: nothing follows the confirmation; and it is lost if the subscriber
    /// disconnects. When the fault ends, all messages that it has delayed arrive at once: with a very long delay
    /// messages are held until the [`Fault`] is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let broker = minibroker::Broker::start()?;
    /// let mut connection = redis::Client::open(broker.url())?.get_connection()?;
    /// let mut chat = connection.as_pubsub();
    /// chat.subscribe("chat")?;
    ///
    /// let fault = broker.faults().on_channel("chat").once().delay(Duration::from_millis(20));
    /// broker.command(["PUBLISH", "chat", "first"])?;
    /// broker.command(["PUBLISH", "chat", "second"])?;
    /// assert_eq!(chat.get_message()?.get_payload::<String>()?, "second");
    /// assert_eq!(chat.get_message()?.get_payload::<String>()?, "first");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delay_messages(self, delay: Duration) -> Fault {
        self.put(Action::DelayMessage(delay))
    }
}

/// An active fault, from [`Broker::faults`]. It ends when this is dropped: commands and messages that it delays
/// continue at once, in order, and it does not hit any more. It prints as its description: `BLPOP of client "worker-1",
/// the 2nd time: disconnect`.
#[must_use = "the fault ends when this is dropped: `let _fault = ...`, or `.keep()`"]
pub struct Fault {
    shared: Arc<Shared>,
    id: FaultId,
    words: String,
    kept: bool,
}

impl Fault {
    /// How many commands or messages it has hit. A command whose reply it is to cut off counts when the reply is
    /// complete.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.shared.with_state(|state| state.faults.hits(self.id)).unwrap_or_default()
    }

    /// Leaves it in force for as long as the broker lives.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if !self.kept && !self.shared.is_forked() {
            self.shared.change(|engine: &mut Engine, now| engine.end_fault(self.id, now));
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fault").field(&self.words).finish()
    }
}
