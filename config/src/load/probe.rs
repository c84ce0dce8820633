//! `vrrp_track_probe`: a server or a gateway that has to answer.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use super::reading::Reading;
use super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::{Origin, ProbeTarget, TrackProbe};
use crate::syntax::{Node, Word};

const TARGETS: [&str; 3] = ["tcp", "http", "ping"];

pub(super) fn probe(
    reading: &mut Reading<'_>,
    block: Node<'_>,
    statements: &Statements<'_>,
    name: String,
) -> Option<TrackProbe> {
    let mut targets = TARGETS.iter().flat_map(|keyword| statements.all(keyword));
    let Some(node) = targets.next() else {
        reading.incomplete(block, &name, "tcp, http or ping");
        return None;
    };
    if let Some(other) = targets.next() {
        let message = format!("vrrp_track_probe {name} asks one thing: {}, or {}", node.name(), other.name());
        let finding = super::statements::finding_at(&rule::PROBE_TARGET, Some(other), message);
        reading.report(finding.note(format!("{} counts", node.name())).help("write a probe for each"));
    }
    let target = match node.name() {
        name if name == "tcp" => tcp(reading, node),
        name if name == "http" => http(reading, node),
        _ => node.argument().and_then(|word| address(reading, word)).map(|address| ProbeTarget::Ping { address }),
    };
    let interval = reading.duration(statements.last("interval")).unwrap_or(Duration::from_secs(1));
    let timeout = reading.duration(statements.last("timeout"));
    let weight = reading.weight(statements.last("weight")).unwrap_or_default();
    let (rise, fall) = (reading.integer(statements.last("rise")), reading.integer(statements.last("fall")));
    if target.is_none() {
        reading.incomplete(block, &name, "target that can be asked");
    }
    let target = target?;
    let origin = origin(reading, statements, &target, node);
    Some(TrackProbe {
        name,
        target,
        origin,
        interval,
        timeout: timeout.unwrap_or(interval),
        weight,
        rise: rise.unwrap_or(1),
        fall: fall.unwrap_or(1),
        init_fail: statements.has("init_fail"),
    })
}

/// `interface` and `source`. A link-local address means something on one interface only.
fn origin(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    target: &ProbeTarget,
    node: Node<'_>,
) -> Option<Origin> {
    let asked = target.address();
    let interface = reading.interface(statements.last("interface"));
    let word = statements.last("source").and_then(|node| node.argument());
    let source = word.and_then(|word| Some((word, address(reading, word)?)));
    let source = source.filter(|(word, source)| {
        let same = source.is_ipv4() == asked.is_ipv4();
        if !same {
            let message = format!("{source} cannot ask {asked}: one is IPv4, the other IPv6");
            wrong(reading, *word, message, "write an address of the same family");
        }
        same
    });
    let is_local = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    if interface.is_none()
        && statements.last("interface").is_none()
        && let Some(local) = [Some(asked), source.map(|(_, source)| source)].into_iter().flatten().find(is_local)
    {
        let message = format!("{local} is link-local: which interface it is on has to be said");
        let finding = super::statements::finding_at(&rule::PROBE_TARGET, Some(node), message);
        reading.report(finding.help("add `interface IFNAME`"));
    }
    let address = source.map(|(_, source)| source);
    (interface.is_some() || address.is_some()).then_some(Origin { address, interface, ..Origin::default() })
}

fn wrong(reading: &mut Reading<'_>, word: Word<'_>, message: String, help: &'static str) {
    reading.report(Finding::at(&rule::PROBE_TARGET, word.span, message).help(help));
}

/// An address: to look a name up may take long, and needs a network.
fn address(reading: &mut Reading<'_>, word: Word<'_>) -> Option<IpAddr> {
    let text = word.str();
    let found = text.trim_matches(['[', ']']).parse().ok();
    if found.is_none() {
        let message = format!("a probe asks an address, not {text}");
        wrong(reading, word, message, "write the IPv4 or IPv6 address: names are not looked up");
    }
    found
}

fn port(reading: &mut Reading<'_>, word: Word<'_>, text: &str) -> Option<NonZeroU16> {
    let found = text.parse().ok();
    if found.is_none() {
        wrong(reading, word, format!("a port is 1 to 65535, not {text}"), "write the port that the server listens on");
    }
    found
}

/// `tcp ADDRESS PORT`
fn tcp(reading: &mut Reading<'_>, node: Node<'_>) -> Option<ProbeTarget> {
    let mut words = node.arguments();
    let address = address(reading, words.next()?);
    // a missing one has been reported by the row
    let word = words.next()?;
    let port = port(reading, word, &word.str());
    Some(ProbeTarget::Tcp { address: address?, port: port? })
}

/// `http http://ADDRESS[:PORT]/PATH`, or https.
fn http(reading: &mut Reading<'_>, node: Node<'_>) -> Option<ProbeTarget> {
    let word = node.argument()?;
    let text = word.str().into_owned();
    let (secure, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => {
            let message = format!("a probe asks a URL that begins with http:// or https://, not {text}");
            wrong(reading, word, message, "write http://ADDRESS:PORT/PATH");
            return None;
        }
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let (host, number) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match authority.split_once(':') {
            Some((host, number)) => (host, Some(number)),
            None => (authority, None),
        },
    };
    let Ok(address) = host.parse() else {
        let message = format!("a probe asks an address, not {host}");
        wrong(reading, word, message, "write the address of the server: names are not looked up");
        return None;
    };
    let usual = if secure { 443 } else { 80 };
    let port = match number {
        Some(number) => port(reading, word, number)?,
        None => NonZeroU16::new(usual)?,
    };
    Some(ProbeTarget::Http { address, port, secure, path: path.to_owned() })
}
