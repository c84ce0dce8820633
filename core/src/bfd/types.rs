//! Small types of the protocol.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The state of a session, as either side says it (RFC 5880 §4.1, §6.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum SessionState {
    /// An administrator keeps it down; this says nothing about the path.
    AdminDown,
    /// Down, or just created.
    #[default]
    Down,
    /// The neighbour is heard, and has not said that it hears us.
    Init,
    /// Each hears the other.
    Up,
}

impl SessionState {
    /// The two bits in a packet.
    pub const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }

    /// From the lowest two bits of `bits`.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }
}

/// As keepalived has it in its log.
impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session is down (RFC 5880 §4.1). Values without a meaning are kept: a neighbour may be newer than we are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Diagnostic(u8);

impl Diagnostic {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// No packet came within the detection time.
    pub const TIME_EXPIRED: Self = Self(1);
    /// The other side said that the session is down.
    pub const NEIGHBOR_SIGNALED_DOWN: Self = Self(3);
    /// The path itself is known to be gone: the interface is down.
    pub const PATH_DOWN: Self = Self(5);
    /// An administrator wants it so.
    pub const ADMINISTRATIVELY_DOWN: Self = Self(7);

    /// The lowest five bits of `bits`.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0x1f)
    }

    /// The number in a packet.
    pub const fn bits(self) -> u8 {
        self.0
    }
}

/// As the RFC names them.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "No Diagnostic",
            1 => "Control Detection Time Expired",
            2 => "Echo Function Failed",
            3 => "Neighbor Signaled Session Down",
            4 => "Forwarding Plane Reset",
            5 => "Path Down",
            6 => "Concatenated Path Down",
            7 => "Administratively Down",
            8 => "Reverse Concatenated Path Down",
            reserved => return write!(f, "reserved diagnostic {reserved}"),
        })
    }
}

/// What one system calls a session: unique on that system, and not 0 (RFC 5880 §6.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Discriminator(NonZeroU32);

impl Discriminator {
    /// `None` for 0.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number in a packet.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// As in keepalived's dumps.
impl fmt::Display for Discriminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Microseconds, the unit of all intervals of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Micros(u32);

impl Micros {
    /// A second: what a session that is not up sends no faster than (RFC 5880 §6.8.3).
    pub const SECOND: Self = Self(1_000_000);

    /// So many microseconds.
    pub const fn new(count: u32) -> Self {
        Self(count)
    }

    /// The same time as `duration`, or the longest that fits.
    pub fn of(duration: Duration) -> Self {
        Self(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX))
    }

    /// How many.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same as a duration.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

/// As in keepalived's log.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Numbers that a stranger cannot guess if the seed cannot be guessed: `SplitMix64`. They are for jitter and discriminators, not for keys.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `most`, each as likely as the others (but for one part in 2^32).
    pub fn up_to(&mut self, most: u32) -> u32 {
        let scaled = (self.next() >> 32) * (u64::from(most) + 1);
        u32::try_from(scaled >> 32).unwrap_or(most)
    }
}
