//! A program is played on a server, and what comes to every client after each step is kept.

use std::fmt;
use std::io;

use crate::program::{Moment, Program, Step, encoded};

/// What has come to a client with a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub bytes: Vec<u8>,
    /// And then the server has closed the connection.
    pub closed: bool,
}

/// What one step did.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The client has connected with it.
    pub connected: bool,
    /// What each client has received.
    pub heard: Vec<Heard>,
}

/// What was received in a whole program, step by step.
pub type Transcript = Vec<Moved>;

/// Why a program was not played to its end.
#[derive(Debug)]
pub enum Stop {
    /// This machine was too slow for the times of the program.
    Late,
    /// Two things are due at the same time, or at the time of an action.
    Ambiguous,
    /// The server has ended.
    Crashed,
    /// The server does not do what it must.
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

/// A server with the clients of a program, from its beginning to its end.
pub trait Stage {
    /// A client connects; returns the number by which the server knows it.
    fn connect(&mut self, client: usize) -> Result<u64, Stop>;
    /// A client sends bytes. What is received shows whether the server has closed the connection.
    fn send(&mut self, client: usize, bytes: &[u8]) -> Result<(), Stop>;
    /// A client closes its connection.
    fn disconnect(&mut self, client: usize) -> Result<(), Stop>;
    /// A millisecond passes, so that ids made from the clock are greater than before.
    fn pass_a_millisecond(&mut self);
    /// The next slot begins, and is half over. What has come meanwhile may be taken already.
    fn pass_a_slot(&mut self, now: Moment, heard: &mut [Heard]) -> Result<(), Stop>;
    /// All that was done has had its effect; takes what has come to the clients since the last time.
    fn settle(&mut self, sent: usize, now: Moment, heard: &mut [Heard]) -> Result<(), Stop>;
}

/// A connection.
#[derive(Clone, Debug, Default)]
struct Line {
    id: Option<u64>,
    held_up: Vec<u8>,
}

/// Plays a program with slots of this many milliseconds.
pub fn play(program: &Program, unit: u64, stage: &mut impl Stage) -> Result<Transcript, Stop> {
    let mut now = Moment::first(unit);
    let mut lines = vec![Line::default(); program.clients];
    let mut transcript = Vec::with_capacity(program.steps.len());
    let has_made_ids = program.has_made_ids();
    for step in &program.steps {
        if has_made_ids {
            stage.pass_a_millisecond();
        }
        let mut moved = Moved { connected: false, heard: vec![Heard::default(); program.clients] };
        let mut sent = 0;
        match step {
            Step::Send { client, requests, held_up } => {
                if lines[*client].id.is_none() {
                    lines[*client] = Line { id: Some(stage.connect(*client)?), held_up: Vec::new() };
                    moved.connected = true;
                }
                let mut bytes = std::mem::take(&mut lines[*client].held_up);
                for request in requests {
                    bytes.extend(encoded(request, now, |client| lines.get(client)?.id).0);
                }
                lines[*client].held_up = bytes.split_off(bytes.len().saturating_sub(*held_up));
                sent = bytes.len();
                stage.send(*client, &bytes)?;
            }
            Step::Arrive { client } => {
                let bytes = std::mem::take(&mut lines[*client].held_up);
                if !bytes.is_empty() {
                    sent = bytes.len();
                    stage.send(*client, &bytes)?;
                }
            }
            Step::Disconnect { client } => {
                if lines[*client].id.take().is_some() {
                    lines[*client].held_up.clear();
                    stage.disconnect(*client)?;
                }
            }
            Step::Pass { slots } => {
                for _ in 0..*slots {
                    now = now.later(1);
                    stage.pass_a_slot(now, &mut moved.heard)?;
                    stage.settle(0, now, &mut moved.heard)?;
                }
            }
        }
        stage.settle(sent, now, &mut moved.heard)?;
        for (line, heard) in lines.iter_mut().zip(&moved.heard) {
            if heard.closed {
                *line = Line::default();
            }
        }
        transcript.push(moved);
    }
    Ok(transcript)
}
