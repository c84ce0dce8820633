//! The configuration p6 as it was when keepalived was observed.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keepalived_config::facts::AnyInterface;
use keepalived_config::model::Config;
use keepalived_config::source::MemorySource;
use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};
use keepalived_core::vrrp::{Counters, Faults, Priority, State};
use keepalived_state::{
    AddressView, BalanceView, CheckView, InstanceView, PacketTimes, ServerView, ServiceView, Snapshot, TrackerSettings,
    TrackerView, VrrpView,
};
use keepalived_surface::snmp::{Link, Machine, World};

/// All that an agent is told.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) snapshot: Snapshot,
    pub(crate) config: Config,
    pub(crate) machine: Machine,
    pub(crate) now: SystemTime,
}

pub(crate) const STARTED: SystemTime = UNIX_EPOCH;

impl Scene {
    pub(crate) fn world(&self) -> World<'_> {
        World { snapshot: &self.snapshot, config: &self.config, machine: &self.machine, now: self.now }
    }

    /// As observed: three masters, and two real servers that are up.
    pub(crate) fn observed() -> Self {
        Self::of(include_str!("p6.conf"))
    }

    /// Everything of a configuration is well, and this router is master everywhere.
    pub(crate) fn of(text: &str) -> Self {
        let config = config(text);
        let instances = config.instances.iter().map(instance_view).collect();
        let services = config.virtual_servers.iter().map(service_view).collect();
        let snapshot = Snapshot {
            router_id: config.global.router_id.clone().unwrap_or_default(),
            vrrp: VrrpView { instances, trackers: trackers(), ..VrrpView::default() },
            balance: BalanceView { services, ..BalanceView::default() },
            ..Snapshot::default()
        };
        let link = Link {
            index: 3,
            hardware: vec![0xb2, 0x25, 0xd7, 0xe5, 0xaf, 0x0f],
            ipv4: Some([10, 5, 0, 1].into()),
            ipv6: None,
        };
        let machine = Machine {
            version: "Keepalived v2.4.3 (08/13,2026)".to_owned(),
            started: STARTED,
            links: [(InterfaceName::new(b"e0").unwrap(), link)].into(),
        };
        // it was asked 12.48 s after the instances had begun, and they 0.48 s after SNMP
        Self { snapshot, config, machine, now: STARTED + Duration::from_millis(480 + 12_480) }
    }
}

fn config(text: &str) -> Config {
    let source = MemorySource::one("/keepalived.conf", text);
    keepalived_config::load(&source, Path::new("/keepalived.conf"), &AnyInterface).config
}

fn addresses(lines: &[VirtualAddress]) -> Vec<AddressView> {
    lines.iter().map(|line| AddressView { line: line.clone(), set: true, also_on: None }).collect()
}

fn instance_view(instance: &keepalived_config::model::Instance) -> InstanceView {
    let effective_priority = match instance.name.as_str() {
        // chk adds 10, and tf 7
        "V1" => Priority::new(117).unwrap(),
        _ => instance.settings.priority,
    };
    InstanceView {
        name: instance.name.clone(),
        settings: instance.settings,
        state: State::Master,
        since: STARTED + Duration::from_millis(480),
        faults: Faults::NONE,
        interface: instance.interface,
        source: Some(IpAddr::from([10, 5, 0, 1])),
        group: Some(IpAddr::from([224, 0, 0, 18])),
        peers: vec![],
        effective_priority,
        total_priority: i32::from(effective_priority.get()),
        master: None,
        master_down_time: Duration::from_secs(3),
        accept: instance.accept,
        authentication: instance.authentication.kind(),
        dont_track_primary: instance.dont_track_primary,
        promote_secondaries: instance.promote_secondaries,
        addresses: addresses(&instance.addresses),
        excluded_addresses: addresses(&instance.excluded_addresses),
        objects: Vec::new(),
        counters: Counters { advert_sent: 12, become_master: 1, ..Counters::default() },
        times: PacketTimes::default(),
    }
}

fn trackers() -> Vec<TrackerView> {
    let tracker = |kind, name: &str, state, detail| TrackerView {
        id: TrackerId::new(kind, name),
        settings: TrackerSettings::Plain,
        state,
        since: STARTED,
        detail,
        followers: vec![],
    };
    vec![
        tracker(TrackerKind::Script, "chk", TrackerState::Up, Detail::Nothing),
        tracker(TrackerKind::File, "tf", TrackerState::Number(7), Detail::Nothing),
        tracker(TrackerKind::Process, "tp", TrackerState::Down, Detail::Processes { count: 0, kernel_tells: true }),
    ]
}

fn service_view(service: &keepalived_config::model::VirtualServer) -> ServiceView {
    let servers: Vec<_> = service
        .real_servers
        .iter()
        .map(|server| ServerView {
            name: format!("[{}]:tcp:{}", server.address, server.port.map_or(0, |port| port.get())),
            up: true,
            weight: server.settings.weight,
            checks: server
                .checkers
                .iter()
                .map(|check| CheckView {
                    keyword: check.keyword().to_owned(),
                    has_run: true,
                    up: true,
                    ..CheckView::default()
                })
                .collect(),
            ..ServerView::default()
        })
        .collect();
    ServiceView {
        name: format!("[{}]", service.service),
        quorum_up: true,
        quorum: service.settings.quorum,
        hysteresis: service.settings.hysteresis,
        weight: servers.iter().map(|server| u64::from(server.weight)).sum(),
        servers,
        ..ServiceView::default()
    }
}
