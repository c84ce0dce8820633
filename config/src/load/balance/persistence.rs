//! `persistence_timeout`, `persistence_granularity`, `persistence_engine`

use std::net::Ipv4Addr;
use std::time::Duration;

use keepalived_core::vrrp::Family;

use super::super::reading::Reading;
use super::super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::Granularity;
use crate::syntax::Node;
use crate::value;

/// What there is without a number (`IPVS_SVC_PERSISTENT_TIMEOUT`).
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(360);

/// The kernel's names have no more (`IP_VS_PENAME_MAXLEN` less its NUL).
const LONGEST_ENGINE: usize = 15;

/// What is said about persistence.
pub(super) struct Persistence {
    pub(super) timeout: Option<Duration>,
    pub(super) granularity: Option<Granularity>,
    pub(super) engine: Option<String>,
}

/// Reads it for a service of `family`, `None` if that is still open.
pub(super) fn read(reading: &mut Reading<'_>, statements: &Statements<'_>, family: Option<Family>) -> Persistence {
    let granularity = statements.last("persistence_granularity").and_then(|node| granularity(reading, node, family));
    let timeout = match statements.last("persistence_timeout") {
        Some(node) if node.argument().is_none() => Some(DEFAULT_TIMEOUT),
        node => timeout(reading, node),
    };
    Persistence {
        timeout: timeout.or(granularity.map(|_| DEFAULT_TIMEOUT)),
        granularity,
        engine: engine(reading, statements.last("persistence_engine")),
    }
}

fn timeout(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<Duration> {
    if let Some(word) = node.and_then(|node| node.argument())
        && value::integer(word.text) == Ok(0)
    {
        let message = "persistence_timeout 0 is not possible; persistence is off";
        let finding = Finding::at(&rule::PERSISTENCE_ZERO, word.span, message);
        reading.report(finding.help("leave the line out to switch persistence off, or give 1 to 2678400 seconds"));
        return None;
    }
    reading.integer(node).map(Duration::from_secs)
}

fn granularity(reading: &mut Reading<'_>, node: Node<'_>, family: Option<Family>) -> Option<Granularity> {
    let word = node.argument()?;
    let dotted: Option<Ipv4Addr> = std::str::from_utf8(word.text).ok().and_then(|text| text.parse().ok());
    let number = value::integer(word.text).ok();
    // keepalived takes a bare number for the prefix of an IPv6 service, if nothing else says what it is
    let is_v6 = family.map_or(number.is_some(), |family| family == Family::V6);
    if is_v6 {
        let length = reading.number_word("persistence_granularity of an IPv6 service", word, 1..=128)?;
        return u8::try_from(length).ok().map(Granularity::V6);
    }
    let as_number = number.and_then(|number| u32::try_from(number).ok()).map(Ipv4Addr::from_bits);
    let Some(mask) = dotted.or(as_number) else {
        let message = format!("persistence_granularity of an IPv4 service is a mask, not {}", word.str());
        let finding = Finding::at(&rule::ADDRESS_INVALID, word.span, message);
        reading.report(finding.help("write 255.255.255.0 for networks of 256 addresses"));
        return None;
    };
    let bits = mask.to_bits();
    let is_contiguous = bits.leading_ones().saturating_add(bits.trailing_zeros()) >= 32;
    if !is_contiguous || bits == 0 {
        let message = format!("persistence_granularity {} is taken as the mask {mask}", word.str());
        let finding = Finding::at(&rule::PERSISTENCE_MASK, word.span, message);
        let length = number.and_then(|length| u32::try_from(length).ok()).filter(|length| (1..=32).contains(length));
        reading.report(match length.and_then(|length| u32::MAX.checked_shl(32_u32.saturating_sub(length))) {
            Some(meant) => finding.help(format!("write {} if a prefix is meant", Ipv4Addr::from_bits(meant))),
            None => finding.help("write a mask of ones followed by zeros, as 255.255.255.0"),
        });
    }
    Some(Granularity::V4(mask))
}

fn engine(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<String> {
    let word = node.and_then(|node| node.argument())?;
    let said = word.str();
    if said.len() <= LONGEST_ENGINE {
        return Some(said.into_owned());
    }
    let message = format!("persistence_engine has at most {LONGEST_ENGINE} octets; the rest is cut off");
    reading.report(Finding::at(&rule::NAME_TOO_LONG, word.span, message));
    Some(
        said.chars()
            .scan(0_usize, |length, letter| {
                *length = length.saturating_add(letter.len_utf8());
                (*length <= LONGEST_ENGINE).then_some(letter)
            })
            .collect(),
    )
}
