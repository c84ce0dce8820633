//! States, and why a router went from one to the other.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tracker::{TrackerId, TrackerKind, TrackerState};
use super::types::Priority;
use crate::time::Instant;

/// State as the administrator knows it. The numbers are those of keepalived's JSON and SNMP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum State {
    /// Has not begun.
    Init,
    /// Listens.
    Backup,
    /// Holds the addresses (RFC 9568: Active).
    Master,
    /// Cannot take part.
    Fault,
    /// Has been told to stop.
    Stopped,
}

impl State {
    /// Number in keepalived's JSON.
    pub const fn number(self) -> u8 {
        match self {
            Self::Init => 0,
            Self::Backup => 1,
            Self::Master => 2,
            Self::Fault => 3,
            Self::Stopped => 98,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Init => "INIT",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
            Self::Stopped => "STOP",
        })
    }
}

/// One thing that keeps a router from taking part.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Fault {
    /// Its interface does not exist.
    InterfaceMissing,
    /// Its interface is down or has no carrier.
    InterfaceDown,
    /// The interface of one of its tracked addresses does not exist, is down or has no carrier.
    AddressInterface,
    /// There is no address to send adverts from.
    NoSource,
    /// Unicast without a peer, and `unicast_fault_no_peer`.
    NoPeer,
    /// Its sockets could not be opened.
    NoSocket,
    /// Something that it tracks without weight.
    Tracker {
        /// What.
        tracker: TrackerId,
        /// How that is.
        state: TrackerState,
    },
    /// Another member of its sync group is in fault.
    Group,
    /// An administrator has it stay away.
    Maintenance,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InterfaceMissing => "interface missing",
            Self::InterfaceDown => "interface down",
            Self::AddressInterface => "interface of an address missing or down",
            Self::NoSource => "no source address",
            Self::NoPeer => "no unicast peer",
            Self::NoSocket => "no socket",
            Self::Tracker { tracker, state } => return write!(f, "tracked {tracker} {}", word(tracker.kind, *state)),
            Self::Group => "sync group member in fault",
            Self::Maintenance => "maintenance",
        })
    }
}

fn word(kind: TrackerKind, state: TrackerState) -> String {
    let word = match (kind, state) {
        (_, TrackerState::Initial) => "without result",
        (TrackerKind::Script, TrackerState::Up) => "succeeded",
        (TrackerKind::Script, TrackerState::Down) => "failed",
        (TrackerKind::Probe, TrackerState::Up) => "answers",
        (TrackerKind::Probe, TrackerState::Down) => "does not answer",
        (TrackerKind::Process, TrackerState::Up) => "running",
        (TrackerKind::Process, TrackerState::Down) => "not running",
        (_, TrackerState::Up) => "up",
        (_, TrackerState::Down) => "down",
        (_, TrackerState::Number(number)) => return format!("holds {number}"),
    };
    word.to_owned()
}

/// A set of faults, each by its name.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Faults(BTreeSet<Fault>);

impl Faults {
    /// No fault.
    pub const NONE: Self = Self(BTreeSet::new());

    /// This set and `fault`.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.0.insert(fault);
        self
    }

    /// This set and all of `others`.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether `fault` is in it.
    pub fn contains(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in it.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (position, fault) in self.iter().enumerate() {
            write!(f, "{}{fault}", if position == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a router changed its state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Cause {
    /// It started, and waits to hear a master.
    Started,
    /// It started as the owner of the addresses (RFC 9568 §6.4.1).
    OwnerStarted,
    /// No advert came for the master down time.
    MasterSilent {
        /// The master it last heard, if any.
        master: Option<IpAddr>,
        /// How long nothing was heard.
        silence: Duration,
    },
    /// The master said farewell (priority 0), and the skew time passed.
    MasterLeft {
        /// The master that left.
        master: IpAddr,
    },
    /// A BFD session says that the path to the master is gone, and `bfd_promotes` names it.
    PathLost {
        /// The master that was followed.
        master: IpAddr,
    },
    /// The master's priority is lower than ours.
    Preempted {
        /// The master that is replaced.
        master: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// A router with a higher claim was heard: a higher priority, or the same and a higher address.
    HigherClaim {
        /// That router.
        by: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// Something keeps it from taking part.
    Fault(Faults),
    /// Nothing keeps it from taking part any more.
    FaultCleared,
    /// Another program took one of its addresses away, and `vip_lost backup` is configured.
    AddressLost,
    /// It sent nothing for so long that another router may have taken over, and `timer_expired_backup` is configured.
    Stalled {
        /// How long it sent nothing.
        silence: Duration,
    },
    /// It was master before its process was started anew.
    Resumed,
    /// Its sync group became master.
    GroupMaster,
    /// A member of its sync group left master.
    GroupBackup,
    /// It was told to stop.
    Stopped,
    /// The configuration no longer has it.
    Removed,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::OwnerStarted => f.write_str("started as owner of the addresses"),
            Self::MasterSilent { master: Some(master), silence } => {
                write!(f, "nothing heard from {master} for {:.3} s", silence.as_secs_f64())
            }
            Self::MasterSilent { master: None, silence } => {
                write!(f, "no master heard for {:.3} s", silence.as_secs_f64())
            }
            Self::MasterLeft { master } => write!(f, "{master} said farewell (priority 0)"),
            Self::PathLost { master } => write!(f, "BFD says that the path to {master} is gone"),
            Self::Preempted { master, priority } => write!(f, "preempts {master}, whose priority {priority} is lower"),
            Self::HigherClaim { by, priority } => write!(f, "{by} has the higher claim (priority {priority})"),
            Self::Fault(faults) => write!(f, "{faults}"),
            Self::FaultCleared => f.write_str("fault over"),
            Self::AddressLost => f.write_str("another program removed one of its addresses"),
            Self::Stalled { silence } => {
                write!(f, "nothing sent for {:.3} s: another router may have taken over", silence.as_secs_f64())
            }
            Self::Resumed => f.write_str("was master before the process was started anew"),
            Self::GroupMaster => f.write_str("its sync group became master"),
            Self::GroupBackup => f.write_str("a member of its sync group left master"),
            Self::Stopped => f.write_str("told to stop"),
            Self::Removed => f.write_str("no longer configured"),
        }
    }
}

/// One change of state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Transition {
    /// When, on the monotonic clock.
    pub at: Instant,
    /// From this state.
    pub from: State,
    /// To this one.
    pub to: State,
    /// Why.
    pub cause: Cause,
    /// Effective priority at the time.
    pub priority: Priority,
}
