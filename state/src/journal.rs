//! What happened, and why.

use std::collections::VecDeque;
use std::fmt;
use std::time::SystemTime;

use keepalived_core::vrrp::Transition;
use serde::{Deserialize, Serialize};

/// Whom a record is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Subject {
    /// A VRRP instance, by name.
    Instance(String),
}

/// One transition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Wall-clock time.
    pub at: SystemTime,
    /// Who.
    pub subject: Subject,
    /// From what to what, and why.
    pub transition: Transition,
}

/// Something that happened to a virtual server or a real server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BalanceRecord {
    /// Wall-clock time.
    pub at: SystemTime,
    /// What the virtual server is called.
    pub service: String,
    /// What the real server is called, if it is about one.
    pub server: Option<String>,
    /// What happened.
    pub event: BalanceEvent,
}

/// What can happen to a virtual server or a real server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BalanceEvent {
    /// A real server answers.
    Up,
    /// A real server does not, or is taken away: why.
    Down(String),
    /// A real server has another weight.
    Weight(u32),
    /// There are servers enough: this is what they weigh.
    QuorumGained(u64),
    /// There are not.
    QuorumLost(u64),
    /// A virtual server is not configured any more.
    Removed,
}

impl fmt::Display for BalanceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Down(cause) if cause.is_empty() => f.write_str("down"),
            Self::Down(cause) => write!(f, "down: {cause}"),
            Self::Weight(weight) => write!(f, "weight {weight}"),
            Self::QuorumGained(weight) => write!(f, "quorum gained with a weight of {weight}"),
            Self::QuorumLost(weight) => write!(f, "quorum lost with a weight of {weight}"),
            Self::Removed => f.write_str("removed"),
        }
    }
}

/// The last [`MOST_KEPT`] records, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Journal<T> {
    records: VecDeque<T>,
    forgotten: u64,
}

/// Records that a journal keeps; the oldest make room, and are counted.
pub const MOST_KEPT: usize = 4_096;

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self { records: VecDeque::new(), forgotten: 0 }
    }
}

impl<T> Journal<T> {
    /// Adds a record.
    pub fn push(&mut self, record: T) {
        if self.records.len() >= MOST_KEPT {
            self.records.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.records.push_back(record);
    }

    /// Records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &T> {
        self.records.iter()
    }

    /// How many have made room.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use keepalived_core::time::Instant;
    use keepalived_core::vrrp::{Cause, Priority, State};

    use super::*;

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut journal = Journal::default();
        for number in 0..MOST_KEPT + 3 {
            journal.push(Record {
                at: SystemTime::UNIX_EPOCH,
                subject: Subject::Instance(number.to_string()),
                transition: Transition {
                    at: Instant::ZERO,
                    from: State::Init,
                    to: State::Backup,
                    cause: Cause::Started,
                    priority: Priority::DEFAULT,
                },
            });
        }
        assert_eq!(journal.records().count(), MOST_KEPT);
        assert_eq!(journal.forgotten(), 3);
        assert_eq!(journal.records().next().map(|record| record.subject.clone()), Some(Subject::Instance("3".into())));
    }
}
