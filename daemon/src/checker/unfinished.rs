//! What a checker process leaves to the one after it.

use keepalived_config::model::Service;
use keepalived_core::balance::{DestinationKey, Leaving, Protocol, ServiceKey};
use serde::{Deserialize, Serialize};

/// A virtual server in the kernel's table, or one real server of it.
pub(super) type Where = (ServiceKey, Option<DestinationKey>);

/// How many entries of each kind are remembered: a few megabytes. The next process takes the rest for entries of others.
pub(super) const MOST: usize = 65_536;

/// Entries that the checker process still has to remove from the kernel's table, and no configuration names any more; and the marks that
/// it gave to groups. The supervisor remembers them for the next process if this one dies.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Unfinished {
    /// Real servers that keep their connections for a while, by virtual server.
    pub(super) draining: Vec<(Service, Vec<Leaving>)>,
    /// Entries that the kernel refused to remove, or gave no answer about.
    pub(super) unremoved: Vec<Where>,
    /// The marks of groups, by protocol (`nftables_ipvs`): the next process keeps them.
    pub(super) marks: Vec<((String, Protocol), u32)>,
}

/// What was before a checker process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Before {
    /// None.
    Nothing,
    /// A process that died and left this.
    Process(Unfinished),
}
