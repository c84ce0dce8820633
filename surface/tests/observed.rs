//! What readers of keepalived's files look for, against what a running keepalived 2.4.3 wrote
//! (shared/reference/observed/p6.*, instance V2 or V3 without script, track and mail lines).
#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, UNIX_EPOCH};

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::duplicate::Mac;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState, Weight};
use keepalived_core::vrrp::{
    AuthenticationKind, Cause, Counters, Family, Faults, Priority, Settings, State, Transition, Version, Vrid,
};
use keepalived_state::{
    AddressView, Event, FollowerView, InstanceView, Latest, ObjectKind, ObjectView, Record, ServiceView, Snapshot,
    Subject, TrackerSettings, TrackerView, VrrpView,
};
use keepalived_surface::status::{Look, Scene, document, problems, why};

fn snapshot() -> Snapshot {
    let instance = InstanceView {
        name: "V2".into(),
        settings: Settings::new(Vrid::new(52).unwrap(), Version::V2, Family::V4),
        state: State::Master,
        since: UNIX_EPOCH + Duration::from_micros(1_795_235_391_706_373),
        faults: Faults::NONE,
        interface: InterfaceName::new(b"e0"),
        source: Some(IpAddr::from([10, 5, 0, 1])),
        group: Some(IpAddr::from([224, 0, 0, 18])),
        peers: vec![],
        effective_priority: Priority::DEFAULT,
        master: None,
        master_down_time: Duration::from_micros(3_609_375),
        accept: true,
        authentication: AuthenticationKind::None,
        dont_track_primary: false,
        promote_secondaries: false,
        addresses: vec![AddressView {
            line: VirtualAddress { prefix: 24, ..VirtualAddress::host(IpAddr::V4(Ipv4Addr::new(10, 5, 0, 110))) },
            set: true,
            also_on: None,
        }],
        excluded_addresses: vec![],
        objects: vec![],
        counters: Counters { advert_sent: 7, become_master: 1, ..Counters::default() },
    };
    let vrrp = VrrpView { instances: vec![instance], ..VrrpView::default() };
    Snapshot { router_id: "labB".into(), vrrp, ..Snapshot::default() }
}

const STATISTICS: &str = "\
VRRP Instance: V2
  Advertisements:
    Received: 0
    Sent: 7
  Became master: 1
  Released master: 0
  Packet Errors:
    Length: 0
    TTL: 0
    Invalid Type: 0
    Advertisement Interval: 0
    Address List: 0
  Authentication Errors:
    Invalid Type: 0
    Type Mismatch: 0
    Failure: 0
  Authentication Extension Errors:
    Missing: 0
    Malformed: 0
    Unknown Key: 0
    Invalid HMAC: 0
    Stale: 0
    Replay: 0
  Priority Zero:
    Received: 0
    Sent: 0
";

#[test]
fn statistics_begin_as_keepalives_do() {
    let text = keepalived_surface::statistics(&snapshot());
    assert!(text.starts_with(STATISTICS), "{text}");
}

const DATA: &[&str] = &[
    " Router ID = labB",
    "------< VRRP Topology >------",
    " VRRP Instance = V2",
    "   VRRP Version = 2",
    "   State = MASTER",
    "   Wantstate = MASTER",
    "   Master down timer = 3609375 usecs",
    "   Interface = e0",
    "   Using src_ip = 10.5.0.1",
    "   Gratuitous ARP delay = 5",
    "   Gratuitous ARP repeat = 5",
    "   Gratuitous ARP refresh = 0",
    "   Gratuitous ARP refresh repeat = 1",
    "   Gratuitous ARP lower priority delay = 5",
    "   Gratuitous ARP lower priority repeat = 5",
    "   Down timer adverts = 3",
    "   Send advert after receive lower priority advert = true",
    "   Send advert after receive higher priority advert = false",
    "   Virtual Router ID = 52",
    "   Priority = 100",
    "   Effective priority = 100",
    "   Total priority = 100",
    "   Advert interval = 1 sec",
    "   Accept = enabled",
    "   Preempt = enabled",
    "   Promote_secondaries = disabled",
    "   Authentication type = none",
    "   Virtual IP (1):",
    "     10.5.0.110/24 dev e0 scope global set",
];

#[test]
fn data_has_keepalives_lines_in_keepalives_order() {
    let text = keepalived_surface::data(&snapshot());
    let mut lines = text.lines();
    for expected in DATA {
        assert!(lines.any(|line| line == *expected), "{expected:?} is missing, or out of order, in\n{text}");
    }
    assert!(text.contains("   Last transition = 1795235391.706373"), "{text}");
}

/// Trackers of V1 in p6, followed by V2 here.
const TRACKERS: &[&str] = &[
    " VRRP Instance = V2",
    "   Tracked scripts :",
    "     chk weight 10",
    "   Tracked files :",
    "     tf, weight 1",
    "   Tracked processes :",
    "     tp, weight 5",
    "------< VRRP Scripts >------",
    " VRRP Script = chk",
    "   Command = '/etc/keepalived/sh2.sh'",
    "   Interval = 1 sec",
    "   Timeout = 0 sec",
    "   Weight = 10",
    "   Rise = 1",
    "   Fall = 1",
    "   Result = 1",
    "   Insecure = no",
    "   Status = GOOD",
    "   Tracking instances :",
    "     V2, weight 10",
    "------< VRRP Track files >------",
    " Track file = tf",
    "   File = /run/tfv",
    "   Status = 7",
    "   Weight = 1",
    "   Tracking instances :",
    "     V2, weight 1",
    "------< VRRP Track processes >------",
    " VRRP Track process = tp",
    "   Process = sleep",
    "   Parameters = 777",
    "   Min processes = 1",
    "   Current processes = 0",
    "   Have quorum = false",
    "   Weight = 5",
    "   Terminate delay = 0.000000s",
    "   Fork delay = 0.000000s",
    "   Full command = true",
    "   Tracking instances :",
    "     V2, weight 5",
];

fn trackers() -> Vec<TrackerView> {
    let weight = |value| Weight { value, reverse: false };
    let tracker = |kind, name: &str, settings, value, state, detail| TrackerView {
        id: TrackerId::new(kind, name),
        settings,
        state,
        since: UNIX_EPOCH + Duration::from_secs(5),
        detail,
        followers: vec![FollowerView { instance: "V2".into(), weight: weight(value) }],
    };
    let second = Duration::from_secs(1);
    let script = TrackerSettings::Script {
        command: "'/etc/keepalived/sh2.sh'".into(),
        interval: second,
        timeout: second,
        weight: weight(10),
        rise: 1,
        fall: 1,
    };
    let file = TrackerSettings::File { path: "/run/tfv".into(), weight: weight(1) };
    let process = TrackerSettings::Process {
        process: "sleep".into(),
        parameters: vec!["777".into()],
        weight: weight(5),
        quorum: 1,
        quorum_max: None,
        terminate_delay: Duration::ZERO,
        fork_delay: Duration::ZERO,
        full_command: true,
    };
    let succeeded = Detail::Words("exited with status 0".into());
    let none = Detail::Processes { count: 0, kernel_tells: true };
    vec![
        tracker(TrackerKind::Script, "chk", script, 10, TrackerState::Up, succeeded),
        tracker(TrackerKind::File, "tf", file, 1, TrackerState::Number(7), Detail::Nothing),
        tracker(TrackerKind::Process, "tp", process, 5, TrackerState::Down, none),
    ]
}

#[test]
fn data_has_keepalives_lines_about_trackers() {
    let mut snapshot = snapshot();
    snapshot.vrrp.trackers = trackers();
    snapshot.vrrp.journal.push(Record {
        at: UNIX_EPOCH + Duration::from_secs(5),
        subject: Subject::Tracker(TrackerId::new(TrackerKind::Script, "chk")),
        event: Event::Tracked {
            before: TrackerState::Down,
            state: TrackerState::Up,
            detail: Detail::Words("exited with status 0".into()),
        },
    });
    let text = keepalived_surface::data(&snapshot);
    let mut lines = text.lines();
    for expected in TRACKERS {
        assert!(lines.any(|line| line == *expected), "{expected:?} is missing, or out of order, in\n{text}");
    }
    for ours in [
        "   Last result = exited with status 0",
        "   Last transition = 5.000000",
        "   Processes are told by = kernel",
        " 5.000000 script chk: down -> up: exited with status 0",
    ] {
        assert!(text.lines().any(|line| line == ours), "{ours:?} is missing in\n{text}");
    }
}

#[test]
fn data_tells_what_happened_and_why() {
    let mut snapshot = snapshot();
    snapshot.vrrp.journal.push(Record {
        at: UNIX_EPOCH + Duration::from_secs(5),
        subject: Subject::Instance("V2".into()),
        event: Event::Transition(Transition {
            at: Instant::ZERO,
            from: State::Backup,
            to: State::Master,
            cause: Cause::MasterLeft { master: IpAddr::from([10, 5, 0, 2]) },
            priority: Priority::DEFAULT,
        }),
    });
    let text = keepalived_surface::data(&snapshot);
    assert!(
        text.contains(" 5.000000 (V2) BACKUP -> MASTER, priority 100: 10.5.0.2 said farewell (priority 0)\n"),
        "{text}"
    );
}

// ours: keepalived does not look for it
#[test]
fn data_tells_who_has_an_address_of_ours_too() {
    let mut snapshot = snapshot();
    let holder = Mac([2, 0, 0, 0, 0, 9]);
    snapshot.vrrp.instances[0].addresses[0].also_on = Some(holder);
    let address = snapshot.vrrp.instances[0].addresses[0].line.address;
    let interface = InterfaceName::new(b"eth0").unwrap();
    let event = Event::Duplicate { address, interface, holder };
    snapshot.vrrp.journal.push(Record { at: UNIX_EPOCH, subject: Subject::Instance("V2".into()), event });
    let text = keepalived_surface::data(&snapshot);
    assert!(text.contains(" set also on 02:00:00:00:00:09\n"), "{text}");
    assert!(text.contains(" 0.000000 (V2) 10.5.0.110 is on 02:00:00:00:00:09, too (eth0)\n"), "{text}");
}

#[test]
fn data_tells_what_happened_to_servers_and_why() {
    let service =
        ServiceView { name: "[10.0.0.1]:tcp:80".into(), quorum_up: false, quorum: 1, ..ServiceView::default() };
    let mut snapshot = Snapshot::default();
    snapshot.balance.services.push(service);
    let of = || "[10.0.0.1]:tcp:80".to_owned();
    let record = |seconds, subject, event| Record { at: UNIX_EPOCH + Duration::from_secs(seconds), subject, event };
    let server = Subject::RealServer { server: "[10.0.1.1]:tcp:80".into(), of: of() };
    snapshot.balance.journal.push(record(5, server, Event::Down("connection refused".into())));
    snapshot.balance.journal.push(record(6, Subject::VirtualServer(of()), Event::QuorumLost(0)));
    let text = keepalived_surface::checker_data(&snapshot);
    assert!(text.contains(" 5.000000 VS [10.0.0.1]:tcp:80 [10.0.1.1]:tcp:80: down: connection refused\n"), "{text}");
    assert!(text.contains(" 6.000000 VS [10.0.0.1]:tcp:80: quorum lost with a weight of 0\n"), "{text}");
}

#[test]
fn json_has_keepalives_keys() {
    let text = keepalived_surface::json(&snapshot(), 1);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let data = document[0]["data"].as_object().unwrap();
    let keys = "iname dont_track_primary skip_check_adv_addr strict_mode vmac_ifname ifp_ifname master_priority \
                last_transition garp_delay garp_refresh garp_rep garp_refresh_rep garp_lower_prio_delay \
                garp_lower_prio_rep lower_prio_no_advert higher_prio_send_advert vrid base_priority \
                effective_priority vipset promote_secondaries adver_int master_adver_int accept nopreempt \
                preempt_delay state wantstate version smtp_alert notify_deleted vips auth_type";
    let mut expected: Vec<&str> = keys.split_whitespace().collect();
    expected.sort_unstable();
    let mut found: Vec<&str> = data.keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(data["vips"][0], "10.5.0.110/24 dev e0 scope global set");
    assert_eq!((data["state"].as_u64(), data["vrid"].as_u64()), (Some(2), Some(52)));
    assert_eq!(document[0]["stats"]["advert_sent"], 7);
    let second: serde_json::Value = serde_json::from_str(&keepalived_surface::json(&snapshot(), 2)).unwrap();
    assert_eq!(second["vrrp"][0]["data"]["iname"], "V2");
}

const NOW: Duration = Duration::from_secs(1_795_235_400);

#[test]
fn links_routes_and_rules_are_shown_and_what_a_master_lacks_is_a_problem() {
    let mut snapshot = snapshot();
    let object = |kind, what: &str, set| ObjectView { kind, what: what.to_owned(), set };
    snapshot.vrrp.instances[0].objects = vec![
        object(ObjectKind::Link, "vrrp.52 on e0", true),
        object(ObjectKind::Route, "10.0.0.0/8 via 10.5.0.254", false),
        object(ObjectKind::Rule, "100: from 10.0.0.0/8 lookup 5", true),
    ];
    let latest = Latest::default();
    let scene = Scene { snapshot: &snapshot, latest: &latest, now: UNIX_EPOCH + NOW, ahead: 0 };
    let said: Vec<String> = problems(&scene).into_iter().map(|problem| problem.what).collect();
    assert_eq!(said, ["V2 is MASTER, and route 10.0.0.0/8 via 10.5.0.254 cannot be set"]);
    let text = why(&scene, "V2", Look::default()).unwrap();
    assert!(
        text.contains("  route 10.0.0.0/8 via 10.5.0.254 not here\n  rule 100: from 10.0.0.0/8 lookup 5 in place here")
    );
    let document: serde_json::Value = serde_json::from_str(&document(&scene)).unwrap();
    assert_eq!(document["instances"][0]["objects"][1]["set"], false);
    assert_eq!(document["instances"][0]["objects"][0]["what"], "vrrp.52 on e0");
}

#[test]
fn an_instance_that_waits_for_a_first_result_says_so() {
    let mut snapshot = snapshot();
    snapshot.vrrp.instances[0].state = State::Init;
    let follower = |value| FollowerView { instance: "V2".into(), weight: Weight { value, reverse: false } };
    let tracker = |name: &str, value| TrackerView {
        id: TrackerId::new(TrackerKind::Probe, name.to_owned()),
        settings: TrackerSettings::Plain,
        state: TrackerState::Initial,
        since: UNIX_EPOCH,
        detail: Detail::Nothing,
        followers: vec![follower(value)],
    };
    // one with a weight is not waited for
    snapshot.vrrp.trackers = vec![tracker("gw", 0), tracker("other", 10)];
    let latest = Latest::default();
    let scene = Scene { snapshot: &snapshot, latest: &latest, now: UNIX_EPOCH + NOW, ahead: 0 };
    let said: Vec<String> = problems(&scene).into_iter().map(|problem| problem.what).collect();
    assert_eq!(said, [format!("V2 does not start before {} has a first result", snapshot.vrrp.trackers[0].id)]);
    assert!(why(&scene, "V2", Look::default()).unwrap().contains("has its first result"));
    let document: serde_json::Value = serde_json::from_str(&document(&scene)).unwrap();
    assert_eq!(document["instances"][0]["waits_for"].as_array().map(Vec::len), Some(1));
}
