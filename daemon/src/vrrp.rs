//! The vrrp process.

mod deadlines;
mod engine;
mod holdings;
mod landscape;
mod lower;
mod neighbours;
mod outbox;
mod report;
mod roster;
mod slot;

pub use engine::{AtExit, Engine};
pub use report::{Level, Report};
