//! `virtual_server`

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use keepalived_core::vrrp::Family;

use super::super::reading::Reading;
use super::super::statements::{Statements, keyword_span};
use super::endpoint::{self, AddressPort};
use super::group::KnownGroup;
use super::pace::Pace;
use super::persistence::{self, DEFAULT_TIMEOUT, Persistence};
use super::real::{self, RealDraft, Setting};
use super::surroundings::Surroundings;
use super::{backend, forwarding, quorum, shared, stay};
use crate::finding::{Finding, rule};
use crate::model::{
    Balancing, Forwarding, Granularity, Protocol, Scheduler, SchedulerFlags, Service, ServiceSettings, SorryServer,
    VirtualServer,
};
use crate::syntax::Node;

/// What stands after `virtual_server`.
enum Head<'a> {
    Address(AddressPort),
    Fwmark(u32),
    Group(KnownGroup<'a>),
}

impl Head<'_> {
    /// The family, if the head alone says it.
    fn family(&self) -> Option<Family> {
        match self {
            Self::Address(at) => Some(Family::of(at.address)),
            Self::Fwmark(_) => None,
            Self::Group(known) => known.family,
        }
    }

    fn has_fwmark(&self) -> bool {
        match self {
            Self::Address(_) => false,
            Self::Fwmark(_) => true,
            Self::Group(known) => known.has_fwmark,
        }
    }

    fn has_address(&self) -> bool {
        match self {
            Self::Address(_) => true,
            Self::Fwmark(_) => false,
            Self::Group(known) => known.has_address,
        }
    }

    /// Whether any of its addresses stands for every port.
    fn has_every_port(&self) -> bool {
        match self {
            Self::Address(at) => at.port.is_none(),
            Self::Fwmark(_) => false,
            Self::Group(known) => known.has_every_port,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Address(AddressPort { address, port: Some(port) }) => format!("virtual server {address} {port}"),
            Self::Address(AddressPort { address, port: None }) => format!("virtual server {address}"),
            Self::Fwmark(mark) => format!("virtual server fwmark {mark}"),
            Self::Group(known) => format!("virtual server group {}", known.group.name),
        }
    }
}

/// A virtual server and where it is written.
struct Entry<'a> {
    server: VirtualServer,
    block: Node<'a>,
    /// Where its real servers are, as soon as a second block adds some.
    places: Option<HashSet<AddressPort>>,
}

/// Every virtual server that can run, in the order of the file; each service once.
pub(super) fn read_all<'a>(
    reading: &mut Reading<'a>,
    root: &Statements<'a>,
    surroundings: &Surroundings<'_>,
    balancing: &Balancing,
) -> Vec<VirtualServer> {
    let blocks = || root.all("virtual_server");
    // the room that they need at once: there may be tens of thousands
    let count = blocks().count();
    let mut servers: Vec<Entry<'a>> = Vec::with_capacity(count);
    let mut known: HashMap<Service, usize> = HashMap::with_capacity(count);
    for block in blocks() {
        let Some(head) = head(reading, block, surroundings) else { continue };
        let Some(server) = read(reading, block, &head, surroundings) else { continue };
        match known.get(&server.service).and_then(|index| servers.get_mut(*index)) {
            Some(first) => join(reading, first, server, block),
            None => {
                known.insert(server.service.clone(), servers.len());
                servers.push(Entry { server, block, places: None });
            }
        }
    }
    for Entry { server, block, .. } in &mut servers {
        quorum::fit(reading, server, *block);
    }
    let services: Vec<_> = servers.iter().map(|entry| (&entry.server.service, entry.block)).collect();
    shared::report(reading, &services, surroundings);
    stay::report(reading, balancing, servers.iter().map(|entry| (&entry.server, entry.block)));
    let mut servers: Vec<VirtualServer> = servers.into_iter().map(|entry| entry.server).collect();
    servers.shrink_to_fit();
    servers
}

/// Adds the real servers of `second` to those of `first`: the kernel has one service of this kind, and with keepalived
/// both blocks fill it.
fn join(reading: &mut Reading<'_>, first: &mut Entry<'_>, second: VirtualServer, block: Node<'_>) {
    let Entry { server: first, block: node, places } = first;
    let message = format!("there is a virtual server {} already", first.service);
    let finding = match keyword_span(block) {
        Some(span) => Finding::at(&rule::VIRTUAL_SERVER_TWICE, span, message),
        None => Finding::anywhere(&rule::VIRTUAL_SERVER_TWICE, message),
    };
    let finding = finding.note("its real servers are added to the first one's, its other settings are left out");
    reading.report(match keyword_span(*node) {
        Some(span) => finding.also(span, "the first is here"),
        None => finding,
    });
    let places = places.get_or_insert_with(|| first.real_servers.iter().map(AddressPort::of).collect());
    first.real_servers.extend(second.real_servers.into_iter().filter(|real| places.insert(AddressPort::of(real))));
}

fn head<'a>(reading: &mut Reading<'_>, block: Node<'_>, surroundings: &Surroundings<'a>) -> Option<Head<'a>> {
    let words = block.arguments();
    let Some(first) = words.get(0) else {
        let message = "virtual_server needs an address, fwmark NUMBER or group NAME";
        reading.report_at(&rule::MISSING_PARAMETER, Some(block), message);
        return None;
    };
    if first.text != b"fwmark" && first.text != b"group" {
        return endpoint::address_port(reading, "virtual server", &words).map(Head::Address);
    }
    let Some(word) = words.get(1) else {
        let wanted = if first.text == b"group" { "the name of a virtual_server_group" } else { "a number" };
        let message = format!("virtual_server {} needs {wanted}; it is left out", first.str());
        reading.report_at(&rule::BLOCK_NAME, Some(block), message);
        return None;
    };
    if let Some(extra) = words.get(2) {
        let message = format!("virtual_server {} takes one word; what follows is ignored", first.str());
        let rest = extra.span.to(words.clone().next_back().map_or(extra.span, |last| last.span));
        reading.report(Finding::at(&rule::EXTRA_WORDS, rest, message));
    }
    if first.text == b"fwmark" {
        let number = reading.number_word("fwmark of a virtual server", word, 1..=4_294_967_295)?;
        return u32::try_from(number).ok().map(Head::Fwmark);
    }
    let name = word.str();
    let group = surroundings.groups.get(name.as_ref());
    if group.is_none() {
        let problem = if surroundings.group_names.contains(name.as_ref()) {
            format!("virtual_server_group {name} cannot be used")
        } else {
            format!("there is no virtual_server_group {name}")
        };
        let message = format!("{problem}; the virtual server is left out");
        let finding = Finding::at(&rule::SERVER_GROUP_UNKNOWN, word.span, message);
        let names = surroundings.groups.keys().map(|name| &**name);
        let near = reading.suggest(&name, names);
        reading.report(match near {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        });
    }
    group.copied().map(Head::Group)
}

fn read(
    reading: &mut Reading<'_>,
    block: Node<'_>,
    head: &Head<'_>,
    surroundings: &Surroundings<'_>,
) -> Option<VirtualServer> {
    let statements = Statements::of(block.children());
    let name = head.name();
    let protocol = protocol(reading, &statements, block, head);
    let scheduler = scheduler(reading, &statements, block, &name);
    let method = statements.last_of("lvs_method", "lb_kind");
    if method.is_none() {
        let message = format!("{name} has no lvs_method; NAT is used");
        reading.report_missing(&rule::FORWARDING_MISSING, block, "lvs_method", message);
    }
    let forwarding = forwarding::read(reading, method).unwrap_or(Forwarding::Nat);
    let said_family = ip_family(reading, &statements, head);
    let persistence = persistence::read(reading, &statements, head.family().or(said_family));
    let drafts = real::drafts(reading, &statements, forwarding);
    let sorry = sorry(reading, &statements, forwarding);
    let family = head.family().or(said_family).unwrap_or_else(|| family(&persistence, &drafts, sorry.as_ref()));
    let service = match head {
        Head::Address(AddressPort { address, port }) => {
            Service::Address { address: *address, port: *port, protocol: protocol.unwrap_or(Protocol::Udp) }
        }
        Head::Fwmark(mark) => Service::Fwmark { mark: *mark, family },
        Head::Group(known) => Service::Group { name: known.group.name.clone(), protocol, family },
    };
    check_group_family(reading, head, &drafts, family, block);
    let pace = Pace::DEFAULT.with(reading, &statements);
    let setting = Setting { service: &service, head_is_group: matches!(head, Head::Group(_)), pace };
    let real_servers = real::finish(reading, &statements, drafts, &setting, surroundings);
    if real_servers.is_empty() {
        let message = format!("{name} has no real server that can be used; it is left out");
        reading.report_missing(&rule::NO_REAL_SERVER, block, "real_server", message);
        return None;
    }
    let mut sorry_server = sorry.and_then(|sorry| real::finish_sorry(reading, &statements, sorry, &setting));
    if let Some(sorry) = &mut sorry_server {
        real::agree(reading, &statements, sorry, &real_servers);
    }
    let mut settings = ServiceSettings {
        scheduler,
        flags: flags(reading, &statements, scheduler),
        one_packet: one_packet(reading, &statements, protocol, &name),
        forwarding,
        persistence_timeout: persistence.timeout,
        persistence_granularity: persistence.granularity,
        persistence_engine: persistence.engine,
        quorum: reading.integer(statements.last("quorum")).unwrap_or(1),
        hysteresis: reading.integer(statements.last("hysteresis")).unwrap_or(0),
        alpha: pace.alpha,
        inhibit_on_failure: statements.has("inhibit_on_failure"),
        pace: pace.said(),
        omega: statements.has("omega"),
        ha_suspend: ha_suspend(reading, &statements, head, &name),
        smtp_alert: reading.switch(statements.last("smtp_alert")).or(surroundings.smtp_alert).unwrap_or(false),
        sorry_server,
        virtualhost: reading.text(statements.last("virtualhost")),
        snmp_name: reading.single_text(statements.last("snmp_name")),
        quorum_up: reading.first_script(&statements, "quorum_up").map(Box::new),
        quorum_down: reading.first_script(&statements, "quorum_down").map(Box::new),
    };
    if head.has_every_port() && settings.persistence_timeout.is_none() {
        let message = format!("{name} has no port, which goes with persistence only; persistence_timeout 360 is used");
        reading.report_at(&rule::PORT_MISSING, Some(block), message);
        settings.persistence_timeout = Some(DEFAULT_TIMEOUT);
    }
    let server = VirtualServer { service, settings, real_servers };
    backend::fits(reading, surroundings.backend, &server, block).then_some(server)
}

/// `protocol`; `None` if there is nothing but marks, which stand for all protocols.
fn protocol(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    block: Node<'_>,
    head: &Head<'_>,
) -> Option<Protocol> {
    let node = statements.last("protocol");
    let said = reading.choice_any_case(node);
    let name = head.name();
    if !head.has_address() {
        if node.is_some() {
            let message = format!("{name}: protocol is ignored, a mark stands for all protocols");
            reading.report_at(&rule::PROTOCOL_FWMARK, node, message);
        }
        return None;
    }
    if node.is_none() {
        let message = format!("{name} has no protocol; UDP is used, which is rarely meant");
        reading.report_missing(&rule::PROTOCOL_MISSING, block, "protocol", message);
    }
    Some(match said {
        Some("TCP") => Protocol::Tcp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Udp,
    })
}

fn scheduler(reading: &mut Reading<'_>, statements: &Statements<'_>, block: Node<'_>, name: &str) -> Scheduler {
    let node = statements.last_of("lvs_sched", "lb_algo");
    if node.is_none() {
        let message = format!("{name} has no lvs_sched; wlc is used");
        reading.report_missing(&rule::SCHEDULER_MISSING, block, "lvs_sched", message);
    }
    reading.choice(node).and_then(Scheduler::named).unwrap_or(Scheduler::Wlc)
}

fn flags(reading: &mut Reading<'_>, statements: &Statements<'_>, scheduler: Scheduler) -> SchedulerFlags {
    let hashes = matches!(scheduler, Scheduler::Sh | Scheduler::Mh);
    for word in ["hashed", "sh-port", "sh-fallback", "mh-port", "mh-fallback"] {
        if !hashes && statements.has(word) {
            let message =
                format!("{word} goes with the schedulers sh and mh, not with {}; it is ignored", scheduler.name());
            reading.report_at(&rule::SCHEDULER_FLAG, statements.last(word), message);
        }
    }
    let hash_flag = |sh, mh| hashes && (statements.has(sh) || statements.has(mh));
    SchedulerFlags {
        flag_1: statements.has("flag-1") || hash_flag("sh-fallback", "mh-fallback"),
        flag_2: statements.has("flag-2") || hash_flag("sh-port", "mh-port"),
        flag_3: statements.has("flag-3"),
        hashed: statements.has("hashed"),
    }
}

fn one_packet(reading: &mut Reading<'_>, statements: &Statements<'_>, protocol: Option<Protocol>, name: &str) -> bool {
    let node = statements.last("ops");
    if node.is_none() || matches!(protocol, None | Some(Protocol::Udp)) {
        return node.is_some();
    }
    let message = format!("{name}: ops is for UDP only; it is ignored");
    reading.report_at(&rule::OPS_PROTOCOL, node, message);
    false
}

fn ha_suspend(reading: &mut Reading<'_>, statements: &Statements<'_>, head: &Head<'_>, name: &str) -> bool {
    let node = statements.last("ha_suspend");
    if node.is_none() || !head.has_fwmark() {
        return node.is_some();
    }
    let message = format!("{name}: ha_suspend waits for an address, and a mark has none; it is ignored");
    reading.report_at(&rule::SUSPEND_FWMARK, node, message);
    false
}

fn ip_family(reading: &mut Reading<'_>, statements: &Statements<'_>, head: &Head<'_>) -> Option<Family> {
    let node = statements.last("ip_family");
    let said = match reading.choice(node)? {
        "inet6" => Family::V6,
        _ => Family::V4,
    };
    if let Head::Address(at) = head
        && Family::of(at.address) != said
    {
        let message = format!("{}: ip_family contradicts the address; it is ignored", head.name());
        reading.report_at(&rule::SERVER_FAMILY, node, message);
    }
    Some(said)
}

/// The family of marks: of the granularity, of servers that are not behind tunnels, or of all servers if they agree.
fn family(persistence: &Persistence, drafts: &[RealDraft<'_>], sorry: Option<&SorryServer>) -> Family {
    match persistence.granularity {
        Some(Granularity::V4(_)) => return Family::V4,
        Some(Granularity::V6(_)) => return Family::V6,
        None => {}
    }
    let servers = drafts.iter().map(|draft| (draft.at.address, draft.forwarding));
    let all: Vec<(IpAddr, Forwarding)> = servers.chain(sorry.map(|sorry| (sorry.address, sorry.forwarding))).collect();
    if let Some((address, _)) = all.iter().find(|(_, forwarding)| !forwarding.crosses_families()) {
        return Family::of(*address);
    }
    let is_v6 = !all.is_empty() && all.iter().all(|(address, _)| address.is_ipv6());
    if is_v6 { Family::V6 } else { Family::V4 }
}

/// Members of a group that no server can serve.
fn check_group_family(
    reading: &mut Reading<'_>,
    head: &Head<'_>,
    drafts: &[RealDraft<'_>],
    family: Family,
    block: Node<'_>,
) {
    let Head::Group(KnownGroup { families: (v4, v6), .. }) = *head else { return };
    let others = if family == Family::V4 { v6 } else { v4 };
    if others > 0 && drafts.iter().any(|draft| !draft.forwarding.crosses_families()) {
        let message = format!(
            "{}: only tunnels serve both families, and {others} lines of the group are not {family}",
            head.name()
        );
        reading.report_at(&rule::SERVER_GROUP_FAMILY, Some(block), message);
    }
}

/// `sorry_server` and what is said about it.
fn sorry(reading: &mut Reading<'_>, statements: &Statements<'_>, forwarding: Forwarding) -> Option<SorryServer> {
    let node = statements.last("sorry_server");
    if node.is_none() {
        for word in ["sorry_server_inhibit", "sorry_server_lvs_method"] {
            if statements.has(word) {
                let message = format!("{word} without sorry_server is ignored");
                reading.report_at(&rule::SORRY_MISSING, statements.last(word), message);
            }
        }
    }
    let AddressPort { address, port } = endpoint::address_port(reading, "sorry server", &node?.arguments())?;
    Some(SorryServer {
        address,
        port,
        forwarding: forwarding::read(reading, statements.last("sorry_server_lvs_method")).unwrap_or(forwarding),
        inhibit: statements.has("sorry_server_inhibit"),
    })
}
