//! What happened, and why.

use std::collections::VecDeque;
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

/// The last [`Journal::MOST`] transitions, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    records: VecDeque<Record>,
    forgotten: u64,
}

impl Journal {
    /// Records that are kept; the oldest make room, and are counted.
    pub const MOST: usize = 4_096;

    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        if self.records.len() >= Self::MOST {
            self.records.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.records.push_back(record);
    }

    /// Records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
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
        for number in 0..Journal::MOST + 3 {
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
        assert_eq!(journal.records().count(), Journal::MOST);
        assert_eq!(journal.forgotten(), 3);
        assert_eq!(journal.records().next().map(|record| record.subject.clone()), Some(Subject::Instance("3".into())));
    }
}
