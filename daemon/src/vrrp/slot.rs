//! One instance in the engine: its machine and what surrounds it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use keepalived_config::InstanceKey;
use keepalived_config::model::Instance;
use keepalived_core::network::{AddressKey, Key, LinkIndex};
use keepalived_core::vrrp::tracking::Sum;
use keepalived_core::vrrp::{Faults, Router};
use keepalived_kernel::packets::{Channel, ChannelId};

use super::lower::Made;

/// Trouble that comes again with every attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Trouble {
    /// Adverts do not leave.
    Unsent,
    /// Sockets do not open.
    NoChannel,
    /// An address has no interface to be on.
    NoDevice,
    /// A route has no interface to go by.
    NoRouteDevice,
}

/// A route, a rule or something static that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    /// Which.
    pub(super) key: Key,
    /// Not `no_track`: whether its deletion concerns whoever holds it.
    pub(super) tracked: bool,
}

/// An instance with its machine.
#[derive(Debug)]
pub(super) struct Slot {
    /// What makes it the same instance after a reload.
    pub(super) key: InstanceKey,
    /// Its name, for everything that people read.
    pub(super) name: Arc<str>,
    /// What is configured.
    pub(super) instance: Instance,
    /// The machine.
    pub(super) router: Router,
    /// Where it stands in the configuration.
    pub(super) position: usize,
    /// The interface that it runs on, while that exists.
    pub(super) link: Option<LinkIndex>,
    /// The interface that its adverts go through: that, or the one below.
    pub(super) carrier: Option<LinkIndex>,
    /// Links that are made for it.
    pub(super) made: Vec<Made>,
    /// What it asks for with these.
    pub(super) own_keys: Vec<Key>,
    /// The link that it runs on has been asked for and is not there yet.
    pub(super) waits_for_link: bool,
    /// All links that it has to do with, its addresses' too, when that was last looked at.
    pub(super) links: Vec<LinkIndex>,
    /// Where its adverts go through, while it has a place to send from.
    pub(super) channel: Option<(Channel, ChannelId)>,
    /// The channel that is being opened for it.
    pub(super) opening: Option<Channel>,
    /// Its router starts once that is open, and what it tracks has had a result.
    pub(super) starts_later: bool,
    /// What about its surroundings keeps it from taking part.
    pub(super) own_faults: Faults,
    /// What its trackers come to.
    pub(super) tracked: Sum,
    /// Address its adverts leave from.
    pub(super) source: Option<IpAddr>,
    /// Addresses it holds, or has asked for, in the order of the configuration.
    pub(super) places: Vec<AddressKey>,
    /// Routes and rules that it holds, or has asked for.
    pub(super) held: Vec<Held>,
    /// Of its addresses, the ones that came into place and have not been announced yet.
    pub(super) unannounced: Vec<AddressKey>,
    /// Kinds of trouble that were reported since its state last changed: each is said once.
    pub(super) said: BTreeSet<Trouble>,
    /// IPv4 identification of its last advert.
    pub(super) identification: u16,
}

impl Slot {
    /// What keeps it from taking part, its sync group aside.
    pub(super) fn faults(&self) -> Faults {
        self.own_faults.clone().and(self.tracked.faults.clone())
    }

    /// Whether anything does.
    pub(super) fn is_in_fault(&self) -> bool {
        !self.own_faults.is_empty() || !self.tracked.faults.is_empty()
    }
}
