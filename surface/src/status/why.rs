//! `keepalivedctl why`: the chain of causes of one thing, with times, and what would change it.

use std::fmt::Write as _;

use keepalived_core::balance::Counted;
use keepalived_core::vrrp::tracking::{Influence, TrackerState};
use keepalived_core::vrrp::{Preempt, State};
use keepalived_state::{InstanceView, ServerView, ServiceView, SessionView, Subject, TrackerView};

use super::events::{event, events, is_about};
use super::problems::last;
use super::table::priority;
use super::words::{ago, clock, latency, present, up};
use super::{Look, Scene};

/// How many causes are told.
const CHAIN: usize = 10;

/// Why what is called `name` is as it is; `None` if nothing is called so.
pub fn why(scene: &Scene<'_>, name: &str, look: Look) -> Option<String> {
    let snapshot = scene.snapshot;
    let mut text = String::new();
    if let Some(instance) = snapshot.vrrp.instances.iter().find(|instance| instance.name == name) {
        router(&mut text, scene, instance);
        chain(&mut text, scene, name, look);
        writeln!(text, "{}", prospects(scene, instance)).ok();
    }
    for session in snapshot.bfd.sessions.iter().filter(|session| session.name == name) {
        of_session(&mut text, scene, session);
        chain(&mut text, scene, name, look);
    }
    let is_it = |tracker: &&TrackerView| tracker.id.name == name || tracker.id.to_string() == name;
    for tracker in snapshot.vrrp.trackers.iter().filter(is_it) {
        of_tracker(&mut text, scene, tracker);
        chain(&mut text, scene, name, look);
    }
    for service in &snapshot.balance.services {
        if is_named(&service.name, name) {
            of_service(&mut text, scene, service);
            chain(&mut text, scene, &service.name, look);
        }
        for server in service.servers.iter().filter(|server| is_named(&server.name, name)) {
            of_server(&mut text, scene, service, server);
            let records =
                events(scene, Some(&server.name)).into_iter().filter(|record| is_about(record, &service.name));
            tell(&mut text, records.collect(), |record| event(scene, record, look));
        }
    }
    (!text.is_empty()).then_some(text)
}

/// `[192.0.2.1]:tcp:80` is also found as `192.0.2.1:80`, and by its address alone.
pub fn is_named(full: &str, name: &str) -> bool {
    let short =
        full.replacen('[', "", 1).replacen("]:tcp:", ":", 1).replacen("]:udp:", ":", 1).replacen("]:sctp:", ":", 1);
    let address = full.strip_prefix('[').and_then(|rest| rest.split(']').next());
    full == name || short == name || address == Some(name)
}

fn chain(text: &mut String, scene: &Scene<'_>, name: &str, look: Look) {
    tell(text, events(scene, Some(name)), |record| event(scene, record, look));
}

/// The newest come first: the first line says why it is so now.
fn tell<T>(text: &mut String, records: Vec<T>, line: impl Fn(T) -> String) {
    if records.is_empty() {
        return;
    }
    text.push('\n');
    for record in records.into_iter().rev().take(CHAIN) {
        *text += "  ";
        *text += &line(record);
    }
    text.push('\n');
}

fn router(text: &mut String, scene: &Scene<'_>, instance: &InstanceView) {
    let InstanceView { name, state, since, .. } = instance;
    let at = clock(*since, scene.now, scene.ahead);
    writeln!(text, "{name} is {state} since {at} ({}).", ago(scene.now, *since)).ok();
    if !instance.faults.is_empty() {
        writeln!(text, "What keeps it from taking part: {}.", instance.faults).ok();
    }
    writeln!(text, "Priority {}.", priority(instance)).ok();
    for tracker in &scene.snapshot.vrrp.trackers {
        for follower in tracker.followers.iter().filter(|follower| follower.instance == *name) {
            let effect = match follower.weight.influence(tracker.state) {
                Influence::None => "changes nothing".to_owned(),
                Influence::Waits => "is waited for".to_owned(),
                Influence::Fault => "causes FAULT".to_owned(),
                Influence::Adds(sum) if sum < 0 => format!("takes {} away", -sum),
                Influence::Adds(sum) => format!("adds {sum}"),
            };
            let detail = tracker.detail.to_string();
            let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
            let since = ago(scene.now, tracker.since);
            writeln!(text, "  {} is {}{detail} since {since}: {effect}", tracker.id, tracker.state).ok();
        }
    }
    if let Some(master) = instance.master.filter(|_| *state != State::Master) {
        writeln!(
            text,
            "Master: {}, priority {}, an advert each {} s.",
            master.address,
            master.priority,
            master.interval.duration().as_secs_f64()
        )
        .ok();
    }
    for address in instance.addresses.iter().chain(&instance.excluded_addresses) {
        let also = address.also_on.map(|holder| format!(", and on {holder}, too")).unwrap_or_default();
        let here = if address.set { "in place here" } else { "not here" };
        writeln!(text, "  {}/{} {here}{also}", address.line.address, address.line.prefix).ok();
    }
    for object in &instance.objects {
        let here = if object.set { "in place here" } else { "not here" };
        writeln!(text, "  {} {} {here}", object.kind.word(), object.what).ok();
    }
}

/// Trackers without a first result that an instance waits for before it starts.
pub(super) fn waits_for<'a>(
    scene: &'a Scene<'_>,
    instance: &'a InstanceView,
) -> impl Iterator<Item = &'a TrackerView> + 'a {
    let starts = instance.state == State::Init;
    scene.snapshot.vrrp.trackers.iter().filter(move |tracker| {
        let mut of = tracker.followers.iter().filter(|follower| follower.instance == instance.name);
        starts && of.any(|follower| follower.weight.influence(tracker.state) == Influence::Waits)
    })
}

/// What would change the state of an instance.
fn prospects(scene: &Scene<'_>, instance: &InstanceView) -> String {
    let ours = instance.effective_priority.get();
    let mut ways = Vec::new();
    match (instance.state, instance.master) {
        (State::Backup, Some(master)) => {
            let time = instance.master_down_time.as_secs_f64();
            ways.push(format!("{} falls silent for {time:.2} s, or says farewell", master.address));
            match instance.settings.preempt {
                Preempt::No => ways.push("(nopreempt: a lower priority of the master changes nothing)".to_owned()),
                Preempt::Yes | Preempt::After(_) if master.priority >= ours => {
                    ways.push(format!("its priority goes below {ours}, or ours above {}", master.priority));
                }
                Preempt::Yes | Preempt::After(_) => ways.push("the preemption delay ends".to_owned()),
            }
        }
        (State::Backup, None) => {
            ways.push(format!("no master is heard for {:.2} s", instance.master_down_time.as_secs_f64()));
        }
        (State::Master, _) => {
            ways.push(format!("a router with a priority above {ours} is heard"));
            ways.push("something that it tracks fails".to_owned());
        }
        (State::Fault, _) => ways.push(format!("this ends: {}", instance.faults)),
        (State::Init, _) => {
            let waits: Vec<String> =
                waits_for(scene, instance).map(|tracker| format!("{} has its first result", tracker.id)).collect();
            ways.push(if waits.is_empty() { "the start goes on".to_owned() } else { waits.join(", and ") });
        }
        (State::Stopped, _) => ways.push("the daemon is started again".to_owned()),
    }
    let weights = scene.snapshot.vrrp.trackers.iter().flat_map(|tracker| {
        let of = tracker.followers.iter().filter(|follower| follower.instance == instance.name);
        of.filter_map(|follower| {
            let now = follower.weight.influence(tracker.state);
            let other = if tracker.state == TrackerState::Up { TrackerState::Down } else { TrackerState::Up };
            let then = follower.weight.influence(other);
            let sum = |influence| if let Influence::Adds(sum) = influence { sum } else { 0 };
            let change = sum(then).saturating_sub(sum(now));
            (change != 0)
                .then(|| format!("{} gets {other}: priority {}", tracker.id, i32::from(ours).saturating_add(change)))
        })
    });
    ways.extend(weights);
    format!("What would change it: {}.", ways.join("; "))
}

fn of_session(text: &mut String, scene: &Scene<'_>, session: &SessionView) {
    let at = clock(session.since, scene.now, scene.ahead);
    writeln!(
        text,
        "BFD session {} with {} is {} since {at} ({}).",
        session.name,
        session.neighbor,
        session.state,
        ago(scene.now, session.since)
    )
    .ok();
    if let Some(why) = &session.silent {
        writeln!(text, "It cannot send: {why}.").ok();
    }
    writeln!(
        text,
        "Last diagnostic: {}. A silent neighbour is noticed after {} ms.",
        session.diagnostic,
        session.detection_time.as_millis()
    )
    .ok();
    if let Some(heard) = session.last_heard {
        writeln!(text, "Last packet {} ago.", ago(scene.now, heard)).ok();
    }
}

fn of_tracker(text: &mut String, scene: &Scene<'_>, tracker: &TrackerView) {
    let detail = tracker.detail.to_string();
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let at = clock(tracker.since, scene.now, scene.ahead);
    writeln!(text, "{} is {} since {at} ({}){detail}.", tracker.id, tracker.state, ago(scene.now, tracker.since)).ok();
    for follower in &tracker.followers {
        writeln!(
            text,
            "  {} follows it, weight {}{}",
            follower.instance,
            follower.weight.value,
            if follower.weight.reverse { " reverse" } else { "" }
        )
        .ok();
    }
}

fn of_service(text: &mut String, scene: &Scene<'_>, service: &ServiceView) {
    let (since, _) = last(scene, &Subject::VirtualServer(service.name.clone()));
    let since = since.map(|since| format!(" since {}", clock(since, scene.now, scene.ahead))).unwrap_or_default();
    let has = if service.quorum_up { "has its quorum" } else { "has no quorum" };
    writeln!(
        text,
        "{} {has}{since}: {} of {} servers up, weight {}, quorum {}, hysteresis {}.",
        service.name,
        up(service),
        service.servers.len(),
        service.weight,
        service.quorum,
        service.hysteresis
    )
    .ok();
}

fn of_server(text: &mut String, scene: &Scene<'_>, service: &ServiceView, server: &ServerView) {
    let subject = Subject::RealServer { server: server.name.clone(), of: service.name.clone() };
    let (since, why) = last(scene, &subject);
    let since = since
        .map(|since| format!(" since {} ({})", clock(since, scene.now, scene.ahead), ago(scene.now, since)))
        .unwrap_or_default();
    let state = if server.up { "up" } else { "out" };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    writeln!(text, "{} of {} is {state}{since}{why}. Weight {}.", server.name, service.name, server.weight).ok();
    for check in &server.checks {
        let result = match (check.has_run, check.up) {
            (false, _) => "no result yet",
            (true, true) => "succeeds",
            (true, false) => "fails",
        };
        let took = check.latency.map(|took| format!(", took {}", latency(took))).unwrap_or_default();
        writeln!(text, "  {}: {result}{took}", check.keyword).ok();
    }
    if let (Some(Counted::Everything), Some(traffic)) = (scene.snapshot.balance.totals.counted, &server.traffic) {
        let [active, inactive, _] = present(traffic);
        let all = traffic.counters.connections;
        writeln!(text, "  Connections: {active} active, {inactive} inactive, {all} since it was added.").ok();
    }
}
