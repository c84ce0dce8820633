//! What each tracker can do to the election, and how soon.

use std::time::Duration;

use serde::Serialize;

use crate::model::{Config, Instance, SyncGroup, Tracks, Weight};

/// One thing that an instance tracks, itself or through its sync group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrackerStory {
    /// `script chk_haproxy`, `interface eth1`
    pub what: String,
    /// What it does.
    pub effect: Effect,
    /// From the failure to its effect at the latest; `None` if that depends on something outside the configuration.
    pub within: Option<Duration>,
}

/// What a tracker does when its state changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum Effect {
    /// FAULT: the addresses are given up, whatever the priorities.
    Fault {
        /// `reverse`: while it is up rather than down.
        while_up: bool,
    },
    /// Another priority. Both are with all other trackers well.
    Priority {
        /// While all is well.
        well: u8,
        /// While this is not.
        ill: u8,
        /// `reverse`: up is ill.
        while_up: bool,
    },
    /// Its number, times this, is added to the priority.
    Times {
        /// The weight; negative if it is taken away.
        factor: i32,
    },
    /// Nothing: an owner has no other priority than 255.
    None,
}

/// A tracker before the others are known.
struct Tracker {
    what: String,
    weight: Weight,
    within: Option<Duration>,
    is_file: bool,
}

/// The priority with all trackers well, and each of them.
pub(super) fn stories(instance: &Instance, group: Option<&SyncGroup>, config: &Config) -> (u8, Vec<TrackerStory>) {
    let own = instance.tracks.as_deref();
    let of_group = group.and_then(|group| group.tracks.as_deref());
    let trackers: Vec<Tracker> = own.into_iter().chain(of_group).flat_map(|tracks| all(tracks, config)).collect();
    let base = i32::from(instance.priority.get());
    let gain = |tracker: &Tracker| if tracker.is_file { 0 } else { well_and_ill(tracker.weight).0 };
    let well: i32 = base.saturating_add(trackers.iter().map(gain).sum());
    let priority = |total: i32| u8::try_from(total.clamp(1, 254)).unwrap_or(u8::MAX);
    let effect = |tracker: &Tracker| {
        let Weight { value, reverse } = tracker.weight;
        if value == 0 {
            return Effect::Fault { while_up: reverse };
        }
        if instance.priority.is_owner() {
            return Effect::None;
        }
        if tracker.is_file {
            let factor = i32::from(value);
            return Effect::Times { factor: if reverse { factor.saturating_neg() } else { factor } };
        }
        let (up, down) = well_and_ill(tracker.weight);
        let ill = well.saturating_sub(up).saturating_add(down);
        Effect::Priority { well: priority(well), ill: priority(ill), while_up: reverse }
    };
    let story = |tracker: &Tracker| TrackerStory {
        what: tracker.what.clone(),
        effect: effect(tracker),
        within: tracker.within,
    };
    let all_well = if instance.priority.is_owner() { instance.priority.get() } else { priority(well) };
    (all_well, trackers.iter().map(story).collect())
}

/// What a weight adds while things are as they should be, and while they are not: a positive one is there while up, a negative
/// one while down, and `reverse` calls down good.
fn well_and_ill(weight: Weight) -> (i32, i32) {
    let value = i32::from(weight.value);
    if value > 0 { (value, 0) } else { (0, value) }
}

fn all(tracks: &Tracks, config: &Config) -> Vec<Tracker> {
    let interfaces = tracks.interfaces.iter().map(|line| {
        let delay = config.interface_delays.iter().find(|delays| delays.interface == line.name);
        Tracker {
            what: format!("interface {}", line.name),
            weight: line.weight,
            within: Some(delay.map_or(Duration::ZERO, |delays| delays.down)),
            is_file: false,
        }
    });
    let scripts = tracks.scripts.iter().map(|line| {
        let script = config.scripts.iter().find(|script| script.name == line.name);
        // it fails right after a success, and the last of the failures takes all the time that it has
        let within = script.map(|script| script.interval.saturating_mul(script.fall).saturating_add(script.timeout));
        Tracker { what: format!("script {}", line.name), weight: line.weight, within, is_file: false }
    });
    let files = tracks.files.iter().map(|line| Tracker {
        what: format!("file {}", line.name),
        weight: line.weight,
        within: Some(Duration::ZERO),
        is_file: true,
    });
    let processes = tracks.processes.iter().map(|line| {
        let process = config.processes.iter().find(|process| process.name == line.name);
        let within = process.map(|process| process.terminate_delay);
        Tracker { what: format!("process {}", line.name), weight: line.weight, within, is_file: false }
    });
    let sessions = tracks.bfds.iter().map(|line| Tracker {
        what: format!("BFD session {}", line.name),
        weight: line.weight,
        within: None,
        is_file: false,
    });
    interfaces.chain(scripts).chain(files).chain(processes).chain(sessions).collect()
}
