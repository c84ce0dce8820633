//! The addresses of an instance: those that adverts list, and those that they do not.

use keepalived_core::address::VirtualAddress;
use keepalived_core::vrrp::{Family, Version};

use super::super::address::{AddressLine, lines};
use super::super::reading::Reading;
use super::super::routing::Block;
use super::draft::{Draft, Link};
use super::interface::exists;
use crate::finding::{Finding, rule};
use crate::syntax::Node;

/// The lines of the blocks called `name`.
pub(super) fn read<'a>(reading: &mut Reading<'_>, draft: &Draft<'a>, name: &str) -> Vec<AddressLine<'a>> {
    let blocks: Vec<Node<'a>> = draft.statements.all(name).collect();
    let placed: Vec<_> = blocks.into_iter().flat_map(|block| lines(reading, block, Block::Virtual)).collect();
    for (device, span) in placed.iter().filter_map(|placed| placed.device) {
        exists(reading, draft, device, span);
    }
    placed
}

/// How many addresses one advert holds (keepalived: what fits the MTU, at most the 255 that the count can say).
fn capacity(link: Link, (version, family): (Version, Family)) -> usize {
    let (header, size) = match family {
        Family::V4 => (20, 4),
        Family::V6 => (40, 16),
    };
    let authentication = if version == Version::V2 && family == Family::V4 { 8 } else { 0 };
    let room = link.mtu().saturating_sub(header + 8 + authentication) / size;
    usize::try_from(room).unwrap_or(usize::MAX).min(255)
}

/// Advertised and excluded addresses, those that do not fit moved from the first to the second.
pub(super) fn fit(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    mut advertised: Vec<AddressLine<'_>>,
    excluded: Vec<AddressLine<'_>>,
    link: Link,
    protocol: (Version, Family),
) -> (Vec<VirtualAddress>, Vec<VirtualAddress>) {
    let capacity = capacity(link, protocol);
    let beyond = advertised.split_off(capacity.min(advertised.len()));
    if let Some(first) = beyond.first() {
        let message = format!(
            "instance {}: an advert has room for {capacity} addresses; {} are not advertised, from here on",
            draft.name,
            beyond.len()
        );
        reading.report(Finding::at(&rule::TOO_MANY_ADDRESSES, first.span, message));
    }
    let bare = |placed: AddressLine<'_>| placed.address;
    (advertised.into_iter().map(bare).collect(), excluded.into_iter().chain(beyond).map(bare).collect())
}

/// Whether there are addresses, and the first one is fit for strict mode.
pub(super) fn check(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    addresses: &[VirtualAddress],
    version: Version,
    strict: bool,
) {
    let Some(first) = addresses.first() else {
        if draft.statements.has("no_virtual_ipaddress") && !strict {
            return;
        }
        let (rule, message) = if strict || version == Version::V3 {
            (&rule::NO_ADDRESS_FATAL, "at least one virtual_ipaddress is required")
        } else if draft.statements.all("virtual_ipaddress").any(|block| block.children().next().is_some()) {
            // what is wrong with the lines that are there has been said
            return;
        } else {
            (&rule::NO_ADDRESS, "without virtual_ipaddress nothing moves")
        };
        return draft.missing(reading, rule, "virtual_ipaddress", message);
    };
    let is_link_local = match first.address {
        std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
        std::net::IpAddr::V4(_) => true,
    };
    if strict && !is_link_local {
        draft.report(
            reading,
            &rule::STRICT_LINK_LOCAL,
            "virtual_ipaddress",
            "the first IPv6 address should be link-local",
        );
    }
}
