//! What was changed by the control socket while the daemon runs: it lies over the configuration, outlasts reloads and the deaths of
//! processes, and ends with the daemon. The processes get it as they get a reload.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_config::model::{Config, Instance, RealServer, VirtualServer};
use keepalived_core::vrrp::{Preempt, Priority};
use keepalived_state::{Event, Record, Subject};
use keepalived_surface::request::Change;

use crate::checker::names;
use crate::role::Role;

/// A real server of a virtual server, both by what they are called in messages.
type ServerName = (String, String);

/// What lies over the configuration, and what is below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    priorities: BTreeMap<String, Priority>,
    preempts: BTreeMap<String, bool>,
    /// Instances that stay away.
    away: BTreeSet<String>,
    weights: BTreeMap<ServerName, u32>,
    /// As configured.
    below: Below,
}

/// What the configuration says where something lies over it.
#[derive(Clone, Debug, Default)]
struct Below {
    priorities: BTreeMap<String, Priority>,
    preempts: BTreeMap<String, Preempt>,
    weights: BTreeMap<ServerName, u32>,
}

impl Overrides {
    /// Lays everything over `config`, which is as it was read.
    pub(super) fn apply(&mut self, config: &mut Config) {
        self.below = Below::default();
        for instance in &mut config.instances {
            // the owner of the addresses stays that
            let priority =
                self.priorities.get(&instance.name).filter(|_| instance.settings.priority != Priority::OWNER);
            if let Some(priority) = priority {
                let configured = std::mem::replace(&mut instance.settings.priority, *priority);
                self.below.priorities.insert(instance.name.clone(), configured);
            }
            if let Some(preempt) = self.preempts.get(&instance.name) {
                let configured = instance.settings.preempt;
                self.below.preempts.insert(instance.name.clone(), configured);
                instance.settings.preempt = match (preempt, configured) {
                    (false, _) => Preempt::No,
                    (true, Preempt::No) => Preempt::Yes,
                    (true, delayed) => delayed,
                };
            }
            instance.maintenance = self.away.contains(&instance.name);
        }
        if self.weights.is_empty() {
            return;
        }
        for_servers(config, |name, server| {
            if let Some(weight) = self.weights.get(&name) {
                let configured = std::mem::replace(&mut server.settings.weight, *weight);
                self.below.weights.insert(name, configured);
            }
        });
    }

    /// Makes `config` as it was read.
    fn take_off(&mut self, config: &mut Config) {
        let Below { priorities, preempts, weights } = std::mem::take(&mut self.below);
        for instance in &mut config.instances {
            if let Some(priority) = priorities.get(&instance.name) {
                instance.settings.priority = *priority;
            }
            if let Some(preempt) = preempts.get(&instance.name) {
                instance.settings.preempt = *preempt;
            }
            instance.maintenance = false;
        }
        if weights.is_empty() {
            return;
        }
        for_servers(config, |name, server| {
            if let Some(weight) = weights.get(&name) {
                server.settings.weight = *weight;
            }
        });
    }

    /// Puts `change` into `config`, which these lie over already. Returns the subjects that it changes.
    ///
    /// # Errors
    /// Why it cannot be: nothing is called so, or the value is impossible.
    pub(super) fn change(&mut self, change: &Change, config: &mut Config) -> Result<Vec<(Role, Subject)>, String> {
        let mut concerned = Vec::new();
        self.take_off(config);
        let made = self.make(change, config, &mut concerned);
        self.apply(config);
        made.map(|()| concerned)
    }

    fn make(&mut self, change: &Change, config: &Config, concerned: &mut Vec<(Role, Subject)>) -> Result<(), String> {
        match change {
            Change::Priority { instance, priority } => {
                // what a reload has taken away may come back
                let is_gone = priority.is_none() && self.priorities.contains_key(instance);
                let found = if is_gone { None } else { Some(find(config, instance)?) };
                match priority {
                    None => drop(self.priorities.remove(instance)),
                    Some(255) => return Err("priority 255 is for the owner of the addresses; 1 to 254".to_owned()),
                    Some(number) => {
                        if found.is_some_and(|found| found.settings.priority == Priority::OWNER) {
                            return Err(format!("{instance} owns its addresses (priority 255): that does not change"));
                        }
                        let priority = Priority::new(*number).ok_or("a priority is 1 to 254")?;
                        self.priorities.insert(instance.clone(), priority);
                    }
                }
                concerned.push((Role::Vrrp, Subject::Instance(instance.clone())));
            }
            Change::Maintenance { instance, on } => {
                let names: Vec<String> = match instance {
                    Some(name) if !on && self.away.contains(name) => vec![name.clone()],
                    Some(name) => vec![find(config, name)?.name.clone()],
                    None if !on => self.away.iter().cloned().collect(),
                    None => config.instances.iter().map(|instance| instance.name.clone()).collect(),
                };
                if names.is_empty() && *on {
                    return Err("there are no instances".to_owned());
                }
                for name in names {
                    let differs = if *on { self.away.insert(name.clone()) } else { self.away.remove(&name) };
                    if differs {
                        concerned.push((Role::Vrrp, Subject::Instance(name)));
                    }
                }
            }
            Change::Weight { server, service, weight } => {
                if weight.is_some_and(|weight| weight > 65_535) {
                    return Err("a weight is 0 to 65535".to_owned());
                }
                let mut found = Vec::new();
                for virtual_server in &config.virtual_servers {
                    let of = names::of_service(&virtual_server.service);
                    if service.as_ref().is_none_or(|name| keepalived_surface::status::is_named(&of, name)) {
                        let all = virtual_server.real_servers.iter().map(|real| server_name(virtual_server, real));
                        found.extend(
                            all.filter(|name| keepalived_surface::status::is_named(name, server))
                                .map(|name| (of.clone(), name)),
                        );
                    }
                }
                if found.is_empty() {
                    return Err(format!(
                        "no real server is called {server:?}: `keepalivedctl status --all` lists them"
                    ));
                }
                for (of, server) in found {
                    concerned.push((Role::Checker, Subject::RealServer { server: server.clone(), of: of.clone() }));
                    match weight {
                        Some(weight) => drop(self.weights.insert((of, server), *weight)),
                        None => drop(self.weights.remove(&(of, server))),
                    }
                }
            }
            Change::Preempt { instance, preempt } => {
                find(config, instance)?;
                self.preempts.insert(instance.clone(), *preempt);
                concerned.push((Role::Vrrp, Subject::Instance(instance.clone())));
            }
            Change::Reload
            | Change::ClearCounters
            | Change::Garp { .. }
            | Change::PrintData
            | Change::PrintStatistics { .. } => {}
        }
        Ok(())
    }
}

/// The record of a change.
pub(super) fn record(subject: Subject, change: &Change, who: &str) -> Record {
    let event = Event::Asked { what: change.to_string(), who: who.to_owned() };
    Record { at: std::time::SystemTime::now(), subject, event }
}

fn find<'a>(config: &'a Config, name: &str) -> Result<&'a Instance, String> {
    config
        .instances
        .iter()
        .find(|instance| instance.name == name)
        .ok_or_else(|| format!("no instance is called {name:?}"))
}

fn server_name(service: &VirtualServer, real: &RealServer) -> String {
    names::of_server(service, keepalived_core::balance::Place { address: real.address, port: real.port })
}

fn for_servers(config: &mut Config, mut act: impl FnMut(ServerName, &mut RealServer)) {
    for service in &mut config.virtual_servers {
        let of = names::of_service(&service.service);
        let mut servers = std::mem::take(&mut service.real_servers);
        for real in &mut servers {
            act((of.clone(), server_name(service, real)), real);
        }
        service.real_servers = servers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    const TEXT: &str = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n priority 100\n virtual_ipaddress {\n 192.0.2.1\n }\n}\n\
                        virtual_server 192.0.2.1 80 {\n protocol TCP\n real_server 10.0.0.1 80 {\n weight 5\n }\n real_server 10.0.0.2 80 {\n weight 5\n }\n}\n";

    fn weights(config: &Config) -> Vec<u32> {
        config.virtual_servers[0].real_servers.iter().map(|real| real.settings.weight).collect()
    }

    #[test]
    fn what_lies_over_the_configuration_can_be_taken_off_again() {
        let read = from_text(TEXT);
        let mut config = read.clone();
        let mut overrides = Overrides::default();
        let drain = |weight| Change::Weight { server: "10.0.0.1:80".to_owned(), service: None, weight };
        let priority = |priority| Change::Priority { instance: "A".to_owned(), priority };
        let away = |on| Change::Maintenance { instance: None, on };
        assert_eq!(overrides.change(&drain(Some(0)), &mut config).unwrap().len(), 1);
        assert_eq!(overrides.change(&priority(Some(50)), &mut config).unwrap().len(), 1);
        assert_eq!(overrides.change(&away(true), &mut config).unwrap().len(), 1);
        let is_changed = |config: &Config| {
            let instance = &config.instances[0];
            (weights(config), instance.settings.priority.get(), instance.maintenance) == (vec![0, 5], 50, true)
        };
        assert!(is_changed(&config), "{config:?}");
        // a reload does not undo it
        let mut again = read.clone();
        overrides.apply(&mut again);
        assert!(is_changed(&again));
        for change in [drain(None), priority(None), away(false)] {
            overrides.change(&change, &mut again).unwrap();
        }
        assert_eq!(again, read);
    }

    #[test]
    fn what_a_reload_takes_away_may_come_back_as_it_was_configured() {
        let read = from_text(TEXT);
        let mut config = read.clone();
        let mut overrides = Overrides::default();
        let away = |on| Change::Maintenance { instance: None, on };
        let priority = |priority| Change::Priority { instance: "A".to_owned(), priority };
        overrides.change(&away(true), &mut config).unwrap();
        overrides.change(&priority(Some(50)), &mut config).unwrap();
        let mut without = read.clone();
        without.instances.clear();
        overrides.apply(&mut without);
        overrides.change(&away(false), &mut without).unwrap();
        overrides.change(&priority(None), &mut without).unwrap();
        let mut again = read.clone();
        overrides.apply(&mut again);
        assert_eq!(again, read);
    }

    #[test]
    fn a_configuration_that_is_refused_leaves_what_is_below() {
        let mut config = from_text(TEXT);
        let mut overrides = Overrides::default();
        let priority = |priority| Change::Priority { instance: "A".to_owned(), priority };
        overrides.change(&priority(Some(50)), &mut config).unwrap();
        // the reload works with a copy, and drops it
        let mut refused = from_text(&TEXT.replace("priority 100", "priority 200"));
        overrides.clone().apply(&mut refused);
        assert_eq!(refused.instances[0].settings.priority.get(), 50);
        overrides.change(&priority(None), &mut config).unwrap();
        assert_eq!(config.instances[0].settings.priority.get(), 100);
    }

    #[test]
    fn one_that_owns_its_addresses_now_keeps_them() {
        let mut config = from_text(TEXT);
        let mut overrides = Overrides::default();
        overrides.change(&Change::Priority { instance: "A".to_owned(), priority: Some(50) }, &mut config).unwrap();
        let mut owner = from_text(&TEXT.replace("priority 100", "priority 255"));
        overrides.apply(&mut owner);
        assert_eq!(owner.instances[0].settings.priority, Priority::OWNER);
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let read = from_text(TEXT);
        let mut config = read.clone();
        let mut overrides = Overrides::default();
        let refused = [
            Change::Priority { instance: "B".to_owned(), priority: Some(1) },
            Change::Priority { instance: "A".to_owned(), priority: Some(255) },
            Change::Priority { instance: "A".to_owned(), priority: Some(0) },
            Change::Maintenance { instance: Some("B".to_owned()), on: true },
            Change::Weight { server: "10.0.0.9".to_owned(), service: None, weight: Some(0) },
            Change::Weight { server: "10.0.0.1".to_owned(), service: Some("192.0.2.9".to_owned()), weight: Some(0) },
            Change::Weight { server: "10.0.0.1".to_owned(), service: None, weight: Some(65_536) },
        ];
        for change in refused {
            assert!(overrides.change(&change, &mut config).is_err(), "{change:?}");
        }
        assert_eq!(config, read);
    }
}
