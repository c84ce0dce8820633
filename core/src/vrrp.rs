//! VRRP: adverts to and from bytes, and the virtual router that exchanges them.
//!
//! Sources: RFC 9568 (v3), RFC 5798 (v3, first edition), RFC 3768 (v2), and keepalived as observed.

pub mod advert;
pub mod announce;
pub mod authentication;
mod cause;
mod counters;
pub mod duplicate;
pub mod ipv4;
mod note;
mod params;
mod receive;
mod router;
mod tracker;
pub mod tracking;
mod types;
pub mod wait;

pub use authentication::{Authentication, AuthenticationKind, Seal};
pub use cause::{Cause, Fault, Faults, State, Transition};
pub use counters::Counters;
pub use note::Note;
pub use params::{ChecksumForm, InitialState, Params, Peer, Preempt, Reach, Settings};
pub use receive::{Datagram, Refusal};
pub use router::{Effect, Event, Group, Router, Seen};
pub use types::{AdvertInterval, Family, IntervalRefused, Password, Priority, Version, Vrid};
