//! What every [`Network`] promises of routes and rules.

use keepalived_core::address::InterfaceName;
use keepalived_core::network::route::{Encapsulation, Tunnel, kind};
use keepalived_core::network::rule::Action;
use keepalived_core::network::{Change, Hop, Key, LinkIndex, NetworkEvent, Object, Placement, Prefix, Route, Rule};
use keepalived_core::vrrp::Family;
use keepalived_kernel::network::Network;

use crate::{Machine, absent, must, present, wish};

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

fn by(gateway: &str, link: Option<LinkIndex>) -> Hop {
    Hop { gateway: (!gateway.is_empty()).then(|| gateway.parse().unwrap()), link, ..Hop::default() }
}

/// A route to `destination` by `gateway`, or by `link` alone.
fn plain(destination: &str, gateway: &str, link: LinkIndex) -> Route {
    Route::plain(prefix(destination), by(gateway, Some(link)))
}

/// Several of every kind that the kernel has without a module.
fn routes(link: LinkIndex) -> Vec<Route> {
    let nowhere = |destination, kind| Route { kind, hops: Vec::new(), scope: 0, ..plain(destination, "", link) };
    let several = |destination, gateways: [&str; 2]| Route {
        scope: 0,
        hops: vec![Hop { hops: 2, ..by(gateways[0], Some(link)) }, by(gateways[1], Some(link))],
        ..plain(destination, "", link)
    };
    let source = |text: &str| text.parse().ok();
    let base = plain("10.1.0.0/16", "192.0.2.254", link);
    let base6 = plain("2001:db8:1::/48", "2001:db8::254", link);
    vec![
        plain("10.0.0.0/16", "", link),
        base.clone(),
        // the kernel finds the link
        Route::plain(prefix("10.2.0.0/16"), by("192.0.2.254", None)),
        Route { metric: 7, ..base.clone() },
        Route { tos: 8, ..base.clone() },
        Route { table: 1000, ..base.clone() },
        Route { scope: 254, ..plain("10.1.0.0/16", "", link) },
        Route { hops: vec![Hop { onlink: true, ..by("198.18.0.1", Some(link)) }], ..base.clone() },
        Route { source: source("192.0.2.1"), ..plain("10.3.0.0/16", "192.0.2.254", link) },
        // mtu, rtt, initcwnd and rto_min, the first locked
        Route {
            metrics: [(1, 1 << 2), (2, 1400), (4, 2400), (11, 20), (13, 300)].into(),
            congestion_control: Some("reno".into()),
            ..plain("10.4.0.0/16", "192.0.2.254", link)
        },
        several("10.5.0.0/16", ["192.0.2.253", "192.0.2.254"]),
        Route { placement: Placement::Append, ..plain("10.6.0.0/16", "192.0.2.254", link) },
        Route { placement: Placement::Add, ..plain("10.7.0.0/16", "192.0.2.254", link) },
        nowhere("10.8.0.0/16", kind::BLACKHOLE),
        nowhere("10.8.1.0/24", kind::UNREACHABLE),
        nowhere("10.8.2.0/24", kind::PROHIBIT),
        nowhere("10.8.3.0/24", kind::THROW),
        Route { protocol: 4, ..plain("10.9.0.0/16", "192.0.2.254", link) },
        plain("0.0.0.0/0", "192.0.2.254", link),
        plain("2001:db8:2::/48", "", link),
        base6.clone(),
        Route::plain(prefix("2001:db8:3::/48"), by("2001:db8::254", None)),
        plain("2001:db8:4::/48", "fe80::254", link),
        Route { metric: 7, ..base6.clone() },
        Route { table: 1000, ..base6.clone() },
        Route { source: source("2001:db8::1"), preference: 1, ..plain("2001:db8:5::/48", "2001:db8::254", link) },
        Route { expires: Some(1000), metrics: [(2, 1400)].into(), ..plain("2001:db8:6::/48", "2001:db8::254", link) },
        several("2001:db8:7::/48", ["2001:db8::253", "2001:db8::254"]),
        nowhere("2001:db8:8::/48", kind::BLACKHOLE),
        nowhere("2001:db8:8:1::/64", kind::UNREACHABLE),
        plain("::/0", "2001:db8::254", link),
    ]
}

/// Several of every kind.
fn rules() -> Vec<Rule> {
    let mut all = Vec::new();
    for (family, from, to) in
        [(Family::V4, "192.0.2.0/24", "198.51.100.7/32"), (Family::V6, "2001:db8::/32", "2001:db8:1::7/128")]
    {
        // behind the table main: rules count when the kernel looks for a gateway
        let plain = Rule::plain(family, 40_000, Action::Table(1000));
        let (from, to) = (Some(prefix(from)), Some(prefix(to)));
        all.extend([
            plain,
            Rule { preference: 40_001, ..plain },
            Rule { from, ..plain },
            Rule { from, to, inverted: true, ..plain },
            Rule { tos: 8, ..plain },
            Rule { mark: Some((1, u32::MAX)), ..plain },
            Rule { mark: Some((0, 0xff)), ..plain },
            // the interface may be missing
            Rule { input: InterfaceName::new(b"gone0"), output: InterfaceName::new(b"red0"), ..plain },
            Rule { suppress_prefix_length: Some(0), suppress_group: Some(3), ..plain },
            Rule { tunnel_id: Some(5), ..plain },
            Rule { users: Some((1000, 1999)), ..plain },
            Rule { ip_protocol: Some(6), source_ports: Some((1024, 65_534)), ..plain },
            Rule { ip_protocol: Some(6), destination_ports: Some((80, 80)), ..plain },
            Rule { action: Action::Goto(50_000), ..plain },
            Rule { action: Action::Nop, ..plain },
            Rule { action: Action::Blackhole, ..plain },
            Rule { action: Action::Unreachable, ..plain },
            Rule { action: Action::Prohibit, ..plain },
            Rule { protocol: 0, preference: 40_002, ..plain },
        ]);
    }
    all
}

fn coming(routes: &[Route], rules: &[Rule]) -> Vec<Change> {
    let routes = routes.iter().cloned().map(Box::new).map(Object::Route);
    routes.chain(rules.iter().copied().map(Object::Rule)).map(Change::Present).collect()
}

fn going(routes: &[Route], rules: &[Rule]) -> Vec<Change> {
    let rules = rules.iter().copied().map(Key::Rule);
    rules.chain(routes.iter().map(Route::key).map(Key::Route)).map(Change::Absent).collect()
}

fn there(machine: &mut impl Machine, wish: &Route) -> Option<Route> {
    machine.network().inventory().unwrap().routes.into_iter().find(|route| route.key() == wish.key())
}

fn assert_there(machine: &mut impl Machine, routes: &[Route], rules: &[Rule]) {
    let inventory = machine.network().inventory().unwrap();
    for wish in routes.iter().filter(|wish| wish.protocol == 18) {
        let there = inventory.routes.iter().find(|route| route.key() == wish.key());
        let there = there.unwrap_or_else(|| panic!("missing: {wish:?} among {:?}", inventory.routes));
        assert!(there.fulfils(wish), "{there:?}\n is not {wish:?}");
    }
    for wish in rules.iter().filter(|wish| wish.protocol == 18) {
        assert!(inventory.rules.contains(wish), "missing: {wish:?} among {:?}", inventory.rules);
    }
    let ours = |protocol: u8| protocol == 18;
    assert!(inventory.routes.iter().all(|route| ours(route.protocol)), "others are not told of");
    assert!(inventory.rules.iter().all(|rule| ours(rule.protocol)));
}

fn refusals(machine: &mut impl Machine, routes: &[Route]) -> Vec<Option<i32>> {
    let outcome = machine.network().change(&coming(routes, &[]));
    outcome.iter().map(|outcome| outcome.as_ref().err().map(|refused| refused.errno)).collect()
}

/// All of it, on a machine whose link `red0` is up.
pub(crate) fn suite(machine: &mut impl Machine, link: LinkIndex) {
    let addresses = [wish(link, "192.0.2.1/24"), wish(link, "2001:db8::1/64")];
    must(machine, &present(&addresses));
    they_come_as_wished_and_go(machine, link);
    one_refusal_does_not_stop_the_others(machine, link);
    a_route_that_is_there_with_other_attributes_is_removed_before(machine, link);
    ipv6_routes_to_one_place_by_two_gateways_are_there_however_often_they_are_asked_for(machine, link);
    those_of_others_are_neither_told_nor_touched(machine, link);
    events_tell_what_we_and_others_do(machine, link);
    routes_go_with_their_link_and_rules_stay(machine, link);
    routes_go_with_their_source(machine, link);
    thousands_come_and_go_in_one_call(machine, link);
    must(machine, &addresses.iter().map(absent).collect::<Vec<_>>());
    while !machine.network().events(&mut Vec::new()) {}
}

fn they_come_as_wished_and_go(machine: &mut impl Machine, link: LinkIndex) {
    let (routes, rules) = (routes(link), rules());
    for _ in 0..2 {
        must(machine, &coming(&routes, &rules));
        assert_there(machine, &routes, &rules);
    }
    for _ in 0..2 {
        must(machine, &going(&routes, &rules));
        let inventory = machine.network().inventory().unwrap();
        assert_eq!((inventory.routes, inventory.rules), (vec![], vec![]));
    }
}

fn one_refusal_does_not_stop_the_others(machine: &mut impl Machine, link: LinkIndex) {
    machine.add_link("down0");
    machine.take_down("down0");
    let down = machine.link("down0").index;
    let nowhere = LinkIndex(4_000_000);
    let wishes = [
        plain("10.0.0.0/16", "", link),
        plain("10.1.0.0/16", "", nowhere),
        plain("10.2.0.0/16", "", down),
        plain("10.3.0.0/16", "198.51.100.1", link),
        plain("10.4.0.7/16", "", link),
        Route { source: "198.51.100.1".parse().ok(), ..plain("10.5.0.0/16", "", link) },
        plain("2001:db8:1::/48", "", nowhere),
        plain("2001:db8:2::/48", "", down),
        plain("2001:db8:3::/48", "2001:db8:9::1", link),
        Route { source: "2001:db8:9::1".parse().ok(), ..plain("2001:db8:4::/48", "", link) },
        plain("2001:db8:5::/48", "", link),
    ];
    let no = |errno| Some(errno);
    let expected = [
        None,
        no(libc::ENODEV),
        no(libc::ENETDOWN),
        no(libc::ENETUNREACH),
        no(libc::EINVAL),
        no(libc::EINVAL),
        no(libc::ENODEV),
        no(libc::ENETDOWN),
        no(libc::EHOSTUNREACH),
        no(libc::EINVAL),
        None,
    ];
    assert_eq!(refusals(machine, &wishes), expected);
    let come = [wishes[0].clone(), wishes[10].clone()];
    assert_there(machine, &come, &[]);
    must(machine, &going(&wishes, &[]));
    machine.remove_link("down0");
}

fn a_route_that_is_there_with_other_attributes_is_removed_before(machine: &mut impl Machine, link: LinkIndex) {
    for destination in ["10.0.0.0/16", "2001:db8:1::/48"] {
        let old = plain(destination, "", link);
        let new = Route { metrics: [(2, 1400)].into(), ..old.clone() };
        must(machine, &coming(std::slice::from_ref(&old), &[]));
        let changes = [going(std::slice::from_ref(&old), &[]), coming(std::slice::from_ref(&new), &[])].concat();
        must(machine, &changes);
        assert_there(machine, std::slice::from_ref(&new), &[]);
        must(machine, &going(&[new], &[]));
        assert_eq!(there(machine, &old), None, "there is one of it");
    }
}

// the kernel makes one route of two ways of them
fn ipv6_routes_to_one_place_by_two_gateways_are_there_however_often_they_are_asked_for(
    machine: &mut impl Machine,
    link: LinkIndex,
) {
    let both = ["2001:db8::253", "2001:db8::254"].map(|gateway| plain("2001:db8:1::/48", gateway, link));
    for _ in 0..2 {
        must(machine, &coming(&both, &[]));
    }
    let [first, second] = both;
    must(machine, &going(std::slice::from_ref(&first), &[]));
    assert_there(machine, std::slice::from_ref(&second), &[]);
    must(machine, &going(&[first, second.clone()], &[]));
    assert_eq!(there(machine, &second), None);
}

// a machine may have a million routes
fn those_of_others_are_neither_told_nor_touched(machine: &mut impl Machine, link: LinkIndex) {
    while !machine.network().events(&mut Vec::new()) {}
    let foreign = Route { protocol: 4, ..plain("10.0.0.0/16", "192.0.2.254", link) };
    let ours = Route { protocol: 18, ..foreign.clone() };
    machine.add_foreign_route("red0", "10.0.0.0/16", "192.0.2.254");
    must(machine, &coming(std::slice::from_ref(&ours), &[]));
    must(machine, &going(std::slice::from_ref(&ours), &[]));
    assert!(machine.has_foreign_route("10.0.0.0/16"), "the kernel has both beside each other");
    assert_eq!(there(machine, &foreign), None);
    must(machine, &going(&[foreign], &[]));
    let events = machine.until(|event| *event == NetworkEvent::RouteRemoved(ours.key()));
    let others = |event: &NetworkEvent| match event {
        NetworkEvent::Route(route) => route.protocol != 18,
        NetworkEvent::RouteRemoved(key) => key.protocol != 18,
        _ => false,
    };
    assert!(!events.iter().any(others), "{events:?}");
}

fn events_tell_what_we_and_others_do(machine: &mut impl Machine, link: LinkIndex) {
    while !machine.network().events(&mut Vec::new()) {}
    for route in [plain("10.0.0.0/16", "192.0.2.254", link), plain("2001:db8:1::/48", "2001:db8::254", link)] {
        let came = |event: &NetworkEvent| matches!(event, NetworkEvent::Route(there) if there.fulfils(&route));
        must(machine, &coming(std::slice::from_ref(&route), &[]));
        machine.until(came);
        machine.remove_route(&route);
        machine.until(|event| *event == NetworkEvent::RouteRemoved(route.key()));
        must(machine, &coming(std::slice::from_ref(&route), &[]));
        must(machine, &going(std::slice::from_ref(&route), &[]));
        machine.until(|event| *event == NetworkEvent::RouteRemoved(route.key()));
    }
    for family in [Family::V4, Family::V6] {
        let rule = Rule { tos: 8, ..Rule::plain(family, 500, Action::Table(1000)) };
        must(machine, &coming(&[], &[rule]));
        machine.until(|event| *event == NetworkEvent::Rule(rule));
        machine.remove_rule(&rule);
        machine.until(|event| *event == NetworkEvent::RuleRemoved(rule));
        must(machine, &coming(&[], &[rule]));
        must(machine, &going(&[], &[rule]));
        machine.until(|event| *event == NetworkEvent::RuleRemoved(rule));
    }
}

// of IPv4 routes the kernel does not tell
fn routes_go_with_their_link_and_rules_stay(machine: &mut impl Machine, _link: LinkIndex) {
    machine.add_link("blue0");
    let blue = machine.link("blue0").index;
    let addresses = [wish(blue, "198.51.100.1/24"), wish(blue, "2001:db8:b::1/64")];
    must(machine, &present(&addresses));
    let routes = [
        plain("10.0.0.0/16", "198.51.100.254", blue),
        plain("10.1.0.0/16", "", blue),
        plain("2001:db8:1::/48", "fe80::254", blue),
        plain("2001:db8:2::/48", "", blue),
    ];
    let rule = Rule { input: InterfaceName::new(b"blue0"), ..Rule::plain(Family::V4, 500, Action::Table(1000)) };
    must(machine, &coming(&routes, &[rule]));
    assert_there(machine, &routes, &[rule]);
    // without a carrier they stay
    machine.cable("blue0", false);
    machine.until(|event| matches!(event, NetworkEvent::Link(link) if link.index == blue && link.up && !link.running));
    assert_there(machine, &routes, &[rule]);
    machine.cable("blue0", true);
    machine.take_down("blue0");
    machine.until(|event| matches!(event, NetworkEvent::Link(link) if link.index == blue && !link.up));
    assert!(machine.network().inventory().unwrap().routes.is_empty());
    assert_there(machine, &[], &[rule]);
    assert_eq!(refusals(machine, &routes[..1]), [Some(libc::ENETUNREACH)]);
    machine.bring_up("blue0");
    machine.until(|event| matches!(event, NetworkEvent::Link(link) if link.index == blue && link.up));
    must(machine, &coming(&routes, &[rule]));
    assert_there(machine, &routes, &[rule]);
    // the last IPv4 address takes the IPv4 routes of its link along
    must(machine, &[absent(&addresses[0])]);
    assert!(routes[..2].iter().all(|route| there(machine, route).is_none()));
    assert_there(machine, &routes[2..], &[rule]);
    must(machine, &present(&addresses[..1]));
    must(machine, &coming(&routes, &[rule]));
    machine.remove_link("blue0");
    machine.until(|event| *event == NetworkEvent::LinkRemoved(blue));
    assert!(machine.network().inventory().unwrap().routes.is_empty());
    assert_there(machine, &[], &[rule]);
    must(machine, &going(&routes, &[rule]));
}

fn routes_go_with_their_source(machine: &mut impl Machine, link: LinkIndex) {
    let addresses = [wish(link, "192.0.2.7/32"), wish(link, "2001:db8::7/128")];
    let routes = [
        Route { source: Some(addresses[0].address), ..plain("10.0.0.0/16", "192.0.2.254", link) },
        Route { source: Some(addresses[1].address), ..plain("2001:db8:1::/48", "2001:db8::254", link) },
    ];
    for _ in 0..2 {
        must(machine, &present(&addresses));
        must(machine, &coming(&routes, &[]));
        assert_there(machine, &routes, &[]);
        must(machine, &addresses.iter().map(absent).collect::<Vec<_>>());
        assert_eq!(there(machine, &routes[0]), None);
        let without = there(machine, &routes[1]).unwrap();
        assert_eq!(without.source, None, "an IPv6 route stays, without it");
    }
    must(machine, &going(&routes, &[]));
}

fn thousands_come_and_go_in_one_call(machine: &mut impl Machine, link: LinkIndex) {
    let route = |n: u32| match n % 2 {
        0 => Route { table: 1000 + n, ..plain(&format!("10.{}.{}.0/24", n / 250, n % 250), "192.0.2.254", link) },
        _ => plain(&format!("2001:db8:a:{n:x}::/64"), "2001:db8::254", link),
    };
    let rule = |n: u32| {
        let family = if n.is_multiple_of(2) { Family::V4 } else { Family::V6 };
        Rule { mark: Some((n + 1, u32::MAX)), ..Rule::plain(family, 1000 + n, Action::Table(1000 + n)) }
    };
    let (routes, rules): (Vec<Route>, Vec<Rule>) = ((0..1000).map(route).collect(), (0..1000).map(rule).collect());
    for _ in 0..2 {
        must(machine, &coming(&routes, &rules));
    }
    let inventory = machine.network().inventory().unwrap();
    assert_eq!((inventory.routes.len(), inventory.rules.len()), (1000, 1000));
    must(machine, &going(&routes, &rules));
    let inventory = machine.network().inventory().unwrap();
    assert_eq!((inventory.routes.len(), inventory.rules.len()), (0, 0));
    while !machine.network().events(&mut Vec::new()) {}
}

/// Tunnels need modules that a kernel may lack: what it takes is as wished, and it may refuse all of them.
pub(crate) fn tunnels(machine: &mut impl Machine, link: LinkIndex) -> usize {
    must(machine, &present(&[wish(link, "192.0.2.1/24"), wish(link, "2001:db8::1/64")]));
    let tunnel = |destination: &str| Tunnel {
        id: 7,
        destination: destination.parse().ok(),
        source: None,
        tos: 4,
        ttl: 64,
        flags: 0,
    };
    let encapsulated = |encapsulation| Route {
        hops: vec![Hop { encapsulation: Some(encapsulation), ..by("192.0.2.254", Some(link)) }],
        ..plain("10.1.0.0/16", "192.0.2.254", link)
    };
    let mut taken = 0;
    for route in [
        encapsulated(Encapsulation::Mpls(vec![100, 200])),
        encapsulated(Encapsulation::Ip(tunnel("198.51.100.1"))),
        encapsulated(Encapsulation::Ip6(tunnel("2001:db8:9::1"))),
    ] {
        match machine.network().change(&coming(std::slice::from_ref(&route), &[])).remove(0) {
            Ok(()) => {
                taken += 1;
                assert_there(machine, std::slice::from_ref(&route), &[]);
                must(machine, &going(&[route], &[]));
            }
            Err(refused) => eprintln!("{:?}: {refused}", route.hops[0].encapsulation),
        }
    }
    taken
}
