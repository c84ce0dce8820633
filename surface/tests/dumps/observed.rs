//! What we write is what a running keepalived 2.4.3 wrote (shared/reference/observed), line by line, but for what the lists here name.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::time::{Centis, Instant};
use keepalived_core::vrrp::duplicate::Mac;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerKind, TrackerState};
use keepalived_core::vrrp::{AdvertInterval, Cause, Fault, Faults, Priority, State, Transition, Version};
use keepalived_state::{Event, MasterView, Record, ServiceView, Snapshot, Subject};
use keepalived_surface::{checker_data, data, json, statistics};

use super::scene::{at, p6, v1, vm};

/// Lines of keepalived's that we leave out, by how they begin (docs/differences.md).
const LEFT_OUT: &[&str] = &[
    // of its build
    " libnftnl version",
    // numbers of its descriptors
    "   fd_in ",
    // what it has done to a link, and remembers of it
    "   Seen up = ",
    "   Delayed state change running = ",
    "   NIC netlink status update",
    "   Reset ARP config counter",
    "   Original ",
    "   Reset promote_secondaries counter",
    // when the last run of a check began
    "   Last ran = ",
];

/// The section of keepalived's that we leave out: its descriptors again.
const SECTION_LEFT_OUT: &str = "------< VRRP Sockpool >------";

/// Lines that only we have: the results of trackers, which are of 1970 here.
const OURS: &[&str] = &["   Last result = ", "   Last transition = 5."];

/// Where a line differs: keepalived's, and ours.
const DIFFERS: &[(&str, &str)] = &[
    // an option of its command line
    (" SNMP socket = /run/agentx", " SNMP socket = default (unix:/var/agentx/master)"),
    // only its vrrp process has worked these out
    (" Gratuitous ARP lower priority delay = 4294967295", " Gratuitous ARP lower priority delay = 5"),
    (" Gratuitous ARP lower priority repeat = 4294967295", " Gratuitous ARP lower priority repeat = 5"),
];

fn begins(line: &str, list: &[&str]) -> bool {
    list.iter().any(|beginning| line.starts_with(beginning))
}

/// A sample without its first line, which says what it is of, as we would write it.
fn expected(theirs: &str) -> Vec<&str> {
    let mut section = "";
    let mut out = Vec::new();
    for line in theirs.lines().skip(1) {
        if line.starts_with("------<") {
            section = line;
        }
        if section != SECTION_LEFT_OUT && !begins(line, LEFT_OUT) {
            out.push(DIFFERS.iter().find(|(theirs, _)| *theirs == line).map_or(line, |(_, ours)| *ours));
        }
    }
    out
}

/// The lines of ours that keepalived has, too.
fn common(ours: &str) -> Vec<&str> {
    let common = ours.split("------< Journal >------").next().unwrap();
    common.lines().filter(|line| !begins(line, OURS)).collect()
}

fn check(ours: &str, theirs: &str) {
    let (ours, theirs) = (common(ours), expected(theirs));
    let differs = ours.iter().zip(&theirs).position(|(a, b)| a != b).unwrap_or(ours.len().min(theirs.len()));
    let around = |lines: &[&str]| lines[differs.saturating_sub(5)..lines.len().min(differs + 3)].join("\n");
    assert!(ours == theirs, "line {differs}, ours:\n{}\ntheirs:\n{}", around(&ours), around(&theirs));
}

#[test]
fn the_data_file_is_keepalives() {
    let (config, snapshot) = p6();
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived.data");
    // its build has made the table of a firewall, or not
    check(&data(&config, &snapshot, &vm()), theirs);
}

#[test]
fn the_data_file_of_the_checker_is_keepalives() {
    let (config, snapshot) = p6();
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived_check.data");
    check(&checker_data(&config, &snapshot, &vm()), theirs);
}

#[test]
fn the_data_file_of_the_parent_is_keepalives() {
    let (config, _) = p6();
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived_parent.data");
    check(&keepalived_config::dump::parent_data(&config, &vm()), theirs);
}

#[test]
fn statistics_begin_as_keepalives_do() {
    let (_, snapshot) = p6();
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived.stats");
    let theirs = theirs.split_once('\n').unwrap().1;
    let ours = statistics(&snapshot);
    // after what it counts there is what only we count
    let mut out = String::new();
    for instance in ours.split_inclusive("VRRP Instance: ") {
        let (counted, next) = instance.split_once("  Checksum Forms:\n").unwrap_or((instance, ""));
        out += counted;
        if next.ends_with("VRRP Instance: ") {
            out += "VRRP Instance: ";
        }
    }
    assert_eq!(out, theirs);
}

#[test]
fn json_of_version_2_is_keepalives() {
    let (config, snapshot) = p6();
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived.v2.json");
    assert_eq!(json(&config, &snapshot, &vm(), 2), theirs.lines().nth(1).unwrap());
}

#[test]
fn json_with_scripts_routes_and_ipv6_is_keepalives() {
    let (config, snapshot) = v1();
    let theirs = include_str!("../../../config/tests/data/observed/v1.keepalived.v2.json");
    // where the kernel has put a route
    let theirs = theirs.lines().nth(1).unwrap().replace(" [dev e0]", "");
    assert_eq!(json(&config, &snapshot, &vm(), 2), theirs);
}

#[test]
fn json_of_version_1_is_the_list_of_instances() {
    let (config, snapshot) = p6();
    let theirs = include_str!("../../../config/tests/data/observed/p6.keepalived.v2.json").lines().nth(1).unwrap();
    let list = theirs.strip_prefix("{\"vrrp\":").unwrap().split(",\"track_process\":[{").next().unwrap();
    assert_eq!(json(&config, &snapshot, &vm(), 1), list);
    // the other sample, of a reload, has the same keys
    let sample = include_str!("../../../config/tests/data/observed/p6.keepalived.v1.json").lines().nth(1).unwrap();
    assert!(sample.starts_with("[{\"data\":{\"iname\":\"V1\",") && sample.ends_with("\"pri_zero_sent\":0}}]"));
}

/// The part of a data file about an instance.
fn about<'a>(text: &'a str, instance: &str) -> &'a str {
    let part = text.split(&format!(" VRRP Instance = {instance}\n")).nth(1).unwrap();
    part.split(" VRRP Instance = ").next().unwrap().split("------<").next().unwrap()
}

fn has_in_order(text: &str, lines: &str) {
    let mut found = text.lines();
    for expected in lines.lines() {
        assert!(found.any(|line| line == expected), "{expected:?} is missing, or out of order, in\n{text}");
    }
}

/// As 2.4.3 had it beside a master of priority 200 with an interval of 0.5 s (VRRP version 3), before it had heard one, and with a script
/// that failed.
#[test]
fn backups_and_faults_are_shown_as_keepalived_shows_them() {
    let (config, mut snapshot) = p6();
    let interval = AdvertInterval::new(Version::V3, Centis::new(50)).unwrap();
    let backup = &mut snapshot.vrrp.instances[2];
    (backup.state, backup.times.last_advert) = (State::Backup, None);
    snapshot.vrrp.instances[1].state = State::Backup;
    let backup = &mut snapshot.vrrp.instances[2];
    backup.master = Some(MasterView { address: IpAddr::from([10, 5, 0, 2]), priority: 200, interval });
    let fault = &mut snapshot.vrrp.instances[0];
    (fault.state, fault.times.read_timeout) = (State::Fault, None);
    let tracker = TrackerId::new(TrackerKind::Script, "chk");
    fault.faults = Faults::NONE
        .with(Fault::Tracker { tracker, state: TrackerState::Down })
        .with(Fault::InterfaceDown)
        .with(Fault::NoSource);
    (fault.effective_priority, fault.total_priority) = (Priority::new(254).unwrap(), 257);
    let text = data(&config, &snapshot, &vm());
    has_in_order(
        about(&text, "V3"),
        "   State = BACKUP\n   Master router = 10.5.0.2\n   Master priority = 200\n   Master advert interval = 500 milli-sec\n   \
         Flags: none\n   Wantstate = BACKUP\n   Number of config faults = 0\n   Last advert sent = 0.000000",
    );
    has_in_order(
        about(&text, "V2"),
        "   State = BACKUP\n   Master router = (none)\n   Master priority = 0\n   Flags: none\n   Wantstate = BACKUP",
    );
    has_in_order(
        about(&text, "V1"),
        "   State = FAULT\n   Flags: none\n   Wantstate = FAULT\n   Number of config faults = 0\n   \
         Number of tracker faults = 1\n   Flags of interface faults:\n     unspecified\n     i/f down\n     \
         no source IP address\n   Number of track scripts init = 0\n   Read timeout = DISABLED\n   \
         Effective priority = 254\n   Total priority = 257",
    );
    let json = json(&config, &snapshot, &vm(), 1);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let backup = &document[2]["data"];
    assert_eq!(
        (&backup["state"], &backup["wantstate"], &backup["master_priority"]),
        (&1.into(), &1.into(), &200.into())
    );
    assert_eq!(backup["master_adver_int"], 0.5);
    let fault = &document[0]["data"];
    assert_eq!((&fault["state"], &fault["wantstate"], &fault["vipset"]), (&3.into(), &3.into(), &true.into()));
}

/// As 2.4.3 had it: a member without an interface that is up, and one that is in fault because of it.
#[test]
fn sync_groups_are_shown_as_they_are_now() {
    let text = "vrrp_sync_group G {\ngroup {\nV1\nV2\n}\n}\n";
    let (_, mut snapshot) = p6();
    let config = super::scene::config(&super::scene::P6.replace("vrrp_sync_group SG {\n  group { V2 }\n}\n", text));
    let shown = |snapshot: &Snapshot| {
        let text = data(&config, snapshot, &vm());
        let at = text.find(" VRRP Sync Group").unwrap();
        text[at..].lines().take(2).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(shown(&snapshot), " VRRP Sync Group = G, MASTER\n   Num member fault 0, num member init 0");
    for (instance, fault) in snapshot.vrrp.instances.iter_mut().zip([Fault::Group, Fault::InterfaceDown]) {
        instance.state = State::Fault;
        instance.faults = Faults::NONE.with(fault);
    }
    assert_eq!(shown(&snapshot), " VRRP Sync Group = G, FAULT\n   Num member fault 1, num member init 0");
    for instance in &mut snapshot.vrrp.instances {
        (instance.state, instance.faults) = (State::Backup, Faults::NONE);
    }
    assert_eq!(shown(&snapshot), " VRRP Sync Group = G, BACKUP\n   Num member fault 0, num member init 0");
}

// ours: keepalived says none of these

#[test]
fn data_tells_why_a_tracker_is_as_it_is() {
    let (config, mut snapshot) = p6();
    snapshot.vrrp.journal.push(Record {
        at: at(5_000_000),
        subject: Subject::Tracker(TrackerId::new(TrackerKind::Script, "chk")),
        event: Event::Tracked {
            before: TrackerState::Down,
            state: TrackerState::Up,
            detail: keepalived_core::vrrp::tracking::Detail::Words("exited with status 0".into()),
        },
    });
    let text = data(&config, &snapshot, &vm());
    has_in_order(
        &text,
        "   Last result = exited with status 0\n   Last transition = 5.000000\n \
         5.000000 script chk: down -> up: exited with status 0",
    );
}

#[test]
fn data_tells_what_happened_and_why() {
    let (config, mut snapshot) = p6();
    snapshot.vrrp.journal.push(Record {
        at: at(5_000_000),
        subject: Subject::Instance("V2".into()),
        event: Event::Transition(Transition {
            at: Instant::ZERO,
            from: State::Backup,
            to: State::Master,
            cause: Cause::MasterLeft { master: IpAddr::from([10, 5, 0, 2]) },
            priority: Priority::DEFAULT,
        }),
    });
    let text = data(&config, &snapshot, &vm());
    assert!(
        text.contains(" 5.000000 (V2) BACKUP -> MASTER, priority 100: 10.5.0.2 said farewell (priority 0)\n"),
        "{text}"
    );
}

#[test]
fn data_tells_who_has_an_address_of_ours_too() {
    let (config, mut snapshot) = p6();
    let holder = Mac([2, 0, 0, 0, 0, 9]);
    snapshot.vrrp.instances[1].addresses[0].also_on = Some(holder);
    let address = snapshot.vrrp.instances[1].addresses[0].line.address;
    let interface = InterfaceName::new(b"eth0").unwrap();
    let event = Event::Duplicate { address, interface, holder };
    snapshot.vrrp.journal.push(Record { at: at(0), subject: Subject::Instance("V2".into()), event });
    let text = data(&config, &snapshot, &vm());
    assert!(text.contains(" set also on 02:00:00:00:00:09\n"), "{text}");
    assert!(text.contains(" 0.000000 (V2) 10.5.0.110 is on 02:00:00:00:00:09, too (eth0)\n"), "{text}");
}

#[test]
fn data_tells_what_happened_to_servers_and_why() {
    let (config, mut snapshot) = p6();
    let ServiceView { quorum_up, servers, .. } = &mut snapshot.balance.services[0];
    *quorum_up = false;
    (servers[0].up, servers[0].checks[0].up, servers[0].weight) = (false, false, 3);
    let of = || "[10.0.0.1]:tcp:80".to_owned();
    let record = |seconds, subject, event| Record { at: at(0) + Duration::from_secs(seconds), subject, event };
    let server = Subject::RealServer { server: "[10.0.1.1]:tcp:80".into(), of: of() };
    snapshot.balance.journal.push(record(5, server, Event::Down("connection refused".into())));
    snapshot.balance.journal.push(record(6, Subject::VirtualServer(of()), Event::QuorumLost(0)));
    let text = checker_data(&config, &snapshot, &vm());
    has_in_order(
        &text,
        "   quorum_state_up = 0\n   RIP = 10.1.0.1, RPORT = 80, WEIGHT = 3 EFF WEIGHT = 3\n   effective weight = 3\n   \
         alive = 0\n   num failed checkers = 1\n   RS set = 0\n   RIP = 10.1.0.2, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1\n   \
         alive = 1\n   Up = no\n   Has run = yes\n \
         5.000000 VS [10.0.0.1]:tcp:80 [10.0.1.1]:tcp:80: down: connection refused\n \
         6.000000 VS [10.0.0.1]:tcp:80: quorum lost with a weight of 0",
    );
}
