//! Makes a program that fails as short as possible while it still fails.

use crate::play::{Failure, play};
use crate::program::{Program, Step};

/// How often a program is tried at most: a large one takes some milliseconds.
const TRIES: usize = 5_000;

/// A shorter program that fails, and how.
pub fn shrink(program: &Program, failure: Failure) -> (Program, Failure) {
    let mut shrinking = Shrinking { best: program.clone(), failure, tries: 0 };
    // The steps after the failure do not matter, unless it occurred at the end of the program.
    let first = shrinking.failure.step + 1;
    if first < program.steps.len() {
        shrinking.try_steps(program.steps[..first].to_vec());
    }
    loop {
        let before = shrinking.best.clone();
        shrinking.leave_out_steps();
        shrinking.leave_out_requests();
        shrinking.make_plain();
        if shrinking.best == before || shrinking.tries >= TRIES {
            return (shrinking.best, shrinking.failure);
        }
    }
}

struct Shrinking {
    best: Program,
    failure: Failure,
    tries: usize,
}

impl Shrinking {
    /// Keeps a program if it fails; true if so.
    fn attempt(&mut self, program: Program) -> bool {
        self.tries += 1;
        if program == self.best || self.tries > TRIES {
            return false;
        }
        match play(&program) {
            Ok(_) => false,
            Err(failure) => {
                self.best = program;
                self.failure = failure;
                true
            }
        }
    }

    fn try_steps(&mut self, steps: Vec<Step>) -> bool {
        let program = Program { steps, ..self.best.clone() };
        self.attempt(program)
    }

    /// Leaves out more and more steps at a time from the end on, then fewer and fewer.
    fn leave_out_steps(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2);
        while size > 0 {
            let mut end = self.best.steps.len();
            while end > 0 {
                let from = end.saturating_sub(size);
                let mut steps = self.best.steps.clone();
                steps.drain(from..end.min(steps.len()));
                self.try_steps(steps);
                end = from;
            }
            size /= 2;
        }
    }

    /// Leaves out requests that are sent together with others.
    fn leave_out_requests(&mut self) {
        let mut index = 0;
        while index < self.best.steps.len() {
            let mut at = 0;
            while let Some(Step::Send { requests, .. }) = self.best.steps.get(index)
                && at < requests.len()
                && requests.len() > 1
            {
                let mut steps = self.best.steps.clone();
                if let Some(Step::Send { requests, .. }) = steps.get_mut(index) {
                    requests.remove(at);
                }
                if !self.try_steps(steps) {
                    at += 1;
                }
            }
            index += 1;
        }
    }

    /// Makes everything arrive at once, the timer be on time, and clients read at once and use RESP2.
    fn make_plain(&mut self) {
        for index in 0..self.best.steps.len() {
            let mut steps = self.best.steps.clone();
            match &mut steps[index] {
                Step::Send { held_up, .. } => *held_up = 0,
                Step::Pass { late, .. } => *late = false,
                _ => continue,
            }
            self.try_steps(steps);
        }
        for client in 0..self.best.clients.len() {
            let mut program = self.best.clone();
            program.clients[client].slow = false;
            self.attempt(program);
            let mut program = self.best.clone();
            program.clients[client].resp3 = false;
            self.attempt(program);
        }
        let program = Program { output_limit: false, ..self.best.clone() };
        self.attempt(program);
    }
}
