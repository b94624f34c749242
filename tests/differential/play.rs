//! A program is played on a server, and what every client receives with each step is kept.

use std::fmt;
use std::io;

use crate::program::{Moment, Program, Step, encoded};

/// What a client has received with a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    pub bytes: Vec<u8>,
    /// The server has closed the connection afterwards.
    pub closed: bool,
}

/// What one step did.
#[derive(Clone, Debug)]
pub struct StepOutcome {
    /// The client has connected with it.
    pub connected: bool,
    /// What each client has received.
    pub received: Vec<Received>,
}

/// What was received in a whole program, step by step.
pub type Transcript = Vec<StepOutcome>;

/// Why a program was not played to its end.
#[derive(Debug)]
pub enum Stop {
    /// This machine was too slow for the times of the program.
    Late,
    /// Two things are due at the same time, or at the time of an action.
    Ambiguous,
    /// The server has ended.
    Crashed,
    /// The server does not answer as required.
    Broken(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("this machine is too slow"),
            Self::Crashed => f.write_str("the server has ended"),
            Self::Ambiguous => f.write_str("two things are due at once"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

/// A server with the clients of a program, for one run of the program.
pub trait Stage {
    /// A client connects; returns its id on the server.
    fn connect(&mut self, client: usize) -> Result<u64, Stop>;
    /// A client sends bytes. It is no error if the server has closed the connection.
    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), Stop>;
    /// A client closes its connection.
    fn disconnect(&mut self, client: usize) -> Result<(), Stop>;
    /// A millisecond passes, so that ids made from the clock are greater than before.
    fn pass_a_millisecond(&mut self);
    /// Time passes to the middle of the next slot. What clients receive until then may be taken already.
    fn pass_a_slot(&mut self, now: Moment, received: &mut [Received]) -> Result<(), Stop>;
    /// Waits until all that was sent has had its effect; takes what the clients have received since the last call.
    fn settle(&mut self, sent: usize, now: Moment, received: &mut [Received]) -> Result<(), Stop>;
}

/// A connection.
#[derive(Clone, Debug, Default)]
struct Connection {
    id: Option<u64>,
    held_up: Vec<u8>,
}

/// Plays a program with slots of this many milliseconds.
pub fn play(program: &Program, unit: u64, stage: &mut impl Stage) -> Result<Transcript, Stop> {
    let mut now = Moment::first(unit);
    let mut connections = vec![Connection::default(); program.clients];
    let mut transcript = Vec::with_capacity(program.steps.len());
    let has_made_ids = program.has_made_ids();
    for step in &program.steps {
        if has_made_ids {
            stage.pass_a_millisecond();
        }
        let mut outcome =
            StepOutcome { connected: false, received: vec![Received::default(); program.clients] };
        let mut sent = 0;
        match step {
            Step::Send { client, requests, held_up } => {
                if connections[*client].id.is_none() {
                    connections[*client] =
                        Connection { id: Some(stage.connect(*client)?), held_up: Vec::new() };
                    outcome.connected = true;
                }
                let mut bytes = std::mem::take(&mut connections[*client].held_up);
                for request in requests {
                    bytes.extend(encoded(request, now, |client| connections.get(client)?.id).0);
                }
                connections[*client].held_up = bytes.split_off(bytes.len().saturating_sub(*held_up));
                sent = bytes.len();
                stage.send(*client, &bytes)?;
            }
            Step::Arrive { client } => {
                let bytes = std::mem::take(&mut connections[*client].held_up);
                if !bytes.is_empty() {
                    sent = bytes.len();
                    stage.send(*client, &bytes)?;
                }
            }
            Step::Disconnect { client } => {
                if connections[*client].id.take().is_some() {
                    connections[*client].held_up.clear();
                    stage.disconnect(*client)?;
                }
            }
            Step::Pass { slots } => {
                for _ in 0..*slots {
                    now = now.later(1);
                    stage.pass_a_slot(now, &mut outcome.received)?;
                    stage.settle(0, now, &mut outcome.received)?;
                }
            }
        }
        stage.settle(sent, now, &mut outcome.received)?;
        for (connection, received) in connections.iter_mut().zip(&outcome.received) {
            if received.closed {
                *connection = Connection::default();
            }
        }
        transcript.push(outcome);
    }
    Ok(transcript)
}
