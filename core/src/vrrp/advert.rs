//! The VRRP advertisement on the wire (RFC 9568 §5.1, RFC 3768 §5.1).
//!
//! ```text
//!  0               1               2               3
//! |version| type  |     VRID      |   priority    | address count |
//! | v2: auth type | v2: seconds   |           checksum            |
//! | v3: 0 |  interval, centisec.  |
//! |                      addresses …                              |
//! |          v2 over IPv4: 8 octets of authentication data        |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::authentication::hmac::Sender;
use super::authentication::{Authentication, Seal, header, hmac};
use super::ipv4;
use super::params::{ChecksumForm, Params, Reach};
use super::types::{Family, Version};

/// The only type there is (RFC 9568 §5.2.2).
pub const TYPE_ADVERTISEMENT: u8 = 1;
/// Octets before the addresses.
pub const HEADER_LENGTH: usize = 8;
/// Octets of authentication data behind the addresses of version 2 over IPv4.
pub const AUTHENTICATION_LENGTH: usize = 8;
/// Addresses that fit the count.
pub const MOST_ADDRESSES: usize = 255;
/// What a master that leaves sends as its priority (RFC 9568 §5.2.4).
pub const FAREWELL: u8 = 0;

/// `auth_type` on the wire, version 2.
const AUTH_NONE: u8 = 0;
/// Plain-text password (RFC 2338 §5.3.6).
const AUTH_PASS: u8 = 1;
/// Authentication header (RFC 2338 §5.3.6).
const AUTH_AH: u8 = 2;

/// A received message, cut into its fields. Only its form has been judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Upper half of the first octet.
    pub version: u8,
    /// Lower half of the first octet.
    pub kind: u8,
    /// Virtual router; 0 is possible here.
    pub vrid: u8,
    /// Priority; 0 is a farewell.
    pub priority: u8,
    /// How many addresses the sender says there are.
    pub count: u8,
    /// Version 2: authentication type and interval in seconds. Version 3: four reserved bits and centiseconds.
    pub word: [u8; 2],
    /// What follows the header.
    pub body: &'a [u8],
    /// The whole message, for its checksum.
    pub octets: &'a [u8],
}

/// Version 2's authentication types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthType {
    /// 0
    None,
    /// 1: plain-text password
    Pass,
    /// 2: authentication header (RFC 2338 §5.3.6)
    Ah,
}

impl<'a> Message<'a> {
    /// Reads the eight octets that every version has; `None` if there are fewer.
    pub fn decode(octets: &'a [u8]) -> Option<Self> {
        let (header, body) = octets.split_first_chunk::<HEADER_LENGTH>()?;
        let [version_type, vrid, priority, count, word0, word1, _, _] = *header;
        Some(Self {
            version: version_type >> 4,
            kind: version_type & 0x0f,
            vrid,
            priority,
            count,
            word: [word0, word1],
            body,
            octets,
        })
    }

    /// Version 3's interval in centiseconds; the reserved bits are ignored (RFC 9568 §5.2.6).
    pub fn centiseconds(&self) -> u16 {
        u16::from_be_bytes(self.word) & 0x0fff
    }

    /// Version 2's interval in seconds.
    pub fn seconds(&self) -> u8 {
        let [_, seconds] = self.word;
        seconds
    }

    /// Version 2's authentication type; `None` if there is no such type.
    pub fn auth_type(&self) -> Option<AuthType> {
        match self.word {
            [AUTH_NONE, _] => Some(AuthType::None),
            [AUTH_PASS, _] => Some(AuthType::Pass),
            [AUTH_AH, _] => Some(AuthType::Ah),
            _ => None,
        }
    }

    /// The addresses, as many as the count says and the body holds.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        let width = address_length(family);
        self.body.chunks_exact(width).take(usize::from(self.count)).filter_map(move |octets| match family {
            Family::V4 => octets.first_chunk::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
            Family::V6 => octets.first_chunk::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets))),
        })
    }

    /// The eight octets behind the addresses; `None` if they are not all there.
    pub fn authentication(&self, family: Family) -> Option<&'a [u8; AUTHENTICATION_LENGTH]> {
        self.body.get(usize::from(self.count) * address_length(family)..)?.first_chunk()
    }

    /// Which form of checksum makes this IPv4 message right, if any does. `expected` is tried first, so that a
    /// message that several forms fit counts as what is expected.
    pub fn checksum_form(
        &self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        group: Ipv4Addr,
        expected: ChecksumForm,
    ) -> Option<ChecksumForm> {
        let message = sum(0, self.octets);
        let fits = |form: &ChecksumForm| {
            let total = match form {
                ChecksumForm::Plain => message,
                ChecksumForm::PseudoHeader => pseudo_header(message, source, destination, self.octets.len()),
                ChecksumForm::OldUnicast => pseudo_header(message, source, group, self.octets.len()),
            };
            fold(total) == 0xffff
        };
        [expected, ChecksumForm::PseudoHeader, ChecksumForm::Plain, ChecksumForm::OldUnicast].into_iter().find(fits)
    }

    /// Whether the checksum of a message over IPv6 is right: always with the pseudo-header (RFC 9568 §5.2.8, RFC 8200
    /// §8.1), in version 2 as well.
    pub fn ipv6_checksum_is_right(&self, source: Ipv6Addr, destination: Ipv6Addr) -> bool {
        fold(ipv6_pseudo_header(sum(0, self.octets), source, destination, self.octets.len())) == 0xffff
    }

    /// Whether the plain checksum is right, the only one that version 2 has.
    pub fn plain_checksum_is_right(&self) -> bool {
        fold(sum(0, self.octets)) == 0xffff
    }
}

/// Octets of an address on the wire.
pub const fn address_length(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// Octets of the message that `params` leads to.
pub fn length(params: &Params) -> usize {
    length_with(params.settings.version, params.settings.family, params.addresses.len())
}

/// Octets of a message with so many addresses.
pub fn length_with(version: Version, family: Family, addresses: usize) -> usize {
    HEADER_LENGTH + addresses.min(MOST_ADDRESSES) * address_length(family) + trailer_length(version, family)
}

/// Octets behind the addresses.
pub const fn trailer_length(version: Version, family: Family) -> usize {
    match (version, family) {
        (Version::V2, Family::V4) => AUTHENTICATION_LENGTH,
        (Version::V2, Family::V6) | (Version::V3, _) => 0,
    }
}

/// Appends the advert that a router with `params` sends from `source` to `destination`: over IPv4 the whole packet with
/// `identification`, over IPv6 the VRRP message. `seal` is for all copies of one advert.
pub fn encode(
    out: &mut Vec<u8>,
    params: &Params,
    priority: u8,
    source: IpAddr,
    destination: IpAddr,
    identification: u16,
    seal: Seal,
) {
    let packet = out.len();
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
        let (protocol, before) = match seal {
            Seal::Header(_) => (header::PROTOCOL_AH, header::LENGTH),
            Seal::None | Seal::Hmac(_) => (ipv4::PROTOCOL_VRRP, 0),
        };
        let behind = if let Seal::Hmac(_) = seal { hmac::TRAILER_LENGTH } else { 0 };
        let payload = u16::try_from(before + length(params) + behind).unwrap_or(u16::MAX);
        ipv4::encode(out, source, destination, ttl(params), identification, protocol, payload);
        if let Seal::Header(sequence) = seal {
            header::encode(out, source, sequence);
        }
    }
    let start = out.len();
    let count = u8::try_from(params.addresses.len()).unwrap_or(u8::MAX);
    out.extend([
        params.settings.version.number() << 4 | TYPE_ADVERTISEMENT,
        params.settings.vrid.get(),
        priority,
        count,
    ]);
    out.extend(word(params));
    out.extend([0, 0]);
    for address in params.addresses.iter().take(MOST_ADDRESSES) {
        match address {
            IpAddr::V4(address) => out.extend(address.octets()),
            IpAddr::V6(address) => out.extend(address.octets()),
        }
    }
    if trailer_length(params.settings.version, params.settings.family) > 0 {
        out.extend(match &params.authentication {
            Authentication::Password(password) => *password.octets(),
            Authentication::None | Authentication::Header(_) | Authentication::Hmac(_) => [0; AUTHENTICATION_LENGTH],
        });
    }
    let end = out.len();
    if let (Seal::Hmac(sequence), Authentication::Hmac(hmac)) = (seal, &params.authentication) {
        let settings = &params.settings;
        let sender =
            Sender { family: settings.family, version: settings.version.number(), vrid: settings.vrid.get(), source };
        hmac::sign(out, start, hmac, sender, sequence);
    }
    // over IPv6 the kernel has the trailer under the checksum, too
    let covered = if source.is_ipv6() { out.get(start..) } else { out.get(start..end) }.unwrap_or_default();
    let checksum = (!fold(checksummed(params, covered, source, destination))).to_be_bytes();
    if let Some(field) = out.get_mut(start + 6..start + 8) {
        field.copy_from_slice(&checksum);
    }
    if let (Seal::Header(_), Authentication::Header(password)) = (seal, &params.authentication) {
        let unicast = matches!(params.reach, Reach::Unicast { .. });
        header::seal(out.get_mut(packet..).unwrap_or_default(), *password, unicast);
    }
}

/// The sum that the checksum makes up for.
fn checksummed(params: &Params, message: &[u8], source: IpAddr, destination: IpAddr) -> u64 {
    let plain = sum(0, message);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => match (params.settings.version, params.settings.checksum) {
            (Version::V2, _) | (Version::V3, ChecksumForm::Plain) => plain,
            (Version::V3, ChecksumForm::PseudoHeader) => pseudo_header(plain, source, destination, message.len()),
            (Version::V3, ChecksumForm::OldUnicast) => pseudo_header(plain, source, OLD_GROUP, message.len()),
        },
        (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6_pseudo_header(plain, source, destination, message.len()),
        // source and destination are of one family
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => plain,
    }
}

/// The group that old releases put into the pseudo-header of unicast adverts.
pub const OLD_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// TTL or hop limit of what is sent.
pub const fn ttl(params: &Params) -> u8 {
    match params.reach {
        Reach::Multicast(_) => 255,
        Reach::Unicast { ttl, .. } => ttl,
    }
}

fn word(params: &Params) -> [u8; 2] {
    let centis = params.settings.interval.centis().count();
    match params.settings.version {
        Version::V2 => {
            let auth = match params.authentication {
                Authentication::Password(_) => AUTH_PASS,
                Authentication::Header(_) => AUTH_AH,
                Authentication::None | Authentication::Hmac(_) => AUTH_NONE,
            };
            [auth, u8::try_from(centis / 100).unwrap_or(u8::MAX)]
        }
        Version::V3 => (centis & 0x0fff).to_be_bytes(),
    }
}

/// Adds 16-bit words; an odd octet at the end counts as the upper half (RFC 1071). 64 bits hold any packet's sum.
fn sum(start: u64, octets: &[u8]) -> u64 {
    octets.chunks(2).fold(start, |total, pair| match *pair {
        [high, low] => total + u64::from(u16::from_be_bytes([high, low])),
        [high] => total + u64::from(u16::from_be_bytes([high, 0])),
        _ => total,
    })
}

fn pseudo_header(start: u64, source: Ipv4Addr, destination: Ipv4Addr, length: usize) -> u64 {
    let start = sum(start, &source.octets());
    let start = sum(start, &destination.octets());
    start + u64::from(ipv4::PROTOCOL_VRRP) + u64::try_from(length).unwrap_or(0)
}

fn ipv6_pseudo_header(start: u64, source: Ipv6Addr, destination: Ipv6Addr, length: usize) -> u64 {
    let start = sum(start, &source.octets());
    let start = sum(start, &destination.octets());
    start + u64::from(ipv4::PROTOCOL_VRRP) + u64::try_from(length).unwrap_or(0)
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
