//! Address lines. Expected values: keywords.tsv `<address line>`, and `keepalived -t` 2.2.7 as observed.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use keepalived_core::address::{Broadcast, VirtualAddress};
use support::instance;

fn line(text: &str) -> (Option<VirtualAddress>, Vec<&'static str>) {
    let (found, ids) = instance(&format!("virtual_ipaddress_excluded {{\n{text}\n}}\nno_virtual_ipaddress"));
    (found.excluded_addresses.into_iter().next(), ids)
}

fn good(text: &str) -> VirtualAddress {
    let (address, ids) = line(text);
    assert!(ids.is_empty(), "{text}: {ids:?}");
    address.unwrap()
}

fn bad(text: &str, id: &str) -> Option<VirtualAddress> {
    let (address, ids) = line(text);
    assert_eq!(ids, [id], "{text}");
    address
}

#[test]
fn a_bare_address_is_a_host() {
    assert_eq!((good("10.0.0.1").prefix, good("10.0.0.1").preferred_lifetime), (32, None));
    assert_eq!((good("fe80::1").prefix, good("fe80::1").preferred_lifetime), (128, Some(0)));
    assert_eq!((good("fe80::1/64").prefix, good("fe80::1/64").preferred_lifetime), (64, None));
    assert_eq!(good("fe80::1 preferred_lft forever").preferred_lifetime, None);
    assert_eq!(good("fe80::1/64 preferred_lft 60").preferred_lifetime, Some(60));
}

#[test]
fn every_option_is_understood() {
    let all = good(
        "10.0.0.1/24 dev eth1 brd + scope link label eth1:10 no_track home -nodad mngtmpaddr noprefixroute autojoin",
    );
    assert_eq!((all.prefix, all.device.unwrap().as_bytes()), (24, b"eth1".as_slice()));
    assert_eq!(
        (all.broadcast, all.scope, all.label.unwrap().as_bytes()),
        (Broadcast::AllOnes, 253, b"eth1:10".as_slice())
    );
    assert!(!all.tracked && all.flags.home && all.flags.run_dad && all.flags.manage_temporaries);
    assert!(all.flags.no_prefix_route && all.flags.autojoin);
    assert_eq!(good("10.0.0.1/24 broadcast 10.0.0.255").broadcast, Broadcast::Address("10.0.0.255".parse().unwrap()));
    assert_eq!(good("10.0.0.1 peer 10.0.0.2").peer, Some("10.0.0.2".parse().unwrap()));
    assert_eq!([good("10.0.0.1 scope host").scope, good("10.0.0.1 scope 7").scope], [254, 7]);
}

#[test]
fn what_is_wrong_is_said_and_left_out() {
    for text in ["10.0.0.256", "10.0.0.01", "10.0.1", "x", "10.0.0.1 peer 10.0.0.2/24", "10.0.0.1 peer fe80::1"] {
        assert_eq!(bad(text, "address-invalid"), None, "{text}");
    }
    assert_eq!(bad("10.0.0.1/33", "number-range").unwrap().prefix, 32);
    for text in [
        "10.0.0.1 lable eth0:1",
        "10.0.0.1 dev",
        "10.0.0.1 dev eth0 dev eth1",
        "10.0.0.1 dev a_very_long_interface",
        "10.0.0.1 label a_very_long_label_x",
        "10.0.0.1 scope far",
        "10.0.0.1 preferred_lft x",
        "10.0.0.1/32 brd +",
        "fe80::1 brd +",
        "fe80::1 label x",
        "fe80::1 scope link",
    ] {
        assert!(bad(text, "address-option").is_some(), "{text}");
    }
}
