//! Addresses that more than one wants, or one wants twice.

use std::collections::HashMap;
use std::net::IpAddr;

use keepalived_core::address::InterfaceName;

use super::reading::Reading;
use super::statements::finding_at;
use crate::finding::{Finding, rule};
use crate::model::{Instance, Transport};
use crate::syntax::Node;

/// Says where instances claim what another one has, or send to themselves.
pub(super) fn check(reading: &mut Reading<'_>, instances: &[Instance]) {
    let mut blocks: HashMap<String, Node<'_>> = HashMap::new();
    for node in reading.tree.roots().filter(|node| node.is("vrrp_instance")) {
        if let Some(name) = node.argument() {
            blocks.entry(name.str().into_owned()).or_insert(node);
        }
    }
    let source = |instance: &Instance| match &instance.transport {
        Transport::Unicast { source, .. } | Transport::Multicast { source, .. } => *source,
    };
    let mut sources: HashMap<IpAddr, &Instance> = HashMap::new();
    for instance in instances {
        if let Some(address) = source(instance) {
            sources.entry(address).or_insert(instance);
        }
    }
    let mut owners: HashMap<(IpAddr, Option<InterfaceName>), &Instance> = HashMap::new();
    for instance in instances {
        let block = blocks.get(&instance.name).copied();
        if let Transport::Unicast { source: Some(source), peers, .. } = &instance.transport
            && peers.iter().any(|peer| peer.address == *source)
        {
            let message = format!("instance {}: {source} is its own address and a peer", instance.name);
            reading.report(finding_at(
                &rule::PEER_SELF,
                word_line(block, "unicast_peer", &source.to_string()),
                message,
            ));
        }
        if let Transport::Unicast { source, peers, .. } = &instance.transport {
            let here = |address: IpAddr| sources.get(&address).filter(|_| *source != Some(address));
            if let Some((peer, other)) = peers.iter().find_map(|peer| Some((peer.address, here(peer.address)?))) {
                let message =
                    format!("the peer {peer} of instance {} is the source of instance {}", instance.name, other.name);
                let finding =
                    finding_at(&rule::PEER_HERE, word_line(block, "unicast_peer", &peer.to_string()), message);
                reading.report(finding.note("both would be on this machine"));
            }
        }
        for address in instance.addresses.iter().chain(&instance.excluded_addresses) {
            let key = (address.address, address.device.or(instance.interface));
            let Some(other) = owners.get(&key).filter(|other| other.name != instance.name) else {
                owners.insert(key, instance);
                continue;
            };
            let message = format!("instances {} and {} both have {}", other.name, instance.name, address.address);
            let finding = shared(block, &address.address, message);
            let first = blocks.get(&other.name).and_then(|block| place_of(*block, &address.address));
            reading.report(match first.and_then(super::statements::keyword_span) {
                Some(span) => finding.also(span, format!("{} has it here", other.name)),
                None => finding,
            });
        }
    }
}

fn shared(block: Option<Node<'_>>, address: &IpAddr, message: String) -> Finding {
    let node = block.and_then(|block| place_of(block, address));
    finding_at(&rule::ADDRESS_SHARED, node.or(block), message)
}

/// The line of an address of an instance.
fn place_of<'a>(block: Node<'a>, address: &IpAddr) -> Option<Node<'a>> {
    let lists = block.children().filter(|node| node.is("virtual_ipaddress") || node.is("virtual_ipaddress_excluded"));
    lists.flat_map(|list| list.children()).find(|line| {
        let name = line.name();
        name.split('/').next().and_then(|text| text.parse::<IpAddr>().ok()).as_ref() == Some(address)
    })
}

/// The line that begins with `name` in a `keyword` block.
fn word_line<'a>(block: Option<Node<'a>>, keyword: &str, name: &str) -> Option<Node<'a>> {
    let mut lists = block?.children().filter(|node| node.is(keyword));
    lists.find_map(|list| list.children().find(|line| line.name() == name)).or(block)
}
