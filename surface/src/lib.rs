//! Tells the world, from state/ alone: the dump files of keepalived's signals, and mail.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod data;
mod json;
pub mod mail;
pub mod snmp;
mod statistics;

pub use data::{bfd_data, checker_data, data};
pub use json::json;
pub use statistics::statistics;
