//! What the supervisor sees of the daemon, and tells the observer: the same steps make the same snapshot in both.

use keepalived_state::{
    BalanceChange, BalanceView, BfdChange, BfdView, DaemonView, Journal, Record, Snapshot, VrrpChange, VrrpView,
};
use serde::{Deserialize, Serialize};

use crate::role::Role;

/// A step.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Seen {
    /// The whole snapshot; it comes in memory. It replaces what was seen before.
    Whole,
    /// Changes of virtual routers.
    Vrrp(Vec<VrrpChange>),
    /// Changes of load balancing.
    Balance(Vec<BalanceChange>),
    /// Changes of BFD sessions.
    Bfd(Vec<BfdChange>),
    /// The process ended: nothing is known of what it showed, but its journal stays.
    Ended(Role),
    /// What happened, as that process says.
    Happened(Role, Vec<Record>),
    /// How the daemon itself is.
    Daemon(Box<DaemonView>),
    /// What became of the change of this number: nothing was changed if there is a reason.
    Answered(u64, Result<(), String>),
    /// The numbers of that process are as new as the last request for them.
    Fresh(Role),
}

impl Seen {
    /// Whether it is only numbers that are counted.
    pub fn is_number(&self) -> bool {
        match self {
            Self::Vrrp(changes) => {
                changes.iter().all(|change| matches!(change, VrrpChange::Counters(..) | VrrpChange::Totals(_)))
            }
            Self::Balance(changes) => changes.iter().all(BalanceChange::is_number),
            Self::Bfd(changes) => changes.iter().all(|change| matches!(change, BfdChange::Counters(..))),
            _ => false,
        }
    }

    /// Takes the step. What came in memory is not its concern.
    pub fn apply(self, snapshot: &mut Snapshot) {
        match self {
            Self::Vrrp(changes) => changes.into_iter().for_each(|change| snapshot.vrrp.apply(change)),
            Self::Balance(changes) => changes.into_iter().for_each(|change| snapshot.balance.apply(change)),
            Self::Bfd(changes) => changes.into_iter().for_each(|change| snapshot.bfd.apply(change)),
            Self::Ended(Role::Vrrp) => snapshot.vrrp.apply(VrrpChange::Begins),
            Self::Ended(Role::Checker) => snapshot.balance.apply(BalanceChange::Begins),
            Self::Ended(Role::Bfd) => snapshot.bfd.apply(BfdChange::Begins),
            Self::Happened(role, records) => {
                if let Some(journal) = journal(snapshot, role) {
                    records.into_iter().for_each(|record| journal.push(record));
                }
            }
            Self::Daemon(view) => snapshot.daemon = *view,
            Self::Whole
            | Self::Fresh(_)
            | Self::Answered(..)
            | Self::Ended(Role::Runner | Role::Observer | Role::Prober) => {}
        }
    }
}

/// The journal of a process; the others have none. Each process has one of its own, so frequent changes of servers do not displace
/// changes of instances.
const fn journal(snapshot: &mut Snapshot, role: Role) -> Option<&mut Journal> {
    let Snapshot {
        vrrp: VrrpView { journal: of_vrrp, .. },
        balance: BalanceView { journal: of_checker, .. },
        bfd: BfdView { journal: of_bfd, .. },
        ..
    } = snapshot;
    match role {
        Role::Vrrp => Some(of_vrrp),
        Role::Checker => Some(of_checker),
        Role::Bfd => Some(of_bfd),
        Role::Runner | Role::Observer | Role::Prober => None,
    }
}
