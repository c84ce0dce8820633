//! What is known when something is asked for.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use keepalived_config::model::{Config, Instance, OwnLink, SyncGroup};
use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Family, State};
use keepalived_state::{InstanceView, Snapshot, TrackerView};

use super::agent::Memory;

/// What is known: how the daemon is, how it is configured, and facts about the machine.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// How the daemon is.
    pub snapshot: &'a Snapshot,
    /// How it is configured.
    pub config: &'a Config,
    /// The machine.
    pub machine: &'a Machine,
    /// Wall-clock time.
    pub now: SystemTime,
}

/// What neither snapshot nor configuration say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// What `version` shows.
    pub version: String,
    /// When the daemon began.
    pub started: SystemTime,
    /// Interfaces, by name. One that is missing has the index 0, as keepalived has it.
    pub links: BTreeMap<InterfaceName, Link>,
}

/// An interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// `ifIndex`
    pub index: u32,
    /// Its hardware address.
    pub hardware: Vec<u8>,
    /// Its first IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its link-local address.
    pub ipv6: Option<Ipv6Addr>,
}

/// A [`World`], what the agent remembers, and orders that are made once for a request.
pub(super) struct Scene<'a> {
    pub(super) world: World<'a>,
    pub(super) memory: &'a Memory,
    pub(super) rfc2787: OnceCell<Order>,
    pub(super) rfc2787_addresses: OnceCell<Order>,
    pub(super) rfc6527: OnceCell<Order>,
    pub(super) rfc6527_addresses: OnceCell<Order>,
}

/// Rows by their index in SNMP, each with the place of its instance.
pub(super) type Order = Vec<(Vec<u32>, usize)>;

/// A `vrrp_instance`.
#[derive(Clone, Copy)]
pub(super) struct InstanceRow<'a> {
    pub(super) config: &'a Instance,
    pub(super) view: Option<&'a InstanceView>,
}

impl InstanceRow<'_> {
    pub(super) fn state(&self) -> State {
        self.view.map_or(State::Init, |view| view.state)
    }

    pub(super) fn settings(&self) -> &keepalived_core::vrrp::Settings {
        self.view.map_or(&self.config.settings, |view| &view.settings)
    }

    pub(super) fn counters(&self) -> keepalived_core::vrrp::Counters {
        self.view.map(|view| view.counters).unwrap_or_default()
    }
}

/// The place that an index of SNMP, which begins at 1, stands for.
pub(super) fn place(index: u32) -> Option<usize> {
    usize::try_from(index).ok()?.checked_sub(1)
}

impl<'a> Scene<'a> {
    pub(super) fn new(world: World<'a>, memory: &'a Memory) -> Self {
        let (rfc2787, rfc2787_addresses) = (OnceCell::new(), OnceCell::new());
        let (rfc6527, rfc6527_addresses) = (OnceCell::new(), OnceCell::new());
        Self { world, memory, rfc2787, rfc2787_addresses, rfc6527, rfc6527_addresses }
    }

    pub(super) fn config(&self) -> &'a Config {
        self.world.config
    }

    /// The instance at a place of the configuration. While a reload is on its way, the view may be of another one.
    pub(super) fn instance_at(&self, place: usize) -> Option<InstanceRow<'a>> {
        let config = self.world.config.instances.get(place)?;
        let view = self.world.snapshot.vrrp.instances.get(place).filter(|view| view.name == config.name);
        Some(InstanceRow { config, view })
    }

    /// The instance with a name.
    pub(super) fn instance_named(&self, name: &str) -> Option<InstanceRow<'a>> {
        let place = self.world.config.instances.iter().position(|instance| instance.name == name)?;
        self.instance_at(place)
    }

    pub(super) fn tracker(
        &self,
        kind: keepalived_core::vrrp::tracking::TrackerKind,
        name: &str,
    ) -> Option<&'a TrackerView> {
        self.world.snapshot.vrrp.trackers.iter().find(|tracker| tracker.id.kind == kind && tracker.id.name == name)
    }

    pub(super) fn link(&self, name: Option<InterfaceName>) -> Option<&'a Link> {
        self.world.machine.links.get(&name?)
    }

    /// `ifIndex`; 0 if there is no such interface.
    pub(super) fn index_of(&self, name: Option<InterfaceName>) -> u32 {
        self.link(name).map_or(0, |link| link.index)
    }

    /// The interface that an instance runs on: its own one, if it has one.
    pub(super) fn interface(&self, instance: &Instance) -> Option<InterfaceName> {
        let own = instance.own_link.as_deref();
        let Some(own) = own else { return instance.interface };
        let said = match own {
            OwnLink::Vmac(vmac) => vmac.name,
            OwnLink::Ipvlan(ipvlan) => ipvlan.name,
        };
        said.or_else(|| {
            let six = if instance.settings.family == Family::V6 { "6" } else { "" };
            let prefix = &self.world.config.global.vmac_names.prefix;
            InterfaceName::new(format!("{prefix}{six}.{}", instance.settings.vrid).as_bytes())
        })
    }

    /// The address that adverts of an instance leave from.
    pub(super) fn primary(&self, row: InstanceRow<'_>) -> Option<IpAddr> {
        let link = self.link(row.config.interface);
        let own = link.and_then(|link| match row.config.settings.family {
            Family::V4 => link.ipv4.map(IpAddr::V4),
            Family::V6 => link.ipv6.map(IpAddr::V6),
        });
        own.or_else(|| row.view.and_then(|view| view.source))
    }
}

/// The state of a sync group: that of its members, which change together. `None` while a member is not known: the vrrp process begins.
pub(super) fn group_state(world: World<'_>, group: &SyncGroup) -> Option<State> {
    let views = &world.snapshot.vrrp.instances;
    let mut all = None;
    for name in &group.members {
        let state = views.iter().find(|view| view.name == *name)?.state;
        all = Some(match (all, state) {
            (None, state) => state,
            (Some(State::Fault), _) | (_, State::Fault) => State::Fault,
            (Some(State::Init), _) | (_, State::Init) => State::Init,
            (Some(State::Stopped), _) | (_, State::Stopped) => State::Stopped,
            (Some(State::Backup), _) | (_, State::Backup) => State::Backup,
            (Some(State::Master), State::Master) => State::Master,
        });
    }
    all
}

/// `init(0), backup(1), master(2), fault(3), unknown(4)`
pub(super) fn state_number(state: State) -> i32 {
    match state {
        State::Init => 0,
        State::Backup => 1,
        State::Master => 2,
        State::Fault => 3,
        State::Stopped => 4,
    }
}
