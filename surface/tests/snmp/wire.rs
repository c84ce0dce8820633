//! A master in the test: what it asks, and what the agent answers.

use std::collections::BTreeMap;

use keepalived_core::time::Instant;
use keepalived_surface::snmp::codec::{Body, HEADER, Header, Pdu, Range};
use keepalived_surface::snmp::{Agent, Effect, Oid, Trees, Value, VarBind, Write};

use crate::scene::Scene;

pub(crate) const NOW: Instant = Instant::from_nanos(1_000_000_000);
/// The session that the master gives.
pub(crate) const SESSION: u32 = 7;

pub(crate) struct Master {
    pub(crate) agent: Agent,
    pub(crate) scene: Scene,
    pub(crate) writes: Vec<Write>,
    transaction: u32,
}

pub(crate) fn everything() -> Trees {
    Trees { vrrp: true, checker: true, rfc2787: true, rfc6527: true, traps: true }
}

/// The PDUs among effects.
pub(crate) fn sent(effects: &[Effect]) -> Vec<Pdu> {
    let octets = effects.iter().filter_map(|effect| match effect {
        Effect::Send(octets) => Some(octets),
        _ => None,
    });
    octets.map(|octets| decode(octets)).collect()
}

pub(crate) fn decode(octets: &[u8]) -> Pdu {
    let (header, payload) = octets.split_first_chunk::<HEADER>().unwrap();
    Pdu::decode(&Header::decode(header).unwrap(), payload).unwrap()
}

pub(crate) fn response(to: &Pdu, error: u16) -> Vec<u8> {
    let body = Body::Response { uptime: 0, error, index: 0, binds: vec![] };
    Pdu { session: SESSION, transaction: to.transaction, packet: to.packet, context: None, body }.encode()
}

impl Master {
    /// A session that has been opened.
    pub(crate) fn new(scene: Scene, trees: Trees) -> Self {
        let mut agent = Agent::new(NOW, trees);
        let mut out = Vec::new();
        agent.handle_timeout(NOW, &mut out);
        assert_eq!(out, [Effect::Connect]);
        out.clear();
        agent.connected(NOW, &mut out);
        let open = sent(&out).remove(0);
        out.clear();
        agent.receive(NOW, &response(&open, 0), scene.world(), &mut out);
        agent.update(scene.world(), &mut out);
        let mut master = Self { agent, scene, writes: vec![], transaction: 0 };
        for register in sent(&out) {
            master.agent.receive(NOW, &response(&register, 0), master.scene.world(), &mut Vec::new());
        }
        master
    }

    /// Asks, and returns the error, its place, and the variables.
    pub(crate) fn ask(&mut self, body: Body) -> (u16, u16, Vec<VarBind>) {
        let starts_set = matches!(body, Body::CommitSet | Body::UndoSet | Body::CleanupSet);
        if !starts_set {
            self.transaction += 1;
        }
        let pdu = Pdu { session: SESSION, transaction: self.transaction, packet: 9, context: None, body };
        let mut out = Vec::new();
        self.agent.receive(NOW, &pdu.encode(), self.scene.world(), &mut out);
        self.writes.extend(out.iter().filter_map(|effect| match effect {
            Effect::Write(write) => Some(write.clone()),
            _ => None,
        }));
        match sent(&out).pop().map(|pdu| (pdu.packet, pdu.body)) {
            Some((9, Body::Response { error, index, binds, .. })) => (error, index, binds),
            None => (0, 0, vec![]),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn get(&mut self, oid: &str) -> Value {
        let range = Range { start: oid.parse().unwrap(), included: false, end: Oid::default() };
        self.ask(Body::Get(vec![range])).2.remove(0).value
    }

    pub(crate) fn set(&mut self, oid: &str, value: Value) -> u16 {
        self.ask(Body::TestSet(vec![VarBind { name: oid.parse().unwrap(), value }])).0
    }

    /// Everything below `root`, one after the other.
    pub(crate) fn walk(&mut self, root: &str) -> BTreeMap<Oid, Value> {
        let root: Oid = root.parse().unwrap();
        let mut found = BTreeMap::new();
        let mut start = root.clone();
        loop {
            let range = Range { start, included: false, end: Oid::default() };
            let bind = self.ask(Body::GetNext(vec![range])).2.remove(0);
            if bind.value == Value::EndOfMibView || !bind.name.subids().starts_with(root.subids()) {
                return found;
            }
            start = bind.name.clone();
            assert_eq!(found.insert(bind.name, bind.value), None, "the walk does not go forward");
        }
    }
}

/// As `snmpwalk -On` shows it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Integer(number) => format!("INTEGER: {number}"),
        Value::OctetString(octets) if octets.is_empty() => "\"\"".to_owned(),
        Value::OctetString(octets) if octets.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ') => {
            format!("STRING: \"{}\"", String::from_utf8_lossy(octets))
        }
        Value::OctetString(octets) => {
            let hex: Vec<_> = octets.iter().map(|octet| format!("{octet:02X}")).collect();
            format!("Hex-STRING: {}", hex.join(" "))
        }
        Value::IpAddress(address) => format!("IpAddress: {address}"),
        Value::Counter32(number) => format!("Counter32: {number}"),
        Value::Gauge32(number) => format!("Gauge32: {number}"),
        Value::TimeTicks(ticks) => format!("Timeticks: ({ticks})"),
        Value::Counter64(number) => format!("Counter64: {number}"),
        other => format!("{other:?}"),
    }
}
