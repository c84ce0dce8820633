//! `UDP_CHECK`

use super::super::reading::Reading;
use super::super::statements::Statements;
use super::pace::Habit;
use super::scene::{Scene, Timed, timed};
use crate::finding::{Finding, rule};
use crate::model::{Checker, MaskedOctet, UdpCheck, UdpReply};
use crate::syntax::Node;

pub(super) fn read(reading: &mut Reading<'_>, statements: &Statements<'_>, scene: &Scene<'_>) -> Option<Checker> {
    let payload = statements.last("payload").filter(|node| node.argument().is_some());
    let payload = payload.and_then(|node| octets(reading, node, Wildcards::No));
    let payload = payload.map(|octets| octets.into_iter().map(|octet| octet.value).collect());
    let min_length = reading.integer(statements.last("min_reply_length")).unwrap_or(0);
    let max_length = reading.integer(statements.last("max_reply_length")).unwrap_or(255);
    if min_length > max_length {
        let message =
            format!("min_reply_length {min_length} is more than max_reply_length {max_length}: no reply fits");
        let node = statements.last("min_reply_length").or(statements.last("max_reply_length"));
        reading.report_at(&rule::REPLY_LENGTH, node, message);
    }
    let reply = statements.last("require_reply").map(|node| {
        let has_pattern = node.argument().is_some();
        let pattern = if has_pattern { octets(reading, node, Wildcards::Yes) } else { None };
        UdpReply { pattern: pattern.unwrap_or_default(), min_length, max_length }
    });
    let Timed { schedule, endpoint } = timed(reading, statements, scene, Habit::COMMON)?;
    Some(Checker::Udp(Box::new(UdpCheck { schedule, endpoint, payload, reply })))
}

/// Whether `x` may stand for any digit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wildcards {
    Yes,
    No,
}

/// The octets after the keyword of `node`: pairs of hexadecimal digits; one digit before a blank or the end is an
/// octet, too.
fn octets(reading: &mut Reading<'_>, node: Node<'_>, wildcards: Wildcards) -> Option<Vec<MaskedOctet>> {
    let mut octets = Vec::new();
    for word in node.arguments() {
        for run in word.text.split(|octet| octet.is_ascii_whitespace()).filter(|run| !run.is_empty()) {
            for pair in run.chunks(2) {
                let Some(octet) = masked(pair, wildcards) else {
                    let wanted =
                        if wildcards == Wildcards::Yes { "hexadecimal digits and x" } else { "hexadecimal digits" };
                    let message = format!("{} takes {wanted}, not {}; it is ignored", node.name(), word.str());
                    reading.report(Finding::at(&rule::HEX_INVALID, word.span, message));
                    return None;
                };
                octets.push(octet);
            }
        }
    }
    if octets.is_empty() {
        reading.report_at(&rule::HEX_INVALID, Some(node), format!("{} is empty; it is ignored", node.name()));
        return None;
    }
    Some(octets)
}

/// One or two digits.
fn masked(pair: &[u8], wildcards: Wildcards) -> Option<MaskedOctet> {
    let mut out = MaskedOctet { value: 0, mask: if pair.len() == 1 { 0xf0 } else { 0 } };
    for digit in pair {
        let digit = match digit {
            b'x' | b'X' if wildcards == Wildcards::Yes => MaskedOctet { value: 0, mask: 0 },
            _ => MaskedOctet { value: u8::try_from(char::from(*digit).to_digit(16)?).ok()?, mask: 0x0f },
        };
        out = MaskedOctet { value: out.value << 4 | digit.value, mask: out.mask << 4 | digit.mask };
    }
    Some(if pair.len() == 1 { MaskedOctet { mask: out.mask | 0xf0, ..out } } else { out })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_alone_is_an_octet() {
        let octet = |text: &str| masked(text.as_bytes(), Wildcards::Yes).map(|octet| (octet.value, octet.mask));
        assert_eq!(octet("Ab"), Some((0xab, 0xff)));
        assert_eq!(octet("f"), Some((0x0f, 0xff)));
        assert_eq!(octet("xF"), Some((0x0f, 0x0f)));
        assert_eq!(octet("1X"), Some((0x10, 0xf0)));
        assert_eq!(octet("x"), Some((0x00, 0xf0)));
        assert_eq!(octet("g"), None);
        assert_eq!(masked(b"x1", Wildcards::No), None);
    }
}
