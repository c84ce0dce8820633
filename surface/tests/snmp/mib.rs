//! The MIB files in contrib/mib: every object that is served stands in one, with its name, its type and its access, and nothing else is
//! said to be readable.

use std::collections::BTreeMap;

use keepalived_surface::snmp::{Object, Tree};

use crate::scene::Scene;
use crate::wire::{Master, everything, shown};

const FILES: [(&str, &str, &str); 3] = [
    (include_str!("../../../contrib/mib/KEEPALIVED-MIB.txt"), "keepalived", "1.3.6.1.4.1.9586.100.5"),
    (include_str!("../../../contrib/mib/VRRP-MIB.txt"), "vrrpMIB", "1.3.6.1.2.1.68"),
    (include_str!("../../../contrib/mib/VRRPv3-MIB.txt"), "vrrpv3MIB", "1.3.6.1.2.1.207"),
];

/// An OBJECT-TYPE.
#[derive(Debug)]
struct Entry {
    name: String,
    syntax: String,
    access: String,
    status: String,
}

/// Objects of a MIB by their identifiers. Enough of SMIv2 for how our files are written.
fn objects(text: &str, root: &str, root_oid: &str) -> BTreeMap<String, Entry> {
    let mut oids = BTreeMap::from([(root.to_owned(), format!(".{root_oid}"))]);
    let mut entries = BTreeMap::new();
    for part in text.split("\n\n") {
        let part = part.trim_start();
        let Some((name, rest)) = part.split_once(' ') else { continue };
        let Some(at) = part.rfind("::= { ").filter(|_| !rest.starts_with("::=")) else { continue };
        let place = part[at + 6..].trim_end().trim_end_matches('}').trim();
        let Some((parent, number)) = place.split_once(' ') else { continue };
        let Some(parent) = oids.get(parent) else { continue };
        let oid = format!("{parent}.{number}");
        oids.insert(name.to_owned(), oid.clone());
        if rest.starts_with("OBJECT-TYPE") {
            let field = |key: &str| {
                let from = rest.find(key).unwrap_or_else(|| panic!("{name} has no {key}")) + key.len();
                rest[from..].lines().next().unwrap().trim().to_owned()
            };
            assert!(rest.contains("DESCRIPTION\n        \"") && !rest.contains("\"\""), "{name} is not described");
            let (syntax, access, status) = (field(" SYNTAX "), field(" MAX-ACCESS "), field(" STATUS "));
            entries.insert(oid, Entry { name: name.to_owned(), syntax, access, status });
        }
    }
    entries
}

fn all() -> BTreeMap<String, Entry> {
    FILES.into_iter().flat_map(|(text, root, oid)| objects(text, root, oid)).collect()
}

/// Said to be readable by a MIB, and never shown, as with keepalived.
const NEVER_SHOWN: [&str; 1] = ["vrrpOperAuthKey"];
/// Shown although KEEPALIVED-MIB says that it is not accessible, as with keepalived.
const SHOWN_NONETHELESS: [&str; 1] = ["vrrpRouteNextHopEncapType"];

#[test]
fn the_objects_are_those_of_the_files() {
    let files = all();
    let served: BTreeMap<String, Object> =
        Tree::new(everything()).objects().map(|object| (object.oid.to_string(), object)).collect();
    for (oid, object) in &served {
        let entry = files.get(oid).unwrap_or_else(|| panic!("{} is in no file", object.name));
        assert_eq!(object.name, entry.name);
        let is_accessible = entry.access.starts_with("read-") || SHOWN_NONETHELESS.contains(&object.name);
        assert!(is_accessible, "{entry:?}");
        assert!(!object.writable || entry.access == "read-write", "{entry:?}");
    }
    for (oid, entry) in &files {
        let is_readable = entry.access.starts_with("read-") && !NEVER_SHOWN.contains(&entry.name.as_str());
        assert!(!is_readable || served.contains_key(oid), "{entry:?} is not served");
    }
    assert!(served.len() > 430, "{}", served.len());
    assert_eq!(files.values().filter(|entry| entry.status == "obsolete").count(), 4);
}

/// The type on the wire that a syntax has (RFC 2578 §2, and the textual conventions that are used).
fn type_of(syntax: &str) -> &'static str {
    match syntax.split([' ', '(', '{']).next().unwrap() {
        "INTEGER" | "Integer32" | "TruthValue" | "InetAddressType" | "InetScopeType" | "InterfaceIndex"
        | "VrrpState" | "RouteType" | "RuleAction" | "PrefType" | "EncapType" | "RowStatus" | "TimeInterval" => {
            "INTEGER"
        }
        "Unsigned32" | "Gauge32" | "InetPortNumber" | "InetAddressPrefixLength" | "Realm" => "Gauge32",
        "DisplayString" | "InetAddress" | "MacAddress" | "OCTET" => "STRING",
        "Counter32" => "Counter32",
        "Counter64" => "Counter64",
        "IpAddress" => "IpAddress",
        "TimeTicks" | "TimeStamp" => "Timeticks",
        other => panic!("{other}"),
    }
}

/// Everything at once: each object has a value somewhere in it.
#[test]
fn every_value_has_the_type_of_its_object() {
    let files = all();
    let mut unseen: BTreeMap<&str, &str> = files
        .iter()
        .filter(|(_, entry)| entry.access.starts_with("read-"))
        .map(|(oid, entry)| (oid.as_str(), entry.name.as_str()))
        .collect();
    for text in [include_str!("p6.conf"), include_str!("everything.conf")] {
        let mut master = Master::new(Scene::of(text), everything());
        for root in FILES.map(|(_, _, oid)| oid) {
            for (oid, value) in master.walk(root) {
                let oid = oid.to_string();
                let (object, entry) = files
                    .range(..=oid.clone())
                    .rfind(|(object, _)| oid.starts_with(&format!("{object}.")))
                    .or_else(|| {
                        files.iter().find(|(object, _)| {
                            oid.starts_with(&format!("{object}."))
                                && !files
                                    .keys()
                                    .any(|other| other.len() > object.len() && oid.starts_with(&format!("{other}.")))
                        })
                    })
                    .unwrap();
                unseen.remove(object.as_str());
                let shown = shown(&value).replace("Hex-STRING", "STRING").replace("\"\"", "STRING: ");
                assert!(shown.starts_with(type_of(&entry.syntax)), "{entry:?}: {shown}");
            }
        }
    }
    for name in NEVER_SHOWN {
        unseen.retain(|_, other| *other != name);
    }
    assert!(unseen.is_empty(), "{unseen:?}");
}
