//! Groups of announcements, instances, sync groups.

use std::collections::HashMap;

use keepalived_core::vrrp::authentication::hmac::{HmacMode, Replay};
use keepalived_core::vrrp::{Authentication, Family, Fault, Priority, State, Version};

use super::tracking::{Form, tracks};
use super::{Host, Now, Page, RouterNow, enabled, quoted, routing, say, yes};
use crate::model::{
    ChecksumForm, Config, InitialState, Instance, IpvlanMode, Notify, OwnLink, Preempt, Script, SyncGroup, Track,
    Tracks, Transport,
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
    let now = page.now.and_then(|now| now.routers.get(&instance.name));
    if let Some(now) = now {
        state(page, instance, now);
    }
    flags(page, instance);
    let wanted = now.map_or(State::Init, |now| now.state);
    say!(page, "   Wantstate = {}", wants(instance, wanted));
    say!(page, "   Number of config faults = 0");
    if let Some(now) = now {
        faults(page, now);
        times(page, now);
    }
    link(page, instance);
    origin(page, instance, now);
    announcements(page, instance);
    standing(page, instance, now);
    authentication(page, instance);
    if let Some(size) = instance.rx_buffer.filter(|size| *size > 0) {
        say!(page, "   Kernel rx buffer size = {size}");
    }
    if instance.debug > 0 {
        say!(page, "   Debug level = {}", instance.debug);
    }
    routing::virtual_addresses(page, instance, now);
    unicast(page, instance);
    // it shows the numbers of its descriptors, which tell an outsider nothing
    if now.is_none() {
        say!(page, "   No sockets allocated");
    }
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

/// The state that it would like to have: before it has begun, the configured one.
pub fn wants(instance: &Instance, state: State) -> State {
    match state {
        State::Master | State::Fault => state,
        State::Init if wants_master(instance) => State::Master,
        State::Init | State::Backup | State::Stopped => State::Backup,
    }
}

fn state(page: &mut Page<'_>, instance: &Instance, now: &RouterNow) {
    say!(page, "   State = {}", now.state);
    if now.state == State::Backup {
        let (address, priority, interval) = match now.master {
            Some(master) => (master.address.to_string(), master.priority, master.interval),
            None => ("(none)".to_owned(), 0, instance.settings.interval),
        };
        say!(page, "   Master router = {address}");
        say!(page, "   Master priority = {priority}");
        if instance.settings.version == Version::V3 {
            say!(page, "   Master advert interval = {} milli-sec", interval.duration().as_millis());
        }
    }
}

fn faults(page: &mut Page<'_>, now: &RouterNow) {
    let trackers = now.faults.iter().filter(|fault| matches!(fault, Fault::Tracker { .. } | Fault::AddressInterface));
    let trackers = trackers.count();
    say!(page, "   Number of tracker faults = {trackers}");
    let any = |these: &[Fault]| these.iter().any(|fault| now.faults.contains(fault));
    let others = [Fault::NoPeer, Fault::NoSocket, Fault::Maintenance];
    let flags = [
        (trackers > 0, "unspecified"),
        (any(&[Fault::InterfaceMissing, Fault::InterfaceDown]), "i/f down"),
        (any(&[Fault::NoSource]), "no source IP address"),
        (any(&others), "config error"),
    ];
    if flags.iter().any(|(is_set, _)| *is_set) {
        say!(page, "   Flags of interface faults:");
        for (_, words) in flags.iter().filter(|(is_set, _)| *is_set) {
            say!(page, "     {words}");
        }
    } else {
        say!(page, "   Flags of interface faults - (none)");
    }
    // ours: which
    if !now.faults.is_empty() {
        say!(page, "   Faults = {}", now.faults);
    }
}

fn times(page: &mut Page<'_>, now: &RouterNow) {
    say!(page, "   Number of track scripts init = {}", now.waits_for);
    say!(page, "   Last transition = {}", page.moment(now.since));
    match now.read_timeout {
        Some(at) => say!(page, "   Read timeout = {}", page.moment(at)),
        None => say!(page, "   Read timeout = DISABLED"),
    }
    say!(page, "   Master down timer = {} usecs", now.master_down_time.as_micros());
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

fn origin(page: &mut Page<'_>, instance: &Instance, now: Option<&RouterNow>) {
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
    let looked_up = || match now {
        Some(now) => now.source,
        None => instance.interface.and_then(|name| page.host.source(name, instance.settings.family)),
    };
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

fn standing(page: &mut Page<'_>, instance: &Instance, now: Option<&RouterNow>) {
    say!(page, "   Virtual Router ID = {}", instance.settings.vrid);
    say!(page, "   Priority = {}", instance.settings.priority);
    if let Some(now) = now {
        say!(page, "   Effective priority = {}", now.effective_priority);
        say!(page, "   Total priority = {}", now.total_priority);
    }
    if instance.settings.preempt == Preempt::No {
        say!(page, "   Highest other priority = {}", instance.settings.timer_expired_backup.map_or(0, Priority::get));
    }
    let interval = instance.settings.interval.duration();
    match instance.settings.version {
        Version::V2 => say!(page, "   Advert interval = {} sec", interval.as_secs()),
        Version::V3 => say!(page, "   Advert interval = {} milli-sec", interval.as_millis()),
    }
    let last = now.and_then(|now| now.last_advert).unwrap_or_default();
    say!(page, "   Last advert sent = {}", super::seconds(last));
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

/// Scripts of an instance with what a dump calls them, and JSON.
const fn named_scripts(notify: &Notify) -> [(&'static str, &'static str, &Option<Script>); 7] {
    [
        ("Backup", "script_backup", &notify.backup),
        ("Master", "script_master", &notify.master),
        ("Fault", "script_fault", &notify.fault),
        ("Stop", "script_stop", &notify.stop),
        ("Deleted", "script_deleted", &notify.deleted),
        ("Generic", "script", &notify.any),
        ("Master rx lower pri", "script_master_rx_lower_pri", &notify.master_rx_lower_priority),
    ]
}

fn scripts(page: &mut Page<'_>, notify: &Notify) {
    for (state, _, script) in named_scripts(notify) {
        if let Some(script) = script {
            say!(page, "   {state} state transition script = {}", page.whole_command(script));
        }
    }
}

/// What JSON says of an instance in the words of the dump.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InstanceWords {
    /// The name of the interface that is made for it; empty without one.
    pub own_link: String,
    /// Commands of its scripts, by their key.
    pub scripts: Vec<(&'static str, String)>,
    /// Lists that are not empty, by their key.
    pub lists: Vec<(&'static str, Vec<String>)>,
}

/// The words about `instance`.
pub fn words_of(config: &Config, instance: &Instance, host: &dyn Host, now: &Now) -> InstanceWords {
    let page = Page::new(config, host, Some(now));
    let scripts = instance.notify.as_deref().into_iter().flat_map(named_scripts);
    let scripts = scripts.filter_map(|(_, key, script)| Some((key, quoted(&script.as_ref()?.argv)))).collect();
    let (vips, evips) = routing::address_lines(&page, instance, now.routers.get(&instance.name));
    let nothing = Tracks::default();
    let tracks = instance.tracks.as_deref().unwrap_or(&nothing);
    let command = |track: &Track| {
        let script = config.scripts.iter().find(|script| script.name == track.name)?;
        Some(quoted(&script.script.argv))
    };
    let lists = [
        ("vips", vips),
        ("evips", evips),
        ("vroutes", instance.routes.iter().map(routing::route).collect()),
        ("vrules", instance.rules.iter().map(routing::rule).collect()),
        ("track_ifp", tracks.interfaces.iter().map(|it| it.name.to_string()).collect()),
        ("track_script", tracks.scripts.iter().filter_map(command).collect()),
        ("track_process", tracks.processes.iter().map(|it| it.name.clone()).collect()),
    ];
    let lists = lists.into_iter().filter(|(_, list): &(&str, Vec<String>)| !list.is_empty()).collect();
    InstanceWords { own_link: routing::own_link(&page, instance).unwrap_or_default(), scripts, lists }
}

fn sync_group(page: &mut Page<'_>, group: &SyncGroup, instances: &HashMap<&str, &Instance>) {
    let members = || group.members.iter().filter_map(|member| instances.get(member.as_str()));
    // they wait for the first verdict of their scripts
    let has_scripts = |tracks: Option<&Tracks>| tracks.is_some_and(|tracks| !tracks.scripts.is_empty());
    let of_group = has_scripts(group.tracks.as_deref());
    let waiting = members().filter(|member| of_group || has_scripts(member.tracks.as_deref())).count();
    let routers: Vec<&RouterNow> =
        page.now.map(|now| members().filter_map(|member| now.routers.get(&member.name)).collect()).unwrap_or_default();
    let count = |state: State| routers.iter().filter(|router| router.state == state).count();
    let own_fault = |router: &&&RouterNow| router.faults.iter().any(|fault| *fault != Fault::Group);
    let failed = routers.iter().filter(own_fault).count();
    let waiting =
        if routers.is_empty() { waiting } else { routers.iter().filter(|router| router.waits_for > 0).count() };
    let state = if failed > 0 {
        "FAULT"
    } else if !routers.is_empty() && count(State::Master) == routers.len() {
        "MASTER"
    } else if !routers.is_empty() && count(State::Init) == 0 {
        "BACKUP"
    } else if waiting > 0 {
        "INIT"
    } else if members().all(|member| wants_master(member) && member.settings.priority.is_owner()) {
        "MASTER"
    } else {
        "BACKUP"
    };
    say!(page, " VRRP Sync Group = {}, {state}", group.name);
    say!(page, "   Num member fault {failed}, num member init {waiting}");
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
