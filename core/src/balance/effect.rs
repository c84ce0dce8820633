//! What the balancer asks for and reports.

use super::check::Meaning;
use super::params::{CheckId, Place, ServiceId};

/// A step that is under way; it is valid across reloads, and forgotten with its check.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub(super) u64);

/// What the checker process has to do, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Begin a step of a check and say how it ended, by its ticket.
    Run {
        /// Which check.
        check: CheckId,
        /// Which of its steps.
        step: u16,
        /// To name it by.
        ticket: Ticket,
    },
    /// Something came of a check that is worth saying.
    Found {
        /// Which check.
        check: CheckId,
        /// What.
        meaning: Meaning,
    },
    /// A real server went up or down.
    Server {
        /// Of this virtual server.
        service: ServiceId,
        /// Its place among the servers.
        server: usize,
        /// Up or down.
        up: bool,
    },
    /// A real server that is up has another weight.
    Weight {
        /// Of this virtual server.
        service: ServiceId,
        /// Its place among the servers.
        server: usize,
        /// The new one.
        weight: u32,
    },
    /// A quorum was gained or lost, or is said at the start.
    Quorum {
        /// Of this virtual server.
        service: ServiceId,
        /// How it stands.
        quorum: Quorum,
    },
    /// What this virtual server owns of the table may have changed.
    Table(ServiceId),
    /// No answer came for a step, and none is awaited any longer: the check is due again.
    Lost {
        /// Which check.
        check: CheckId,
        /// The step.
        ticket: Ticket,
    },
}

/// What a reload leaves out: it is told with the names of the configuration before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removed {
    /// A virtual server, and all servers of it.
    Service(ServiceId),
    /// A real server of a virtual server that stays.
    Server {
        /// Of this virtual server.
        service: ServiceId,
        /// Where it is.
        place: Place,
        /// Whether it was up.
        up: bool,
    },
}

/// How a quorum stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quorum {
    /// Whether it is there.
    pub up: bool,
    /// `quorum`
    pub quorum: u32,
    /// `hysteresis`
    pub hysteresis: u32,
    /// Of all servers that are up.
    pub weight: u64,
}
