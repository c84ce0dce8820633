//! Tells the world, from state/: the dump files of keepalived's signals, mail, D-Bus, and SNMP, which also shows what is configured.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod data;
pub mod dbus;
mod json;
pub mod mail;
pub mod metrics;
mod now;
pub mod page;
pub mod request;
pub mod snmp;
mod statistics;
pub mod status;
pub mod trust;
pub mod webhook;

pub use data::{bfd_data, checker_data, data};
pub use json::json;
pub use statistics::statistics;
