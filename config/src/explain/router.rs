//! Instances: when they take over, and what they send.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::vrrp::advert::length_with;
use keepalived_core::vrrp::wait::{down_interval, skew_time};
use keepalived_core::vrrp::{Family, Priority};
use serde::Serialize;

use super::tracker::{TrackerStory, stories};
use crate::model::{Config, Instance, Preempt, Settings, Transport};

/// One instance.
#[derive(Clone, Debug, Serialize)]
pub struct RouterStory {
    /// Its name.
    pub name: String,
    /// VRID, version, family and interface in words.
    pub identity: String,
    /// Its priority as it is written.
    pub priority: u8,
    /// Its priority while all that it tracks is well.
    pub all_well: u8,
    /// What it tracks, itself or through its sync group.
    pub trackers: Vec<TrackerStory>,
    /// The sync group that it moves with.
    pub sync_group: Option<String>,
    /// How long a failover to it takes.
    pub failover: Failover,
    /// What it sends while it is master.
    pub adverts: Adverts,
    /// The addresses that move, and those that move without being advertised.
    pub addresses: (usize, usize),
    /// What happens when it comes back while another is master.
    pub preemption: String,
}

/// How long the addresses are away when this router has to take them over.
#[derive(Clone, Debug, Serialize)]
pub struct Failover {
    /// The master dies just before its next advert is due.
    pub soonest: Duration,
    /// The master dies right after an advert.
    pub latest: Duration,
    /// The master stops in order and says farewell.
    pub farewell: Duration,
    /// From taking over to the second burst of announcements; zero if there is none.
    pub announced_again: Duration,
}

/// Adverts of a master.
#[derive(Clone, Debug, Serialize)]
pub struct Adverts {
    /// Octets of the IP packet.
    pub octets: usize,
    /// Between two of them.
    pub interval: Duration,
    /// How many receivers each is sent to: 1 for a group.
    pub copies: usize,
    /// Where they go, in words.
    pub destination: String,
}

pub(super) fn story(instance: &Instance, config: &Config) -> RouterStory {
    let group = config.sync_groups.iter().find(|group| group.members.contains(&instance.name));
    let (all_well, trackers) = stories(instance, group, config);
    RouterStory {
        name: instance.name.clone(),
        identity: identity(instance),
        priority: instance.settings.priority.get(),
        all_well,
        trackers,
        sync_group: group.map(|group| group.name.clone()),
        failover: failover(instance, Priority::new(all_well).unwrap_or(instance.settings.priority)),
        adverts: adverts(instance),
        addresses: (instance.addresses.len(), instance.excluded_addresses.len()),
        preemption: preemption(instance),
    }
}

fn identity(instance: &Instance) -> String {
    let interface = instance.interface.map(|name| format!(" on {name}")).unwrap_or_default();
    format!(
        "VRID {}, VRRP version {}, {}{interface}",
        instance.settings.vrid,
        instance.settings.version.number(),
        instance.settings.family
    )
}

/// The skew goes by the priority of the moment: that with all trackers well.
fn failover(instance: &Instance, priority: Priority) -> Failover {
    let Settings { version, interval, down_adverts, .. } = instance.settings;
    let latest = down_interval(version, priority, interval, down_adverts);
    Failover {
        soonest: latest.saturating_sub(interval.duration()),
        latest,
        farewell: skew_time(version, priority, interval),
        announced_again: instance.settings.garp.delay,
    }
}

fn adverts(instance: &Instance) -> Adverts {
    let header = match instance.settings.family {
        Family::V4 => 20,
        Family::V6 => 40,
    };
    let message = length_with(instance.settings.version, instance.settings.family, instance.addresses.len());
    let (copies, destination) = match &instance.transport {
        Transport::Multicast { group, .. } => (1, group.to_string()),
        Transport::Unicast { peers, .. } => {
            let peers: Vec<IpAddr> = peers.iter().map(|peer| peer.address).collect();
            (peers.len(), peers.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "))
        }
    };
    Adverts {
        octets: message.saturating_add(header),
        interval: instance.settings.interval.duration(),
        copies,
        destination,
    }
}

fn preemption(instance: &Instance) -> String {
    if instance.settings.priority.is_owner() {
        return "it owns the addresses and takes them at once".to_owned();
    }
    match instance.settings.preempt {
        Preempt::No => "it leaves a master of lower priority alone".to_owned(),
        Preempt::After(delay) => format!("it takes over from a master of lower priority, {delay:?} after it is fit to"),
        Preempt::Yes => "it takes over from a master of lower priority".to_owned(),
    }
}
