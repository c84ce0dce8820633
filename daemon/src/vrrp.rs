//! The vrrp process.

mod abandoned;
mod deadlines;
mod engine;
mod holdings;
mod landscape;
mod lines;
mod lower;
mod neighbours;
mod outbox;
mod process;
mod report;
mod roster;
mod slot;
mod sync_daemon;

pub use abandoned::{Removed, remove as remove_abandoned};
pub use engine::{AtExit, Engine};
pub(crate) use lower::lines;
pub use process::run;
pub use report::{Level, Report};
