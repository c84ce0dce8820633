//! Object by object as keepalived.

use std::collections::BTreeMap;

use keepalived_surface::snmp::Oid;

use crate::scene::Scene;
use crate::wire::{Master, everything, shown};

/// Lines of `snmpwalk -On`.
pub(crate) fn parse(text: &str) -> BTreeMap<Oid, String> {
    let lines = text.lines().filter(|line| line.starts_with('.')).filter_map(|line| line.split_once(" = "));
    let value = |value: &str| match value.strip_prefix("Timeticks: ").and_then(|ticks| ticks.split_once(' ')) {
        Some((ticks, _)) => format!("Timeticks: {ticks}"),
        None => value.trim_end().to_owned(),
    };
    lines.map(|(oid, own)| (oid.parse().unwrap(), value(own))).collect()
}

/// Where keepalived is wrong (docs/differences.md, SNMP).
const DIFFERENT: [(&str, &str); 2] = [
    // it says of the first instance only that its addresses are advertised
    (".1.3.6.1.4.1.9586.100.5.2.6.1.11.2.1", "INTEGER: 1"),
    (".1.3.6.1.4.1.9586.100.5.2.6.1.11.3.1", "INTEGER: 1"),
];

fn compare(root: &str) {
    let root_oid: Oid = root.parse().unwrap();
    let mut expected = parse(include_str!("p6.walk"));
    expected.retain(|oid, _| oid.subids().starts_with(root_oid.subids()));
    assert!(expected.len() > 50);
    for (oid, value) in DIFFERENT {
        expected.entry(oid.parse().unwrap()).and_modify(|there| *there = value.to_owned());
    }
    let found: BTreeMap<_, _> = Master::new(Scene::observed(), everything())
        .walk(root)
        .iter()
        .map(|(oid, value)| (oid.clone(), shown(value)))
        .collect();
    let mut problems = vec![];
    for oid in expected.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>() {
        if expected.get(oid) != found.get(oid) {
            problems.push(format!("{oid}: keepalived {:?}, ours {:?}", expected.get(oid), found.get(oid)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_whole_of_keepaliveds_tree_is_as_keepalived_has_it() {
    compare(".1.3.6.1.4.1.9586.100.5");
}

#[test]
fn the_mib_of_rfc_2787_is_as_keepalived_has_it() {
    compare(".1.3.6.1.2.1.68");
}

#[test]
fn the_mib_of_rfc_6527_is_as_keepalived_has_it() {
    compare(".1.3.6.1.2.1.207");
}

/// KEEPALIVED-MIB: virtualServerName and realServerName are there for those that have `snmp_name`.
#[test]
fn names_of_servers_are_those_that_snmp_name_gives() {
    let text = "virtual_server fwmark 5 {\n snmp_name web\n real_server 10.0.0.1 80 {\n snmp_name first\n }\n \
                real_server 10.0.0.2 80 {\n }\n}\nvirtual_server fwmark 6 {\n real_server 10.0.0.3 80 {\n }\n}\n";
    let mut master = Master::new(Scene::of(text), everything());
    let mut column = |oid: &str| -> Vec<String> {
        let found = master.walk(&format!(".1.3.6.1.4.1.9586.100.5.3.{oid}"));
        found.iter().map(|(oid, value)| format!("{oid} {}", shown(value))).collect()
    };
    assert_eq!(column("3.1.71"), [".1.3.6.1.4.1.9586.100.5.3.3.1.71.1 STRING: \"web\""]);
    assert_eq!(column("4.1.55"), [".1.3.6.1.4.1.9586.100.5.3.4.1.55.1.1 STRING: \"first\""]);
}
