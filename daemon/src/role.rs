//! Roles of the daemon's processes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The role of a child.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Runs programs for the others.
    Runner,
    /// Tells the world how things are and what happens: keepalivedctl, metrics, the status page, SNMP, mail.
    Observer,
    /// Checks real servers and programs the kernel's load balancer.
    Checker,
    /// Runs the virtual routers.
    Vrrp,
    /// Runs the BFD sessions.
    Bfd,
    /// Asks what routers track by `vrrp_track_probe`.
    Prober,
}

impl Role {
    /// In the order in which they are started.
    pub const ALL: [Self; 6] = [Self::Runner, Self::Observer, Self::Checker, Self::Vrrp, Self::Bfd, Self::Prober];

    /// Pairs that speak with each other without the supervisor, by a connection of their own.
    pub const PAIRS: [(Self, Self); 7] = [
        (Self::Runner, Self::Checker),
        (Self::Runner, Self::Vrrp),
        (Self::Bfd, Self::Checker),
        (Self::Bfd, Self::Vrrp),
        (Self::Observer, Self::Checker),
        (Self::Observer, Self::Vrrp),
        (Self::Prober, Self::Vrrp),
    ];

    /// Whether it only does what others order: it ends after them.
    pub const fn serves(self) -> bool {
        matches!(self, Self::Runner | Self::Observer)
    }

    /// Whether routers and balancing go on without it: keepalived has no such process, so its end ends nothing.
    pub const fn is_spare(self) -> bool {
        matches!(self, Self::Observer | Self::Prober)
    }

    /// First argument of a process of this role. For our use only.
    pub const fn argument(self) -> &'static str {
        match self {
            Self::Runner => "--runner-process-of",
            Self::Observer => "--observer-process-of",
            Self::Checker => "--checker-process-of",
            Self::Vrrp => "--vrrp-process-of",
            Self::Bfd => "--bfd-process-of",
            Self::Prober => "--prober-process-of",
        }
    }
}

/// The name in messages, as keepalived has it.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runner => "runner",
            Self::Observer => "observer",
            Self::Checker => "checker",
            Self::Vrrp => "vrrp",
            Self::Bfd => "bfd",
            Self::Prober => "prober",
        })
    }
}
