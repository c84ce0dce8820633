//! Addresses with ports, of servers and of checks.

use std::net::IpAddr;
use std::num::NonZeroU16;

use keepalived_core::vrrp::Family;

use super::super::reading::Reading;
use super::super::statements::Statements;
use super::pace::Pace;
use crate::finding::{Finding, rule};
use crate::model::{Endpoint, Origin, RealServer};
use crate::syntax::{Word, Words};
use crate::value;

/// An address and perhaps a port, as a server has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AddressPort {
    pub(super) address: IpAddr,
    pub(super) port: Option<NonZeroU16>,
}

impl AddressPort {
    pub(super) fn of(server: &RealServer) -> Self {
        Self { address: server.address, port: server.port }
    }
}

/// `ADDRESS [PORT]` for `what`, which is left out if there is no address or the port is none.
pub(super) fn address_port(reading: &mut Reading<'_>, what: &str, words: &Words<'_>) -> Option<AddressPort> {
    let word = words.get(0)?;
    let Some(address) = value::address(word.text) else {
        let message = format!("{what} needs an IP address, and {} is none", word.str());
        let finding = Finding::at(&rule::ADDRESS_INVALID, word.span, message).note(format!("the {what} is left out"));
        reading.report(match with_colon(&word.str()) {
            Some((address, port)) => {
                let right = format!("{address} {port}");
                finding.help(format!("write the port after a blank: {right}")).fix(word.span, right)
            }
            None => finding,
        });
        return None;
    };
    let port = match words.get(1) {
        Some(word) => port(reading, what, word)?,
        None => None,
    };
    if let Some(extra) = words.get(2) {
        let message = format!("{what} takes an address and a port; {} is ignored", extra.str());
        reading.report(Finding::at(&rule::EXTRA_WORDS, extra.span, message));
    }
    Some(AddressPort { address, port })
}

/// `ADDRESS:PORT` or `[ADDRESS]:PORT`, as other programs write it.
fn with_colon(text: &str) -> Option<(IpAddr, NonZeroU16)> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(address);
    Some((address.parse().ok()?, port.parse().ok()?))
}

/// A port, `Some(None)` if it is 0, which is the same as none.
pub(super) fn port(reading: &mut Reading<'_>, what: &str, word: Word<'_>) -> Option<Option<NonZeroU16>> {
    if !word.text.is_empty() && word.text.iter().all(|octet| *octet == b'0') {
        return Some(None);
    }
    let number = reading.number_word(&format!("port of {what}"), word, 1..=65_535)?;
    u16::try_from(number).ok().map(NonZeroU16::new)
}

/// The target and the origin of a check in a server at `default`; `None` if it cannot be reached so.
pub(super) fn endpoint(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    default: AddressPort,
    pace: Pace,
) -> Option<Endpoint> {
    let said = reading.address(statements.last("connect_ip"), "an IP address", |_| true);
    let address = said.unwrap_or(default.address);
    let said_port: Option<u16> = reading.integer(statements.last("connect_port"));
    let port = said_port.and_then(NonZeroU16::new).or(default.port);
    let origin = origin(reading, statements, address);
    let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    if is_link_local && origin.is_none_or(|origin| origin.interface.is_none()) {
        let node = statements.last("connect_ip");
        let message = format!("{address} is on every link: the check needs bind_if to know which");
        reading.report_at(&rule::CHECK_LINK_LOCAL, node, message);
        return None;
    }
    let origin = origin.map(Box::new);
    Some(Endpoint { address, port, connect_timeout: pace.connect_timeout.into(), origin })
}

fn origin(reading: &mut Reading<'_>, statements: &Statements<'_>, target: IpAddr) -> Option<Origin> {
    let bindto = statements.last("bindto");
    let mut address = reading.address(bindto, "an IP address", |_| true);
    if let Some(said) = address.filter(|said| Family::of(*said) != Family::of(target)) {
        let message = format!("bindto {said} cannot reach {target}, which is of the other family; it is ignored");
        reading.report_at(&rule::CHECK_FAMILY, bindto, message);
        address = None;
    }
    let port: Option<u16> = reading.integer(statements.last("bind_port"));
    let origin = Origin {
        address,
        port: port.and_then(NonZeroU16::new),
        interface: reading.interface(statements.last("bind_if")),
        fwmark: reading.integer(statements.last("fwmark")).unwrap_or(0),
    };
    (origin != Origin::default()).then_some(origin)
}
