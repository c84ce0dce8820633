//! What is fine in each file and wrong between them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::path::Path;

use keepalived_config::cluster::{Member, compare};
use keepalived_config::{AnyInterface, Loaded, MemorySource, load, render};

fn node(name: &str, text: &str) -> Loaded {
    load(&MemorySource::one(name, text), Path::new(name), &AnyInterface)
}

/// An instance with `priority`, a VRID and `rest`.
fn instance(priority: u8, vrid: u8, rest: &str) -> String {
    format!("vrrp_instance A {{\ninterface eth0\nvirtual_router_id {vrid}\npriority {priority}\n{rest}\n}}\n")
}

/// The ids of what is found between nodes, and the node each is found in.
fn found(texts: &[String]) -> Vec<(usize, &'static str)> {
    let names: Vec<String> = (0..texts.len()).map(|number| format!("node{number}.conf")).collect();
    let nodes: Vec<Loaded> = names.iter().zip(texts).map(|(name, text)| node(name, text)).collect();
    let members: Vec<Member<'_>> = names.iter().zip(&nodes).map(|(name, loaded)| Member { name, loaded }).collect();
    let between = compare(&members);
    for found in &between {
        println!("{}", render(&found.finding, nodes.get(found.member).unwrap().files()));
    }
    between.into_iter().map(|between| (between.member, between.finding.rule.id)).collect()
}

const VIP: &str = "virtual_ipaddress {\n10.0.0.1\n}";

#[test]
fn nodes_that_agree_are_left_alone() {
    assert_eq!(found(&[instance(150, 51, VIP), instance(100, 51, VIP)]), []);
    assert_eq!(found(&[instance(150, 51, VIP)]), []);
}

#[test]
fn each_disagreement_has_its_finding() {
    let with = |more: &str| instance(100, 51, &format!("{VIP}\n{more}"));
    let cases = [
        (instance(150, 51, VIP), instance(150, 51, VIP), vec![(1, "cluster-priority")]),
        (instance(150, 51, VIP), instance(100, 52, VIP), vec![(0, "cluster-vrid"), (1, "cluster-vrid")]),
        (instance(150, 51, VIP), String::new(), vec![(0, "cluster-alone")]),
        (instance(150, 51, VIP), with("advert_int 2"), vec![(1, "cluster-interval")]),
        (instance(150, 51, VIP), with("version 3\nadvert_int 2"), vec![(1, "cluster-version")]),
        (
            instance(150, 51, VIP),
            with("authentication {\nauth_type PASS\nauth_pass x\n}"),
            vec![(1, "cluster-authentication")],
        ),
        (instance(150, 51, VIP), instance(100, 51, "virtual_ipaddress {\n10.0.0.2\n}"), vec![(1, "cluster-addresses")]),
        (
            instance(150, 51, "virtual_ipaddress {\n10.0.0.2\n10.0.0.1\n}"),
            instance(100, 51, "virtual_ipaddress {\n10.0.0.1\n10.0.0.2\n}"),
            vec![(1, "cluster-address-order")],
        ),
        (instance(150, 51, VIP), with("mcast_dst_ip 224.0.0.99"), vec![(1, "cluster-transport")]),
        (instance(150, 51, VIP), with("unicast_peer {\n10.0.0.9\n}"), vec![(1, "cluster-transport")]),
        (
            instance(150, 51, &format!("version 3\n{VIP}")),
            with("version 3\nv3_checksum_as_v2 on"),
            vec![(1, "cluster-checksum")],
        ),
    ];
    for (first, second, expected) in cases {
        assert_eq!(found(&[first.clone(), second.clone()]), expected, "{first}{second}");
    }
}

#[test]
fn unicast_nodes_list_each_other() {
    let unicast = |priority, source: &str, peer: &str| {
        instance(priority, 51, &format!("{VIP}\nunicast_src_ip {source}\nunicast_peer {{\n{peer}\n}}"))
    };
    assert_eq!(found(&[unicast(150, "10.9.0.1", "10.9.0.2"), unicast(100, "10.9.0.2", "10.9.0.1")]), []);
    assert_eq!(
        found(&[unicast(150, "10.9.0.1", "10.9.0.2"), unicast(100, "10.9.0.2", "10.9.0.3")]),
        [(1, "cluster-peers")]
    );
}

// a node without unicast_src_ip sends from where the route to its first global peer says
#[test]
fn nodes_over_ipv6_without_a_source_address_list_addresses_that_can_be_it() {
    let six = |priority, peer: &str, more: &str| {
        let addresses = "virtual_ipaddress {\nfe80::100/64\n}";
        instance(priority, 51, &format!("{addresses}\nunicast_peer {{\n{peer}\n}}\n{more}"))
    };
    assert_eq!(found(&[six(150, "2001:db8::2", ""), six(100, "2001:db8::1", "check_unicast_src")]), []);
    assert_eq!(found(&[six(150, "2001:db8::2", ""), six(100, "fe80::1", "")]), []);
    assert_eq!(found(&[six(150, "2001:db8::2", ""), six(100, "fe80::1", "check_unicast_src")]), [(1, "cluster-peers")]);
}

#[test]
fn three_nodes_are_compared_with_the_first() {
    let nodes = [instance(150, 51, VIP), instance(100, 51, VIP), instance(50, 51, "virtual_ipaddress {\n10.0.0.7\n}")];
    assert_eq!(found(&nodes), [(2, "cluster-addresses")]);
}

/// One VRID may be used by an IPv4 and by an IPv6 router.
#[test]
fn families_are_kept_apart() {
    let six = "vrrp_instance B {\ninterface eth0\nvirtual_router_id 51\nvirtual_ipaddress {\nfe80::1\n}\n}\n";
    let both = |priority| {
        instance(priority, 51, VIP) + &six.replace("virtual_ip", &format!("priority {priority}\nvirtual_ip"))
    };
    assert_eq!(found(&[both(150), both(100)]), []);
}
