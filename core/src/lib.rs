//! Decides: protocol machines and wire formats.
//!
//! Nothing here does I/O, reads a clock, starts a thread or is async: `now` is an argument and effects are data
//! (`ARCHITECTURE.md`). That is what lets the simulator run the very code that ships.
#![forbid(unsafe_code)]

pub mod address;
pub mod balance;
pub mod time;
pub mod vrrp;
