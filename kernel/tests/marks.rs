//! What marks packets: the tables, and what real packets get.

#![cfg(test)]

mod lab;

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use keepalived_core::balance::Protocol;
use keepalived_kernel::marks::{self, MarkedRange, Marking, Marks};

fn nft(line: &str) -> Result<String, String> {
    let done = Command::new("nft").args(line.split_whitespace()).output().expect("nftables is installed");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
}

fn must(line: &str) -> String {
    nft(line).unwrap_or_else(|error| panic!("nft {line}: {error}"))
}

fn range(protocol: Protocol, first: &str, last: &str, ports: (u16, u16), mark: u32) -> MarkedRange {
    MarkedRange { protocol, first: first.parse().unwrap(), last: last.parse().unwrap(), ports, mark }
}

fn of(ranges: &[MarkedRange]) -> Marks {
    Marks { table: "keepalived_ipvs".to_owned(), priority: -1, counters: false, ranges: ranges.to_vec() }
}

/// Which mark a datagram has that came to `to`, as a chain behind ours sees it.
fn mark_of(to: &str) -> u32 {
    let family = if to.starts_with('[') { "ip6" } else { "ip" };
    for mark in [1000, 1001, 1002] {
        must(&format!("reset counters table {family} behind"));
        UdpSocket::bind(if family == "ip" { "127.0.0.1:0" } else { "[::1]:0" }).unwrap().send_to(b"x", to).ok();
        let listed = must(&format!("list counter {family} behind marked{mark}"));
        if listed.contains("packets 1 ") {
            return mark;
        }
    }
    0
}

fn watch() {
    for family in ["ip", "ip6"] {
        must(&format!("add table {family} behind"));
        must(&format!("add chain {family} behind in {{ type filter hook input priority 0; }}"));
        for mark in [1000, 1001, 1002] {
            must(&format!("add counter {family} behind marked{mark}"));
            must(&format!("add rule {family} behind in meta l4proto udp meta mark {mark} counter name marked{mark}"));
        }
    }
}

#[test]
fn packets_to_a_range_get_its_mark_and_no_others() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    lab::ip("link set lo up");
    watch();
    let mut marking = Marking::open("keepalived_ipvs").unwrap();
    let ranges = [
        range(Protocol::Udp, "127.0.1.1", "127.0.1.20", (5000, 5001), 1000),
        range(Protocol::Udp, "127.0.2.1", "127.0.2.1", (0, 4999), 1001),
        range(Protocol::Udp, "127.0.2.1", "127.0.2.1", (5001, u16::MAX), 1001),
        range(Protocol::Tcp, "127.0.3.1", "127.0.3.1", (5000, 5000), 1002),
        range(Protocol::Udp, "::1", "::1", (53, 53), 1001),
    ];
    marking.set(&of(&ranges)).unwrap();
    for (to, mark) in [
        ("127.0.1.1:5000", 1000),
        ("127.0.1.20:5001", 1000),
        ("127.0.1.9:5000", 1000),
        ("127.0.1.9:5002", 0),
        ("127.0.1.9:4999", 0),
        ("127.0.1.21:5000", 0),
        ("127.0.1.0:5000", 0),
        ("127.0.2.1:1", 1001),
        ("127.0.2.1:65535", 1001),
        ("127.0.2.1:5000", 0),
        ("127.0.3.1:5000", 0),
        ("[::1]:53", 1001),
        ("[::1]:54", 0),
    ] {
        assert_eq!(mark_of(to), mark, "{to}");
    }
    // another wish replaces all of it
    marking.set(&of(&ranges[1..2])).unwrap();
    assert_eq!((mark_of("127.0.1.1:5000"), mark_of("127.0.2.1:1"), mark_of("[::1]:53")), (0, 1001, 0));
    assert!(nft("list table ip6 keepalived_ipvs").is_err(), "nothing of IPv6");
    marking.set(&of(&[])).unwrap();
    assert!(nft("list table ip keepalived_ipvs").is_err());
    marking.set(&of(&ranges)).unwrap();
    marks::remove("keepalived_ipvs").unwrap();
    let left = must("list tables");
    assert!(!left.contains("keepalived"), "{left}");
    marks::remove("keepalived_ipvs").unwrap();
}

/// The names, the hook, the priority, the expressions and the types are those of keepalived 2.4.3 (check_nftables.c). nft leaves out what
/// `tcp dport` says by itself.
#[test]
fn nft_shows_the_table_that_keepalived_makes() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut marking = Marking::open("keepalived_ipvs").unwrap();
    let ranges = [
        range(Protocol::Tcp, "192.0.2.1", "192.0.2.254", (80, 80), 1000),
        range(Protocol::Tcp, "192.0.2.1", "192.0.2.254", (443, 443), 1000),
        range(Protocol::Udp, "192.0.2.1", "192.0.2.1", (53, 53), 1001),
        range(Protocol::Sctp, "2001:db8::1", "2001:db8::1", (0, u16::MAX), 1002),
    ];
    marking.set(&of(&ranges)).unwrap();
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let v4 = lines(&must("-nn list table ip keepalived_ipvs"));
    for line in [
        "map tcp_map {",
        "map udp_map {",
        "type ipv4_addr . inet_service : mark",
        "flags interval",
        "chain in {",
        "type filter hook input priority -1; policy accept;",
        "meta mark set ip daddr . tcp dport map @tcp_map counter packets 0 bytes 0 return",
        "meta mark set ip daddr . udp dport map @udp_map counter packets 0 bytes 0 return",
    ] {
        assert!(v4.iter().any(|there| there == line), "{line}: {v4:#?}");
    }
    let elements = v4.join(" ");
    for element in [
        "192.0.2.1-192.0.2.254 . 80 : 0x000003e8",
        "192.0.2.1-192.0.2.254 . 443 : 0x000003e8",
        "192.0.2.1 . 53 : 0x000003e9",
    ] {
        assert!(elements.contains(element), "{element}: {v4:#?}");
    }
    let v6 = lines(&must("-nn list table ip6 keepalived_ipvs"));
    for line in [
        "type ipv6_addr . inet_service : mark",
        "meta mark set ip6 daddr . sctp dport map @sctp_map counter packets 0 bytes 0 return",
    ] {
        assert!(v6.iter().any(|there| there == line), "{line}: {v6:#?}");
    }
    marking.set(&Marks { counters: true, ..of(&ranges) }).unwrap();
    let counted = must("-nn list map ip keepalived_ipvs tcp_map");
    assert!(counted.contains("counter"), "{counted}");
}

#[test]
fn what_others_take_away_is_told_and_what_we_do_is_not() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut marking = Marking::open("keepalived_ipvs").unwrap();
    let ranges = [
        range(Protocol::Tcp, "192.0.2.1", "192.0.2.254", (80, 80), 1000),
        range(Protocol::Tcp, "2001:db8::1", "2001:db8::1", (80, 80), 1000),
    ];
    let told = |marking: &mut Marking| {
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if marking.was_disturbed() {
                return true;
            }
        }
        false
    };
    marking.set(&of(&ranges)).unwrap();
    marking.set(&of(&ranges)).unwrap();
    // what the kernel had to tell of our own transactions is there when they return
    assert!(!marking.was_disturbed());
    for line in [
        "flush map ip keepalived_ipvs tcp_map",
        "flush chain ip keepalived_ipvs in",
        "delete table ip6 keepalived_ipvs",
        "flush ruleset",
    ] {
        must(line);
        assert!(told(&mut marking), "{line}");
        marking.set(&of(&ranges)).unwrap();
        assert!(!marking.was_disturbed(), "after {line}");
    }
    must("add table ip other");
    must("delete table ip other");
    assert!(!marking.was_disturbed());
    marking.set(&of(&ranges[..1])).unwrap();
    marking.set(&of(&[])).unwrap();
    assert!(!marking.was_disturbed());
}

/// A prefix of IPv6 with 65536 addresses and all of a /16 network are a handful of elements.
#[test]
fn large_ranges_are_few_elements() {
    let Some(_namespace) = lab::fresh_namespace() else { return };
    let mut marking = Marking::open("keepalived_ipvs").unwrap();
    let many = (0..2_000).map(|number: u32| {
        let [_, _, high, low] = (number * 2).to_be_bytes();
        range(Protocol::Tcp, &format!("10.{high}.{low}.0"), &format!("10.{high}.{low}.255"), (80, 80), 1000 + number)
    });
    let mut ranges: Vec<MarkedRange> = many.collect();
    ranges.push(range(Protocol::Tcp, "2001:db8::", "2001:db8::ffff", (80, 80), 999));
    marking.set(&of(&ranges)).unwrap();
    let listed = must("-nn list map ip keepalived_ipvs tcp_map");
    assert_eq!(listed.matches(" . 80 : ").count(), 2_000);
}
