//! VRRP: adverts to and from bytes, and the virtual router that exchanges them.
//!
//! Sources: RFC 9568 (v3), RFC 5798 (v3, first edition), RFC 3768 (v2), and keepalived as observed.

mod types;

pub use types::{AdvertInterval, Family, IntervalRefused, Password, Priority, Version, Vrid};
