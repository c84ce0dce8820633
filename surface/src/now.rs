//! The snapshot as the dumps of `config` take it.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use keepalived_config::dump::{CheckNow, MasterNow, Moment, Now, RouterNow, ServerNow, ServiceNow, TrackerNow};
use keepalived_core::vrrp::tracking::{TrackerKind, TrackerState};
use keepalived_state::{AddressView, InstanceView, ServiceView, Snapshot, TrackerView};

/// A time as dumps take it.
pub(crate) fn moment(time: SystemTime) -> Moment {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// How routers and what they track are.
pub(crate) fn of_routers(snapshot: &Snapshot) -> Now {
    let vrrp = &snapshot.vrrp;
    let mut waiting: HashMap<&str, usize> = HashMap::new();
    let untold =
        |tracker: &&TrackerView| tracker.id.kind == TrackerKind::Script && tracker.state == TrackerState::Initial;
    for follower in vrrp.trackers.iter().filter(untold).flat_map(|tracker| &tracker.followers) {
        *waiting.entry(&follower.instance).or_default() += 1;
    }
    let router = |instance: &InstanceView| {
        let waits_for = waiting.get(instance.name.as_str()).copied().unwrap_or_default();
        (instance.name.clone(), router(instance, waits_for))
    };
    let tracker = |tracker: &TrackerView| {
        let TrackerView { id, state, since, detail, .. } = tracker;
        (id.clone(), TrackerNow { state: *state, since: moment(*since), detail: detail.clone() })
    };
    Now {
        routers: vrrp.instances.iter().map(router).collect(),
        trackers: vrrp.trackers.iter().map(tracker).collect(),
        services: Vec::new(),
    }
}

fn router(instance: &InstanceView, waits_for: usize) -> RouterNow {
    let behind = |address: &AddressView| {
        let also = address.also_on.map(|holder| format!(" also on {holder}")).unwrap_or_default();
        format!("{}{also}", if address.set { " set" } else { "" })
    };
    RouterNow {
        state: instance.state,
        since: moment(instance.since),
        faults: instance.faults.clone(),
        waits_for,
        master: instance.master.map(|it| MasterNow {
            address: it.address,
            priority: it.priority,
            interval: it.interval,
        }),
        master_down_time: instance.master_down_time,
        read_timeout: instance.times.read_timeout.map(moment),
        last_advert: instance.times.last_advert.map(moment),
        source: instance.source,
        effective_priority: instance.effective_priority,
        total_priority: instance.total_priority,
        addresses: instance.addresses.iter().map(behind).collect(),
        excluded_addresses: instance.excluded_addresses.iter().map(behind).collect(),
    }
}

/// How servers are.
pub(crate) fn of_servers(snapshot: &Snapshot) -> Now {
    let service = |service: &ServiceView| ServiceNow {
        quorum: service.quorum_up,
        servers: (service.servers.iter())
            .map(|server| ServerNow {
                up: server.up,
                weight: server.weight,
                checks: (server.checks.iter())
                    .map(|check| (check.keyword.clone(), CheckNow { has_run: check.has_run, up: check.up }))
                    .collect(),
            })
            .collect(),
    };
    Now { services: snapshot.balance.services.iter().map(service).collect(), ..Now::default() }
}
