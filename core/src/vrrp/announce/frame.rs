//! Ethernet frames that tell neighbours where an address is.

use std::net::{Ipv4Addr, Ipv6Addr};

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const BROADCAST: [u8; 6] = [0xff; 6];
/// All nodes, ff02::1, as an Ethernet group (RFC 2464 §7).
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Octets of an advertisement with a target link-layer address option.
const ADVERTISEMENT_LENGTH: u16 = 32;

/// Appends a gratuitous ARP request of 42 octets: `address` as sender and target, the broadcast address as target hardware address
/// (RFC 9568 §8.1.2; keepalived, observed).
pub fn gratuitous_arp(frame: &mut Vec<u8>, mac: [u8; 6], address: Ipv4Addr) {
    frame.extend(BROADCAST);
    frame.extend(mac);
    frame.extend(ETHERTYPE_ARP);
    // Ethernet, IPv4, lengths 6 and 4, request
    frame.extend([0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(address.octets());
    frame.extend(BROADCAST);
    frame.extend(address.octets());
}

/// Whether the sender of a neighbour advertisement forwards packets (its R flag, RFC 4861 §4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Router {
    /// Forwarding is on.
    Yes,
    /// Forwarding is off.
    No,
}

/// Appends an unsolicited neighbour advertisement of 86 octets for `address`, with override and target link-layer address
/// (RFC 9568 §8.2.2, RFC 4861 §4.4).
pub fn neighbour_advertisement(frame: &mut Vec<u8>, mac: [u8; 6], address: Ipv6Addr, router: Router) {
    frame.extend(ALL_NODES_MAC);
    frame.extend(mac);
    frame.extend(ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(ADVERTISEMENT_LENGTH.to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    let flags = match router {
        Router::Yes => 0xa0,
        Router::No => 0x20,
    };
    let mut message = [0; 32];
    let body = [NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]
        .into_iter()
        .chain(address.octets())
        // target link-layer address, one unit of eight octets
        .chain([2, 1])
        .chain(mac);
    message.iter_mut().zip(body).for_each(|(to, from)| *to = from);
    let [high, low] = icmpv6_checksum(address, ALL_NODES, &message).to_be_bytes();
    let [_, _, first, second, ..] = &mut message;
    (*first, *second) = (high, low);
    frame.extend(message);
}

/// ICMPv6 checksum over the pseudo-header (RFC 4443 §2.3, RFC 8200 §8.1) and a message of at most 65,535 octets.
pub(in super::super) fn icmpv6_checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = |octets: &[u8]| -> u32 {
        octets.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, octet| word << 8 | u32::from(*octet))).sum()
    };
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut total =
        words(&source.octets()) + words(&destination.octets()) + length + u32::from(ICMPV6) + words(message);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !u16::try_from(total).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];

    // expected: RFC 826's layout filled in by hand with the values of RFC 9568 §8.1.2 and erratum 7947
    #[test]
    fn gratuitous_arp_names_the_address_twice() {
        let mut frame = Vec::new();
        gratuitous_arp(&mut frame, MAC, Ipv4Addr::new(192, 0, 2, 10));
        let expected = "ffffffffffff02000000000a0806 0001080006040001 02000000000a c000020a ffffffffffff c000020a";
        assert_eq!(hex(&frame), expected.replace(' ', ""));
    }

    // expected: fields of RFC 4861 §4.4 and 4.6.1
    #[test]
    fn neighbour_advertisement_overrides() {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
        let mut frame = Vec::new();
        neighbour_advertisement(&mut frame, MAC, address, Router::No);
        assert_eq!(frame.len(), 86);
        assert_eq!(hex(&frame[58..62]), "20000000");
        assert_eq!(hex(&frame[78..86]), "020102000000000a");
        // a sum over pseudo-header and message with its checksum gives all ones (RFC 1071)
        assert_eq!(icmpv6_checksum(address, ALL_NODES, &frame[54..]), 0);
        let mut forwarding = Vec::new();
        neighbour_advertisement(&mut forwarding, MAC, address, Router::Yes);
        assert_eq!(hex(&forwarding[58..62]), "a0000000");
        assert_eq!(icmpv6_checksum(address, ALL_NODES, &forwarding[54..]), 0);
    }

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}
