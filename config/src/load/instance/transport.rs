//! Where adverts go: multicast or unicast, source, peers; and that no two instances claim the same.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Family, Vrid};

use super::super::reading::Reading;
use super::super::statements::keyword_span;
use super::draft::{Draft, Link};
use crate::finding::{Finding, rule};
use crate::model::{Instance, Peer, Transport};
use crate::span::Span;
use crate::syntax::Node;
use crate::value;

/// What is written, before the family is known.
pub(super) struct Wanted {
    peers: Vec<(Peer, Span)>,
    /// A TTL range on any peer.
    ttl_range: bool,
    /// `unicast_src_ip` or `mcast_src_ip`: the later one.
    source: Option<IpAddr>,
    group: Option<IpAddr>,
    ttl: Option<u8>,
}

/// Reads the statements.
pub(super) fn read(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Wanted {
    let statements = &draft.statements;
    let mut ttl_range = false;
    let lines: Vec<Node<'_>> = statements.all("unicast_peer").flat_map(|block| block.children()).collect();
    let peers = lines.into_iter().filter_map(|line| peer(reading, line, &mut ttl_range)).collect();
    let source = statements.last_of("unicast_src_ip", "mcast_src_ip");
    let source = reading.address(source, "an address of this machine, no group", |address| !address.is_multicast());
    let group =
        reading.address(statements.last("mcast_dst_ip"), "a multicast address (IPv6: link-local)", value::is_group);
    let ttl = reading.integer(statements.last("unicast_ttl"));
    Wanted { peers, ttl_range, source, group, ttl }
}

fn peer(reading: &mut Reading<'_>, line: Node<'_>, ttl_range: &mut bool) -> Option<(Peer, Span)> {
    let (first, mut words) = line.words().split_first()?;
    let Some(address) = value::address(first.text).filter(|address| !address.is_multicast()) else {
        let message = format!("a unicast peer must be an IP address, not {}", first.str());
        reading.report(Finding::at(&rule::ADDRESS_INVALID, first.span, message).note("the line is left out"));
        return None;
    };
    let mut peer = Peer { address, min_ttl: 0, max_ttl: 255 };
    while let Some(word) = words.next() {
        let field = match word.text {
            b"min_ttl" => &mut peer.min_ttl,
            b"max_ttl" => &mut peer.max_ttl,
            _ => {
                let message = format!("a unicast peer knows min_ttl and max_ttl, not {}", word.str());
                reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
                continue;
            }
        };
        let Some(value) = words.next() else {
            let message = format!("{} needs a value: 0 to 255", word.str());
            reading.report(Finding::at(&rule::MISSING_VALUE, word.span, message));
            break;
        };
        if let Some(ttl) = reading.number_word(&word.str(), value, 0..=255).and_then(|ttl| u8::try_from(ttl).ok()) {
            *field = ttl;
            *ttl_range = true;
        }
    }
    if peer.min_ttl > peer.max_ttl {
        let message = format!("peer {address}: min_ttl {} is more than max_ttl {}", peer.min_ttl, peer.max_ttl);
        reading.report(Finding::at(&rule::PEER_TTL, first.span, message));
    }
    Some((peer, first.span))
}

impl Wanted {
    /// An address that tells the family.
    pub(super) fn any_address(&self) -> Option<IpAddr> {
        self.peers.first().map(|(peer, _)| peer.address).or(self.source).or(self.group)
    }

    /// What it means for an instance of `family`.
    pub(super) fn transport(
        self,
        reading: &mut Reading<'_>,
        draft: &Draft<'_>,
        family: Family,
        strict: bool,
        link: Link,
    ) -> Transport {
        let Self { peers, ttl_range, source, group, ttl } = self;
        let statements = &draft.statements;
        let source = of_family(reading, draft, source, family, "unicast_src_ip or mcast_src_ip");
        let peers = distinct(reading, draft, peers, family);
        let words = ["unicast_src_ip", "unicast_peer", "check_unicast_src", "unicast_ttl", "old_unicast_checksum"];
        let mentioned = words.into_iter().find(|word| statements.has(word));
        let fault_without_peer = statements.has("unicast_fault_no_peer");
        if peers.is_empty()
            && let Some(word) = mentioned
            && !fault_without_peer
        {
            let message = format!("{word} is for unicast, but there is no peer: multicast is used");
            draft.report(reading, &rule::UNICAST_WITHOUT_PEER, word, &message);
        }
        if peers.is_empty() && (mentioned.is_none() || !fault_without_peer) {
            let group = of_family(reading, draft, group, family, "mcast_dst_ip");
            let default = match family {
                Family::V4 => IpAddr::V4(draft.global.mcast_group4),
                Family::V6 => IpAddr::V6(draft.global.mcast_group6),
            };
            return Transport::Multicast { group: group.unwrap_or(default), source };
        }
        if strict && !peers.is_empty() && link.facts.is_some_and(|facts| facts.multicast) {
            draft.report(
                reading,
                &rule::STRICT_UNICAST,
                "unicast_peer",
                "strict mode excludes unicast where multicast is possible",
            );
        }
        if group.is_some() {
            draft.report(reading, &rule::UNICAST_GROUP, "mcast_dst_ip", "mcast_dst_ip is ignored: adverts go to peers");
        }
        let check_source = draft.defaults.check_unicast_src || statements.has("check_unicast_src") || ttl_range;
        Transport::Unicast { source, peers, ttl, check_source, fault_without_peer }
    }
}

fn of_family(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    address: Option<IpAddr>,
    family: Family,
    what: &str,
) -> Option<IpAddr> {
    let address = address?;
    if Family::of(address) == family {
        return Some(address);
    }
    let message = format!("{what} {address} is ignored: the instance is {family}");
    let keyword = ["unicast_src_ip", "mcast_src_ip", "mcast_dst_ip"]
        .into_iter()
        .find(|name| what.contains(name) && draft.statements.has(name));
    draft.report(reading, &rule::FAMILY_MISMATCH, keyword.unwrap_or_default(), &message);
    None
}

/// Peers of the family, each once.
fn distinct(reading: &mut Reading<'_>, draft: &Draft<'_>, peers: Vec<(Peer, Span)>, family: Family) -> Vec<Peer> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for (peer, span) in peers {
        if Family::of(peer.address) != family {
            let message =
                format!("instance {}: peer {} is ignored: the instance is {family}", draft.name, peer.address);
            reading.report(Finding::at(&rule::FAMILY_MISMATCH, span, message));
        } else if seen.insert(peer.address) {
            out.push(peer);
        } else {
            let message = format!("instance {}: peer {} is listed twice", draft.name, peer.address);
            reading.report(Finding::at(&rule::PEER_DUPLICATE, span, message));
        }
    }
    out
}

/// What only one instance may have: a VRID on an interface towards a group, or towards a peer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Endpoint {
    vrid: Vrid,
    family: Family,
    interface: Option<InterfaceName>,
    source: Option<IpAddr>,
    destination: IpAddr,
}

/// Claims the endpoints of `instance`; reports one that is taken.
pub(super) fn claim(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    instance: &Instance,
    taken: &mut HashMap<Endpoint, (String, Option<Span>)>,
) {
    let endpoint = |source, destination| Endpoint {
        vrid: instance.settings.vrid,
        family: instance.settings.family,
        interface: instance.interface,
        source,
        destination,
    };
    let endpoints = match &instance.transport {
        Transport::Multicast { group, .. } => vec![endpoint(None, *group)],
        Transport::Unicast { source, peers, .. } => peers.iter().map(|peer| endpoint(*source, peer.address)).collect(),
    };
    let at = draft.statements.last("virtual_router_id").and_then(keyword_span);
    let other = endpoints.iter().find_map(|endpoint| taken.get(endpoint)).cloned();
    if let (Some((other, first)), Some(at)) = (other, at) {
        let interface = instance.interface.map(|name| format!(" on {name}")).unwrap_or_default();
        let message = format!(
            "{} and {other} both use VRID {} with {}{interface}",
            instance.name, instance.settings.vrid, instance.settings.family
        );
        let finding =
            Finding::at(&rule::DUPLICATE_VRID, at, message).help("give one of them another virtual_router_id");
        reading.report(match first {
            Some(first) => finding.also(first, format!("{other} has it here")),
            None => finding,
        });
    }
    taken.extend(endpoints.into_iter().map(|endpoint| (endpoint, (instance.name.clone(), at))));
}
