//! The promises about one router, whatever the others do.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::vrrp::{Cause, Fault, State, Transition};

use crate::bounds::{FLOOD, LATENESS, TURN};
use crate::clock::{Moment, stretched};
use crate::invariant::{Broken, Invariant};
use crate::node::{Deeds, Node};
use crate::setting::{NodeId, VirtualId};

pub(super) fn punctual(now: Moment, nodes: &[Node]) -> Result<(), Broken> {
    for (id, node) in nodes.iter().enumerate().filter(|(_, node)| node.is_up() && !node.paused && !node.is_mute()) {
        for (which, (view, instance)) in node.views.iter().zip(&node.setting.instances).enumerate() {
            let silence = now.since(view.last_advert);
            let sends = view.state == State::Master && !view.without_sockets;
            if sends && silence > stretched(instance.advert_interval()) + LATENESS * 2 + node.lag {
                return Err((
                    Invariant::Punctual,
                    format!("router {id}, master of I{which}, has not sent for {silence:?}"),
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn announced(now: Moment, nodes: &[Node]) -> Result<(), Broken> {
    for (id, node) in nodes.iter().enumerate().filter(|(_, node)| node.is_up() && !node.paused) {
        if let Some((address, since)) = node.unannounced(now) {
            return Err((
                Invariant::Announces,
                format!("router {id} has {address} and has not announced it for {since:?}"),
            ));
        }
    }
    Ok(())
}

pub(super) fn not_abandoned(now: Moment, nodes: &[Node]) -> Result<(), Broken> {
    for (id, node) in nodes.iter().enumerate() {
        if let Some((address, silence)) = node.abandoned(now) {
            let text = format!("router {id} has {address}, and its vrrp process is dead for {silence:?}");
            return Err((Invariant::NotAbandoned, text));
        }
    }
    Ok(())
}

/// `calm_since`: no kernel and no cable has changed since then.
pub(super) fn in_fault(now: Moment, calm_since: Moment, nodes: &[Node]) -> Result<(), Broken> {
    for (id, node) in nodes.iter().enumerate().filter(|(_, node)| node.is_up() && !node.paused) {
        let instances = &node.setting.instances;
        for (which, (view, instance)) in node.views.iter().zip(instances).enumerate() {
            let unit = instances
                .iter()
                .enumerate()
                .filter(|(other, member)| *other == which || (instance.grouped && member.grouped));
            let unit: Vec<_> = unit.map(|(_, member)| member).collect();
            let (tracked, unplugged) =
                (unit.iter().any(|it| it.fault), unit.iter().any(|it| !node.is_plugged(it.segment)));
            let is = view.state == State::Fault;
            let due = now.since(node.tracked_at) > LATENESS * 4 + node.lag * 2;
            let calm = now.since(calm_since) > LATENESS * 4 + node.lag * 2;
            let wrong = is != (tracked || unplugged);
            if !instance.absent && wrong && due && calm {
                let text = format!("router {id}, I{which}: {:?}, tracked {tracked}, unplugged {unplugged}", view.state);
                return Err((Invariant::FaultWhileTracked, text));
            }
        }
    }
    Ok(())
}

/// Who takes part leaves for a cable only once that has been out for the delay of the interface.
pub(super) fn down_for_long(
    now: Moment,
    id: NodeId,
    node: &Node,
    which: VirtualId,
    transition: &Transition,
) -> Result<(), Broken> {
    let took_part = matches!(transition.from, State::Backup | State::Master);
    let Cause::Fault(faults) = &transition.cause else { return Ok(()) };
    let (Some(delays), Some(instance)) = (node.setting.delays, node.setting.instances.get(which)) else {
        return Ok(());
    };
    let least = Duration::from_millis(delays.down * 10);
    // its clock may be fast
    let least = least - least * 2 / 1_000;
    let down = node.down_for(now, instance.segment).filter(|_| took_part && faults.contains(&Fault::InterfaceDown));
    if let Some(down) = down.filter(|down| *down < least) {
        let text = format!("router {id}, I{which}: its interface is down for {down:?}, and has to be for {least:?}");
        return Err((Invariant::DownForLong, text));
    }
    Ok(())
}

pub(super) fn hears_first(
    now: Moment,
    id: NodeId,
    node: &Node,
    which: VirtualId,
    transition: &Transition,
    deeds: &Deeds,
) -> Result<(), Broken> {
    let by_timer = match transition.cause {
        Cause::MasterSilent { .. }
        | Cause::MasterLeft { .. }
        | Cause::Preempted { .. }
        | Cause::GroupMaster => true,
        Cause::Started
        | Cause::OwnerStarted
        | Cause::HigherClaim { .. }
        | Cause::Fault(_)
        | Cause::FaultCleared
        | Cause::AddressLost
        | Cause::Stalled { .. }
        | Cause::Resumed
        | Cause::GroupBackup
        | Cause::Stopped
        | Cause::Removed
        // BFD takes the place of the timer
        | Cause::PathLost { .. } => false,
    };
    let (Some(heard), Some(own)) = (deeds.heard.get(which), node.setting.instances.get(which)) else { return Ok(()) };
    // what BFD promotes has asked its group before its timer ended
    let by_timer = by_timer && !(own.promoted && matches!(transition.cause, Cause::GroupMaster));
    let Some((stamp, interval)) = heard.followed.filter(|(stamp, _)| by_timer && *stamp >= heard.fresh) else {
        return Ok(());
    };
    if heard.farewell.is_some_and(|farewell| farewell >= stamp) {
        return Ok(());
    }
    let interval = if own.version == 2 { own.advert_interval() } else { interval };
    let wait = own.down_time(interval);
    let waited = transition.at.since(stamp);
    if waited >= wait {
        return Ok(());
    }
    // a flood that lasts keeps no backup from taking over, and the last to arrive is still to be read
    let is_unread = waited <= TURN * 3 || now.since(node.resumed_at) <= TURN * 3;
    if node.deluged_for(now).is_some_and(|lasts| lasts + TURN >= FLOOD) && is_unread {
        return Ok(());
    }
    let text = format!(
        "router {id} becomes master of I{which} ({}) {waited:?} after an advert it had to follow reached its socket; it has to wait {wait:?}",
        transition.cause
    );
    Err((Invariant::HearsFirst, text))
}

/// Addresses that the router ought to have: those of its masters.
fn wanted(node: &Node) -> impl Iterator<Item = IpAddr> + '_ {
    let masters = node.views.iter().zip(&node.setting.instances).filter(|(view, _)| view.state == State::Master);
    masters.flat_map(|(_, instance)| instance.addresses.iter().copied())
}

pub(super) fn holdings(now: Moment, id: NodeId, node: &Node) -> Result<(), Broken> {
    let excused = |address: &IpAddr| node.is_excused(*address, now);
    if let Some(missing) = wanted(node).find(|address| !node.present().contains(address) && !excused(address))
        && !node.may_lack(now)
    {
        return Err((Invariant::MasterHolds, format!("router {id} is master and has no {missing}")));
    }
    if let Some(left) = node.present().iter().find(|it| !wanted(node).any(|wanted| wanted == **it) && !excused(it)) {
        return Err((Invariant::OthersDoNot, format!("router {id} has {left} and is not its master")));
    }
    if let Some(wrong) = node.misplaced().iter().find(|address| !excused(address)) {
        let text = format!("router {id} has {wrong} on another interface than its virtual router is on");
        return Err((Invariant::VirtualMac, text));
    }
    Ok(())
}
