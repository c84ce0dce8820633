//! The vrrp process.

mod channels;
mod deadlines;
mod engine;
mod holdings;
mod kernel_thread;
mod landscape;
mod lines;
mod lower;
mod neighbours;
mod orders;
mod outbox;
mod process;
mod report;
mod roster;
mod slot;
mod sync_daemon;

pub use engine::{AtExit, Engine};
pub use holdings::{Batch, Changed, Removed, Was, remove_abandoned};
pub(crate) use lower::lines;
pub use orders::{Answer, Order};
pub use process::run;
pub use report::{Level, Report};
