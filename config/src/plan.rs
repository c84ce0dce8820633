//! The difference between two configurations: what a reload has to change, and nothing else.

mod balance;
mod pairing;

use std::collections::HashMap;
use std::net::IpAddr;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Family, Vrid};
use serde::{Deserialize, Serialize};

pub use balance::{Edit, RealServerChange, RealServerEdit, VirtualServerChange, VirtualServerEdit};

use crate::model::{
    Backend, BfdInstance, Config, Firewall, Global, Instance, IpvsNamespace, Transport, VirtualServerGroup,
};

/// What makes an instance the same one across a reload: not its name (behaviour.md section 10). A rename keeps the
/// state; a new VRID is a new virtual router.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The VRID.
    pub vrid: Vrid,
    /// The family.
    pub family: Family,
    /// The configured interface.
    pub interface: Option<InterfaceName>,
    /// What adverts are sent with.
    pub cast: Cast,
    /// 0 for the first instance with all of the above, in the order of the file; unicast instances may share it.
    pub ordinal: u32,
}

/// Multicast by its group, unicast by its source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Cast {
    /// To this group.
    Multicast(IpAddr),
    /// From this address, or the interface's primary one.
    Unicast(Option<IpAddr>),
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// An instance that goes. These come first: its addresses may be wanted elsewhere.
    Removed(InstanceKey),
    /// An instance that differs from what it was.
    Changed {
        /// Which; the same before and after.
        key: InstanceKey,
        /// What it is from now on.
        instance: Box<Instance>,
    },
    /// A new instance.
    Added(Box<Instance>),
    /// `Config::global` is another.
    GlobalChanged,
    /// `Config::sync_groups` are others, by the names of today.
    SyncGroupsChanged,
    /// `Config::garp_groups` are others.
    GarpGroupsChanged,
    /// What can be tracked is another: `Config::scripts`, `files`, `processes`.
    TrackersChanged,
    /// What is static is another: addresses, routes, rules, and the groups that track them.
    StaticsChanged,
    /// How links are watched is another: `Config::linkbeats`, `interface_delays`.
    LinksChanged,
    /// A `bfd_instance`: the same one if its addresses are; a rename is a change.
    BfdInstance(Box<Edit<BfdInstance>>),
    /// `Config::ssl` is another.
    SslChanged,
    /// A `virtual_server_group`: the same one if its name is. Virtual servers that use it are not named on its account.
    VirtualServerGroup(Box<Edit<VirtualServerGroup>>),
    /// A `virtual_server`: the same one if its `service` is; real servers by address and port, checks by what they look
    /// at.
    VirtualServer(Box<VirtualServerEdit>),
}

/// What a reload has to do.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In the order in which the processes carry them out.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A change that needs a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// The keyword.
    pub keyword: String,
    /// Its value now.
    pub from: Option<String>,
    /// The value asked for.
    pub to: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let Self { keyword, from, to } = self;
        write!(f, "{keyword} cannot change from {} to {} without a restart", shown(from), shown(to))
    }
}

impl std::error::Error for Refusal {}

/// Compares two configurations, in time proportional to their size.
///
/// # Errors
/// The first of the settings that cannot change while running; the old configuration then stays as a whole.
pub fn plan(old: &Config, new: &Config) -> Result<Plan, Refusal> {
    refuse("net_namespace", &old.global.net_namespace, &new.global.net_namespace)?;
    refuse("instance", &old.global.instance, &new.global.instance)?;
    let namespace = |config: &Config| match &config.global.balancing.namespace {
        IpvsNamespace::Ours => None,
        IpvsNamespace::Default => Some("the default namespace".to_owned()),
        IpvsNamespace::Named(name) => Some(name.clone()),
    };
    refuse("net_namespace_ipvs", &namespace(old), &namespace(new))?;
    let backend = |config: &Config| {
        let word = match config.global.balancing.backend {
            Backend::Ipvs => "ipvs",
            Backend::Nftables => "nftables",
            Backend::Auto => "auto",
        };
        Some(word.to_owned())
    };
    refuse("lvs_backend", &backend(old), &backend(new))?;
    let (firewall, other) = (&old.global.firewall, &new.global.firewall);
    refuse("nftables", &firewall.table, &other.table)?;
    let said = |firewall: &Firewall| firewall.no_local_igmp.then(|| "on".to_owned());
    refuse("disable_local_igmp", &said(firewall), &said(other))?;
    refuse("nftables_ipvs", &old.global.balancing.table, &new.global.balancing.table)?;
    let mut before: HashMap<InstanceKey, &Instance> = keyed(&old.instances).collect();
    let (mut changed, mut added) = (Vec::new(), Vec::new());
    for (key, instance) in keyed(&new.instances) {
        match before.remove(&key) {
            None => added.push(Change::Added(Box::new(instance.clone()))),
            Some(old) if old != instance => changed.push(Change::Changed { key, instance: Box::new(instance.clone()) }),
            Some(_) => {}
        }
    }
    // from the old file again, so that the order does not depend on the hash
    let removed =
        keyed(&old.instances).filter(|(key, _)| before.contains_key(key)).map(|(key, _)| Change::Removed(key));
    let trackers = old.scripts != new.scripts
        || old.files != new.files
        || old.processes != new.processes
        || old.probes != new.probes;
    let routing = old.static_routes != new.static_routes || old.static_rules != new.static_rules;
    let addresses = old.static_addresses != new.static_addresses || old.track_groups != new.track_groups;
    let statics = routing || addresses;
    let links = old.linkbeats != new.linkbeats || old.interface_delays != new.interface_delays;
    let groups = [
        (differs(&old.global, &new.global), Change::GlobalChanged),
        (old.sync_groups != new.sync_groups, Change::SyncGroupsChanged),
        (old.garp_groups != new.garp_groups, Change::GarpGroupsChanged),
        (trackers, Change::TrackersChanged),
        (statics, Change::StaticsChanged),
        (links, Change::LinksChanged),
    ];
    let groups = groups.into_iter().filter(|(differs, _)| *differs).map(|(_, change)| change);
    let mut changes: Vec<Change> = removed.chain(changed).chain(added).chain(groups).collect();
    balance::changes(old, new, &mut changes);
    Ok(Plan { changes })
}

/// What to say of a reload that leaves no instance, no virtual server and no BFD session, although there were some: perhaps the file
/// was cut off, or an include is missing. `None` if anything goes on, or nothing ran.
pub fn leaves_nothing(old: &Config, new: &Config) -> Option<String> {
    let counts = [
        (old.instances.len(), "instance"),
        (old.virtual_servers.len(), "virtual server"),
        (old.bfd_instances.len(), "BFD session"),
    ];
    let gone = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    });
    let gone: Vec<String> = gone.collect();
    let is_empty = new.instances.is_empty() && new.virtual_servers.is_empty() && new.bfd_instances.is_empty();
    (is_empty && !gone.is_empty()).then(|| {
        let one = counts.iter().fold(0, |sum: usize, (count, _)| sum.saturating_add(*count)) == 1;
        let (stop, gone) = (if one { "stops" } else { "stop" }, gone.join(" and "));
        format!("the new configuration has no instance, no virtual server and no BFD session: {gone} {stop}")
    })
}

/// Whether anything differs but what instances start from: these say themselves what has changed for them.
fn differs(old: &Global, new: &Global) -> bool {
    let old = Global { routers: new.routers.clone(), ..old.clone() };
    old != *new
}

fn refuse(keyword: &str, from: &Option<String>, to: &Option<String>) -> Result<(), Refusal> {
    if from == to {
        return Ok(());
    }
    Err(Refusal { keyword: keyword.to_owned(), from: from.clone(), to: to.clone() })
}

/// The instances with their keys, in the order of the file.
pub fn keyed(instances: &[Instance]) -> impl Iterator<Item = (InstanceKey, &Instance)> {
    let mut seen: HashMap<InstanceKey, u32> = HashMap::new();
    instances.iter().map(move |instance| {
        let mut key = first_key(instance);
        let count = seen.entry(key.clone()).or_default();
        key.ordinal = *count;
        *count = count.saturating_add(1);
        (key, instance)
    })
}

fn first_key(instance: &Instance) -> InstanceKey {
    let cast = match &instance.transport {
        Transport::Multicast { group, .. } => Cast::Multicast(*group),
        Transport::Unicast { source, .. } => Cast::Unicast(*source),
    };
    InstanceKey {
        vrid: instance.settings.vrid,
        family: instance.settings.family,
        interface: instance.interface,
        cast,
        ordinal: 0,
    }
}
