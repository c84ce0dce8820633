//! What the processes of the daemon are for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a child is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Runs programs for the others.
    Runner,
    /// Asks real servers whether they answer, and tells the kernel's load balancer.
    Checker,
    /// The virtual routers.
    Vrrp,
}

impl Role {
    /// In the order in which they are started.
    pub const ALL: [Self; 3] = [Self::Runner, Self::Checker, Self::Vrrp];

    /// Pairs that speak with each other without the supervisor, by a connection of their own.
    pub const PAIRS: [(Self, Self); 2] = [(Self::Runner, Self::Checker), (Self::Runner, Self::Vrrp)];

    /// First argument of a process of this role; people never write it.
    pub const fn argument(self) -> &'static str {
        match self {
            Self::Runner => "--runner-process-of",
            Self::Checker => "--checker-process-of",
            Self::Vrrp => "--vrrp-process-of",
        }
    }
}

/// As messages and keepalived call it.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runner => "runner",
            Self::Checker => "checker",
            Self::Vrrp => "vrrp",
        })
    }
}
