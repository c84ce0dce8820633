//! The vrrp process.

mod abandoned;
mod batch;
mod channels;
mod engine;
mod flood;
mod instances;
mod kernel_thread;
mod lifetime;
mod lower;
mod mail;
mod neighbours;
mod notify;
mod orders;
mod outbox;
mod process;
mod reconciler;
mod report;
mod reports;
mod slot;
mod slots;
mod stand_by;
mod sync_daemon;
mod sync_groups;
mod tracking;
mod unknown_vrids;

pub use abandoned::{
    Removed, StaticLines, Was, remove as remove_abandoned, remove_firewall, remove_links, remove_links_given_up,
    remove_statics,
};
pub use batch::{Batch, Changed};
pub use engine::Engine;
pub(crate) use instances::needs_firewall;
pub use lifetime::{AtExit, BorrowedSettings, Inherited};
pub(crate) use lower::{is_on_made, lines};
pub use orders::{Answer, Order};
pub use process::run;
pub use report::{Level, Report};
