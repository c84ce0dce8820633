//! What earlier configurations brought and the present one does not. The vrrp process removes it when it takes the present one; if there
//! is none, or it dies before that, the supervisor does: a new process would not know of it.

use std::collections::BTreeSet;

use keepalived_config::model::{Config, Instance, PolicyRule, Route};
use keepalived_core::address::{InterfaceName, VirtualAddress};
use keepalived_core::vrrp::State;

use super::Supervisor;
use super::worker::Worker;
use crate::log;
use crate::role::Role;
use crate::vrrp::{
    Removed, StaticLines, Was, is_on_made, lines, needs_firewall, remove_firewall, remove_links_given_up,
};

/// What is to go.
#[derive(Debug, Default)]
pub(super) struct Superseded {
    /// Instances that were master, with the addresses, routes and rules that the present configuration does not have.
    masters: Vec<Instance>,
    /// Instances that links were made for, or tables of the packet filter.
    with_links: Vec<Instance>,
    statics: StaticLines,
}

impl Superseded {
    fn is_empty(&self) -> bool {
        self.masters.is_empty() && self.with_links.is_empty() && self.statics == StaticLines::default()
    }

    /// Instances that links were made for, or tables of the packet filter, of all these configurations.
    pub(super) fn with_links(&self) -> &[Instance] {
        &self.with_links
    }
}

/// Where an address is: on this interface, or on a link that is made on it.
type Place = (Option<InterfaceName>, bool, std::net::IpAddr, u8);

fn place(instance: &Instance, line: &VirtualAddress) -> Place {
    (line.device.or(instance.interface), is_on_made(instance, line), line.address, line.prefix)
}

const fn static_place(line: &VirtualAddress) -> Place {
    (line.device, false, line.address, line.prefix)
}

/// Addresses, routes and rules of a configuration. Lines are compared by what they say: they have no order.
struct Kept {
    places: BTreeSet<Place>,
    routes: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl Kept {
    fn of(config: &Config) -> Self {
        let instances = || config.instances.iter();
        let of_instances = instances().flat_map(|it| lines(it).map(move |line| place(it, line)));
        let of_statics = config.static_addresses.iter().map(|line| static_place(&line.address));
        let routes = instances().flat_map(|it| &it.routes).chain(&config.static_routes);
        let rules = instances().flat_map(|it| &it.rules).chain(&config.static_rules);
        Self {
            places: of_instances.chain(of_statics).collect(),
            routes: routes.map(|line| format!("{line:?}")).collect(),
            rules: rules.map(|line| format!("{line:?}")).collect(),
        }
    }

    fn strip(&self, routes: &mut Vec<Route>, rules: &mut Vec<PolicyRule>) {
        routes.retain(|line| !self.routes.contains(&format!("{line:?}")));
        rules.retain(|line| !self.rules.contains(&format!("{line:?}")));
    }

    /// Instances with what is not kept, if they have any.
    fn given_up(&self, before: Vec<Instance>) -> Vec<Instance> {
        let strip = |mut instance: Instance| {
            self.strip(&mut instance.routes, &mut instance.rules);
            let (mut addresses, mut excluded) = (instance.addresses.clone(), instance.excluded_addresses.clone());
            addresses.retain(|line| !self.places.contains(&place(&instance, line)));
            excluded.retain(|line| !self.places.contains(&place(&instance, line)));
            (instance.addresses, instance.excluded_addresses) = (addresses, excluded);
            instance
        };
        let has_any = |instance: &Instance| {
            lines(instance).next().is_some() || !instance.routes.is_empty() || !instance.rules.is_empty()
        };
        before.into_iter().map(strip).filter(has_any).collect()
    }

    /// The same of what is static.
    fn given_up_statics(&self, mut before: StaticLines) -> StaticLines {
        self.strip(&mut before.routes, &mut before.rules);
        before.addresses.retain(|line| !self.places.contains(&static_place(&line.address)));
        before
    }
}

impl Supervisor {
    /// Puts `config` in force. Remembers, of the configuration before, what its processes may not know: what `config` does not have, and
    /// virtual servers until the checker process has taken `config`.
    pub(super) fn supersede(&mut self, config: Config) {
        let mut before = std::mem::replace(&mut self.config, config);
        log::configure(&self.config.global.log);
        let kept = Kept::of(&self.config);
        // only a master has its addresses; without marks of the kernel, an administrator's address looks the same
        let masters = keepalived_config::plan::keyed(&before.instances)
            .filter(|(key, _)| self.states.get(key) == Some(&State::Master))
            .map(|(_, instance)| instance.clone())
            .collect();
        self.superseded.masters.extend(kept.given_up(masters));
        if self.options.vrrp {
            let links = before.instances.iter().filter(|instance| needs_firewall(instance));
            self.superseded.with_links.extend(links.cloned());
            let StaticLines { addresses, routes, rules } = kept.given_up_statics(StaticLines::of(&before));
            self.superseded.statics.addresses.extend(addresses);
            self.superseded.statics.routes.extend(routes);
            self.superseded.statics.rules.extend(rules);
        }
        if !self.worker(Role::Vrrp).is_some_and(Worker::is_at_work) {
            self.remove_superseded();
        }
        if self.options.checker {
            before.instances = Vec::new();
            self.succession.superseded(before);
        }
    }

    /// Removes what is superseded: the vrrp process died, perhaps before it took the configuration.
    pub(super) fn remove_superseded(&mut self) {
        let superseded = std::mem::take(&mut self.superseded);
        if superseded.is_empty() || self.options.keep_addresses {
            return;
        }
        let settings = self.cleanup.get(&Role::Vrrp).map(|cleanup| cleanup.settings.clone()).unwrap_or_default();
        let masters = superseded.masters.iter().map(|instance| (instance, Was::Master));
        let removed = self.sweeper.remove(masters).and_then(|_| {
            let statics = self.sweeper.remove_statics(&superseded.statics)?;
            let (before, now) = (superseded.with_links.iter(), self.config.instances.iter());
            let links = if superseded.with_links.is_empty() {
                Removed::default()
            } else {
                let tables = &self.config.global.firewall;
                remove_firewall(self.sweeper.network()?, before.clone(), now.clone(), tables);
                remove_links_given_up(self.sweeper.network()?, before, now, &settings)?
            };
            Ok(statics.refused.into_iter().chain(links.refused))
        });
        match removed {
            Ok(refused) => {
                for (what, why) in refused {
                    tracing::error!("{what} of the previous configuration stays: {why}");
                }
            }
            Err(error) => {
                tracing::error!("cannot remove what the previous configuration had: {error}");
                self.superseded = superseded;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn what_a_configuration_has_no_more_is_remembered_and_nothing_else() {
        let one = |name: &str, addresses: &str| {
            format!(
                "vrrp_instance {name} {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
            )
        };
        let before = from_text(&one("A", "192.0.2.9\n 192.0.2.10\n 192.0.2.11 dev eth1"));
        let now = from_text(&one("B", "192.0.2.9\n 192.0.2.11 dev eth2"));
        let left = Kept::of(&now).given_up(before.instances.clone());
        let addresses: Vec<String> = left.iter().flat_map(lines).map(|line| line.address.to_string()).collect();
        assert_eq!(addresses, ["192.0.2.10", "192.0.2.11"]);
        let routes = |routes: &str| one("A", &format!("192.0.2.9\n }}\n virtual_routes {{\n {routes}"));
        let (before_them, after) = (
            from_text(&routes("10.1.0.0/16 dev eth0\n 10.2.0.0/16 dev eth0")),
            from_text(&routes("10.1.0.0/16 dev eth0")),
        );
        let left = Kept::of(&after).given_up(before_them.instances);
        let routes: Vec<String> =
            left.iter().flat_map(|it| &it.routes).map(|it| it.destination.address.to_string()).collect();
        assert_eq!(routes, ["10.2.0.0"]);
        assert!(Kept::of(&before).given_up(before.instances.clone()).is_empty());
    }

    // found by random kills and reloads: they stayed beside those on the virtual MAC, for ever
    #[test]
    fn addresses_that_come_on_a_virtual_mac_now_are_given_up_where_they_were() {
        let with = |lines: &str| {
            from_text(&format!(
                "vrrp_instance A {{\n interface eth0\n virtual_router_id 1\n {lines}\n virtual_ipaddress {{\n 192.0.2.9\n }}\n}}\n"
            ))
        };
        let (plain, made, named) = (with(""), with("use_vmac"), with("use_vmac other"));
        for (before, now, left) in [(&plain, &made, 1), (&made, &plain, 1), (&made, &named, 0), (&plain, &plain, 0)] {
            assert_eq!(Kept::of(now).given_up(before.instances.clone()).len(), left);
        }
    }

    #[test]
    fn what_was_static_is_remembered_unless_it_is_virtual_now() {
        let before = from_text(
            "static_ipaddress {\n 192.0.2.8/24 dev eth0\n 192.0.2.9/24 dev eth0\n 192.0.2.10/24 dev eth0\n}\nstatic_routes {\n 10.1.0.0/16 dev eth0\n 10.2.0.0/16 dev eth0\n}\nstatic_rules {\n from all table 5 preference 7\n}\n",
        );
        let now = from_text(
            "static_ipaddress {\n 192.0.2.9/24 dev eth0\n}\nstatic_routes {\n 10.1.0.0/16 dev eth0\n}\nvrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.10/24\n }\n}\n",
        );
        let left = Kept::of(&now).given_up_statics(StaticLines::of(&before));
        let addresses: Vec<String> = left.addresses.iter().map(|line| line.address.address.to_string()).collect();
        let routes: Vec<String> = left.routes.iter().map(|line| line.destination.address.to_string()).collect();
        assert_eq!(
            (addresses, routes, left.rules.len()),
            (vec!["192.0.2.8".to_owned()], vec!["10.2.0.0".to_owned()], 1)
        );
        assert_eq!(Kept::of(&before).given_up_statics(StaticLines::of(&before)), StaticLines::default());
    }
}
