//! Records on their way to the supervisor, which may be slow for a moment.

use std::collections::VecDeque;

use keepalived_kernel::pipe::Pipe;
use keepalived_state::MOST_KEPT;

use crate::message::{self, FromChild, MOST_RECORDS};

/// What the supervisor could not be told yet; the oldest make room.
#[derive(Debug)]
pub struct Untold<T> {
    waiting: VecDeque<T>,
}

impl<T> Default for Untold<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<T: Clone> Untold<T> {
    /// One more.
    pub fn push(&mut self, record: T) {
        if self.waiting.len() >= MOST_KEPT {
            self.waiting.pop_front();
        }
        self.waiting.push_back(record);
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Tells as much as fits into the pipe, in messages of at most [`MOST_RECORDS`]. A supervisor that is gone ends this process
    /// another way.
    pub fn tell(&mut self, pipe: &Pipe, message: impl Fn(Vec<T>) -> FromChild) {
        while !self.waiting.is_empty() {
            let some: Vec<T> = self.waiting.iter().take(MOST_RECORDS).cloned().collect();
            let told = some.len();
            if message::send(pipe, &message(some)).is_err() {
                break;
            }
            self.waiting.drain(..told);
        }
    }
}
