//! The interface of an instance.

use keepalived_core::address::InterfaceName;

use super::super::reading::Reading;
use super::draft::{Draft, Link};
use crate::facts::InterfaceFacts;
use crate::finding::{Finding, rule};
use crate::model::Transport;
use crate::span::Span;

/// The interface, if it is one that VRRP can use.
pub(super) fn read(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Link {
    let none = Link { name: None, facts: None };
    let Some(word) = draft.statements.last("interface").and_then(|node| node.argument()) else { return none };
    let Some(name) = reading.interface_name(word) else { return none };
    let facts = exists(reading, draft, name, word.span);
    if facts.is_some_and(|facts| facts.loopback) {
        let message = format!("instance {}: VRRP cannot use the loopback interface {name}", draft.name);
        reading.report(Finding::at(&rule::INTERFACE_LOOPBACK, word.span, message));
        return none;
    }
    Link { name: Some(name), facts }
}

/// What is known about `name`; reports one that should exist and does not.
pub(super) fn exists(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    name: InterfaceName,
    span: Span,
) -> Option<InterfaceFacts> {
    let facts = reading.known_interface(name);
    if facts.is_none() && !draft.global.dynamic_interfaces {
        let message = format!("instance {}: there is no interface {name}", draft.name);
        let finding = Finding::at(&rule::INTERFACE_UNKNOWN, span, message);
        reading.report(finding.help("correct the name, or add dynamic_interfaces to global_defs if it appears later"));
    }
    facts
}

pub(super) fn check(reading: &mut Reading<'_>, draft: &Draft<'_>, link: Link, transport: &Transport) {
    let can_do_without = matches!(transport, Transport::Unicast { source: Some(_), .. });
    let has_value = draft.statements.last("interface").is_none_or(|node| !node.arguments().is_empty());
    if link.name.is_none() && !can_do_without && has_value {
        if let Some(word) = draft.statements.last("interface").and_then(|node| node.argument()) {
            // one message: that it is of no use, and that it cannot do without
            reading.findings.withdraw(&rule::INTERFACE_LOOPBACK, word.span);
            reading.findings.withdraw(&rule::INTERFACE_NAME, word.span);
            let why = if word.text == b"lo" { "the loopback interface" } else { "no name of an interface" };
            let message = format!("instance {}: it needs an interface, and {} is {why}", draft.name, word.str());
            let finding = Finding::at(&rule::INTERFACE_MISSING, word.span, message);
            reading.report(finding.help("name the interface on which the other routers are"));
        } else {
            draft.missing(reading, &rule::INTERFACE_MISSING, "interface", "interface is missing");
        }
    }
}

/// `vrf`: for the sockets of an instance without interface.
pub(super) fn vrf(reading: &mut Reading<'_>, draft: &Draft<'_>, link: Link) -> Option<InterfaceName> {
    let word = draft.statements.last("vrf")?.argument()?;
    let name = reading.interface_name(word)?;
    if link.name.is_some() {
        draft.report(reading, &rule::VRF, "vrf", "vrf is for instances without interface; it is ignored");
        return None;
    }
    exists(reading, draft, name, word.span).map(|_| name).or(draft.global.dynamic_interfaces.then_some(name))
}
