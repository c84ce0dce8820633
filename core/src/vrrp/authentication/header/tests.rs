//! Expected: RFC 2402, RFC 2403, and a packet of Debian's keepalived 2.2.7, captured.

use std::net::{IpAddr, Ipv4Addr};

use super::super::super::advert;
use super::super::super::params::Params;
use super::super::super::types::Version;
use super::super::{Authentication, Seal};
use super::*;

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

fn packet(sequence: u32, password: &[u8]) -> Vec<u8> {
    let mut params = Params::example(Version::V2);
    params.authentication = Authentication::Header(Password::truncated(password));
    let mut out = Vec::new();
    advert::encode(&mut out, &params, 200, IpAddr::V4(SOURCE), GROUP, 1, Seal::Header(sequence));
    out
}

fn is_genuine(octets: &[u8], password: &[u8]) -> bool {
    ipv4::Packet::decode(octets).is_some_and(|packet| {
        let header = packet.authentication.unwrap();
        header.is_genuine(Password::truncated(password), packet.payload, false)
    })
}

#[test]
fn the_header_stands_between_ip_and_vrrp() {
    let out = packet(7, b"secret");
    assert_eq!(out.len(), 20 + 24 + 20);
    assert_eq!(out[9], 51);
    assert_eq!(u16::from_be_bytes([out[2], out[3]]), 64);
    assert_eq!(out[20..32], [112, 4, 0, 0, 192, 0, 2, 1, 0, 0, 0, 7]);
    assert_eq!(out[44 + 4], 2, "auth type of the message");
    assert_eq!(out[56..], [0; 8], "no password in the message");
}

#[test]
fn what_we_seal_is_genuine_and_nothing_else() {
    let out = packet(7, b"secret");
    assert!(is_genuine(&out, b"secret"));
    assert!(!is_genuine(&out, b"another"));
    for at in 0..out.len() {
        let mut forged = out.clone();
        forged[at] ^= 4;
        // version, header length, total length and protocol make it no packet of ours at all
        if ipv4::Packet::decode(&forged).is_some_and(|packet| packet.authentication.is_some()) {
            // what changes on the way: type of service, flags and fragment, checksum
            let may_change = matches!(at, 1 | 6 | 7 | 10 | 11);
            // no digest covers more than the header says of itself
            assert_eq!(is_genuine(&forged, b"secret"), may_change, "octet {at}");
        }
    }
}

#[test]
fn in_unicast_the_ttl_may_change() {
    let mut out = packet(7, b"secret");
    seal(&mut out, Password::truncated(b"secret"), true);
    out[8] = 12;
    let packet = ipv4::Packet::decode(&out).unwrap();
    assert!(packet.authentication.unwrap().is_genuine(Password::truncated(b"secret"), packet.payload, true));
    assert!(!packet.authentication.unwrap().is_genuine(Password::truncated(b"secret"), packet.payload, false));
}

#[test]
fn numbers_go_on_where_others_were_heard() {
    let mut counter = Counter::default();
    assert_eq!(counter.next(), Some(1));
    assert!(counter.hear(40));
    assert!(!counter.hear(40));
    assert!(!counter.hear(12));
    assert_eq!(counter.next(), Some(41));
}

#[test]
fn numbers_that_run_out_begin_anew_with_the_next_mastership() {
    let mut counter = Counter::default();
    assert!(counter.hear(0xffff_fffd));
    assert_eq!(counter.next(), Some(0xffff_fffe));
    assert_eq!(counter.next(), None);
    counter.restart();
    assert_eq!(counter.next(), Some(1));
}
