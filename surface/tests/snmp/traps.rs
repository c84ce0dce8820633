//! Which notifications are sent, and what they say: as keepalived 2.4.3's code has it (vrrp_snmp.c, check_snmp.c).

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, UNIX_EPOCH};

use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Cause, Faults, Priority, State, Transition};
use keepalived_state::{Event, Record, Subject};
use keepalived_surface::snmp::codec::Body;
use keepalived_surface::snmp::{AuthenticationError, Effect, Trees};

use crate::scene::Scene;
use crate::wire::{Master, NOW, everything, response, sent, shown};

/// Notifications among effects, a line each.
fn traps(effects: &[Effect]) -> Vec<String> {
    let trap = |body| match body {
        Body::Notify(binds) => {
            let lines: Vec<_> = binds.iter().map(|bind| format!("{}={}", bind.name, shown(&bind.value))).collect();
            Some(lines.join(" ").replace(".1.3.6.1.4.1.9586.100.5.", "K."))
        }
        _ => None,
    };
    sent(effects).into_iter().filter_map(|pdu| trap(pdu.body)).collect()
}

fn transition(instance: &str, from: State, to: State, cause: Cause) -> Record {
    let transition = Transition { at: Instant::ZERO, from, to, cause, priority: Priority::DEFAULT };
    record(Subject::Instance(instance.into()), Event::Transition(transition))
}

fn record(subject: Subject, event: Event) -> Record {
    Record { at: UNIX_EPOCH, subject, event }
}

fn told(trees: Trees, record: &Record) -> Vec<String> {
    let mut master = Master::new(Scene::observed(), trees);
    let mut out = Vec::new();
    master.agent.record(master.scene.world(), record, &mut out);
    traps(&out)
}

const SILENT: Cause = Cause::MasterSilent { master: None, silence: Duration::from_secs(3) };
const KIND: &str = ".1.3.6.1.6.3.1.1.4.1.0=ObjectIdentifier(";

#[test]
fn a_new_master_is_told_of_in_three_ways() {
    assert_eq!(
        told(everything(), &transition("V1", State::Backup, State::Master, SILENT)),
        [
            format!(
                "{KIND}K.2.10.0.2) K.2.3.1.2=STRING: \"V1\" K.2.3.1.4=INTEGER: 2 K.2.3.1.5=INTEGER: 1 \
                 K.1.2.0=STRING: \"labB\""
            ),
            format!("{KIND}.1.3.6.1.2.1.68.0.1) .1.3.6.1.2.1.68.1.3.1.7.3.51=IpAddress: 10.5.0.1"),
            format!(
                "{KIND}.1.3.6.1.2.1.207.0.1) .1.3.6.1.2.1.207.1.1.1.1.3.3.51.1=Hex-STRING: 0A 05 00 01 \
                 .1.3.6.1.2.1.207.1.2.5.1.2.3.51.1=INTEGER: 3"
            ),
        ]
    );
}

/// RFC 2787 has no instances of version 3.
#[test]
fn each_mib_has_its_instances_only() {
    let record = transition("V3", State::Backup, State::Master, SILENT);
    assert_eq!(told(Trees { rfc2787: true, traps: true, ..Trees::default() }, &record), Vec::<String>::new());
    assert_eq!(told(Trees { rfc6527: true, traps: true, ..Trees::default() }, &record).len(), 1);
}

/// `fault(3)`, `shutdown(5)` and `deleted(6)`.
#[test]
fn other_states_are_told_by_keepaliveds_mib_only() {
    let state = |to, cause| {
        let traps = told(everything(), &transition("V2", State::Master, to, cause));
        assert_eq!(traps.len(), 1, "{traps:?}");
        let at = traps[0].find("K.2.3.1.4=INTEGER: ").unwrap();
        traps[0][at + 19..at + 20].to_owned()
    };
    assert_eq!(state(State::Backup, Cause::HigherClaim { by: IpAddr::from([10, 5, 0, 2]), priority: 200 }), "1");
    assert_eq!(state(State::Fault, Cause::Fault(Faults::NONE)), "3");
    assert_eq!(state(State::Stopped, Cause::Stopped), "5");
    assert_eq!(state(State::Stopped, Cause::Removed), "6");
}

/// `priority(1)` after a farewell, `preempted(2)`, `masterNoResponse(3)`: as keepalived's next_master_reason.
#[test]
fn the_reason_of_a_new_master_is_remembered() {
    let mut master = Master::new(Scene::observed(), everything());
    let reason = "1.3.6.1.2.1.207.1.2.5.1.2.3.53.1";
    let other = IpAddr::from([10, 5, 0, 2]);
    let causes = [
        (Cause::MasterLeft { master: other }, "INTEGER: 1"),
        (Cause::Preempted { master: other, priority: 50 }, "INTEGER: 2"),
        (SILENT, "INTEGER: 3"),
    ];
    for (cause, expected) in causes {
        let record = transition("V3", State::Backup, State::Master, cause);
        master.agent.record(master.scene.world(), &record, &mut Vec::new());
        assert_eq!(shown(&master.get(reason)), expected);
    }
}

#[test]
fn without_enable_traps_none_is_sent() {
    let record = transition("V1", State::Backup, State::Master, SILENT);
    assert_eq!(told(Trees { traps: false, ..everything() }, &record), Vec::<String>::new());
}

#[test]
fn a_group_is_told_of_when_its_members_have_changed() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    master.agent.update(master.scene.world(), &mut out);
    assert_eq!(traps(&out), Vec::<String>::new());
    master.scene.snapshot.vrrp.instances[1].state = State::Backup;
    master.agent.update(master.scene.world(), &mut out);
    let expected = format!("{KIND}K.2.10.0.1) K.2.1.1.2=STRING: \"SG\" K.2.1.1.3=INTEGER: 1 K.1.2.0=STRING: \"labB\"");
    assert_eq!(traps(&out), [expected]);
}

#[test]
fn a_refused_advert_is_told_of_with_what_is_wrong_with_it() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    master.scene.snapshot.vrrp.instances[2].counters.ip_ttl_err = 1;
    master.agent.update(master.scene.world(), &mut out);
    let name = ".1.3.6.1.2.1.207.1.2.5.1.6.3.53.1";
    assert_eq!(traps(&out), [format!("{KIND}.1.3.6.1.2.1.207.0.2) {name}=INTEGER: 1")]);
    assert_eq!(shown(&master.get(name)), "INTEGER: 1");
    out.clear();
    master.agent.update(master.scene.world(), &mut out);
    assert_eq!(traps(&out), Vec::<String>::new(), "once");
    let refused = (Ipv4Addr::new(10, 5, 0, 66), AuthenticationError::TypeMismatch);
    master.agent.authentication_failed(master.scene.world(), "V1", refused, &mut out);
    let index = ".1.3.6.1.2.1.68.1";
    assert_eq!(
        traps(&out),
        [format!("{KIND}.1.3.6.1.2.1.68.0.2) {index}.5.3.51=IpAddress: 10.5.0.66 {index}.6.3.51=INTEGER: 2")]
    );
}

#[test]
fn a_real_server_and_a_quorum_are_told_of() {
    let scene = Scene::observed();
    let of = scene.snapshot.balance.services[0].name.clone();
    let server = scene.snapshot.balance.services[0].servers[1].name.clone();
    let service = "K.3.3.1.2=INTEGER: 2 K.3.3.1.5=INTEGER: 1 K.3.3.1.6=Hex-STRING: 0A 00 00 01 K.3.3.1.7=Gauge32: 80 \
                   K.3.3.1.8=INTEGER: 1";
    assert_eq!(
        told(everything(), &record(Subject::RealServer { server, of: of.clone() }, Event::Down("refused".into()))),
        [format!(
            "{KIND}K.3.5.0.1) K.3.4.1.3=INTEGER: 1 K.3.4.1.4=Hex-STRING: 0A 01 00 02 K.3.4.1.5=Gauge32: 80 \
             K.3.4.1.6=INTEGER: 2 {service} K.3.3.1.21=Gauge32: 1 K.3.3.1.20=Gauge32: 2 K.1.2.0=STRING: \"labB\""
        )]
    );
    assert_eq!(
        told(everything(), &record(Subject::VirtualServer(of), Event::QuorumLost(0))),
        [format!(
            "{KIND}K.3.5.0.2) {service} K.3.3.1.23=INTEGER: 2 K.3.3.1.22=Gauge32: 1 K.3.3.1.21=Gauge32: 2 \
             K.3.3.1.20=Gauge32: 2 K.1.2.0=STRING: \"labB\""
        )]
    );
}

#[test]
fn traps_wait_for_a_master() {
    let mut master = Master::new(Scene::observed(), Trees { vrrp: true, traps: true, ..Trees::default() });
    let mut out = Vec::new();
    master.agent.lost(NOW, "gone", &mut out);
    for _ in 0..300 {
        let record = transition("V1", State::Backup, State::Master, SILENT);
        master.agent.record(master.scene.world(), &record, &mut out);
    }
    assert_eq!(traps(&out), Vec::<String>::new());
    out.clear();
    master.agent.connected(NOW, &mut out);
    let open = sent(&out).remove(0);
    out.clear();
    master.agent.receive(NOW, &response(&open, 0), master.scene.world(), &mut out);
    assert_eq!(traps(&out).len(), 256, "the oldest make room");
}

/// The view of a vrrp process that begins anew is empty for a moment.
#[test]
fn a_view_that_begins_anew_is_no_change() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    let up = ".1.3.6.1.2.1.207.1.1.1.1.12.3.53.1";
    let before = shown(&master.get(up));
    let instances = std::mem::take(&mut master.scene.snapshot.vrrp.instances);
    master.agent.update(master.scene.world(), &mut out);
    master.scene.snapshot.vrrp.instances = instances;
    for view in &mut master.scene.snapshot.vrrp.instances {
        view.since = master.scene.now;
    }
    master.agent.update(master.scene.world(), &mut out);
    assert_eq!(traps(&out), Vec::<String>::new());
    assert_eq!(shown(&master.get(up)), before);
}
