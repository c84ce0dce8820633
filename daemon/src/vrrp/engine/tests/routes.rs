//! Routes and rules of instances, and what is static.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use keepalived_config::plan;
use keepalived_core::network::route::{Encapsulation, Tunnel, kind};
use keepalived_core::network::rule::Action;
use keepalived_core::network::{Hop, Placement, Prefix, Route, RouteKey, Rule};
use keepalived_core::vrrp::{Family, Fault, State};
use keepalived_kernel::fake::FakeNetwork;
use keepalived_kernel::network::Refused;
use keepalived_state::VrrpView;

use super::rig::{ETH0, ETH1, MILLI, Rig, Slow, VIP, configuration, instance, ip, machine, one, plain};
use crate::vrrp::lifetime::AtExit;
use crate::vrrp::report::Report;

/// Instance A with [`VIP`], these routes and these rules.
fn with(routes: &str, rules: &str) -> String {
    instance(
        "A",
        51,
        &format!(
            "virtual_ipaddress {{\n 192.0.2.100/24\n }}\n virtual_routes {{\n {routes}\n }}\n virtual_rules {{\n {rules}\n }}"
        ),
    )
}

const ROUTE: &str = "10.0.0.0/8 via 192.0.2.254 dev eth0";
const RULE: &str = "from 10.0.0.0/8 table 5 preference 100";

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

fn master_with(routes: &str, rules: &str) -> Rig {
    let mut rig = Rig::new(&with(routes, rules));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig
}

fn routes(rig: &mut Rig) -> Vec<String> {
    rig.network().routes().map(|route| route.key().to_string()).collect()
}

fn rules(rig: &mut Rig) -> Vec<String> {
    rig.network().rules().map(ToString::to_string).collect()
}

/// Destination or preference of all that is there.
fn there(rig: &mut Rig) -> Vec<String> {
    let routes = routes(rig).into_iter().map(|route| route.split(' ').next().unwrap_or_default().to_owned());
    let routes: Vec<String> = routes.collect();
    routes.into_iter().chain(rules(rig)).collect()
}

/// The first route and the first rule that are there.
fn first(rig: &mut Rig) -> (RouteKey, Rule) {
    let route = rig.network().routes().next().unwrap().key();
    (route, *rig.network().rules().next().unwrap())
}

fn says(rig: &Rig, text: &str) -> bool {
    rig.reports.iter().any(|report| report.to_string().contains(text))
}

#[test]
fn routes_and_rules_are_there_while_it_is_master() {
    let mut rig = Rig::new(&with(ROUTE, RULE));
    assert!(there(&mut rig).is_empty());
    rig.pass(Duration::from_secs(4));
    assert_eq!(routes(&mut rig), ["10.0.0.0/8 via 192.0.2.254"]);
    assert_eq!(rules(&mut rig), ["100: from 10.0.0.0/8 lookup 5"]);
    rig.hear(&one(200), 200);
    assert_eq!((rig.state("A"), there(&mut rig)), (State::Backup, vec![]));
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), there(&mut rig).len()), (State::Master, 2));
    rig.stop(AtExit::Release);
    assert!(there(&mut rig).is_empty());
}

#[test]
fn options_of_a_route_reach_the_kernel() {
    let plain = |destination: &str| {
        let hop = Hop { gateway: Some(ip("192.0.2.254")), link: Some(ETH0), ..Hop::default() };
        Route::plain(prefix(destination), hop)
    };
    let on_link = |destination: &str| Route {
        hops: vec![Hop { link: Some(ETH0), ..Hop::default() }],
        scope: 0,
        ..plain(destination)
    };
    let nowhere = |kind| Route { kind, hops: Vec::new(), scope: 0, ..plain("10.0.0.0/8") };
    let through = |encapsulation| {
        let mut route = plain("10.0.0.0/8");
        route.hops[0].encapsulation = Some(encapsulation);
        route
    };
    let metrics = |metrics: &[(u16, u32)]| Route { metrics: metrics.iter().copied().collect(), ..plain("10.0.0.0/8") };
    let tunnel = Tunnel {
        id: 7,
        destination: Some(ip("198.51.100.1")),
        source: Some(ip("198.51.100.2")),
        tos: 4,
        ttl: 64,
        flags: 1,
    };
    let v6 = |more: fn(&mut Route)| {
        let hop = Hop { gateway: Some(ip("fe80::254")), link: Some(ETH0), ..Hop::default() };
        let mut route = Route::plain(prefix("2001:db8:1::/48"), hop);
        more(&mut route);
        route
    };
    let hops = |hops: Vec<Hop>| Route { hops, ..plain("10.0.0.0/8") };
    let by = |gateway: &str| Hop { gateway: Some(ip(gateway)), link: Some(ETH0), ..Hop::default() };
    for (line, expected) in [
        ("10.0.0.0/8 via 192.0.2.254 dev eth0", plain("10.0.0.0/8")),
        ("to unicast 10.0.0.0/8 gw 192.0.2.254 oif eth0", plain("10.0.0.0/8")),
        // the kernel finds the link
        ("10.0.0.0/8 via 192.0.2.254", plain("10.0.0.0/8")),
        ("10.0.0.0/8 dev eth0", on_link("10.0.0.0/8")),
        ("inet to 10.0.0.0/8 dev eth0", on_link("10.0.0.0/8")),
        ("default via 192.0.2.254 dev eth0", plain("0.0.0.0/0")),
        ("blackhole 10.0.0.0/8", nowhere(kind::BLACKHOLE)),
        ("unreachable 10.0.0.0/8", nowhere(kind::UNREACHABLE)),
        ("prohibit 10.0.0.0/8", nowhere(kind::PROHIBIT)),
        ("throw 10.0.0.0/8", nowhere(kind::THROW)),
        (
            "local 10.0.0.0/8 dev eth0 table 1000",
            Route { kind: kind::LOCAL, scope: 254, table: 1000, ..on_link("10.0.0.0/8") },
        ),
        ("broadcast 10.0.0.0/8 dev eth0", Route { kind: kind::BROADCAST, scope: 253, ..on_link("10.0.0.0/8") }),
        ("10.0.0.0/8 via 192.0.2.254 dev eth0 src 192.0.2.100", Route { source: Some(ip(VIP)), ..plain("10.0.0.0/8") }),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 tos 0x10 table 7 metric 9",
            Route { tos: 16, table: 7, metric: 9, ..plain("10.0.0.0/8") },
        ),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 dsfield 8 priority 9",
            Route { tos: 8, metric: 9, ..plain("10.0.0.0/8") },
        ),
        ("10.0.0.0/8 via 192.0.2.254 dev eth0 preference 9", Route { metric: 9, ..plain("10.0.0.0/8") }),
        ("10.0.0.0/8 via 192.0.2.254 dev eth0 protocol 4 no_track", Route { protocol: 4, ..plain("10.0.0.0/8") }),
        ("10.0.0.0/8 dev eth0 scope host", Route { scope: 254, ..on_link("10.0.0.0/8") }),
        ("10.0.0.0/8 via 198.18.0.1 dev eth0 onlink", hops(vec![Hop { onlink: true, ..by("198.18.0.1") }])),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 realms 3/4",
            hops(vec![Hop { realms: Some(0x0003_0004), ..by("192.0.2.254") }]),
        ),
        ("10.0.0.0/8 via 192.0.2.254 dev eth0 encap mpls 100/200", through(Encapsulation::Mpls(vec![100, 200]))),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 encap ip id 7 dst 198.51.100.1 src 198.51.100.2 tos 4 ttl 64 flags 1",
            through(Encapsulation::Ip(tunnel)),
        ),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 encap ip6 dst 2001:db8::1 tc 4 hoplimit 9",
            through(Encapsulation::Ip6(Tunnel {
                destination: Some(ip("2001:db8::1")),
                tos: 4,
                ttl: 9,
                ..Tunnel::default()
            })),
        ),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 encap ila 2001:db8:0:1",
            through(Encapsulation::Ila(0x2001_0db8_0000_0001)),
        ),
        // RTAX_*: lock 1, mtu 2, advmss 8, reordering 9, cwnd 7, ssthresh 6
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 mtu lock 1400 advmss 1360",
            metrics(&[(1, 1 << 2), (2, 1400), (8, 1360)]),
        ),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 reordering 5 cwnd lock 6 ssthresh 7 window 8",
            metrics(&[(1, 1 << 7), (9, 5), (7, 6), (6, 7), (3, 8)]),
        ),
        // iproute2: rtt in eighths, rttvar in quarters of a millisecond
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 rtt 300ms rttvar 300ms rto_min lock 300ms",
            metrics(&[(1, 1 << 13), (4, 2400), (5, 1200), (13, 300)]),
        ),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 hoplimit 10 initcwnd 11 initrwnd 12 features ecn quickack 1 fastopen_no_cookie 1",
            metrics(&[(10, 10), (11, 11), (14, 12), (12, 1), (15, 1), (17, 1)]),
        ),
        (
            "10.0.0.0/8 via 192.0.2.254 dev eth0 congctl lock reno",
            Route { congestion_control: Some("reno".into()), ..metrics(&[(1, 1 << 16)]) },
        ),
        (
            "10.0.0.0/8 nexthop via 192.0.2.253 dev eth0 weight 3 nexthop via 192.0.2.254 dev eth0",
            hops(vec![Hop { hops: 2, ..by("192.0.2.253") }, by("192.0.2.254")]),
        ),
        ("10.0.0.0/8 via 192.0.2.253 or 192.0.2.254", hops(vec![by("192.0.2.253"), by("192.0.2.254")])),
        ("2001:db8:1::/48 via fe80::254 dev eth0", v6(|_| {})),
        ("inet6 to 2001:db8:1::/48 via inet6 fe80::254 dev eth0 pref high", v6(|route| route.preference = 1)),
        ("2001:db8:1::/48 via fe80::254 dev eth0 expires 100", v6(|route| route.expires = Some(100))),
        (
            "2001:db8:1::/48 from 2001:db8:2::/48 via fe80::254 dev eth0 metric 5",
            v6(|route| {
                route.from = Some(prefix("2001:db8:2::/48"));
                route.metric = 5;
            }),
        ),
    ] {
        let mut rig = master_with(line, "");
        assert!(!says(&rig, "does not take"), "{line}: {:?}", rig.reports);
        let found: Vec<Route> = rig.network().routes().cloned().collect();
        assert_eq!(found, [expected], "{line}");
    }
}

#[test]
fn what_a_route_asks_of_its_place_is_asked() {
    for (line, placement) in [("add", Placement::Add), ("prepend", Placement::Prepend), ("append", Placement::Append)] {
        let config = configuration(&with(&format!("{ROUTE} {line} ttl-propagate disabled"), ""));
        let route = crate::vrrp::lower::route(&config.instances[0].routes[0], &|_| Some((ETH0, None)), &[]).unwrap();
        assert_eq!((route.placement, route.ttl_propagate), (placement, Some(false)));
    }
}

#[test]
fn a_route_in_a_vrf_is_in_its_table() {
    let mut network = machine();
    let mut vrf = FakeNetwork::ethernet(9, "red").unwrap();
    vrf.vrf = Some(1001);
    network.set_link(vrf);
    let mut rig =
        Rig::on(network, &with("10.0.0.0/8 via 192.0.2.254 dev eth0 vrf red\n 10.1.0.0/16 dev eth0 vrf eth1", ""));
    rig.pass(Duration::from_secs(4));
    assert_eq!(routes(&mut rig), ["10.0.0.0/8 via 192.0.2.254 table 1001"]);
    assert!(says(&rig, "there is no interface eth1"), "it is no VRF");
}

#[test]
fn options_of_a_rule_reach_the_kernel() {
    let plain = Rule::plain(Family::V4, 100, Action::Table(5));
    let eth0 = keepalived_core::address::InterfaceName::new(b"eth0");
    for (line, expected) in [
        (
            "from 10.0.0.0/8 to 198.51.100.7 table 5",
            Rule { from: Some(prefix("10.0.0.0/8")), to: Some(prefix("198.51.100.7/32")), ..plain },
        ),
        ("from all lookup 5", plain),
        (
            "not from 10.0.0.0/8 table 100000",
            Rule { inverted: true, from: Some(prefix("10.0.0.0/8")), action: Action::Table(100_000), ..plain },
        ),
        ("iif eth0 table 5", Rule { input: eth0, ..plain }),
        ("dev eth0 table 5", Rule { input: eth0, ..plain }),
        ("oif eth0 table 5", Rule { output: eth0, ..plain }),
        ("tos 0x10 table 5", Rule { tos: 16, ..plain }),
        ("fwmark 0x10 table 5", Rule { mark: Some((16, u32::MAX)), ..plain }),
        ("fwmark 1/0xff table 5", Rule { mark: Some((1, 255)), ..plain }),
        ("from all table 5 realms 3/4", Rule { realms: Some(0x0003_0004), ..plain }),
        (
            "from all table 5 suppress_prefixlength 0 suppress_ifgroup 3",
            Rule { suppress_prefix_length: Some(0), suppress_group: Some(3), ..plain },
        ),
        ("tunnel-id 9 table 5", Rule { tunnel_id: Some(9), ..plain }),
        ("uidrange 1000-1999 table 5", Rule { users: Some((1000, 1999)), ..plain }),
        (
            "ipproto tcp sport 1024-65535 dport 80-80 table 5",
            Rule {
                ip_protocol: Some(6),
                source_ports: Some((1024, 65_535)),
                destination_ports: Some((80, 80)),
                ..plain
            },
        ),
        ("iif eth0 l3mdev", Rule { input: eth0, action: Action::L3mdev, ..plain }),
        ("from all goto 200", Rule { action: Action::Goto(200), ..plain }),
        ("from all type nop", Rule { action: Action::Nop, ..plain }),
        ("from all blackhole", Rule { action: Action::Blackhole, ..plain }),
        ("from all type unreachable", Rule { action: Action::Unreachable, ..plain }),
        ("from all prohibit", Rule { action: Action::Prohibit, ..plain }),
        // keepalived, observed: a rule that is not tracked bears no mark
        ("from all table 5 no_track", Rule { protocol: 0, ..plain }),
        ("from all table 5 protocol 4 no_track", Rule { protocol: 4, ..plain }),
        ("from 2001:db8::/32 table 5", Rule { family: Family::V6, from: Some(prefix("2001:db8::/32")), ..plain }),
    ] {
        let mut rig = master_with("", &format!("{line} preference 100"));
        let found: Vec<Rule> = rig.network().rules().copied().collect();
        assert_eq!(found, [expected], "{line}");
    }
}

#[test]
fn what_somebody_removes_is_put_back() {
    let mut rig = master_with(ROUTE, RULE);
    let (route, rule) = first(&mut rig);
    rig.network().remove_route(&route);
    rig.network().remove_rule(&rule);
    rig.settle();
    assert_eq!((rig.state("A"), there(&mut rig).len()), (State::Master, 2));
    assert!(says(&rig, "(A) another program removed route 10.0.0.0/8 via 192.0.2.254"));
    assert!(says(&rig, "(A) another program removed rule 100: from 10.0.0.0/8 lookup 5"));
}

// keepalived, observed: a no_track route that was deleted is not restored
#[test]
fn what_is_not_tracked_stays_away_until_the_next_takeover() {
    let mut rig = master_with(&format!("{ROUTE} no_track"), "");
    let route = rig.network().routes().next().unwrap().key();
    rig.network().remove_route(&route);
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), there(&mut rig)), (State::Master, vec![]));
    rig.hear(&one(200), 200);
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), there(&mut rig).len()), (State::Master, 1));
}

// keepalived, observed: farewell, BACKUP, and back after the skew
#[test]
fn with_vip_lost_backup_the_loss_of_a_route_or_rule_is_that_of_an_address() {
    for rule in [false, true] {
        let mut rig = Rig::new(&format!("global_defs {{\n vip_lost backup\n}}\n{}", with(ROUTE, RULE)));
        rig.pass(Duration::from_secs(4));
        rig.sent(51);
        if rule {
            let rule = *rig.network().rules().next().unwrap();
            rig.network().remove_rule(&rule);
        } else {
            let route = rig.network().routes().next().unwrap().key();
            rig.network().remove_route(&route);
        }
        rig.settle();
        assert_eq!((rig.state("A"), rig.sent(51), there(&mut rig)), (State::Backup, vec![0], vec![]));
        rig.pass(Duration::from_secs(1));
        assert_eq!((rig.state("A"), there(&mut rig).len()), (State::Master, 2));
    }
}

// the kernel removes them, and does not tell of IPv4 ones
#[test]
fn routes_return_with_their_link() {
    let text = with("10.0.0.0/8 dev eth1 no_track\n 2001:db8:1::/48 dev eth1 no_track", RULE);
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(4));
    assert_eq!(there(&mut rig).len(), 3);
    rig.network().take_down(ETH1);
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), there(&mut rig)), (State::Master, vec!["100: from 10.0.0.0/8 lookup 5".to_owned()]));
    rig.network().set_running(ETH1, true);
    rig.settle();
    assert_eq!(there(&mut rig).len(), 3);
    assert!(!says(&rig, "another program") && !says(&rig, "does not take"), "{:?}", rig.reports);
}

#[test]
fn a_route_comes_when_its_interface_does() {
    let mut rig = Rig::new(&with("10.0.0.0/8 dev eth7 no_track", ""));
    rig.pass(Duration::from_secs(4));
    assert!(says(&rig, "(A) route 10.0.0.0/8 is not set: there is no interface eth7"));
    for index in [7, 8] {
        rig.network().set_link(FakeNetwork::ethernet(index, "eth7").unwrap());
        rig.settle();
        assert_eq!(there(&mut rig), ["10.0.0.0/8"]);
        rig.network().remove_link(keepalived_core::network::LinkIndex(index));
        rig.settle();
        assert!(there(&mut rig).is_empty());
    }
}

// #1719: it depended on a virtual address, which was replaced
#[test]
fn a_route_returns_with_the_virtual_address_that_is_its_source() {
    let route = format!("{ROUTE} src {VIP}\n 2001:db8:1::/48 dev eth0 src 2001:db8::100");
    let text = instance(
        "A",
        51,
        &format!(
            "virtual_ipaddress {{\n 192.0.2.100/24\n }}\n virtual_ipaddress_excluded {{\n 2001:db8::100/64\n }}\n virtual_routes {{\n {route}\n }}"
        ),
    );
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(4));
    let sources = |rig: &mut Rig| -> Vec<_> { rig.network().routes().map(|route| route.source).collect() };
    let both = vec![Some(ip(VIP)), Some(ip("2001:db8::100"))];
    assert_eq!(sources(&mut rig), both);
    rig.network().remove_address(ETH0, ip(VIP), 24);
    rig.network().remove_address(ETH0, ip("2001:db8::100"), 64);
    assert_eq!(sources(&mut rig), [None]);
    rig.settle();
    assert_eq!(sources(&mut rig), both);
    assert!(!says(&rig, "another program removed route"), "the kernel did");
    // with another prefix length the address goes, and comes again
    rig.reload(&text.replace("192.0.2.100/24", "192.0.2.100/32"));
    assert_eq!(sources(&mut rig), both);
}

#[test]
fn static_routes_stay_when_the_only_address_of_their_link_is_replaced() {
    let text = STATIC.replace(" src 10.9.0.1", "") + &one(100);
    let mut rig = Rig::new(&text);
    rig.reload(&text.replace("10.9.0.1/24", "10.9.0.2/24"));
    assert_eq!((rig.has("10.9.0.1"), rig.has("10.9.0.2"), there(&mut rig).len()), (false, true, 2));
    assert!(!says(&rig, "another program"), "{:?}", rig.reports);
}

// #1390, #1900
#[test]
fn a_reload_replaces_what_changed_and_leaves_the_rest() {
    let mut rig = master_with(&format!("{ROUTE}\n 10.1.0.0/16 dev eth0\n 10.2.0.0/16 dev eth0"), RULE);
    let (changes, _) = rig.network().work();
    rig.reload(&with(
        "10.0.0.0/8 via 192.0.2.254 dev eth0 src 192.0.2.100\n 10.1.0.0/16 dev eth0\n 10.3.0.0/16 dev eth0",
        "from 10.0.0.0/8 table 6 preference 100",
    ));
    assert_eq!(there(&mut rig), ["10.0.0.0/8", "10.1.0.0/16", "10.3.0.0/16", "100: from 10.0.0.0/8 lookup 6"]);
    assert_eq!(rig.network().routes().next().unwrap().source, Some(ip(VIP)));
    // two for each that is replaced, one that goes and one that comes
    assert_eq!(rig.network().work().0 - changes, 6);
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn what_the_kernel_refuses_is_said_and_tried_again() {
    let mut rig = Rig::on(machine(), &with(ROUTE, RULE));
    rig.network().refuse(ip("10.0.0.0"), Some(Refused { errno: 105, message: Some("no room".into()) }));
    rig.pass(Duration::from_secs(4));
    assert_eq!(there(&mut rig), ["100: from 10.0.0.0/8 lookup 5"]);
    assert!(says(&rig, "(A) the kernel does not take route 10.0.0.0/8 via 192.0.2.254: no room"));
    rig.network().refuse(ip("10.0.0.0"), None);
    rig.pass(Duration::from_secs(2));
    assert_eq!(there(&mut rig).len(), 2);
}

#[test]
fn the_next_process_takes_over_the_routes_of_a_master_and_removes_those_of_others() {
    let mut rig = master_with(ROUTE, RULE);
    for resumes in [true, false] {
        let network = rig.network().clone();
        let (changes, _) = network.work();
        let mut next = Rig::with(network, &with(ROUTE, RULE), |config| {
            plan::keyed(&config.instances).map(|(key, _)| key).filter(|_| resumes).collect::<BTreeSet<_>>()
        });
        if resumes {
            assert_eq!((next.state("A"), next.network().work().0 - changes), (State::Master, 0));
        } else {
            assert_eq!((next.state("A"), there(&mut next)), (State::Backup, vec![]));
            assert!(says(&next, "(A) route 10.0.0.0/8 via 192.0.2.254, which an earlier run left, is removed"));
        }
    }
}

/// The same as [`with`], and something static.
const STATIC: &str = "static_ipaddress {\n 10.9.0.1/24 dev eth1\n}\nstatic_routes {\n 10.0.0.0/8 via 10.9.0.254 dev eth1 src 10.9.0.1\n}\n\
                      static_rules {\n from 10.0.0.0/8 table 5 preference 100\n}\n";

#[test]
fn what_is_static_is_there_whoever_is_master() {
    let mut rig = Rig::new(&(STATIC.to_owned() + &one(100)));
    assert_eq!((rig.state("A"), rig.has("10.9.0.1"), there(&mut rig).len()), (State::Backup, true, 2));
    rig.pass(Duration::from_secs(4));
    rig.hear(&one(200), 200);
    assert_eq!((rig.state("A"), rig.has("10.9.0.1"), there(&mut rig).len()), (State::Backup, true, 2));
    // keepalived, observed: they are put back
    let (route, rule) = first(&mut rig);
    rig.network().remove_address(ETH1, ip("10.9.0.1"), 24);
    rig.settle();
    assert_eq!((rig.has("10.9.0.1"), there(&mut rig).len()), (true, 2));
    rig.network().remove_route(&route);
    rig.network().remove_rule(&rule);
    rig.settle();
    assert_eq!(there(&mut rig).len(), 2);
    assert!(says(&rig, "(static) another program removed 10.9.0.1"), "{:?}", rig.reports);
    // a reload takes away what is not in the file any more
    rig.reload(&(STATIC.replace("table 5", "table 6") + &one(100)));
    assert_eq!(rules(&mut rig), ["100: from 10.0.0.0/8 lookup 6"]);
    rig.stop(AtExit::Release);
    assert_eq!((rig.has("10.9.0.1"), there(&mut rig)), (false, vec![]));
}

#[test]
fn what_is_static_stays_if_addresses_do() {
    let mut rig = Rig::new(&(STATIC.to_owned() + &one(100)));
    rig.stop(AtExit::Keep);
    assert_eq!((rig.has("10.9.0.1"), there(&mut rig).len()), (true, 2));
    // and the next process takes it over
    let network = rig.network().clone();
    let (changes, _) = network.work();
    let mut next = Rig::on(network, &(STATIC.to_owned() + &one(100)));
    assert_eq!(next.network().work().0, changes);
    next.stop(AtExit::Release);
    assert_eq!((next.has("10.9.0.1"), there(&mut next)), (false, vec![]));
}

/// keepalived: `eth0` unless `default_interface` says another.
#[test]
fn a_static_address_without_interface_goes_on_the_default_one() {
    for (globals, link) in [("", ETH0), ("global_defs {\n default_interface eth1\n}\n", ETH1)] {
        let mut rig = Rig::new(&format!("{globals}static_ipaddress {{\n 10.9.0.1/24\n}}\n{}", one(100)));
        let there: Vec<_> = rig.network().addresses().filter(|there| there.address == ip("10.9.0.1")).collect();
        assert_eq!(there.iter().map(|there| there.link).collect::<Vec<_>>(), [link]);
    }
}

// #2719
#[test]
fn a_static_address_is_a_source_from_the_first_moment() {
    let text = STATIC.to_owned() + &one(100).replace("interface eth0", "interface eth1");
    let rig = Rig::new(&text);
    assert_eq!(rig.state("A"), State::Backup);
    let fault =
        |report: &Report| matches!(report, Report::Transition { transition, .. } if transition.to == State::Fault);
    assert!(!rig.reports.iter().any(fault), "{:?}", rig.reports);
    let view = rig.engine.view(rig.now, SystemTime::UNIX_EPOCH);
    assert_eq!(
        (view.instances[0].source, view.instances[0].faults.contains(&Fault::NoSource)),
        (Some(ip("10.9.0.1")), false)
    );
}

#[test]
fn what_is_static_follows_its_interface() {
    let mut rig = Rig::new(&(STATIC.replace("eth1", "eth7") + &one(100)));
    assert!(says(&rig, "(static) address 10.9.0.1 is not set: there is no interface eth7"));
    for index in [7, 8] {
        rig.network().set_link(FakeNetwork::ethernet(index, "eth7").unwrap());
        rig.settle();
        assert_eq!((rig.has("10.9.0.1"), there(&mut rig).len()), (true, 2));
        rig.network().remove_link(keepalived_core::network::LinkIndex(index));
        rig.settle();
        assert_eq!((rig.has("10.9.0.1"), there(&mut rig).len()), (false, 1), "the rule stays");
    }
}

#[test]
fn an_address_of_the_machine_that_is_named_as_static_stays() {
    let mut network = machine();
    network.add_address(plain(ETH1, "10.9.0.1", 24));
    // a kernel that says who set an address
    network.add_address(keepalived_core::network::Address { protocol: 1, ..plain(ETH1, "127.0.0.1", 8) });
    let mut rig = Rig::on(network, &(STATIC.to_owned() + &one(100)));
    rig.stop(AtExit::Release);
    assert_eq!((rig.has("10.9.0.1"), there(&mut rig)), (true, vec![]));
}

#[test]
fn a_route_by_another_gateway_comes_before_the_old_one_goes() {
    let many = |gateway: &str| (0..100).map(|number| format!("10.{number}.0.0/16 via {gateway}\n")).collect::<String>();
    let mut rig = master_with(&many("192.0.2.254"), "");
    rig.slow = Some(Slow::Kernel(MILLI));
    rig.engine.reload(rig.now, &configuration(&with(&many("192.0.2.253"), "")));
    let destinations = |rig: &mut Rig| there(rig).into_iter().collect::<BTreeSet<_>>().len();
    while !routes(&mut rig).iter().all(|route| route.ends_with("192.0.2.253")) {
        rig.pass(MILLI);
        assert_eq!(destinations(&mut rig), 100, "each leads somewhere at any time");
    }
    // a master that leaves in the middle
    rig.engine.reload(rig.now, &configuration(&with(&many("192.0.2.252"), "")));
    rig.pass(MILLI);
    rig.hear(&one(200), 200);
    rig.pass(Duration::from_secs(1));
    assert_eq!((rig.state("A"), there(&mut rig)), (State::Backup, vec![]));
}

// ip-route(8): `replace` would take routes of others to the same place, too, so both ways are there for a moment
#[test]
fn an_ipv6_route_by_another_gateway_comes_before_the_old_one_goes() {
    let by = |gateways: &[&str]| {
        let line = |gateway: &&str| format!("2001:db8:1::/48 via {gateway} dev eth0\n");
        with(&gateways.iter().map(line).collect::<String>(), "")
    };
    let mut rig = Rig::new(&by(&["fe80::251"]));
    rig.pass(Duration::from_secs(4));
    rig.slow = Some(Slow::Kernel(MILLI));
    for (gateways, most) in
        [(&["fe80::252"][..], 2), (&["fe80::252", "fe80::253"], 2), (&["fe80::252", "fe80::254"], 3)]
    {
        rig.engine.reload(rig.now, &configuration(&by(gateways)));
        for _ in 0..20 {
            rig.pass(MILLI);
            let there = routes(&mut rig).len();
            assert!((1..=most).contains(&there), "{gateways:?}: {there}");
        }
        let expected: Vec<String> = gateways.iter().map(|gateway| format!("2001:db8:1::/48 via {gateway}")).collect();
        assert_eq!(routes(&mut rig), expected);
        assert!(!says(&rig, "does not take") && !says(&rig, "another program"), "{:?}", rig.reports);
    }
}

/// What the view says of links, routes and rules, and what a follower of its changes has: both are the same.
fn seen(rig: &mut Rig, follower: &mut VrrpView) -> Vec<(String, bool)> {
    while rig.engine.has_changes() {
        rig.engine.changes(rig.now, SystemTime::UNIX_EPOCH, 100).changes.into_iter().for_each(|it| follower.apply(it));
    }
    let view = rig.engine.view(rig.now, SystemTime::UNIX_EPOCH).instances.remove(0);
    assert_eq!(follower.instances[0].objects, view.objects);
    view.objects.into_iter().map(|object| (format!("{} {}", object.kind.word(), object.what), object.set)).collect()
}

#[test]
fn the_view_shows_links_routes_and_rules() {
    let text = with(&format!("{ROUTE}\n 10.1.0.0/16 dev gone0"), RULE)
        .replace("virtual_ipaddress", "use_vmac\n vmac_xmit_base\n virtual_ipaddress");
    let mut rig = Rig::new(&format!("global_defs {{\n dynamic_interfaces\n}}\n{text}"));
    let mut follower = VrrpView::default();
    let all = |link, route, rule| {
        vec![
            ("link vrrp.51 on eth0".to_owned(), link),
            ("route 10.0.0.0/8 via 192.0.2.254".to_owned(), route),
            ("route 10.1.0.0/16".to_owned(), false),
            ("rule 100: from 10.0.0.0/8 lookup 5".to_owned(), rule),
        ]
    };
    assert_eq!(seen(&mut rig, &mut follower), all(true, false, false), "a backup");
    rig.pass(Duration::from_secs(4));
    assert_eq!(seen(&mut rig, &mut follower), all(true, true, true));
    let (route, _) = first(&mut rig);
    rig.network().refuse(ip("10.0.0.0"), Some(Refused { errno: 105, message: None }));
    rig.network().remove_route(&route);
    rig.pass(MILLI);
    assert_eq!(seen(&mut rig, &mut follower), all(true, false, true), "it cannot be put back");
    rig.hear(&one(200), 200);
    rig.pass(MILLI);
    assert_eq!(seen(&mut rig, &mut follower), all(true, false, false));
    let link = rig.network().link("vrrp.51").unwrap().index;
    rig.network().remove_link(link);
    rig.engine.turn(rig.now);
    rig.pass(Duration::from_secs(1));
    assert_eq!(seen(&mut rig, &mut follower), all(true, false, false), "it is made again");
}
