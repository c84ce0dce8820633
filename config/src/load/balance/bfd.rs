//! `bfd_instance`

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::Family;

use super::super::reading::Reading;
use super::super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::BfdInstance;
use crate::syntax::Node;
use crate::value;

/// The longest name (`BFD_INAME_MAX` of keepalived less its NUL).
const LONGEST_NAME: usize = 31;

/// Every instance that can be used, in the order of the file.
pub(super) fn read_all<'a>(reading: &mut Reading<'a>, blocks: impl Iterator<Item = Node<'a>>) -> Vec<BfdInstance> {
    let mut names = HashSet::new();
    let mut pairs: HashMap<(IpAddr, Option<IpAddr>, Option<InterfaceName>), String> = HashMap::new();
    let mut instances = Vec::new();
    for block in blocks {
        let Some(name) = name(reading, block) else { continue };
        if !names.insert(name.clone()) {
            let message = format!("there is a bfd_instance {name} already");
            reading.report_at(&rule::DUPLICATE_NAME, Some(block), message);
            continue;
        }
        let Some(instance) = read(reading, block, name) else { continue };
        let pair = (instance.neighbor, instance.source, instance.interface);
        if let Some(other) = pairs.get(&pair) {
            let (name, neighbor) = (&instance.name, instance.neighbor);
            let message = format!("bfd_instance {name}: {other} has the neighbour {neighbor} already; it is left out");
            reading.report_at(&rule::BFD_NEIGHBOR, Some(block), message);
            continue;
        }
        pairs.insert(pair, instance.name.clone());
        instances.push(instance);
    }
    instances
}

fn name(reading: &mut Reading<'_>, block: Node<'_>) -> Option<String> {
    let words = block.arguments();
    let Some(word) = words.get(0) else {
        let message = "bfd_instance needs a name; it is left out";
        reading.report_at(&rule::BLOCK_NAME, Some(block), message);
        return None;
    };
    if let Some(extra) = words.get(1) {
        let message = format!("bfd_instance takes one name; {} is ignored", extra.str());
        reading.report(Finding::at(&rule::EXTRA_WORDS, extra.span, message));
    }
    if word.text.len() > LONGEST_NAME {
        let message = format!("the name of a bfd_instance has at most {LONGEST_NAME} octets; it is left out");
        reading.report(Finding::at(&rule::BFD_NAME, word.span, message));
        return None;
    }
    Some(word.str().into_owned())
}

fn read(reading: &mut Reading<'_>, block: Node<'_>, name: String) -> Option<BfdInstance> {
    let statements = Statements::of(block.children());
    let said = statements.last_of("neighbor_ip", "neighbour_ip");
    let Some((neighbor, scope)) = scoped_address(reading, said) else {
        let message = format!("bfd_instance {name} has no neighbor_ip that can be used; it is left out");
        reading.report_missing(&rule::BFD_NEIGHBOR, block, "neighbor_ip", message);
        return None;
    };
    let (source, scope_of_source) = scoped_address(reading, statements.last("source_ip")).unzip();
    if let Some(source) = source.filter(|source| Family::of(*source) != Family::of(neighbor)) {
        let message = format!("bfd_instance {name}: {source} cannot reach {neighbor}, which is of the other family");
        let node = statements.last("source_ip");
        reading.report_at(&rule::BFD_NEIGHBOR, node, format!("{message}; the instance is left out"));
        return None;
    }
    let multihop = reading.switch(statements.last("multihop")).unwrap_or(false);
    let scopes = (scope, scope_of_source.flatten());
    if let Some(why) = doubt(neighbor, scopes, multihop) {
        reading.report_at(&rule::BFD_LINK, said, format!("bfd_instance {name}: {why}"));
    }
    let ttl = reading.integer(statements.last_of("ttl", "hoplimit"));
    // what keepalived has where the file says nothing: `max_hops` is judged by it
    let usual = if neighbor.is_ipv4() { 255 } else { 64 };
    let (weight, reverse) = weight(reading, statements.last("weight"));
    let (vrrp, checker) = (statements.has("vrrp"), statements.has("checker"));
    let mut millis = |name, default| reading.duration(statements.last(name)).unwrap_or(Duration::from_millis(default));
    let (min_rx, min_tx, idle_tx) = (millis("min_rx", 10), millis("min_tx", 10), millis("idle_tx", 1000));
    Some(BfdInstance {
        max_hops: max_hops(reading, &statements, &name, ttl.unwrap_or(usual)),
        neighbor,
        source,
        interface: scopes.0.or(scopes.1),
        min_rx,
        min_tx,
        idle_tx,
        multiplier: reading.integer(statements.last("multiplier")).unwrap_or(5),
        passive: statements.has("passive"),
        ttl,
        multihop,
        weight,
        reverse,
        tells_vrrp: vrrp || !checker,
        tells_checkers: checker || !vrrp,
        name,
    })
}

/// `ADDRESS`, or `ADDRESS%INTERFACE` for one that is link-local.
fn scoped_address(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<(IpAddr, Option<InterfaceName>)> {
    let node = node?;
    let word = node.argument()?;
    let mut parts = word.text.splitn(2, |octet| *octet == b'%');
    let address = value::address(parts.next()?);
    let scope = parts.next();
    let interface = scope.map(InterfaceName::new);
    let name = node.name();
    let message = match (address, interface) {
        (None, _) => format!("{name} must be an IP address, not {}", word.str()),
        (Some(_), Some(None)) => {
            format!("{name}: what stands behind % in {} cannot be the name of an interface", word.str())
        }
        (Some(address), Some(Some(_))) if !is_link_local(address) => {
            format!("{name}: only a link-local address is followed by %INTERFACE, and {address} is none")
        }
        (Some(address), interface) => return Some((address, interface.flatten())),
    };
    reading.report(Finding::at(&rule::ADDRESS_INVALID, word.span, message));
    None
}

const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// What is not right about the interface of a link-local neighbour. Either address may name it.
fn doubt(neighbor: IpAddr, scopes: (Option<InterfaceName>, Option<InterfaceName>), multihop: bool) -> Option<String> {
    match scopes {
        (Some(one), Some(other)) if one != other => {
            Some(format!("neighbor_ip is on {one}, and source_ip on {other}; {one} is taken"))
        }
        (None, None) if is_link_local(neighbor) => Some(format!(
            "{neighbor} may be on any link, and nothing can be sent to it; write neighbor_ip {neighbor}%INTERFACE"
        )),
        _ if multihop && is_link_local(neighbor) => {
            Some(format!("with multihop, no router passes on what is sent to the link-local address {neighbor}"))
        }
        _ => None,
    }
}

fn max_hops(reading: &mut Reading<'_>, statements: &Statements<'_>, name: &str, ttl: u8) -> i16 {
    let node = statements.last("max_hops");
    let said = reading.integer(node).unwrap_or(0);
    let most = i16::from(ttl);
    if said <= most {
        return said;
    }
    let message = format!("bfd_instance {name}: max_hops {said} is more than the ttl of {ttl}, which is used");
    reading.report_at(&rule::NUMBER_ADJUSTED, node, message);
    most
}

/// `weight N [reverse]`
fn weight(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> (i16, bool) {
    let Some(node) = node else { return (0, false) };
    let Some((number, words)) = node.arguments().split_first() else { return (0, false) };
    let Some(weight) = reading.number_word("weight", number, -253..=253) else { return (0, false) };
    let mut reverse = false;
    for word in words {
        if word.text == b"reverse" {
            reverse = true;
        } else {
            let message = format!("weight is followed by reverse, not by {}", word.str());
            reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
        }
    }
    (i16::try_from(weight).unwrap_or_default(), reverse)
}
