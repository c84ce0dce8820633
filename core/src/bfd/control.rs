//! The control packet on the wire (RFC 5880 §4.1).
//!
//! ```text
//!  0               1               2               3
//! |vers |  diag     |sta|P|F|C|A|D|M| detect mult   |    length     |
//! |                     my discriminator                            |
//! |                    your discriminator                           |
//! |                 desired min TX interval                         |
//! |                 required min RX interval                        |
//! |               required min echo RX interval                     |
//! |              authentication section, if A is set                |
//! ```

use std::fmt;
use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};

use super::types::{Diagnostic, Discriminator, Micros, SessionState};

/// Octets of a packet without authentication.
pub const LENGTH: usize = 24;
/// The least octets of one with authentication: its type and length are there.
const LEAST_AUTHENTICATED: u8 = 26;
/// The version that RFC 5880 describes.
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// A control packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlPacket {
    /// Why the sender's session went down the last time.
    pub diagnostic: Diagnostic,
    /// The state of the sender's session.
    pub state: SessionState,
    /// P: the sender wants an answer with F.
    pub poll: bool,
    /// F: the answer to a packet with P.
    pub is_final: bool,
    /// C: the sender's BFD goes on when its control plane restarts.
    pub control_plane_independent: bool,
    /// D: the sender wants no periodic packets while both sides are up.
    pub demand: bool,
    /// A: the type of authentication, if it has any (RFC 5880 §4.1: 1 is a simple password).
    pub authentication: Option<u8>,
    /// So many packets may be missing before the receiver says that the session is down.
    pub detect_multiplier: NonZeroU8,
    /// What the sender calls the session.
    pub mine: Discriminator,
    /// What the receiver calls it, if the sender knows.
    pub yours: Option<Discriminator>,
    /// The sender wants to send no faster than this.
    pub desired_min_tx: Micros,
    /// The sender can take packets no faster than this; 0: none at all.
    pub required_min_rx: Micros,
    /// The same for echo packets; 0: none at all.
    pub required_min_echo_rx: Micros,
}

/// Why octets are no control packet that may be considered (RFC 5880 §6.8.6, in its order).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Malformed {
    /// Fewer octets than any packet has.
    Truncated,
    /// Not version 1, but this.
    Version(u8),
    /// The length field is less than the fields need.
    TooShort(u8),
    /// The length field is more than has come.
    LongerThanPayload(u8),
    /// Detect Mult is 0.
    ZeroMultiplier,
    /// M is set, which has no meaning yet.
    Multipoint,
    /// My Discriminator is 0.
    ZeroDiscriminator,
    /// Your Discriminator is 0, which only a session that is down may send; this one says that it is in another state.
    UnknownYours(SessionState),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "fewer than {LENGTH} octets"),
            Self::Version(version) => write!(f, "version {version} instead of {VERSION}"),
            Self::TooShort(length) => write!(f, "a length field of {length}, which is too little"),
            Self::LongerThanPayload(length) => write!(f, "a length field of {length}, which is more than came"),
            Self::ZeroMultiplier => f.write_str("a detection multiplier of 0"),
            Self::Multipoint => f.write_str("the multipoint bit"),
            Self::ZeroDiscriminator => f.write_str("a discriminator of its own of 0"),
            Self::UnknownYours(state) => write!(f, "no discriminator of ours although it is {state}"),
        }
    }
}

impl ControlPacket {
    /// Reads the payload of a datagram.
    ///
    /// # Errors
    /// It must be discarded whatever session it is for.
    pub fn decode(octets: &[u8]) -> Result<Self, Malformed> {
        let header: &[u8; LENGTH] = octets.first_chunk().ok_or(Malformed::Truncated)?;
        let [version_diagnostic, flags, multiplier, length, ..] = *header;
        let version = version_diagnostic >> 5;
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        let is_authenticated = flags & AUTHENTICATION != 0;
        let least = if is_authenticated { usize::from(LEAST_AUTHENTICATED) } else { LENGTH };
        if usize::from(length) < least {
            return Err(Malformed::TooShort(length));
        }
        if usize::from(length) > octets.len() {
            return Err(Malformed::LongerThanPayload(length));
        }
        let detect_multiplier = NonZeroU8::new(multiplier).ok_or(Malformed::ZeroMultiplier)?;
        if flags & MULTIPOINT != 0 {
            return Err(Malformed::Multipoint);
        }
        let word = |at: usize| {
            let octets = header.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
            u32::from_be_bytes(octets)
        };
        let mine = Discriminator::new(word(4)).ok_or(Malformed::ZeroDiscriminator)?;
        let (yours, state) = (Discriminator::new(word(8)), SessionState::from_bits(flags >> 6));
        if yours.is_none() && !matches!(state, SessionState::Down | SessionState::AdminDown) {
            return Err(Malformed::UnknownYours(state));
        }
        Ok(Self {
            diagnostic: Diagnostic::from_bits(version_diagnostic),
            state,
            poll: flags & POLL != 0,
            is_final: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            // the length was judged above: the type is there
            authentication: is_authenticated.then(|| octets.get(LENGTH).copied().unwrap_or(0)),
            detect_multiplier,
            mine,
            yours,
            desired_min_tx: Micros::new(word(12)),
            required_min_rx: Micros::new(word(16)),
            required_min_echo_rx: Micros::new(word(20)),
        })
    }

    /// The octets of a packet without authentication: we have none.
    pub fn encode(&self) -> [u8; LENGTH] {
        let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | flag(self.poll, POLL)
            | flag(self.is_final, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND);
        let first = [VERSION << 5 | self.diagnostic.bits(), flags, self.detect_multiplier.get(), 24];
        let words = [
            self.mine.get(),
            self.yours.map_or(0, Discriminator::get),
            self.desired_min_tx.get(),
            self.required_min_rx.get(),
            self.required_min_echo_rx.get(),
        ];
        let mut octets = [0; LENGTH];
        let written = first.into_iter().chain(words.into_iter().flat_map(u32::to_be_bytes));
        octets.iter_mut().zip(written).for_each(|(to, from)| *to = from);
        octets
    }
}

#[cfg(test)]
mod tests;
