//! What has passed through the kernel's load balancer, and how the checks of servers went: numbers that decide nothing.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Totals since the service or the server was added, and rates as the kernel estimates them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Connections that were scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients, where they pass here.
    pub packets_out: u64,
    /// Octets from clients.
    pub octets_in: u64,
    /// Octets to clients, where they pass here.
    pub octets_out: u64,
    /// Connections a second.
    pub connection_rate: u64,
    /// Packets from clients a second.
    pub packet_rate_in: u64,
    /// Packets to clients a second.
    pub packet_rate_out: u64,
    /// Octets from clients a second.
    pub octet_rate_in: u64,
    /// Octets to clients a second.
    pub octet_rate_out: u64,
}

/// What has passed to a server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Totals and rates.
    pub counters: Counters,
    /// Connections that are established.
    pub active: u32,
    /// Connections that are about to be, or are over.
    pub inactive: u32,
    /// Clients that stay with this server.
    pub persistent: u32,
}

/// What has passed to a virtual server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct ServiceTraffic {
    /// All of it.
    pub counters: Counters,
    /// What its sorry server got.
    pub sorry: Traffic,
}

/// What the kernel's load balancer counts. What it does not count is 0 in [`Traffic`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Counted {
    /// All of it: IPVS.
    Everything,
    /// Packets and octets from clients: nftables.
    Incoming,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        let pairs = [
            (&mut self.connections, other.connections),
            (&mut self.packets_in, other.packets_in),
            (&mut self.packets_out, other.packets_out),
            (&mut self.octets_in, other.octets_in),
            (&mut self.octets_out, other.octets_out),
            (&mut self.connection_rate, other.connection_rate),
            (&mut self.packet_rate_in, other.packet_rate_in),
            (&mut self.packet_rate_out, other.packet_rate_out),
            (&mut self.octet_rate_in, other.octet_rate_in),
            (&mut self.octet_rate_out, other.octet_rate_out),
        ];
        for (sum, more) in pairs {
            *sum = sum.saturating_add(more);
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.counters += other.counters;
        self.active = self.active.saturating_add(other.active);
        self.inactive = self.inactive.saturating_add(other.inactive);
        self.persistent = self.persistent.saturating_add(other.persistent);
    }
}

/// The kind of a failure, for those who count failures by their cause.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum FailureKind {
    /// There is no connection: refused, no route.
    Connection,
    /// Nothing came in time.
    Timeout,
    /// The server, or the network, ended the connection too early.
    Closed,
    /// TLS went wrong.
    Tls,
    /// What came is not what the protocol prescribes.
    Protocol,
    /// The answer is not the one that is wanted.
    Answer,
    /// A program says so, or could not be run.
    Program,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Answer => "answer",
            Self::Program => "program",
        })
    }
}
