//! What stands at the top level beside instances: static addresses, routes and rules, track groups, linkbeat, delays.

use std::collections::HashSet;
use std::time::Duration;

use keepalived_core::address::InterfaceName;

use super::address;
use super::policy;
use super::reading::Reading;
use super::route::lines as routes;
use super::routing::{Block, track_group};
use super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::{Global, InterfaceDelays, Linkbeat, LinkbeatMethod, PolicyRule, Route, StaticAddress, TrackGroup};
use crate::syntax::{Node, Word};
use crate::value;

/// `default_interface` unless it is said.
const USUAL_INTERFACE: &[u8] = b"eth0";

/// What the daemon adds at its start, for no instance.
pub(super) struct Statics {
    pub(super) addresses: Vec<StaticAddress>,
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<PolicyRule>,
}

/// Reads `static_ipaddress`, `static_routes` and `static_rules`.
pub(super) fn statics(reading: &mut Reading<'_>, root: &Statements<'_>, global: &Global) -> Statics {
    let blocks = |name: &str| -> Vec<Node<'_>> { root.all(name).collect() };
    let (addresses, route_blocks, rules) =
        (blocks("static_ipaddress"), blocks("static_routes"), blocks("static_rules"));
    Statics {
        addresses: addresses.into_iter().flat_map(|block| static_addresses(reading, block, global)).collect(),
        routes: route_blocks.into_iter().flat_map(|block| routes(reading, block, Block::Static)).collect(),
        rules: rules.into_iter().flat_map(|block| policy::lines(reading, block, Block::Static)).collect(),
    }
}

fn static_addresses(reading: &mut Reading<'_>, block: Node<'_>, global: &Global) -> Vec<StaticAddress> {
    let mut out = Vec::new();
    for placed in address::lines(reading, block, Block::Static) {
        let mut address = placed.address;
        let said = address.device;
        address.device = said.or(global.default_interface).or_else(|| InterfaceName::new(USUAL_INTERFACE));
        let unknown = address.device.filter(|name| reading.known_interface(*name).is_none());
        if let Some(name) = unknown.filter(|_| !global.dynamic_interfaces) {
            let span = placed.device.map_or(placed.span, |(_, span)| span);
            let finding = Finding::at(&rule::STATIC_INTERFACE, span, format!("there is no interface {name}"));
            let help = match said {
                Some(_) => "correct the name, or add dynamic_interfaces to global_defs if it appears later",
                None => "add dev and a name, or set default_interface in global_defs",
            };
            reading.report(finding.help(help).note("the line is left out"));
            continue;
        }
        let group = track_group(reading, placed.track_group, said.is_some(), "a static address needs dev");
        out.push(StaticAddress { address, track_group: group });
    }
    out
}

/// Reads the names of `track_group` blocks: static addresses, routes and rules refer to them.
pub(super) fn track_groups(reading: &mut Reading<'_>, root: &Statements<'_>) {
    let mut names = HashSet::new();
    for block in root.all("track_group") {
        let Some(name) = reading.block_name(block) else { continue };
        if !names.insert(name.clone()) {
            let message = format!("there is a track_group {name} already");
            reading.report_at(&rule::DUPLICATE_NAME, Some(block), message);
            continue;
        }
        reading.track_groups.insert(name);
    }
}

/// Their members, as soon as it is known which instances there are.
pub(super) fn members(
    reading: &mut Reading<'_>,
    root: &Statements<'_>,
    instances: &std::collections::BTreeSet<&str>,
) -> Vec<TrackGroup> {
    let mut out: Vec<TrackGroup> = Vec::new();
    for block in root.all("track_group") {
        let mut words = block.arguments();
        let (Some(name), None) = (words.next(), words.next()) else { continue };
        let name = name.str().into_owned();
        if out.iter().any(|group: &TrackGroup| group.name == name) {
            continue;
        }
        let statements = Statements::of(block.children());
        let group = statements.first("group");
        let words: Vec<Word<'_>> =
            group.into_iter().flat_map(|group| group.children()).flat_map(|line| line.words()).collect();
        let mut members = Vec::new();
        for word in words {
            let member = word.str().into_owned();
            if instances.contains(member.as_str()) {
                members.push(member);
                continue;
            }
            let message = format!("track_group {name} names {member}, which is no instance");
            let finding = Finding::at(&rule::TRACK_GROUP_MEMBER, word.span, message);
            let near = reading.suggest(&member, instances.iter().copied());
            reading.report(match near {
                Some(near) => finding.help(format!("did you mean {near}?")).fix(word.span, near),
                None => finding,
            });
        }
        out.push(TrackGroup { name, members });
    }
    out
}

/// `linkbeat_interfaces { IF [MII|ETHTOOL|IOCTL] }`
pub(super) fn linkbeats(reading: &mut Reading<'_>, root: &Statements<'_>) -> Vec<Linkbeat> {
    let lines: Vec<Node<'_>> = root.all("linkbeat_interfaces").flat_map(|block| block.children()).collect();
    let mut out: Vec<Linkbeat> = Vec::new();
    for line in lines {
        let Some((interface, mut words)) = existing(reading, line) else { continue };
        let mut method = None;
        if let Some(word) = words.next() {
            method = match word.text {
                b"MII" => Some(LinkbeatMethod::Mii),
                b"ETHTOOL" => Some(LinkbeatMethod::Ethtool),
                b"IOCTL" => Some(LinkbeatMethod::Ioctl),
                _ => {
                    let message = format!("linkbeat_interfaces knows MII, ETHTOOL and IOCTL, not {}", word.str());
                    reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
                    None
                }
            };
        }
        out.push(Linkbeat { interface, method });
    }
    out
}

/// `interface_up_down_delays { IF DOWN [UP] }`
pub(super) fn delays(reading: &mut Reading<'_>, root: &Statements<'_>) -> Vec<InterfaceDelays> {
    let lines: Vec<Node<'_>> = root.all("interface_up_down_delays").flat_map(|block| block.children()).collect();
    let mut out = Vec::new();
    for line in lines {
        let Some((interface, mut words)) = existing(reading, line) else { continue };
        let Some(down) = words.next() else {
            let message = format!("{interface} has no delays; it is left out");
            reading.report_at(&rule::DELAY_MISSING, Some(line), message);
            continue;
        };
        let up = words.next();
        let Some(down) = delay(reading, down) else { continue };
        let up = match up {
            None => Duration::ZERO,
            Some(up) => match delay(reading, up) {
                Some(up) => up,
                None => continue,
            },
        };
        out.push(InterfaceDelays { interface, down, up });
    }
    out
}

/// The most microseconds of a delay.
const LONGEST: u64 = 255_000_000;

fn delay(reading: &mut Reading<'_>, word: Word<'_>) -> Option<Duration> {
    let micros = value::seconds(word.text).ok().filter(|micros| micros.count <= LONGEST);
    if micros.is_none() {
        let message = format!("a delay is 0 to 255 seconds, not {}", word.str());
        reading.report(Finding::at(&rule::DELAY_INVALID, word.span, message).note("the line is left out"));
    }
    micros.map(|micros| Duration::from_micros(micros.count))
}

/// The interface that a line begins with, and the words after it. keepalived refuses to run without it.
fn existing<'a>(reading: &mut Reading<'_>, line: Node<'a>) -> Option<(InterfaceName, crate::syntax::Words<'a>)> {
    let (word, words) = line.words().split_first()?;
    let name = reading.interface_name(word)?;
    if reading.known_interface(name).is_none() && !reading.dynamic_interfaces {
        let finding = Finding::at(&rule::INTERFACE_ABSENT, word.span, format!("there is no interface {name}"));
        reading.report(finding.help("correct the name, or add dynamic_interfaces to global_defs if it appears later"));
        return None;
    }
    Some((name, words))
}
