//! Values, and how the tables make them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::oid::Oid;

/// What a variable holds, or why it holds nothing (RFC 2741 §5.4).
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the types of RFC 2578")]
pub enum Value {
    Integer(i32),
    OctetString(Vec<u8>),
    Null,
    ObjectIdentifier(Oid),
    IpAddress(Ipv4Addr),
    Counter32(u32),
    Gauge32(u32),
    TimeTicks(u32),
    Opaque(Vec<u8>),
    Counter64(u64),
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
}

/// A variable and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VarBind {
    /// Which variable.
    pub name: Oid,
    /// Its value.
    pub value: Value,
}

/// INTEGER; what does not fit is as near as it gets.
pub(super) fn integer(number: impl TryInto<i64>) -> Value {
    let number = number.try_into().unwrap_or(i64::MAX).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    Value::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

/// Unsigned32 or Gauge32, which are one on the wire; what does not fit is the greatest.
pub(super) fn gauge(number: impl TryInto<u32>) -> Value {
    Value::Gauge32(number.try_into().unwrap_or(u32::MAX))
}

/// Counter32: it wraps.
pub(super) fn counter32(count: u64) -> Value {
    Value::Counter32(u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX))
}

/// Counter64.
pub(super) fn counter64(count: u64) -> Value {
    Value::Counter64(count)
}

/// The 32 low or high bits of a number.
pub(super) fn half(number: u64, shift: u32) -> Value {
    gauge(number.checked_shr(shift).unwrap_or(0) & u64::from(u32::MAX))
}

/// `true(1), false(2)`, which is also `enabled(1), disabled(2)` and the like.
pub(super) fn truth(is_so: bool) -> Value {
    Value::Integer(if is_so { 1 } else { 2 })
}

/// DisplayString.
pub(super) fn text(text: impl AsRef<[u8]>) -> Value {
    Value::OctetString(text.as_ref().to_vec())
}

/// InetAddress.
pub(super) fn address(address: IpAddr) -> Value {
    Value::OctetString(match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    })
}

/// InetAddressType of an address: `ipv4(1), ipv6(2)`.
pub(super) fn kind(address: IpAddr) -> Value {
    truth(address.is_ipv4())
}

/// Whole seconds.
pub(super) fn seconds(time: Duration) -> Value {
    gauge(time.as_secs())
}

/// Microseconds.
pub(super) fn micros(time: Duration) -> Value {
    gauge(time.as_micros())
}

/// TimeTicks: hundredths of a second.
pub(super) fn ticks(time: Duration) -> Value {
    Value::TimeTicks(u32::try_from(time.as_millis() / 10).unwrap_or(u32::MAX))
}
