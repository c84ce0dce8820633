//! Values as keepalived reads them (syntax.md section 8). Pure: what is wrong is returned, not reported.

use std::net::IpAddr;

/// Why a number or a time is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotANumber {
    /// Not digits all the way.
    Form,
    /// Beyond 64 bits.
    Size,
}

/// A decimal integer: leading blanks, `+` and zeros are fine, anything after the digits is not.
pub(crate) fn integer(text: &[u8]) -> Result<i64, NotANumber> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotANumber::Form);
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(NotANumber::Size)
}

/// A time in microseconds, and whether it had more decimals than that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Micros {
    pub(crate) count: u64,
    pub(crate) rounded: bool,
}

/// Decimal seconds; `.5` and `5.` are fine, units and exponents are not.
pub(crate) fn seconds(text: &[u8]) -> Result<Micros, NotANumber> {
    decimal(text, 6)
}

/// Decimal milliseconds.
pub(crate) fn millis(text: &[u8]) -> Result<Micros, NotANumber> {
    decimal(text, 3)
}

/// A decimal number with at most so many decimals, as a count of the last of them.
fn decimal(text: &[u8], places: usize) -> Result<Micros, NotANumber> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (whole, decimals) = match text.iter().position(|octet| *octet == b'.') {
        Some(point) => (text.get(..point).unwrap_or_default(), text.get(point.saturating_add(1)..).unwrap_or_default()),
        None => (text, [].as_slice()),
    };
    let all_digits = whole.iter().chain(decimals).all(u8::is_ascii_digit);
    if !all_digits || (whole.is_empty() && decimals.is_empty()) {
        return Err(NotANumber::Form);
    }
    let digit = |octet: &u8| u64::from(octet.wrapping_sub(b'0'));
    let mut count = whole.iter().try_fold(0_u64, |sum, octet| sum.checked_mul(10)?.checked_add(digit(octet)));
    for place in 0..places {
        let next = decimals.get(place).map_or(0, digit);
        count = count.and_then(|count| count.checked_mul(10)?.checked_add(next));
    }
    let up = decimals.get(places).is_some_and(|octet| *octet >= b'5');
    let count = count.and_then(|count| count.checked_add(u64::from(up))).ok_or(NotANumber::Size)?;
    Ok(Micros { count, rounded: decimals.len() > places })
}

/// One of the six words.
pub(crate) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"on" | b"true" | b"yes" => Some(true),
        b"off" | b"false" | b"no" => Some(false),
        _ => None,
    }
}

/// A numeric address; what follows `-` or `/` is not looked at.
pub(crate) fn address(text: &[u8]) -> Option<IpAddr> {
    let end = text.iter().position(|octet| matches!(octet, b'-' | b'/')).unwrap_or(text.len());
    whole_address(text.get(..end)?)
}

/// A numeric address and nothing else.
pub(crate) fn whole_address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A number as C writes it: 0x, 0, decimal.
pub(crate) fn c_number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some("") => Some(0),
        Some(octal) => u32::from_str_radix(octal, 8).ok(),
        None => text.parse().ok(),
    }
}

/// Whether adverts may go to `address`: IPv4 multicast, or IPv6 link-local multicast.
pub(crate) fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_multicast(),
        IpAddr::V6(address) => {
            address.is_multicast() && address.segments().first().is_some_and(|first| first & 0xf == 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// syntax.md section 8, seen with 2.4.3.
    #[test]
    fn integers() {
        for (text, value) in [("010", 10), ("+10", 10), (" 10", 10), ("-3", -3)] {
            assert_eq!(integer(text.as_bytes()), Ok(value), "{text}");
        }
        for text in ["10 ", "", "0x10", "10.5", "10abc", "+", "--1", "+-1"] {
            assert_eq!(integer(text.as_bytes()), Err(NotANumber::Form), "{text}");
        }
        assert_eq!(integer(b"99999999999999999999"), Err(NotANumber::Size));
    }

    /// syntax.md section 8, seen with 2.4.3.
    #[test]
    fn times() {
        let micros = |text: &str| seconds(text.as_bytes()).map(|micros| (micros.count, micros.rounded));
        assert_eq!(micros(".5"), Ok((500_000, false)));
        assert_eq!(micros("5."), Ok((5_000_000, false)));
        assert_eq!(micros("0.01"), Ok((10_000, false)));
        assert_eq!(micros("1.0000005"), Ok((1_000_001, true)));
        for text in ["1s", "1e1", "", ".", "-1", "1.2.3"] {
            assert_eq!(micros(text), Err(NotANumber::Form), "{text}");
        }
        assert_eq!(micros("99999999999999999999"), Err(NotANumber::Size));
    }

    #[test]
    fn booleans_are_lower_case() {
        assert_eq!(boolean(b"yes"), Some(true));
        assert_eq!(boolean(b"YES"), None);
        assert_eq!(boolean(b"1"), None);
    }

    /// syntax.md section 8, seen with 2.4.3.
    #[test]
    fn addresses() {
        assert!(address(b"10.9.0.2/24").is_some());
        assert!(address(b"10.9.0.02").is_none());
        assert!(address(b"10.9.2").is_none());
        assert!(address(b"fe80::1").is_some());
    }

    #[test]
    fn numbers_of_c() {
        assert_eq!(
            [c_number(b"0177"), c_number(b"0x1f"), c_number(b"8"), c_number(b"09")],
            [Some(127), Some(31), Some(8), None]
        );
    }
}
