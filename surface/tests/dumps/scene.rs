//! What keepalived 2.4.3 was doing when it was observed (shared/reference/observed), as we would know it.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keepalived_config::dump::{Host, LinkNow, Moment};
use keepalived_config::facts::AnyInterface;
use keepalived_config::model::{Config, Instance, Transport};
use keepalived_config::source::MemorySource;
use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState, Weight};
use keepalived_core::vrrp::{Counters, Faults, Priority, State};
use keepalived_state::{
    AddressView, BalanceView, CheckView, FollowerView, InstanceView, PacketTimes, ServerView, ServiceView, Snapshot,
    TrackerSettings, TrackerView, VrrpView,
};

pub(crate) fn config(text: &str) -> Config {
    let source = MemorySource::one("/keepalived.conf", text);
    keepalived_config::load(&source, Path::new("/keepalived.conf"), &AnyInterface).config
}

pub(crate) fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}

/// The day of the observation, in UTC.
const DAY: u64 = 1_795_219_200;

/// The machine.
pub(crate) struct Vm {
    pub(crate) links: Vec<LinkNow>,
}

impl Host for Vm {
    fn name(&self) -> Option<String> {
        Some("vm".into())
    }

    fn user(&self, name: &str) -> Option<(u32, u32)> {
        (name == "root").then_some((0, 0))
    }

    fn index(&self, _interface: InterfaceName) -> Option<u32> {
        Some(3)
    }

    fn links(&self) -> Vec<LinkNow> {
        self.links.clone()
    }

    fn date(&self, time: Moment) -> Option<(String, i32)> {
        let seconds = time.as_secs().checked_sub(DAY)?;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        Some((format!("Sat Nov 21 {hour:02}:{minute:02}:{second:02}"), 2026))
    }
}

fn link(name: &str, index: u32, addresses: &[&str], mac: Option<[u8; 6]>) -> LinkNow {
    LinkNow {
        name: InterfaceName::new(name.as_bytes()).unwrap(),
        index,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        mac,
        up: true,
        running: true,
        loopback: name == "lo",
        multicast: name != "lo",
        group: 0,
        mtu: if name == "lo" { 65_536 } else { 1500 },
        vrf: None,
        vrf_table: None,
        upper: None,
    }
}

/// That of p6: its virtual addresses are in place.
pub(crate) fn vm() -> Vm {
    let lo = "127.0.0.1 10.1.0.1 10.1.0.2 10.1.0.3 10.1.0.4 10.1.0.5 10.1.0.6 10.1.0.7 10.1.0.8 10.1.0.9 10.0.0.1";
    let lo: Vec<&str> = lo.split(' ').collect();
    let e0 = ["10.5.0.1", "10.5.0.100", "10.5.0.110", "10.5.0.120", "fe80::b025:d7ff:fee5:af0f"];
    Vm {
        links: vec![
            link("lo", 1, &lo, Some([0; 6])),
            link("e1", 2, &["fe80::f42e:86ff:feb1:523b"], Some([0xf6, 0x2e, 0x86, 0xb1, 0x52, 0x3b])),
            link("e0", 3, &e0, Some([0xb2, 0x25, 0xd7, 0xe5, 0xaf, 0x0f])),
        ],
    }
}

/// A master as it was: since when, its master down timer, when it had sent and would send, all in microseconds.
pub(crate) fn master(instance: &Instance, since: u64, down: u64, sent: u64, next: u64) -> InstanceView {
    let address = |line: &VirtualAddress| AddressView { line: line.clone(), set: true, also_on: None };
    let source = if instance.settings.family == keepalived_core::vrrp::Family::V4 {
        IpAddr::from([10, 5, 0, 1])
    } else {
        "fe80::d8f2:88ff:fef0:44d9".parse().unwrap()
    };
    let priority = instance.settings.priority;
    let group = match &instance.transport {
        Transport::Multicast { group, .. } => Some(*group),
        Transport::Unicast { .. } => None,
    };
    InstanceView {
        name: instance.name.clone(),
        settings: instance.settings,
        state: State::Master,
        since: at(since),
        faults: Faults::NONE,
        interface: instance.interface,
        source: Some(source),
        group,
        peers: vec![],
        effective_priority: priority,
        total_priority: i32::from(priority.get()),
        master: None,
        master_down_time: Duration::from_micros(down),
        accept: instance.accept,
        authentication: instance.authentication.kind(),
        dont_track_primary: instance.dont_track_primary,
        promote_secondaries: instance.promote_secondaries,
        addresses: instance.addresses.iter().map(address).collect(),
        excluded_addresses: instance.excluded_addresses.iter().map(address).collect(),
        objects: vec![],
        counters: Counters { advert_sent: 7, become_master: 1, ..Counters::default() },
        times: PacketTimes { read_timeout: Some(at(next)), last_advert: Some(at(sent)) },
    }
}

/// Trackers of V1 in p6, each with a result.
pub(crate) fn trackers() -> Vec<TrackerView> {
    let tracker = |kind, name: &str, weight, state, detail| TrackerView {
        id: TrackerId::new(kind, name),
        settings: TrackerSettings::Plain,
        state,
        since: at(5_000_000),
        detail,
        followers: vec![FollowerView { instance: "V1".into(), weight: Weight { value: weight, reverse: false } }],
    };
    let succeeded = Detail::Words("exited with status 0".into());
    let none = Detail::Processes { count: 0, kernel_tells: true };
    vec![
        tracker(TrackerKind::Script, "chk", 10, TrackerState::Up, succeeded),
        tracker(TrackerKind::File, "tf", 1, TrackerState::Number(7), Detail::Nothing),
        tracker(TrackerKind::Process, "tp", 5, TrackerState::Down, none),
    ]
}

pub(crate) const P6: &str = include_str!("../../../config/tests/data/observed/p6.conf");

/// p6 when it wrote its files.
pub(crate) fn p6() -> (Config, Snapshot) {
    let config = config(P6);
    let times = [
        (1_795_235_391_702_028, 3_542_968, 1_795_235_397_707_226, 1_795_235_398_707_448),
        (1_795_235_391_706_373, 3_609_375, 1_795_235_397_709_964, 1_795_235_398_710_115),
        (1_795_235_391_739_351, 3_648_437, 1_795_235_397_743_286, 1_795_235_398_743_518),
    ];
    let instances = config.instances.iter().zip(times);
    let mut instances: Vec<InstanceView> =
        instances.map(|(instance, (since, down, sent, next))| master(instance, since, down, sent, next)).collect();
    // chk adds 10, and tf 7
    instances[0].effective_priority = Priority::new(117).unwrap();
    instances[0].total_priority = 117;
    let server =
        |name: &str, checks| ServerView { name: name.into(), up: true, weight: 1, checks, ..ServerView::default() };
    let check = CheckView { keyword: "MISC_CHECK".into(), has_run: true, up: true, ..CheckView::default() };
    let service = ServiceView {
        name: "[10.0.0.1]:tcp:80".into(),
        quorum_up: true,
        quorum: 1,
        weight: 2,
        servers: vec![server("[10.1.0.1]:tcp:80", vec![check]), server("[10.1.0.2]:tcp:80", vec![])],
        ..ServiceView::default()
    };
    let snapshot = Snapshot {
        router_id: "labB".into(),
        vrrp: VrrpView { instances, trackers: trackers(), ..VrrpView::default() },
        balance: BalanceView { services: vec![service], ..BalanceView::default() },
        ..Snapshot::default()
    };
    (config, snapshot)
}

/// v1 when it wrote its files. It ran without `track_process`.
pub(crate) fn v1() -> (Config, Snapshot) {
    let text = include_str!("../../../config/tests/data/observed/v1.conf");
    let mut config = config(text);
    config.processes.clear();
    for instance in &mut config.instances {
        if let Some(tracks) = instance.tracks.as_deref_mut() {
            tracks.processes.clear();
        }
    }
    let times = [
        (1_795_234_953_246_895, 3_609_375, 1_795_234_954_221_003, 1_795_234_955_221_037, 2),
        (1_795_234_953_218_258, 3_609_375, 1_795_234_954_256_994, 1_795_234_955_257_037, 2),
        (1_795_234_954_423_308, 3_648_437, 1_795_234_954_404_574, 1_795_234_955_423_308, 1),
    ];
    let instances = config.instances.iter().zip(times).map(|(instance, (since, down, sent, next, count))| {
        let view = master(instance, since, down, sent, next);
        InstanceView { counters: Counters { advert_sent: count, ..view.counters }, ..view }
    });
    let vrrp = VrrpView { instances: instances.collect(), ..VrrpView::default() };
    (config, Snapshot { vrrp, ..Snapshot::default() })
}
