//! What the packet filter does for routers: it keeps packets from the addresses of those that accept none, and the reports of groups that
//! the kernel would send from virtual MACs leave from the link below.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::model::{Firewall as Settings, Instance};
use keepalived_core::network::UpperKind;
use keepalived_core::time::Instant;
use keepalived_kernel::firewall::Firewall;
use keepalived_kernel::network::{Network, Refused};

use super::super::lifetime::AtExit;
use super::super::lower;
use super::super::report::Report;
use super::super::slot::Slot;
use super::Instances;

/// Pause before the kernel is asked again for what it refused.
const PAUSE: Duration = Duration::from_secs(30);

/// What the packet filter does, and what it should.
#[derive(Debug, Default)]
pub(super) struct Filter {
    settings: Settings,
    /// What the kernel has.
    there: Firewall,
    /// What it is being asked for.
    asked: Option<Firewall>,
    /// Something changed that it depends on.
    dirty: bool,
    /// The kernel refused: when it is asked again.
    again_at: Option<Instant>,
    refused: bool,
}

/// Whether packets to the addresses of `instance` are dropped: the router that owns them takes them in any case.
pub(in super::super) const fn is_closed(instance: &Instance) -> bool {
    !instance.accept && !instance.settings.priority.is_owner()
}

impl Filter {
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// When it has something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.asked.is_some() {
            return None;
        }
        match self.again_at {
            None => self.dirty.then_some(Instant::ZERO),
            at => at,
        }
    }
}

impl Instances {
    /// The packet filter is set up as `settings` say.
    pub(super) fn configure_firewall(&mut self, settings: &Settings) {
        if self.filter.settings != *settings {
            self.filter.settings.clone_from(settings);
        }
        self.filter.touch();
    }

    fn wanted_firewall(&self) -> Firewall {
        let mut wanted = lower::firewall(&self.filter.settings);
        for slot in self.slots.iter().flatten() {
            self.add_rules_of(slot, &mut wanted);
        }
        wanted
    }

    fn add_rules_of(&self, slot: &Slot, to: &mut Firewall) {
        // keepalived lets what only addresses have be (observed, 2.2.7)
        let has_own = slot.instance.own_link.is_some();
        for made in slot.made.iter().filter(|made| has_own && made.need.kind == UpperKind::Macvlan) {
            let below = self.table.by_name(&made.need.base).map(|link| link.index);
            let link = self.table.by_name(&made.name).filter(|link| link.upper.is_some() && link.parent == below);
            if let (Some(link), Some(below)) = (link, below) {
                to.virtual_macs.insert((made.need.family, link.index), below);
            }
        }
        if !is_closed(&slot.instance) {
            return;
        }
        for (link, address, _) in &slot.places {
            match address {
                IpAddr::V4(ip) => drop(to.closed_v4.insert(*ip)),
                IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                    if let Some(link) = self.table.by_index(*link) {
                        to.closed_v6.insert((*ip, Some((link.index, link.name))));
                    }
                }
                IpAddr::V6(ip) => drop(to.closed_v6.insert((*ip, None))),
            }
        }
    }

    /// What the packet filter is asked for before addresses change (`Before`), or after that.
    pub(super) fn next_firewall(&mut self, now: Instant, when: When) -> Option<Firewall> {
        let due = self.filter.again_at.is_none_or(|at| at <= now);
        if !self.filter.dirty || !due || (self.stopped && self.at_exit == AtExit::Keep) {
            return None;
        }
        let wanted = self.wanted_firewall();
        if wanted == self.filter.there || is_nothing(&wanted) && is_nothing(&self.filter.there) {
            self.filter.dirty = false;
            return None;
        }
        if when == When::Before && !wanted.exceeds(&self.filter.there) {
            return None;
        }
        self.filter.dirty = false;
        self.filter.again_at = None;
        self.filter.asked = Some(wanted.clone());
        Some(wanted)
    }

    /// The kernel has, or has not, what it was asked for.
    pub(super) fn firewall_answered(&mut self, now: Instant, result: Result<(), Refused>) {
        let Some(asked) = self.filter.asked.take() else { return };
        match result {
            Ok(()) => {
                self.filter.there = asked;
                self.filter.refused = false;
            }
            Err(refused) => {
                if !std::mem::replace(&mut self.filter.refused, true) {
                    self.reports.push(Report::FirewallRefused { reason: refused.to_string() });
                }
                self.filter.touch();
                self.filter.again_at = Some(now + PAUSE);
            }
        }
    }

    /// Sets the packet filter up, and waits for the kernel: no router has begun.
    pub(super) fn set_firewall(&mut self, now: Instant, network: &mut impl Network) {
        if let Some(firewall) = self.next_firewall(now, When::After) {
            let result = network.set_firewall(&firewall);
            self.firewall_answered(now, result);
        }
    }

    /// Whether tables are still there that are to go.
    pub(super) fn owes_firewall(&self) -> bool {
        let gone = self.at_exit == AtExit::Keep || is_nothing(&self.filter.there);
        self.stopped && !self.filter.refused && (!gone || self.filter.asked.is_some())
    }
}

/// When the packet filter is asked, seen from the addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// Only for what it should do and does not.
    Before,
    After,
}

fn is_nothing(firewall: &Firewall) -> bool {
    firewall.virtual_macs.is_empty() && firewall.closed_v4.is_empty() && firewall.closed_v6.is_empty()
}
