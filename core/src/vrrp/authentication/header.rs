//! The IPsec authentication header of version 2 over IPv4 (`auth_type AH`; RFC 2338 §5.3.6.3, RFC 2402, RFC 2403), as
//! keepalived fills it: the SPI is the source address, and the sequence number follows what the router hears.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;

use super::super::ipv4;
use super::super::types::Password;

/// IP protocol number (RFC 2402).
pub const PROTOCOL_AH: u8 = 51;
/// Octets of the header.
pub const LENGTH: usize = 24;
/// Length in words of 32 bits, less two (RFC 2402 §2.2).
const PAYLOAD_LENGTH: u8 = 4;
/// Octets of the digest that are sent (RFC 2403 §2).
const DIGEST_LENGTH: usize = 12;
/// Where the digest stands.
const DIGEST_AT: usize = LENGTH - DIGEST_LENGTH;
/// The last number that is used: then the master falls silent, and the next one begins at 1 (keepalived).
const LAST: u32 = 0xffff_fffd;

/// Sequence numbers of a router: it goes on where it heard others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counter {
    last: u32,
}

impl Counter {
    /// The number of the next advert; `None` if there is none left.
    pub const fn next(&mut self) -> Option<u32> {
        if self.last > LAST {
            return None;
        }
        self.last += 1;
        Some(self.last)
    }

    /// Begins at 1 if all were used.
    pub const fn restart(&mut self) {
        if self.last > LAST {
            self.last = 0;
        }
    }

    /// Notes a number; false if it does not grow.
    pub const fn hear(&mut self, sequence: u32) -> bool {
        let grows = sequence > self.last;
        if grows {
            self.last = sequence;
        }
        grows
    }
}

/// The header of a received packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received<'a> {
    /// The IP header, with its options.
    pub ip: &'a [u8],
    /// The authentication header.
    pub octets: &'a [u8; LENGTH],
}

impl Received<'_> {
    /// The sequence number.
    pub const fn sequence(&self) -> u32 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.octets;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether it carries VRRP and its digest is that of `password` over `message`. `unicast`: the TTL may change on
    /// the way.
    pub fn is_genuine(&self, password: Password, message: &[u8], unicast: bool) -> bool {
        // before the digest: forged packets cost less
        let [next, ..] = self.octets;
        let (spi, source) = (self.octets.get(4..8), self.ip.get(12..16));
        if *next != ipv4::PROTOCOL_VRRP || spi != source {
            return false;
        }
        let digest = self.octets.get(DIGEST_AT..).unwrap_or_default();
        let mac = digest_of(password, self.ip, self.octets, message, unicast);
        mac.verify_truncated_left(digest).is_ok()
    }
}

/// Appends a header without its digest.
pub fn encode(out: &mut Vec<u8>, source: std::net::Ipv4Addr, sequence: u32) {
    out.extend([ipv4::PROTOCOL_VRRP, PAYLOAD_LENGTH, 0, 0]);
    out.extend(source.octets());
    out.extend(sequence.to_be_bytes());
    out.extend([0; DIGEST_LENGTH]);
}

/// Fills in the digest of `packet`: an IP header without options, the authentication header and the message.
pub fn seal(packet: &mut [u8], password: Password, unicast: bool) {
    let Some((ip, rest)) = packet.split_at_mut_checked(ipv4::HEADER_LENGTH) else { return };
    let Some((header, message)) = rest.split_first_chunk_mut::<LENGTH>() else { return };
    let digest = digest_of(password, ip, header, message, unicast).finalize().into_bytes();
    for (to, from) in header.iter_mut().skip(DIGEST_AT).zip(digest) {
        *to = from;
    }
}

/// The digest over the packet with what changes on the way as zero: type of service, fragment, checksum and, in
/// unicast, TTL of the IP header; and the digest itself.
fn digest_of(password: Password, ip: &[u8], header: &[u8; LENGTH], message: &[u8], unicast: bool) -> Hmac<Md5> {
    let changes = |at: usize| matches!(at, 1 | 6 | 7 | 10 | 11) || (at == 8 && unicast);
    let ip: Vec<u8> = ip.iter().enumerate().map(|(at, octet)| if changes(at) { 0 } else { *octet }).collect();
    let mut mac = Hmac::<Md5>::new(&key(password));
    mac.update(&ip);
    mac.update(header.get(..DIGEST_AT).unwrap_or_default());
    mac.update(&[0; DIGEST_LENGTH]);
    mac.update(message);
    mac
}

/// The key is the password padded to the block of MD5, which is what HMAC makes of a short key anyway.
fn key(password: Password) -> hmac::digest::Key<Hmac<Md5>> {
    let mut key = hmac::digest::Key::<Hmac<Md5>>::default();
    for (to, from) in key.iter_mut().zip(password.octets()) {
        *to = *from;
    }
    key
}

#[cfg(test)]
mod tests;
