//! The words of load balancing: protocols, schedulers, ways to forward.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

/// `protocol`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Protocol {
    /// `TCP`
    Tcp,
    /// `UDP`
    Udp,
    /// `SCTP`
    Sctp,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

macro_rules! schedulers {
    ($($name:ident $word:literal $meaning:literal,)*) => {
        /// `lvs_sched`: how IPVS chooses a server.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Scheduler {
            $(#[doc = $meaning] $name,)*
        }

        impl Scheduler {
            /// All that there are, by the names that the kernel knows.
            pub const NAMES: &[&str] = &[$($word),*];

            /// The scheduler that the kernel calls `name`.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($word => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name of the kernel module without `ip_vs_`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

schedulers! {
    Rr "rr" "Round robin.",
    Wrr "wrr" "Weighted round robin.",
    Lc "lc" "Least connections.",
    Wlc "wlc" "Weighted least connections; what there is without `lvs_sched`.",
    Lblc "lblc" "Locality-based least connections.",
    Sh "sh" "Source hashing.",
    Mh "mh" "Maglev hashing.",
    Dh "dh" "Destination hashing.",
    Fo "fo" "Weighted failover.",
    Ovf "ovf" "Weighted overflow.",
    Lblcr "lblcr" "Locality-based least connections with replication.",
    Sed "sed" "Shortest expected delay.",
    Nq "nq" "Never queue.",
    Twos "twos" "Power of two choices.",
}

/// `flag-1`, `flag-2`, `flag-3`; what they mean is the scheduler's affair.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct SchedulerFlags {
    /// `flag-1`; `sh-fallback`, `mh-fallback`: if the server is unavailable, another is chosen.
    pub flag_1: bool,
    /// `flag-2`; `sh-port`, `mh-port`: the port is hashed, too.
    pub flag_2: bool,
    /// `flag-3`
    pub flag_3: bool,
    /// `hashed`, which the kernel knows better.
    pub hashed: bool,
}

/// `lvs_method`: how packets reach the server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Forwarding {
    /// `NAT`
    Nat,
    /// `DR`
    Dr,
    /// `TUN`
    Tun(Tunnel),
}

impl Forwarding {
    /// Whether the server may have an address of the other family.
    pub fn crosses_families(self) -> bool {
        matches!(self, Self::Tun(_))
    }

    /// Whether the server may listen on another port than the service.
    pub fn translates_ports(self) -> bool {
        self == Self::Nat
    }
}

/// `type`: what a packet is wrapped in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Tunnel {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation.
    Gue {
        /// Where the server expects it.
        port: NonZeroU16,
        /// `nocsum`, `csum`, `remcsum`
        checksum: TunnelChecksum,
    },
    /// Generic routing encapsulation.
    Gre {
        /// `nocsum`, `csum`
        checksum: TunnelChecksum,
    },
}

/// The checksum of the wrapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum TunnelChecksum {
    /// `nocsum`
    #[default]
    None,
    /// `csum`
    Plain,
    /// `remcsum`: left to the receiver; GUE only.
    Remote,
}

/// `persistence_granularity`: which part of a client's address counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Granularity {
    /// A mask.
    V4(Ipv4Addr),
    /// The length of a prefix, 1 to 128.
    V6(u8),
}

impl Granularity {
    /// Whether all of the address counts, which is what the kernel does without any.
    pub fn is_whole(self) -> bool {
        match self {
            Self::V4(mask) => mask == Ipv4Addr::BROADCAST,
            Self::V6(length) => length == 128,
        }
    }
}
