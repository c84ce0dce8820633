//! `keepalived.json` (SIGJSON), in keepalived's two layouts: its keys in its order, on one line.

use std::fmt::Write as _;
use std::time::Duration;

use keepalived_config::dump::{self, Host, Now, seconds};
use keepalived_config::model::{Config, Instance, ParameterMatch, TrackProcess};
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};
use keepalived_core::vrrp::{AuthenticationKind, Counters, Preempt, State};
use keepalived_state::{InstanceView, Snapshot};

use crate::now;

/// The JSON file in layout `version` (`json_version`): 1 is an array of instances, 2 an object that holds it.
pub fn json(config: &Config, snapshot: &Snapshot, host: &dyn Host, version: u8) -> String {
    let now = now::of_routers(snapshot);
    let views: std::collections::HashMap<&str, &InstanceView> =
        snapshot.vrrp.instances.iter().map(|view| (view.name.as_str(), view)).collect();
    let instance = |instance: &Instance| {
        let view = views.get(instance.name.as_str())?;
        let mut object = Object::default();
        object.raw("data", &data(config, instance, view, host, &now));
        object.raw("stats", &statistics(&view.counters));
        Some(object.end())
    };
    let instances = array(config.instances.iter().filter_map(instance));
    if version < 2 {
        return instances;
    }
    let mut object = Object::default();
    object.raw("vrrp", &instances);
    if !config.processes.is_empty() {
        object.raw("track_process", &array(config.processes.iter().map(|it| process(it, &now))));
    }
    object.end()
}

fn data(config: &Config, instance: &Instance, view: &InstanceView, host: &dyn Host, now: &Now) -> String {
    let settings = &view.settings;
    let words = dump::words_of(config, instance, host, now);
    let preempt_delay = match settings.preempt {
        Preempt::After(delay) => delay.as_secs(),
        Preempt::Yes | Preempt::No => 0,
    };
    let master = view.master.filter(|_| view.state == State::Backup);
    let master_interval = master.map_or(settings.interval, |master| master.interval);
    let garp = &settings.garp;
    let mut it = Object::default();
    it.text("iname", &view.name);
    it.number("dont_track_primary", view.dont_track_primary);
    it.number("skip_check_adv_addr", settings.skip_check_adv_addr);
    it.number("strict_mode", settings.strict);
    it.text("vmac_ifname", &words.own_link);
    let interface = if words.own_link.is_empty() { view.interface.map(|name| name.to_string()) } else { None };
    if let Some(name) = interface.or_else(|| Some(words.own_link).filter(|name| !name.is_empty())) {
        it.text("ifp_ifname", &name);
    }
    it.number("master_priority", master.map_or(0, |master| master.priority));
    it.raw("last_transition", &seconds(now::moment(view.since)));
    it.raw("garp_delay", &decimal(garp.delay));
    it.number("garp_refresh", garp.refresh.as_secs());
    it.number("garp_rep", garp.repeat);
    it.number("garp_refresh_rep", garp.refresh_repeat);
    it.number("garp_lower_prio_delay", garp.lower_prio_delay.as_secs());
    it.number("garp_lower_prio_rep", garp.lower_prio_repeat);
    it.number("lower_prio_no_advert", settings.lower_prio_no_advert);
    it.number("higher_prio_send_advert", settings.higher_prio_send_advert);
    it.number("vrid", settings.vrid.get());
    it.number("base_priority", settings.priority.get());
    it.number("effective_priority", view.effective_priority.get());
    it.flag("vipset", view.addresses.iter().any(|address| address.set));
    it.flag("promote_secondaries", view.promote_secondaries);
    it.raw("adver_int", &decimal(settings.interval.duration()));
    it.raw("master_adver_int", &decimal(master_interval.duration()));
    it.number("accept", view.accept);
    it.flag("nopreempt", settings.preempt == Preempt::No);
    it.number("preempt_delay", preempt_delay);
    it.number("state", view.state.number());
    it.number("wantstate", dump::wants(instance, view.state).number());
    it.number("version", settings.version.number());
    it.flag("smtp_alert", instance.mail);
    it.flag("notify_deleted", instance.notify.as_deref().is_some_and(|notify| notify.says_deleted));
    for (key, command) in words.scripts {
        it.text(key, &command);
    }
    for (key, list) in words.lists {
        it.raw(key, &array(list.iter().map(|line| quoted(line))));
    }
    let kind = match view.authentication {
        AuthenticationKind::None | AuthenticationKind::Hmac => 0_u8,
        AuthenticationKind::Password => 1,
        AuthenticationKind::Header => 2,
    };
    it.number("auth_type", kind);
    if kind != 0 {
        it.text("auth_data", "********");
    }
    it.end()
}

fn statistics(counters: &Counters) -> String {
    let numbers = [
        ("advert_rcvd", counters.advert_rcvd),
        ("advert_sent", counters.advert_sent),
        ("become_master", counters.become_master),
        ("release_master", counters.release_master),
        ("packet_len_err", counters.packet_len_err),
        ("advert_interval_err", counters.advert_interval_err),
        ("ip_ttl_err", counters.ip_ttl_err),
        ("invalid_type_rcvd", counters.invalid_type_rcvd),
        ("addr_list_err", counters.addr_list_err),
        ("invalid_authtype", counters.invalid_authtype),
        ("authtype_mismatch", counters.authtype_mismatch),
        ("auth_failure", counters.auth_failure),
        ("auth_ext_missing", counters.auth_ext_missing),
        ("auth_ext_malformed", counters.auth_ext_malformed),
        ("auth_ext_unknown_key", counters.auth_ext_unknown_key),
        ("auth_ext_invalid_hmac", counters.auth_ext_invalid_hmac),
        ("auth_ext_stale", counters.auth_ext_stale),
        ("auth_ext_replay", counters.auth_ext_replay),
        ("pri_zero_rcvd", counters.pri_zero_rcvd),
        ("pri_zero_sent", counters.pri_zero_sent),
    ];
    let mut object = Object::default();
    for (key, number) in numbers {
        object.number(key, number);
    }
    object.end()
}

fn process(process: &TrackProcess, now: &Now) -> String {
    let known = now.trackers.get(&TrackerId::new(TrackerKind::Process, process.name.as_str()));
    let count = match known.map(|known| &known.detail) {
        Some(Detail::Processes { count, .. }) => u64::try_from(*count).unwrap_or(u64::MAX),
        _ => 0,
    };
    let mut it = Object::default();
    it.text("process", &process.name);
    if !process.parameters.is_empty() {
        it.text("parameters", &process.parameters.join(" "));
    }
    let how = match process.parameter_match {
        ParameterMatch::None => "none",
        ParameterMatch::Exact => "exact",
        ParameterMatch::Partial => "partial",
        ParameterMatch::Initial => "initial",
    };
    it.text("param_match", how);
    it.number("min_processes", process.quorum);
    if let Some(most) = process.quorum_max {
        it.number("max_processes", most);
    }
    it.number("current_processes", count);
    it.flag("have_quorum", known.is_some_and(|known| known.state == TrackerState::Up));
    let weight = i32::from(process.weight.value);
    it.raw("weight", &(if process.weight.reverse { -weight } else { weight }).to_string());
    it.raw("terminate_delay", &decimal(process.terminate_delay));
    it.raw("fork_delay", &decimal(process.fork_delay));
    // no view says whether a delay runs
    it.flag("fork_delay_timer_running", false);
    it.flag("terminate_delay_timer_running", false);
    it.flag("full_command", process.full_command);
    it.end()
}

/// Seconds, without zeros at the end.
fn decimal(time: Duration) -> String {
    time.as_secs_f64().to_string()
}

fn array(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}

/// An object under construction. Writing to a `String` cannot fail, so results are dropped.
#[derive(Default)]
struct Object(String);

impl Object {
    fn raw(&mut self, key: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write!(self.0, "\"{key}\":{value}").ok();
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.raw(key, &value.into().to_string());
    }

    fn flag(&mut self, key: &str, is_set: bool) {
        self.raw(key, if is_set { "true" } else { "false" });
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A string with keepalived's escapes: of a slash, too.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '/' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            control if control.is_control() => drop(write!(out, "\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
