//! An engine that is driven as by the shell, for the benches that measure only the engine.

use std::time::Duration;

use minibroker::internal::clients::Address;
use minibroker::internal::clients::ClientKey;
use minibroker::internal::config::Config;
use minibroker::internal::data::Time;
use minibroker::internal::engine::Engine;
use minibroker::internal::resp::{Parser, Protocol, Reply};

/// The time of all requests.
pub const NOW: Time = Time::from_micros(1_700_000_000_000_000);

/// An engine, with the buffers that the shell would have.
pub struct Driven {
    pub engine: Engine,
    parser: Parser,
    /// The output of the last client.
    pub out: Vec<u8>,
    dirty: Vec<ClientKey>,
}

impl Driven {
    pub fn new() -> Self {
        let engine = Engine::new(Config::default(), 1, NOW);
        Self { engine, parser: Parser::new(), out: Vec::new(), dirty: Vec::new() }
    }

    pub fn connect(&mut self) -> ClientKey {
        let address = Address { peer: "127.0.0.1:53211".into(), ..Address::default() };
        self.engine.connect(address, NOW).expect("there is room for a client")
    }

    /// Runs requests and takes all output; returns how many bytes that is.
    pub fn feed(&mut self, key: ClientKey, bytes: &[u8]) -> usize {
        self.engine.feed(key, &mut self.parser, bytes, NOW);
        self.engine.record_durations(Duration::ZERO);
        self.engine.take_dirty(&mut self.dirty);
        let mut taken = 0;
        for key in self.dirty.drain(..) {
            self.out.clear();
            self.engine.take_output(key, &mut self.out);
            taken += self.out.len();
        }
        taken
    }
}

/// A request as a client sends it.
pub fn request(arguments: &[impl AsRef<str>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Reply::new(&mut bytes, Protocol::Resp2);
    writer.array(arguments.len());
    for argument in arguments {
        writer.bulk(argument.as_ref().as_bytes());
    }
    bytes
}
