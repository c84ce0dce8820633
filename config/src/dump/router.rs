//! Groups of announcements, instances, sync groups.

use std::collections::HashMap;

use keepalived_core::vrrp::authentication::hmac::{HmacMode, Replay};
use keepalived_core::vrrp::{Authentication, Family, Priority, Version};

use super::tracking::{Form, tracks};
use super::{Page, enabled, routing, say, yes};
use crate::model::{
    ChecksumForm, InitialState, Instance, IpvlanMode, Notify, OwnLink, Preempt, SyncGroup, Tracks, Transport,
};

pub(super) fn write(page: &mut Page<'_>) {
    let config = page.config;
    let mut groups: HashMap<&str, &str> = HashMap::new();
    for group in &config.sync_groups {
        groups.extend(group.members.iter().map(|member| (member.as_str(), group.name.as_str())));
    }
    if !config.instances.is_empty() {
        say!(page, "------< VRRP Topology >------");
    }
    for instance in &config.instances {
        one(page, instance, groups.get(instance.name.as_str()).copied());
    }
    if !config.sync_groups.is_empty() {
        say!(page, "------< VRRP Sync groups >------");
    }
    let instances = config.instances.iter().map(|instance| (instance.name.as_str(), instance)).collect();
    for group in &config.sync_groups {
        sync_group(page, group, &instances);
    }
}

/// Whether it begins as master, or would like to.
fn wants_master(instance: &Instance) -> bool {
    instance.settings.initial == InitialState::Master
}

fn one(page: &mut Page<'_>, instance: &Instance, group: Option<&str>) {
    say!(page, " VRRP Instance = {}", instance.name);
    say!(page, "   VRRP Version = {}", instance.settings.version.number());
    if let Some(group) = group {
        say!(page, "   Sync group = {group}");
    }
    if instance.settings.family == Family::V6 {
        say!(page, "   Using Native IPv6");
    }
    flags(page, instance);
    say!(page, "   Wantstate = {}", if wants_master(instance) { "MASTER" } else { "BACKUP" });
    say!(page, "   Number of config faults = 0");
    link(page, instance);
    origin(page, instance);
    announcements(page, instance);
    standing(page, instance);
    authentication(page, instance);
    if let Some(size) = instance.rx_buffer.filter(|size| *size > 0) {
        say!(page, "   Kernel rx buffer size = {size}");
    }
    if instance.debug > 0 {
        say!(page, "   Debug level = {}", instance.debug);
    }
    routing::virtual_addresses(page, instance);
    unicast(page, instance);
    say!(page, "   No sockets allocated");
    routing::virtual_routes(page, instance);
    tracks(page, instance.tracks.as_deref(), Form::Instance);
    say!(page, "   Using smtp notification = {}", yes(instance.mail));
    let notify = instance.notify.as_deref();
    let deleted = notify.is_some_and(|notify| notify.says_deleted);
    say!(page, "   Notify deleted = {}", if deleted { "Deleted" } else { "Fault" });
    if let Some(notify) = notify {
        scripts(page, notify);
    }
    say!(page, "   Notify priority changes = {}", instance.notify_priority_changes);
}

fn flags(page: &mut Page<'_>, instance: &Instance) {
    let (source, unicast) = match &instance.transport {
        Transport::Multicast { source, .. } => (source.is_some(), false),
        Transport::Unicast { source, .. } => (source.is_some(), true),
    };
    let of_others =
        |address: &keepalived_core::address::VirtualAddress| Family::of(address.address) != instance.settings.family;
    let any = [
        source,
        unicast,
        instance.dont_track_primary,
        instance.linkbeat,
        instance.settings.skip_check_adv_addr,
        instance.track_src_ip,
        instance.promote_secondaries,
        instance.settings.preempt == Preempt::No,
        instance.settings.checksum == ChecksumForm::Plain,
        instance.own_link.is_some(),
        instance.vmac_addresses,
        !instance.settings.garp.extra_interface.is_zero(),
        instance.excluded_addresses.iter().any(of_others),
    ];
    if !any.contains(&true) {
        return say!(page, "   Flags: none");
    }
    say!(page, "   Flags:");
    if let Transport::Unicast { fault_without_peer, .. } = &instance.transport {
        say!(page, "     Using unicast");
        if *fault_without_peer {
            say!(page, "     If unicast go to fault state if no peers");
        }
    }
}

fn link(page: &mut Page<'_>, instance: &Instance) {
    let own = routing::own_link(page, instance);
    let group = match instance.own_link.as_deref() {
        Some(OwnLink::Vmac(vmac)) => vmac.group,
        Some(OwnLink::Ipvlan(ipvlan)) => ipvlan.group,
        None => None,
    };
    match (instance.own_link.as_deref(), &own) {
        (Some(OwnLink::Vmac(vmac)), Some(name)) => {
            say!(page, "   Use VMAC, i/f name {name}, is_up = true, xmit_base = {}", vmac.transmit_base);
            if let Some([a, b, c, d, e, f]) = vmac.mac {
                say!(page, "     MAC = {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
            }
            if vmac.netlink_notify {
                say!(page, "     Force netlink update for base interface");
            }
        }
        (Some(OwnLink::Ipvlan(ipvlan)), Some(name)) => {
            let address = ipvlan.address.map(|address| format!(", i/f address = {address}")).unwrap_or_default();
            let mode = match ipvlan.mode {
                IpvlanMode::Bridge => "bridge",
                IpvlanMode::Private => "private",
                IpvlanMode::Vepa => "vepa",
            };
            say!(page, "   Use IPVLAN, i/f {name}, is_up = true{address}, type {mode}");
        }
        _ => {}
    }
    if instance.vmac_addresses {
        say!(page, "     Use VMAC for VIPs on other interfaces");
    }
    if let Some(group) = group {
        say!(page, "     Interface group {group}");
    }
    match (instance.interface, own, instance.own_link.as_deref()) {
        (Some(interface), Some(name), Some(OwnLink::Vmac(vmac))) => {
            let base = if vmac.transmit_base { ", xmit base i/f" } else { "" };
            say!(page, "   Interface = {name}, vmac on {interface}{base}");
        }
        (Some(interface), Some(name), _) => say!(page, "   Interface = {name}, ipvlan on {interface}"),
        (Some(interface), None, _) => say!(page, "   Interface = {interface}"),
        (None, ..) => say!(page, "   Interface = not configured"),
    }
    if let Some(vrf) = instance.vrf {
        say!(page, "   VRF = {vrf}");
    }
}

fn origin(page: &mut Page<'_>, instance: &Instance) {
    if instance.dont_track_primary {
        say!(page, "   VRRP interface tracking disabled");
    }
    if instance.settings.skip_check_adv_addr {
        say!(page, "   Skip checking advert IP addresses");
    }
    if instance.settings.strict {
        say!(page, "   Enforcing strict VRRP compliance");
    }
    let (Transport::Multicast { source, .. } | Transport::Unicast { source, .. }) = &instance.transport;
    let of_ipvlan = match instance.own_link.as_deref() {
        Some(OwnLink::Ipvlan(ipvlan)) => ipvlan.address,
        _ => None,
    };
    let looked_up = || instance.interface.and_then(|name| page.host.source(name, instance.settings.family));
    match (source.or(of_ipvlan), looked_up()) {
        (Some(source), _) => say!(page, "   Using src_ip = {source} (from configuration)"),
        (None, Some(source)) => say!(page, "   Using src_ip = {source}"),
        (None, None) => say!(page, "   Using src_ip = (none)"),
    }
    if let Transport::Multicast { group, .. } = &instance.transport {
        match instance.settings.family {
            Family::V4 => say!(page, "   Multicast address {group}"),
            Family::V6 => {
                let index = instance.interface.and_then(|name| page.host.index(name)).unwrap_or_default();
                say!(page, "   Multicast address {group}, ifindex {index}");
            }
        }
    }
}

fn announcements(page: &mut Page<'_>, instance: &Instance) {
    let garp = &instance.settings.garp;
    say!(page, "   Gratuitous ARP delay = {}", garp.delay.as_secs());
    say!(page, "   Gratuitous ARP repeat = {}", garp.repeat);
    say!(page, "   Gratuitous ARP refresh = {}", garp.refresh.as_secs());
    say!(page, "   Gratuitous ARP refresh repeat = {}", garp.refresh_repeat);
    say!(page, "   Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs());
    say!(page, "   Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat);
    say!(page, "   Down timer adverts = {}", instance.settings.down_adverts);
    let elsewhere = || {
        let all = instance.addresses.iter().chain(&instance.excluded_addresses);
        all.filter(|line| line.device.is_some_and(|device| Some(device) != instance.interface))
    };
    let any_vmac = elsewhere().any(|line| line.use_vmac || instance.vmac_addresses);
    // without addresses on other interfaces there is nothing to do there
    if !garp.extra_interface.is_zero() && elsewhere().next().is_some() {
        say!(page, "   Gratuitous ARP for each secondary i/f = {}", garp.extra_interface.as_secs());
    } else if garp.extra_interface.is_zero() && !garp.extra_vmac.is_zero() && any_vmac {
        say!(page, "   Gratuitous ARP for each secondary VMAC = {}", garp.extra_vmac.as_secs());
    }
    say!(page, "   Send advert after receive lower priority advert = {}", !instance.settings.lower_prio_no_advert);
    say!(page, "   Send advert after receive higher priority advert = {}", instance.settings.higher_prio_send_advert);
    if instance.settings.priority.is_owner() {
        say!(page, "   Address owner ignores received adverts = {}", instance.settings.owner_ignore_adverts);
    }
}

fn standing(page: &mut Page<'_>, instance: &Instance) {
    say!(page, "   Virtual Router ID = {}", instance.settings.vrid);
    say!(page, "   Priority = {}", instance.settings.priority);
    if instance.settings.preempt == Preempt::No {
        say!(page, "   Highest other priority = {}", instance.settings.timer_expired_backup.map_or(0, Priority::get));
    }
    let interval = instance.settings.interval.duration();
    match instance.settings.version {
        Version::V2 => say!(page, "   Advert interval = {} sec", interval.as_secs()),
        Version::V3 => say!(page, "   Advert interval = {} milli-sec", interval.as_millis()),
    }
    say!(page, "   Last advert sent = 0.000000");
    say!(page, "   Accept = {}", enabled(instance.accept));
    say!(page, "   Preempt = {}", enabled(instance.settings.preempt != Preempt::No));
    if let Preempt::After(delay) = instance.settings.preempt {
        say!(page, "   Preempt delay = {} secs", delay.as_secs_f64());
    }
    say!(page, "   Promote_secondaries = {}", enabled(instance.promote_secondaries));
}

fn authentication(page: &mut Page<'_>, instance: &Instance) {
    match &instance.authentication {
        Authentication::Header(_) => say!(page, "   Authentication type = IPSEC_AH"),
        Authentication::Password(_) => {
            say!(page, "   Authentication type = SIMPLE_PASSWORD");
            say!(page, "   Password = ********");
        }
        Authentication::None | Authentication::Hmac(_) if instance.settings.version == Version::V2 => {
            say!(page, "   Authentication type = none");
        }
        Authentication::None | Authentication::Hmac(_) => {}
    }
    if let Authentication::Hmac(hmac) = &instance.authentication {
        say!(page, "   Authentication extension = HMAC-SHA256-128");
        say!(page, "     Keys = {}, active key id = {}", hmac.keys.len(), hmac.active);
        let mode = match hmac.mode {
            HmacMode::Enforce => "enforce",
            HmacMode::Permissive => "permissive",
            HmacMode::ReceiveOnly => "receive-only",
        };
        say!(page, "     Mode = {mode}");
        match hmac.replay {
            Replay::Time(window) => say!(page, "     Anti replay = time, window = {} sec", window.as_secs()),
            Replay::Monotonic => say!(page, "     Anti replay = monotonic"),
        }
    }
    if instance.settings.version == Version::V3 && instance.settings.family == Family::V4 {
        let plain = instance.settings.checksum == ChecksumForm::Plain;
        say!(page, "   VRRPv3 uses VRRPv2 checksum = {}", enabled(plain));
    }
}

fn unicast(page: &mut Page<'_>, instance: &Instance) {
    let Transport::Unicast { peers, ttl, check_source, .. } = &instance.transport else { return };
    say!(page, "   Unicast TTL = {}", ttl.unwrap_or(u8::MAX));
    say!(page, "   Check unicast src : {}", yes(*check_source));
    say!(page, "   Unicast Peer :");
    for peer in peers {
        say!(page, "     {} min_ttl {} max_ttl {}", peer.address, peer.min_ttl, peer.max_ttl);
    }
    let old = instance.settings.checksum == ChecksumForm::OldUnicast;
    say!(page, "   Unicast checksum compatibility = {}", if old { "config" } else { "no" });
}

fn scripts(page: &mut Page<'_>, notify: &Notify) {
    let scripts = [
        ("Backup", &notify.backup),
        ("Master", &notify.master),
        ("Fault", &notify.fault),
        ("Stop", &notify.stop),
        ("Deleted", &notify.deleted),
        ("Generic", &notify.any),
        ("Master rx lower pri", &notify.master_rx_lower_priority),
    ];
    for (state, script) in scripts {
        if let Some(script) = script {
            say!(page, "   {state} state transition script = {}", page.whole_command(script));
        }
    }
}

fn sync_group(page: &mut Page<'_>, group: &SyncGroup, instances: &HashMap<&str, &Instance>) {
    let members = || group.members.iter().filter_map(|member| instances.get(member.as_str()));
    // they wait for the first verdict of their scripts
    let has_scripts = |tracks: Option<&Tracks>| tracks.is_some_and(|tracks| !tracks.scripts.is_empty());
    let of_group = has_scripts(group.tracks.as_deref());
    let waiting = members().filter(|member| of_group || has_scripts(member.tracks.as_deref())).count();
    let state = if waiting > 0 {
        "INIT"
    } else if members().all(|member| wants_master(member) && member.settings.priority.is_owner()) {
        "MASTER"
    } else {
        "BACKUP"
    };
    say!(page, " VRRP Sync Group = {}, {state}", group.name);
    say!(page, "   Num member fault 0, num member init {waiting}");
    if !group.members.is_empty() {
        say!(page, "   VRRP member instances :");
    }
    for member in &group.members {
        say!(page, "     {member}");
    }
    if group.tracking_weight {
        say!(page, "   sync group tracking weight set");
    }
    say!(page, "   Using smtp notification = {}", yes(group.mail));
    if let Some(changes) = group.notify_priority_changes {
        say!(page, "   Notify priority changes = {}", yes(changes));
    }
    tracks(page, group.tracks.as_deref(), Form::Group);
    if let Some(notify) = group.notify.as_deref() {
        scripts(page, notify);
    }
}
