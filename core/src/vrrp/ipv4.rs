//! The IPv4 header in front of an advert: raw sockets hand it over, and we write it ourselves (RFC 791 §3.1).

use std::net::Ipv4Addr;

use super::authentication::header;

/// IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL_VRRP: u8 = 112;
/// Octets of a header without options.
pub const HEADER_LENGTH: usize = 20;
/// Internetwork control, as keepalived sends.
const TYPE_OF_SERVICE: u8 = 0xc0;

/// What a received header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// Time to live.
    pub ttl: u8,
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// The authentication header behind the IP header, if it has one.
    pub authentication: Option<header::Received<'a>>,
    /// The VRRP message: what follows, cut to the total length.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a header; `None` if it is not a whole IPv4 packet that carries VRRP.
    pub fn decode(octets: &'a [u8]) -> Option<Self> {
        let header = octets.first_chunk::<HEADER_LENGTH>()?;
        let [
            version_length,
            _,
            length_high,
            length_low,
            _,
            _,
            _,
            _,
            ttl,
            protocol,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = *header;
        let header_length = usize::from(version_length & 0x0f) * 4;
        let total_length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if version_length >> 4 != 4 || header_length < HEADER_LENGTH {
            return None;
        }
        let payload = octets.get(header_length..total_length)?;
        let (authentication, payload) = match protocol {
            PROTOCOL_VRRP => (None, payload),
            header::PROTOCOL_AH => {
                let (header, message) = payload.split_first_chunk()?;
                (Some(header::Received { ip: octets.get(..header_length)?, octets: header }), message)
            }
            _ => return None,
        };
        let (source, destination) = (Ipv4Addr::new(s0, s1, s2, s3), Ipv4Addr::new(d0, d1, d2, d3));
        Some(Self { ttl, source, destination, authentication, payload })
    }
}

/// Appends a header for a VRRP message of `payload_length` octets. The kernel fills in the header checksum.
pub fn encode(
    out: &mut Vec<u8>,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ttl: u8,
    identification: u16,
    protocol: u8,
    payload_length: u16,
) {
    let total = payload_length.saturating_add(20);
    out.extend([0x45, TYPE_OF_SERVICE]);
    out.extend(total.to_be_bytes());
    out.extend(identification.to_be_bytes());
    out.extend([0, 0, ttl, protocol, 0, 0]);
    out.extend(source.octets());
    out.extend(destination.octets());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

    fn packet() -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, SOURCE, GROUP, 255, 7, PROTOCOL_VRRP, 3);
        out.extend([1, 2, 3]);
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let octets = packet();
        let read = Packet::decode(&octets);
        assert_eq!(
            read,
            Some(Packet { ttl: 255, source: SOURCE, destination: GROUP, authentication: None, payload: &[1, 2, 3] })
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let octets = packet();
        for length in 0..octets.len() {
            assert_eq!(Packet::decode(&octets[..length]), None, "{length} octets");
        }
    }

    #[test]
    fn options_are_stepped_over_and_padding_is_cut() {
        let mut octets = packet();
        octets[0] = 0x46;
        octets[3] = 27;
        octets.splice(20..20, [0; 4]);
        octets.extend([0xee; 19]);
        assert_eq!(Packet::decode(&octets).map(|packet| packet.payload), Some(&[1, 2, 3][..]));
    }

    #[test]
    fn a_header_length_below_twenty_or_beyond_the_packet_is_refused() {
        for first in [0x40, 0x44, 0x4f, 0x65] {
            let mut octets = packet();
            octets[0] = first;
            assert_eq!(Packet::decode(&octets), None, "{first:#x}");
        }
    }
}
