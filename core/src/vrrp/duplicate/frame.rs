//! Probes for an address, and what machines say that have it: ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861, RFC 4862).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::super::announce::frame::icmpv6_checksum;

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Octets of a solicitation without options.
const SOLICITATION_LENGTH: u16 = 24;
/// Hardware type Ethernet, protocol type IPv4, lengths 6 and 4 (RFC 826).
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    pub(super) const LOWEST: Self = Self([0; 6]);
    pub(super) const HIGHEST: Self = Self([0xff; 6]);

    /// Whether a machine can have it: no group, and not all zero.
    fn is_of_a_machine(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self != Self::LOWEST
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A neighbour says that it has an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Who.
    pub holder: Mac,
}

/// Appends the frame that asks who has `address`, and changes no cache: an ARP probe, or a solicitation from `::`.
pub fn probe(frame: &mut Vec<u8>, mac: [u8; 6], address: IpAddr) {
    match address {
        IpAddr::V4(address) => arp_probe(frame, mac, address),
        IpAddr::V6(address) => solicitation(frame, mac, address),
    }
}

/// Appends an ARP probe of 42 octets: a request whose sender address is 0 (RFC 5227 §1.1, §2.1.1).
fn arp_probe(frame: &mut Vec<u8>, mac: [u8; 6], address: Ipv4Addr) {
    frame.extend([0xff; 6]);
    frame.extend(mac);
    frame.extend(ETHERTYPE_ARP);
    frame.extend(ETHERNET_IPV4);
    frame.extend([0, 1]);
    frame.extend(mac);
    frame.extend(Ipv4Addr::UNSPECIFIED.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
}

/// Appends a neighbour solicitation of 78 octets from `::` to the solicited-node group of `address` (RFC 4862 §5.4.2, RFC 4861 §4.3),
/// without options.
fn solicitation(frame: &mut Vec<u8>, mac: [u8; 6], address: Ipv6Addr) {
    // ff02::1:ffXX:XXXX, and the Ethernet group of its last four octets (RFC 4291 §2.7.1, RFC 2464 §7)
    let [.., high, middle, low] = address.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(high), u16::from_be_bytes([middle, low]));
    frame.extend([0x33, 0x33, 0xff, high, middle, low]);
    frame.extend(mac);
    frame.extend(ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(SOLICITATION_LENGTH.to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(Ipv6Addr::UNSPECIFIED.octets());
    frame.extend(group.octets());
    let mut message = [0; 24];
    let body = [NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0].into_iter().chain(address.octets());
    message.iter_mut().zip(body).for_each(|(to, from)| *to = from);
    let [high, low] = icmpv6_checksum(Ipv6Addr::UNSPECIFIED, group, &message).to_be_bytes();
    let [_, _, first, second, ..] = &mut message;
    (*first, *second) = (high, low);
    frame.extend(message);
}

/// The address that a frame of [`probe`] asks for; `None` for every other one.
pub fn probed(frame: &[u8]) -> Option<IpAddr> {
    match *frame.get(12..)?.first_chunk()? {
        ETHERTYPE_ARP => {
            let sender: [u8; 4] = *frame.get(28..)?.first_chunk()?;
            let target: [u8; 4] = *frame.get(38..)?.first_chunk()?;
            (sender == [0; 4]).then(|| Ipv4Addr::from(target).into())
        }
        ETHERTYPE_IPV6 => {
            let target: [u8; 16] = *frame.get(62..)?.first_chunk()?;
            (*frame.get(54)? == NEIGHBOUR_SOLICITATION).then(|| Ipv6Addr::from(target).into())
        }
        _ => None,
    }
}

/// Reads an ARP frame, from the Ethernet header on: its sender has the sender address, be it a request or a reply (RFC 5227 §2.4).
/// A probe of another machine claims nothing.
pub fn arp_claim(frame: &[u8]) -> Option<Claim> {
    let (ethernet, arp) = frame.split_at_checked(14)?;
    if !ethernet.ends_with(&ETHERTYPE_ARP) || !arp.starts_with(&ETHERNET_IPV4) {
        return None;
    }
    let operation: [u8; 2] = *arp.get(6..)?.first_chunk()?;
    let holder = Mac(*arp.get(8..)?.first_chunk()?);
    let address: [u8; 4] = *arp.get(14..)?.first_chunk()?;
    // the target, which has to be there
    arp.get(18..28)?;
    let counts = matches!(operation, [0, 1 | 2]) && address != [0; 4] && holder.is_of_a_machine();
    counts.then(|| Claim { address: Ipv4Addr::from(address).into(), holder })
}

/// Reads a neighbour advertisement, from the ICMPv6 header on: who has the target is in its target link-layer address option, which
/// answers to a group must have (RFC 4861 §4.4). The caller has verified the checksum and that the hop limit was 255. Solicitations
/// from `::` claim nothing: who sends them does not have the address yet, and our kernel's answer keeps it from taking it
/// (RFC 4862 §5.4.4).
pub fn advertisement_claim(message: &[u8]) -> Option<Claim> {
    /// "Target Link-Layer Address" (RFC 4861 §4.6.1), one unit of eight octets.
    const TARGET_LINK_LAYER: [u8; 2] = [2, 1];
    let [NEIGHBOUR_ADVERTISEMENT, 0, ..] = message else { return None };
    let target = Ipv6Addr::from(*message.get(8..)?.first_chunk::<16>()?);
    let mut options = message.get(24..)?;
    let holder = loop {
        let [kind, units] = *options.first_chunk()?;
        if [kind, units] == TARGET_LINK_LAYER {
            break Mac(*options.get(2..)?.first_chunk()?);
        }
        // one of no length would never end (RFC 4861 §4.6: such a packet is discarded)
        options = options.get(usize::from(units) * 8..).filter(|_| units > 0)?;
    };
    let counts = holder.is_of_a_machine() && !target.is_multicast();
    counts.then(|| Claim { address: target.into(), holder })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::announce::frame::{Router, gratuitous_arp, neighbour_advertisement};
    use proptest::prelude::*;

    const MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0a];
    const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456);

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    // expected: RFC 826's layout with the values of RFC 5227 §2.1.1
    #[test]
    fn an_arp_probe_tells_nobody_anything() {
        let mut frame = Vec::new();
        probe(&mut frame, MAC, V4.into());
        let expected = "ffffffffffff02000000000a0806 0001080006040001 02000000000a 00000000 000000000000 c000020a";
        assert_eq!(hex(&frame), expected.replace(' ', ""));
        assert_eq!((arp_claim(&frame), probed(&frame)), (None, Some(V4.into())));
    }

    // expected: fields of RFC 4861 §4.3, RFC 4862 §5.4.2, RFC 4291 §2.7.1, RFC 2464 §7
    #[test]
    fn a_solicitation_goes_from_nobody_to_the_group_of_the_address() {
        let mut frame = Vec::new();
        probe(&mut frame, MAC, V6.into());
        let expected = "3333ff123456 02000000000a 86dd 60000000 0018 3a ff 00000000000000000000000000000000 \
                        ff0200000000000000000001ff123456 8700";
        assert_eq!(hex(&frame[..56]), expected.replace(' ', ""));
        assert_eq!(hex(&frame[58..]), "00000000 20010db8000000000000000000123456".replace(' ', ""));
        // a sum over pseudo-header and message with its checksum gives all ones (RFC 1071)
        let group = Ipv6Addr::from(*frame[38..].first_chunk::<16>().unwrap());
        assert_eq!(icmpv6_checksum(Ipv6Addr::UNSPECIFIED, group, &frame[54..]), 0);
        assert_eq!((advertisement_claim(&frame[54..]), probed(&frame)), (None, Some(V6.into())));
    }

    #[test]
    fn who_announces_an_address_claims_it() {
        let mut frame = Vec::new();
        gratuitous_arp(&mut frame, MAC, V4);
        assert_eq!((arp_claim(&frame), probed(&frame)), (Some(Claim { address: V4.into(), holder: Mac(MAC) }), None));
        // a reply, and padding up to what Ethernet wants
        frame[21] = 2;
        frame.resize(60, 0);
        assert!(arp_claim(&frame).is_some());
        let mut frame = Vec::new();
        neighbour_advertisement(&mut frame, MAC, V6, Router::Yes);
        let claim = Claim { address: V6.into(), holder: Mac(MAC) };
        assert_eq!((advertisement_claim(&frame[54..]), probed(&frame)), (Some(claim), None));
        // another option before it: a nonce of RFC 3971 §5.3.2
        let mut message = frame[54..].to_vec();
        message.splice(24..24, [14, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(advertisement_claim(&message), Some(claim));
    }

    #[test]
    fn what_is_cut_off_or_cannot_be_claims_nothing() {
        let (mut arp, mut advertisement) = (Vec::new(), Vec::new());
        gratuitous_arp(&mut arp, MAC, V4);
        neighbour_advertisement(&mut advertisement, MAC, V6, Router::No);
        advertisement.drain(..54);
        for length in 0..arp.len() {
            assert_eq!(arp_claim(&arp[..length]), None, "{length}");
        }
        for length in 0..advertisement.len() {
            assert_eq!(advertisement_claim(&advertisement[..length]), None, "{length}");
        }
        // a group as sender, an operation that is none, another hardware
        for (at, octet) in [(22, 3), (21, 3), (15, 6)] {
            let mut wrong = arp.clone();
            wrong[at] = octet;
            assert_eq!(arp_claim(&wrong), None, "{at}");
        }
        // an option of no length
        advertisement[25] = 0;
        assert_eq!(advertisement_claim(&advertisement), None);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..120)) {
            arp_claim(&octets);
            advertisement_claim(&octets);
            probed(&octets);
        }
    }
}
