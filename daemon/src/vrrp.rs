//! The vrrp process.

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

pub use engine::{AtExit, Engine};
pub use holdings::{Removed, remove_abandoned};
pub(crate) use lower::lines;
pub use process::run;
pub use report::{Level, Report};
