//! Trackers: what a router tracks, and who tracks what.

use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};

use super::{Page, TrackerNow, say};
use crate::model::{Config, ParameterMatch, Track, TrackProcess, TrackScript, Tracks, Weight};

/// Whose trackers are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Instance,
    Group,
}

/// `   Tracked …` of an instance or a group.
pub(super) fn tracks(page: &mut Page<'_>, tracks: Option<&Tracks>, form: Form) {
    let Some(tracks) = tracks else { return };
    if !tracks.interfaces.is_empty() {
        say!(page, "   Tracked interfaces :");
    }
    for it in &tracks.interfaces {
        say!(page, "     {} weight {}", it.name, shown(it.weight));
    }
    let processes = if form == Form::Group { "process" } else { "processes" };
    let kinds = [
        ("scripts", "", &tracks.scripts),
        ("files", ",", &tracks.files),
        (processes, ",", &tracks.processes),
        ("BFDs", ":", &tracks.bfds),
        ("probes", "", &tracks.probes),
    ];
    for (kind, separator, list) in kinds {
        if !list.is_empty() {
            say!(page, "   Tracked {kind} :");
        }
        for it in list {
            say!(page, "     {}{separator} weight {}", it.name, shown(it.weight));
        }
    }
}

pub(super) fn shown(weight: Weight) -> String {
    let Weight { value, reverse } = weight;
    format!("{value}{}", if reverse { " reverse" } else { "" })
}

pub(super) fn write(page: &mut Page<'_>) {
    let config = page.config;
    scripts(page);
    files(page);
    if !config.processes.is_empty() {
        say!(page, "------< VRRP Track processes >------");
    }
    for it in &config.processes {
        process(page, it);
    }
    if !config.probes.is_empty() {
        say!(page, "------< VRRP Track probes >------");
    }
    for it in &config.probes {
        let now = now(page, TrackerKind::Probe, &it.name);
        say!(page, " VRRP Track probe = {}", it.name);
        say!(page, "   Target = {}", it.target);
        say!(page, "   Interval = {} sec", milliseconds(it.interval));
        say!(page, "   Timeout = {} sec", milliseconds(it.timeout));
        say!(page, "   Weight = {}", shown(it.weight));
        say!(page, "   Rise = {}", it.rise);
        say!(page, "   Fall = {}", it.fall);
        if let Some(now) = now {
            say!(page, "   Status = {}", now.state);
        }
        result(page, now);
        trackers(page, &it.name, |tracks| &tracks.probes);
    }
    let bfds: Vec<_> = config.bfd_instances.iter().filter(|bfd| bfd.tells_vrrp).collect();
    if !bfds.is_empty() {
        say!(page, "------< VRRP Track BFDs >------");
    }
    for bfd in bfds {
        say!(page, " VRRP Track BFD = {}", bfd.name);
        say!(page, "   Weight = {}", shown(Weight { value: bfd.weight, reverse: bfd.reverse }));
        let is_up = now(page, TrackerKind::Bfd, &bfd.name).is_some_and(|now| now.state == TrackerState::Up);
        say!(page, "   Bfd is {}", if is_up { "up" } else { "down" });
        say!(page, "   Tracking VRRP instances :");
        trackers(page, &bfd.name, |tracks| &tracks.bfds);
    }
}

/// What is known of a tracker.
fn now<'a>(page: &Page<'a>, kind: TrackerKind, name: &str) -> Option<&'a TrackerNow> {
    page.now?.trackers.get(&TrackerId::new(kind, name))
}

/// Ours: why it is so, and since when.
fn result(page: &mut Page<'_>, now: Option<&TrackerNow>) {
    let Some(now) = now else { return };
    if now.detail != Detail::Nothing {
        say!(page, "   Last result = {}", now.detail);
    }
    say!(page, "   Last transition = {}", page.moment(now.since));
}

fn scripts(page: &mut Page<'_>) {
    let config = page.config;
    // the daemon runs no script without a tracker
    let tracked = config.scripts.iter().filter(|it| !tracked_by(config, &it.name, |tracks| &tracks.scripts).is_empty());
    for (index, it) in tracked.enumerate() {
        if index == 0 {
            say!(page, "------< VRRP Scripts >------");
        }
        let TrackScript { name, script, interval, timeout, weight, rise, fall, init_fail } = it;
        let now = now(page, TrackerKind::Script, name);
        say!(page, " VRRP Script = {name}");
        let command = super::quoted(&script.argv);
        say!(page, "   Command = {command}");
        if let Some(program) = page.program(script) {
            say!(page, "   Path = {program}");
        }
        say!(page, "   Interval = {} sec", milliseconds(*interval));
        // the same as interval is what it is without a word about it
        let timeout = if timeout == interval { std::time::Duration::ZERO } else { *timeout };
        say!(page, "   Timeout = {} sec", milliseconds(timeout));
        say!(page, "   Weight = {}", shown(*weight));
        say!(page, "   Rise = {rise}");
        say!(page, "   Fall = {fall}");
        let has_run = now.is_some_and(|now| now.state != TrackerState::Initial);
        let is_good = now.is_some_and(|now| now.state == TrackerState::Up);
        let count = if is_good { rise.saturating_add(*fall).saturating_sub(1) } else { 0 };
        say!(page, "   Result = {count}");
        say!(page, "   Insecure = no");
        let init = match (has_run, *init_fail && now.is_some()) {
            // its word for what is neither of the others
            (true, _) => "unknown",
            (false, true) => "INIT/FAILED",
            (false, false) => "INIT",
        };
        say!(page, "   Init state = {init}");
        say!(page, "   Status = {}", if is_good { "GOOD" } else { "BAD" });
        let owner = page.owner(script);
        say!(page, "   Script uid:gid = {owner}");
        say!(page, "   VRRP instances :");
        trackers(page, name, |tracks| &tracks.scripts);
        say!(page, "   State = idle");
        result(page, now);
    }
}

fn milliseconds(time: std::time::Duration) -> String {
    match time.subsec_millis() {
        0 if time.subsec_micros() == 0 => time.as_secs().to_string(),
        millis => format!("{}.{millis:03}", time.as_secs()),
    }
}

fn files(page: &mut Page<'_>) {
    let config = page.config;
    let tracked = config.files.iter().filter(|it| !tracked_by(config, &it.name, |tracks| &tracks.files).is_empty());
    for (index, it) in tracked.enumerate() {
        if index == 0 {
            say!(page, "------< VRRP Track files >------");
        }
        say!(page, " Track file = {}", it.name);
        say!(page, "   File = {}", it.path);
        let status = match now(page, TrackerKind::File, &it.name).map(|now| now.state) {
            Some(TrackerState::Number(number)) => number,
            _ => 0,
        };
        say!(page, "   Status = {status}");
        say!(page, "   Weight = {}", shown(it.weight));
        trackers(page, &it.name, |tracks| &tracks.files);
    }
}

fn process(page: &mut Page<'_>, it: &TrackProcess) {
    say!(page, " VRRP Track process = {}", it.name);
    say!(page, "   Process = {}", it.process);
    if !it.parameters.is_empty() {
        say!(page, "   Parameters = {}", it.parameters.join(" "));
    }
    match it.parameter_match {
        ParameterMatch::None => {}
        ParameterMatch::Exact => say!(page, "   Param match"),
        ParameterMatch::Partial => say!(page, "   Param match = partial"),
        ParameterMatch::Initial => say!(page, "   Param match = initial"),
    }
    say!(page, "   Min processes = {}", it.quorum);
    if let Some(most) = it.quorum_max {
        say!(page, "   Max processes = {most}");
    }
    let now = now(page, TrackerKind::Process, &it.name);
    let (count, kernel_tells) = match now.map(|now| &now.detail) {
        Some(Detail::Processes { count, kernel_tells }) => (*count, *kernel_tells),
        _ => (0, true),
    };
    say!(page, "   Current processes = {count}");
    say!(page, "   Have quorum = {}", now.is_some_and(|now| now.state == TrackerState::Up));
    say!(page, "   Weight = {}", shown(it.weight));
    say!(page, "   Terminate delay = {}s", super::decimal(it.terminate_delay));
    say!(page, "   Fork delay = {}s", super::decimal(it.fork_delay));
    // whether a timer runs is not known; one of no length does not
    if now.is_some() && it.fork_delay.is_zero() {
        say!(page, "   Fork delay timer not running");
    }
    if now.is_some() && it.terminate_delay.is_zero() {
        say!(page, "   Terminate delay timer not running");
    }
    say!(page, "   Full command = {}", it.full_command);
    // ours; keepalived has one way only
    if !kernel_tells {
        say!(page, "   Processes are told by = /proc, every second");
    }
    trackers(page, &it.name, |tracks| &tracks.processes);
}

/// Who tracks `name`: instances that say so, then members of groups that do.
fn trackers(page: &mut Page<'_>, name: &str, list: fn(&Tracks) -> &Vec<Track>) {
    let all = tracked_by(page.config, name, list);
    if !all.is_empty() {
        say!(page, "   Tracking instances :");
    }
    for (name, weight) in all {
        say!(page, "     {name}, weight {}", shown(weight));
    }
}

fn tracked_by<'a>(config: &'a Config, name: &str, list: fn(&Tracks) -> &Vec<Track>) -> Vec<(&'a String, Weight)> {
    let found = |tracks: Option<&Tracks>| {
        tracks.and_then(|tracks| list(tracks).iter().find(|track| track.name == name)).map(|track| track.weight)
    };
    let direct =
        config.instances.iter().filter_map(|instance| Some((&instance.name, found(instance.tracks.as_deref())?)));
    let grouped = config.sync_groups.iter().filter_map(|group| Some((group, found(group.tracks.as_deref())?)));
    let members = grouped.flat_map(|(group, weight)| group.members.iter().map(move |member| (member, weight)));
    let mut seen = std::collections::HashSet::new();
    direct.chain(members).filter(|(name, _)| seen.insert(name.as_str())).collect()
}
