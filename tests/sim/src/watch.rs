//! Looks at the world from above, and says when a promise is not kept.

mod component;
mod router;

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::{Cause, State, Transition};

use crate::bounds::{Bounds, FLOOD};
use crate::clock::Moment;
use crate::disturbance::{Disturbance, Weather};
use crate::invariant::{Broken, Invariant};
use crate::medium::{Medium, Said};
use crate::node::{Deeds, Node, View};
use crate::setting::{NodeId, Preempt, Terms, VirtualId};

use component::{Component, components, held_twice, masters, ranked};
use router::{announced, down_for_long, hears_first, holdings, in_fault, not_abandoned, punctual};

/// What is known of the world's past.
#[derive(Debug)]
pub struct Watch {
    units: Vec<Unit>,
    /// When something last happened that may change who is master.
    disturbed_at: Moment,
    /// Something of that kind goes on.
    ongoing: bool,
    /// When routers were last told of other addresses.
    readdressed_at: Moment,
    /// When packets last began to fare differently.
    medium_changed: Moment,
    /// When each router was last kept from hearing or speaking, starts and cables aside.
    handled: Vec<Moment>,
    /// When the world was last looked at.
    seen_at: Moment,
    /// How much longer everything may take because kernels do.
    slack: Duration,
    /// How late a router may hear what has arrived.
    lag: Duration,
}

#[derive(Debug)]
struct Unit {
    bounds: Bounds,
    components: Vec<Component>,
}

impl Watch {
    /// Watches `units` on `nodes` routers whose kernels take up to `slack` to do as they are told, and which may hear what
    /// has arrived only after `lag`.
    pub fn new(units: Vec<Bounds>, nodes: usize, slack: Duration, lag: Duration) -> Self {
        Self {
            units: units.into_iter().map(|bounds| Unit { bounds, components: Vec::new() }).collect(),
            disturbed_at: Moment::START,
            ongoing: false,
            readdressed_at: Moment::START,
            medium_changed: Moment::START,
            handled: vec![Moment::START; nodes],
            seen_at: Moment::START,
            slack,
            lag,
        }
    }

    /// Judges how things have stood since it was last called.
    pub fn stand(&mut self, now: Moment, nodes: &[Node]) -> Result<(), Broken> {
        let seen_at = std::mem::replace(&mut self.seen_at, now);
        punctual(now, nodes)?;
        announced(now, nodes)?;
        not_abandoned(now, nodes)?;
        in_fault(now, self.disturbed_at + self.slack, nodes)?;
        if self.ongoing {
            return Ok(());
        }
        // a kernel that takes long to say what it has can hide a cable
        let calm = now.since(self.disturbed_at + self.slack);
        let addresses_agreed = now.since(self.readdressed_at) > Bounds::GRACE + self.slack;
        for unit in &mut self.units {
            for component in unit.components.iter_mut().filter(|component| component.whole) {
                let counts = unit.bounds.members.iter().map(|id| (*id, masters(component, nodes, *id)));
                let (mut several, mut none) = (None, None);
                for (id, masters) in counts {
                    match masters.as_slice() {
                        [] => none = Some(id),
                        [_] => {}
                        _ => several = Some((id, masters)),
                    }
                }
                let twice =
                    if addresses_agreed { held_twice(now, component, nodes, &unit.bounds.members) } else { None };
                let several_last = component.several_masters.lasts(several.is_some(), seen_at, now, self.lag);
                let none_last = component.no_master.lasts(none.is_some(), seen_at, now, self.lag);
                let twice_last = component.several_holders.lasts(twice.is_some(), seen_at, now, self.slack);
                if calm <= unit.bounds.one {
                    continue;
                }
                let who = &component.nodes;
                let one = unit.bounds.one;
                if let Some((id, masters)) = several.filter(|_| several_last) {
                    let text =
                        format!("{masters:?} are master of I{id}, {calm:?} after the last disturbance ({one:?})");
                    return Err((Invariant::OneMaster, text));
                }
                if let Some(id) = none.filter(|_| none_last) {
                    let text =
                        format!("none of {who:?} is master of I{id}, {calm:?} after the last disturbance ({one:?})");
                    return Err((Invariant::SomeMaster, text));
                }
                if let Some((address, holders)) = twice.filter(|_| twice_last) {
                    return Err((Invariant::OneHolder, format!("{address} is on {holders:?}")));
                }
                if calm > unit.bounds.settled {
                    ranked(component, nodes, &unit.bounds.members)?;
                }
            }
        }
        Ok(())
    }

    /// Judges what router `id` has just done.
    pub fn did(&self, now: Moment, id: NodeId, deeds: &Deeds, nodes: &[Node], medium: &Medium) -> Result<(), Broken> {
        let Some(node) = nodes.get(id) else { return Ok(()) };
        for (which, transition) in &deeds.transitions {
            self.steady(now, id, *which, transition)?;
            if transition.to == State::Master {
                self.does_not_preempt(now, id, *which, transition, nodes, medium)?;
                hears_first(now, id, node, *which, transition, deeds)?;
            }
            down_for_long(now, id, node, *which, transition)?;
        }
        for (which, address) in &deeds.duplicates {
            self.is_duplicate(now, id, *which, *address, nodes)?;
        }
        if (!deeds.busy || self.should_rest(now, node)) && !node.waits() {
            holdings(now, id, node)?;
        }
        if let Some(stray) = &deeds.stray {
            return Err((
                Invariant::OnlyMastersAnnounce,
                format!("router {id} announced {stray} and is not its master"),
            ));
        }
        for unit in self.units.iter().filter(|unit| unit.bounds.members.len() > 1) {
            let states: Vec<State> = unit
                .bounds
                .members
                .iter()
                .filter_map(|member| node.views.get(*member))
                .map(|view| view.state)
                .collect();
            if states.windows(2).any(|pair| pair.first() != pair.last()) {
                return Err((Invariant::GroupTogether, format!("router {id}: {states:?}")));
            }
        }
        Ok(())
    }

    /// Whether a router has nothing to do but to read packets.
    fn should_rest(&self, now: Moment, node: &Node) -> bool {
        let long_ago = |at: Moment| now.since(at) > FLOOD;
        let since = |last: Moment, view: &View| last.max(view.since);
        node.deluged_for(now).is_some()
            && long_ago(node.views.iter().fold(self.disturbed_at.max(self.readdressed_at), since))
    }

    /// A router has stopped.
    pub fn stopped(&self, now: Moment, node: &Node) -> Result<(), Broken> {
        if node.present().iter().all(|address| node.is_excused(*address, now)) {
            return Ok(());
        }
        Err((Invariant::OthersDoNot, format!("a router that stopped has left {:?}", node.present())))
    }

    /// A router has stopped: its virtual MACs are gone.
    pub fn left_links(node: &mut Node) -> Result<(), Broken> {
        if node.has_virtual_mac() {
            return Err((Invariant::VirtualMac, "a router that stopped has left a virtual MAC".into()));
        }
        Ok(())
    }

    /// A router sent an advert out of `link`.
    ///
    /// # Errors
    /// Its priority is another than that of the router, or it leaves by another interface.
    pub fn advertised(now: Moment, node: &mut Node, said: Said, link: Option<LinkIndex>) -> Result<(), Broken> {
        let own = node.own_link(said.vrid);
        let found = node.setting.instances.iter().enumerate().find(|(_, instance)| instance.vrid == said.vrid);
        let Some((id, instance)) = found else { return Ok(()) };
        let wanted = instance.priority;
        if let Some(view) = node.views.get_mut(id) {
            view.last_advert = now;
        }
        if said.priority != 0 && said.priority != wanted {
            let text = format!("an advert of I{id} has priority {}, and the router {wanted}", said.priority);
            return Err((Invariant::PriorityOnTheWire, text));
        }
        if own != link {
            let text = format!("an advert of I{id} leaves by {link:?}, and its virtual router is on {own:?}");
            return Err((Invariant::VirtualMac, text));
        }
        Ok(())
    }

    /// A signed advert has reached a socket of `node`. Returns whether it is later than what this process has heard of
    /// the sender, as far as that is known: in FAULT it hears nothing.
    pub fn is_later(node: &mut Node, source: IpAddr, said: Said) -> bool {
        let Some(number) = said.number else { return true };
        let Some(id) = node.setting.instances.iter().position(|instance| instance.vrid == said.vrid) else {
            return true;
        };
        let Some(view) = node.views.get_mut(id) else { return true };
        if !matches!(view.state, State::Backup | State::Master) {
            return true;
        }
        let last = view.numbers.insert(source, number);
        let is_later = last.is_none_or(|last| number > last);
        if let (false, Some(last)) = (is_later, last) {
            view.numbers.insert(source, last);
        }
        is_later
    }

    /// Whether this process has heard a signed advert, or a later one of the sender.
    pub fn knows(node: &Node, source: IpAddr, said: Said) -> bool {
        let id = node.setting.instances.iter().position(|instance| instance.vrid == said.vrid);
        let last = id.and_then(|id| node.views.get(id)?.numbers.get(&source).copied());
        last.is_some_and(|last| said.number.is_some_and(|number| number <= last))
    }

    /// An advert of a router with `terms` has reached a socket of `node`.
    pub fn heard(node: &mut Node, terms: Terms, said: Said, stamp: Instant) {
        let Some(id) = node.setting.instances.iter().position(|instance| instance.vrid == said.vrid) else { return };
        let (Some(own), Some(view)) = (node.setting.instances.get(id), node.views.get_mut(id)) else { return };
        if !own.terms().accepts(terms) {
            return;
        }
        if said.priority == 0 {
            view.heard.farewell = Some(stamp);
        } else if said.priority >= own.priority || own.preempt == Preempt::No {
            view.heard.followed = Some((stamp, said.interval));
        } else if matches!(own.preempt, Preempt::After(_)) {
            // followed for a while, with an interval of its own; how long is the router's business
            view.heard.followed = None;
        }
    }

    /// Something happened. `unsettles`: mastership may change because of it.
    pub fn disturbed(&mut self, now: Moment, what: &Disturbance, unsettles: bool, nodes: &[Node], medium: &Medium) {
        if matches!(what, Disturbance::Readdress(..)) {
            self.readdressed_at = now;
        }
        if !unsettles {
            return;
        }
        self.disturbed_at = self.disturbed_at.max(now);
        match what {
            Disturbance::Cut(..) | Disturbance::Heal(..) | Disturbance::Weather(_) => {
                self.medium_changed = self.medium_changed.max(now);
            }
            Disturbance::Start(_) | Disturbance::Respawn(_) | Disturbance::Unlink(..) | Disturbance::Relink(..) => {}
            Disturbance::Pull(node, _) | Disturbance::Plug(node, _) => {
                // where that does not count at once the router goes on, and hears nothing meanwhile
                let delayed = nodes.get(*node).is_some_and(|node| node.setting.delays.is_some());
                if let Some(at) = self.handled.get_mut(*node).filter(|_| delayed) {
                    *at = now;
                }
            }
            Disturbance::Mute(_) | Disturbance::Unmute(_) => self.medium_changed = self.medium_changed.max(now),
            Disturbance::Stop(node)
            | Disturbance::PowerCut(node)
            | Disturbance::Kill(node)
            | Disturbance::KillWorker(node)
            | Disturbance::Pause(node)
            | Disturbance::Resume(node)
            | Disturbance::DeleteAddress(node, _)
            | Disturbance::Overrun(node)
            | Disturbance::Churn(node, _)
            | Disturbance::Refuse(node, _)
            | Disturbance::Grant(node, _)
            | Disturbance::Flood(node, ..)
            | Disturbance::Deluge(node)
            | Disturbance::Ebb(node)
            | Disturbance::Buffer(node, _)
            | Disturbance::Reload(node, _)
            | Disturbance::Track(node, ..)
            | Disturbance::Readdress(node, _) => {
                if let Some(at) = self.handled.get_mut(*node) {
                    *at = now;
                }
            }
        }
        self.ongoing = medium.weather != Weather::FAIR || nodes.iter().any(Node::is_cramped);
        for unit in &mut self.units {
            unit.components = components(&unit.bounds.members, nodes, medium);
        }
    }

    /// Until `until`, packets arrive that left long before.
    pub fn late_packets(&mut self, until: Moment) {
        self.disturbed_at = self.disturbed_at.max(until);
        self.medium_changed = self.medium_changed.max(until);
    }

    fn component_of(&self, node: NodeId, id: VirtualId) -> Option<(&Unit, &Component)> {
        let unit = self.units.iter().find(|unit| unit.bounds.members.contains(&id))?;
        let component = unit.components.iter().find(|component| component.nodes.contains(&node))?;
        Some((unit, component))
    }

    fn steady(&self, now: Moment, node: NodeId, id: VirtualId, transition: &Transition) -> Result<(), Broken> {
        let Some((unit, component)) = self.component_of(node, id) else { return Ok(()) };
        let calm = now.since(self.disturbed_at + self.slack);
        if self.ongoing || !component.whole || calm <= unit.bounds.settled {
            return Ok(());
        }
        let Transition { from, to, cause, .. } = transition;
        let text = format!("router {node}: I{id} from {from} to {to} ({cause}), {calm:?} after the last disturbance");
        Err((Invariant::Steady, text))
    }

    /// Where there is one master, another router has an address of its only if it is frozen.
    fn is_duplicate(
        &self,
        now: Moment,
        node: NodeId,
        id: VirtualId,
        address: IpAddr,
        nodes: &[Node],
    ) -> Result<(), Broken> {
        let others = nodes.iter().enumerate().filter(|(other, _)| *other != node);
        if others.map(|(_, other)| other).any(|other| other.has(address)) {
            return Ok(());
        }
        let Some((unit, component)) = self.component_of(node, id) else { return Ok(()) };
        let calm = now.since(self.disturbed_at.max(self.readdressed_at) + self.slack);
        if self.ongoing || !component.whole || calm <= unit.bounds.one + Bounds::GRACE {
            return Ok(());
        }
        let text = format!(
            "router {node} says that {address} of I{id} is on another machine, too, {calm:?} after the last disturbance"
        );
        Err((Invariant::NoFalseDuplicate, text))
    }

    /// A master that has been there, undisturbed, for as long as a backup waits has been heard by one that does not
    /// advertise more often than it. (A backup that has heard no master yet goes by its own interval: RFC 9568 §6.4.1.
    /// With a shorter one than the master's it takes over before it can have heard it.)
    fn does_not_preempt(
        &self,
        now: Moment,
        node: NodeId,
        id: VirtualId,
        transition: &Transition,
        nodes: &[Node],
        medium: &Medium,
    ) -> Result<(), Broken> {
        let Some(own) = nodes.get(node).and_then(|node| node.setting.instances.get(id)) else { return Ok(()) };
        if own.preempt != Preempt::No || matches!(transition.cause, Cause::Resumed) {
            return Ok(());
        }
        let told = |what: String| Err((Invariant::NoPreempt, what));
        if let Cause::Preempted { master, .. } = transition.cause {
            return told(format!("router {node} (nopreempt) preempts {master} as master of I{id}"));
        }
        // of two masters that did not hear each other one has left: RFC 9568 §6.4.2 (420) shortens the wait whichever
        // router says farewell, and the skew may be over before the other's next advert (seed 67954)
        if matches!(transition.cause, Cause::MasterLeft { .. }) {
            return Ok(());
        }
        let Some((unit, component)) = self.component_of(node, id) else { return Ok(()) };
        let long_ago = |at: Moment| now.since(at) > unit.bounds.one + self.slack;
        let handled = |who: NodeId| {
            self.handled.get(who).is_none_or(|at| !long_ago(*at)) || nodes.get(who).is_none_or(Node::is_cramped)
        };
        if medium.weather != Weather::FAIR || !long_ago(self.medium_changed) || handled(node) || !component.whole {
            return Ok(());
        }
        for other in component.nodes.iter().filter(|other| **other != node && !handled(**other)) {
            let Some(there) = nodes.get(*other) else { continue };
            let (Some(view), Some(theirs)) = (there.views.get(id), there.setting.instances.get(id)) else { continue };
            if view.state == State::Master && long_ago(view.since) && theirs.interval <= own.interval {
                let text = format!(
                    "router {node} (nopreempt) becomes master of I{id} ({}) though router {other} is, and can be heard",
                    transition.cause
                );
                return told(text);
            }
        }
        Ok(())
    }
}
