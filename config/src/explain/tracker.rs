//! What each tracker can do to the election, and how soon.

use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::tracking::{Influence, TrackerState};
use serde::Serialize;

use crate::model::{Config, Instance, ProbeTarget, Script, SyncGroup, Track, Tracks, Weight};

/// One thing that an instance tracks, itself or through its sync group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrackerStory {
    /// `script chk_haproxy`, `interface eth1`, `scripts a and b` that run one command.
    pub what: String,
    /// What it does.
    pub effect: TrackerEffect,
    /// From the failure to its effect at the latest; `None` if that depends on something outside the configuration.
    pub within: Option<Duration>,
}

/// What a tracker does when its state changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum TrackerEffect {
    /// FAULT: the router gives its addresses up, whatever the priorities.
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
struct Tracker<'a> {
    name: String,
    subject: Subject<'a>,
    weight: Weight,
    within: Option<Duration>,
}

/// What a tracker looks at. Those that look at the same thing turn together.
#[derive(PartialEq, Eq)]
enum Subject<'a> {
    Interface(InterfaceName),
    /// A command and who runs it.
    Script(&'a Script),
    /// The path.
    File(&'a str),
    /// The program and its parameters.
    Process(&'a str, &'a [String]),
    Session(&'a str),
    /// What is asked.
    Probe(&'a ProbeTarget),
    /// Something that is not defined, which loading has reported.
    Unknown(&'a str),
}

impl Subject<'_> {
    fn noun(&self, is_one: bool) -> &'static str {
        match (self, is_one) {
            (Self::Interface(_), _) => "interface",
            (Self::Script(_) | Self::Unknown(_), true) => "script",
            (Self::Script(_) | Self::Unknown(_), false) => "scripts",
            (Self::File(_), true) => "file",
            (Self::File(_), false) => "files",
            (Self::Process(..), true) => "process",
            (Self::Process(..), false) => "processes",
            (Self::Session(_), _) => "BFD session",
            (Self::Probe(_), true) => "probe",
            (Self::Probe(_), false) => "probes",
        }
    }
}

/// The trackers of one subject.
struct Together<'a>(Vec<Tracker<'a>>);

impl Together<'_> {
    fn what(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for tracker in &self.0 {
            if !names.contains(&tracker.name.as_str()) {
                names.push(&tracker.name);
            }
        }
        let noun = self.0.first().map_or("", |tracker| tracker.subject.noun(names.len() == 1));
        format!("{noun} {}", names.join(" and "))
    }

    fn is_file(&self) -> bool {
        self.0.iter().any(|tracker| matches!(tracker.subject, Subject::File(_)))
    }

    /// The weight that makes it a reason for FAULT.
    fn fault(&self) -> Option<Weight> {
        self.0.iter().map(|tracker| tracker.weight).find(|weight| weight.value == 0)
    }

    /// What all add while it is up, and while it is down.
    fn up_and_down(&self) -> (i32, i32) {
        let each = self.0.iter().map(|tracker| up_and_down(tracker.weight));
        each.fold((0, 0), |sum, each| (i32::saturating_add(sum.0, each.0), i32::saturating_add(sum.1, each.1)))
    }

    /// What its number is multiplied with, if it is a file.
    fn factor(&self) -> i32 {
        let factor = |weight: Weight| if weight.reverse { -i32::from(weight.value) } else { i32::from(weight.value) };
        self.0.iter().map(|tracker| factor(tracker.weight)).sum()
    }

    fn within(&self) -> Option<Duration> {
        self.0.iter().map(|tracker| tracker.within).try_fold(Duration::ZERO, |most, within| Some(most.max(within?)))
    }
}

/// The priority with all trackers well, and what each subject does to it.
pub(super) fn stories(instance: &Instance, group: Option<&SyncGroup>, config: &Config) -> (u8, Vec<TrackerStory>) {
    let own = instance.tracks.as_deref();
    let of_group = group.and_then(|group| group.tracks.as_deref());
    let mut subjects: Vec<Together<'_>> = Vec::new();
    for tracker in own.into_iter().chain(of_group).flat_map(|tracks| all(tracks, config)) {
        let is_same = |together: &&mut Together<'_>| together.0.iter().any(|other| other.subject == tracker.subject);
        match subjects.iter_mut().find(is_same) {
            Some(together) => together.0.push(tracker),
            None => subjects.push(Together(vec![tracker])),
        }
    }
    let base = i32::from(instance.settings.priority.get());
    let gain = |together: &Together<'_>| {
        let (up, down) = together.up_and_down();
        if together.is_file() { 0 } else { up.max(down) }
    };
    let well: i32 = base.saturating_add(subjects.iter().map(gain).sum());
    let priority = |total: i32| u8::try_from(total.clamp(1, 254)).unwrap_or(u8::MAX);
    let effect = |together: &Together<'_>| {
        if let Some(weight) = together.fault() {
            return TrackerEffect::Fault { while_up: weight.reverse };
        }
        if instance.settings.priority.is_owner() {
            return TrackerEffect::None;
        }
        if together.is_file() {
            return TrackerEffect::Times { factor: together.factor() };
        }
        let (up, down) = together.up_and_down();
        let ill = well.saturating_sub(up.max(down)).saturating_add(up.min(down));
        TrackerEffect::Priority { well: priority(well), ill: priority(ill), while_up: up < down }
    };
    let story = |together: &Together<'_>| TrackerStory {
        what: together.what(),
        effect: effect(together),
        within: together.within(),
    };
    let all_well =
        if instance.settings.priority.is_owner() { instance.settings.priority.get() } else { priority(well) };
    (all_well, subjects.iter().map(story).collect())
}

/// What a weight adds while a thing is up, and while it is down.
fn up_and_down(weight: Weight) -> (i32, i32) {
    let adds = |state| match weight.influence(state) {
        Influence::Adds(sum) => sum,
        Influence::None | Influence::Waits | Influence::Fault => 0,
    };
    (adds(TrackerState::Up), adds(TrackerState::Down))
}

fn all<'a>(tracks: &'a Tracks, config: &'a Config) -> Vec<Tracker<'a>> {
    let interfaces = tracks.interfaces.iter().map(|line| {
        let delay = config.interface_delays.iter().find(|delays| delays.interface == line.name);
        Tracker {
            name: line.name.to_string(),
            subject: Subject::Interface(line.name),
            weight: line.weight,
            within: Some(delay.map_or(Duration::ZERO, |delays| delays.down)),
        }
    });
    let tracker =
        |line: &Track, subject, within| Tracker { name: line.name.clone(), subject, weight: line.weight, within };
    let scripts = tracks.scripts.iter().map(|line| {
        let script = config.scripts.iter().find(|script| script.name == line.name);
        // it fails right after a success, and the last of the failures takes all the time that it has
        let within = script.map(|script| script.interval.saturating_mul(script.fall).saturating_add(script.timeout));
        tracker(line, script.map_or(Subject::Unknown(&line.name), |script| Subject::Script(&script.script)), within)
    });
    let files = tracks.files.iter().map(|line| {
        let file = config.files.iter().find(|file| file.name == line.name);
        tracker(line, Subject::File(file.map_or(&line.name, |file| &file.path)), Some(Duration::ZERO))
    });
    let processes = tracks.processes.iter().map(|line| {
        let process = config.processes.iter().find(|process| process.name == line.name);
        let subject = process
            .map_or(Subject::Unknown(&line.name), |process| Subject::Process(&process.process, &process.parameters));
        tracker(line, subject, process.map(|process| process.terminate_delay))
    });
    let sessions = tracks.bfds.iter().map(|line| tracker(line, Subject::Session(&line.name), None));
    let probes = tracks.probes.iter().map(|line| {
        let probe = config.probes.iter().find(|probe| probe.name == line.name);
        // as of scripts
        let within = probe.map(|probe| probe.interval.saturating_mul(probe.fall).saturating_add(probe.timeout));
        tracker(line, probe.map_or(Subject::Unknown(&line.name), |probe| Subject::Probe(&probe.target)), within)
    });
    interfaces.chain(scripts).chain(files).chain(processes).chain(sessions).chain(probes).collect()
}
