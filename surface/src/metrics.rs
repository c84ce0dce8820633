//! Metrics in the text format of OpenMetrics 1.0. Names and labels of mehdy/keepalived-exporter come first, so that dashboards that exist go
//! on; those after them are ours.

use std::fmt::{self, Write as _};

use keepalived_core::balance::{self, Counted, Traffic};
use keepalived_core::bfd::SessionState;
use keepalived_core::histogram::Histogram;
use keepalived_core::vrrp::Counters;
use keepalived_core::vrrp::State;
use keepalived_core::vrrp::tracking::{TrackerKind, TrackerState};
use keepalived_state::{CheckView, InstanceView, ProcessState, ServerView, ServiceView, Snapshot};

use crate::status::{Scene, Severity, problems};

/// The type that a server has to give.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A counter of an instance: its name without `_total`, what it counts, where it is.
type InstanceCounter = (&'static str, &'static str, fn(&Counters) -> u64);

/// Those of the exporter.
const EXPORTED: [InstanceCounter; 14] = [
    ("advertisements_received", "Adverts received", |counters| counters.advert_rcvd),
    ("advertisements_sent", "Adverts sent", |counters| counters.advert_sent),
    ("become_master", "Times the instance became master", |counters| counters.become_master),
    ("release_master", "Times the instance gave mastership up", |counters| counters.release_master),
    ("packet_length_errors", "Adverts of a wrong length", |counters| counters.packet_len_err),
    ("advertisements_interval_errors", "Adverts with another interval", |counters| counters.advert_interval_err),
    ("ip_ttl_errors", "Adverts with another TTL than 255", |counters| counters.ip_ttl_err),
    ("invalid_type_received", "Adverts of an unknown type", |counters| counters.invalid_type_rcvd),
    ("address_list_errors", "Adverts with other addresses", |counters| counters.addr_list_err),
    ("authentication_invalid", "Adverts with an unknown type of authentication", |counters| counters.invalid_authtype),
    ("authentication_mismatch", "Adverts with another type of authentication", |counters| counters.authtype_mismatch),
    ("authentication_failure", "Adverts whose authentication failed", |counters| counters.auth_failure),
    ("priority_zero_received", "Farewells received", |counters| counters.pri_zero_rcvd),
    ("priority_zero_sent", "Farewells sent", |counters| counters.pri_zero_sent),
];

/// What became of events for the webhook.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Posts {
    /// Taken.
    pub posted: u64,
    /// Requests that failed or were refused.
    pub failed: u64,
    /// Events that nobody got.
    pub lost: u64,
    /// Events that wait.
    pub waiting: u64,
}

/// All metrics.
pub fn metrics(scene: &Scene<'_>, posts: Option<Posts>) -> String {
    (0..).map_while(|number| part(scene, posts, number)).collect()
}

/// Parts that are always there, besides those of traffic.
const PARTS: [fn(&mut Page, &Scene<'_>); 9] =
    [vrrp, trackers, balance, servers, check_results, checks, programs, bfd, daemon];

/// A part of the metrics; `None` after the last one. A large site takes several megabytes: who sends them part by part never has all.
pub fn part(scene: &Scene<'_>, posts: Option<Posts>, number: usize) -> Option<String> {
    let mut page = Page::default();
    match (PARTS.get(number), number.checked_sub(PARTS.len())) {
        (Some(part), _) => part(&mut page, scene),
        (None, Some(family)) if family < TRAFFIC => traffic(&mut page, scene, family),
        (None, Some(TRAFFIC)) => {
            webhook(&mut page, posts);
            page.text += "# EOF\n";
        }
        (None, _) => return None,
    }
    Some(page.text)
}

fn vrrp(page: &mut Page, scene: &Scene<'_>) {
    let vrrp = &scene.snapshot.vrrp;
    page.gauge("up", "Whether the daemon runs");
    page.sample("up", "", &[], 1);
    page.gauge("vrrp_state", "State of an instance: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT");
    for instance in &vrrp.instances {
        let of_instance = interface(instance);
        for address in &instance.addresses {
            let on = address.line.device.map_or_else(|| of_instance.clone(), |device| device.to_string());
            let labels: [Label<'_>; 4] = [
                ("iname", &instance.name),
                ("intf", &on),
                ("vrid", &instance.settings.vrid.get()),
                ("ip_address", &address.line.address),
            ];
            page.sample("vrrp_state", "", &labels, instance.state.number());
        }
    }
    page.counter(
        "gratuitous_arp_delay",
        "Seconds from MASTER to the second round of gratuitous ARP (no counter: the exporter calls it so)",
    );
    for instance in &vrrp.instances {
        page.of_instance("gratuitous_arp_delay", "_total", instance, instance.settings.garp.delay.as_secs());
    }
    for (name, help, of) in EXPORTED {
        page.counter(name, help);
        for instance in &vrrp.instances {
            page.of_instance(name, "_total", instance, of(&instance.counters));
        }
    }
    let by_name = |page: &mut Page, name, help, value: &dyn Fn(&InstanceView) -> u64| {
        page.gauge(name, help);
        for instance in &vrrp.instances {
            page.sample(name, "", &[("iname", &instance.name)], value(instance));
        }
    };
    by_name(page, "vrrp_priority", "Priority that counts", &|instance| instance.effective_priority.get().into());
    by_name(page, "vrrp_base_priority", "Configured priority", &|instance| instance.settings.priority.get().into());
    by_name(page, "vrrp_state_since_seconds", "When the state began, in seconds since 1970", &|instance| {
        instance.since.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
    });
    by_name(page, "vrrp_master", "Whether the instance is master here", &|instance| {
        u64::from(instance.state == State::Master)
    });
    page.gauge("vrrp_fault", "Reasons that keep an instance from taking part");
    for instance in &vrrp.instances {
        for fault in instance.faults.iter() {
            page.sample("vrrp_fault", "", &[("iname", &instance.name), ("fault", fault)], 1);
        }
    }
    page.gauge("vrrp_address_set", "Whether an address is in place here");
    for instance in &vrrp.instances {
        for address in instance.addresses.iter().chain(&instance.excluded_addresses) {
            let on = address.line.device.map_or_else(|| interface(instance), |device| device.to_string());
            let labels: [Label<'_>; 3] =
                [("iname", &instance.name), ("intf", &on), ("ip_address", &address.line.address)];
            page.sample("vrrp_address_set", "", &labels, u8::from(address.set));
        }
    }
    page.counter("unknown_vrid_advertisements", "Adverts for VRIDs that are not configured");
    let totals = &vrrp.totals;
    page.sample("unknown_vrid_advertisements", "_total", &[], totals.unknown_vrid);
    page.counter("netlink_resyncs", "Times the kernel lost events, and everything was read again");
    page.sample("netlink_resyncs", "_total", &[], totals.netlink_overruns);
    page.family("adverts_late_seconds", "How much later than they were due adverts were sent", "histogram");
    page.histogram("adverts_late_seconds", &[], &totals.late);
    page.family("takeover_silence_seconds", "Silence of the master before when an instance took over", "histogram");
    page.histogram("takeover_silence_seconds", &[], &totals.silences);
}

fn interface(instance: &InstanceView) -> String {
    instance.interface.map(|interface| interface.to_string()).unwrap_or_default()
}

fn trackers(page: &mut Page, scene: &Scene<'_>) {
    let trackers = &scene.snapshot.vrrp.trackers;
    page.gauge("script_status", "Whether a script succeeded last");
    for tracker in trackers.iter().filter(|tracker| tracker.id.kind == TrackerKind::Script) {
        page.sample("script_status", "", &[("name", &tracker.id.name)], u64::from(tracker.state == TrackerState::Up));
    }
    page.gauge("tracker_up", "Whether what is tracked is well");
    for tracker in trackers.iter().filter(|tracker| matches!(tracker.state, TrackerState::Up | TrackerState::Down)) {
        let labels: [Label<'_>; 2] = [("kind", &tracker.id.kind), ("name", &tracker.id.name)];
        page.sample("tracker_up", "", &labels, u64::from(tracker.state == TrackerState::Up));
    }
}

fn balance(page: &mut Page, scene: &Scene<'_>) {
    let services = &scene.snapshot.balance.services;
    page.gauge("virtual_server_quorum_up", "Whether a virtual server has its quorum");
    for service in services {
        page.sample("virtual_server_quorum_up", "", &[("virtual_server", &service.name)], u8::from(service.quorum_up));
    }
    page.gauge("virtual_server_weight", "Weight of all real servers that are up");
    for service in services {
        page.sample("virtual_server_weight", "", &[("virtual_server", &service.name)], service.weight);
    }
}

/// All real servers, each with its virtual server.
fn all_servers<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (&'a ServiceView, &'a ServerView)> {
    let services = &scene.snapshot.balance.services;
    services.iter().flat_map(|service| service.servers.iter().map(move |server| (service, server)))
}

fn servers(page: &mut Page, scene: &Scene<'_>) {
    page.gauge("real_server_up", "Whether a real server is in use");
    for (service, server) in all_servers(scene) {
        let labels: [Label<'_>; 2] = [("virtual_server", &service.name), ("real_server", &server.name)];
        page.sample("real_server_up", "", &labels, u8::from(server.up));
    }
    page.gauge("real_server_weight", "Weight of a real server");
    for (service, server) in all_servers(scene) {
        let labels: [Label<'_>; 2] = [("virtual_server", &service.name), ("real_server", &server.name)];
        page.sample("real_server_weight", "", &labels, server.weight);
    }
}

fn check_results(page: &mut Page, scene: &Scene<'_>) {
    page.gauge("check_up", "Whether a check succeeds");
    for (service, server) in all_servers(scene) {
        for (number, check) in (1..).zip(&server.checks).filter(|(_, check)| check.has_run) {
            page.sample("check_up", "", &check_labels(service, server, check, &number), u8::from(check.up));
        }
    }
}

fn webhook(page: &mut Page, posts: Option<Posts>) {
    let Some(Posts { posted, failed, lost, waiting }) = posts else { return };
    for (name, help, count) in [
        ("webhook_posted", "Events that the webhook took", posted),
        ("webhook_failed", "Requests to the webhook that failed or were refused", failed),
        ("webhook_lost", "Events that the webhook never got", lost),
    ] {
        page.counter(name, help);
        page.sample(name, "_total", &[], count);
    }
    page.gauge("webhook_waiting", "Events that wait for the webhook");
    page.sample("webhook_waiting", "", &[], waiting);
}

/// A counter of a server, or of a virtual server: its name without the subject, what it counts, where it is.
type TrafficCounter = (&'static str, &'static str, fn(&balance::Counters) -> u64);

/// What nftables counts, too.
const INCOMING: [TrafficCounter; 2] = [
    ("packets_in", "Packets from clients", |counters| counters.packets_in),
    ("bytes_in", "Octets from clients", |counters| counters.octets_in),
];

const OTHERS: [TrafficCounter; 3] = [
    ("connections", "Connections", |counters| counters.connections),
    ("packets_out", "Packets to clients, where they pass here", |counters| counters.packets_out),
    ("bytes_out", "Octets to clients, where they pass here", |counters| counters.octets_out),
];

/// A number of present connections.
type Present = (&'static str, &'static str, fn(&Traffic) -> u32);

const PRESENT: [Present; 3] = [
    ("active_connections", "Connections that are established", |traffic| traffic.active),
    ("inactive_connections", "Connections that begin, or are over", |traffic| traffic.inactive),
    ("persistent_clients", "Clients that stay with a real server", |traffic| traffic.persistent),
];

/// Families of [`traffic`]: what is counted for virtual servers, the same for real servers, and present connections.
const TRAFFIC: usize = 2 * (INCOMING.len() + OTHERS.len()) + PRESENT.len();

/// One family, if the kernel's load balancer counts it.
fn traffic(page: &mut Page, scene: &Scene<'_>, family: usize) {
    let counted = scene.snapshot.balance.totals.counted;
    let all: Vec<&TrafficCounter> = INCOMING.iter().chain(&OTHERS).collect();
    let is_counted = |place: usize| match counted {
        None => false,
        Some(Counted::Incoming) => place < INCOMING.len(),
        Some(Counted::Everything) => true,
    };
    if let Some((name, help, of)) = all.get(family) {
        let name = format!("virtual_server_{name}");
        if is_counted(family) {
            page.counter(&name, help);
            for service in &scene.snapshot.balance.services {
                let counters = service.traffic.as_ref().map(|traffic| traffic.counters).unwrap_or_default();
                page.sample(&name, "_total", &[("virtual_server", &service.name)], of(&counters));
            }
        }
        return;
    }
    let passed = |server: &ServerView| server.traffic.as_deref().copied().unwrap_or_default();
    let family = family.saturating_sub(all.len());
    if let Some((name, help, of)) = all.get(family) {
        let name = format!("real_server_{name}");
        if is_counted(family) {
            page.counter(&name, help);
            for (service, server) in all_servers(scene) {
                let labels: [Label<'_>; 2] = [("virtual_server", &service.name), ("real_server", &server.name)];
                page.sample(&name, "_total", &labels, of(&passed(server).counters));
            }
        }
        return;
    }
    let Some((name, help, of)) = PRESENT.get(family.saturating_sub(all.len())) else { return };
    if counted == Some(Counted::Everything) {
        let name = format!("real_server_{name}");
        page.gauge(&name, help);
        for (service, server) in all_servers(scene) {
            let labels: [Label<'_>; 2] = [("virtual_server", &service.name), ("real_server", &server.name)];
            page.sample(&name, "", &labels, of(&passed(server)));
        }
    }
}

fn checks(page: &mut Page, scene: &Scene<'_>) {
    let totals = &scene.snapshot.balance.totals;
    page.family("check_duration_seconds", "How long checks took", "histogram");
    for (keyword, checks) in &totals.checks {
        page.histogram("check_duration_seconds", &[("check", keyword)], &checks.latency);
    }
    page.counter("check_failures", "Checks that failed, by the kind of the failure");
    for (keyword, checks) in &totals.checks {
        for (kind, count) in &checks.failures {
            page.sample("check_failures", "_total", &[("check", keyword), ("cause", kind)], count);
        }
    }
    page.gauge("check_last_duration_seconds", "How long a check took the last time");
    for (service, server) in all_servers(scene) {
        for (number, check) in (1..).zip(&server.checks) {
            let Some(took) = check.latency else { continue };
            let labels = check_labels(service, server, check, &number);
            page.sample("check_last_duration_seconds", "", &labels, took.as_secs_f64());
        }
    }
}

/// Names a check; real servers have several, even of one keyword.
fn check_labels<'a>(
    service: &'a ServiceView,
    server: &'a ServerView,
    check: &'a CheckView,
    number: &'a u32,
) -> [Label<'a>; 4] {
    [("virtual_server", &service.name), ("real_server", &server.name), ("check", &check.keyword), ("number", number)]
}

fn programs(page: &mut Page, scene: &Scene<'_>) {
    let Snapshot { vrrp, balance, .. } = scene.snapshot;
    let of = [("vrrp", &vrrp.totals.programs), ("checker", &balance.totals.programs)];
    page.counter("programs", "Programs that were ordered: checks, scripts, notifications");
    for (process, totals) in &of {
        page.sample("programs", "_total", &[("process", process)], totals.ordered);
    }
    page.gauge("programs_waiting", "Programs that wait for the process that runs them");
    for (process, totals) in &of {
        page.sample("programs_waiting", "", &[("process", process)], totals.waiting);
    }
}

fn bfd(page: &mut Page, scene: &Scene<'_>) {
    let sessions = &scene.snapshot.bfd.sessions;
    page.gauge("bfd_session_up", "Whether a BFD session is up");
    for session in sessions {
        let labels: [Label<'_>; 2] = [("name", &session.name), ("neighbor", &session.neighbor)];
        page.sample("bfd_session_up", "", &labels, u64::from(session.state == SessionState::Up));
    }
}

fn daemon(page: &mut Page, scene: &Scene<'_>) {
    let daemon = &scene.snapshot.daemon;
    page.gauge("process_up", "Whether a process of the daemon runs");
    let needed = || daemon.processes.iter().filter(|process| process.state != ProcessState::NotNeeded);
    for process in needed() {
        page.sample("process_up", "", &[("process", &process.name)], u64::from(process.state == ProcessState::Runs));
    }
    page.counter("process_deaths", "How many of these processes died");
    for process in needed() {
        page.sample("process_deaths", "_total", &[("process", &process.name)], process.deaths);
    }
    page.counter("reloads", "Reloads that were asked for");
    page.sample("reloads", "_total", &[], daemon.reloads);
    if let Some(reload) = &daemon.last_reload {
        page.gauge("last_reload_successful", "Whether the last reload took effect");
        page.sample("last_reload_successful", "", &[], u8::from(reload.result.is_ok()));
    }
    page.gauge("problems", "What keepalivedctl status complains about");
    let problems = problems(scene);
    for (severity, name) in [(Severity::Problem, "problem"), (Severity::Warning, "warning")] {
        let count = problems.iter().filter(|problem| problem.severity == severity).count();
        page.sample("problems", "", &[("severity", &name)], u64::try_from(count).unwrap_or(u64::MAX));
    }
    page.text += "# TYPE keepalived info\n# HELP keepalived The daemon\n";
    page.sample("", "info", &[("version", &daemon.version), ("router_id", &scene.snapshot.router_id)], 1);
}

type Label<'a> = (&'static str, &'a dyn fmt::Display);

/// The text as it grows. Writing to a `String` cannot fail, so results are dropped.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, help, "gauge");
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.family(name, help, "counter");
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) {
        writeln!(self.text, "# TYPE keepalived_{name} {kind}\n# HELP keepalived_{name} {help}").ok();
    }

    fn sample(&mut self, name: &str, suffix: &str, labels: &[Label<'_>], value: impl fmt::Display) {
        write!(self.text, "keepalived_{name}{suffix}").ok();
        for (number, (label, value)) in labels.iter().enumerate() {
            write!(self.text, "{}{label}=\"", if number == 0 { '{' } else { ',' }).ok();
            write!(Escaped(&mut self.text), "{value}").ok();
            self.text.push('"');
        }
        writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" }).ok();
    }

    /// The samples of one histogram; its unit is seconds.
    fn histogram(&mut self, name: &str, labels: &[Label<'_>], histogram: &Histogram) {
        for (bound, count) in histogram.buckets() {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| format!("{:?}", bound.as_secs_f64()));
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.sample(name, "_bucket", &labels, count);
        }
        self.sample(name, "_sum", labels, histogram.sum().as_secs_f64());
        self.sample(name, "_count", labels, histogram.count());
    }

    /// With the labels of the exporter.
    fn of_instance(&mut self, name: &str, suffix: &str, instance: &InstanceView, value: u64) {
        let labels: [Label<'_>; 4] = [
            ("iname", &instance.name),
            ("intf", &interface(instance)),
            ("vrid", &instance.settings.vrid.get()),
            ("state", &instance.state),
        ];
        self.sample(name, suffix, &labels, value);
    }
}

/// Writes the value of a label.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}
