//! The bfd process.

mod engine;
mod links;
mod lower;
mod process;
mod report;
mod sessions_file;
mod traffic;
mod voices;

pub use engine::Engine;
pub use process::run;
