//! Bidirectional forwarding detection.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use serde::{Deserialize, Serialize};

/// One `bfd_instance`; there is one for each pair of addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BfdInstance {
    /// Unique name, at most 31 octets.
    pub name: String,
    /// `neighbor_ip`
    pub neighbor: IpAddr,
    /// `source_ip`, of the same family.
    pub source: Option<IpAddr>,
    /// `%INTERFACE` behind a link-local address.
    pub interface: Option<InterfaceName>,
    /// `min_rx`
    pub min_rx: Duration,
    /// `min_tx`
    pub min_tx: Duration,
    /// `idle_tx`: while the session is down.
    pub idle_tx: Duration,
    /// `multiplier`; not 0.
    pub multiplier: u8,
    /// `passive`: the neighbour begins.
    pub passive: bool,
    /// `ttl`, `hoplimit`, if the file says one; not 0.
    pub ttl: Option<u8>,
    /// `max_hops`: how far below `ttl` that of a received packet may be; at most `ttl`, or 255, which is no limit.
    pub max_hops: i16,
    /// `multihop`: RFC 5883.
    pub multihop: bool,
    /// `weight`: what tracking it adds to a priority.
    pub weight: i16,
    /// `weight N reverse`
    pub reverse: bool,
    /// Whether instances may track it.
    pub tells_vrrp: bool,
    /// Whether checkers may follow it.
    pub tells_checkers: bool,
}
