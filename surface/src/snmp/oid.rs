//! Object identifiers.

use std::fmt;
use std::str::FromStr;

/// The most sub-identifiers that an object identifier may have (RFC 2578 §3.5).
pub(super) const MOST_SUBIDS: usize = 128;

/// An object identifier; ordered as SNMP orders them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Oid(Vec<u32>);

impl Oid {
    /// With these sub-identifiers.
    pub fn new(subids: impl Into<Vec<u32>>) -> Self {
        Self(subids.into())
    }

    /// `self`, then `more`.
    #[must_use]
    pub fn with(mut self, more: &[u32]) -> Self {
        self.0.extend_from_slice(more);
        self
    }

    /// Its sub-identifiers.
    pub fn subids(&self) -> &[u32] {
        &self.0
    }

    /// Whether it has none: the null identifier of RFC 2741 §5.1.
    pub fn is_null(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|subid| write!(f, ".{subid}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim_start_matches('.').split('.').map(str::parse).collect::<Result<Vec<u32>, _>>().map(Self)
    }
}
