//! How the daemon is.

use serde::{Deserialize, Serialize};

use crate::{BalanceView, BfdView, DaemonView, Journal, VrrpView};

/// The daemon at one moment: what each of its processes shows. One that does not run shows nothing.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// `router_id`, or the host name.
    pub router_id: String,
    /// Of the supervisor.
    pub daemon: DaemonView,
    /// Of the vrrp process.
    pub vrrp: VrrpView,
    /// Of the checker process.
    pub balance: BalanceView,
    /// Of the bfd process.
    pub bfd: BfdView,
}

impl Snapshot {
    /// What happened, as each process tells it.
    pub const fn journals(&self) -> [&Journal; 3] {
        [&self.vrrp.journal, &self.balance.journal, &self.bfd.journal]
    }
}
