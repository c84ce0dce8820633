//! The checker process: asks real servers whether they answer, and keeps the kernel's load balancer pointed at those that do.

mod dialogue;
mod director;
mod engine;
mod identity;
mod lower;
mod mail;
mod marks;
pub(crate) mod names;
mod notify;
mod outside;
mod process;
mod reconciler;
mod report;
mod shortage;
mod task;
mod unfinished;

pub(crate) use director::remove_marks;
pub use engine::{AtExit, DueStep, Engine};
pub use process::run;
pub use report::{Level, Report};
pub use task::{Held, Task};
pub use unfinished::{Before, Unfinished};
