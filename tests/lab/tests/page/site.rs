//! What the page is drawn from, made up: snapshots, in the documents that the daemon makes of them.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use keepalived_config::facts::AnyInterface;
use keepalived_config::model::Instance;
use keepalived_config::source::MemorySource;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState, Weight};
use keepalived_core::vrrp::{Cause, Fault, Faults, State, Transition};
use keepalived_state::{
    AddressView, CheckView, Event, FollowerView, InstanceView, Latest, MasterView, PacketTimes, Record, ServerView,
    ServiceView, Snapshot, Subject, TrackerSettings, TrackerView,
};
use keepalived_surface::status::{self, Scene};
use serde_json::{Value, json};

/// What a text from outside may be.
pub(crate) const HOSTILE: &str = "<img/src=x/onerror=hit()><script>hit()</script>&lt;\"'`${hit()}";

/// A daemon that there is not.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) snapshot: Snapshot,
    now: SystemTime,
}

fn instances(text: &str) -> Vec<Instance> {
    let source = MemorySource::one("/keepalived.conf", text);
    let loaded = keepalived_config::load(&source, Path::new("/keepalived.conf"), &AnyInterface);
    loaded.config.instances
}

impl Site {
    fn new(router_id: &str) -> Self {
        let now = SystemTime::now();
        let mut snapshot = Snapshot { router_id: router_id.to_owned(), ..Snapshot::default() };
        snapshot.daemon.version = "0.1.0".to_owned();
        snapshot.daemon.started = Some(now - Duration::from_secs(5_000));
        snapshot.daemon.configuration = "/etc/keepalived/keepalived.conf".to_owned();
        Self { snapshot, now }
    }

    fn add(&mut self, instance: &Instance, state: State, age: u64) {
        let since = self.now - Duration::from_secs(age);
        let master: IpAddr = "192.0.2.3".parse().expect("an address");
        let interval = instance.settings.interval;
        let is_master = state == State::Master;
        let addresses =
            instance.addresses.iter().map(|line| AddressView { line: line.clone(), set: is_master, also_on: None });
        let faults = if state == State::Fault { Faults::NONE.with(Fault::InterfaceDown) } else { Faults::NONE };
        let priority = instance.settings.priority;
        self.snapshot.vrrp.instances.push(InstanceView {
            name: instance.name.clone(),
            settings: instance.settings,
            state,
            since,
            faults,
            interface: instance.interface,
            source: Some("192.0.2.1".parse().expect("an address")),
            group: None,
            peers: vec![],
            effective_priority: priority,
            total_priority: i32::from(priority.get()),
            master: (!is_master).then_some(MasterView { address: master, priority: 200, interval }),
            master_down_time: Duration::from_secs(3),
            accept: instance.accept,
            authentication: instance.authentication.kind(),
            dont_track_primary: instance.dont_track_primary,
            promote_secondaries: instance.promote_secondaries,
            addresses: addresses.collect(),
            excluded_addresses: vec![],
            objects: vec![],
            counters: Default::default(),
            times: PacketTimes::default(),
        });
        let cause = match state {
            State::Master => Cause::MasterSilent { master: Some(master), silence: Duration::from_millis(3_610) },
            State::Fault => Cause::Fault(Faults::NONE.with(Fault::InterfaceDown)),
            _ => Cause::Started,
        };
        let from = if is_master { State::Backup } else { State::Master };
        let event = Event::Transition(Transition { at: Instant::ZERO, from, to: state, cause, priority });
        self.snapshot.vrrp.journal.push(Record { at: since, subject: Subject::Instance(instance.name.clone()), event });
    }

    fn service(&mut self, name: &str, servers: impl Iterator<Item = (String, Option<String>)>) {
        let servers: Vec<_> = servers
            .map(|(server, failure)| {
                let up = failure.is_none();
                if let Some(why) = failure {
                    let subject = Subject::RealServer { server: server.clone(), of: name.to_owned() };
                    let at = self.now - Duration::from_secs(38);
                    self.snapshot.balance.journal.push(Record { at, subject, event: Event::Down(why) });
                }
                let check = CheckView {
                    keyword: "HTTP_GET".to_owned(),
                    has_run: true,
                    up,
                    latency: up.then_some(Duration::from_micros(2_100)),
                };
                ServerView { name: server, up, weight: 1, traffic: None, checks: vec![check] }
            })
            .collect();
        let weight = servers.iter().filter(|server| server.up).count();
        self.snapshot.balance.services.push(ServiceView {
            name: name.to_owned(),
            quorum_up: weight > 0,
            quorum: 1,
            weight: weight.try_into().unwrap_or(u64::MAX),
            servers,
            ..ServiceView::default()
        });
    }

    fn tracker(&mut self, name: &str, state: TrackerState, detail: Detail) {
        let followers =
            vec![FollowerView { instance: "VI_web".to_owned(), weight: Weight { value: 50, reverse: false } }];
        self.snapshot.vrrp.trackers.push(TrackerView {
            id: TrackerId::new(TrackerKind::Script, name),
            settings: TrackerSettings::Plain,
            state,
            since: self.now - Duration::from_secs(900),
            detail,
            followers,
        });
    }

    /// One of everything, well and not.
    pub(crate) fn usual() -> Self {
        let mut site = Self::new("lb1");
        let block = |name: &str, vrid: u8, addresses: &str| {
            format!(
                "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
            )
        };
        let text = block("VI_web", 51, "192.0.2.10/24\n 192.0.2.11/24")
            + &block("VI_mail", 52, "192.0.2.25/24")
            + &block("VI_v6", 53, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/64");
        for (instance, state) in instances(&text).iter().zip([State::Master, State::Backup, State::Fault]) {
            site.add(instance, state, 252);
        }
        let server = |number: u8| format!("[10.0.0.{number}]:tcp:80");
        let refused = |number: u8| (number == 13).then(|| "connection refused".to_owned());
        site.service("[192.0.2.10]:tcp:443", (11..14).map(|number| (server(number), refused(number))));
        let long = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:tcp:8443";
        site.service(long, [(long.to_owned(), None)].into_iter());
        site.tracker("chk_haproxy", TrackerState::Up, Detail::Nothing);
        site.tracker("chk_disk", TrackerState::Down, Detail::Nothing);
        site
    }

    /// Every text is one that a page might take for its own.
    pub(crate) fn hostile() -> Self {
        let mut site = Self::usual();
        let hostile = || HOSTILE.to_owned() + &"x".repeat(300);
        site.snapshot.router_id = hostile();
        site.snapshot.daemon.configuration = hostile();
        for instance in &mut site.snapshot.vrrp.instances {
            instance.name = hostile() + &instance.name;
        }
        for tracker in &mut site.snapshot.vrrp.trackers {
            tracker.id = TrackerId::new(TrackerKind::Script, hostile());
        }
        site.service(&hostile(), [(hostile(), Some(hostile()))].into_iter());
        let subject = Subject::Instance(hostile());
        let event = Event::Asked { what: hostile(), who: hostile() };
        site.snapshot.vrrp.journal.push(Record { at: site.now, subject, event });
        site
    }

    /// 1,000 routers and 20,000 servers; three routers are not well, and a server of each second service.
    pub(crate) fn large() -> Self {
        let mut site = Self::new("large");
        let mut text = String::new();
        for number in 0..1_000 {
            let (high, low) = (number / 250, number % 250 + 1);
            writeln!(
                text,
                "vrrp_instance V{number} {{\n interface e{high}\n virtual_router_id {low}\n virtual_ipaddress {{\n 10.{high}.0.{low}\n }}\n}}"
            )
            .expect("a String takes everything");
        }
        for (number, instance) in instances(&text).iter().enumerate() {
            let state = match number {
                0..3 => State::Fault,
                _ if number % 2 == 0 => State::Master,
                _ => State::Backup,
            };
            site.add(instance, state, 600);
        }
        for service in 0..100 {
            let fails = |server: u32| (server == 0).then(|| "connection refused".to_owned());
            let name = format!("[10.100.{service}.1]:tcp:80");
            site.service(
                &name,
                (0..200).map(|server| (format!("[10.200.{service}.{server}]:tcp:80"), fails(server + service % 2))),
            );
        }
        site
    }

    /// All is well.
    pub(crate) fn well() -> Self {
        let mut site = Self::usual();
        let names: Vec<String> = site.snapshot.vrrp.instances.iter().map(|it| it.name.clone()).collect();
        for instance in &mut site.snapshot.vrrp.instances {
            if instance.state == State::Fault {
                instance.state = State::Backup;
                instance.faults = Faults::NONE;
            }
        }
        assert_eq!(names.len(), 3);
        site.snapshot.vrrp.trackers.retain(|tracker| tracker.state == TrackerState::Up);
        for server in site.snapshot.balance.services.iter_mut().flat_map(|service| &mut service.servers) {
            server.up = true;
        }
        site
    }

    fn scene<T>(&self, what: impl FnOnce(&Scene<'_>) -> T) -> T {
        let latest = Latest::of(&self.snapshot);
        what(&Scene { snapshot: &self.snapshot, latest: &latest, now: SystemTime::now(), ahead: 0 })
    }

    /// `/status.json`
    pub(crate) fn status(&self) -> String {
        let text = self.scene(status::document);
        let mut document: Value = serde_json::from_str(&text).expect("it is JSON");
        // as surface/src/status/document.rs lays it out
        document["bfd_sessions"] = json!([{
            "name": "to-lb2", "neighbor": "192.0.2.3", "state": "Down", "since": document["at"], "diagnostic": "Control Detection Time Expired",
            "silent": null, "detection_time": 0.15, "transmit_interval": 0.05, "last_heard": null, "counters": {},
        }]);
        document.to_string()
    }

    /// `/events.json`
    pub(crate) fn events(&self) -> String {
        self.scene(|scene| {
            let records = status::events(scene, None);
            Value::from_iter(records.iter().rev().map(|record| status::event_document(record))).to_string()
        })
    }
}
