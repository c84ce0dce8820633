//! Records for the supervisor's journals, which wait while the supervisor is slow.

use std::collections::VecDeque;

use keepalived_state::MOST_KEPT;

use crate::connection::Connection;
use crate::message::{FromChild, MOST_RECORDS};

/// Records that the supervisor has not taken yet. The oldest make room.
#[derive(Debug)]
pub struct Backlog<T> {
    waiting: VecDeque<T>,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<T: Clone> Backlog<T> {
    /// Adds a record.
    pub fn push(&mut self, record: T) {
        if self.waiting.len() >= MOST_KEPT {
            self.waiting.pop_front();
        }
        self.waiting.push_back(record);
    }

    /// Whether no record waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends as many records as the supervisor takes now, in messages of at most [`MOST_RECORDS`].
    pub fn tell(&mut self, supervisor: &mut Connection, message: impl Fn(Vec<T>) -> FromChild) {
        while !self.waiting.is_empty() {
            let some: Vec<T> = self.waiting.iter().take(MOST_RECORDS).cloned().collect();
            let told = some.len();
            if !supervisor.offer(&message(some)) {
                break;
            }
            self.waiting.drain(..told);
        }
    }

    /// Sends all records: this process ends.
    pub fn tell_all(&mut self, supervisor: &mut Connection, message: impl Fn(Vec<T>) -> FromChild) {
        while !self.waiting.is_empty() {
            let some = self.waiting.drain(..self.waiting.len().min(MOST_RECORDS)).collect();
            supervisor.say(&message(some));
        }
        supervisor.finish();
    }
}
