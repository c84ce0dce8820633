//! Bidirectional Forwarding Detection: control packets to and from bytes, one session, and the table of sessions.
//!
//! Sources: RFC 5880 (the protocol), RFC 5881 (one hop), RFC 5883 (several hops), and keepalived as observed.
//! Asynchronous mode only: no echo, no demand mode of ours, no authentication. What a neighbour with these may expect of a system that
//! does not offer them is done.

pub mod control;
mod counters;
mod params;
mod session;
mod sessions;
mod types;

pub use control::{ControlPacket, Malformed};
pub use counters::Counters;
pub use params::{HopLimits, Params, Reach};
pub use session::{Change, Remote, Session, Standing};
pub use sessions::{Arrival, Discarded, Gone, Heard, SessionId, Sessions, Settings};
pub use types::{Diagnostic, Discriminator, Micros, Random, SessionState};

/// Where control packets of neighbours on the same link are sent to (RFC 5881 §4).
pub const SINGLE_HOP_PORT: u16 = 3784;
/// Where those of other neighbours are sent to (RFC 5883 §5).
pub const MULTIHOP_PORT: u16 = 4784;
/// The ports that packets may be sent from (RFC 5881 §4).
pub const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
