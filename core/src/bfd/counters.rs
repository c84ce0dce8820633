//! What a session counts.

use serde::{Deserialize, Serialize};

/// Counters of one session since it was configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Packets that were taken.
    pub received: u64,
    /// Packets that were handed to the kernel.
    pub sent: u64,
    /// Times it came up.
    pub ups: u64,
    /// Times it went down from up.
    pub downs: u64,
    /// Packets that came through more routers than they may.
    pub hop_limit_errors: u64,
    /// Packets with authentication: we have none.
    pub authentication_errors: u64,
    /// Packets that the kernel did not take.
    pub send_errors: u64,
}
