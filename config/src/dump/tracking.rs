//! Trackers: what a router tracks, and who tracks what.

use super::{Page, say};
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
        say!(page, " VRRP Track probe = {}", it.name);
        say!(page, "   Target = {}", it.target);
        say!(page, "   Interval = {} sec", milliseconds(it.interval));
        say!(page, "   Timeout = {} sec", milliseconds(it.timeout));
        say!(page, "   Weight = {}", shown(it.weight));
        say!(page, "   Rise = {}", it.rise);
        say!(page, "   Fall = {}", it.fall);
        trackers(page, &it.name, |tracks| &tracks.probes);
    }
    let bfds: Vec<_> = config.bfd_instances.iter().filter(|bfd| bfd.tells_vrrp).collect();
    if !bfds.is_empty() {
        say!(page, "------< VRRP Track BFDs >------");
    }
    for bfd in bfds {
        say!(page, " VRRP Track BFD = {}", bfd.name);
        say!(page, "   Weight = {}", shown(Weight { value: bfd.weight, reverse: bfd.reverse }));
        say!(page, "   Bfd is down");
        say!(page, "   Tracking VRRP instances :");
        trackers(page, &bfd.name, |tracks| &tracks.bfds);
    }
}

fn scripts(page: &mut Page<'_>) {
    let config = page.config;
    // the daemon runs no script without a tracker
    let tracked = config.scripts.iter().filter(|it| !tracked_by(config, &it.name, |tracks| &tracks.scripts).is_empty());
    for (index, it) in tracked.enumerate() {
        if index == 0 {
            say!(page, "------< VRRP Scripts >------");
        }
        let TrackScript { name, script, interval, timeout, weight, rise, fall, init_fail: _ } = it;
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
        say!(page, "   Result = 0");
        say!(page, "   Insecure = no");
        say!(page, "   Init state = INIT");
        say!(page, "   Status = BAD");
        let owner = page.owner(script);
        say!(page, "   Script uid:gid = {owner}");
        say!(page, "   VRRP instances :");
        trackers(page, name, |tracks| &tracks.scripts);
        say!(page, "   State = idle");
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
        say!(page, "   Status = 0");
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
    say!(page, "   Current processes = 0");
    say!(page, "   Have quorum = false");
    say!(page, "   Weight = {}", shown(it.weight));
    say!(page, "   Terminate delay = {}s", super::decimal(it.terminate_delay));
    say!(page, "   Fork delay = {}s", super::decimal(it.fork_delay));
    say!(page, "   Full command = {}", it.full_command);
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
