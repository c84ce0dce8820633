//! `keepalived.data` (SIGUSR1): how things are, in keepalived's words, and the journal of why.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use keepalived_core::address::Scope;
use keepalived_core::vrrp::{AuthenticationKind, Preempt, State, Version};
use keepalived_state::{AddressView, InstanceView, Journal, Record, Snapshot};

mod services;
mod sessions;
mod trackers;

/// The data file of the vrrp process. Writing to a `String` cannot fail, so results are dropped.
pub fn data(snapshot: &Snapshot) -> String {
    let vrrp = &snapshot.vrrp;
    let mut text = begin(snapshot);
    text += "------< VRRP Topology >------\n";
    for instance in &vrrp.instances {
        describe(&mut text, instance);
        trackers::of_instance(&mut text, instance, &vrrp.trackers);
    }
    trackers::describe(&mut text, &vrrp.trackers);
    tell(&mut text, &vrrp.journal);
    text += "------< Network events >------\n";
    writeln!(text, " Adverts for unknown VRIDs = {}", vrrp.totals.unknown_vrid).ok();
    writeln!(text, " Netlink overruns = {}", vrrp.totals.netlink_overruns).ok();
    text
}

/// The data file of the checker process.
pub fn checker_data(snapshot: &Snapshot) -> String {
    let mut text = begin(snapshot);
    text += "------< LVS Topology >------\n";
    snapshot.balance.services.iter().for_each(|service| services::describe(&mut text, service));
    tell(&mut text, &snapshot.balance.journal);
    text
}

/// The data file of the bfd process.
pub fn bfd_data(snapshot: &Snapshot) -> String {
    let mut text = begin(snapshot);
    text += "------< BFD Topology >------\n";
    snapshot.bfd.sessions.iter().for_each(|session| sessions::describe(&mut text, session));
    tell(&mut text, &snapshot.bfd.journal);
    text
}

fn begin(snapshot: &Snapshot) -> String {
    format!("------< Global definitions >------\n Router ID = {}\n", snapshot.router_id)
}

/// What happened, oldest first.
fn tell(text: &mut String, journal: &Journal) {
    *text += "------< Journal >------\n";
    if journal.forgotten() > 0 {
        writeln!(text, " {} earlier records are forgotten", journal.forgotten()).ok();
    }
    for Record { at, subject, event } in journal.records() {
        writeln!(text, " {} {subject} {event}", seconds(*at)).ok();
    }
}

fn describe(text: &mut String, instance: &InstanceView) {
    writeln!(text, " VRRP Instance = {}", instance.name).ok();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "   {key} = {value}").ok();
    };
    let wanted = match instance.state {
        State::Master => State::Master,
        _ => State::Backup,
    };
    line("VRRP Version", &instance.settings.version.number());
    line("State", &instance.state);
    line("Wantstate", &wanted);
    line("Faults", &instance.faults);
    line("Last transition", &seconds(instance.since));
    line("Master down timer", &format_args!("{} usecs", instance.master_down_time.as_micros()));
    if let Some(interface) = &instance.interface {
        line("Interface", interface);
    }
    if let Some(source) = instance.source {
        line("Using src_ip", &source);
    }
    if let Some(group) = instance.group {
        line("Multicast address", &group);
    }
    if let Some(master) = instance.master {
        line("Master router", &master.address);
        line("Master priority", &master.priority);
        line("Master advert interval", &format_args!("{} milli-sec", master.interval.duration().as_millis()));
    }
    line("Gratuitous ARP delay", &instance.settings.garp.delay.as_secs());
    line("Gratuitous ARP repeat", &instance.settings.garp.repeat);
    line("Gratuitous ARP refresh", &instance.settings.garp.refresh.as_secs());
    line("Gratuitous ARP refresh repeat", &instance.settings.garp.refresh_repeat);
    line("Gratuitous ARP lower priority delay", &instance.settings.garp.lower_prio_delay.as_secs());
    line("Gratuitous ARP lower priority repeat", &instance.settings.garp.lower_prio_repeat);
    line("Down timer adverts", &instance.settings.down_adverts);
    line("Send advert after receive lower priority advert", &!instance.settings.lower_prio_no_advert);
    line("Send advert after receive higher priority advert", &instance.settings.higher_prio_send_advert);
    line("Virtual Router ID", &instance.settings.vrid);
    line("Priority", &instance.settings.priority);
    line("Effective priority", &instance.effective_priority);
    line("Total priority", &instance.effective_priority);
    let interval = instance.settings.interval.duration();
    match instance.settings.version {
        Version::V2 => line("Advert interval", &format_args!("{} sec", interval.as_secs())),
        Version::V3 => line("Advert interval", &format_args!("{} milli-sec", interval.as_millis())),
    }
    line("Accept", &enabled(instance.accept));
    line("Preempt", &enabled(instance.settings.preempt != Preempt::No));
    if let Preempt::After(delay) = instance.settings.preempt {
        line("Preempt delay", &format_args!("{} secs", delay.as_secs_f64()));
    }
    line("Promote_secondaries", &enabled(instance.promote_secondaries));
    if instance.settings.version == Version::V2 {
        let kind = match instance.authentication {
            AuthenticationKind::Password => "SIMPLE_PASSWORD",
            AuthenticationKind::Header => "IPSEC_AH",
            AuthenticationKind::None | AuthenticationKind::Hmac => "none",
        };
        line("Authentication type", &kind);
    }
    if !instance.peers.is_empty() {
        line("Unicast peers", &instance.peers.len());
    }
    for peer in &instance.peers {
        writeln!(text, "     {peer}").ok();
    }
    addresses(text, "Virtual IP", instance, &instance.addresses);
    addresses(text, "Virtual IP Excluded", instance, &instance.excluded_addresses);
}

fn addresses(text: &mut String, title: &str, instance: &InstanceView, views: &[AddressView]) {
    if views.is_empty() {
        return;
    }
    writeln!(text, "   {title} ({}):", views.len()).ok();
    for view in views {
        write!(text, "     {}", address(instance, view)).ok();
        if let Some(holder) = view.also_on {
            write!(text, " also on {holder}").ok();
        }
        text.push('\n');
    }
}

/// An address line as keepalived shows it.
pub(crate) fn address(instance: &InstanceView, view: &AddressView) -> String {
    let line = &view.line;
    let mut text = line.address.to_string();
    if line.prefix != if line.address.is_ipv4() { 32 } else { 128 } {
        write!(text, "/{}", line.prefix).ok();
    }
    if let Some(device) = line.device.or(instance.interface) {
        write!(text, " dev {device}").ok();
    }
    if line.address.is_ipv4() {
        write!(text, " scope {}", Scope(line.scope)).ok();
    }
    if let Some(label) = line.label {
        write!(text, " label {label}").ok();
    }
    if view.set {
        text += " set";
    }
    text
}

const fn enabled(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

/// Seconds and microseconds since 1970, as keepalived writes times.
pub(crate) fn seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}
