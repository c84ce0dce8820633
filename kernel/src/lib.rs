//! Asks Linux. The only crate with `unsafe`, `libc` or a system call.
//!
//! Traits first ([`network`], [`packets`]): they state the wish, not the call. [`fake`] implements them for tests and
//! the simulator.
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

// numbers of users and groups have 16 bits in some calls of 32-bit kernels, and one that is cut off may be root's
#[cfg(not(target_pointer_width = "64"))]
compile_error!("keepalived-rs runs on 64-bit Linux only");

pub mod datagrams;
pub mod dial;
pub mod director;
pub mod fake;
pub mod fifo;
pub mod files;
pub mod firewall;
pub mod ipvs;
pub mod link_beat;
pub mod links_lock;
pub mod local;
pub mod local_time;
pub mod marks;
pub mod netlink;
pub mod network;
pub mod nftables;
pub mod packets;
pub mod pipe;
pub mod process;
pub mod reactor;
pub mod shortage;
pub mod signal;
mod socket_option;
pub mod sockets;
pub mod terminal;
pub mod watch;
