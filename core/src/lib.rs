//! Decides: protocol machines and wire formats.
//!
//! Nothing here does I/O, reads a clock, starts a thread or is async: `now` is an argument and effects are data
//! (`ARCHITECTURE.md`). That is what lets the simulator run the very code that ships.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod address;
pub mod balance;
pub mod bfd;
pub mod desired;
pub mod histogram;
pub mod network;
pub mod pace;
pub mod time;
pub mod vrrp;
