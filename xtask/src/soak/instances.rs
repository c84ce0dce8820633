//! The virtual routers of a round.

use keepalived_lab::{Case, Cast, Family, Version};

pub(super) const ROUTERS: usize = 3;

/// A virtual router that all of them share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    pub(super) vrid: u8,
    pub(super) case: Case,
    /// Otherwise the master keeps it.
    pub(super) preempts: bool,
}

const fn shared(vrid: u8, family: Family, cast: Cast, version: Version) -> Shared {
    Shared { vrid, case: Case { family, cast, version }, preempts: true }
}

pub(super) const INSTANCES: [Shared; 6] = [
    shared(11, Family::V4, Cast::Multicast, Version::V3),
    shared(12, Family::V6, Cast::Multicast, Version::V3),
    shared(13, Family::V4, Cast::Unicast, Version::V3),
    shared(14, Family::V6, Cast::Unicast, Version::V3),
    shared(15, Family::V4, Cast::Multicast, Version::V2),
    Shared { preempts: false, ..shared(16, Family::V4, Cast::Multicast, Version::V3) },
];
/// Router `r` alone may have the virtual router `OWN + r`.
pub(super) const OWN: u8 = 21;
