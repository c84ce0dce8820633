//! Expected: keepalived 2.4.3 as read (shared/reference/interfaces.md section 10) and its introspection files.

use std::path::Path;
use std::time::{Duration, SystemTime};

use keepalived_config::AnyInterface;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{AuthenticationKind, Counters, Faults, Priority, Settings, Version, Vrid};
use keepalived_state::InstanceView;

use super::*;

const TEXT: &str = "vrrp_instance A {\n interface eth0.5\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.1\n }\n}\n\
                    vrrp_instance B {\n interface eth1\n virtual_router_id 52\n virtual_ipaddress {\n fe80::1\n }\n}\n\
                    vrrp_instance C {\n virtual_router_id 53\n unicast_src_ip 192.0.2.9\n unicast_peer {\n 192.0.2.8\n }\n virtual_ipaddress {\n 192.0.2.3 dev eth0\n }\n}\n";

const A: &str = "/org/keepalived/Vrrp1/Instance/eth0_5/51/IPv4";
const B: &str = "/org/keepalived/Vrrp1/Instance/eth1/52/IPv6";

fn config(text: &str) -> Config {
    let source = keepalived_config::MemorySource::one("/k.conf", text);
    keepalived_config::load(&source, Path::new("/k.conf"), &AnyInterface).config
}

fn objects(text: &str) -> Objects {
    Objects::new(&config(text), &Snapshot::default())
}

fn view(name: &str, state: State) -> InstanceView {
    InstanceView {
        name: name.to_owned(),
        settings: Settings::new(Vrid::new(51).unwrap(), Version::V3, Family::V4),
        state,
        since: SystemTime::UNIX_EPOCH,
        faults: Faults::NONE,
        interface: None,
        source: None,
        group: None,
        peers: vec![],
        effective_priority: Priority::DEFAULT,
        total_priority: 100,
        master: None,
        master_down_time: Duration::from_secs(3),
        accept: true,
        authentication: AuthenticationKind::None,
        dont_track_primary: false,
        promote_secondaries: false,
        addresses: vec![],
        excluded_addresses: vec![],
        objects: vec![],
        counters: Counters::default(),
        times: keepalived_state::PacketTimes::default(),
    }
}

fn record(name: &str, from: State, to: State, cause: Cause) -> Record {
    let priority = Priority::new(100).unwrap();
    let event = Event::Transition(Transition { at: Instant::ZERO, from, to, cause, priority });
    Record { at: SystemTime::UNIX_EPOCH, subject: Subject::Instance(name.to_owned()), event }
}

fn ask(objects: &Objects, path: &str, interface: &str, member: &str, texts: &[&str]) -> Answer {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let signature = "s".repeat(texts.len());
    let interface = Some(interface).filter(|name| !name.is_empty());
    objects.answer(&Call { path, interface, member, signature: &signature, texts: &texts })
}

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal, _) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn objects_are_where_keepalived_has_them() {
    let mut seen = objects(TEXT);
    let states = seen.greet();
    let paths: Vec<_> = states.iter().map(|signal| (signal.path.as_str(), signal.name, signal.state)).collect();
    let none = "/org/keepalived/Vrrp1/Instance/none/53/IPv4";
    assert_eq!(
        paths,
        [
            ("/org/keepalived/Vrrp1/Vrrp", "VrrpStarted", None),
            (A, "VrrpStatusChange", Some(0)),
            (B, "VrrpStatusChange", Some(0)),
            (none, "VrrpStatusChange", Some(0)),
        ]
    );
    let globals = "net_namespace blue\ninstance one\nglobal_defs {\n dbus_no_interface_name no-if\n}\n";
    seen.configure(&config(&format!("{globals}{TEXT}")));
    let reloaded = seen.reloaded();
    assert_eq!((reloaded.path.as_str(), reloaded.name), ("/org/keepalived/Vrrp1/blue/one/Vrrp", "VrrpReloaded"));
    let paths: Vec<_> =
        seen.names.keys().map(|path| path.trim_start_matches("/org/keepalived/Vrrp1/blue/one")).collect();
    assert_eq!(paths, ["/Instance/eth0_5/51/IPv4", "/Instance/eth1/52/IPv6", "/Instance/no_if/53/IPv4"]);
}

#[test]
fn an_instance_says_its_name_and_its_state() {
    let mut seen = objects(TEXT);
    let state = |seen: &Objects| ask(seen, A, PROPERTIES, "Get", &[INSTANCE, "State"]);
    assert_eq!(state(&seen), Answer::Property(Property::State(0, "Init")));
    let signal = seen.record(&record("A", State::Backup, State::Master, Cause::Started)).unwrap();
    assert_eq!((signal.path.as_str(), signal.state), (A, Some(2)));
    assert_eq!(state(&seen), Answer::Property(Property::State(2, "Master")));
    let name = Property::Name("A".to_owned());
    assert_eq!(ask(&seen, A, PROPERTIES, "Get", &[INSTANCE, "Name"]), Answer::Property(name.clone()));
    let all = Answer::Properties(vec![("Name", name), ("State", Property::State(2, "Master"))]);
    assert_eq!(ask(&seen, A, PROPERTIES, "GetAll", &[INSTANCE]), all);
    assert_eq!(refusal(ask(&seen, A, PROPERTIES, "Get", &[INSTANCE, "Nothing"])), Refusal::Property);
    assert_eq!(refusal(ask(&seen, A, PROPERTIES, "Get", &["x.y", "State"])), Refusal::Interface);
    assert_eq!(refusal(ask(&seen, A, PROPERTIES, "Get", &[INSTANCE])), Refusal::Arguments);
    assert_eq!(refusal(ask(&seen, "/org/keepalived/Vrrp1", PROPERTIES, "GetAll", &[VRRP])), Refusal::Interface);
}

#[test]
fn methods_are_changes() {
    let seen = objects(TEXT);
    let daemon = "/org/keepalived/Vrrp1/Vrrp";
    for (member, change) in [
        ("PrintData", Change::PrintData),
        ("PrintStats", Change::PrintStatistics { clear: false }),
        ("PrintStatsClear", Change::PrintStatistics { clear: true }),
        ("ReloadConfig", Change::Reload),
    ] {
        assert_eq!(ask(&seen, daemon, VRRP, member, &[]), Answer::Change(change.clone()));
        // a message need not name the interface
        assert_eq!(ask(&seen, daemon, "", member, &[]), Answer::Change(change));
        assert_eq!(refusal(ask(&seen, A, VRRP, member, &[])), Refusal::Interface);
        assert_eq!(refusal(ask(&seen, daemon, VRRP, member, &["x"])), Refusal::Arguments);
    }
    let garp = Answer::Change(Change::Garp { instance: "B".to_owned() });
    assert_eq!(ask(&seen, B, INSTANCE, "SendGarp", &[]), garp);
    assert_eq!(refusal(ask(&seen, B, INSTANCE, "Nothing", &[])), Refusal::Method);
    assert_eq!(
        refusal(ask(&seen, "/org/keepalived/Vrrp1/Instance/eth1/53/IPv6", INSTANCE, "SendGarp", &[])),
        Refusal::Object
    );
}

#[test]
fn every_place_can_be_looked_into() {
    let seen = objects(TEXT);
    let children = |path: &str| {
        let Answer::Text(text) = ask(&seen, path, INTROSPECTABLE, "Introspect", &[]) else { panic!("{path}") };
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("<node name=\"")?.strip_suffix("\"/>"));
        (names.map(str::to_owned).collect::<Vec<_>>(), text.contains(VRRP), text.contains(INSTANCE))
    };
    let inner = |names: &[&str]| (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), false, false);
    assert_eq!(children("/"), inner(&["org"]));
    assert_eq!(children("/org/keepalived/Vrrp1"), inner(&["Instance", "Vrrp"]));
    assert_eq!(children("/org/keepalived/Vrrp1/Instance"), inner(&["eth0_5", "eth1", "none"]));
    assert_eq!(children("/org/keepalived/Vrrp1/Vrrp"), (Vec::new(), true, false));
    assert_eq!(children(A), (Vec::new(), false, true));
    assert_eq!(refusal(ask(&seen, "/org/keepalived/Vrrp", INTROSPECTABLE, "Introspect", &[])), Refusal::Object);
}

#[test]
fn what_a_reload_takes_away_says_fault_or_deleted() {
    let with = |more: &str| TEXT.replace("virtual_router_id 51\n", &format!("virtual_router_id 51\n {more}\n"));
    let without = TEXT.split_once("vrrp_instance B").map(|(_, rest)| format!("vrrp_instance B{rest}")).unwrap();
    let removed = |from| record("A", from, State::Stopped, Cause::Removed);
    for (more, from, said) in
        [("", State::Master, Some(3)), ("", State::Fault, None), ("notify_deleted", State::Fault, Some(97))]
    {
        // its process and the configuration may come in any order
        let mut first = objects(&with(more));
        let signal = first.record(&removed(from));
        assert_eq!(signal.and_then(|signal| signal.state), said, "{more}");
        let mut second = objects(&with(more));
        second.configure(&config(&without));
        let signal = second.record(&removed(from));
        assert_eq!(signal.as_ref().and_then(|signal| signal.state), said, "{more}");
        assert!(signal.is_none_or(|signal| signal.path == A));
        assert_eq!(refusal(ask(&second, A, INSTANCE, "SendGarp", &[])), Refusal::Object);
    }
    let mut stopped = objects(TEXT);
    let signal = stopped.record(&record("A", State::Master, State::Stopped, Cause::Stopped)).unwrap();
    assert_eq!(signal.state, Some(98));
    assert_eq!(stopped.farewell().name, "VrrpStopped");
}

#[test]
fn a_snapshot_tells_what_no_record_told() {
    let mut seen = objects(TEXT);
    let mut snapshot = Snapshot::default();
    snapshot.vrrp.instances.push(view("A", State::Master));
    let signals = seen.replace(&snapshot);
    assert_eq!(signals.iter().map(|signal| (signal.path.as_str(), signal.state)).collect::<Vec<_>>(), [(A, Some(2))]);
    assert!(seen.replace(&snapshot).is_empty());
}
