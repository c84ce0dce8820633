//! A large site: 1,000 instances, 20,000 real servers.

use std::fmt::Write as _;

use keepalived_core::address::InterfaceName;
use keepalived_surface::snmp::codec::{Body, Range};
use keepalived_surface::snmp::{Link, Oid, Value};

use crate::scene::Scene;
use crate::wire::{Master, everything};

fn site(instances: u32, services: u32, servers: u32) -> Scene {
    let mut text = String::new();
    for number in 0..instances {
        let (high, low) = (number / 250, number % 250 + 1);
        writeln!(
            text,
            "vrrp_instance V{number} {{\n interface e{high}\n virtual_router_id {low}\n \
             virtual_ipaddress {{\n 10.{high}.0.{low}\n }}\n}}"
        )
        .unwrap();
    }
    for service in 0..services {
        writeln!(text, "virtual_server 10.100.{service}.1 80 {{\n lb_kind NAT\n protocol TCP").unwrap();
        for server in 0..servers {
            writeln!(text, " real_server 10.200.{service}.{} 80 {{\n }}", server + 1).unwrap();
        }
        writeln!(text, "}}").unwrap();
    }
    let mut scene = Scene::of(&text);
    for number in 0..instances.div_ceil(250) {
        let name = InterfaceName::new(format!("e{number}").as_bytes()).unwrap();
        scene.machine.links.insert(name, Link { index: number + 3, ..Link::default() });
    }
    scene
}

/// Walks with requests for many at once. Returns how many variables there are.
fn bulk_walk(master: &mut Master, root: &str) -> usize {
    let root: Oid = root.parse().unwrap();
    let mut start = root.clone();
    let mut count = 0;
    loop {
        let ranges = vec![Range { start, included: false, end: Oid::default() }];
        let (_, _, binds) = master.ask(Body::GetBulk { non_repeaters: 0, max_repetitions: 50, ranges });
        for bind in &binds {
            if bind.value == Value::EndOfMibView || !bind.name.subids().starts_with(root.subids()) {
                return count;
            }
            count += 1;
        }
        start = binds.last().unwrap().name.clone();
    }
}

/// Rows and columns, from the MIB.
#[test]
fn every_row_of_a_large_site_is_found() {
    let mut master = Master::new(site(1_000, 100, 200), everything());
    assert_eq!(bulk_walk(&mut master, "1.3.6.1.4.1.9586.100.5.2.3.1.2"), 1_000);
    assert_eq!(bulk_walk(&mut master, "1.3.6.1.4.1.9586.100.5.3.4.1.4"), 20_000);
    assert_eq!(bulk_walk(&mut master, "1.3.6.1.2.1.207.1.1.1.1.7"), 1_000);
    assert_eq!(master.get("1.3.6.1.4.1.9586.100.5.3.4.1.4.100.200"), Value::OctetString(vec![10, 200, 99, 200]));
}
