//! What is wrong, in sentences: the first that a person sees.

use std::time::{Duration, SystemTime};

use keepalived_core::bfd::SessionState;
use keepalived_core::vrrp::State;
use keepalived_core::vrrp::tracking::{Influence, TrackerState};
use keepalived_state::{Event, InstanceView, ProcessState, ServiceView, SessionView, Subject, TrackerView};

use super::Scene;
use super::why::waits_for;
use super::words::{ago, count, up};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// It is served, but less well than configured.
    Warning,
    /// Something that is configured is not served here.
    Problem,
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// What it is about, as the configuration calls it.
    pub subject: String,
    /// What is wrong, and why.
    pub what: String,
    /// What follows from it, and what ends it.
    pub detail: String,
    /// Since when, if that is known.
    pub since: Option<SystemTime>,
}

/// How long a start may take until it is worth a word.
const TO_START: Duration = Duration::from_secs(10);

/// How long the death of a process is worth a word.
const RECENT: Duration = Duration::from_secs(3_600);

/// All that is wrong, the worst first.
pub fn problems(scene: &Scene<'_>) -> Vec<Problem> {
    let snapshot = scene.snapshot;
    let mut problems = Vec::new();
    processes(scene, &mut problems);
    for instance in &snapshot.vrrp.instances {
        router(instance, &mut problems);
        let waits: Vec<String> = waits_for(scene, instance).map(|tracker| tracker.id.to_string()).collect();
        if !waits.is_empty() {
            let name = &instance.name;
            problems.push(Problem {
                severity: Severity::Warning,
                subject: name.clone(),
                what: format!("{name} does not start before {} has a first result", waits.join(", ")),
                detail: "It begins with that result. With init_fail a tracker counts as failed until then.".to_owned(),
                since: Some(instance.since),
            });
        }
    }
    problems.extend(snapshot.vrrp.trackers.iter().filter_map(tracker));
    problems.extend(snapshot.bfd.sessions.iter().filter_map(session));
    for service in &snapshot.balance.services {
        servers(scene, service, &mut problems);
    }
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems
}

/// How bad it is at all; `None` if all is well.
pub fn worst(problems: &[Problem]) -> Option<Severity> {
    problems.iter().map(|problem| problem.severity).max()
}

fn processes(scene: &Scene<'_>, problems: &mut Vec<Problem>) {
    let daemon = &scene.snapshot.daemon;
    for process in &daemon.processes {
        let age = scene.now.duration_since(process.since).unwrap_or_default();
        let subject = format!("{} process", process.name);
        let deaths = || format!("Died so far: {}; the last one {}.", process.deaths, process.last_death);
        let (severity, what, detail) = match process.state {
            ProcessState::Waits => {
                let detail = format!("{} The next one starts by itself; the log says why it died.", deaths());
                (Severity::Problem, format!("the {subject} does not run"), detail)
            }
            ProcessState::Starts if age > TO_START => {
                let detail = "A large configuration takes time; otherwise look into the log.".to_owned();
                (Severity::Problem, format!("the {subject} is not ready after {} s", age.as_secs()), detail)
            }
            ProcessState::Runs if process.deaths > 0 && age < RECENT => {
                let detail = format!("{} It was replaced; please report this.", deaths());
                (Severity::Warning, format!("the {subject} was started again"), detail)
            }
            ProcessState::Runs | ProcessState::Starts | ProcessState::NotNeeded => continue,
        };
        problems.push(Problem { severity, subject, what, detail, since: Some(process.since) });
    }
    if let Some(reload) = &daemon.last_reload
        && let Err(why) = &reload.result
    {
        problems.push(Problem {
            severity: Severity::Warning,
            subject: daemon.configuration.clone(),
            what: format!("the last reload was refused: {why}"),
            detail: format!(
                "The configuration before it goes on. `keepalivedctl check {}` says what is wrong.",
                daemon.configuration
            ),
            since: Some(reload.at),
        });
    }
}

fn router(instance: &InstanceView, problems: &mut Vec<Problem>) {
    let mut add = |severity, what: String, detail: String| {
        let (subject, since) = (instance.name.clone(), Some(instance.since));
        problems.push(Problem { severity, subject, what, detail, since });
    };
    let name = &instance.name;
    let all = || instance.addresses.iter().chain(&instance.excluded_addresses);
    if instance.state == State::Fault {
        let addresses: Vec<String> = all().map(|address| address.line.address.to_string()).collect();
        let detail = match addresses.as_slice() {
            [] => "Ends by itself when the reasons are gone.".to_owned(),
            [one] => format!("{one} is not served here. Ends by itself when the reasons are gone."),
            [one, more @ ..] => {
                format!("{one} and {} more are not served here. Ends by itself when the reasons are gone.", more.len())
            }
        };
        add(Severity::Problem, format!("{name} is in FAULT: {}", instance.faults), detail);
    }
    if instance.state == State::Master {
        let missing: Vec<String> =
            all().filter(|address| !address.set).map(|address| address.line.address.to_string()).collect();
        if let Some(first) = missing.first() {
            let others = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
            let what = format!("{name} is MASTER, and {first}{others} cannot be set");
            add(
                Severity::Problem,
                what,
                "The kernel refuses it, or its interface is missing; the log says why. We try again.".to_owned(),
            );
        }
        let mut missing = instance.objects.iter().filter(|object| !object.set);
        if let Some(first) = missing.next() {
            let others = missing.count();
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            let what = format!("{name} is MASTER, and {} {}{others} cannot be set", first.kind.word(), first.what);
            add(
                Severity::Problem,
                what,
                "The kernel refuses it, or what it needs is missing; the log says why. We try again.".to_owned(),
            );
        }
    }
    for address in all() {
        if let Some(holder) = address.also_on {
            let what = format!("{} of {name} is on another machine, too ({holder})", address.line.address);
            let detail = "Clients reach one of the two by chance. Take it away there, or choose another address.";
            add(Severity::Problem, what, detail.to_owned());
        }
    }
}

/// A tracker that lowers a priority. One that causes FAULT is said with its instance.
fn tracker(tracker: &TrackerView) -> Option<Problem> {
    if matches!(tracker.state, TrackerState::Up | TrackerState::Initial) {
        return None;
    }
    let effects: Vec<String> = tracker
        .followers
        .iter()
        .filter_map(|follower| {
            match (follower.weight.influence(tracker.state), follower.weight.influence(TrackerState::Up)) {
                (Influence::Adds(sum), _) if sum < 0 => Some(format!("takes {} from {}", -sum, follower.instance)),
                (Influence::None, Influence::Adds(sum)) if sum > 0 => {
                    Some(format!("{} lacks {sum}", follower.instance))
                }
                _ => None,
            }
        })
        .collect();
    if effects.is_empty() {
        return None;
    }
    let why = tracker.detail.to_string();
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    Some(Problem {
        severity: Severity::Warning,
        subject: tracker.id.to_string(),
        what: format!("{} is {}{why}", tracker.id, tracker.state),
        detail: format!("Its priority effect: {}.", effects.join(", ")),
        since: Some(tracker.since),
    })
}

fn session(session: &SessionView) -> Option<Problem> {
    let (severity, what, detail) = match (&session.silent, session.state) {
        (Some(why), _) => {
            (Severity::Problem, format!("BFD session {} cannot send: {why}", session.name), "We try again.".to_owned())
        }
        (None, SessionState::Up | SessionState::AdminDown) => return None,
        (None, state) => (
            Severity::Warning,
            format!("BFD session {} with {} is {state}: {}", session.name, session.neighbor, session.diagnostic),
            "Comes up by itself when both sides hear each other.".to_owned(),
        ),
    };
    Some(Problem { severity, subject: session.name.clone(), what, detail, since: Some(session.since) })
}

fn servers(scene: &Scene<'_>, service: &ServiceView, problems: &mut Vec<Problem>) {
    let left = up(service);
    if !service.quorum_up {
        let (since, _) = last(scene, &Subject::VirtualServer(service.name.clone()));
        problems.push(Problem {
            severity: Severity::Problem,
            subject: service.name.clone(),
            what: format!(
                "{} has no quorum: {} of {} up, weight {} of {}",
                service.name,
                left,
                count(service.servers.len(), "server"),
                service.weight,
                service.quorum
            ),
            detail: "A sorry server serves, if there is one. Ends by itself when servers answer again.".to_owned(),
            since,
        });
    }
    for server in service.servers.iter().filter(|server| !server.up) {
        let subject = Subject::RealServer { server: server.name.clone(), of: service.name.clone() };
        let (since, why) = last(scene, &subject);
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        problems.push(Problem {
            severity: if left == 0 { Severity::Problem } else { Severity::Warning },
            subject: server.name.clone(),
            what: format!("{} is out of {}{why}", server.name, service.name),
            detail: format!("{} left. Comes back by itself when its checks succeed.", count(left, "server")),
            since,
        });
    }
}

/// Since when a subject is as it is, and why, if it went down.
pub(super) fn last(scene: &Scene<'_>, subject: &Subject) -> (Option<SystemTime>, String) {
    match scene.latest.get(subject) {
        Some((at, Event::Down(why))) => (Some(*at), why.clone()),
        Some((at, _)) => (Some(*at), String::new()),
        None => (None, String::new()),
    }
}

/// How long ago a problem began, if that is known.
pub(super) fn age(scene: &Scene<'_>, problem: &Problem) -> String {
    problem.since.map(|since| ago(scene.now, since)).unwrap_or_default()
}
