//! Links of this machine, and who tracks them.

use std::collections::HashSet;
use std::net::IpAddr;

use super::tracking::shown;
use super::{LinkNow, Page, say};
use crate::model::{Instance, Weight};

pub(super) fn write(page: &mut Page<'_>) {
    let links = page.host.links();
    if links.is_empty() {
        return;
    }
    say!(page, "------< Interfaces >------");
    let config = page.config;
    // virtual addresses are not the machine's own
    let virtual_ones = |instance: &'_ Instance| {
        let lines = instance.addresses.iter().chain(&instance.excluded_addresses);
        lines.map(|line| line.address).collect::<Vec<_>>()
    };
    let foreign: HashSet<IpAddr> = config.instances.iter().flat_map(virtual_ones).collect();
    for link in &links {
        one(page, link, &links, &foreign);
    }
}

fn one(page: &mut Page<'_>, link: &LinkNow, links: &[LinkNow], foreign: &HashSet<IpAddr>) {
    say!(page, " Name = {}", link.name);
    say!(page, "   index = {}", link.index);
    let own = || link.addresses.iter().filter(|address| !foreign.contains(address));
    let is_link_local = |address: &&IpAddr| matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let v4: Vec<&IpAddr> = own().filter(|address| address.is_ipv4()).collect();
    addresses(page, "IPv4", &v4);
    let v6: Vec<&IpAddr> = own().filter(is_link_local).collect();
    addresses(page, "IPv6", &v6);
    if let Some([a, b, c, d, e, f]) = link.mac.filter(|_| !link.loopback) {
        say!(page, "   MAC = {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        say!(page, "   MAC broadcast = ff:ff:ff:ff:ff:ff");
    }
    let not = |is: bool| if is { "" } else { "not " };
    let loopback = if link.loopback { ", no broadcast, loopback" } else { "" };
    let multicast = if link.multicast { "" } else { ", no multicast" };
    say!(page, "   State = {}UP, {}RUNNING{loopback}{multicast}", not(link.up), not(link.running));
    let delays = page.config.interface_delays.iter().find(|delays| delays.interface == link.name);
    let micros = |pick: fn(&crate::model::InterfaceDelays) -> std::time::Duration| {
        delays.map_or(0, |delays| pick(delays).as_micros())
    };
    say!(page, "   Up debounce timer = {}us", micros(|delays| delays.up));
    say!(page, "   Down debounce timer = {}us", micros(|delays| delays.down));
    say!(page, "   Group = {}", link.group);
    if let Some((kind, base)) = link.upper {
        let state = links.iter().find(|link| link.name == base);
        let (up, running) = state.map_or((false, false), |base| (base.up, base.running));
        let (up, running) = (not(up), not(running));
        say!(page, "   {kind}, underlying interface = {base}, state = {up}UP, {running}RUNNING");
    }
    let ours = |instance: &Instance| super::routing::own_link(page, instance) == Some(link.name.to_string());
    if page.config.instances.iter().any(ours) {
        say!(page, "   I/f created by keepalived");
    }
    say!(page, "   MTU = {}", link.mtu);
    if link.loopback {
        say!(page, "   HW Type = LOOPBACK");
    } else if link.mac.is_some() {
        say!(page, "   HW Type = ETHERNET");
    }
    if let Some(table) = link.vrf_table {
        say!(page, "   VRF master table {table}");
    } else if let Some(vrf) = link.vrf {
        say!(page, "   VRF slave of {vrf}");
    }
    followers(page, link);
}

fn addresses(page: &mut Page<'_>, family: &str, addresses: &[&IpAddr]) {
    match addresses {
        [] => say!(page, "   {family} address = (none)"),
        [first, others @ ..] => {
            say!(page, "   {family} address = {first}");
            if !others.is_empty() {
                say!(page, "   Additional {family} addresses :");
            }
            for other in others {
                say!(page, "     {other}");
            }
        }
    }
}

/// Instances that are on it, or track it.
fn followers(page: &mut Page<'_>, link: &LinkNow) {
    let plain = Weight { value: 0, reverse: false };
    let mut found = Vec::new();
    for instance in &page.config.instances {
        let tracked = instance.tracks.as_deref().map_or(&[][..], |tracks| &tracks.interfaces);
        let tracked = tracked.iter().find(|it| it.name == link.name).map(|it| it.weight);
        // one on a link of its own follows both
        let own = super::routing::own_link(page, instance);
        let is_on = instance.interface == Some(link.name) || own.is_some_and(|own| own == link.name.to_string());
        if let Some(weight) = tracked.or((is_on && !instance.dont_track_primary).then_some(plain)) {
            found.push((&instance.name, weight));
        }
    }
    if !found.is_empty() {
        say!(page, "   Tracking VRRP instances :");
    }
    for (name, weight) in found {
        say!(page, "     {name}, weight {}", shown(weight));
    }
}
