//! The vocabulary: values that are valid because they exist.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Centis;

/// Virtual router identifier, 1 to 255 (RFC 9568 §5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which is no VRID.
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The octet on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

/// Priority of a router that runs: 1 to 254, or 255 for the address owner (RFC 9568 §5.2.4).
///
/// 0 is not a priority but the farewell of a master that stops; see [`super::advert::FAREWELL`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// The owner of the addresses.
    pub const OWNER: Self = Self(NonZeroU8::MAX);
    /// What a router has if nothing is configured.
    pub const DEFAULT: Self = match NonZeroU8::new(100) {
        Some(priority) => Self(priority),
        None => Self::OWNER,
    };

    /// `None` for 0.
    pub const fn new(priority: u8) -> Option<Self> {
        match NonZeroU8::new(priority) {
            Some(priority) => Some(Self(priority)),
            None => None,
        }
    }

    /// The octet on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether this is the address owner's 255.
    pub const fn is_owner(self) -> bool {
        self.0.get() == u8::MAX
    }
}

macro_rules! shows_its_number {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }
    )*};
}

shows_its_number!(Vrid, Priority);

/// Protocol version on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Version {
    /// RFC 3768: whole seconds, optional password, IPv4 (keepalived also speaks it over IPv6).
    V2,
    /// RFC 5798 and 9568: centiseconds, both families.
    V3,
}

impl Version {
    /// The number in the packet.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// Address family of an instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family `address` is of.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Time between two adverts of a master; never zero, and expressible in the version it was made for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AdvertInterval(Centis);

/// Why a time cannot be an advertisement interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntervalRefused {
    /// Shorter than the version can say: 1 s in v2, 0.01 s in v3.
    TooShort,
    /// Longer than the version can say: 255 s in v2, 40.95 s in v3.
    TooLong,
    /// Version 2 knows whole seconds only.
    NotWholeSeconds,
}

impl AdvertInterval {
    /// One second, what both versions start from.
    pub const DEFAULT: Self = Self(Centis::new(100));

    /// Checks `centis` against what `version` can put in a packet.
    ///
    /// # Errors
    /// The bound that it breaks (RFC 3768 §5.3.7, RFC 9568 §5.2.7).
    pub fn new(version: Version, centis: Centis) -> Result<Self, IntervalRefused> {
        let (least, most) = match version {
            Version::V2 => (100, 25_500),
            Version::V3 => (1, 4_095),
        };
        if centis.count() < least {
            Err(IntervalRefused::TooShort)
        } else if centis.count() > most {
            Err(IntervalRefused::TooLong)
        } else if version == Version::V2 && !centis.count().is_multiple_of(100) {
            Err(IntervalRefused::NotWholeSeconds)
        } else {
            Ok(Self(centis))
        }
    }

    /// In hundredths of a second.
    pub const fn centis(self) -> Centis {
        self.0
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0.duration()
    }
}

impl fmt::Debug for AdvertInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.duration().fmt(f)
    }
}

/// The eight octets of plain-text authentication (keepalived `auth_type PASS`, RFC 2338 §5.3.10).
///
/// Shown nowhere: `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password([u8; 8]);

impl Password {
    /// The first eight octets of `text`, padded with zeros, as keepalived does.
    pub fn truncated(text: &[u8]) -> Self {
        let mut octets = [0; 8];
        for (to, from) in octets.iter_mut().zip(text) {
            *to = *from;
        }
        Self(octets)
    }

    /// The octets on the wire.
    pub const fn octets(&self) -> &[u8; 8] {
        &self.0
    }

    /// Compares in a time that does not depend on where the difference is.
    pub fn matches(&self, other: &[u8; 8]) -> bool {
        self.0.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}
