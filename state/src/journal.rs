//! What happened, and why.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use keepalived_core::address::InterfaceName;
use keepalived_core::bfd;
use keepalived_core::vrrp::Transition;
use keepalived_core::vrrp::duplicate::Mac;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerState};
use serde::{Deserialize, Serialize};

/// What a record is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Subject {
    /// A VRRP instance, by name.
    Instance(String),
    /// Something that instances track.
    Tracker(TrackerId),
    /// A BFD session, by the name of its `bfd_instance`.
    Session(String),
    /// A virtual server, by what it is called: `[192.0.2.1]:tcp:80`.
    VirtualServer(String),
    /// A real server of a virtual server, both by what they are called.
    RealServer {
        /// Itself.
        server: String,
        /// The virtual server.
        of: String,
    },
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Wall-clock time.
    pub at: SystemTime,
    /// To what.
    pub subject: Subject,
    /// What, and why.
    pub event: Event,
}

/// What can happen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// An instance went from one state to another.
    Transition(Transition),
    /// Another machine has an address of an instance that is master here.
    Duplicate {
        /// The address.
        address: IpAddr,
        /// Where we have it.
        interface: InterfaceName,
        /// That machine.
        holder: Mac,
    },
    /// A tracker has another result.
    Tracked {
        /// The result before.
        before: TrackerState,
        /// The result now.
        state: TrackerState,
        /// Why.
        detail: Detail,
    },
    /// A BFD session went from one state to another.
    Session(bfd::Change),
    /// A real server answers.
    Up,
    /// A real server does not, or is taken away: why.
    Down(String),
    /// A real server has another weight.
    Weight(u32),
    /// A virtual server has servers enough: this is what they weigh.
    QuorumGained(u64),
    /// It has not.
    QuorumLost(u64),
    /// A virtual server is not configured any more.
    Removed,
    /// Someone changed it by the control socket.
    Asked {
        /// What was asked for.
        what: String,
        /// The user, and the process.
        who: String,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => write!(f, "({name})"),
            Self::Tracker(tracker) => write!(f, "{tracker}:"),
            Self::Session(name) => write!(f, "BFD session {name}:"),
            Self::VirtualServer(name) => write!(f, "VS {name}:"),
            Self::RealServer { server, of } => write!(f, "VS {of} {server}:"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transition(Transition { from, to, priority, cause, .. }) => {
                write!(f, "{from} -> {to}, priority {priority}: {cause}")
            }
            Self::Duplicate { address, interface, holder } => write!(f, "{address} is on {holder}, too ({interface})"),
            Self::Tracked { before, state, detail: Detail::Nothing } => write!(f, "{before} -> {state}"),
            Self::Tracked { before, state, detail } => write!(f, "{before} -> {state}: {detail}"),
            Self::Session(change) => change.fmt(f),
            Self::Up => f.write_str("up"),
            Self::Down(cause) if cause.is_empty() => f.write_str("down"),
            Self::Down(cause) => write!(f, "down: {cause}"),
            Self::Weight(weight) => write!(f, "weight {weight}"),
            Self::QuorumGained(weight) => write!(f, "quorum gained with a weight of {weight}"),
            Self::QuorumLost(weight) => write!(f, "quorum lost with a weight of {weight}"),
            Self::Removed => f.write_str("removed"),
            Self::Asked { what, who } => write!(f, "{what}, asked for by {who}"),
        }
    }
}

/// The last [`MOST_KEPT`] records, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    records: VecDeque<Record>,
    forgotten: u64,
}

/// Records that a journal keeps; the oldest make room, and are counted.
pub const MOST_KEPT: usize = 4_096;

impl Journal {
    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        if self.records.len() >= MOST_KEPT {
            self.records.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.records.push_back(record);
    }

    /// Records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// How many there were so far.
    pub fn count(&self) -> u64 {
        self.forgotten.saturating_add(u64::try_from(self.records.len()).unwrap_or(u64::MAX))
    }

    /// How many have made room.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut journal = Journal::default();
        for number in 0..MOST_KEPT + 3 {
            let subject = Subject::VirtualServer(number.to_string());
            journal.push(Record { at: SystemTime::UNIX_EPOCH, subject, event: Event::Removed });
        }
        assert_eq!(journal.records().count(), MOST_KEPT);
        assert_eq!(journal.forgotten(), 3);
        assert_eq!(
            journal.records().next().map(|record| record.subject.clone()),
            Some(Subject::VirtualServer("3".into()))
        );
    }
}
