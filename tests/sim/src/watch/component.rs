//! Routers that hear each other, and the promises about all of them together.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::vrrp::State;

use crate::bounds::Bounds;
use crate::clock::Moment;
use crate::invariant::{Broken, Invariant};
use crate::medium::Medium;
use crate::node::Node;
use crate::setting::{NodeId, Preempt, VirtualId};

/// Routers that take part, and hear each other.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) nodes: Vec<NodeId>,
    /// Each hears each. Where A hears B and B hears C but A does not hear C, or does not hear B though B hears A, A and
    /// C may both be master for ever: no router can know, and nothing is promised.
    pub(super) whole: bool,
    pub(super) several_masters: Episode,
    pub(super) no_master: Episode,
    pub(super) several_holders: Episode,
}

/// Since when something has been so.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Episode(Option<Moment>);

impl Episode {
    /// Whether what `is` so now, and has been since `seen_at`, has been so for longer than a handover and a kernel
    /// take.
    pub(super) fn lasts(&mut self, is: bool, seen_at: Moment, now: Moment, slack: Duration) -> bool {
        self.0 = if is { Some(self.0.unwrap_or(seen_at)) } else { None };
        self.0.is_some_and(|since| now.since(since) > Bounds::GRACE + slack)
    }
}

/// Routers that take part in all of `members`; those of one component hear each other.
pub(super) fn components(members: &[VirtualId], nodes: &[Node], medium: &Medium) -> Vec<Component> {
    let takes_part = |node: &Node| {
        node.is_up()
            && !node.paused
            && members.iter().all(|member| {
                node.setting
                    .instances
                    .get(*member)
                    .is_some_and(|instance| node.is_plugged(instance.segment) && !instance.absent && !instance.fault)
            })
    };
    let mut left: Vec<NodeId> = (0..nodes.len()).filter(|id| nodes.get(*id).is_some_and(takes_part)).collect();
    let mut components = Vec::new();
    while let Some(first) = left.pop() {
        let mut members = vec![first];
        let mut next = 0;
        while let Some(from) = members.get(next).copied() {
            next += 1;
            let near = |to: &NodeId| medium.passes(from, *to) || medium.passes(*to, from);
            members.extend(left.iter().filter(|to| near(to)).copied().collect::<Vec<_>>());
            left.retain(|to| !members.contains(to));
        }
        let whole = members.iter().all(|a| members.iter().all(|b| a == b || medium.passes(*a, *b)));
        members.sort_unstable();
        components.push(Component {
            nodes: members,
            whole,
            several_masters: Episode::default(),
            no_master: Episode::default(),
            several_holders: Episode::default(),
        });
    }
    components
}

pub(super) fn masters(component: &Component, nodes: &[Node], id: VirtualId) -> Vec<NodeId> {
    let is_master = |node: &&NodeId| {
        nodes.get(**node).and_then(|node| node.views.get(id)).is_some_and(|view| view.state == State::Master)
    };
    component.nodes.iter().filter(is_master).copied().collect()
}

pub(super) fn held_twice(
    now: Moment,
    component: &Component,
    nodes: &[Node],
    members: &[VirtualId],
) -> Option<(IpAddr, Vec<NodeId>)> {
    let first = component.nodes.first().and_then(|first| nodes.get(*first))?;
    // two that disagree about whose address it is may both have it
    if component.nodes.iter().filter_map(|node| nodes.get(*node)).any(|node| !same_addresses(node, first)) {
        return None;
    }
    for instance in members.iter().filter_map(|member| first.setting.instances.get(*member)) {
        for address in &instance.addresses {
            let has = |node: &&NodeId| {
                nodes.get(**node).is_some_and(|node| node.has(*address) && !node.is_excused(*address, now))
            };
            if component.nodes.iter().filter(has).count() > 1 {
                return Some((*address, component.nodes.iter().filter(has).copied().collect()));
            }
        }
    }
    None
}

fn same_addresses(one: &Node, other: &Node) -> bool {
    let pairs = one.setting.instances.iter().zip(&other.setting.instances);
    pairs.into_iter().all(|(one, other)| one.addresses == other.addresses)
}

/// Equal priorities do not preempt each other: whichever is master stays.
pub(super) fn ranked(component: &Component, nodes: &[Node], members: &[VirtualId]) -> Result<(), Broken> {
    let of = |node: &NodeId, id: VirtualId| nodes.get(*node).and_then(|node| node.setting.instances.get(id));
    // a group preempts when all of it would
    let preempts =
        |node: &NodeId| members.iter().all(|id| of(node, *id).is_some_and(|instance| instance.preempt != Preempt::No));
    for id in members {
        for master in masters(component, nodes, *id) {
            let theirs = of(&master, *id).map(|instance| instance.priority);
            for node in component.nodes.iter().filter(|node| preempts(node)) {
                let own = of(node, *id).map(|instance| instance.priority);
                if own > theirs {
                    let text = format!(
                        "router {node} would be a better master of I{id} (priority {own:?}) than router {master} ({theirs:?})"
                    );
                    return Err((Invariant::Priority, text));
                }
            }
        }
    }
    Ok(())
}
