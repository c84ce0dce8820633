//! The processes: supervisor and vrrp.
#![forbid(unsafe_code)]

pub mod key;
pub mod vrrp;
