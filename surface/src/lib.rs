//! Tells the world, from state/ alone: the dump files of keepalived's signals.
#![forbid(unsafe_code)]

mod data;
mod json;
mod statistics;

pub use data::data;
pub use json::json;
pub use statistics::statistics;
