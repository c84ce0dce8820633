//! The lines of `virtual_ipaddress` and `virtual_ipaddress_excluded`.

use std::collections::HashMap;
use std::net::IpAddr;

use keepalived_core::address::{Broadcast, InterfaceLabel, InterfaceName, VirtualAddress, scope_named};
use keepalived_core::vrrp::Family;

use super::reading::Reading;
use super::routing::Block;
use crate::finding::{Finding, rule};
use crate::keywords::{all, nearest};
use crate::span::Span;
use crate::syntax::{Node, Word, Words};
use crate::value;

/// An address and where it is written.
pub(super) struct AddressLine<'a> {
    pub(super) address: VirtualAddress,
    pub(super) span: Span,
    /// Where its `dev` is.
    pub(super) device: Option<(InterfaceName, Span)>,
    /// The name after `track_group`.
    pub(super) track_group: Option<Word<'a>>,
}

/// Reads every line of `block`.
pub(super) fn lines<'a>(reading: &mut Reading<'_>, block: Node<'a>, kind: Block) -> Vec<AddressLine<'a>> {
    block.children().filter_map(|line| read(reading, line, kind)).collect()
}

fn read<'a>(reading: &mut Reading<'_>, line: Node<'a>, kind: Block) -> Option<AddressLine<'a>> {
    let (first, mut words) = line.words().split_first()?;
    let mut placed = AddressLine { address: start(reading, first)?, span: first.span, device: None, track_group: None };
    while let Some(word) = words.next() {
        match option(&mut placed, word, &mut words, kind) {
            Judgement::Good => {}
            Judgement::IgnoreWord(span, message) => {
                reading.report(Finding::at(&rule::ADDRESS_OPTION, span, message).note("the word is ignored"));
            }
            Judgement::DropLine(span, message) => {
                reading.report(Finding::at(&rule::ADDRESS_INVALID, span, message).note("the line is left out"));
                return None;
            }
        }
    }
    if placed.address.peer.is_some() && first.text.contains(&b'/') {
        alone(reading, &mut placed);
    }
    check_broadcast(reading, &mut placed);
    if placed.address.use_vmac && placed.device.is_none() {
        placed.address.use_vmac = false;
        let message = "use_vmac in an address line needs dev";
        reading.report(Finding::at(&rule::ADDRESS_OPTION, placed.span, message).note("use_vmac is ignored"));
    }
    Some(placed)
}

/// An address with a peer has no network: a prefix is ignored.
fn alone(reading: &mut Reading<'_>, placed: &mut AddressLine<'_>) {
    let host = VirtualAddress::host(placed.address.address);
    let written = std::mem::replace(&mut placed.address.prefix, host.prefix);
    if written == host.prefix {
        return;
    }
    let message = format!("{} has a peer, so it takes no prefix", placed.address.address);
    let finding = Finding::at(&rule::ADDRESS_OPTION, placed.span, message);
    reading.report(finding.note(format!("/{written} is ignored; /{} is used", host.prefix)));
}

/// Address and prefix.
fn start(reading: &mut Reading<'_>, word: Word<'_>) -> Option<VirtualAddress> {
    let slash = word.text.iter().position(|octet| *octet == b'/');
    let (text, prefix) = match slash {
        Some(at) => (word.text.get(..at)?, word.text.get(at.saturating_add(1)..)),
        None => (word.text, None),
    };
    let Some(address) = value::whole_address(text) else {
        let finding = Finding::at(&rule::ADDRESS_INVALID, word.span, format!("{} is not an IP address", word.str()));
        let finding = finding.note("the line is left out");
        reading.report(match without_sign(text) {
            Some((rest, sign)) if value::whole_address(rest).is_some() => {
                finding.help(format!("remove the '{sign}': each address has a line of its own, and nothing ends it"))
            }
            _ => finding,
        });
        return None;
    };
    let mut out = VirtualAddress::host(address);
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
        let most = out.prefix;
        let good =
            value::integer(prefix).ok().and_then(|prefix| u8::try_from(prefix).ok()).filter(|prefix| *prefix <= most);
        match good {
            Some(prefix) => {
                out.prefix = prefix;
                // only a host address is kept from being chosen as a source
                out.preferred_lifetime = out.preferred_lifetime.filter(|_| prefix == 128);
            }
            None => {
                let written = String::from_utf8_lossy(prefix).into_owned();
                let rule = if value::integer(prefix).is_ok() { &rule::NUMBER_RANGE } else { &rule::NUMBER_INVALID };
                let message = format!("the prefix must be 0 to {most}, not '{written}'; {most} is used");
                let finding = Finding::at(rule, word.span, message);
                reading.report(match (netmask(prefix), without_sign(prefix)) {
                    (Some(length), _) => finding.help(format!("write the netmask as its length: {address}/{length}")),
                    (None, Some((_, sign))) => finding.help(format!("remove the '{sign}': nothing ends a line")),
                    (None, None) => finding,
                });
            }
        }
    }
    Some(out)
}

/// `text` without a sign at its end that other languages end lines or words with, and the sign.
fn without_sign(text: &[u8]) -> Option<(&[u8], char)> {
    let (last, rest) = text.split_last()?;
    matches!(last, b',' | b';').then_some((rest, char::from(*last)))
}

/// The length of a netmask, `255.255.255.0`.
fn netmask(text: &[u8]) -> Option<u32> {
    let Some(IpAddr::V4(mask)) = value::whole_address(text) else { return None };
    let bits = mask.to_bits();
    (bits.leading_ones() == bits.count_ones()).then(|| bits.leading_ones())
}

/// What to do about one word.
enum Judgement {
    Good,
    IgnoreWord(Span, String),
    DropLine(Span, String),
}

fn option<'a>(placed: &mut AddressLine<'a>, word: Word<'a>, words: &mut Words<'a>, kind: Block) -> Judgement {
    let flags = &mut placed.address.flags;
    match word.text {
        b"home" => flags.home = true,
        b"-nodad" => flags.run_dad = true,
        b"mngtmpaddr" => flags.manage_temporaries = true,
        b"noprefixroute" => flags.no_prefix_route = true,
        b"autojoin" => flags.autojoin = true,
        b"no_track" => placed.address.tracked = false,
        b"use_vmac" if kind == Block::Virtual => placed.address.use_vmac = true,
        b"use_vmac" => {
            return Judgement::IgnoreWord(word.span, "use_vmac is for the addresses of instances".to_owned());
        }
        b"track_group" => match words.next() {
            Some(group) if kind == Block::Static && placed.track_group.is_none() => placed.track_group = Some(group),
            Some(group) if kind == Block::Static => {
                return Judgement::IgnoreWord(group.span, "track_group stands twice; the first counts".to_owned());
            }
            _ => return Judgement::IgnoreWord(word.span, "track_group names a group, for static addresses".to_owned()),
        },
        b"dev" | b"scope" | b"brd" | b"broadcast" | b"label" | b"peer" | b"preferred_lft" => {
            return match words.next() {
                Some(value) => valued(placed, word, value),
                None => Judgement::IgnoreWord(word.span, format!("{} needs a value", word.str())),
            };
        }
        _ => return unknown(word, words),
    }
    Judgement::Good
}

/// A word that is no option; if it is nearly one that has a value, the value goes with it.
fn unknown(word: Word<'_>, words: &mut Words<'_>) -> Judgement {
    let options = || all().filter(|row| row.block == "<address line>" && !row.name.starts_with("ADDR"));
    let name = word.str();
    if name.split('/').next().is_some_and(|text| text.trim_end_matches([',', ';']).parse::<IpAddr>().is_ok()) {
        return Judgement::IgnoreWord(word.span, format!("{name} is a second address: each has a line of its own"));
    }
    let near = nearest(&name, options().map(|row| row.name));
    let Some(near) = options().find(|row| Some(row.name) == near) else {
        return Judgement::IgnoreWord(word.span, format!("{name} is no option of an address"));
    };
    if near.arguments != "none" {
        words.next();
    }
    Judgement::IgnoreWord(word.span, format!("{name} is no option of an address; did you mean {}?", near.name))
}

fn valued(placed: &mut AddressLine<'_>, word: Word<'_>, value: Word<'_>) -> Judgement {
    let bad = |wanted: &str| {
        Judgement::IgnoreWord(value.span, format!("{} must be {wanted}, not {}", word.str(), value.str()))
    };
    let only4 = || Judgement::IgnoreWord(word.span, format!("{} is for IPv4 only", word.str()));
    let is4 = placed.address.address.is_ipv4();
    let line = &mut placed.address;
    match word.text {
        b"dev" if line.device.is_some() => {
            return Judgement::IgnoreWord(word.span, "dev stands twice; the first counts".to_owned());
        }
        b"dev" => match InterfaceName::new(value.text) {
            Some(name) => {
                line.device = Some(name);
                placed.device = Some((name, value.span));
            }
            None => return bad("the name of an interface"),
        },
        b"peer" if line.peer.is_some() => {
            return Judgement::DropLine(word.span, "peer stands twice".to_owned());
        }
        b"peer" => match value::whole_address(value.text) {
            Some(peer) if peer.is_ipv4() == is4 => line.peer = Some(peer),
            _ => {
                return Judgement::DropLine(
                    value.span,
                    format!("the peer must be an address of the same family without prefix, not {}", value.str()),
                );
            }
        },
        b"preferred_lft" => match lifetime(value.text) {
            Some(lifetime) => line.preferred_lifetime = lifetime,
            None => return bad("0 to 4294967295 seconds or forever"),
        },
        _ if !is4 => return only4(),
        b"scope" => match scope(value.text) {
            Some(scope) => line.scope = scope,
            None => return bad("host, link, global, site, nowhere or 0 to 255"),
        },
        b"label" => match InterfaceLabel::new(value.text) {
            Some(label) => line.label = Some(label),
            None => return bad("1 to 15 octets"),
        },
        _ => match broadcast(value.text) {
            Some(broadcast) => line.broadcast = broadcast,
            None => return bad("an IPv4 address, + or -"),
        },
    }
    Judgement::Good
}

/// `Some(None)` is for ever.
fn lifetime(text: &[u8]) -> Option<Option<u32>> {
    if text == b"forever" {
        return Some(None);
    }
    // all ones is how the kernel says for ever
    let seconds = u32::try_from(value::integer(text).ok()?).ok()?;
    Some((seconds != u32::MAX).then_some(seconds))
}

/// `RT_SCOPE_*`
fn scope(text: &[u8]) -> Option<u8> {
    scope_named(text).or_else(|| u8::try_from(value::integer(text).ok()?).ok())
}

fn broadcast(text: &[u8]) -> Option<Broadcast> {
    match text {
        b"+" => Some(Broadcast::AllOnes),
        b"-" => Some(Broadcast::AllZeros),
        _ => match value::whole_address(text) {
            Some(IpAddr::V4(address)) => Some(Broadcast::Address(address)),
            _ => None,
        },
    }
}

/// A computed broadcast address needs host bits, and a link with two ends has none.
fn check_broadcast(reading: &mut Reading<'_>, placed: &mut AddressLine<'_>) {
    let line = &mut placed.address;
    let problem = if line.broadcast == Broadcast::None {
        return;
    } else if line.peer.is_some() {
        "an address with a peer has no broadcast address"
    } else if line.prefix > 30 && !matches!(line.broadcast, Broadcast::Address(_)) {
        "brd + and brd - need a prefix of at most 30"
    } else {
        return;
    };
    line.broadcast = Broadcast::None;
    reading.report(Finding::at(&rule::ADDRESS_OPTION, placed.span, problem).note("brd is ignored"));
}

/// Each address once; the first counts.
pub(super) fn once<'a>(
    reading: &mut Reading<'_>,
    name: &str,
    advertised: Vec<AddressLine<'a>>,
    excluded: Vec<AddressLine<'a>>,
) -> (Vec<AddressLine<'a>>, Vec<AddressLine<'a>>) {
    let mut seen: HashMap<IpAddr, Vec<(Option<InterfaceName>, Span)>> = HashMap::new();
    let mut keep = |placed: &AddressLine<'a>, anywhere: bool| {
        let places = seen.entry(placed.address.address).or_default();
        // one that is not advertised may be on several interfaces
        let first = places.iter().find(|(device, _)| anywhere || *device == placed.address.device);
        if let Some((_, first)) = first {
            let message = format!("instance {name}: {} stands twice", placed.address.address);
            let finding = Finding::at(&rule::ADDRESS_TWICE, placed.span, message).note("the line is left out");
            reading.report(finding.also(*first, "the first is here"));
            return false;
        }
        places.push((placed.address.device, placed.span));
        true
    };
    let advertised = advertised.into_iter().filter(|placed| keep(placed, true)).collect();
    let excluded = excluded.into_iter().filter(|placed| keep(placed, false)).collect();
    (advertised, excluded)
}

/// Splits `placed` into those of `family` and reports the others.
pub(super) fn of_family<'a>(
    reading: &mut Reading<'_>,
    placed: Vec<AddressLine<'a>>,
    family: Family,
) -> Vec<AddressLine<'a>> {
    let (good, bad): (Vec<_>, Vec<_>) =
        placed.into_iter().partition(|placed| Family::of(placed.address.address) == family);
    for placed in bad {
        let message = format!("{} is not an {family} address like the others of this instance", placed.address.address);
        let finding = Finding::at(&rule::FAMILY_MISMATCH, placed.span, message).note("the line is left out");
        reading.report(finding.help("virtual_ipaddress_excluded may hold both families"));
    }
    good
}
