//! Whatever changes, in whatever order: a view that takes in the differences is the view itself.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::{Duration, UNIX_EPOCH};

use keepalived_core::balance::{self, ServiceTraffic, Traffic};
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};
use keepalived_core::vrrp::{AuthenticationKind, Counters, Family, Faults, Priority, Settings, State, Version, Vrid};
use keepalived_state::{
    BalanceChange, BalanceView, CheckView, Event, InstanceView, PacketTimes, Record, ServerView, ServiceView, Subject,
    TrackerSettings, TrackerView, VrrpChange, VrrpTotals, VrrpView,
};
use proptest::prelude::*;

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap()
}

fn instance(name: &str, state: State, advert_sent: u64) -> InstanceView {
    InstanceView {
        name: name.into(),
        settings: Settings::new(Vrid::new(52).unwrap(), Version::V3, Family::V4),
        state,
        since: UNIX_EPOCH,
        faults: Faults::NONE,
        interface: None,
        source: None,
        group: None,
        peers: vec![],
        effective_priority: Priority::DEFAULT,
        total_priority: 100,
        master: None,
        master_down_time: Duration::ZERO,
        accept: true,
        authentication: AuthenticationKind::None,
        dont_track_primary: false,
        promote_secondaries: false,
        addresses: vec![],
        excluded_addresses: vec![],
        objects: vec![],
        counters: Counters { advert_sent, ..Counters::default() },
        times: PacketTimes::default(),
    }
}

fn instances() -> impl Strategy<Value = Vec<InstanceView>> {
    let state = prop_oneof![Just(State::Backup), Just(State::Master), Just(State::Fault)];
    let one = ("[ab]", state, 0..3_u64);
    prop::collection::vec(one.prop_map(|(name, state, sent)| instance(&name, state, sent)), 0..4)
}

fn trackers() -> impl Strategy<Value = Vec<TrackerView>> {
    let one = ("[ab]", -1..2_i64).prop_map(|(name, number)| TrackerView {
        id: TrackerId::new(TrackerKind::File, name),
        settings: TrackerSettings::Plain,
        state: TrackerState::Number(number),
        since: UNIX_EPOCH,
        detail: Detail::Nothing,
        followers: vec![],
    });
    prop::collection::vec(one, 0..4)
}

fn vrrp_views() -> impl Strategy<Value = Vec<VrrpView>> {
    let view = (instances(), trackers(), 0..3_u64, 0..2_u64);
    let view = view.prop_map(|(instances, trackers, unknown_vrid, netlink_overruns)| {
        let totals = VrrpTotals { unknown_vrid, netlink_overruns, ..VrrpTotals::default() };
        VrrpView { instances, trackers, totals, ..VrrpView::default() }
    });
    prop::collection::vec(view, 1..12)
}

/// What tells a follower that has `old` of `new`.
fn vrrp_changes(old: &VrrpView, new: &VrrpView) -> Vec<VrrpChange> {
    let shape = |view: &VrrpView| (view.instances.len(), view.trackers.len());
    let same_shape = shape(old) == shape(new);
    let mut changes = if same_shape { vec![] } else { vec![VrrpChange::Begins] };
    for (place, view) in (0..).zip(&new.instances) {
        match old.instances.get(index(place)).filter(|_| same_shape) {
            Some(before) if before == view => {}
            Some(before)
                if *before == InstanceView { counters: before.counters, times: before.times, ..view.clone() } =>
            {
                changes.push(VrrpChange::Counters(place, Box::new(view.counters), view.times));
            }
            _ => changes.push(VrrpChange::Instance(place, Box::new(view.clone()))),
        }
    }
    for (place, view) in (0..).zip(&new.trackers) {
        if old.trackers.get(index(place)).filter(|_| same_shape) != Some(view) {
            changes.push(VrrpChange::Tracker(place, Box::new(view.clone())));
        }
    }
    changes.push(VrrpChange::Totals(Box::new(new.totals.clone())));
    changes
}

fn balance_views() -> impl Strategy<Value = Vec<BalanceView>> {
    let latency = prop::option::of((0..3_u64).prop_map(Duration::from_secs));
    let check = (any::<bool>(), any::<bool>(), latency);
    let check =
        check.prop_map(|(has_run, up, latency)| CheckView { keyword: "TCP_CHECK".into(), has_run, up, latency });
    let traffic = prop::option::of((0..3_u32).prop_map(|active| Box::new(Traffic { active, ..Traffic::default() })));
    let server = ("[ab]", any::<bool>(), 0..3_u32, traffic, prop::collection::vec(check, 0..3));
    let server =
        server.prop_map(|(name, up, weight, traffic, checks)| ServerView { name, up, weight, traffic, checks });
    let counters = (0..3_u64).prop_map(|connections| {
        let counters = balance::Counters { connections, ..Default::default() };
        Box::new(ServiceTraffic { counters, ..ServiceTraffic::default() })
    });
    let service = ("[ab]", any::<bool>(), 0..3_u64, prop::option::of(counters), prop::collection::vec(server, 0..4));
    let service = service.prop_map(|(name, quorum_up, weight, traffic, servers)| {
        let (quorum, hysteresis) = (1, 0);
        ServiceView { name, quorum_up, quorum, hysteresis, weight, traffic, servers }
    });
    let view = prop::collection::vec(service, 0..4);
    let view = view.prop_map(|services| BalanceView { services, ..BalanceView::default() });
    prop::collection::vec(view, 1..12)
}

fn balance_changes(old: &BalanceView, new: &BalanceView) -> Vec<BalanceChange> {
    let shape = |view: &BalanceView| view.services.iter().map(|service| service.servers.len()).collect::<Vec<_>>();
    let same_shape = shape(old) == shape(new);
    let mut changes = if same_shape { vec![] } else { vec![BalanceChange::Begins] };
    for (place, view) in (0..).zip(&new.services) {
        let before = old.services.get(index(place)).filter(|_| same_shape);
        if before.is_none_or(|before| *before != ServiceView { servers: before.servers.clone(), ..view.clone() }) {
            let alone = ServiceView { servers: vec![], traffic: None, ..view.clone() };
            changes.push(BalanceChange::Service(place, Box::new(alone)));
        }
        for (number, server) in (0..).zip(&view.servers) {
            if before.and_then(|before| before.servers.get(index(number))) != Some(server) {
                // numbers come by themselves
                let checks = server.checks.iter().map(|check| CheckView { latency: None, ..check.clone() }).collect();
                let alone = ServerView { traffic: None, checks, ..server.clone() };
                changes.push(BalanceChange::Server(place, number, Box::new(alone)));
            }
            let latencies = server.checks.iter().map(|check| check.latency).collect();
            changes.push(BalanceChange::Numbers(place, number, server.traffic.clone(), latencies));
        }
        changes.push(BalanceChange::Traffic(place, view.traffic.clone()));
    }
    changes
}

fn record() -> Record {
    Record { at: UNIX_EPOCH, subject: Subject::Instance("VI_1".into()), event: Event::Removed }
}

proptest! {
    #[test]
    fn changes_of_routers_make_the_view(views in vrrp_views()) {
        let mut followed = VrrpView::default();
        followed.journal.push(record());
        for view in views {
            for change in vrrp_changes(&followed, &view) {
                followed.apply(change);
            }
            prop_assert_eq!(followed.journal.records().count(), 1, "the journal is the supervisor's");
            prop_assert_eq!(VrrpView { journal: view.journal.clone(), ..followed.clone() }, view);
        }
    }

    #[test]
    fn changes_of_servers_make_the_view(views in balance_views()) {
        let mut followed = BalanceView::default();
        followed.journal.push(record());
        for view in views {
            for change in balance_changes(&followed, &view) {
                followed.apply(change);
            }
            prop_assert_eq!(followed.journal.records().count(), 1, "the journal is the supervisor's");
            prop_assert_eq!(BalanceView { journal: view.journal.clone(), ..followed.clone() }, view);
        }
    }

    /// A process that has been taken over may send anything: a number alone costs nothing.
    #[test]
    fn an_entry_without_those_before_it_is_left_out(place in 1..=u32::MAX) {
        let mut vrrp = VrrpView::default();
        vrrp.apply(VrrpChange::Instance(place, Box::new(instance("a", State::Backup, 0))));
        vrrp.apply(VrrpChange::Counters(place, Box::default(), PacketTimes::default()));
        prop_assert_eq!(vrrp, VrrpView::default());
        let server = ServerView { name: "a".into(), up: true, weight: 1, ..ServerView::default() };
        let mut balance = BalanceView::default();
        balance.apply(BalanceChange::Server(place, 0, Box::new(server)));
        balance.apply(BalanceChange::Numbers(place, 0, None, vec![None]));
        balance.apply(BalanceChange::Traffic(place, Some(Box::default())));
        prop_assert_eq!(balance, BalanceView::default());
    }
}
