//! The session with a master (RFC 2741 §7).

use std::time::Duration;

use keepalived_core::vrrp::Priority;
use keepalived_surface::snmp::codec::{Body, Pdu, Range};
use keepalived_surface::snmp::{Agent, Effect, MOST_UNSENT, Note, Oid, Trees, Value, VarBind, Write};

use crate::scene::Scene;
use crate::wire::{Master, NOW, SESSION, decode, everything, response, sent};

const INSTANCES: &str = "1.3.6.1.4.1.9586.100.5.2.3.1";
const SERVERS: &str = "1.3.6.1.4.1.9586.100.5.3.4.1";

#[test]
fn a_session_is_opened_and_every_tree_is_registered() {
    let scene = Scene::observed();
    let mut agent = Agent::new(NOW, everything());
    let mut out = Vec::new();
    agent.handle_timeout(NOW, &mut out);
    assert_eq!(out, [Effect::Connect]);
    out.clear();
    agent.connected(NOW, &mut out);
    let open = sent(&out).remove(0);
    assert!(matches!(&open.body, Body::Open { id, .. } if id.is_null()), "{open:?}");
    out.clear();
    // RFC 2741 §7.1.1: the response says which session it is
    agent.receive(NOW, &response(&open, 0), scene.world(), &mut out);
    let pdus = sent(&out);
    assert!(pdus.iter().all(|pdu| pdu.session == SESSION));
    let subtrees: Vec<_> = pdus
        .iter()
        .filter_map(|pdu| match &pdu.body {
            Body::Register { subtree, priority: 127, range: 0, .. } => Some(subtree.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        subtrees,
        [
            ".1.3.6.1.4.1.9586.100.5.1",
            ".1.3.6.1.4.1.9586.100.5.2",
            ".1.3.6.1.4.1.9586.100.5.3",
            ".1.3.6.1.2.1.68",
            ".1.3.6.1.2.1.207"
        ]
    );
    assert!(agent.is_ready());
}

/// keepalived's `enable_snmp_*`: the tree of the whole daemon comes with either part of KEEPALIVED-MIB, and only with that.
#[test]
fn only_what_is_enabled_is_served() {
    let mut master = Master::new(Scene::observed(), Trees { rfc2787: true, ..Trees::default() });
    assert!(master.walk("1.3.6.1.4.1.9586").is_empty());
    assert!(master.walk("1.3.6.1.2.1.207").is_empty());
    assert!(!master.walk("1.3.6.1.2.1.68").is_empty());
    let mut master = Master::new(Scene::observed(), Trees { checker: true, ..Trees::default() });
    assert!(!master.walk("1.3.6.1.4.1.9586.100.5.1").is_empty());
    assert!(master.walk("1.3.6.1.4.1.9586.100.5.2").is_empty());
}

#[test]
fn the_configuration_says_what_is_enabled() {
    let of = |text: &str, all| {
        let text = text.replace("enable_snmp_vrrp\n  enable_snmp_checker\n  enable_snmp_rfc\n", "");
        Trees::of(&Scene::of(&text).config, all)
    };
    let p6 = include_str!("p6.conf");
    assert_eq!(Trees::of(&Scene::observed().config, false), Trees { traps: false, ..everything() });
    assert_eq!(of(p6, false), Trees::default());
    assert_eq!(of(p6, true), Trees { traps: false, ..everything() });
    let v3 = p6.replace("json_version 2", "json_version 2\n enable_snmp_rfcv3\n enable_traps");
    assert_eq!(of(&v3, false), Trees { rfc6527: true, traps: true, ..Trees::default() });
    // without virtual servers there is no checker process that could serve them
    let vrrp = format!("{}\n", &p6[..p6.find("virtual_server 10.0.0.1").unwrap()]);
    assert_eq!(of(&vrrp, true), Trees { checker: false, traps: false, ..everything() });
}

/// RFC 2741 §7.2.3.1
#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let mut master = Master::new(Scene::observed(), everything());
    assert_eq!(master.get(&format!("{INSTANCES}.2.1")), Value::OctetString(b"V1".to_vec()));
    assert_eq!(master.get(&format!("{INSTANCES}.2.4")), Value::NoSuchInstance);
    assert_eq!(master.get(&format!("{INSTANCES}.2.1.1")), Value::NoSuchInstance);
    assert_eq!(master.get(&format!("{INSTANCES}.2")), Value::NoSuchInstance);
    assert_eq!(master.get(&format!("{INSTANCES}.1.1")), Value::NoSuchObject);
    assert_eq!(master.get(&format!("{INSTANCES}.99.1")), Value::NoSuchObject);
}

/// RFC 2741 §7.2.3.2: what is found is in the range that was asked for.
#[test]
fn a_search_stays_in_its_range() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut next = |start: &str, included, end: &str| {
        let end = if end.is_empty() { Oid::default() } else { end.parse().unwrap() };
        let range = Range { start: start.parse().unwrap(), included, end };
        let bind = master.ask(Body::GetNext(vec![range])).2.remove(0);
        (bind.value != Value::EndOfMibView).then(|| bind.name.to_string())
    };
    let name = |row: &str| Some(format!(".{INSTANCES}.{row}"));
    assert_eq!(next(&format!("{INSTANCES}.2.1"), false, ""), name("2.2"));
    assert_eq!(next(&format!("{INSTANCES}.2.1"), true, ""), name("2.1"));
    assert_eq!(next(&format!("{INSTANCES}.2.3"), false, ""), name("3.1"));
    assert_eq!(next(&format!("{INSTANCES}.2.3"), false, &format!("{INSTANCES}.3")), None);
    assert_eq!(next(&format!("{INSTANCES}.2.1"), false, &format!("{INSTANCES}.2.2")), None);
    assert_eq!(next(&format!("{INSTANCES}.2"), true, ""), name("2.1"));
    assert_eq!(next("1.3.6.1.2.1.207.2", false, "").as_deref(), Some(".1.3.6.1.4.1.9586.100.5.1.1.0"));
    assert_eq!(next("1.3.6.1.4.1.9586.100.6", false, ""), None);
}

/// RFC 2741 §7.2.3.3
#[test]
fn a_bulk_request_repeats_what_it_is_told_to() {
    let mut master = Master::new(Scene::observed(), everything());
    let range = |start: String| Range { start: start.parse().unwrap(), included: false, end: Oid::default() };
    let ranges =
        vec![range(format!("{INSTANCES}.7")), range(format!("{INSTANCES}.2")), range(format!("{INSTANCES}.3"))];
    let (error, _, binds) = master.ask(Body::GetBulk { non_repeaters: 1, max_repetitions: 3, ranges });
    assert_eq!(error, 0);
    let names: Vec<_> = binds.iter().map(|bind| bind.name.to_string().replace(&format!(".{INSTANCES}."), "")).collect();
    assert_eq!(names, ["7.1", "2.1", "3.1", "2.2", "3.2", "2.3", "3.3"]);
}

#[test]
fn a_bulk_request_gets_no_more_than_fits() {
    let mut master = Master::new(Scene::observed(), everything());
    let range = Range { start: "1.3.6.1".parse().unwrap(), included: false, end: Oid::default() };
    let ranges = vec![range; 100];
    let (_, _, binds) = master.ask(Body::GetBulk { non_repeaters: 0, max_repetitions: u16::MAX, ranges });
    assert!(binds.len() < 3_000, "{}", binds.len());
    assert_eq!(binds.len() % 100, 0);
}

#[test]
fn a_set_is_carried_out_when_it_is_committed() {
    let mut master = Master::new(Scene::observed(), everything());
    assert_eq!(master.set(&format!("{INSTANCES}.7.1"), Value::Integer(150)), 0);
    assert_eq!(master.writes, [], "a test changes nothing");
    assert_eq!(master.ask(Body::CommitSet).0, 0);
    let write = |priority| Write::BasePriority { instance: "V1".into(), priority: Priority::new(priority).unwrap() };
    assert_eq!(master.writes, [write(150)]);
    // RFC 2741 §7.2.4.3: another sub-agent of the same request failed
    assert_eq!(master.ask(Body::UndoSet).0, 0);
    assert_eq!(master.writes, [write(150), write(100)]);
    assert_eq!(master.set(&format!("{INSTANCES}.7.1"), Value::Integer(150)), 0);
    master.ask(Body::CleanupSet);
    // commitFailed
    assert_eq!(master.ask(Body::CommitSet).0, 14);
}

#[test]
fn what_keepalived_lets_be_set_can_be_set() {
    let mut master = Master::new(Scene::observed(), everything());
    assert_eq!(master.set(&format!("{INSTANCES}.13.2"), Value::Integer(2)), 0);
    assert_eq!(master.ask(Body::CommitSet).0, 0);
    assert_eq!(master.set(&format!("{SERVERS}.7.1.2"), Value::Integer(1_000)), 0);
    assert_eq!(master.ask(Body::CommitSet).0, 0);
    assert_eq!(
        master.writes,
        [
            Write::Preempt { instance: "V2".into(), preempt: false },
            Write::RealServerWeight { service: 0, server: 1, weight: 1_000 }
        ]
    );
}

/// The answers of keepalived 2.2.7, as observed: wrongType 7, wrongValue 10, notWritable 17; and noAccess 6, as its code has it.
#[test]
fn what_cannot_be_set_is_refused() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut set = |oid: String, value| master.set(&oid, value);
    assert_eq!(set(format!("{INSTANCES}.7.1"), Value::Gauge32(150)), 7);
    assert_eq!(set(format!("{INSTANCES}.7.1"), Value::Integer(0)), 10);
    assert_eq!(set(format!("{INSTANCES}.7.1"), Value::Integer(256)), 10);
    assert_eq!(set(format!("{INSTANCES}.7.9"), Value::Integer(100)), 17);
    assert_eq!(set(format!("{INSTANCES}.13.1"), Value::Integer(3)), 10);
    assert_eq!(set(format!("{INSTANCES}.27.3"), Value::Integer(2)), 6);
    assert_eq!(set(format!("{INSTANCES}.27.1"), Value::Integer(2)), 17);
    assert_eq!(set(format!("{INSTANCES}.28.1"), Value::Integer(1)), 17);
    assert_eq!(set(format!("{INSTANCES}.2.1"), Value::OctetString(b"V9".to_vec())), 17);
    assert_eq!(set(format!("{SERVERS}.7.1.1"), Value::Integer(-1)), 10);
    assert_eq!(set(format!("{SERVERS}.7.1.1"), Value::Integer(65_536)), 10);
    assert_eq!(set("1.3.6.1.2.1.68.1.3.1.5.3.51".to_owned(), Value::Integer(100)), 17);
    // one of several: the response says which
    let bind = |oid: String| VarBind { name: oid.parse().unwrap(), value: Value::Integer(1) };
    let binds = vec![bind(format!("{INSTANCES}.13.1")), bind(format!("{INSTANCES}.8.1"))];
    let (error, index, _) = master.ask(Body::TestSet(binds));
    assert_eq!((error, index), (17, 2));
}

#[test]
fn a_sorry_server_has_no_weight_that_could_be_set() {
    let text = include_str!("p6.conf").replace("delay_loop 1\n", "delay_loop 1\n sorry_server 10.1.0.9 80\n");
    let mut master = Master::new(Scene::of(&text), everything());
    assert_eq!(master.get(&format!("{SERVERS}.2.1.1")), Value::Integer(2));
    assert_eq!(master.get(&format!("{SERVERS}.7.1.1")), Value::NoSuchInstance);
    assert_eq!(master.set(&format!("{SERVERS}.7.1.1"), Value::Integer(5)), 17);
    assert_eq!(master.set(&format!("{SERVERS}.7.1.2"), Value::Integer(5)), 0);
    master.ask(Body::CommitSet);
    assert_eq!(master.writes, [Write::RealServerWeight { service: 0, server: 0, weight: 5 }]);
}

/// RFC 2741 §7.1
#[test]
fn what_cannot_be_answered_gets_an_answer_that_says_so() {
    let mut master = Master::new(Scene::observed(), everything());
    let request = |context, body| Pdu { session: SESSION, transaction: 1, packet: 2, context, body }.encode();
    let mut answer = |octets: &[u8]| {
        let mut out = Vec::new();
        master.agent.receive(NOW, octets, master.scene.world(), &mut out);
        match sent(&out).remove(0).body {
            Body::Response { error, .. } => error,
            other => panic!("{other:?}"),
        }
    };
    // unsupportedContext
    assert_eq!(answer(&request(Some(b"other".to_vec()), Body::Get(vec![]))), 262);
    let mut broken = request(None, Body::Get(vec![]));
    broken[1] = 77;
    // parseError
    assert_eq!(answer(&broken), 266);
}

#[test]
fn a_pdu_may_come_octet_by_octet() {
    let mut master = Master::new(Scene::observed(), everything());
    let range = Range { start: format!("{INSTANCES}.2.1").parse().unwrap(), included: false, end: Oid::default() };
    let request = |packet| {
        let body = Body::Get(vec![range.clone()]);
        Pdu { session: SESSION, transaction: 1, packet, context: None, body }.encode()
    };
    let octets = [request(1), request(2)].concat();
    let mut out = Vec::new();
    for octet in &octets {
        master.agent.receive(NOW, &[*octet], master.scene.world(), &mut out);
    }
    assert_eq!(sent(&out).iter().map(|pdu| pdu.packet).collect::<Vec<_>>(), [1, 2]);
    out.clear();
    master.agent.receive(NOW, &octets, master.scene.world(), &mut out);
    assert_eq!(sent(&out).len(), 2);
}

#[test]
fn a_master_that_is_gone_is_looked_for_less_and_less_often() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut now = NOW;
    let mut out = Vec::new();
    let mut pauses = vec![];
    for _ in 0..8 {
        master.agent.lost(now, "connection refused", &mut out);
        pauses.push(master.agent.next_deadline().since(now).as_secs());
        now = master.agent.next_deadline();
        master.agent.handle_timeout(now, &mut out);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
    let notes: Vec<_> = out.iter().filter(|effect| matches!(effect, Effect::Note(_))).collect();
    assert_eq!(notes, [&Effect::Note(Note::Lost("connection refused".into()))], "said once");
    out.clear();
    master.agent.connected(now, &mut out);
    let open = sent(&out).remove(0);
    out.clear();
    master.agent.receive(now, &response(&open, 0), master.scene.world(), &mut out);
    assert!(out.contains(&Effect::Note(Note::Ready)));
    master.agent.lost(now, "it closed", &mut out);
    assert_eq!(master.agent.next_deadline().since(now), Duration::from_secs(1), "a session that worked counts");
}

#[test]
fn a_silent_master_is_asked_and_then_left() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    let now = NOW + Duration::from_secs(60);
    assert_eq!(master.agent.next_deadline(), now);
    master.agent.handle_timeout(now, &mut out);
    assert_eq!(sent(&out).remove(0).body, Body::Ping);
    let ping = sent(&out).remove(0);
    out.clear();
    // it answers
    master.agent.receive(now, &response(&ping, 0), master.scene.world(), &mut out);
    assert_eq!(master.agent.next_deadline(), now + Duration::from_secs(60));
    let now = now + Duration::from_secs(60);
    master.agent.handle_timeout(now, &mut out);
    assert_eq!(master.agent.next_deadline(), now + Duration::from_secs(10));
    out.clear();
    // it does not
    master.agent.handle_timeout(now + Duration::from_secs(10), &mut out);
    assert_eq!(out, [Effect::Disconnect, Effect::Note(Note::Lost("it does not answer".into()))]);
}

#[test]
fn a_master_that_speaks_nonsense_is_left() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    master.agent.receive(NOW, &[9; 40], master.scene.world(), &mut out);
    assert!(matches!(out.as_slice(), [Effect::Disconnect, Effect::Note(Note::Lost(_))]), "{out:?}");
    assert!(!master.agent.is_ready());
}

#[test]
fn a_session_is_closed_at_the_end() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    master.agent.stop(&mut out);
    let [Effect::Send(octets), Effect::Disconnect] = out.as_slice() else { panic!("{out:?}") };
    // reasonShutdown
    assert_eq!(decode(octets).body, Body::Close { reason: 5 });
}

#[test]
fn a_reload_that_asks_for_other_trees_begins_anew() {
    let mut master = Master::new(Scene::observed(), everything());
    let mut out = Vec::new();
    master.agent.configure(NOW, Trees { traps: false, ..everything() }, &mut out);
    assert_eq!(out, [], "traps are no tree");
    master.agent.configure(NOW, Trees { vrrp: true, ..Trees::default() }, &mut out);
    assert!(matches!(out.as_slice(), [Effect::Send(_), Effect::Disconnect]), "{out:?}");
    out.clear();
    master.agent.handle_timeout(NOW, &mut out);
    assert_eq!(out, [Effect::Connect]);
}

#[test]
fn a_master_that_asks_and_does_not_read_is_left() {
    let mut master = Master::new(Scene::observed(), everything());
    let range = Range { start: "1.3.6.1".parse().unwrap(), included: false, end: Oid::default() };
    let body = Body::GetBulk { non_repeaters: 0, max_repetitions: u16::MAX, ranges: vec![range; 4] };
    let request = Pdu { session: SESSION, transaction: 1, packet: 2, context: None, body }.encode();
    let mut out = Vec::new();
    master.agent.receive(NOW, &request.repeat(1_000), master.scene.world(), &mut out);
    let octets: usize = sent(&out).iter().map(|pdu| pdu.encode().len()).sum();
    assert!(octets < MOST_UNSENT + (1 << 20), "{octets}");
    assert!(out.contains(&Effect::Disconnect) && !master.agent.is_ready());
}
