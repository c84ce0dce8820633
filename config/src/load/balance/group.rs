//! `virtual_server_group`: addresses, ranges, prefixes and marks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use keepalived_core::vrrp::Family;

use super::super::global::UINT;
use super::super::reading::Reading;
use super::super::statements::keyword_span;
use super::endpoint;
use crate::finding::{Finding, rule};
use crate::model::{GroupEntry, MOST_SERVICES, VirtualServerGroup};
use crate::span::Span;
use crate::syntax::{Node, Word, Words};
use crate::value;

/// A group, and what every virtual server that uses it wants to know of it; found out once, for a group may be large.
#[derive(Clone, Copy)]
pub(super) struct KnownGroup<'a> {
    pub(super) group: &'a VirtualServerGroup,
    /// Of the first address. A family that is written for a mark does not bind the servers.
    pub(super) family: Option<Family>,
    pub(super) has_address: bool,
    pub(super) has_fwmark: bool,
    /// Whether its first address stands for every port; keepalived looks at no other.
    pub(super) has_every_port: bool,
    /// How many entries are IPv4, how many IPv6.
    pub(super) families: (usize, usize),
}

impl<'a> KnownGroup<'a> {
    pub(super) fn new(group: &'a VirtualServerGroup) -> Self {
        let is_address = |entry: &&GroupEntry| matches!(entry, GroupEntry::Addresses { .. });
        let first = group.entries.iter().find(is_address);
        let count = |family| group.entries.iter().filter(|entry| entry.family() == Some(family)).count();
        Self {
            group,
            family: first.and_then(GroupEntry::family),
            has_address: first.is_some(),
            has_fwmark: !group.entries.iter().all(|entry| is_address(&entry)),
            has_every_port: matches!(first, Some(GroupEntry::Addresses { port: None, .. })),
            families: (count(Family::V4), count(Family::V6)),
        }
    }
}

/// Every group with entries; of those with one name the first, as with keepalived.
pub(super) fn read_all<'a>(
    reading: &mut Reading<'a>,
    blocks: impl Iterator<Item = Node<'a>>,
) -> Vec<VirtualServerGroup> {
    let mut names: HashMap<String, Option<Span>> = HashMap::new();
    let mut groups = Vec::new();
    for block in blocks {
        let Some(name) = name(reading, block) else { continue };
        if let Some(first) = names.get(&name) {
            let message = format!("there is a virtual_server_group {name} already; this one is left out");
            let finding = keyword_span(block).map(|span| Finding::at(&rule::SERVER_GROUP_TWICE, span, message));
            if let Some(finding) = finding {
                reading.report(match first {
                    Some(first) => finding.also(*first, "the first is here"),
                    None => finding,
                });
            }
            continue;
        }
        names.insert(name.clone(), keyword_span(block));
        let entries: Vec<GroupEntry> = block.children().filter_map(|line| entry(reading, &name, line)).collect();
        if entries.is_empty() {
            let message = format!("virtual_server_group {name} has no entries; it is left out");
            reading.report_at(&rule::SERVER_GROUP_EMPTY, Some(block), message);
            continue;
        }
        let count = entries.iter().map(GroupEntry::count).fold(0, u128::saturating_add);
        if usize::try_from(count).map_or(true, |count| count > MOST_SERVICES) {
            let message = format!("virtual_server_group {name} has {count} addresses; at most {MOST_SERVICES} can be");
            reading.report_at(&rule::SERVER_GROUP_LARGE, Some(block), message);
        }
        groups.push(VirtualServerGroup { name, entries });
    }
    groups
}

fn name(reading: &mut Reading<'_>, block: Node<'_>) -> Option<String> {
    let words = block.arguments();
    let Some(word) = words.get(0).filter(|_| words.len() == 1) else {
        // keepalived stumbles over two names, too
        let problem = if words.is_empty() { "no name" } else { "several names" };
        let message = format!("virtual_server_group needs exactly one name and has {problem}");
        reading.report_at(&rule::MISSING_PARAMETER, Some(block), message);
        return None;
    };
    Some(word.str().into_owned())
}

/// A line of a group; `None` if it is none.
fn entry(reading: &mut Reading<'_>, group: &str, line: Node<'_>) -> Option<GroupEntry> {
    let (first, words) = line.words().split_first()?;
    if first.text == b"fwmark" {
        return fwmark(reading, group, first, &words);
    }
    let (from, to) = match range(first.text) {
        Ok(range) => range,
        Err(problem) => {
            let message = format!("group {group}: {} {problem}", first.str());
            reading.report(Finding::at(&rule::SERVER_GROUP_ENTRY, first.span, message).note("the line is left out"));
            return None;
        }
    };
    let port = match words.get(0) {
        Some(word) => endpoint::port(reading, &format!("group {group}"), word)?,
        None => None,
    };
    if let Some(extra) = words.get(1) {
        let message = format!("group {group}: {} is ignored", extra.str());
        reading.report(Finding::at(&rule::EXTRA_WORDS, extra.span, message));
    }
    Some(GroupEntry::Addresses { first: from, last: to, port })
}

fn fwmark(reading: &mut Reading<'_>, group: &str, keyword: Word<'_>, words: &Words<'_>) -> Option<GroupEntry> {
    let Some(word) = words.get(0) else {
        let message = format!("group {group}: fwmark needs a number");
        reading.report(Finding::at(&rule::MISSING_PARAMETER, keyword.span, message));
        return None;
    };
    let number = reading.number_word(&format!("fwmark of group {group}"), word, UINT)?;
    let mark = u32::try_from(number).ok()?;
    let family = match words.get(1) {
        None => None,
        Some(word) => match word.text {
            b"inet" => Some(Family::V4),
            b"inet6" => Some(Family::V6),
            _ => {
                let message = format!("group {group}: a fwmark is followed by inet or inet6, not by {}", word.str());
                let finding = Finding::at(&rule::SERVER_GROUP_ENTRY, word.span, message);
                reading.report(finding.note("the line is left out"));
                return None;
            }
        },
    };
    Some(GroupEntry::Fwmark { mark, family })
}

/// `ADDR`, `ADDR-N`, `ADDR-ADDR`, `ADDR/LEN`: the first and the last address.
fn range(text: &[u8]) -> Result<(IpAddr, IpAddr), &'static str> {
    let cut = text.iter().position(|octet| matches!(octet, b'-' | b'/'));
    let (start, sign, rest) = match cut {
        Some(at) => {
            (text.get(..at).unwrap_or_default(), text.get(at), text.get(at.saturating_add(1)..).unwrap_or_default())
        }
        None => (text, None, [].as_slice()),
    };
    let first = value::whole_address(start).ok_or("is neither an address nor fwmark")?;
    let last = match sign {
        None => first,
        Some(b'-') => end_of_range(first, rest)?,
        Some(_) => end_of_prefix(first, rest)?,
    };
    Ok((first, last))
}

fn end_of_range(first: IpAddr, rest: &[u8]) -> Result<IpAddr, &'static str> {
    if let Some(last) = value::whole_address(rest) {
        return match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(to)) if first <= to => Ok(last),
            (IpAddr::V6(first), IpAddr::V6(to)) if first <= to => Ok(last),
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Err("ends before it begins"),
            _ => Err("begins in one family and ends in the other"),
        };
    }
    let text = std::str::from_utf8(rest).map_err(|_| NOT_AN_END)?;
    let last = match first {
        IpAddr::V4(first) => {
            let [a, b, c, _] = first.octets();
            let d: u8 = text.parse().map_err(|_| NOT_AN_END)?;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        IpAddr::V6(first) => {
            let [a, b, c, d, e, f, g, _] = first.segments();
            let h = u16::from_str_radix(text, 16).map_err(|_| NOT_AN_END)?;
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
        }
    };
    if last > first { Ok(last) } else { Err("does not end after its first address") }
}

const NOT_AN_END: &str = "must end with an address or its last part: 0 to 255 (IPv4), 0 to ffff (IPv6)";

fn end_of_prefix(first: IpAddr, rest: &[u8]) -> Result<IpAddr, &'static str> {
    const WRONG: &str = "must have a prefix of 1 to 32 (IPv4) or 1 to 128 (IPv6)";
    const HOST: &str = "has bits beyond its prefix: write the first address of the network";
    let length = value::integer(rest).ok().and_then(|length| u32::try_from(length).ok()).filter(|length| *length > 0);
    let length = length.ok_or(WRONG)?;
    match first {
        IpAddr::V4(first) => {
            let hosts = u32::MAX.checked_shr(length).filter(|_| length < 32).unwrap_or(0);
            let bits = first.to_bits();
            match (length <= 32, bits & hosts) {
                (false, _) => Err(WRONG),
                (true, 0) => Ok(IpAddr::V4(Ipv4Addr::from_bits(bits | hosts))),
                (true, _) => Err(HOST),
            }
        }
        IpAddr::V6(first) => {
            let hosts = u128::MAX.checked_shr(length).filter(|_| length < 128).unwrap_or(0);
            let bits = first.to_bits();
            match (length <= 128, bits & hosts) {
                (false, _) => Err(WRONG),
                (true, 0) => Ok(IpAddr::V6(Ipv6Addr::from_bits(bits | hosts))),
                (true, _) => Err(HOST),
            }
        }
    }
}
