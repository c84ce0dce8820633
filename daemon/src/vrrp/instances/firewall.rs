//! What the packet filter does for routers: it keeps packets from the addresses of those that accept none, and the reports of groups that
//! the kernel would send from virtual MACs leave from the link below.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_config::model::{Config, Firewall as Settings, Instance};
use keepalived_core::network::UpperKind;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::Family;
use keepalived_kernel::firewall::Firewall;
use keepalived_kernel::network::{Network, Refused};

use super::super::lifetime::AtExit;
use super::super::lower::{self, Made};
use super::super::report::Report;
use super::super::slot::Slot;
use super::Instances;

/// First pause before the kernel is asked again for what it refused, or what others have removed once more; then twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who removes our rules again within this time has to wait for them, and so have we.
const QUIET: Duration = Duration::from_secs(10);

/// What the packet filter does, and what it should.
#[derive(Debug, Default)]
pub(super) struct Filter {
    settings: Settings,
    /// What the kernel has; `None` if that is not known.
    there: Option<Firewall>,
    /// An instance needs it, or did: the process before this one may have left tables.
    matters: bool,
    /// What it is being asked for.
    asked: Option<Firewall>,
    /// Others may have removed something of that meanwhile.
    doubtful: bool,
    /// Something changed that it depends on.
    dirty: bool,
    /// When it is asked again, after a refusal or a loss.
    again_at: Option<Instant>,
    /// Refusals and losses, for the pause.
    setbacks: u32,
    refused: bool,
    lost_at: Option<Instant>,
}

/// Whether packets to the addresses of `instance` are dropped: the router that owns them takes them in any case.
const fn is_closed(instance: &Instance) -> bool {
    !instance.accept && !instance.settings.priority.is_owner()
}

/// Whether anything of the packet filter is for `instance`.
pub(crate) fn needs_firewall(instance: &Instance) -> bool {
    is_closed(instance) || lower::makes_links(instance)
}

impl Filter {
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// When it has something to do next.
    fn next(&self) -> Option<Instant> {
        if self.asked.is_some() || !self.dirty {
            return None;
        }
        Some(self.again_at.unwrap_or(Instant::ZERO))
    }

    /// Whether the kernel has what is `wanted`.
    fn has(&self, wanted: &Firewall) -> bool {
        match &self.there {
            Some(there) => there == wanted || (is_nothing(there) && is_nothing(wanted)),
            None => is_nothing(wanted) && !self.matters,
        }
    }

    fn set_back(&mut self, now: Instant) {
        let doublings = self.setbacks.min(16);
        self.setbacks = self.setbacks.saturating_add(1);
        self.again_at = Some(now + (FIRST_PAUSE * 2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE));
        self.there = None;
        self.dirty = true;
    }
}

impl Instances {
    /// The packet filter is set up as `config` says.
    pub(super) fn configure_firewall(&mut self, config: &Config, network: &mut impl Network) {
        let settings = &config.global.firewall;
        if self.filter.settings != *settings {
            self.filter.settings.clone_from(settings);
        }
        if config.instances.iter().any(needs_firewall) {
            self.filter.matters = true;
            network.watch_firewall(&lower::firewall(settings).table);
        }
        self.filter.touch();
    }

    fn wanted_firewall(&self) -> Firewall {
        let mut wanted = lower::firewall(&self.filter.settings);
        for slot in self.slots.iter() {
            self.add_rules_of(slot, &mut wanted);
        }
        wanted
    }

    fn add_rules_of(&self, slot: &Slot, to: &mut Firewall) {
        // keepalived lets what only addresses have be (observed, 2.2.7)
        let has_own = slot.instance.own_link.is_some();
        let reports = |family| family == Family::V6 || !self.filter.settings.no_local_igmp;
        let is_concerned = |made: &&Made| has_own && made.need.kind == UpperKind::Macvlan && reports(made.need.family);
        for made in slot.made.iter().filter(is_concerned) {
            let below = self.table.by_name(&made.need.base).map(|link| link.index);
            let link = self.table.by_name(&made.name).filter(|link| link.upper.is_some() && link.parent == below);
            if let (Some(link), Some(below)) = (link, below) {
                to.virtual_macs.insert((made.need.family, link.index), below);
                let is_virtual = |address| self.virtual_addresses.contains(&address);
                if let Some(IpAddr::V6(shared)) = self.table.source(below, Family::V6, is_virtual)
                    && made.need.family == Family::V6
                {
                    to.shared_link_local.insert((shared, (link.index, link.name)));
                }
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

    /// What the packet filter is asked for before addresses change (`Before`), or after that. The tables of the process before this one
    /// stay until its masters go on.
    pub(super) fn next_firewall(&mut self, now: Instant, when: When) -> Option<Firewall> {
        let due = self.filter.again_at.is_none_or(|at| at <= now);
        if !self.filter.dirty || !due || self.filter_waits() || (self.stopped && self.at_exit == AtExit::Keep) {
            return None;
        }
        let wanted = self.wanted_firewall();
        if self.filter.has(&wanted) {
            self.filter.dirty = false;
            self.filter.again_at = None;
            return None;
        }
        let exceeds = self.filter.there.as_ref().map_or(!is_nothing(&wanted), |there| wanted.exceeds(there));
        if when == When::Before && !exceeds {
            return None;
        }
        self.filter.dirty = false;
        self.filter.again_at = None;
        self.filter.doubtful = false;
        self.filter.asked = Some(wanted.clone());
        Some(wanted)
    }

    /// Whether masters of the process before this one are about to go on.
    fn filter_waits(&self) -> bool {
        !self.begun && !self.masters.is_empty()
    }

    /// When the packet filter is asked next.
    pub(super) fn next_filter(&self) -> Option<Instant> {
        self.filter.next().filter(|_| !self.filter_waits())
    }

    /// The kernel has, or has not, what it was asked for.
    pub(super) fn firewall_answered(&mut self, now: Instant, result: Result<(), Refused>) {
        let Some(asked) = self.filter.asked.take() else { return };
        match result {
            Ok(()) if self.filter.doubtful => self.filter.set_back(now),
            Ok(()) => {
                self.filter.there = Some(asked);
                if std::mem::take(&mut self.filter.refused) {
                    self.filter.setbacks = 0;
                }
            }
            // one family may have its table, and the other not
            Err(refused) => {
                if !std::mem::replace(&mut self.filter.refused, true) {
                    self.reports.push(Report::FirewallRefused { reason: refused.to_string() });
                }
                self.filter.set_back(now);
            }
        }
    }

    /// Something of our table of `family` was removed. One that we empty goes by our own doing.
    pub(super) fn firewall_lost(&mut self, now: Instant, family: Family) {
        let filter = &mut self.filter;
        if let Some(asked) = &filter.asked {
            // it may be our own transaction that was heard in part
            filter.doubtful |= !asked.is_empty(family);
            return;
        }
        if self.stopped || filter.there.as_ref().is_none_or(|there| there.is_empty(family)) {
            return;
        }
        let fight = filter.lost_at.replace(now).is_some_and(|at| now.since(at) < QUIET);
        if fight {
            filter.set_back(now);
        } else {
            (filter.there, filter.setbacks) = (None, 0);
            filter.touch();
            self.reports.push(Report::FirewallLost);
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
        let gone = self.at_exit == AtExit::Keep || self.filter.has(&Firewall::default());
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
    firewall.is_empty(Family::V4) && firewall.is_empty(Family::V6)
}
