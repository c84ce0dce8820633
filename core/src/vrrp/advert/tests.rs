//! Vectors: adverts of Debian's keepalived 2.2.7, captured with tcpdump -xx from the IP header on.

use super::super::types::Password;
use super::*;
use crate::time::Centis;
use crate::vrrp::params::Peer;
use crate::vrrp::types::{AdvertInterval, Vrid};

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

fn params(vrid: u8, version: Version, centis: u16, addresses: &[&str]) -> Params {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let family = Family::of(addresses[0]);
    Params { addresses, ..Params::example(version) }.with(|it| {
        it.vrid = Vrid::new(vrid).unwrap();
        it.family = family;
        it.interval = AdvertInterval::new(version, Centis::new(centis)).unwrap();
    })
}

/// What we send is what was captured, the IP header checksum aside, which the kernel fills in.
fn check(params: &Params, source: IpAddr, destination: &str, captured: &str) {
    let captured: Vec<u8> = captured
        .split_whitespace()
        .flat_map(|word| [0, 2].map(|at| u8::from_str_radix(&word[at..at + 2], 16).unwrap()))
        .collect();
    // full of rubbish, to see that every octet is written
    let mut sent = vec![0xa5; 3];
    encode(&mut sent, params, 254, source, destination.parse().unwrap(), 1, Seal::None);
    let mut sent = sent.split_off(3);
    if params.settings.family == Family::V4 {
        sent[10..12].copy_from_slice(&captured[10..12]);
    }
    assert_eq!(sent, captured);
}

#[test]
fn version_2_with_a_password() {
    let authentication = Authentication::Password(Password::truncated(b"pass1234"));
    let params = Params { authentication, ..params(51, Version::V2, 100, &["10.0.0.100", "10.0.0.101"]) };
    let captured = "45c0 002c 0001 0000 ff70 d08d 0a00 0001 e000 0012 \
                    2133 fe02 0101 82c4 0a00 0064 0a00 0065 7061 7373 3132 3334";
    check(&params, SOURCE, "224.0.0.18", captured);
}

// spec: rfc3768/5.3.10: zero on transmission
#[test]
fn version_2_without_a_password_ends_with_eight_zeros() {
    let mut out = vec![0xa5; 3];
    encode(&mut out, &params(51, Version::V2, 300, &["10.0.0.100"]), 100, SOURCE, GROUP, 1, Seal::None);
    let message = &out[3 + ipv4::HEADER_LENGTH..];
    assert_eq!(message[..6], [0x21, 51, 100, 1, 0, 3]);
    assert_eq!(message[8..], [10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(Message::decode(message).is_some_and(|message| message.plain_checksum_is_right()));
}

// spec: rfc9568/5.2.6: reserved bits are written as zero, even with the longest interval
#[test]
fn the_longest_interval_leaves_the_reserved_bits_zero() {
    let mut out = Vec::new();
    encode(&mut out, &params(51, Version::V3, 4095, &["10.0.0.100"]), 100, SOURCE, GROUP, 1, Seal::None);
    assert_eq!(out[ipv4::HEADER_LENGTH + 4..ipv4::HEADER_LENGTH + 6], [0x0f, 0xff]);
}

#[test]
fn version_3_with_the_pseudo_header() {
    let captured = "45c0 0020 0001 0000 ff70 d099 0a00 0001 e000 0012 3134 fe01 0032 db99 0a00 006e";
    check(&params(52, Version::V3, 50, &["10.0.0.110"]), SOURCE, "224.0.0.18", captured);
}

// spec: rfc9568/5.2.8
#[test]
fn version_3_without_the_pseudo_header() {
    let params = params(53, Version::V3, 50, &["10.0.0.120"]).with(|it| it.checksum = ChecksumForm::Plain);
    let captured = "45c0 0020 0001 0000 ff70 d099 0a00 0001 e000 0012 3135 fe01 0032 db8e 0a00 0078";
    // keepalived 2.2.7 does not know v3_checksum_as_v2, so this one field is computed here (RFC 1071)
    let plain = !fold(sum(0, &[0x31, 0x35, 0xfe, 1, 0, 0x32, 0, 0, 10, 0, 0, 0x78]));
    let mut words: Vec<String> = captured.split_whitespace().map(str::to_owned).collect();
    words[13] = format!("{plain:04x}");
    check(&params, SOURCE, "224.0.0.18", &words.join(" "));
}

#[test]
fn version_3_unicast() {
    let peers = vec![Peer { address: "10.0.0.2".parse().unwrap(), min_ttl: 0, max_ttl: 255 }];
    let reach = Reach::Unicast { peers, ttl: 255, check_source: false };
    let params = Params { reach, ..params(54, Version::V3, 50, &["10.0.0.130"]) };
    let captured = "45c0 0020 0001 0000 ff70 a6aa 0a00 0001 0a00 0002 3136 fe01 0032 b194 0a00 0082";
    check(&params, SOURCE, "10.0.0.2", captured);
}

#[test]
fn version_3_over_ipv6() {
    let captured =
        "3137 fe02 0032 112b fe80 0000 0000 0000 0000 0000 0000 0055 2001 0db8 0000 0000 0000 0000 0000 0055";
    let params = params(55, Version::V3, 50, &["fe80::55", "2001:db8::55"]);
    check(&params, "fe80::6c36:90ff:fee7:9838".parse().unwrap(), "ff02::12", captured);
}

#[test]
fn more_addresses_than_the_count_can_say_are_left_out() {
    let mut params = params(1, Version::V3, 100, &["10.0.0.1"]);
    params.addresses = vec![SOURCE; 300];
    let mut out = Vec::new();
    encode(&mut out, &params, 1, SOURCE, GROUP, 1, Seal::None);
    assert_eq!(out.len(), 20 + 8 + 255 * 4);
    assert_eq!(out[23], 255);
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read(
        vrid in 1_u8..,
        priority: u8,
        centis in 1_u16..=4095,
        addresses in proptest::collection::vec(proptest::prelude::any::<[u8; 4]>(), 1..30),
        form in 0_usize..3,
    ) {
        let checksum = [ChecksumForm::PseudoHeader, ChecksumForm::Plain, ChecksumForm::OldUnicast][form];
        let mut params = params(vrid, Version::V3, centis, &["10.0.0.1"]).with(|it| it.checksum = checksum);
        params.addresses = addresses.iter().map(|octets| IpAddr::from(*octets)).collect();
        let destination = Ipv4Addr::new(10, 0, 0, 2);
        let mut out = Vec::new();
        encode(&mut out, &params, priority, SOURCE, IpAddr::V4(destination), 1, Seal::None);
        let message = Message::decode(&out[20..]).unwrap();
        proptest::prop_assert_eq!((message.version, message.kind, message.vrid), (3, 1, vrid));
        proptest::prop_assert_eq!((message.priority, message.centiseconds()), (priority, centis));
        proptest::prop_assert!(message.addresses(Family::V4).eq(params.addresses.iter().copied()));
        let found = message.checksum_form(Ipv4Addr::new(10, 0, 0, 1), destination, OLD_GROUP, checksum);
        proptest::prop_assert_eq!(found, Some(checksum));
    }

    #[test]
    fn any_octets_are_read_or_refused(octets: Vec<u8>) {
        if let Some(message) = Message::decode(&octets) {
            proptest::prop_assert!(message.addresses(Family::V6).count() <= 255);
            let _ = (message.authentication(Family::V4), message.auth_type(), message.plain_checksum_is_right());
        } else {
            proptest::prop_assert!(octets.len() < HEADER_LENGTH);
        }
    }
}
