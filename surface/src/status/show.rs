//! `keepalivedctl show`: one subject, whole.

use keepalived_core::vrrp::State;
use keepalived_state::ProcessState;

use super::table::columns;
use super::words::{Colour, ago, clock};
use super::{Look, Scene};
use crate::request::Part;

/// What is known of `part`.
pub fn show(scene: &Scene<'_>, part: Part, look: Look) -> String {
    match part {
        Part::Process => processes(scene, look),
        Part::Trackers => trackers(scene, look),
        Part::Peers => peers(scene, look),
        // it is no part of what is known of how things are
        Part::Config => String::new(),
    }
}

fn heads<const N: usize>(text: &mut String, rows: &[[String; N]], look: Look) {
    columns(text, rows, |row, _, cell| if row == 0 { look.paint(Colour::Dim, cell) } else { cell.to_owned() });
}

fn processes(scene: &Scene<'_>, look: Look) -> String {
    let daemon = &scene.snapshot.daemon;
    let mut text = format!("keepalived-rs {}, {}", daemon.version, daemon.configuration);
    if let Some(started) = daemon.started {
        text += &format!(", up {}", ago(scene.now, started));
    }
    text += &format!("\nreloads: {}", daemon.reloads);
    if let Some(reload) = &daemon.last_reload {
        let at = clock(reload.at, scene.now, scene.ahead);
        text += &match &reload.result {
            Ok(changes) => format!(", the last at {at}: {changes} changes"),
            Err(why) => format!(", the last at {at} was refused: {why}"),
        };
    }
    text += "\n\n";
    let mut rows = vec![["PROCESS", "PID", "STATE", "SINCE", "DEATHS", "LAST DEATH"].map(str::to_owned)];
    rows.push([
        "supervisor".to_owned(),
        daemon.pid.to_string(),
        "runs".to_owned(),
        daemon.started.map(|started| ago(scene.now, started)).unwrap_or_default(),
        String::new(),
        String::new(),
    ]);
    for process in daemon.processes.iter().filter(|process| process.state != ProcessState::NotNeeded) {
        let state = match process.state {
            ProcessState::NotNeeded => "not needed",
            ProcessState::Starts => "starts",
            ProcessState::Runs => "runs",
            ProcessState::Waits => "waits to be started again",
        };
        rows.push([
            process.name.clone(),
            process.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            state.to_owned(),
            ago(scene.now, process.since),
            process.deaths.to_string(),
            process.last_death.clone(),
        ]);
    }
    heads(&mut text, &rows, look);
    text
}

fn trackers(scene: &Scene<'_>, look: Look) -> String {
    let mut rows = vec![["TRACKER", "STATE", "SINCE", "DETAIL", "FOLLOWED BY"].map(str::to_owned)];
    for tracker in &scene.snapshot.vrrp.trackers {
        let followers = tracker.followers.iter().map(|follower| {
            let reverse = if follower.weight.reverse { " reverse" } else { "" };
            match follower.weight.value {
                0 => format!("{} (FAULT{reverse})", follower.instance),
                weight => format!("{} ({weight:+}{reverse})", follower.instance),
            }
        });
        rows.push([
            tracker.id.to_string(),
            tracker.state.to_string(),
            ago(scene.now, tracker.since),
            tracker.detail.to_string(),
            followers.collect::<Vec<_>>().join(", "),
        ]);
    }
    let mut text = String::new();
    heads(&mut text, &rows, look);
    text
}

/// The routers that instances hear, and where their adverts go.
fn peers(scene: &Scene<'_>, look: Look) -> String {
    let mut rows = vec![["ROUTER", "VRID", "SENDS FROM", "TO", "MASTER", "ADVERTS"].map(str::to_owned)];
    for instance in &scene.snapshot.vrrp.instances {
        let to = match instance.group {
            Some(group) => group.to_string(),
            None => instance.peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let master = match (instance.state, instance.master) {
            (State::Master, _) => "this router".to_owned(),
            (_, Some(master)) => format!("{} (priority {})", master.address, master.priority),
            (_, None) => "none heard".to_owned(),
        };
        rows.push([
            instance.name.clone(),
            instance.settings.vrid.get().to_string(),
            instance.source.map(|source| source.to_string()).unwrap_or_default(),
            to,
            master,
            format!("{} sent, {} received", instance.counters.advert_sent, instance.counters.advert_rcvd),
        ]);
    }
    let mut text = String::new();
    heads(&mut text, &rows, look);
    text
}
