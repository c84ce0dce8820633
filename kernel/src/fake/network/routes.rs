//! Its routes and rules.

use std::net::IpAddr;

use keepalived_core::network::route::{OUR_PROTOCOL, default_metric, kind};
use keepalived_core::network::{Hop, LinkIndex, NetworkEvent, Route, RouteKey, Rule};
use keepalived_core::vrrp::Family;

use super::FakeNetwork;
use crate::network::Refused;

impl FakeNetwork {
    /// All routes, those of others too.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.values()
    }

    /// All rules, those of others too.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Adds a route as another program would. False if the kernel would refuse it.
    pub fn add_route(&mut self, route: &Route) -> bool {
        self.apply_route(route).is_ok()
    }

    /// Removes a route as another program would. One that is not there is fine.
    pub fn remove_route(&mut self, key: &RouteKey) {
        if self.routes.remove(key).is_some() {
            self.tell_of_route(key, NetworkEvent::RouteRemoved(*key));
        }
    }

    /// Adds a rule as another program would.
    pub fn add_rule(&mut self, rule: Rule) {
        if self.rules.insert(rule) && rule.protocol == OUR_PROTOCOL {
            self.events.push_back(NetworkEvent::Rule(rule));
        }
    }

    /// Removes a rule as another program would. One that is not there is fine.
    pub fn remove_rule(&mut self, rule: &Rule) {
        if self.rules.remove(rule) && rule.protocol == OUR_PROTOCOL {
            self.events.push_back(NetworkEvent::RuleRemoved(*rule));
        }
    }

    fn tell_of_route(&mut self, key: &RouteKey, event: NetworkEvent) {
        if key.protocol == OUR_PROTOCOL {
            self.events.push_back(event);
        }
    }

    pub(super) fn apply_route(&mut self, wish: &Route) -> Result<(), Refused> {
        let route = self.as_the_kernel_keeps_a_route(wish)?;
        let key = route.key();
        if self.routes.get(&key) != Some(&route) {
            self.routes.insert(key, route.clone());
            self.tell_of_route(&key, NetworkEvent::Route(Box::new(route)));
        }
        Ok(())
    }

    fn as_the_kernel_keeps_a_route(&self, wish: &Route) -> Result<Route, Refused> {
        let refused = |errno| Refused { errno, message: None };
        let v4 = wish.family() == Family::V4;
        if v4 && wish.destination != wish.destination.masked() {
            return Err(refused(libc::EINVAL));
        }
        if wish.source.is_some_and(|source| !self.has(source)) {
            return Err(refused(libc::EINVAL));
        }
        let mut route = wish.clone();
        if !v4 && route.metric == 0 {
            route.metric = default_metric(Family::V6);
        }
        if kind::leads_nowhere(route.kind) {
            route.hops.clear();
        }
        for hop in &mut route.hops {
            let link = match hop.link {
                Some(link) => link,
                None => self.link_towards(hop).ok_or_else(|| refused(unreachable(v4)))?,
            };
            if !self.links.get(&link).ok_or_else(|| refused(libc::ENODEV))?.up {
                return Err(refused(if v4 && hop.gateway.is_some() { libc::ENETUNREACH } else { libc::ENETDOWN }));
            }
            hop.link = Some(link);
            let link_local = matches!(hop.gateway, Some(IpAddr::V6(ip)) if ip.is_unicast_link_local());
            if hop.gateway.is_some() && !hop.onlink && !link_local && self.link_towards(hop) != Some(link) {
                return Err(refused(unreachable(v4)));
            }
        }
        // what the kernel does not tell
        (route.ttl_propagate, route.placement, route.source_at) = (None, Default::default(), None);
        Ok(route)
    }

    /// The link whose network a gateway is in: the one that it has, if that is one of them.
    fn link_towards(&self, hop: &Hop) -> Option<LinkIndex> {
        let gateway = hop.gateway?;
        let mut links = self.addresses.values().filter(|address| holds(address.address, address.prefix, gateway));
        links.find(|address| hop.link.is_none_or(|link| link == address.link)).map(|address| address.link)
    }

    /// Routes by a link that is down or gone go. The kernel tells of IPv6 routes only.
    pub(super) fn lose_routes_on(&mut self, link: LinkIndex, family: Option<Family>) {
        let on = |route: &&Route| route.is_on(link) && family.is_none_or(|family| family == route.family());
        let gone: Vec<RouteKey> = self.routes.values().filter(on).map(Route::key).collect();
        for key in gone {
            match key.family() {
                Family::V4 => drop(self.routes.remove(&key)),
                Family::V6 => self.remove_route(&key),
            }
        }
    }

    /// Addresses went, and what needs them: IPv4 routes with such a source, or by a link that has no address any more. An IPv6 route
    /// stays without its source. The kernel tells nothing of it.
    pub(super) fn lose_routes_without_addresses(&mut self) {
        if self.routes.is_empty() {
            return;
        }
        let sourceless = |route: &Route| route.source.is_some_and(|source| !self.has(source));
        let gone: Vec<RouteKey> = self.routes.values().filter(|route| sourceless(route)).map(Route::key).collect();
        for key in gone {
            match key.family() {
                Family::V4 => drop(self.routes.remove(&key)),
                Family::V6 => {
                    if let Some(route) = self.routes.get_mut(&key) {
                        route.source = None;
                    }
                }
            }
        }
        let links: Vec<LinkIndex> = self.links.keys().copied().collect();
        for link in links {
            if !self.addresses.values().any(|address| address.link == link && address.address.is_ipv4()) {
                self.lose_routes_on(link, Some(Family::V4));
            }
        }
    }
}

const fn unreachable(v4: bool) -> i32 {
    if v4 { libc::ENETUNREACH } else { libc::EHOSTUNREACH }
}

/// Whether `ip` is in the network of `address`.
fn holds(address: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    let network = |address| keepalived_core::network::Prefix { address, length: prefix }.masked();
    address.is_ipv4() == ip.is_ipv4() && network(address) == network(ip)
}
