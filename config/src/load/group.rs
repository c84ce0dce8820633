//! `vrrp_sync_group` and `garp_group`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use keepalived_core::address::InterfaceName;

use super::notify;
use super::reading::Reading;
use super::statements::Statements;
use super::tracks::{self, Trackers};
use crate::finding::{Finding, rule};
use crate::model::{GarpGroup, Global, Instance, SyncGroup};
use crate::syntax::{Node, Word};
use crate::value;

/// Groups with the members that exist.
pub(super) fn sync_groups<'a>(
    reading: &mut Reading<'a>,
    blocks: impl Iterator<Item = Node<'a>>,
    global: &Global,
    instances: &[Instance],
    trackers: &mut Trackers,
) -> Vec<SyncGroup> {
    let known: BTreeSet<&str> = instances.iter().map(|instance| instance.name.as_str()).collect();
    let mut names = HashSet::new();
    let mut taken: HashMap<String, String> = HashMap::new();
    let mut groups = Vec::new();
    for block in blocks {
        let Some(name) = reading.block_name(block) else { continue };
        if !names.insert(name.clone()) {
            let message = format!("there is a vrrp_sync_group {name} already");
            reading.report_at(&rule::DUPLICATE_NAME, Some(block), message);
            continue;
        }
        let members = members(reading, block, &name, &known, &mut taken);
        let statements = Statements::of(block.children());
        let written: usize =
            statements.all("group").flat_map(|node| node.children()).map(|line| line.words().len()).sum();
        let group = SyncGroup {
            members,
            tracks: tracks::read(reading, trackers, &format!("sync group {name}"), &statements),
            notify: notify::read(reading, &statements),
            mail: mail(reading, &statements, global),
            // read with the members, too, which follow it unless they say otherwise
            notify_priority_changes: reading.switch(statements.last("notify_priority_changes")),
            tracking_weight: statements.has("sync_group_tracking_weight") || statements.has("global_tracking"),
            name,
        };
        let name = &group.name;
        match group.members.len() {
            0 => {
                let message = format!("sync group {name} has no members; it is left out");
                reading.report_at(&rule::GROUP_EMPTY, Some(block), message);
                continue;
            }
            1 if written == 1 => {
                let message = format!("sync group {name} has only one member");
                reading.report_at(&rule::GROUP_SINGLE, Some(block), message);
            }
            _ => {}
        }
        groups.push(group);
    }
    groups
}

/// `smtp_alert`, here or globally.
fn mail(reading: &mut Reading<'_>, statements: &Statements<'_>, global: &Global) -> bool {
    let mail = &global.mail;
    reading.switch(statements.last("smtp_alert")).or(mail.alert_vrrp).or(mail.alert).unwrap_or(false)
}

/// What groups say about `notify_priority_changes`, by member.
pub(super) fn priority_changes<'a>(blocks: impl Iterator<Item = Node<'a>>) -> HashMap<String, bool> {
    let mut said = HashMap::new();
    for block in blocks {
        let statements = Statements::of(block.children());
        let Some(node) = statements.last("notify_priority_changes") else { continue };
        // what is no switch is reported with the group
        let Some(value) = node.argument().map_or(Some(true), |word| value::boolean(word.text)) else { continue };
        let words = statements.all("group").flat_map(|group| group.children()).flat_map(|line| line.words());
        words.for_each(|word| {
            said.entry(word.str().into_owned()).or_insert(value);
        });
    }
    said
}

/// The members of `block` that exist and are in no other group.
fn members(
    reading: &mut Reading<'_>,
    block: Node<'_>,
    name: &str,
    known: &BTreeSet<&str>,
    taken: &mut HashMap<String, String>,
) -> Vec<String> {
    let statements = Statements::of(block.children());
    let list = statements.first("group");
    let mut words: Vec<Word<'_>> =
        list.into_iter().flat_map(|list| list.children()).flat_map(|line| line.words()).collect();
    let bare = bare_members(block, known);
    if let (Some(first), Some(last)) = (bare.first(), bare.last()) {
        let shown: Vec<_> = bare.iter().map(|word| word.str()).collect();
        let shown = shown.join(" ");
        let message = format!("sync group {name} lists its members without group; they are understood");
        let finding = Finding::at(&rule::GROUP_BARE, first.span.to(last.span), message);
        let finding = finding.help(format!("write group {{ {shown} }}"));
        // lines that follow each other can be put into braces as they are
        let one_line = bare.len() == 1 || first.span.start == last.span.start;
        reading.report(if one_line { finding.fix(first.span, format!("group {{ {shown} }}")) } else { finding });
    }
    words.extend(bare);
    let listed: BTreeSet<String> = words.iter().map(|word| word.str().into_owned()).collect();
    let mut members = Vec::new();
    for word in words {
        let member = word.str().into_owned();
        if !known.contains(member.as_str()) {
            let message = format!("sync group {name} names {member}, which is no instance");
            let finding = Finding::at(&rule::GROUP_MEMBER_UNKNOWN, word.span, message);
            // what is listed already was not meant here
            let others = known.iter().copied().filter(|name| !listed.contains(*name));
            let near = reading.suggest(&member, others);
            reading.report(match near {
                Some(near) => finding.help(format!("did you mean {near}?")).fix(word.span, near),
                None => finding,
            });
        } else if let Some(other) = taken.get(&member) {
            let message = format!("{member} is in sync group {other} already");
            reading.report(Finding::at(&rule::GROUP_MEMBER_TWICE, word.span, message));
        } else {
            taken.insert(member.clone(), name.to_owned());
            members.push(member);
        }
    }
    members
}

/// Members that stand in the block itself, as keepalived's first user guide has them.
fn bare_members<'a>(block: Node<'a>, known: &BTreeSet<&str>) -> Vec<Word<'a>> {
    let strangers = block.children().filter(|node| node.keyword().is_none() && node.block().is_none());
    strangers.filter(|node| known.contains(node.name().as_ref())).flat_map(|node| node.words()).collect()
}

/// Groups that pace something.
pub(super) fn garp_groups<'a>(
    reading: &mut Reading<'a>,
    blocks: impl Iterator<Item = Node<'a>>,
    global: &Global,
) -> Vec<GarpGroup> {
    let mut taken = HashSet::new();
    blocks.filter_map(|block| garp_group(reading, block, global, &mut taken)).collect()
}

fn garp_group(
    reading: &mut Reading<'_>,
    block: Node<'_>,
    global: &Global,
    taken: &mut HashSet<InterfaceName>,
) -> Option<GarpGroup> {
    let statements = Statements::of(block.children());
    let mut interval = |name: &str| -> Option<Duration> { reading.duration(statements.last(name)) };
    let (garp_interval, gna_interval) = (interval("garp_interval"), interval("gna_interval"));
    let one = statements.last("interface").and_then(|node| node.argument());
    let many = statements.all("interfaces").flat_map(|node| node.children()).flat_map(|line| line.words());
    let mut interfaces = Vec::new();
    for word in one.into_iter().chain(many) {
        let Some(name) = reading.interface_name(word) else { continue };
        if reading.known_interface(name).is_none() && !global.dynamic_interfaces {
            reading.report(Finding::at(&rule::GARP_GROUP, word.span, format!("there is no interface {name}")));
        } else if taken.insert(name) {
            interfaces.push(name);
        } else {
            let message = format!("{name} is in a garp_group already");
            reading.report(Finding::at(&rule::GARP_GROUP, word.span, message));
        }
    }
    if garp_interval.is_none() && gna_interval.is_none() {
        let message = "a garp_group needs garp_interval or gna_interval; it is left out";
        reading.report_at(&rule::GARP_GROUP, Some(block), message);
        return None;
    }
    Some(GarpGroup { interfaces, garp_interval, gna_interval })
}
