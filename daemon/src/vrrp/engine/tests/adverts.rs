//! What the configuration makes of adverts: form, source, destination, contents.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use keepalived_core::vrrp::advert::Message;
use keepalived_core::vrrp::{ChecksumForm, State};

use keepalived_kernel::fake::SentAdvert;

use super::rig::{ETH0, Rig, VIP, ip, machine, message, plain, under};

const PEERS: &str = "unicast_peer {\n 192.0.2.2\n 192.0.2.3\n }";

/// The adverts of the first four seconds and the octets of the first.
fn adverts(globals: &str, lines: &str) -> (Vec<SentAdvert>, Vec<u8>) {
    let mut rig = Rig::new(&under(globals, lines));
    rig.pass(Duration::from_secs(4));
    let sent = std::mem::take(&mut rig.packets().sent);
    let first = sent.first().map(|advert| message(advert).to_vec()).unwrap_or_default();
    (sent, first)
}

fn destination(globals: &str, lines: &str) -> IpAddr {
    adverts(globals, lines).0[0].destination
}

#[test]
fn the_multicast_group_can_be_chosen() {
    let six = "virtual_ipaddress {\n fe80::100/64\n }";
    for (globals, lines, group) in [
        ("", "", "224.0.0.18"),
        ("vrrp_mcast_group4 224.0.0.99", "", "224.0.0.99"),
        ("vrrp_mcast_group4 224.0.0.99", "mcast_dst_ip 224.0.0.77", "224.0.0.77"),
        ("", six, "ff02::12"),
        ("vrrp_mcast_group6 ff02::99", six, "ff02::99"),
    ] {
        assert_eq!(destination(globals, lines), ip(group), "{globals} {lines}");
    }
}

#[test]
fn the_source_can_be_chosen() {
    let unicast = format!("unicast_src_ip 192.0.2.7\n {PEERS}");
    for (lines, source) in [("", "192.0.2.1"), ("mcast_src_ip 192.0.2.7", "192.0.2.7"), (&unicast, "192.0.2.7")] {
        let mut network = machine();
        network.add_address(plain(ETH0, "192.0.2.7", 24));
        let mut rig = Rig::on(network, &under("", lines));
        rig.pass(Duration::from_secs(4));
        let sent = &rig.packets().sent;
        assert!(!sent.is_empty() && sent.iter().all(|advert| advert.source == ip(source)), "{lines}");
    }
}

#[test]
fn unicast_goes_to_every_peer_with_the_ttl_that_is_asked_for() {
    for (ttl, expected) in [("", 255), ("unicast_ttl 64", 64)] {
        let (sent, _) = adverts("", &format!("{PEERS}\n {ttl}"));
        let first: Vec<_> = sent.iter().take(2).map(|advert| (advert.destination, advert.hop_limit)).collect();
        assert_eq!(first, ["192.0.2.2", "192.0.2.3"].map(|peer| (ip(peer), expected)), "{ttl}");
    }
}

// version and type share the first octet: RFC 3768 §5.3.1, RFC 9568 §5.2.1
#[test]
fn the_version_can_be_chosen() {
    for (globals, lines, first, to) in [
        ("", "", 0x21, "224.0.0.18"),
        ("", "version 3", 0x31, "224.0.0.18"),
        ("vrrp_version 3", "", 0x31, "224.0.0.18"),
        ("vrrp_version 3", "version 2", 0x21, "224.0.0.18"),
        ("", "native_ipv6\n virtual_ipaddress {\n fe80::100/64\n }", 0x31, "ff02::12"),
    ] {
        let (sent, octets) = adverts(globals, lines);
        assert_eq!((octets[0], sent[0].destination), (first, ip(to)), "{globals} {lines}");
    }
}

#[test]
fn native_ipv6_needs_no_address_to_say_so() {
    let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n native_ipv6\n no_virtual_ipaddress\n}\n";
    let mut rig = Rig::new(text);
    rig.pass(Duration::from_secs(4));
    let sent = std::mem::take(&mut rig.packets().sent);
    assert_eq!((sent[0].destination, message(&sent[0])[0]), (ip("ff02::12"), 0x31));
}

#[test]
fn the_checksum_of_version_3_can_be_chosen() {
    use ChecksumForm::{OldUnicast, Plain, PseudoHeader};
    let old = format!("version 3\n {PEERS}\n old_unicast_checksum");
    let never = format!("{old} never");
    for (globals, lines, expected) in [
        ("", "version 3", PseudoHeader),
        ("", "version 3\n v3_checksum_as_v2", Plain),
        ("v3_checksum_as_v2", "version 3", Plain),
        ("v3_checksum_as_v2", "version 3\n v3_checksum_as_v2 off", PseudoHeader),
        ("", &old, OldUnicast),
        ("", &never, PseudoHeader),
    ] {
        let (sent, octets) = adverts(globals, lines);
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (sent[0].source, sent[0].destination) else {
            panic!("IPv4 only")
        };
        let group = Ipv4Addr::new(224, 0, 0, 18);
        let form = Message::decode(&octets).unwrap().checksum_form(source, destination, group, PseudoHeader);
        assert_eq!(form, Some(expected), "{globals} {lines}");
    }
}

// RFC 3768 §5.3, RFC 2338 §5.3.6 for the password, RFC 9568 §5.2.7 for centiseconds
#[test]
fn what_an_instance_is_stands_in_its_adverts() {
    let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 7\n priority 77\n advert_int 2\n \
                authentication {\n auth_type PASS\n auth_pass secret\n }\n virtual_ipaddress {\n 192.0.2.100/24\n }\n \
                virtual_ipaddress_excluded {\n 192.0.2.99/24\n }\n}\n";
    let mut rig = Rig::new(text);
    rig.pass(Duration::from_secs(8));
    let sent = std::mem::take(&mut rig.packets().sent);
    assert_eq!(sent[0].channel.link, Some(ETH0));
    let octets = message(&sent[0]);
    assert_eq!(octets[..6], [0x21, 7, 77, 1, 1, 2], "version and type, VRID, priority, one address, PASS, seconds");
    assert_eq!(octets[8..], *b"\xc0\x00\x02\x64secret\0\0");
    assert!(rig.has(VIP) && rig.has("192.0.2.99"), "what is excluded from adverts is managed all the same");

    assert_eq!(adverts("", "version 3\n advert_int 0.25").1[4..6], [0, 25]);
}

#[test]
fn an_instance_without_addresses_advertises_none() {
    let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n version 3\n no_virtual_ipaddress\n}\n";
    let mut rig = Rig::new(text);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    assert_eq!(message(&rig.packets().sent[0])[3], 0);
}
