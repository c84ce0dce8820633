//! What one virtual router is told to be.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::announce::Garp;
use super::authentication::Authentication;
use super::types::{AdvertInterval, Family, Priority, Version, Vrid};

/// What an instance is configured to be, as far as its [`super::Router`] obeys it and everyone may see it: configuration, router
/// and view hold this one struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// `virtual_router_id`: the identifier on the wire.
    pub vrid: Vrid,
    /// `version`, sent and accepted.
    pub version: Version,
    /// Family of the adverts and of the advertised addresses.
    pub family: Family,
    /// `priority`, before anything that is tracked adds to it.
    pub priority: Priority,
    /// `state`: only an owner that wants it is master at once.
    pub initial: InitialState,
    /// `advert_int`: our own advertisement interval.
    pub interval: AdvertInterval,
    /// `down_timer_adverts`: how many intervals of silence mean that the master is down; the RFCs say 3.
    pub down_adverts: u8,
    /// Whether, and after how long, a lower-priority master is replaced.
    pub preempt: Preempt,
    /// `v3_checksum_as_v2`, `old_unicast_checksum`: the form that version 3 over IPv4 sends; it accepts all.
    pub checksum: ChecksumForm,
    /// `strict_mode`: refuse what keepalived tolerates though the RFC does not, an advert without addresses.
    pub strict: bool,
    /// `skip_check_adv_addr`: do not compare the address list again while the master stays the same.
    pub skip_check_adv_addr: bool,
    /// `lower_prio_no_advert`: do not answer a lower-priority advert with our own (RFC 5798; RFC 9568 §6.4.3 wants the answer).
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`: send one last advert before yielding to a higher priority.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`: an owner ignores what it hears.
    pub owner_ignore_adverts: bool,
    /// `timer_expired_backup`: become backup after a stall in which a router with this priority would have taken over.
    pub timer_expired_backup: Option<Priority>,
    /// Gratuitous ARP and unsolicited NA.
    pub garp: Garp,
}

/// Parameters of a [`super::Router`], lowered from the configuration by its process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Params {
    /// What the configuration says.
    pub settings: Settings,
    /// Where adverts go.
    pub reach: Reach,
    /// Addresses in the advert, in its order.
    pub addresses: Vec<IpAddr>,
    /// How adverts are known to be ours.
    pub authentication: Authentication,
    /// Where in the interval adverts fall, as a fraction of 65,536: instances that become master at the same moment are
    /// spread by it, and those with the same phase share a wake-up.
    pub phase: u16,
}

/// `state`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum InitialState {
    /// Wants to be master from the start.
    Master,
    /// Waits to hear.
    Backup,
}

/// `nopreempt` and `preempt_delay`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Preempt {
    /// Take over from a lower priority.
    Yes,
    /// Take over from a lower priority once it has been heard for this long.
    After(Duration),
    /// Never take over from a master that is alive.
    No,
}

/// Where adverts go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// To a group.
    Multicast(IpAddr),
    /// To each peer.
    Unicast {
        /// The other routers.
        peers: Vec<Peer>,
        /// TTL or hop limit of what is sent.
        ttl: u8,
        /// Accept adverts from `peers` only, within their TTL range.
        check_source: bool,
    },
}

/// One line of `unicast_peer`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// The other router.
    pub address: IpAddr,
    /// `min_ttl`
    pub min_ttl: u8,
    /// `max_ttl`
    pub max_ttl: u8,
}

/// The checksums in circulation for version 3 over IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum ChecksumForm {
    /// With pseudo-header (RFC 5798 as keepalived reads it): the default.
    PseudoHeader,
    /// Without (RFC 9568 §5.2.8): `v3_checksum_as_v2`.
    Plain,
    /// Pseudo-header with the multicast group as destination though sent to a peer, as keepalived did before 1.3.7:
    /// `old_unicast_checksum`.
    OldUnicast,
}

impl Settings {
    /// What an instance has if nothing else is configured: keepalived's defaults.
    pub fn new(vrid: Vrid, version: Version, family: Family) -> Self {
        Self {
            vrid,
            version,
            family,
            priority: Priority::DEFAULT,
            initial: InitialState::Backup,
            interval: AdvertInterval::DEFAULT,
            down_adverts: 3,
            preempt: Preempt::Yes,
            checksum: ChecksumForm::PseudoHeader,
            strict: false,
            skip_check_adv_addr: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            timer_expired_backup: None,
            garp: Garp::default(),
        }
    }
}

#[cfg(test)]
impl Params {
    /// What the tests start from: VRID 51, over IPv4 to 224.0.0.18, with 192.0.2.100.
    pub(super) fn example(version: Version) -> Self {
        Self {
            settings: Settings::new(Vrid::new(51).unwrap(), version, Family::V4),
            reach: Reach::Multicast(IpAddr::from([224, 0, 0, 18])),
            addresses: vec![IpAddr::from([192, 0, 2, 100])],
            authentication: Authentication::None,
            phase: 0,
        }
    }

    /// With other settings.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}
