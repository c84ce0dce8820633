//! The checker process: asks real servers whether they answer, and keeps the kernel's load balancer pointed at those that do.

mod dialogue;
mod director;
mod engine;
mod lower;
mod names;
mod notify;
mod outside;
mod process;
mod programs;
mod report;
mod view;

pub use engine::{AtExit, Engine, Ran, Verdict};
pub use lower::Task;
pub use process::run;
pub use report::{Level, Report};
