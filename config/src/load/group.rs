//! `vrrp_sync_group` and `garp_group`.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use keepalived_core::address::InterfaceName;

use super::statements::{Reading, Statements};
use crate::check::MOST_SUGGESTIONS;
use crate::finding::{Finding, rule};
use crate::model::{GarpGroup, Global, Instance, SyncGroup};
use crate::syntax::{Node, Word};

/// Groups with the members that exist.
pub(super) fn sync_groups<'a>(
    reading: &mut Reading<'a>,
    blocks: impl Iterator<Item = Node<'a>>,
    instances: &[Instance],
) -> Vec<SyncGroup> {
    let known: BTreeSet<&str> = instances.iter().map(|instance| instance.name.as_str()).collect();
    let mut names = HashSet::new();
    let mut taken: HashMap<String, String> = HashMap::new();
    let mut suggestions = 0..MOST_SUGGESTIONS;
    let mut groups = Vec::new();
    for block in blocks {
        let Some(name) = reading.block_name(block) else { continue };
        if !names.insert(name.clone()) {
            let message = format!("there is a vrrp_sync_group {name} already");
            reading.report_at(&rule::DUPLICATE_NAME, Some(block), message);
            continue;
        }
        let mut members = Vec::new();
        for word in members_of(block) {
            match member(word, &name, &known, &mut taken, &mut suggestions) {
                Ok(member) => members.push(member),
                Err(finding) => reading.report(*finding),
            }
        }
        match members.len() {
            0 => reading.report_at(
                &rule::GROUP_EMPTY,
                Some(block),
                format!("sync group {name} has no members; it is left out"),
            ),
            1 => reading.report_at(&rule::GROUP_SINGLE, Some(block), format!("sync group {name} has only one member")),
            _ => {}
        }
        if !members.is_empty() {
            groups.push(SyncGroup { name, members });
        }
    }
    groups
}

fn member(
    word: Word<'_>,
    group: &str,
    known: &BTreeSet<&str>,
    taken: &mut HashMap<String, String>,
    suggestions: &mut Range<usize>,
) -> Result<String, Box<Finding>> {
    let name = word.str().into_owned();
    if !known.contains(name.as_str()) {
        let message = format!("sync group {group} names {name}, which is no instance");
        let finding = Finding::at(&rule::GROUP_MEMBER_UNKNOWN, word.span, message);
        let near = suggestions.next().and_then(|_| crate::keywords::nearest(&name, known.iter().copied()));
        return Err(Box::new(match near {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        }));
    }
    if let Some(other) = taken.get(&name) {
        let message = format!("{name} is in sync group {other} already");
        return Err(Box::new(Finding::at(&rule::GROUP_MEMBER_TWICE, word.span, message)));
    }
    taken.insert(name.clone(), group.to_owned());
    Ok(name)
}

/// Every word of `group { ... }`.
fn members_of(block: Node<'_>) -> Vec<Word<'_>> {
    let statements = Statements::of(block.children());
    statements.all("group").flat_map(|group| group.children()).flat_map(|line| line.words()).collect()
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
        if reading.facts.interface(name).is_none() && !global.dynamic_interfaces {
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
