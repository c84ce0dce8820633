//! Trackers in the data file of the vrrp process, in keepalived's words.

use std::fmt::Write as _;
use std::time::Duration;

use keepalived_core::vrrp::tracking::{Detail, TrackerKind, TrackerState, Weight};
use keepalived_state::{FollowerView, InstanceView, TrackerSettings, TrackerView};

use super::seconds;

/// `   Tracked …` of an instance.
pub(super) fn of_instance(text: &mut String, instance: &InstanceView, trackers: &[TrackerView]) {
    let mut last = None;
    for tracker in trackers {
        let follows = |follower: &&FollowerView| follower.instance == instance.name;
        let Some(follower) = tracker.followers.iter().find(follows) else { continue };
        let (title, separator) = match tracker.id.kind {
            TrackerKind::Interface => ("interfaces", ""),
            TrackerKind::Script => ("scripts", ""),
            TrackerKind::File => ("files", ","),
            TrackerKind::Process => ("processes", ","),
            TrackerKind::Bfd => ("BFDs", ":"),
            TrackerKind::Probe => ("probes", ""),
        };
        if last.replace(tracker.id.kind) != Some(tracker.id.kind) {
            writeln!(text, "   Tracked {title} :").ok();
        }
        writeln!(text, "     {}{separator} weight {}", tracker.id.name, shown(follower.weight)).ok();
    }
}

/// The sections of scripts, files and processes.
pub(super) fn describe(text: &mut String, trackers: &[TrackerView]) {
    let mut last = None;
    for tracker in trackers {
        let (section, title) = match tracker.id.kind {
            TrackerKind::Script => ("VRRP Scripts", "VRRP Script"),
            TrackerKind::File => ("VRRP Track files", "Track file"),
            TrackerKind::Process => ("VRRP Track processes", "VRRP Track process"),
            // ours
            TrackerKind::Probe => ("VRRP Track probes", "VRRP Track probe"),
            TrackerKind::Interface | TrackerKind::Bfd => continue,
        };
        if last.replace(tracker.id.kind) != Some(tracker.id.kind) {
            writeln!(text, "------< {section} >------").ok();
        }
        writeln!(text, " {title} = {}", tracker.id.name).ok();
        settings(text, tracker);
        // keepalived says neither of these
        if tracker.detail != Detail::Nothing {
            writeln!(text, "   Last result = {}", tracker.detail).ok();
        }
        writeln!(text, "   Last transition = {}", seconds(tracker.since)).ok();
        if !tracker.followers.is_empty() {
            *text += "   Tracking instances :\n";
        }
        for follower in &tracker.followers {
            writeln!(text, "     {}, weight {}", follower.instance, shown(follower.weight)).ok();
        }
    }
}

fn settings(text: &mut String, tracker: &TrackerView) {
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "   {key} = {value}").ok();
    };
    match &tracker.settings {
        TrackerSettings::Plain => {}
        TrackerSettings::Script { command, interval, timeout, weight, rise, fall } => {
            line("Command", command);
            line("Interval", &format_args!("{} sec", milliseconds(*interval)));
            // the same as interval is what it is without a word about it
            let timeout = if timeout == interval { Duration::ZERO } else { *timeout };
            line("Timeout", &format_args!("{} sec", milliseconds(timeout)));
            line("Weight", &shown(*weight));
            line("Rise", rise);
            line("Fall", fall);
            let (result, status) = match tracker.state {
                TrackerState::Initial => (0, "INIT"),
                TrackerState::Up => (rise.saturating_add(*fall).saturating_sub(1), "GOOD"),
                TrackerState::Down | TrackerState::Number(_) => (0, "BAD"),
            };
            line("Result", &result);
            line("Insecure", &"no");
            line("Status", &status);
        }
        TrackerSettings::File { path, weight } => {
            line("File", path);
            line("Status", &tracker.state);
            line("Weight", &shown(*weight));
        }
        TrackerSettings::Probe { target, interval, timeout, weight, rise, fall } => {
            line("Target", target);
            line("Interval", &format_args!("{} sec", milliseconds(*interval)));
            line("Timeout", &format_args!("{} sec", milliseconds(*timeout)));
            line("Weight", &shown(*weight));
            line("Rise", rise);
            line("Fall", fall);
            line("Status", &tracker.state);
        }
        TrackerSettings::Process {
            process,
            parameters,
            weight,
            quorum,
            quorum_max,
            terminate_delay,
            fork_delay,
            full_command,
        } => {
            line("Process", process);
            if !parameters.is_empty() {
                line("Parameters", &parameters.join(" "));
            }
            line("Min processes", quorum);
            if let Some(most) = quorum_max {
                line("Max processes", most);
            }
            if let Detail::Processes { count, kernel_tells } = tracker.detail {
                line("Current processes", &count);
                // keepalived has one way only
                line("Processes are told by", &if kernel_tells { "kernel" } else { "/proc, every second" });
            }
            line("Have quorum", &(tracker.state == TrackerState::Up));
            line("Weight", &shown(*weight));
            line("Terminate delay", &format_args!("{}s", microseconds(*terminate_delay)));
            line("Fork delay", &format_args!("{}s", microseconds(*fork_delay)));
            line("Full command", full_command);
        }
    }
}

fn shown(Weight { value, reverse }: Weight) -> String {
    format!("{value}{}", if reverse { " reverse" } else { "" })
}

fn milliseconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => time.as_secs().to_string(),
        millis => format!("{}.{millis:03}", time.as_secs()),
    }
}

fn microseconds(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}
