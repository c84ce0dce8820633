//! How the BFD sessions are: what the bfd process shows.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use keepalived_core::address::InterfaceName;
use keepalived_core::bfd::{Counters, Diagnostic, Discriminator, Micros, Params, Reach, Remote, SessionState};
use serde::{Deserialize, Serialize};

use crate::Journal;
use crate::place::{index, put};

/// What became different about the bfd process. [`BfdView::apply`] takes it in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BfdChange {
    /// The view begins anew: the process did, or it has another configuration. Sessions follow in order.
    Begins,
    /// A session, by its place in the configuration.
    Session(u32, Box<SessionView>),
    /// What a session counted, and when a packet came last. It changes with each packet, so it is told only to a follower that asks for
    /// fresh numbers.
    Counters(u32, Box<Counters>, Option<SystemTime>),
}

/// The bfd process at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BfdView {
    /// Sessions, in the order of the configuration.
    pub sessions: Vec<SessionView>,
    /// What happened before. The process leaves it empty: the supervisor, which outlives it, keeps the journal.
    pub journal: Journal,
}

impl BfdView {
    /// Takes in what became different. The journal stays. A session whose predecessors have not come is left out: no process of ours
    /// sends one.
    pub fn apply(&mut self, change: BfdChange) {
        match change {
            BfdChange::Begins => {
                let journal = std::mem::take(&mut self.journal);
                *self = Self { journal, ..Self::default() };
            }
            BfdChange::Session(place, view) => put(&mut self.sessions, place, *view),
            BfdChange::Counters(place, counters, last_heard) => {
                if let Some(session) = self.sessions.get_mut(index(place)) {
                    (session.counters, session.last_heard) = (*counters, last_heard);
                }
            }
        }
    }
}

/// One session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SessionView {
    /// `bfd_instance NAME`
    pub name: String,
    /// The neighbour.
    pub neighbor: IpAddr,
    /// Our address, if it is configured.
    pub source: Option<IpAddr>,
    /// The interface of a link-local neighbour.
    pub interface: Option<InterfaceName>,
    /// Where the neighbour is.
    pub reach: Reach,
    /// TTL or hop limit of our packets.
    pub hop_limit: u8,
    /// `max_hops`
    pub max_hops: i16,
    /// Its times.
    pub params: Params,
    /// Who hears of it: the vrrp process, the checker process.
    pub tells: (bool, bool),
    /// Why it cannot send, if it cannot.
    pub silent: Option<String>,
    /// The port that it sends from.
    pub source_port: Option<u16>,
    /// Now.
    pub state: SessionState,
    /// When the state began.
    pub since: SystemTime,
    /// What we call it.
    pub discriminator: Discriminator,
    /// Why it went down the last time.
    pub diagnostic: Diagnostic,
    /// What the neighbour said.
    pub remote: Remote,
    /// Whether we wait for the neighbour's answer to a poll.
    pub polls: bool,
    /// From one packet of ours to the next, without jitter.
    pub tx_interval: Micros,
    /// The same of the neighbour's.
    pub remote_tx_interval: Micros,
    /// After so long without a packet it is down.
    pub detection_time: Duration,
    /// The same at the neighbour.
    pub remote_detection_time: Duration,
    /// When a packet came last.
    pub last_heard: Option<SystemTime>,
    /// What was counted.
    pub counters: Counters,
}
