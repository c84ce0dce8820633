//! Entries, and the ipvsadm command lines that make the same.

use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_core::balance::{
    Change, DestinationEntry, DestinationKey, Entry, Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags,
    ServiceEntry, ServiceKey, Tunnel, TunnelChecksum,
};
use keepalived_core::vrrp::Family;

use crate::contract::{nat, plain, server, service};

fn udp(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { address: address.parse().unwrap(), port, protocol: Protocol::Udp }
}

fn flags(bits: u8) -> SchedulerFlags {
    SchedulerFlags { flag_1: bits & 1 != 0, flag_2: bits & 2 != 0, flag_3: bits & 4 != 0, hashed: false }
}

fn persistent(seconds: u64, granularity: Option<Granularity>) -> ServiceEntry {
    ServiceEntry { persistence: Some(Duration::from_secs(seconds)), granularity, ..plain(Scheduler::Rr) }
}

fn through(forwarding: Forwarding) -> DestinationEntry {
    DestinationEntry { forwarding, ..nat(1) }
}

fn gue(checksum: TunnelChecksum) -> Forwarding {
    Forwarding::Tun(Tunnel::Gue { port: NonZeroU16::new(6080).unwrap(), checksum })
}

fn gre(checksum: TunnelChecksum) -> Forwarding {
    Forwarding::Tun(Tunnel::Gre { checksum })
}

const IPIP: Forwarding = Forwarding::Tun(Tunnel::Ipip);

/// Schedulers that the kernel of the lab has; `twos` came later.
fn schedulers() -> impl Iterator<Item = Scheduler> {
    Scheduler::NAMES.iter().filter(|name| **name != "twos").map(|name| Scheduler::named(name).unwrap())
}

/// Lines for ipvsadm, and what they make.
pub(crate) type Case = (Vec<String>, ServiceKey, Entry);

const MARK: u32 = u32::MAX;

/// Each with a service of its own.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut bare = |options: String, key, service| {
        cases.push((vec![options], key, Entry { service, destinations: [].into() }));
    };
    let web = service("192.0.2.1", 80);
    for scheduler in schedulers() {
        let name = scheduler.name();
        bare(format!("-A -t 192.0.2.1:80 -s {name}"), web, plain(scheduler));
        let hashes = matches!(scheduler, Scheduler::Sh | Scheduler::Mh);
        for bits in if hashes { 1..8 } else { 5..8 } {
            let names = (1..=3).filter(|n| bits & (1 << (n - 1)) != 0).map(|n| format!("flag-{n}"));
            let names = names.collect::<Vec<_>>().join(",");
            let entry = ServiceEntry { flags: flags(bits), ..plain(scheduler) };
            bare(format!("-A -t 192.0.2.1:80 -s {name} -b {names}"), web, entry);
        }
    }
    for prefix in [1, 16, 24, 31] {
        let mask = std::net::Ipv4Addr::from(u32::MAX << (32 - prefix));
        let entry = persistent(360, Some(Granularity::V4(mask)));
        bare(format!("-A -t 192.0.2.1:80 -s rr -p 360 -M {mask}"), web, entry);
    }
    bare("-A -t 192.0.2.1:80 -s rr -p 1 -M 255.255.255.255".into(), web, persistent(1, None));
    for prefix in [1, 64, 127] {
        let entry = persistent(86_400, Some(Granularity::V6(prefix)));
        bare(format!("-A -t [2001:db8::1]:80 -s rr -p 86400 -M {prefix}"), service("2001:db8::1", 80), entry);
    }
    bare("-A -t [2001:db8::1]:80 -s rr -p 50 -M 128".into(), service("2001:db8::1", 80), persistent(50, None));
    bare("-A -t 192.0.2.1:0 -s rr -p 60".into(), service("192.0.2.1", 0), persistent(60, None));
    let one_packet = ServiceEntry { one_packet: true, ..plain(Scheduler::Rr) };
    bare("-A -u 192.0.2.1:53 -s rr -o".into(), udp("192.0.2.1", 53), one_packet.clone());
    bare("-A -u [2001:db8::1]:53 -s rr -o".into(), udp("2001:db8::1", 53), one_packet.clone());
    let v4_mark = ServiceKey::Fwmark { mark: MARK, family: Family::V4 };
    let v6_mark = ServiceKey::Fwmark { mark: MARK, family: Family::V6 };
    bare(format!("-A -f {MARK} -s rr"), v4_mark, plain(Scheduler::Rr));
    bare(format!("-A -f {MARK} -s rr -o"), v4_mark, one_packet);
    bare(format!("-A -f {MARK} -6 -s rr -p 60 -M 56"), v6_mark, persistent(60, Some(Granularity::V6(56))));
    let sip = ServiceEntry { persistence_engine: Some("sip".into()), ..persistent(60, None) };
    bare("-A -u 192.0.2.1:5060 -s rr -p 60 --pe sip".into(), udp("192.0.2.1", 5060), sip);
    let sctp = ServiceKey::Address { address: "192.0.2.1".parse().unwrap(), port: 7, protocol: Protocol::Sctp };
    bare("-A --sctp-service 192.0.2.1:7 -s rr".into(), sctp, plain(Scheduler::Rr));

    let mut with = |(name, key): (&str, ServiceKey), options: &str, place, entry| {
        let lines = vec![format!("-A {name} -s rr"), format!("-a {name} {options}")];
        cases.push((lines, key, Entry { service: plain(Scheduler::Rr), destinations: [(place, entry)].into() }));
    };
    let v4 = ("-t 192.0.2.1:80", web);
    let v6 = ("-t [2001:db8::1]:80", service("2001:db8::1", 80));
    let v6_mark = format!("-f {MARK} -6");
    let v6_mark = (v6_mark.as_str(), ServiceKey::Fwmark { mark: MARK, family: Family::V6 });
    let (four, six) = (server("198.51.100.1", 80), server("2001:db8:1::1", 80));
    for (options, forwarding) in [
        ("-m", Forwarding::Nat),
        ("-g", Forwarding::Dr),
        ("-i", IPIP),
        ("-i --tun-type ipip", IPIP),
        ("-i --tun-type gue --tun-port 6080", gue(TunnelChecksum::None)),
        ("-i --tun-type gue --tun-port 6080 --tun-nocsum", gue(TunnelChecksum::None)),
        ("-i --tun-type gue --tun-port 6080 --tun-csum", gue(TunnelChecksum::Plain)),
        ("-i --tun-type gue --tun-port 6080 --tun-remcsum", gue(TunnelChecksum::Remote)),
        ("-i --tun-type gre --tun-nocsum", gre(TunnelChecksum::None)),
        ("-i --tun-type gre --tun-csum", gre(TunnelChecksum::Plain)),
    ] {
        with(v4, &format!("-r 198.51.100.1:80 {options}"), four, through(forwarding));
        with(v6, &format!("-r [2001:db8:1::1]:80 {options}"), six, through(forwarding));
        with(v6_mark, &format!("-r [2001:db8:1::1]:80 {options}"), six, through(forwarding));
        if forwarding.crosses_families() {
            with(v4, &format!("-r [2001:db8:1::1]:80 {options}"), six, through(forwarding));
            with(v6, &format!("-r 198.51.100.1:80 {options}"), four, through(forwarding));
        }
    }
    for weight in [0, 1, 70_000, 2_147_483_647] {
        with(v4, &format!("-r 198.51.100.1:8080 -m -w {weight}"), server("198.51.100.1", 8080), nat(weight));
    }
    let limited = |upper_threshold, lower_threshold| DestinationEntry { upper_threshold, lower_threshold, ..nat(1) };
    with(v4, "-r 198.51.100.1:80 -m -x 100 -y 50", four, limited(100, 50));
    with(v4, "-r 198.51.100.1:80 -m -x 100", four, limited(100, 0));
    with(v4, "-r 198.51.100.1:80 -m -x 7 -y 7", four, limited(7, 7));
    (1..).zip(cases).map(|(number, case)| apart(number, case)).collect()
}

/// The same with a service of its own.
fn apart(number: u16, (lines, key, entry): Case) -> Case {
    let [high, low] = number.to_be_bytes();
    let (v4, v6) = (format!("10.1.{high}.{low}"), format!("2001:db8:2::{number:x}"));
    let key = match key {
        ServiceKey::Address { address, port, protocol } => {
            let own = if address.is_ipv4() { &v4 } else { &v6 };
            ServiceKey::Address { address: own.parse().unwrap(), port, protocol }
        }
        ServiceKey::Fwmark { mark, family } => ServiceKey::Fwmark { mark: mark - u32::from(number), family },
    };
    let mark = |line: String| match key {
        ServiceKey::Fwmark { mark, .. } => line.replacen(&format!("-f {MARK}"), &format!("-f {mark}"), 1),
        ServiceKey::Address { .. } => line,
    };
    let line = |line: String| {
        mark(line.replacen("192.0.2.1:", &format!("{v4}:"), 1).replacen("[2001:db8::1]", &format!("[{v6}]"), 1))
    };
    (lines.into_iter().map(line).collect(), key, entry)
}

/// A service in several forms, and a server in several forms.
pub(crate) fn forms() -> (ServiceKey, Vec<ServiceEntry>, DestinationKey, Vec<DestinationEntry>) {
    let one_packet = ServiceEntry { one_packet: true, flags: flags(7), ..plain(Scheduler::Mh) };
    let sip = ServiceEntry { persistence_engine: Some("sip".into()), ..persistent(60, None) };
    let masked = persistent(9, Some(Granularity::V4([255, 255, 0, 0].into())));
    let limited = DestinationEntry { upper_threshold: 9, lower_threshold: 4, ..nat(0) };
    let forms = vec![plain(Scheduler::Rr), one_packet, sip, masked, plain(Scheduler::Wlc)];
    let servers = [
        nat(1),
        through(gue(TunnelChecksum::Remote)),
        limited,
        through(gre(TunnelChecksum::Plain)),
        through(IPIP),
        through(Forwarding::Dr),
        nat(2_147_483_647),
    ];
    (udp("192.0.2.1", 5060), forms, server("198.51.100.1", 5060), servers.to_vec())
}

/// What may be refused or kept otherwise than it was said.
pub(crate) fn doubtful() -> Vec<(Vec<Change>, &'static str)> {
    let web = service("192.0.2.1", 80);
    let six = service("2001:db8::1", 80);
    let place = server("198.51.100.1", 80);
    let add = |key, entry| vec![Change::AddService(key, entry)];
    let with =
        |place, entry| vec![Change::AddService(web, plain(Scheduler::Rr)), Change::AddDestination(web, place, entry)];
    let edited = |entry| {
        vec![
            Change::AddService(web, plain(Scheduler::Rr)),
            Change::AddDestination(web, place, nat(1)),
            Change::EditDestination(web, place, entry),
        ]
    };
    let engine = |name: &str| ServiceEntry { persistence_engine: Some(name.into()), ..persistent(9, None) };
    let thresholds = |upper_threshold, lower_threshold| DestinationEntry { upper_threshold, lower_threshold, ..nat(1) };
    let v6_mask = |prefix| persistent(9, Some(Granularity::V6(prefix)));
    vec![
        (add(web, plain(Scheduler::Rr)), "plain"),
        (add(service("192.0.2.1", 0), plain(Scheduler::Rr)), "port 0 without persistence"),
        (add(web, ServiceEntry { one_packet: true, ..plain(Scheduler::Rr) }), "one packet with TCP"),
        (add(web, engine("none-such")), "unknown engine"),
        (add(web, engine("")), "empty engine"),
        (add(web, engine("a-name-of-sixteen")), "engine with a long name"),
        (add(web, engine(&"x".repeat(70_000))), "engine with an endless name"),
        (add(web, ServiceEntry { persistence: None, ..engine("sip") }), "engine without persistence"),
        (
            add(web, ServiceEntry { flags: SchedulerFlags { hashed: true, ..flags(0) }, ..plain(Scheduler::Rr) }),
            "hashed",
        ),
        (add(web, persistent(0, None)), "no seconds"),
        (
            add(web, ServiceEntry { persistence: Some(Duration::from_millis(1900)), ..plain(Scheduler::Rr) }),
            "parts of a second",
        ),
        (
            add(web, ServiceEntry { persistence: None, ..persistent(0, Some(Granularity::V4([255, 0, 0, 0].into()))) }),
            "a mask without persistence",
        ),
        (add(web, persistent(9, Some(Granularity::V4([255; 4].into())))), "a mask of everything"),
        (add(web, persistent(9, Some(Granularity::V4([0; 4].into())))), "a mask of nothing"),
        (add(web, v6_mask(64)), "a prefix for IPv4"),
        (add(six, v6_mask(0)), "no prefix"),
        (add(six, v6_mask(128)), "a whole prefix"),
        (add(six, v6_mask(129)), "too long a prefix"),
        (with(place, nat(0x8000_0000)), "too heavy"),
        (with(place, nat(u32::MAX)), "much too heavy"),
        (with(place, thresholds(3, 4)), "thresholds the wrong way round"),
        (with(place, thresholds(0, 1)), "a lower threshold alone"),
        (with(place, thresholds(u32::MAX, u32::MAX)), "high thresholds"),
        (edited(nat(u32::MAX)), "edit: too heavy"),
        (edited(thresholds(3, 4)), "edit: thresholds the wrong way round"),
        (with(server("2001:db8::1", 80), through(Forwarding::Dr)), "other family, direct routing"),
        (with(server("198.51.100.1", 0), nat(1)), "port 0 of a server"),
        (with(server("198.51.100.1", 81), through(Forwarding::Dr)), "another port with direct routing"),
        (with(place, through(gre(TunnelChecksum::Remote))), "remote checksum with GRE"),
        (with(server("224.0.0.1", 80), nat(1)), "multicast server"),
        (with(server("255.255.255.255", 80), nat(1)), "broadcast server"),
        (with(server("0.0.0.0", 80), nat(1)), "no server"),
        (with(server("127.0.0.1", 80), nat(1)), "loopback server"),
        (
            vec![
                Change::AddService(six, plain(Scheduler::Rr)),
                Change::AddDestination(six, server("ff02::1", 80), nat(1)),
                Change::AddDestination(six, server("::", 80), nat(1)),
                Change::AddDestination(six, server("::1", 80), nat(1)),
                Change::AddDestination(six, server("fe80::1", 80), nat(1)),
            ],
            "strange IPv6 servers",
        ),
        (add(service("0.0.0.0", 80), plain(Scheduler::Rr)), "any address"),
        (add(service("224.0.0.1", 80), plain(Scheduler::Rr)), "multicast service"),
    ]
}

/// Changes of a few entries without sense or order; the same for the same seed.
pub(crate) fn senseless(seed: u64, count: usize) -> Vec<Change> {
    let mut state = seed;
    let mut below = move |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let services =
        [service("192.0.2.1", 80), service("2001:db8::1", 80), ServiceKey::Fwmark { mark: 1, family: Family::V4 }];
    let places = ["198.51.100.1", "2001:db8:1::1", "198.51.100.2"].map(|address| server(address, 80));
    (0..count)
        .map(|_| {
            let key = services[usize::try_from(below(3)).unwrap()];
            let place = places[usize::try_from(below(3)).unwrap()];
            let scheduler = [Scheduler::Rr, Scheduler::Wlc, Scheduler::Sh][usize::try_from(below(3)).unwrap()];
            let entry = DestinationEntry { weight: u32::try_from(below(5)).unwrap(), ..through(IPIP) };
            match below(12) {
                0 | 1 => Change::AddService(key, plain(scheduler)),
                2 | 3 => Change::EditService(key, plain(scheduler)),
                4 => Change::RemoveService(key),
                5..=7 => Change::AddDestination(key, place, entry),
                8..=10 => Change::EditDestination(key, place, entry),
                _ => Change::RemoveDestination(key, place),
            }
        })
        .collect()
}
