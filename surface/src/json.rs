//! `keepalived.json` (SIGJSON), in keepalived's two layouts.

use std::time::UNIX_EPOCH;

use keepalived_core::vrrp::{AuthenticationKind, Preempt, State};
use keepalived_state::{InstanceView, Snapshot};
use serde_json::{Map, Value, json};

use crate::data::address;

/// The JSON file in layout `version` (`json_version`): 1 is an array of instances, 2 an object that holds it.
pub fn json(snapshot: &Snapshot, version: u8) -> String {
    let instances: Vec<Value> = snapshot
        .vrrp
        .instances
        .iter()
        .map(|instance| json!({ "data": data(instance), "stats": statistics(instance) }))
        .collect();
    let document = if version >= 2 { json!({ "vrrp": instances }) } else { Value::Array(instances) };
    document.to_string()
}

fn data(instance: &InstanceView) -> Value {
    let since = instance.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let preempt_delay = match instance.settings.preempt {
        Preempt::After(delay) => delay.as_secs(),
        Preempt::Yes | Preempt::No => 0,
    };
    let master_interval = instance.master.map_or(instance.settings.interval, |master| master.interval);
    let auth_type = match instance.authentication {
        AuthenticationKind::None | AuthenticationKind::Hmac => 0,
        AuthenticationKind::Password => 1,
        AuthenticationKind::Header => 2,
    };
    let wanted = if instance.state == State::Master { State::Master } else { State::Backup };
    let mut data = json!({
        "iname": instance.name,
        "dont_track_primary": u8::from(instance.dont_track_primary),
        "skip_check_adv_addr": u8::from(instance.settings.skip_check_adv_addr),
        "strict_mode": u8::from(instance.settings.strict),
        "vmac_ifname": "",
        "master_priority": instance.master.map_or(0, |master| master.priority),
        "last_transition": since.as_secs_f64(),
        "garp_delay": instance.settings.garp.delay.as_secs(),
        "garp_refresh": instance.settings.garp.refresh.as_secs(),
        "garp_rep": instance.settings.garp.repeat,
        "garp_refresh_rep": instance.settings.garp.refresh_repeat,
        "garp_lower_prio_delay": instance.settings.garp.lower_prio_delay.as_secs(),
        "garp_lower_prio_rep": instance.settings.garp.lower_prio_repeat,
        "lower_prio_no_advert": u8::from(instance.settings.lower_prio_no_advert),
        "higher_prio_send_advert": u8::from(instance.settings.higher_prio_send_advert),
        "vrid": instance.settings.vrid.get(),
        "base_priority": instance.settings.priority.get(),
        "effective_priority": instance.effective_priority.get(),
        "vipset": instance.addresses.iter().any(|address| address.set),
        "promote_secondaries": instance.promote_secondaries,
        "adver_int": instance.settings.interval.duration().as_secs_f64(),
        "master_adver_int": master_interval.duration().as_secs_f64(),
        "accept": u8::from(instance.accept),
        "nopreempt": instance.settings.preempt == Preempt::No,
        "preempt_delay": preempt_delay,
        "state": instance.state.number(),
        "wantstate": wanted.number(),
        "version": instance.settings.version.number(),
        "smtp_alert": false,
        "notify_deleted": false,
        "auth_type": auth_type,
    });
    if let Some(object) = data.as_object_mut() {
        optional(object, instance);
    }
    data
}

fn optional(object: &mut Map<String, Value>, instance: &InstanceView) {
    if let Some(interface) = instance.interface {
        object.insert("ifp_ifname".into(), interface.to_string().into());
    }
    for (key, addresses) in [("vips", &instance.addresses), ("evips", &instance.excluded_addresses)] {
        if !addresses.is_empty() {
            let lines: Vec<String> = addresses.iter().map(|view| address(instance, view)).collect();
            object.insert(key.into(), lines.into());
        }
    }
    if matches!(instance.authentication, AuthenticationKind::Password | AuthenticationKind::Header) {
        object.insert("auth_data".into(), "********".into());
    }
}

fn statistics(instance: &InstanceView) -> Value {
    let counters = &instance.counters;
    json!({
        "advert_rcvd": counters.advert_rcvd,
        "advert_sent": counters.advert_sent,
        "become_master": counters.become_master,
        "release_master": counters.release_master,
        "packet_len_err": counters.packet_len_err,
        "advert_interval_err": counters.advert_interval_err,
        "ip_ttl_err": counters.ip_ttl_err,
        "invalid_type_rcvd": counters.invalid_type_rcvd,
        "addr_list_err": counters.addr_list_err,
        "invalid_authtype": counters.invalid_authtype,
        "authtype_mismatch": counters.authtype_mismatch,
        "auth_failure": counters.auth_failure,
        "auth_ext_missing": counters.auth_ext_missing,
        "auth_ext_malformed": counters.auth_ext_malformed,
        "auth_ext_unknown_key": counters.auth_ext_unknown_key,
        "auth_ext_invalid_hmac": counters.auth_ext_invalid_hmac,
        "auth_ext_stale": counters.auth_ext_stale,
        "auth_ext_replay": counters.auth_ext_replay,
        "pri_zero_rcvd": counters.pri_zero_rcvd,
        "pri_zero_sent": counters.pri_zero_sent,
    })
}
