//! Namespaces, real sockets, real peers.
//!
//! A [`Lab`] is a few routers, each in a network namespace of its own, on bridges in one more namespace where an
//! observer listens. Daemons are the real programs: ours, Debian's keepalived, FRR's vrrpd. What counts is what was on
//! the wire ([`Capture`]) and what the kernel holds (`ip -j addr`), not what a daemon says about itself.
//!
//! It works as root, and without root in a user namespace of one's own (see [`sandbox`]). Everything a lab makes goes
//! away when it is dropped, after a panic too, and at Ctrl-C ([`interrupt`]); what a killed run leaves behind, the next
//! lab removes.

pub mod balancing;
mod bfd;
pub mod browser;
mod capture;
mod conf;
mod daemon;
mod ending;
mod frr;
pub mod interrupt;
mod namespace;
mod network;
pub mod sandbox;
mod trial;
mod turn;
pub mod uml;
mod wait;

pub use bfd::{BfdPeer, Neighbor, Times};
pub use browser::{Browser, Colours};
pub use capture::{Advert, Capture, Event, Filter, Garp, Kind, Mac, Na, Stamp};
pub use conf::{Case, Cast, Family, Instance, Version};
pub use daemon::{Daemon, Flavour, Running, crash};
pub use frr::Frr;
pub use namespace::{Namespace, sweep};
pub use network::{Builder, Lab, Router};
pub use trial::{only_ours, trial, trial_in};
pub use turn::{Turn, skipped, turn};
pub use wait::{patience, wait_until};
