//! What trackers can do to an election, once it is known who is an owner and who is in which sync group.

use std::collections::HashMap;

use super::reading::Reading;
use super::statements::finding_at;
use crate::finding::{Rule, rule};
use crate::model::{Instance, SyncGroup, Track, Tracks};
use crate::syntax::Node;

/// Takes away weights that cannot count, as keepalived does, and says so; and says which of the others do nothing.
pub(super) fn settle(reading: &mut Reading<'_>, instances: &mut [Instance], groups: &mut [SyncGroup]) {
    let blocks = Blocks::of(reading);
    let mut of_member: HashMap<String, usize> = HashMap::new();
    for (index, group) in groups.iter().enumerate() {
        of_member.extend(group.members.iter().map(|member| (member.clone(), index)));
    }
    for instance in instances.iter_mut() {
        let group = of_member.get(&instance.name).and_then(|index| groups.get(*index));
        let block = blocks.instances.get(&instance.name).copied();
        let owner = instance.settings.priority.is_owner();
        let reason = match group {
            Some(group) if !group.tracking_weight => Some(format!("sync group {}", group.name)),
            _ if owner => Some("priority 255".to_owned()),
            _ => None,
        };
        own_interface(reading, instance, block);
        if let Some(group) = group {
            twice(reading, instance, group, block);
        }
        if let Some(reason) = reason {
            strip(reading, instance, &reason, group.is_some_and(|group| !group.tracking_weight), block);
        } else {
            without_effect(reading, instance, block);
        }
        if instance.tracks.as_deref() == Some(&Tracks::default()) {
            instance.tracks = None;
        }
    }
    let owners: HashMap<&str, bool> =
        instances.iter().map(|instance| (instance.name.as_str(), instance.settings.priority.is_owner())).collect();
    for group in groups.iter() {
        let count = group.members.iter().filter(|member| owners.get(member.as_str()) == Some(&true)).count();
        if count > 0 && count < group.members.len() {
            let message = format!("sync group {} has members with priority 255 and members without", group.name);
            let finding = finding_at(&rule::GROUP_OWNERS, blocks.groups.get(&group.name).copied(), message);
            reading.report(finding.help("give all members priority 255, or none"));
        }
    }
}

/// The first block of each name.
struct Blocks<'a> {
    instances: HashMap<String, Node<'a>>,
    groups: HashMap<String, Node<'a>>,
}

impl<'a> Blocks<'a> {
    fn of(reading: &Reading<'a>) -> Self {
        let mut blocks = Self { instances: HashMap::new(), groups: HashMap::new() };
        for node in reading.tree.roots() {
            let map = match () {
                () if node.is("vrrp_instance") => &mut blocks.instances,
                () if node.is("vrrp_sync_group") => &mut blocks.groups,
                () => continue,
            };
            if let Some(name) = node.argument() {
                map.entry(name.str().into_owned()).or_insert(node);
            }
        }
        blocks
    }
}

/// The line about `name` in a `keyword` block of an instance.
fn line<'a>(block: Option<Node<'a>>, keyword: &str, name: &str) -> Option<Node<'a>> {
    let block = block?;
    let mut lists = block.children().filter(|node| node.is(keyword));
    lists.find_map(|list| list.children().find(|line| line.name() == name)).or(Some(block))
}

/// The interface of an instance is tracked without being asked.
fn own_interface(reading: &mut Reading<'_>, instance: &mut Instance, block: Option<Node<'_>>) {
    let (Some(tracks), Some(own)) = (&mut instance.tracks, instance.interface) else { return };
    if tracks.interfaces.iter().any(|tracked| tracked.name == own) {
        let node = line(block, "track_interface", &own.to_string());
        let message = format!("instance {}: {own} is its own interface, which it tracks anyway", instance.name);
        let finding = finding_at(&rule::TRACK_OWN_INTERFACE, node, message);
        reading.report(finding.note("the line is left out: its loss is FAULT, whatever the weight"));
        tracks.interfaces.retain(|tracked| tracked.name != own);
    }
}

/// What a member and its group both track.
fn twice(reading: &mut Reading<'_>, instance: &Instance, group: &SyncGroup, block: Option<Node<'_>>) {
    let (Some(own), Some(shared)) = (&instance.tracks, &group.tracks) else { return };
    for tracked in &own.interfaces {
        if shared.interfaces.iter().any(|other| other.name == tracked.name) {
            let name = tracked.name.to_string();
            let message =
                format!("{name} is tracked by instance {} and by its sync group {}", instance.name, group.name);
            let node = line(block, "track_interface", &name);
            reading.report(finding_at(&rule::TRACKED_TWICE, node, message).help("remove one of the two lines"));
        }
    }
}

/// Weights of an owner, or of a member of a group whose members must agree.
fn strip(reading: &mut Reading<'_>, instance: &mut Instance, reason: &str, grouped: bool, block: Option<Node<'_>>) {
    let Some(tracks) = &mut instance.tracks else { return };
    let rule: &'static Rule = if grouped { &rule::WEIGHT_IN_GROUP } else { &rule::WEIGHT_OF_OWNER };
    let mut say = |keyword: &str, name: &str, what: &str| {
        let message = format!("instance {}: {name} is tracked with a weight, which {reason} excludes", instance.name);
        let finding = finding_at(rule, line(block, keyword, name), message);
        reading.report(finding.note(what.to_owned()));
    };
    tracks.interfaces.retain_mut(|tracked| {
        if tracked.weight.value == 0 {
            return true;
        }
        let what = if grouped { "its loss is FAULT instead" } else { "the line is left out" };
        say("track_interface", &tracked.name.to_string(), what);
        tracked.weight.value = 0;
        grouped
    });
    let mut lists: [(&str, &mut Vec<Track>); 3] =
        [("track_script", &mut tracks.scripts), ("track_bfd", &mut tracks.bfds), ("track_probe", &mut tracks.probes)];
    for (keyword, list) in &mut lists {
        list.retain(|track| {
            if track.weight.value != 0 {
                say(keyword, &track.name, "the line is left out");
            }
            track.weight.value == 0
        });
    }
    tracks.files.retain_mut(|track| match track.weight.value {
        0 => true,
        1 => {
            say("track_file", &track.name, "any number but 0 in it is FAULT instead");
            track.weight.value = 0;
            true
        }
        _ => {
            say("track_file", &track.name, "the line is left out");
            false
        }
    });
}

/// Priorities stay between 1 and 254: a weight can only push towards a side where there is room.
fn without_effect(reading: &mut Reading<'_>, instance: &Instance, block: Option<Node<'_>>) {
    let Some(tracks) = &instance.tracks else { return };
    let priority = instance.settings.priority.get();
    let lines = [
        ("track_script", &tracks.scripts),
        ("track_process", &tracks.processes),
        ("track_bfd", &tracks.bfds),
        ("track_probe", &tracks.probes),
    ];
    let named = lines
        .iter()
        .flat_map(|(keyword, list)| list.iter().map(move |track| (*keyword, track.name.clone(), track.weight)));
    let interfaces =
        tracks.interfaces.iter().map(|tracked| ("track_interface", tracked.name.to_string(), tracked.weight));
    for (keyword, name, weight) in named.chain(interfaces) {
        let up = (weight.value > 0) != weight.reverse;
        let stuck = weight.value != 0 && (up && priority == 254 || !up && priority == 1);
        if stuck {
            let side = if up { "rise above 254" } else { "fall below 1" };
            let message = format!(
                "instance {}: the weight of {name} does nothing: priority {priority} cannot {side}",
                instance.name
            );
            let finding = finding_at(&rule::WEIGHT_WITHOUT_EFFECT, line(block, keyword, &name), message);
            reading.report(finding.help("choose a priority in between, or weight 0 for FAULT"));
        }
    }
}
