//! What is configured of a session.

use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};

use super::types::Micros;

/// The times of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Params {
    /// `min_tx`: we want to send no faster than this while it is up.
    pub min_tx: Micros,
    /// `idle_tx`: the same while it is not up; at least a second counts.
    pub idle_tx: Micros,
    /// `min_rx`: we can take packets no faster than this.
    pub min_rx: Micros,
    /// `multiplier`
    pub multiplier: NonZeroU8,
    /// `passive`: send nothing before the neighbour does.
    pub passive: bool,
}

impl Params {
    /// What we say to want while the session is not up (RFC 5880 §6.8.3: at least a second).
    pub fn idle(&self) -> Micros {
        self.idle_tx.max(Micros::SECOND)
    }
}

/// Where the neighbour is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Reach {
    /// On the same link (RFC 5881).
    SingleHop,
    /// Behind routers (RFC 5883).
    Multihop,
}

/// What the TTL or hop limit of a received packet may be (RFC 5881 §5, RFC 5082).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HopLimits {
    /// The least that is taken.
    pub least: u8,
    /// A neighbour that has once sent 255 is taken at 255 only from then on. keepalived sends 64 over IPv6 unless told otherwise, all others
    /// 255 as the RFC wants: the session comes up with both, and with the others nothing from afar is taken.
    pub learns_greatest: bool,
}

impl HopLimits {
    /// Whether a packet that came with `hop_limit` may be taken.
    pub const fn admit(&mut self, hop_limit: u8) -> bool {
        if hop_limit < self.least {
            return false;
        }
        if self.learns_greatest && hop_limit == u8::MAX {
            self.least = u8::MAX;
        }
        true
    }
}
