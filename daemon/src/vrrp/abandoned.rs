//! Addresses that a vrrp process left behind and that no process advertises any more: other routers have them by then. With them go
//! the routes and rules of their instances.

use std::collections::BTreeSet;
use std::io;

use keepalived_config::model::{Config, Firewall, Instance, PolicyRule, Route, StaticAddress};
use keepalived_core::address::InterfaceName;
use keepalived_core::desired::{Object as _, Seen as _};
use keepalived_core::network::{ArpSetting, ArpSettings, Change, Key, NetworkTable, Object, Setting};
use keepalived_kernel::network::{Network, Refused};

use super::batch::Batch;
use super::instances::{describe, needs_firewall};
use super::lifetime::BorrowedSettings;
use super::lower;

/// What an instance was when its process died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Was {
    /// Master: it had its addresses.
    Master,
    /// Anything else.
    Other,
}

/// What became of abandoned addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// Addresses that are gone now.
    pub gone: Vec<std::net::IpAddr>,
    /// What the kernel did not give up, in the words of `ip`.
    pub refused: Vec<(String, Refused)>,
}

/// Removes the addresses that instances bring, where they are there and ours: they bear our mark (`IFA_PROTO`). A kernel before
/// 5.18 tells no marks; there every address of a master is ours, except for an owner's. Who was no master any more may have died before
/// the kernel had removed its addresses. Other addresses of the same networks stay.
///
/// # Errors
/// The kernel does not say what is there.
pub fn remove<'a>(
    network: &mut impl Network,
    instances: impl Iterator<Item = (&'a Instance, Was)>,
) -> io::Result<Removed> {
    let table = NetworkTable::new(network.inventory()?);
    let (mut gone, mut others) = (Vec::new(), BTreeSet::new());
    for (instance, was) in instances {
        routes_and_rules(&table, &instance.routes, &instance.rules, was, &mut others);
        let made = lower::found(instance, &table);
        let unmarked = was == Was::Master && !instance.settings.priority.is_owner();
        for line in lower::lines(instance) {
            let device = lower::device(instance, line, &made);
            let Some(link) = device.and_then(|name| table.by_name(&name)) else { continue };
            let place = (link.index, line.address, line.prefix);
            let ours = |protocol| if table.tells_who() { protocol == lower::ADDRESS_PROTOCOL } else { unmarked };
            gone.extend(table.address(&place).filter(|there| ours(there.protocol)));
        }
    }
    // what is gone with its primary address would have to be looked for
    gone.sort_by_key(|address| !address.is_secondary());
    let addresses = gone.into_iter().map(|address| Key::Address(address.key()));
    Ok(remove_all(network, &table, others.into_iter().chain(addresses)))
}

/// What is static in a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StaticLines {
    /// `static_ipaddress`
    pub addresses: Vec<StaticAddress>,
    /// `static_routes`
    pub routes: Vec<Route>,
    /// `static_rules`
    pub rules: Vec<PolicyRule>,
}

impl StaticLines {
    /// All of `config`.
    pub fn of(config: &Config) -> Self {
        Self {
            addresses: config.static_addresses.clone(),
            routes: config.static_routes.clone(),
            rules: config.static_rules.clone(),
        }
    }

    const fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.routes.is_empty() && self.rules.is_empty()
    }
}

/// Removes what is static: of the addresses those that bear our mark.
///
/// # Errors
/// The kernel does not say what is there.
pub fn remove_statics(network: &mut impl Network, lines: &StaticLines) -> io::Result<Removed> {
    if lines.is_empty() {
        return Ok(Removed::default());
    }
    let table = NetworkTable::new(network.inventory()?);
    let mut others = BTreeSet::new();
    routes_and_rules(&table, &lines.routes, &lines.rules, Was::Master, &mut others);
    let place = |line: &StaticAddress| {
        let link = table.by_name(&line.address.device?)?;
        table.address(&(link.index, line.address.address, line.address.prefix))
    };
    let mut addresses: Vec<_> = lines.addresses.iter().filter_map(place).collect();
    addresses.retain(|there| there.protocol == lower::ADDRESS_PROTOCOL || !table.tells_who());
    addresses.sort_by_key(|address| !address.is_secondary());
    let addresses = addresses.into_iter().map(|address| Key::Address(address.key()));
    Ok(remove_all(network, &table, others.into_iter().chain(addresses)))
}

/// Removes the links that were made for instances, and puts back the settings that came with them: the daemon ends.
///
/// # Errors
/// The kernel does not say what is there.
pub fn remove_links<'a>(
    network: &mut impl Network,
    instances: impl Iterator<Item = &'a Instance> + Clone,
    settings: &Firewall,
    borrowed: &BorrowedSettings,
) -> io::Result<Removed> {
    remove_firewall(network, instances.clone(), std::iter::empty(), settings);
    remove_links_given_up(network, instances, std::iter::empty(), borrowed)
}

/// Removes the tables of the packet filter if instances of `before` needed them and none of `now` does: the next vrrp process does not look
/// for them then.
pub fn remove_firewall<'a>(
    network: &mut impl Network,
    mut before: impl Iterator<Item = &'a Instance>,
    mut now: impl Iterator<Item = &'a Instance>,
    settings: &Firewall,
) {
    if before.any(needs_firewall) && !now.any(needs_firewall) {
        // a kernel without nf_tables has nothing to remove
        let _was_said = network.set_firewall(&lower::firewall(settings));
    }
}

/// Removes the links that were made for instances of `before` and that those of `now` do not need, and puts back the settings that no link
/// needs any more.
///
/// # Errors
/// The kernel does not say what is there.
pub fn remove_links_given_up<'a>(
    network: &mut impl Network,
    before: impl Iterator<Item = &'a Instance> + Clone,
    now: impl Iterator<Item = &'a Instance>,
    borrowed: &BorrowedSettings,
) -> io::Result<Removed> {
    let none = before.clone().all(|instance| lower::needs(instance).is_empty());
    if none && *borrowed == BorrowedSettings::default() {
        return Ok(Removed::default());
    }
    let table = NetworkTable::new(network.inventory()?);
    let (mut kept, mut bases) = (BTreeSet::new(), BTreeSet::new());
    for instance in now {
        kept.extend(lower::found(instance, &table).into_iter().map(|made| made.name));
        let with_filters = lower::needs(instance).into_iter().filter(lower::Need::needs_filters);
        bases.extend(with_filters.map(|need| need.base));
    }
    let found = before.flat_map(|instance| lower::found(instance, &table)).filter(|made| !kept.contains(&made.name));
    let links = found.filter_map(|made| Some(Key::Upper(table.by_name(&made.need.base)?.index, made.name)));
    let of_link = |(name, before): (&InterfaceName, &ArpSettings)| {
        if bases.contains(name) {
            return None;
        }
        let link = table.by_name(name)?.index;
        let before = *before;
        Some(ArpSetting::ALL.map(|setting| Setting::Arp { link, setting, before: before.get(setting) }))
    };
    let settings = borrowed.arp.iter().filter_map(of_link).flatten();
    let filter = borrowed.reverse_path_filter.filter(|(all, _)| *all > 0 && bases.is_empty());
    let filter = filter.map(|(all, default)| Setting::NoReversePathFilter { all, default });
    let keys: BTreeSet<Key> = links.chain(settings.chain(filter).map(Key::Setting)).collect();
    Ok(remove_all(network, &table, keys.into_iter()))
}

/// The routes and rules of these lines that are ours. What does not bear our mark cannot be seen: if there was a master, it is ours.
fn routes_and_rules(table: &NetworkTable, routes: &[Route], rules: &[PolicyRule], was: Was, out: &mut BTreeSet<Key>) {
    let find = |name: &InterfaceName| table.by_name(name).map(|link| (link.index, link.vrf));
    let routes = routes.iter().filter_map(|line| lower::route(line, &find, &[]).ok());
    let keys = routes.map(|route| Key::Route(route.key())).chain(rules.iter().map(|line| Key::Rule(lower::rule(line))));
    out.extend(keys.filter(|key| table.get(key).is_some() || (was == Was::Master && !table.hears_of(key))));
}

/// Removes these, rules before routes before addresses.
fn remove_all(network: &mut impl Network, table: &NetworkTable, keys: impl Iterator<Item = Key>) -> Removed {
    let mut keys: Vec<Key> = keys.collect();
    keys.sort_by_key(|key| std::cmp::Reverse(Object::rank(key)));
    let (batch, _none) = Batch::new(keys.into_iter().map(Change::Absent).collect(), table, |_| false);
    let mut removed = Removed::default();
    for (change, result) in batch.carry_out(network).results {
        match (result, change) {
            (Ok(()), Change::Absent(Key::Address((_, address, _)))) => removed.gone.push(address),
            (Ok(()), Change::Present(_) | Change::Absent(_)) => {}
            (Err(refused), change) => removed.refused.push((describe(&change.key()), refused)),
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use keepalived_config::model::Config;
    use keepalived_core::network::{Address, LinkIndex};
    use keepalived_kernel::fake::FakeNetwork;

    use super::*;
    use crate::configuration::from_text;

    const TWO: &str = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.100/24\n 192.0.2.101/24\n }\n}\n\
                       vrrp_instance B {\n interface eth0\n virtual_router_id 2\n priority 255\n virtual_ipaddress {\n 192.0.2.1/24\n }\n}\n";

    fn address(text: &str, protocol: u8) -> Address {
        Address { protocol, ..Address::plain(LinkIndex(2), text.parse().unwrap(), 24) }
    }

    fn masters(config: &Config) -> impl Iterator<Item = (&Instance, Was)> {
        config.instances.iter().map(|instance| (instance, Was::Master))
    }

    fn machine(addresses: &[(&str, u8)]) -> FakeNetwork {
        let mut network = FakeNetwork::new();
        network.set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
        addresses.iter().for_each(|(text, protocol)| network.add_address(address(text, *protocol)));
        network
    }

    fn left(network: &FakeNetwork) -> Vec<IpAddr> {
        network.addresses().map(|address| address.address).collect()
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_bears_our_mark_goes_and_the_rest_stays() {
        // the second virtual address was put there by an administrator, the owner's own address too
        let mut network = machine(&[("192.0.2.1", 0), ("192.0.2.100", 18), ("192.0.2.101", 0), ("192.0.2.7", 18)]);
        let removed = remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(removed.gone, ips(&["192.0.2.100"]));
        assert_eq!(left(&network), ips(&["192.0.2.1", "192.0.2.7", "192.0.2.101"]));
    }

    #[test]
    fn a_kernel_without_marks_keeps_only_what_an_owner_has() {
        let mut network = machine(&[("192.0.2.1", 0), ("192.0.2.100", 0), ("192.0.2.7", 0)]);
        remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(left(&network), ips(&["192.0.2.1", "192.0.2.7"]));
    }

    // Linux removes the secondary addresses of a network together with its primary one
    #[test]
    fn an_address_of_the_machine_that_came_second_stays() {
        let mut network = machine(&[("192.0.2.100", 18), ("192.0.2.1", 0)]);
        remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(left(&network), ips(&["192.0.2.1"]));
    }

    #[test]
    fn one_that_is_refused_keeps_no_other() {
        let mut network = machine(&[("192.0.2.100", 18), ("192.0.2.101", 18)]);
        network.refuse("192.0.2.100".parse().unwrap(), Some(Refused { errno: 12, message: None }));
        let removed = remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(removed.gone, ips(&["192.0.2.101"]));
        assert_eq!(removed.refused.len(), 1);
        network.fail_inventory(Some(12));
        assert!(remove(&mut network, masters(&from_text(TWO))).is_err());
    }

    #[test]
    fn routes_and_rules_of_an_instance_go_with_its_addresses() {
        let text = TWO.replacen(
            "virtual_ipaddress",
            "virtual_routes {\n 10.0.0.0/8 dev eth0\n 10.1.0.0/16 dev eth0\n }\n virtual_rules {\n from all table 5 preference 7\n from all table 5 no_track preference 8\n }\n virtual_ipaddress",
            1,
        );
        let config = from_text(&text);
        for was in [Was::Master, Was::Other] {
            // a link without any address has no routes
            let mut network = machine(&[("192.0.2.1", 0), ("192.0.2.100", 18), ("192.0.2.101", 18)]);
            let find = |_: &InterfaceName| Some((LinkIndex(2), None));
            let instance = &config.instances[0];
            let first = lower::route(&instance.routes[0], &find, &[]).unwrap();
            // a route of another program to the same place
            let foreign = keepalived_core::network::Route {
                protocol: 4,
                ..lower::route(&instance.routes[1], &find, &[]).unwrap()
            };
            assert!(network.add_route(&first) && network.add_route(&foreign));
            instance.rules.iter().for_each(|line| network.add_rule(lower::rule(line)));
            remove(&mut network, config.instances.iter().map(|instance| (instance, was))).unwrap();
            assert_eq!(network.routes().cloned().collect::<Vec<_>>(), [foreign]);
            // a rule without our mark may be anybody's
            let left: Vec<u32> = network.rules().map(|rule| rule.preference).collect();
            assert_eq!(left, if was == Was::Master { vec![] } else { vec![8] });
        }
    }

    #[test]
    fn what_is_static_goes_at_the_end_if_it_bears_our_mark() {
        let text = "static_ipaddress {\n 192.0.2.100/24 dev eth0\n 192.0.2.101/24 dev eth0\n}\nstatic_routes {\n 10.0.0.0/8 dev eth0\n}\n";
        let config = from_text(text);
        let mut network = machine(&[("192.0.2.1", 0), ("192.0.2.100", 18), ("192.0.2.101", 0)]);
        let find = |_: &InterfaceName| Some((LinkIndex(2), None));
        assert!(network.add_route(&lower::route(&config.static_routes[0], &find, &[]).unwrap()));
        remove_statics(&mut network, &StaticLines::of(&config)).unwrap();
        assert_eq!(left(&network), ips(&["192.0.2.1", "192.0.2.101"]));
        assert_eq!(network.routes().count(), 0);
    }

    #[test]
    fn links_that_are_needed_no_more_go_and_the_settings_with_the_last_one() {
        let with = |vrids: &[u8]| {
            let one = |vrid: &u8| {
                format!(
                    "vrrp_instance I{vrid} {{\n interface eth0\n virtual_router_id {vrid}\n use_vmac\n virtual_ipaddress {{\n 192.0.2.{vrid}\n }}\n}}\n"
                )
            };
            from_text(&vrids.iter().map(one).collect::<String>())
        };
        let before = with(&[51, 52]);
        let mut network = machine(&[("192.0.2.1", 0)]);
        network.set_reverse_path_filter(0, 2);
        let eth0 = InterfaceName::new(b"eth0").unwrap();
        let borrowed =
            BorrowedSettings { arp: [(eth0, ArpSettings::default())].into(), reverse_path_filter: Some((2, 1)) };
        let table = NetworkTable::new(network.inventory().unwrap());
        let links = before.instances.iter().flat_map(lower::needs).zip(["one", "two"]).map(|(need, name)| {
            let made = lower::Made { need, name: InterfaceName::new(name.as_bytes()).unwrap() };
            Change::Present(Object::Upper(Box::new(lower::upper(&made, &table).unwrap())))
        });
        let links: Vec<_> = links.collect();
        network.change(&links);
        let eth0 = network.link("eth0").unwrap().clone();
        let arp = ArpSettings { ignore: 1, filter: 1, announce: 2 };
        network.set_link(keepalived_core::network::Link { arp, ..eth0 });
        for (now, left, arp, filter) in [(with(&[52]), 1, arp, 0), (with(&[]), 0, ArpSettings::default(), 2)] {
            remove_links_given_up(&mut network, before.instances.iter(), now.instances.iter(), &borrowed).unwrap();
            let links = network.inventory().unwrap().links.into_iter().filter(|link| link.upper.is_some());
            assert_eq!(links.count(), left);
            assert_eq!(network.link("eth0").unwrap().arp, arp);
            assert_eq!(network.reverse_path_filter().unwrap().0, filter);
        }
    }

    #[test]
    fn tables_that_no_instance_needs_any_more_go() {
        let text = |line: &str| {
            format!(
                "vrrp_instance A {{\n interface eth0\n virtual_router_id 51\n {line}\n virtual_ipaddress {{\n 192.0.2.9\n }}\n}}\n"
            )
        };
        let (needs, other, none) = (from_text(&text("no_accept")), from_text(&text("use_vmac")), from_text(&text("")));
        for (before, now, stays) in
            [(&needs, &none, false), (&other, &none, false), (&needs, &other, true), (&none, &none, true)]
        {
            let mut network = machine(&[]);
            let left = keepalived_kernel::firewall::Firewall {
                closed_v4: ["192.0.2.9".parse().unwrap()].into(),
                ..Default::default()
            };
            network.set_firewall(&left).unwrap();
            remove_firewall(&mut network, before.instances.iter(), now.instances.iter(), &Firewall::default());
            assert_eq!(*network.firewall() == left, stays);
        }
    }

    #[test]
    fn an_ipvlan_without_a_name_goes_too_and_none_of_others() {
        let text = "vrrp_instance A {\n interface eth0\n virtual_router_id 51\n use_ipvlan 192.0.2.51\n virtual_ipaddress {\n 192.0.2.9\n }\n}\n";
        let config = from_text(text);
        let mut network = machine(&[("192.0.2.1", 0)]);
        let table = NetworkTable::new(network.inventory().unwrap());
        for (name, address) in [("vrrp.51", "192.0.2.51"), ("other.51", "192.0.2.52")] {
            let need = lower::needs(&config.instances[0]).remove(0);
            let made = lower::Made { need, name: InterfaceName::new(name.as_bytes()).unwrap() };
            network.change(&[Change::Present(Object::Upper(Box::new(lower::upper(&made, &table).unwrap())))]);
            let index = network.link(name).unwrap().index;
            network.add_address(Address { protocol: 18, ..Address::plain(index, address.parse().unwrap(), 32) });
        }
        remove_links(&mut network, config.instances.iter(), &Firewall::default(), &BorrowedSettings::default())
            .unwrap();
        assert!(network.link("vrrp.51").is_none() && network.link("other.51").is_some());
    }

    // it died before the kernel had removed them
    #[test]
    fn of_who_was_no_master_any_more_only_what_bears_our_mark_goes() {
        for (protocol, tells_who, left_over) in [(18, true, false), (0, true, true), (0, false, true)] {
            let mut network = machine(&[("192.0.2.100", protocol)]);
            if tells_who {
                network.add_address(Address {
                    protocol: 1,
                    ..Address::plain(LinkIndex(2), "127.0.0.1".parse().unwrap(), 8)
                });
            }
            let config = from_text(TWO);
            remove(&mut network, config.instances.iter().map(|instance| (instance, Was::Other))).unwrap();
            assert_eq!(network.has("192.0.2.100".parse().unwrap()), left_over, "{protocol} {tells_who}");
        }
    }
}
