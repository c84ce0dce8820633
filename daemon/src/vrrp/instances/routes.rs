//! Routes and rules of routers, and what is static: asked for, let go, put back. Routers know nothing of them: they come and go with
//! the addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keepalived_config::model::{Config, PolicyRule, Route, StaticAddress, VipLost};
use keepalived_core::address::InterfaceName;
use keepalived_core::desired::{Holder, Object as _, Seen as _};
use keepalived_core::network::{AddressKey, Key, LinkIndex, NetworkTable, Object, Placement, RouteKey, Setting};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Event, Family};
use keepalived_kernel::network::Network;

use super::super::lifetime::AtExit;
use super::super::lower;
use super::super::report::Report;
use super::super::slot::{Held, Trouble};
use super::Instances;
use super::configure::Evidence;

/// Holds what is static. No instance has this number.
pub(super) const STATICS: Holder = Holder::MAX;

/// What is there while the daemon runs, whoever is master.
#[derive(Debug, Default)]
pub(super) struct Statics {
    addresses: Vec<StaticAddress>,
    routes: Vec<Route>,
    rules: Vec<PolicyRule>,
    /// What is asked for.
    held: Vec<Held>,
    /// The links of the interfaces that it names, when that was last looked at.
    links: BTreeMap<InterfaceName, Option<LinkIndex>>,
    /// Lines whose interface is missing were reported.
    said: bool,
}

impl Statics {
    fn interfaces(&self) -> BTreeSet<InterfaceName> {
        let devices = self.addresses.iter().filter_map(|line| line.address.device);
        devices.chain(self.routes.iter().flat_map(lower::route_interfaces)).collect()
    }
}

/// Lines as objects; of those that cannot be, the line and its interface.
pub(super) struct Wanted {
    pub(super) objects: Vec<(Object, Held)>,
    pub(super) homeless: Vec<(String, InterfaceName)>,
}

pub(super) fn wanted(table: &NetworkTable, routes: &[Route], rules: &[PolicyRule], places: &[AddressKey]) -> Wanted {
    let find = |name: &InterfaceName| table.by_name(name).map(|link| (link.index, link.vrf));
    let (mut objects, mut homeless) = (Vec::with_capacity(routes.len().saturating_add(rules.len())), Vec::new());
    for line in routes {
        match lower::route(line, &find, places) {
            Ok(route) => {
                let held = Held { key: Key::Route(route.key()), tracked: line.tracked };
                objects.push((Object::Route(Box::new(route)), held));
            }
            Err(interface) => {
                homeless.push((format!("route {}/{}", line.destination.address, line.destination.length), interface));
            }
        }
    }
    for line in rules {
        let rule = lower::rule(line);
        objects.push((Object::Rule(rule), Held { key: Key::Rule(rule), tracked: line.tracked }));
    }
    Wanted { objects, homeless }
}

/// What the key of a route would be without its gateway, if it is one of those that replace each other: IPv4 has both for a moment, and
/// takes the new one first. IPv6 has one route of two ways for a moment: what would put one in the place of the other takes routes of others to that place, too.
fn replaced(key: &Key) -> Option<RouteKey> {
    let Key::Route(route) = key else { return None };
    route.without_gateway()
}

/// The same of a route that comes.
fn replaces(wish: &Object) -> Option<RouteKey> {
    let Object::Route(route) = wish else { return None };
    // `add` stands beside no other
    replaced(&wish.key()).filter(|_| route.placement != Placement::Add)
}

/// An object in the words of `ip`.
pub(in super::super) fn describe(key: &Key) -> String {
    match key {
        Key::Link(link) => format!("link {}", link.0),
        Key::Upper(_, name) => format!("link {name}"),
        Key::Setting(Setting::Arp { link, setting, .. }) => format!("{} of link {}", setting.name(), link.0),
        Key::Setting(Setting::NoReversePathFilter { .. }) => "net.ipv4.conf.all.rp_filter".to_owned(),
        Key::Address((_, address, prefix)) => format!("address {address}/{prefix}"),
        Key::Route(route) => format!("route {route}"),
        Key::Rule(rule) => format!("rule {rule}"),
    }
}

impl Instances {
    /// Asks for the routes and rules of `index` that it does not hold yet, and lets go of those it is not to have any more.
    pub(super) fn hold_routes(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let nothing = slot.instance.routes.is_empty() && slot.instance.rules.is_empty();
        if nothing && slot.held.is_empty() {
            return;
        }
        let Wanted { objects, homeless } =
            wanted(&self.table, &slot.instance.routes, &slot.instance.rules, &slot.places);
        if !homeless.is_empty() && slot.said.insert(Trouble::NoRouteDevice) {
            let name = &slot.name;
            self.reports.extend(homeless.into_iter().map(|(what, interface)| Report::WithoutDevice {
                name: Arc::clone(name),
                what,
                interface,
            }));
        }
        let old = std::mem::take(&mut slot.held);
        let held = self.hold_objects(index, objects, &old);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.held = held;
        }
    }

    /// Asks for `objects`, each once, and lets go of what is in `old` alone.
    fn hold_objects(&mut self, holder: Holder, objects: Vec<(Object, Held)>, old: &[Held]) -> Vec<Held> {
        let before: BTreeSet<&Key> = old.iter().map(|held| &held.key).collect();
        let desired = &mut self.reconciler.desired;
        let mut held = Vec::with_capacity(objects.len());
        // by what they replace
        let mut comes = BTreeMap::new();
        if !old.is_empty() {
            let new = objects.iter().filter(|(_, this)| !before.contains(&this.key));
            comes.extend(new.filter_map(|(wish, this)| Some((replaces(wish)?, this.key))));
        }
        for (wish, this) in objects {
            held.push(this);
            if !before.contains(&this.key) || !desired.looks(&wish) {
                let foreign = match &wish {
                    Object::Address(address) => {
                        let there = self.table.address(&address.key());
                        self.table.tells_who() && there.is_some_and(|there| there.protocol != lower::ADDRESS_PROTOCOL)
                    }
                    Object::Link(_) | Object::Upper(_) | Object::Setting(_) | Object::Route(_) | Object::Rule(_) => {
                        false
                    }
                };
                desired.hold(holder, wish, foreign);
            }
        }
        let kept: BTreeSet<&Key> = held.iter().map(|held| &held.key).collect();
        for gone in old.iter().filter(|gone| !kept.contains(&gone.key)) {
            match replaced(&gone.key).and_then(|key| comes.get(&key)) {
                Some(by) => desired.replace(holder, &gone.key, *by),
                None => desired.release(holder, &gone.key),
            }
        }
        held
    }

    /// Lets go of the routes and rules of `index`.
    pub(super) fn release_routes(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        for held in std::mem::take(&mut slot.held) {
            self.reconciler.desired.release(index, &held.key);
        }
    }

    /// Sets what is static, and waits for the kernel: no router has begun.
    pub(in super::super) fn set_statics(
        &mut self,
        now: Instant,
        config: &Config,
        most: usize,
        network: &mut impl Network,
    ) {
        self.configure_statics(config);
        while let Some(batch) = self.change_addresses(now, most, network) {
            let changed = batch.carry_out(network);
            self.changed(now, changed, network);
        }
    }

    /// What is static is that of `config`.
    pub(super) fn configure_statics(&mut self, config: &Config) {
        let statics = &self.statics;
        let same = statics.addresses == config.static_addresses
            && statics.routes == config.static_routes
            && statics.rules == config.static_rules;
        if same {
            return;
        }
        self.statics.addresses.clone_from(&config.static_addresses);
        self.statics.routes.clone_from(&config.static_routes);
        self.statics.rules.clone_from(&config.static_rules);
        self.statics.said = false;
        self.hold_statics();
    }

    /// Interfaces came, went or have other names: what is static follows them.
    pub(super) fn follow_links(&mut self) {
        let changed = |(name, link): (&InterfaceName, &Option<LinkIndex>)| {
            self.table.by_name(name).map(|link| link.index) != *link
        };
        if self.statics.links.iter().any(changed) {
            self.hold_statics();
        }
    }

    fn hold_statics(&mut self) {
        let names = self.statics.interfaces().into_iter();
        self.statics.links = names.map(|name| (name, self.table.by_name(&name).map(|link| link.index))).collect();
        let (mut objects, mut homeless) = (Vec::new(), Vec::new());
        for line in &self.statics.addresses {
            let Some(device) = line.address.device else { continue };
            match self.table.by_name(&device) {
                Some(link) => {
                    let address = lower::address(&line.address, link.index);
                    let held = Held { key: Key::Address(address.key()), tracked: line.address.tracked };
                    objects.push((Object::Address(address), held));
                }
                None => homeless.push((format!("address {}", line.address.address), device)),
            }
        }
        let places: Vec<AddressKey> = objects.iter().filter_map(|(_, held)| held.key.address()).collect();
        let more = wanted(&self.table, &self.statics.routes, &self.statics.rules, &places);
        objects.extend(more.objects);
        homeless.extend(more.homeless);
        if !homeless.is_empty() && !std::mem::replace(&mut self.statics.said, true) {
            let name = || Arc::from(NAME_OF_STATICS);
            let report = |(what, interface)| Report::WithoutDevice { name: name(), what, interface };
            self.reports.extend(homeless.into_iter().map(report));
        }
        let old = std::mem::take(&mut self.statics.held);
        self.statics.held = self.hold_objects(STATICS, objects, &old);
    }

    /// The process ends.
    pub(super) fn release_statics(&mut self) {
        if self.at_exit == AtExit::Keep {
            return;
        }
        for held in std::mem::take(&mut self.statics.held) {
            self.reconciler.desired.release(STATICS, &held.key);
        }
    }

    /// Who holds something, for people.
    pub(super) fn holder_name(&self, holder: Holder) -> Option<Arc<str>> {
        match holder {
            STATICS => Some(Arc::from(NAME_OF_STATICS)),
            index => self.slots.get(index).map(|slot| Arc::clone(&slot.name)),
        }
    }

    /// Routes and rules that an earlier run left for `index` go, unless they are asked for first.
    pub(super) fn adopt_left_over_routes(&mut self, index: usize, evidence: Evidence) {
        let Some(slot) = self.slots.get(index) else { return };
        if slot.instance.routes.is_empty() && slot.instance.rules.is_empty() {
            return;
        }
        for (wish, held) in wanted(&self.table, &slot.instance.routes, &slot.instance.rules, &[]).objects {
            // what does not bear our mark was not read
            let unread = evidence == Evidence::Journal && !self.table.hears_of(&held.key);
            if unread {
                self.table.put(wish.clone());
            }
            if let Some(there) = self.table.get(&held.key) {
                self.reconciler.desired.left_over(index, there);
            }
        }
    }

    /// Something happened on `link` with which the kernel removes routes; of IPv4 ones it does not tell.
    pub(super) fn doubt_routes_on(&mut self, link: LinkIndex, family: Option<Family>) {
        for route in self.table.routes_on(link, family) {
            self.doubt(Key::Route(route));
        }
    }

    /// The same of an address that went: the routes that had it as their source.
    pub(super) fn doubt_routes_from(&mut self, (link, address, _): AddressKey) {
        if self.table.routes().next().is_none() {
            return;
        }
        if address.is_ipv4() && !self.table.has_ipv4_on(link, |_| false) {
            self.doubt_routes_on(link, Some(Family::V4));
        }
        // it may be here again, or on another link: then they are asked for in vain
        for route in self.table.routes_from(address) {
            self.doubt(Key::Route(route));
        }
    }

    fn doubt(&mut self, key: Key) {
        // an IPv6 route whose source went stays, without it
        if matches!(key, Key::Route(route) if route.family() == Family::V4) {
            self.table.take(&key);
        }
        self.reconciler.desired.doubt(&key);
    }

    /// `link` came up: routes that need it may come, and so may those whose gateway is behind it.
    pub(super) fn link_came_up(&mut self, link: LinkIndex) {
        self.reconciler.desired.arrived(&Key::Link(link));
        self.hurry_routes();
    }

    /// What the kernel refused for want of a way to its gateway may be granted now.
    pub(super) fn hurry_routes(&mut self) {
        self.reconciler.desired.hurry(|key| matches!(key, Key::Route(_)));
    }

    /// A route or a rule is gone that we did not remove: the kernel did, with what the route needs, or another program.
    pub(super) fn lost_route(&mut self, now: Instant, key: &Key, holders: &[Holder]) {
        let needs = self.reconciler.desired.wish(key).map(Object::needs).unwrap_or_default();
        if needs.iter().any(|needed| self.table.get(needed).is_none()) {
            self.reconciler.desired.restore(now, key);
            return;
        }
        let mut restore = false;
        for holder in holders {
            let held = match *holder {
                STATICS => self.statics.held.iter().find(|held| held.key == *key),
                index => self.slots.get(index).and_then(|slot| slot.held.iter().find(|held| held.key == *key)),
            };
            let Some(held) = held.copied() else { continue };
            let answer = if *holder == STATICS { VipLost::Restore } else { self.vip_lost };
            // keepalived, observed: what is not tracked stays away
            if !held.tracked && *holder != STATICS {
                continue;
            }
            if let Some(name) = self.holder_name(*holder) {
                self.reports.push(Report::RouteLost { name, what: describe(key), answer });
            }
            match answer {
                VipLost::Restore => restore = true,
                VipLost::Backup => self.tell(now, *holder, Event::AddressLost),
            }
        }
        if restore {
            self.reconciler.desired.restore(now, key);
        }
    }
}

/// In front of what is said about what is static; a name of an instance in keepalived's log stands in the same place.
const NAME_OF_STATICS: &str = "static";
