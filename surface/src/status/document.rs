//! `keepalivedctl status --json`: the same for programs. Members are added, never changed, as long as `version` is the same.

use std::net::IpAddr;
use std::time::SystemTime;

use keepalived_core::balance::{Counted, Counters};
use keepalived_core::histogram::Histogram;
use keepalived_core::vrrp::State;
use keepalived_state::{
    DaemonView, Event, InstanceView, ProcessState, ServerView, ServiceView, SessionView, Subject, TrackerView,
};
use serde::Serialize;

use super::events::{event_document, events, is_about_one};
use super::problems::{Severity, last, problems};
use super::why::{is_named, waits_for, why};
use super::words::{present, present_of_all, unix};
use super::{Look, Scene};
use crate::request::Part;

/// Of the layout.
pub const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
struct Document<'a> {
    version: u32,
    router_id: &'a str,
    /// Seconds since 1970, as all times here.
    at: f64,
    daemon: Daemon<'a>,
    problems: Vec<Wrong>,
    instances: Vec<Instance<'a>>,
    trackers: Vec<Tracker>,
    virtual_servers: Vec<Service<'a>>,
    bfd_sessions: Vec<Session<'a>>,
    vrrp: VrrpTotals<'a>,
}

/// What the vrrp process counted since it started.
#[derive(Debug, Serialize)]
struct VrrpTotals<'a> {
    unknown_vrid: u64,
    netlink_resyncs: u64,
    adverts_late: Times,
    silence_before_takeover: Times,
    programs: &'a keepalived_state::ProgramTotals,
}

/// How long something took, all in all.
#[derive(Debug, Serialize)]
struct Times {
    count: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Daemon<'a> {
    version: &'a str,
    pid: u32,
    started: Option<f64>,
    configuration: &'a str,
    reloads: u64,
    last_reload: Option<Reload<'a>>,
    processes: Vec<Process<'a>>,
}

#[derive(Debug, Serialize)]
struct Reload<'a> {
    at: f64,
    changes: Option<usize>,
    refused: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Process<'a> {
    name: &'a str,
    pid: Option<u32>,
    state: &'static str,
    since: f64,
    deaths: u64,
    last_death: &'a str,
}

#[derive(Debug, Serialize)]
struct Wrong {
    severity: &'static str,
    subject: String,
    what: String,
    detail: String,
    since: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Instance<'a> {
    name: &'a str,
    vrid: u8,
    version: u8,
    interface: Option<String>,
    state: String,
    since: f64,
    cause: Option<String>,
    faults: Vec<String>,
    priority: u8,
    base_priority: u8,
    advert_interval: f64,
    master_down_time: f64,
    master: Option<Master>,
    source: Option<IpAddr>,
    peers: &'a [IpAddr],
    addresses: Vec<Address>,
    objects: Vec<Object<'a>>,
    /// Trackers without a first result, while it has not started.
    waits_for: Vec<String>,
    counters: &'a keepalived_core::vrrp::Counters,
}

#[derive(Debug, Serialize)]
struct Master {
    address: IpAddr,
    priority: u8,
    advert_interval: f64,
}

/// The master that an instance hears, and where its adverts go.
#[derive(Debug, Serialize)]
struct Peers<'a> {
    instance: &'a str,
    vrid: u8,
    source: Option<IpAddr>,
    /// Of multicast.
    group: Option<IpAddr>,
    /// Of unicast.
    peers: &'a [IpAddr],
    master: Option<Master>,
    counters: &'a keepalived_core::vrrp::Counters,
}

#[derive(Debug, Serialize)]
struct Address {
    address: IpAddr,
    prefix: u8,
    excluded: bool,
    /// Whether the kernel has it by us.
    set: bool,
    also_on: Option<String>,
}

/// A link, a route or a rule.
#[derive(Debug, Serialize)]
struct Object<'a> {
    kind: &'static str,
    what: &'a str,
    /// Whether the kernel has it by us.
    set: bool,
}

#[derive(Debug, Serialize)]
struct Tracker {
    kind: String,
    name: String,
    state: String,
    since: f64,
    detail: String,
    followers: Vec<Follower>,
}

#[derive(Debug, Serialize)]
struct Follower {
    instance: String,
    weight: i16,
    reverse: bool,
}

#[derive(Debug, Serialize)]
struct Service<'a> {
    name: &'a str,
    quorum_up: bool,
    quorum: u32,
    hysteresis: u32,
    weight: u64,
    since: Option<f64>,
    traffic: Option<Passed>,
    real_servers: Vec<Server<'a>>,
}

#[derive(Debug, Serialize)]
struct Server<'a> {
    name: &'a str,
    up: bool,
    weight: u32,
    since: Option<f64>,
    /// Why it is out.
    cause: Option<String>,
    traffic: Option<Passed>,
    checks: Vec<Check<'a>>,
}

/// A real server, and the virtual server that it is one of.
#[derive(Debug, Serialize)]
struct ServerOf<'a> {
    of: &'a str,
    #[serde(flatten)]
    server: Server<'a>,
}

/// What the kernel's load balancer counted since the server, or the virtual server, was added to its table.
#[derive(Debug, Serialize)]
struct Passed {
    /// Connections, and all that nftables does not count. A virtual server has no numbers of present connections of its own: these are
    /// the sums of its real servers.
    #[serde(flatten)]
    connections: Option<Connections>,
    packets_in: u64,
    octets_in: u64,
}

#[derive(Debug, Serialize)]
struct Connections {
    connections: u64,
    active: u64,
    inactive: u64,
    persistent: u64,
    connections_per_second: u64,
    packets_out: u64,
    octets_out: u64,
}

#[derive(Debug, Serialize)]
struct Check<'a> {
    keyword: &'a str,
    has_run: bool,
    up: bool,
    /// Seconds that it took the last time.
    latency: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Session<'a> {
    name: &'a str,
    neighbor: IpAddr,
    state: String,
    since: f64,
    diagnostic: String,
    silent: Option<&'a str>,
    detection_time: f64,
    transmit_interval: f64,
    last_heard: Option<f64>,
    counters: &'a keepalived_core::bfd::Counters,
}

/// The document, in one line.
pub fn document(scene: &Scene<'_>) -> String {
    let snapshot = scene.snapshot;
    let wrong = problems(scene).into_iter().map(|problem| Wrong {
        severity: match problem.severity {
            Severity::Problem => "problem",
            Severity::Warning => "warning",
        },
        subject: problem.subject,
        what: problem.what,
        detail: problem.detail,
        since: problem.since.map(unix),
    });
    let document = Document {
        version: VERSION,
        router_id: &snapshot.router_id,
        at: unix(scene.now),
        daemon: daemon(&snapshot.daemon),
        problems: wrong.collect(),
        instances: snapshot.vrrp.instances.iter().map(|view| instance(scene, view)).collect(),
        trackers: snapshot.vrrp.trackers.iter().map(tracker).collect(),
        virtual_servers: snapshot.balance.services.iter().map(|view| service(scene, view)).collect(),
        bfd_sessions: snapshot.bfd.sessions.iter().map(session).collect(),
        vrrp: vrrp_totals(&snapshot.vrrp.totals),
    };
    // all keys are texts, and all numbers finite
    serde_json::to_string(&document).unwrap_or_default()
}

/// One subject of the document, with the version.
pub fn part_document(scene: &Scene<'_>, part: Part) -> String {
    let snapshot = scene.snapshot;
    let (name, subject) = match part {
        Part::Process => ("daemon", json(&daemon(&snapshot.daemon))),
        Part::Trackers => ("trackers", json(&snapshot.vrrp.trackers.iter().map(tracker).collect::<Vec<_>>())),
        Part::Peers => ("peers", json(&snapshot.vrrp.instances.iter().map(peers).collect::<Vec<_>>())),
        Part::Config => return String::new(),
    };
    serde_json::json!({ "version": VERSION, name: subject }).to_string()
}

/// What there is about what is called `name`: its members of the document, what happened to it, and the text of [`why`]; `None` if
/// nothing is called so.
pub fn why_document(scene: &Scene<'_>, name: &str) -> Option<String> {
    let snapshot = scene.snapshot;
    let text = why(scene, name, Look::default())?;
    let instances = snapshot.vrrp.instances.iter().filter(|view| view.name == name);
    let trackers = snapshot.vrrp.trackers.iter().filter(|view| view.id.name == name || view.id.to_string() == name);
    let sessions = snapshot.bfd.sessions.iter().filter(|view| view.name == name);
    let services = snapshot.balance.services.iter();
    let servers = services.clone().flat_map(|of| {
        let named = of.servers.iter().filter(|server| is_named(&server.name, name));
        named.map(move |view| ServerOf { of: &of.name, server: server(scene, of, view) })
    });
    let servers: Vec<ServerOf<'_>> = servers.collect();
    let services: Vec<Service<'_>> =
        services.filter(|view| is_named(&view.name, name)).map(|view| service(scene, view)).collect();
    // events have full names
    let names = std::iter::once(name)
        .chain(servers.iter().map(|server| server.server.name))
        .chain(services.iter().map(|service| service.name));
    let names: std::collections::BTreeSet<&str> = names.collect();
    let events = events(scene, None).into_iter().filter(|record| is_about_one(record, &names));
    let document = serde_json::json!({
        "version": VERSION,
        "name": name,
        "instances": json(&instances.map(|view| instance(scene, view)).collect::<Vec<_>>()),
        "trackers": json(&trackers.map(tracker).collect::<Vec<_>>()),
        "bfd_sessions": json(&sessions.map(session).collect::<Vec<_>>()),
        "virtual_servers": json(&services),
        "real_servers": json(&servers),
        "events": events.map(event_document).collect::<Vec<_>>(),
        "text": text,
    });
    Some(document.to_string())
}

/// All keys are texts, and all numbers finite.
fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn peers(view: &InstanceView) -> Peers<'_> {
    Peers {
        instance: &view.name,
        vrid: view.settings.vrid.get(),
        source: view.source,
        group: view.group,
        peers: &view.peers,
        master: master(view),
        counters: &view.counters,
    }
}

/// The master that is heard, if it is another router.
fn master(view: &InstanceView) -> Option<Master> {
    view.master.filter(|_| view.state != State::Master).map(|master| Master {
        address: master.address,
        priority: master.priority,
        advert_interval: master.interval.duration().as_secs_f64(),
    })
}

fn daemon(view: &DaemonView) -> Daemon<'_> {
    Daemon {
        version: &view.version,
        pid: view.pid,
        started: view.started.map(unix),
        configuration: &view.configuration,
        reloads: view.reloads,
        last_reload: view.last_reload.as_ref().map(|reload| Reload {
            at: unix(reload.at),
            changes: reload.result.as_ref().ok().copied(),
            refused: reload.result.as_ref().err().map(String::as_str),
        }),
        processes: view
            .processes
            .iter()
            .map(|process| Process {
                name: &process.name,
                pid: process.pid,
                state: match process.state {
                    ProcessState::NotNeeded => "not needed",
                    ProcessState::Starts => "starts",
                    ProcessState::Runs => "runs",
                    ProcessState::Waits => "waits",
                },
                since: unix(process.since),
                deaths: process.deaths,
                last_death: &process.last_death,
            })
            .collect(),
    }
}

fn instance<'a>(scene: &Scene<'_>, view: &'a InstanceView) -> Instance<'a> {
    let cause = match scene.latest.get(&Subject::Instance(view.name.clone())) {
        Some((_, Event::Transition(transition))) if transition.to == view.state => Some(transition.cause.to_string()),
        _ => None,
    };
    let lists = [(&view.addresses, false), (&view.excluded_addresses, true)];
    let addresses = lists.into_iter().flat_map(|(list, excluded)| {
        list.iter().map(move |address| Address {
            address: address.line.address,
            prefix: address.line.prefix,
            excluded,
            set: address.set,
            also_on: address.also_on.map(|holder| holder.to_string()),
        })
    });
    Instance {
        name: &view.name,
        vrid: view.settings.vrid.get(),
        version: view.settings.version.number(),
        interface: view.interface.map(|interface| interface.to_string()),
        state: view.state.to_string(),
        since: unix(view.since),
        cause,
        faults: view.faults.iter().map(ToString::to_string).collect(),
        priority: view.effective_priority.get(),
        base_priority: view.settings.priority.get(),
        advert_interval: view.settings.interval.duration().as_secs_f64(),
        master_down_time: view.master_down_time.as_secs_f64(),
        master: master(view),
        source: view.source,
        peers: &view.peers,
        addresses: addresses.collect(),
        objects: view
            .objects
            .iter()
            .map(|object| Object { kind: object.kind.word(), what: &object.what, set: object.set })
            .collect(),
        waits_for: waits_for(scene, view).map(|tracker| tracker.id.to_string()).collect(),
        counters: &view.counters,
    }
}

fn tracker(view: &TrackerView) -> Tracker {
    Tracker {
        kind: view.id.kind.to_string(),
        name: view.id.name.clone(),
        state: view.state.to_string(),
        since: unix(view.since),
        detail: view.detail.to_string(),
        followers: view
            .followers
            .iter()
            .map(|follower| Follower {
                instance: follower.instance.clone(),
                weight: follower.weight.value,
                reverse: follower.weight.reverse,
            })
            .collect(),
    }
}

fn vrrp_totals(totals: &keepalived_state::VrrpTotals) -> VrrpTotals<'_> {
    let times = |all: &Histogram| Times { count: all.count(), seconds: all.sum().as_secs_f64() };
    VrrpTotals {
        unknown_vrid: totals.unknown_vrid,
        netlink_resyncs: totals.netlink_overruns,
        adverts_late: times(&totals.late),
        silence_before_takeover: times(&totals.silences),
        programs: &totals.programs,
    }
}

/// `None` as long as the kernel was not asked.
fn passed(counted: Option<Counted>, counters: &Counters, [active, inactive, persistent]: [u64; 3]) -> Option<Passed> {
    let connections = match counted? {
        Counted::Incoming => None,
        Counted::Everything => Some(Connections {
            connections: counters.connections,
            active,
            inactive,
            persistent,
            connections_per_second: counters.connection_rate,
            packets_out: counters.packets_out,
            octets_out: counters.octets_out,
        }),
    };
    Some(Passed { connections, packets_in: counters.packets_in, octets_in: counters.octets_in })
}

fn service<'a>(scene: &Scene<'_>, view: &'a ServiceView) -> Service<'a> {
    let (since, _) = last(scene, &Subject::VirtualServer(view.name.clone()));
    let counted = scene.snapshot.balance.totals.counted;
    Service {
        name: &view.name,
        quorum_up: view.quorum_up,
        quorum: view.quorum,
        hysteresis: view.hysteresis,
        weight: view.weight,
        since: since.map(unix),
        traffic: passed(
            counted,
            &view.traffic.as_ref().map(|traffic| traffic.counters).unwrap_or_default(),
            present_of_all(view),
        ),
        real_servers: view.servers.iter().map(|it| server(scene, view, it)).collect(),
    }
}

fn server<'a>(scene: &Scene<'_>, of: &ServiceView, view: &'a ServerView) -> Server<'a> {
    let subject = Subject::RealServer { server: view.name.clone(), of: of.name.clone() };
    let (since, why): (Option<SystemTime>, _) = last(scene, &subject);
    let traffic = view.traffic.as_deref().copied().unwrap_or_default();
    let checks = view.checks.iter().map(|check| Check {
        keyword: &check.keyword,
        has_run: check.has_run,
        up: check.up,
        latency: check.latency.map(|latency| latency.as_secs_f64()),
    });
    Server {
        name: &view.name,
        up: view.up,
        weight: view.weight,
        since: since.map(unix),
        cause: Some(why).filter(|why| !view.up && !why.is_empty()),
        traffic: passed(scene.snapshot.balance.totals.counted, &traffic.counters, present(&traffic)),
        checks: checks.collect(),
    }
}

fn session(view: &SessionView) -> Session<'_> {
    Session {
        name: &view.name,
        neighbor: view.neighbor,
        state: view.state.to_string(),
        since: unix(view.since),
        diagnostic: view.diagnostic.to_string(),
        silent: view.silent.as_deref(),
        detection_time: view.detection_time.as_secs_f64(),
        transmit_interval: f64::from(view.tx_interval.get()) / 1e6,
        last_heard: view.last_heard.map(unix),
        counters: &view.counters,
    }
}
