//! `use_vmac` and `use_ipvlan`: interfaces that are made for an instance.

use std::collections::HashMap;
use std::net::IpAddr;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Family, Vrid};

use super::super::line::Wrong;
use super::super::reading::Reading;
use super::draft::{Draft, Link};
use crate::facts::RouteName;
use crate::finding::rule;
use crate::model::{Ipvlan, IpvlanMode, OwnLink, Transport, Vmac};
use crate::syntax::{Node, Word, Words};
use crate::value;

/// What is made for the instance of `draft`.
pub(super) fn read(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    vrid: Option<Vrid>,
    family: Family,
    strict: bool,
) -> Option<Box<OwnLink>> {
    let statements = &draft.statements;
    let ipvlan = statements.first("use_ipvlan");
    let base = statements.last("vmac_xmit_base");
    let link = match (statements.last("use_vmac"), ipvlan) {
        (Some(node), other) => {
            if other.is_some() {
                let message = "use_vmac and use_ipvlan exclude each other; use_ipvlan is ignored";
                draft.report(reading, &rule::OWN_LINKS, "use_ipvlan", message);
            }
            let vmac = vmac(reading, draft, node, vrid, strict);
            OwnLink::Vmac(Vmac { transmit_base: base.is_some() && !strict, ..vmac })
        }
        (None, Some(node)) => OwnLink::Ipvlan(ipvlan_of(reading, draft, node, family)?),
        (None, None) => {
            if base.is_some() {
                draft.report(
                    reading,
                    &rule::OWN_LINK,
                    "vmac_xmit_base",
                    "vmac_xmit_base needs use_vmac; it is ignored",
                );
            }
            return None;
        }
    };
    if base.is_some() && strict && matches!(link, OwnLink::Vmac(_)) {
        draft.report(reading, &rule::STRICT_CONFLICT, "vmac_xmit_base", "strict mode excludes vmac_xmit_base");
    }
    Some(Box::new(link))
}

/// The same as the transport lets it be.
pub(super) fn fitted(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    mut own: Box<OwnLink>,
    link: Link,
    transport: &Transport,
) -> Option<Box<OwnLink>> {
    let word = if matches!(*own, OwnLink::Vmac(_)) { "use_vmac" } else { "use_ipvlan" };
    let is_unicast = matches!(transport, Transport::Unicast { .. });
    if is_unicast && link.name.is_none() {
        let message = format!("{word} is ignored: it has no interface to make one on");
        draft.report(reading, &rule::OWN_LINK_BASE, word, &message);
        return None;
    }
    if draft.statements.has("promote_secondaries") {
        let message = format!("promote_secondaries is ignored: with {word} it is always set");
        draft.report(reading, &rule::OWN_LINK_PROMOTION, "promote_secondaries", &message);
    }
    if let OwnLink::Vmac(vmac) = &mut *own
        && is_unicast
        && !vmac.transmit_base
    {
        vmac.transmit_base = true;
        let message = "unicast with use_vmac needs vmac_xmit_base; it is set";
        draft.report(reading, &rule::OWN_LINK_TRANSMIT, word, message);
    }
    Some(own)
}

/// `[[name] IF] [MAC] [netlink_notify_msg] [group G]`
fn vmac(reading: &mut Reading<'_>, draft: &Draft<'_>, node: Node<'_>, vrid: Option<Vrid>, strict: bool) -> Vmac {
    let mut vmac = Vmac::default();
    let mut words = node.arguments();
    while let Some(word) = words.next() {
        let result = match word.text {
            b"netlink_notify_msg" => {
                vmac.netlink_notify = true;
                Ok(())
            }
            b"group" => group(reading, &mut words, word).map(|group| vmac.group = Some(group)),
            text if text.contains(&b':') => mac(word, vrid).map(|mac| vmac.mac = Some(mac)),
            _ => name(&mut words, word, vmac.name).map(|name| vmac.name = Some(name)),
        };
        say(reading, draft, result);
    }
    if strict && vmac.mac.take().is_some() {
        draft.report(reading, &rule::STRICT_CONFLICT, "use_vmac", "strict mode has the MAC of the RFC only");
    }
    vmac
}

/// `[[name] IF] [IP] [bridge|private|vepa] [group G]`
fn ipvlan_of(reading: &mut Reading<'_>, draft: &Draft<'_>, node: Node<'_>, family: Family) -> Option<Ipvlan> {
    let mut ipvlan = Ipvlan::default();
    let mut mode = None;
    let mut words = node.arguments();
    while let Some(word) = words.next() {
        let said = match word.text {
            b"bridge" => Some(IpvlanMode::Bridge),
            b"private" => Some(IpvlanMode::Private),
            b"vepa" => Some(IpvlanMode::Vepa),
            _ => None,
        };
        let result = match (said, value::address(word.text)) {
            (Some(_), _) if mode.is_some() => Err(Wrong::new(word, "the mode of an ipvlan stands twice")),
            (Some(_), _) => {
                mode = said;
                Ok(())
            }
            (None, Some(address)) => source(word, address, ipvlan.address, family).map(|it| ipvlan.address = Some(it)),
            (None, None) if word.text == b"group" => {
                group(reading, &mut words, word).map(|group| ipvlan.group = Some(group))
            }
            (None, None) => name(&mut words, word, ipvlan.name).map(|name| ipvlan.name = Some(name)),
        };
        say(reading, draft, result);
    }
    ipvlan.mode = mode.unwrap_or_default();
    if family == Family::V4 && ipvlan.address.is_none() {
        let message = "an ipvlan needs an IPv4 address of its own, which adverts come from";
        draft.report(reading, &rule::OWN_LINK, "use_ipvlan", message);
        return None;
    }
    Some(ipvlan)
}

fn say(reading: &mut Reading<'_>, draft: &Draft<'_>, result: Result<(), Wrong>) {
    if let Err(wrong) = result {
        let message = format!("instance {}: {}", draft.name, wrong.message);
        reading.report(Wrong { message, ..wrong }.finding(&rule::OWN_LINK).note("the word is ignored"));
    }
}

fn group(reading: &Reading<'_>, words: &mut Words<'_>, option: Word<'_>) -> Result<u32, Wrong> {
    let word = words.next().ok_or_else(|| Wrong::new(option, "group needs a value"))?;
    reading.named(RouteName::Group, option, word, i32::MAX.unsigned_abs())
}

/// `[name] IF`: the word says that any name may follow.
fn name(words: &mut Words<'_>, word: Word<'_>, already: Option<InterfaceName>) -> Result<InterfaceName, Wrong> {
    let word =
        if word.text == b"name" { words.next().ok_or_else(|| Wrong::new(word, "name needs a value"))? } else { word };
    if let Some(already) = already {
        return Err(Wrong::new(word, format!("{} is one name too many; {already} counts", word.str())));
    }
    InterfaceName::new(word.text)
        .ok_or_else(|| Wrong::new(word, format!("{} cannot be the name of an interface", word.str())))
}

fn source(word: Word<'_>, address: IpAddr, already: Option<IpAddr>, family: Family) -> Result<IpAddr, Wrong> {
    if already.is_some() {
        return Err(Wrong::new(word, "the address of an ipvlan stands twice"));
    }
    if Family::of(address) != family {
        return Err(Wrong::new(word, format!("{address} is not of the family of the instance, {family}")));
    }
    Ok(address)
}

/// The prefix of the RFC's addresses: no user may choose an address with it.
const OF_THE_RFC: [u8; 4] = [0, 0, 0x5e, 0];

/// Five octets, which the VRID completes, or six.
fn mac(word: Word<'_>, vrid: Option<Vrid>) -> Result<[u8; 6], Wrong> {
    let text = word.str();
    let octets: Option<Vec<u8>> = text
        .trim_end_matches(':')
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16).ok().filter(|_| octet.len() <= 2))
        .collect();
    let mut octets = octets.unwrap_or_default();
    if octets.len() == 5 {
        octets.push(vrid.map_or(0, Vrid::get));
    }
    let Ok(mac) = <[u8; 6]>::try_from(octets) else {
        return Err(Wrong::new(word, format!("{text} is no MAC address of five or six octets")));
    };
    if mac.first().is_some_and(|first| first & 1 == 1) {
        return Err(Wrong::new(word, format!("{text} is a multicast address, which no interface can have")));
    }
    if mac.starts_with(&OF_THE_RFC) && matches!(mac.get(4), Some(1 | 2)) {
        return Err(Wrong::new(word, format!("{text} is an address of the RFC, which follows from the VRID")));
    }
    Ok(mac)
}

/// Which instance has which interface: a name is for one of them.
pub(super) fn claim(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    link: Option<&mut Box<OwnLink>>,
    taken: &mut HashMap<InterfaceName, String>,
) {
    let Some(link) = link else { return };
    let name = match link.as_mut() {
        OwnLink::Vmac(vmac) => &mut vmac.name,
        OwnLink::Ipvlan(ipvlan) => &mut ipvlan.name,
    };
    let Some(wanted) = *name else { return };
    if let Some(other) = taken.get(&wanted) {
        let message = format!("{other} has the interface {wanted} already; another name is made");
        draft.report(reading, &rule::OWN_LINK, "use_vmac", &message);
        *name = None;
        return;
    }
    taken.insert(wanted, draft.name.clone());
}
