//! Makes a program that fails as short as possible while it still fails.

use std::time::{Duration, Instant};

use crate::program::{Program, Step};

/// How long this may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A shorter program for which `fails` still returns a failure, and that failure.
pub fn shrink<F>(program: Program, failure: F, fails: impl FnMut(&Program) -> Option<F>) -> (Program, F) {
    let mut shrinking = Shrinking { best: program, failure, fails, began: Instant::now() };
    loop {
        let before = shrinking.best.clone();
        shrinking.leave_out_steps();
        shrinking.leave_out_requests();
        shrinking.make_plain();
        if shrinking.best == before || shrinking.is_over() {
            return (shrinking.best, shrinking.failure);
        }
    }
}

struct Shrinking<F, T> {
    best: Program,
    failure: F,
    fails: T,
    began: Instant,
}

impl<F, T: FnMut(&Program) -> Option<F>> Shrinking<F, T> {
    fn is_over(&self) -> bool {
        self.began.elapsed() > TIMEOUT
    }

    /// Keeps a program if it fails; true if so.
    fn attempt(&mut self, steps: Vec<Step>) -> bool {
        let program = Program { steps, ..self.best.clone() };
        if program == self.best || self.is_over() {
            return false;
        }
        match (self.fails)(&program) {
            None => false,
            Some(failure) => {
                self.best = program;
                self.failure = failure;
                true
            }
        }
    }

    /// Leaves out many steps at a time from the end on, then fewer and fewer.
    fn leave_out_steps(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2);
        while size > 0 {
            let mut end = self.best.steps.len();
            while end > 0 {
                let from = end.saturating_sub(size);
                let mut steps = self.best.steps.clone();
                steps.drain(from..end.min(steps.len()));
                self.attempt(steps);
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
                if !self.attempt(steps) {
                    at += 1;
                }
            }
            index += 1;
        }
    }

    /// Makes steps simpler: nothing is held up, slots and words are left out, and each request is a step.
    fn make_plain(&mut self) {
        let mut index = 0;
        while index < self.best.steps.len() {
            let mut steps = self.best.steps.clone();
            match &mut steps[index] {
                Step::Send { held_up, .. } if *held_up > 0 => *held_up = 0,
                Step::Pass { slots } if *slots > 1 => *slots -= 1,
                Step::Send { client, requests, held_up: 0 } if requests.len() > 1 => {
                    let first =
                        Step::Send { client: *client, requests: vec![requests.remove(0)], held_up: 0 };
                    steps.insert(index, first);
                }
                _ => {}
            }
            if !self.attempt(steps) {
                self.leave_out_words(index);
                index += 1;
            }
        }
    }

    /// Leaves out the last words of the first request of a step.
    fn leave_out_words(&mut self, index: usize) {
        loop {
            let mut steps = self.best.steps.clone();
            let Some(Step::Send { requests, .. }) = steps.get_mut(index) else { return };
            let Some(end) = requests.first().and_then(|request| request.rfind(' ')) else { return };
            requests[0].truncate(end);
            if !self.attempt(steps) {
                return;
            }
        }
    }
}
