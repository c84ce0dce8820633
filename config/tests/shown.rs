//! What we show of a configuration is what keepalived shows (data/observed).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;

use keepalived_config::dump::Host;
use keepalived_config::model::Config;
use keepalived_config::{dump, dump_on};
use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::Family;
use support::text;

/// Lines that tell of the state at some moment, by how they begin. The first ones are not written at start at all.
const RUNTIME: &[&str] = &[
    "   State = ",
    "   Wantstate = ",
    "   Number of tracker faults",
    "   Flags of interface faults",
    "   Number of track scripts init",
    "   Last transition",
    "   Read timeout",
    "   Master down timer",
    "   Effective priority",
    "   Total priority",
    "   Last advert sent",
    "   fd_in ",
    "   No sockets allocated",
    "   Num member fault",
    "   Result = ",
    "   Init state = ",
    "   Status = ",
    "   Fork delay timer",
    "   Terminate delay timer",
    "   Has run = ",
    "   Last ran = ",
    " GARP next time",
    " GNA next time",
    // servers come up as they are put into the kernel
    "     Alive: ",
    "   VS alive",
    "   quorum_state_up",
    "   alive = ",
    "     alive = ",
    "     set = ",
    "   RS set",
];

/// Lines that one build of keepalived has and another has not, or that tell of the machine.
const OF_THE_BUILD: &[&str] = &[
    " libnftnl version",
    // where it was observed, an option of the command line said where net-snmp is
    " SNMP ",
    " DBus ",
    // the release has the one, what comes after it the other
    " keep script symlinks",
    " Don't set supplementary groups",
    // made when an instance needs rules; we make it then, too, and not before
    " nftables table name = keepalived",
    " nftables base chain priority = -1",
    " nftables don't force use ifindex",
    // only the parent has run them, and only it shows them
    " Startup script",
    " Shutdown script",
];

/// Sections of what the machine and the sockets are like.
const RUNTIME_SECTIONS: &[&str] = &["------< VRRP Sockpool >------", "------< Interfaces >------"];

/// Where we differ on purpose: as keepalived has it, as we have it (docs/differences.md).
const ON_PURPOSE: &[(&str, &str)] = &[
    (" LVS TCP timeout = 30", " LVS UDP timeout = 30"),
    (" Password : secret", " Password : ********"),
    (" VRRP CPU Affinity =  1 ", " VRRP CPU Affinity = 0 1"),
    // of checks that have no such times
    ("   Delay loop = 18446744073709551615 us", ""),
    ("   Warmup = 18446744073709551615 us", ""),
    ("   Retries = 4294967295", ""),
    ("   Delay before retry = 18446744073709551615 us", ""),
    ("   Retries iterations = 4294967295", ""),
    ("     Regex ref count = 1", ""),
    // a checker shows what only the vrrp process has worked out
    (" Gratuitous ARP lower priority delay = 4294967295", " Gratuitous ARP lower priority delay = 5"),
    (" Gratuitous ARP lower priority repeat = 4294967295", " Gratuitous ARP lower priority repeat = 5"),
];

/// The machine that it was observed on.
struct Vm(&'static str, u32);

impl Host for Vm {
    fn name(&self) -> Option<String> {
        Some("vm".into())
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        match name {
            "root" => Some((0, 0)),
            "nobody" => Some((65_534, 65_534)),
            _ => None,
        }
    }

    fn program(&self, path: &str) -> Option<String> {
        matches!(path, "/bin/true" | "/bin/cat").then(|| format!("/usr{path}"))
    }

    fn source(&self, _interface: InterfaceName, family: Family) -> Option<IpAddr> {
        let address = if family == Family::V4 { "10.5.0.1" } else { self.0 };
        address.parse().ok()
    }

    fn index(&self, _interface: InterfaceName) -> Option<u32> {
        Some(self.1)
    }
}

/// What both must have: without state, and without what a line says of it.
fn comparable(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut skipping = false;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with("---") {
            skipping = RUNTIME_SECTIONS.contains(&line);
        }
        let unwanted = |list: &[&str]| list.iter().any(|beginning| line.starts_with(beginning));
        if skipping || unwanted(RUNTIME) || unwanted(OF_THE_BUILD) {
            continue;
        }
        let line = ON_PURPOSE.iter().find(|(theirs, _)| *theirs == line).map_or(line, |(_, ours)| *ours);
        if line.is_empty() {
            continue;
        }
        let line = if line.starts_with("     Regex options:") { "     Regex options:" } else { line };
        // addresses and routes that are in place, the state of a group
        let line = line.strip_suffix(" set").unwrap_or(line).split(" [dev ").next().unwrap();
        let line = if line.starts_with(" VRRP Sync Group") { line.split(',').next().unwrap() } else { line };
        out.push(line.to_owned());
    }
    out
}

/// The sections from `first`, which are the part of another process.
fn from<'a>(text: &'a str, first: &str) -> &'a str {
    &text[text.find(first).unwrap()..]
}

fn before<'a>(text: &'a str, first: &str) -> &'a str {
    text.split(first).next().unwrap()
}

fn check(ours: &str, theirs: &str) {
    let (ours, theirs) = (comparable(ours), comparable(theirs));
    let differs = ours.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
    let around = |lines: &[String]| lines[differs.saturating_sub(5)..lines.len().min(differs + 3)].join("\n");
    assert!(ours == theirs, "line {differs}, ours:\n{}\ntheirs:\n{}", around(&ours), around(&theirs));
    assert!(ours.len() > 80, "{} lines were compared", ours.len());
}

fn config(of: &str) -> Config {
    text(of).config
}

#[test]
fn a_vrrp_process_that_runs_shows_the_same() {
    let ours = dump_on(&config(include_str!("data/observed/p6.conf")), &Vm("fe80::b025:d7ff:fee5:af0f", 3));
    check(before(&ours, "------< LVS Topology"), include_str!("data/observed/p6.keepalived.data"));
}

/// Two lines in it are of the file that it ran with, which is not quite this one.
#[test]
fn one_with_notifications_and_mail_shows_the_same() {
    let ours = dump_on(&config(include_str!("data/observed/v1.conf")), &Vm("fe80::d8f2:88ff:fef0:44d9", 3));
    check(&ours.replace(" json_version 1", " json_version 2"), include_str!("data/observed/v1.keepalived.data"));
}

#[test]
fn a_checker_that_runs_shows_the_same() {
    let ours = dump_on(&config(include_str!("data/observed/p6.conf")), &Vm("::", 0));
    let theirs = include_str!("data/observed/p6.keepalived_check.data");
    let ours = [before(&ours, "------< VRRP Topology"), from(&ours, "------< LVS Topology")].concat();
    check(&ours.replace(" Default interface = eth0\n", ""), theirs);
}

#[test]
fn everything_about_vrrp_is_shown_as_at_start() {
    let ours = dump_on(&config(include_str!("data/observed/d-vrrp.conf")), &Vm("fe80::b1:85ff:fea4:f07a", 3));
    // in the order in which the kernel has them
    let ours = ours.replace("  eth0\n  eth1\n", "  eth1\n  eth0\n");
    check(before(&ours, "------< BFD Topology"), include_str!("data/observed/d-vrrp.data"));
}

#[test]
fn interfaces_of_its_own_routes_and_rules_are_shown_as_at_start() {
    let theirs = include_str!("data/observed/d-links.data");
    let index = theirs.split("::12, ifindex ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let ours = dump_on(&config(include_str!("data/observed/d-links.conf")), &Vm("fe80::b1:85ff:fea4:f07a", index));
    check(&ours, theirs);
}

#[test]
fn everything_about_load_balancing_is_shown_as_at_start() {
    let ours = dump_on(&config(include_str!("data/observed/d-lvs.conf")), &Vm("::", 0));
    let ours = before(&ours, "------< BFD Topology");
    let start = ours.find("------< VRRP Track BFDs").unwrap();
    let ours = [&ours[..start], from(ours, "------< SSL")].concat();
    // it shows files that no check follows
    let unused = " Track file = tf2\n   File = /run/ka-dump/tf2\n   Status = 0\n   Weight = 1\n";
    let theirs = include_str!("data/observed/d-lvs.data");
    assert!(theirs.contains(unused));
    check(&ours.replace(" Default interface = eth0\n", ""), &theirs.replace(unused, ""));
}

#[test]
fn sessions_are_shown_as_at_start() {
    let ours = dump_on(&config(include_str!("data/observed/d-bfd.conf")), &Vm("::", 0));
    let start = ours.find("------< VRRP Track BFDs").unwrap();
    let ours = [&ours[..start], from(&ours, "------< BFD Topology")].concat();
    check(&ours.replace(" Default interface = eth0\n", ""), include_str!("data/observed/d-bfd.data"));
}

/// Whatever a name holds, a line stays a line, and no secret is in it.
#[test]
fn secrets_are_not_shown() {
    let text = dump(&config(
        "SSL {\npassword topsecret\n}\nvrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nauthentication {\nauth_type PASS\n\
         auth_pass geheim\n}\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n",
    ));
    assert!(!text.contains("topsecret") && !text.contains("geheim"), "{text}");
    assert!(text.contains(" Password : ********") && text.contains("   Password = ********"));
}

/// Without a machine, users stay names.
#[test]
fn what_is_not_known_is_shown_by_name() {
    let text = dump(&config("global_defs {\nscript_user web :www\nnotify_fifo /run/f\n}\n"));
    assert!(text.contains(" Default script uid:gid web:www\n"), "{text}");
    assert!(text.contains(" Global notify fifo = /run/f, uid:gid web:www\n"), "{text}");
}
