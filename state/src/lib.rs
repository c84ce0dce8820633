//! Everything an outsider may see, and the cause of each transition. The one schema: surfaces render these two and ask
//! no machine anything.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod balance;
mod bfd;
mod daemon;
mod journal;
mod latest;
mod place;
mod programs;
mod snapshot;
mod vrrp;

pub use balance::{BalanceChange, BalanceTotals, BalanceView, CheckTotals, CheckView, ServerView, ServiceView};
pub use bfd::{BfdChange, BfdView, SessionView};
pub use daemon::{DaemonView, ProcessState, ProcessView, ReloadView};
pub use journal::{Event, Journal, MOST_KEPT, Record, Subject};
pub use latest::Latest;
pub use programs::ProgramTotals;
pub use snapshot::Snapshot;
pub use vrrp::{
    AddressView, FollowerView, InstanceView, MasterView, ObjectKind, ObjectView, PacketTimes, TrackerSettings,
    TrackerView, VrrpChange, VrrpTotals, VrrpView,
};
