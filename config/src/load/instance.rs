//! `vrrp_instance`: the statements of a block, then what they mean together.

use std::collections::HashMap;

use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::time::Centis;
use keepalived_core::vrrp::{AdvertInterval, Family, Priority, Version, Vrid};

use super::address::{Placed, lines, of_family, once};
use super::authentication::{self, Standing};
use super::draft::{Draft, Link};
use super::global::Defaults;
use super::reading::Reading;
use super::routing::Block;
use super::settings::Pacing;
use super::statements::{Statements, place};
use super::tracks::{self, Trackers};
use super::transport::{self, Endpoint};
use super::{notify, own_link, policy, route};
use crate::facts::InterfaceFacts;
use crate::finding::{Finding, rule};
use crate::model::{ChecksumForm, Global, InitialState, Instance, Preempt, Settings, Transport};
use crate::span::Span;
use crate::syntax::Node;

/// Every instance that can be made sense of, in the order of the file.
pub(super) fn read_all<'a>(
    reading: &mut Reading<'a>,
    blocks: impl Iterator<Item = Node<'a>>,
    global: &Global,
    defaults: &Defaults,
    trackers: &mut Trackers,
) -> Vec<Instance> {
    let mut names: HashMap<String, Option<Span>> = HashMap::new();
    let mut endpoints: HashMap<Endpoint, (String, Option<Span>)> = HashMap::new();
    let mut links = HashMap::new();
    let mut instances = Vec::new();
    for block in blocks {
        let Some(name) = reading.block_name(block) else { continue };
        if let Some(first) = names.get(&name) {
            reading.report(duplicate(&name, block, *first));
            continue;
        }
        names.insert(name.clone(), place(block));
        let draft = Draft { name, block, statements: Statements::of(block.children()), global, defaults };
        let Some(mut instance) = read(reading, &draft, trackers) else { continue };
        own_link::claim(reading, &draft, instance.own_link.as_mut(), &mut links);
        transport::claim(reading, &draft, &instance, &mut endpoints);
        instances.push(instance);
    }
    instances
}

fn duplicate(name: &str, block: Node<'_>, first: Option<Span>) -> Finding {
    let message = format!("there is a vrrp_instance {name} already");
    let finding = match place(block) {
        Some(span) => Finding::at(&rule::DUPLICATE_NAME, span, message),
        None => Finding::anywhere(&rule::DUPLICATE_NAME, message),
    };
    let finding = finding.note("the second block is left out");
    match first {
        Some(first) => finding.also(first, "the first is here"),
        None => finding,
    }
}

fn read(reading: &mut Reading<'_>, draft: &Draft<'_>, trackers: &mut Trackers) -> Option<Instance> {
    let statements = &draft.statements;
    let vrid = vrid(reading, draft);
    let link = link(reading, draft);
    let advertised = addresses(reading, draft, "virtual_ipaddress");
    let excluded = addresses(reading, draft, "virtual_ipaddress_excluded");
    let wanted = transport::read(reading, draft);
    let strict = reading.switch(statements.last("strict_mode")).unwrap_or(draft.defaults.strict);
    let family = family(draft, &advertised, &wanted);
    let version = version(reading, draft, family, strict);
    let (priority, initial) = standing(reading, draft, strict);
    let advertised = of_family(reading, advertised, family);
    let (advertised, excluded) = once(reading, &draft.name, advertised, excluded);
    let (addresses, excluded_addresses) = fit(reading, draft, advertised, excluded, link, (version, family));
    check_addresses(reading, draft, &addresses, version, strict);
    let transport = wanted.transport(reading, draft, family, strict, link);
    check_interface(reading, draft, link, &transport);
    let pacing = Pacing::instance(reading, statements);
    if strict && pacing.has_lower_prio() {
        draft.report(reading, &rule::STRICT_CONFLICT, "garp_lower_prio_repeat", "strict mode excludes garp_lower_prio");
    }
    let checksum = checksum(reading, draft, version, family, &transport);
    let manners = Manners::read(reading, draft, strict);
    let advert_interval = advert_interval(reading, draft, version);
    let preempt = preempt(reading, draft, priority, initial, strict);
    let interval = advert_interval.duration();
    let authentication =
        authentication::read(reading, draft, Standing { version, family, strict, initial, priority, interval });
    let initial = if authentication.header.is_some() && !priority.is_owner() { InitialState::Backup } else { initial };
    let own_link = own_link::read(reading, draft, vrid, family, strict);
    let own_link = own_link.and_then(|own| own_link::fitted(reading, draft, own, link, &transport));
    let settings = Settings {
        // stands in for one that is missing, so that everything after it is checked all the same
        vrid: vrid.or(Vrid::new(1))?,
        version,
        family,
        priority,
        initial,
        interval: advert_interval,
        down_adverts: down_timer_adverts(reading, draft, strict),
        preempt,
        checksum,
        strict,
        skip_check_adv_addr: manners.skip_check_adv_addr,
        lower_prio_no_advert: manners.lower_prio_no_advert,
        higher_prio_send_advert: manners.higher_prio_send_advert,
        owner_ignore_adverts: manners.owner_ignore_adverts && priority.is_owner(),
        garp: pacing.over(&draft.defaults.pacing, strict),
    };
    let instance = Instance {
        name: draft.name.clone(),
        interface: link.name,
        settings,
        accept: accept(reading, draft, version, priority, strict),
        transport,
        addresses,
        excluded_addresses,
        password: authentication.password,
        authentication_header: authentication.header,
        hmac: authentication.hmac,
        dont_track_primary: statements.has("dont_track_primary"),
        track_src_ip: statements.has("track_src_ip"),
        promote_secondaries: statements.has("promote_secondaries") && own_link.is_none(),
        rx_buffer: reading.integer(statements.last("kernel_rx_buf_size")),
        own_link,
        vmac_addresses: statements.has("use_vmac_addr"),
        vrf: vrf(reading, draft, link),
        tracks: tracks::read(reading, trackers, &format!("instance {}", draft.name), statements),
        notify: notify::read(reading, statements),
        routes: statements
            .all("virtual_routes")
            .flat_map(|block| route::lines(reading, block, Block::Virtual))
            .collect(),
        rules: statements
            .all("virtual_rules")
            .flat_map(|block| policy::lines(reading, block, Block::Virtual))
            .collect(),
        mail: mail(reading, draft),
        notify_priority_changes: priority_changes(reading, draft),
        timer_expired_backup: timer_expired_backup(reading, draft, preempt),
        lvs_sync_interface: reading.interface(statements.first("lvs_sync_daemon_interface")),
        linkbeat: statements.has("linkbeat_use_polling"),
        debug: reading.integer(statements.last("debug")).unwrap_or_default(),
    };
    vrid.map(|_| instance)
}

/// How an instance treats the adverts of others.
struct Manners {
    skip_check_adv_addr: bool,
    lower_prio_no_advert: bool,
    higher_prio_send_advert: bool,
    owner_ignore_adverts: bool,
}

impl Manners {
    fn read(reading: &mut Reading<'_>, draft: &Draft<'_>, strict: bool) -> Self {
        let Draft { statements, defaults, .. } = draft;
        let mut switch = |name, default| reading.switch(statements.last(name)).unwrap_or(default);
        let said = Self {
            // keepalived takes even `off` for on here; we do as we are told
            skip_check_adv_addr: switch("skip_check_adv_addr", defaults.skip_check_adv_addr),
            lower_prio_no_advert: switch("lower_prio_no_advert", defaults.lower_prio_no_advert),
            higher_prio_send_advert: switch("higher_prio_send_advert", defaults.higher_prio_send_advert),
            owner_ignore_adverts: switch("owner_ignore_adverts", defaults.owner_ignore_adverts),
        };
        if !strict {
            return said;
        }
        let conflicts = [
            ("lower_prio_no_advert", !said.lower_prio_no_advert),
            ("higher_prio_send_advert", said.higher_prio_send_advert),
        ];
        for (word, _) in conflicts.into_iter().filter(|(word, conflicts)| *conflicts && statements.has(word)) {
            draft.report(reading, &rule::STRICT_CONFLICT, word, &format!("strict mode does not allow this {word}"));
        }
        Self { lower_prio_no_advert: true, higher_prio_send_advert: false, owner_ignore_adverts: true, ..said }
    }
}

fn vrid(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Option<Vrid> {
    let Some(node) = draft.statements.last("virtual_router_id") else {
        draft.missing(reading, &rule::VRID_MISSING, "virtual_router_id", "virtual_router_id is missing");
        return None;
    };
    let word = node.argument()?;
    let parsed = crate::value::integer(word.text).ok().and_then(|id| u8::try_from(id).ok()).and_then(Vrid::new);
    if parsed.is_none() {
        let message = format!("virtual_router_id must be 1 to 255, not {}", word.str());
        let finding = Finding::at(&rule::VRID_RANGE, word.span, message).label("the packet has eight bits for it");
        reading.report(finding.note(format!("instance {} cannot run", draft.name)));
    }
    parsed
}

/// The interface, if it is one that VRRP can use.
fn link(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Link {
    let none = Link { name: None, facts: None };
    let Some(word) = draft.statements.last("interface").and_then(|node| node.argument()) else { return none };
    let Some(name) = reading.interface_name(word) else { return none };
    let facts = exists(reading, draft, name, word.span);
    if facts.is_some_and(|facts| facts.loopback) {
        let message = format!("instance {}: VRRP cannot use the loopback interface {name}", draft.name);
        reading.report(Finding::at(&rule::INTERFACE_LOOPBACK, word.span, message));
        return none;
    }
    Link { name: Some(name), facts }
}

/// What is known about `name`; reports one that should exist and does not.
fn exists(reading: &mut Reading<'_>, draft: &Draft<'_>, name: InterfaceName, span: Span) -> Option<InterfaceFacts> {
    let facts = reading.known_interface(name);
    if facts.is_none() && !draft.global.dynamic_interfaces {
        let message = format!("instance {}: there is no interface {name}", draft.name);
        let finding = Finding::at(&rule::INTERFACE_UNKNOWN, span, message);
        reading.report(finding.help("correct the name, or add dynamic_interfaces to global_defs if it appears later"));
    }
    facts
}

fn check_interface(reading: &mut Reading<'_>, draft: &Draft<'_>, link: Link, transport: &Transport) {
    let can_do_without = matches!(transport, Transport::Unicast { source: Some(_), .. });
    let has_value = draft.statements.last("interface").is_none_or(|node| !node.arguments().is_empty());
    if link.name.is_none() && !can_do_without && has_value {
        if let Some(word) = draft.statements.last("interface").and_then(|node| node.argument()) {
            // one message: that it is of no use, and that it cannot do without
            reading.findings.withdraw(&rule::INTERFACE_LOOPBACK, word.span);
            reading.findings.withdraw(&rule::INTERFACE_NAME, word.span);
            let why = if word.text == b"lo" { "the loopback interface" } else { "no name of an interface" };
            let message = format!("instance {}: it needs an interface, and {} is {why}", draft.name, word.str());
            let finding = Finding::at(&rule::INTERFACE_MISSING, word.span, message);
            reading.report(finding.help("name the interface on which the other routers are"));
        } else {
            draft.missing(reading, &rule::INTERFACE_MISSING, "interface", "interface is missing");
        }
    }
}

fn addresses<'a>(reading: &mut Reading<'_>, draft: &Draft<'a>, name: &str) -> Vec<Placed<'a>> {
    let blocks: Vec<Node<'a>> = draft.statements.all(name).collect();
    let placed: Vec<_> = blocks.into_iter().flat_map(|block| lines(reading, block, Block::Virtual)).collect();
    for (device, span) in placed.iter().filter_map(|placed| placed.device) {
        exists(reading, draft, device, span);
    }
    placed
}

/// `native_ipv6`, else that of the first address, else of what adverts are sent with.
fn family(draft: &Draft<'_>, advertised: &[Placed<'_>], wanted: &transport::Wanted) -> Family {
    if draft.statements.has("native_ipv6") {
        return Family::V6;
    }
    let first = advertised.first().map(|placed| placed.address.address);
    first.or_else(|| wanted.any_address()).map_or(Family::V4, Family::of)
}

fn version(reading: &mut Reading<'_>, draft: &Draft<'_>, family: Family, strict: bool) -> Version {
    let said: Option<i64> = reading.integer(draft.statements.last("version"));
    let native = draft.statements.has("native_ipv6");
    let version = match (said, family) {
        (Some(2), _) => Version::V2,
        (Some(_), _) | (None, Family::V6) => Version::V3,
        (None, Family::V4) => draft.defaults.version,
    };
    if version == Version::V2 && family == Family::V6 && (strict || native) {
        draft.report(reading, &rule::VERSION_FAMILY, "version", "IPv6 needs version 3 here; version 3 is used");
        return Version::V3;
    }
    version
}

/// Priority and wanted state, each of which has a say in the other's default.
fn standing(reading: &mut Reading<'_>, draft: &Draft<'_>, strict: bool) -> (Priority, InitialState) {
    let said_state = state(reading, draft);
    let said_priority = draft.statements.last("priority");
    let priority = match said_priority {
        Some(node) => reading.integer(Some(node)).and_then(Priority::new).unwrap_or(Priority::DEFAULT),
        None if said_state == Some(InitialState::Master) => Priority::OWNER,
        None => Priority::DEFAULT,
    };
    let natural = if priority.is_owner() { InitialState::Master } else { InitialState::Backup };
    let initial = said_state.unwrap_or(natural);
    if strict && initial != natural {
        draft.report(reading, &rule::STATE_STRICT, "state", "in strict mode MASTER and priority 255 go together");
        return (priority, natural);
    }
    (priority, initial)
}

fn state(reading: &mut Reading<'_>, draft: &Draft<'_>) -> Option<InitialState> {
    let word = draft.statements.last("state")?.argument()?;
    match word.text {
        b"MASTER" => Some(InitialState::Master),
        b"BACKUP" => Some(InitialState::Backup),
        _ => {
            let message = format!("state is MASTER or BACKUP, not {}; BACKUP is used", word.str());
            reading.report(Finding::at(&rule::STATE_UNKNOWN, word.span, message));
            Some(InitialState::Backup)
        }
    }
}

/// How many addresses one advert holds (keepalived: what fits the MTU, at most the 255 that the count can say).
fn capacity(link: Link, (version, family): (Version, Family)) -> usize {
    let (header, size) = match family {
        Family::V4 => (20, 4),
        Family::V6 => (40, 16),
    };
    let authentication = if version == Version::V2 && family == Family::V4 { 8 } else { 0 };
    let room = link.mtu().saturating_sub(header + 8 + authentication) / size;
    usize::try_from(room).unwrap_or(usize::MAX).min(255)
}

/// Advertised and excluded addresses, those that do not fit moved from the first to the second.
fn fit(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    mut advertised: Vec<Placed<'_>>,
    excluded: Vec<Placed<'_>>,
    link: Link,
    protocol: (Version, Family),
) -> (Vec<VirtualAddress>, Vec<VirtualAddress>) {
    let capacity = capacity(link, protocol);
    let beyond = advertised.split_off(capacity.min(advertised.len()));
    if let Some(first) = beyond.first() {
        let message = format!(
            "instance {}: an advert has room for {capacity} addresses; {} are not advertised, from here on",
            draft.name,
            beyond.len()
        );
        reading.report(Finding::at(&rule::TOO_MANY_ADDRESSES, first.span, message));
    }
    let bare = |placed: Placed<'_>| placed.address;
    (advertised.into_iter().map(bare).collect(), excluded.into_iter().chain(beyond).map(bare).collect())
}

fn check_addresses(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    addresses: &[VirtualAddress],
    version: Version,
    strict: bool,
) {
    let Some(first) = addresses.first() else {
        if draft.statements.has("no_virtual_ipaddress") && !strict {
            return;
        }
        let (rule, message) = if strict || version == Version::V3 {
            (&rule::NO_ADDRESS_FATAL, "at least one virtual_ipaddress is required")
        } else if draft.statements.all("virtual_ipaddress").any(|block| block.children().next().is_some()) {
            // what is wrong with the lines that are there has been said
            return;
        } else {
            (&rule::NO_ADDRESS, "without virtual_ipaddress nothing moves")
        };
        return draft.missing(reading, rule, "virtual_ipaddress", message);
    };
    let is_link_local = match first.address {
        std::net::IpAddr::V6(address) => address.is_unicast_link_local(),
        std::net::IpAddr::V4(_) => true,
    };
    if strict && !is_link_local {
        draft.report(
            reading,
            &rule::STRICT_LINK_LOCAL,
            "virtual_ipaddress",
            "the first IPv6 address should be link-local",
        );
    }
}

fn advert_interval(reading: &mut Reading<'_>, draft: &Draft<'_>, version: Version) -> AdvertInterval {
    let node = draft.statements.last("advert_int");
    let Some(said) = reading.duration(node) else { return AdvertInterval::DEFAULT };
    let micros = said.as_micros();
    let centis = match version {
        Version::V2 => (micros.saturating_add(500_000) / 1_000_000).max(1).saturating_mul(100),
        Version::V3 => (micros.saturating_add(5_000) / 10_000).min(4095),
    };
    let interval = u16::try_from(centis).ok().and_then(|centis| AdvertInterval::new(version, Centis::new(centis)).ok());
    let interval = interval.unwrap_or(AdvertInterval::DEFAULT);
    if interval.duration() != said {
        let units = match version {
            Version::V2 => "version 2 has whole seconds",
            Version::V3 => "version 3 has hundredths of a second up to 40.95",
        };
        let message = format!("advert_int becomes {:?}: {units}", interval.duration());
        draft.report(reading, &rule::ADVERT_INTERVAL_ROUNDED, "advert_int", &message);
    }
    interval
}

fn down_timer_adverts(reading: &mut Reading<'_>, draft: &Draft<'_>, strict: bool) -> u8 {
    let said: Option<u8> = reading.integer(draft.statements.last("down_timer_adverts"));
    if !strict {
        return said.unwrap_or(draft.defaults.down_timer_adverts);
    }
    if said.is_some_and(|said| said != 3) {
        draft.report(reading, &rule::STRICT_CONFLICT, "down_timer_adverts", "strict mode sets down_timer_adverts to 3");
    }
    3
}

fn preempt(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    priority: Priority,
    initial: InitialState,
    strict: bool,
) -> Preempt {
    let statements = &draft.statements;
    let always = initial == InitialState::Master || priority.is_owner();
    let last = statements.last_of("preempt", "nopreempt").and_then(|node| node.keyword());
    let mut nopreempt = last.is_some_and(|keyword| keyword.name == "nopreempt");
    if nopreempt && always {
        let because = if priority.is_owner() { "priority 255" } else { "state MASTER" };
        draft.report(
            reading,
            &rule::NOPREEMPT_CLEARED,
            "nopreempt",
            &format!("nopreempt is ignored because of {because}"),
        );
        nopreempt = false;
    }
    let delay = reading.duration(statements.last("preempt_delay")).filter(|delay| !delay.is_zero());
    let reason = if strict {
        "strict mode"
    } else if initial == InitialState::Master {
        "state MASTER"
    } else if nopreempt {
        "nopreempt"
    } else {
        return delay.map_or(Preempt::Yes, Preempt::After);
    };
    if delay.is_some() {
        let message = format!("preempt_delay is ignored because of {reason}");
        draft.report(reading, &rule::PREEMPT_DELAY_CLEARED, "preempt_delay", &message);
    }
    if nopreempt { Preempt::No } else { Preempt::Yes }
}

fn accept(reading: &mut Reading<'_>, draft: &Draft<'_>, version: Version, priority: Priority, strict: bool) -> bool {
    let last = draft.statements.last_of("accept", "no_accept").and_then(|node| node.keyword());
    let said = last.map(|keyword| keyword.name == "accept");
    if priority.is_owner() {
        return true;
    }
    if strict && version == Version::V2 && said == Some(true) {
        draft.report(
            reading,
            &rule::STRICT_CONFLICT,
            "accept",
            "version 2 in strict mode has accept for priority 255 only",
        );
        return false;
    }
    said.unwrap_or(!strict)
}

fn checksum(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    version: Version,
    family: Family,
    transport: &Transport,
) -> ChecksumForm {
    let plain = reading.switch(draft.statements.last("v3_checksum_as_v2")).unwrap_or(draft.defaults.v3_checksum_as_v2);
    let old = match draft.statements.last("old_unicast_checksum").map(|node| node.argument()) {
        None => false,
        Some(None) => true,
        Some(Some(word)) => {
            if word.text != b"never" {
                let message = format!("old_unicast_checksum stands alone or with never, not with {}", word.str());
                reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
            }
            false
        }
    };
    match (version, family) {
        (Version::V3, Family::V4) if old && matches!(transport, Transport::Unicast { .. }) => ChecksumForm::OldUnicast,
        (Version::V3, Family::V4) if plain => ChecksumForm::Plain,
        _ => ChecksumForm::PseudoHeader,
    }
}

/// `vrf`: for the sockets of an instance without interface.
fn vrf(reading: &mut Reading<'_>, draft: &Draft<'_>, link: Link) -> Option<InterfaceName> {
    let word = draft.statements.last("vrf")?.argument()?;
    let name = reading.interface_name(word)?;
    if link.name.is_some() {
        draft.report(reading, &rule::VRF, "vrf", "vrf is for instances without interface; it is ignored");
        return None;
    }
    exists(reading, draft, name, word.span).map(|_| name).or(draft.global.dynamic_interfaces.then_some(name))
}

/// `smtp_alert`, here or globally.
fn mail(reading: &mut Reading<'_>, draft: &Draft<'_>) -> bool {
    let mail = &draft.global.mail;
    reading.switch(draft.statements.last("smtp_alert")).or(mail.alert_vrrp).or(mail.alert).unwrap_or(false)
}

/// `notify_priority_changes`, here, in the group or globally.
fn priority_changes(reading: &mut Reading<'_>, draft: &Draft<'_>) -> bool {
    let defaults = draft.defaults;
    let said = reading.switch(draft.statements.last("notify_priority_changes"));
    said.or(defaults.group_priority_changes.get(&draft.name).copied()).unwrap_or(defaults.priority_changes)
}

fn timer_expired_backup(reading: &mut Reading<'_>, draft: &Draft<'_>, preempt: Preempt) -> Option<u8> {
    let node = draft.statements.last_of("timer_expired_backup", "thread_timer_expired")?;
    let priority = match node.argument() {
        None => Some(254),
        Some(_) => reading.integer(Some(node)),
    };
    if preempt != Preempt::No {
        let message = "it needs nopreempt: without it the better router takes over anyway; it is ignored";
        let message = format!("{}: {message}", node.name());
        draft.report(reading, &rule::TIMER_EXPIRED, &node.name(), &message);
        return None;
    }
    priority
}
