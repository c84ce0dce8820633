//! What a router is told, and what it wants done.

use std::net::IpAddr;

use super::super::cause::{Faults, Transition};
use super::super::note::Note;
use super::super::params::Params;
use super::super::receive::Datagram;
use super::super::types::{AdvertInterval, Priority};
use crate::time::Instant;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// It may begin. Before this, everything is ignored but [`Event::Surroundings`].
    Start,
    /// It may begin, and was master a moment ago under another process: it goes on where that one ended.
    Resume,
    /// What it stands on changed, or is told for the first time.
    Surroundings {
        /// Address that adverts leave from.
        source: Option<IpAddr>,
        /// What keeps it from taking part.
        faults: Faults,
    },
    /// An advert for its VRID arrived on its channel.
    Datagram(&'a Datagram<'a>),
    /// Some of the addresses it asked for are in place, for the first time or again, or have to be announced again.
    InPlace,
    /// Another program took an address away, and the router yields for a moment (`vip_lost backup`).
    AddressLost,
    /// A BFD session with this neighbour says that the path to it is gone (`bfd_promotes`).
    PathLost(IpAddr),
    /// All members of its sync group want to be master.
    GroupMaster,
    /// A member of its sync group left master.
    GroupBackup,
    /// Trackers make its priority this.
    Priority(Priority),
    /// The configuration changed; family and VRID are the same.
    Reconfigure {
        /// What it is told to be now.
        params: Box<Params>,
        /// With what trackers add to its priority.
        priority: Priority,
    },
    /// The daemon stops.
    Stop,
    /// The configuration no longer has it.
    Remove,
}

/// What the vrrp process has to do, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send an advert now, with this priority octet; 0 is a farewell.
    Advertise {
        /// The priority octet.
        priority: u8,
    },
    /// The addresses ought to be here; [`Event::InPlace`] when they are.
    Hold,
    /// Remove the addresses, and forget the announcements that wait.
    Release,
    /// Announce all addresses, this many rounds.
    Announce {
        /// Rounds over all addresses.
        rounds: u32,
    },
    /// Announce the addresses that came into place since the last of these effects, this many rounds.
    AnnounceNew {
        /// Rounds over these addresses.
        rounds: u32,
    },
    /// Announce one address on each interface that is not the router's own.
    AnnounceElsewhere,
    /// Announce the source address: a unicast router is reachable again.
    AnnounceSource,
    /// Its timer ended; its sync group decides.
    AsksGroup,
    /// The state changed.
    Transition(Transition),
    /// The priority that counts is another one.
    Priority {
        /// When.
        at: Instant,
        /// The one before.
        before: Priority,
        /// The one now.
        priority: Priority,
    },
    /// A master heard a lower claim that it answers: at most one in each interval of ours.
    LowerPriority {
        /// Who claims.
        source: IpAddr,
        /// With which priority.
        priority: u8,
    },
    /// Something an administrator should hear about once.
    Note(Note),
}

/// A router heard through its adverts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// Its interval.
    pub interval: AdvertInterval,
    /// When its last advert was received.
    pub at: Instant,
}
