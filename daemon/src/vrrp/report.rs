//! What the engine has to tell people and the supervisor.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use keepalived_config::InstanceKey;
use keepalived_config::model::VipLost;
use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::duplicate::Mac;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState};
use keepalived_core::vrrp::{Cause, Note, Priority, State, Transition};

use crate::log::About;

/// Something to be logged; transitions also go to the supervisor and into the journal.
#[derive(Clone, Debug)]
pub enum Report {
    /// An instance changed its state.
    Transition {
        /// Its key.
        key: InstanceKey,
        /// Its name.
        name: Arc<str>,
        /// From what to what, and why.
        transition: Transition,
        /// Whether it is logged.
        said: Said,
    },
    /// All members of a sync group have reached a state.
    Group {
        /// Its name.
        name: Arc<str>,
        /// The state.
        state: State,
        /// Why the last member, or at the start the first one, did.
        cause: Cause,
        /// Whether it is logged.
        said: Said,
    },
    /// A master heard a router with a lower claim (`notify_master_rx_lower_pri`).
    LowerPriority {
        /// Instance.
        name: Arc<str>,
        /// That router.
        source: IpAddr,
        /// Its priority.
        priority: u8,
        /// Ours.
        ours: Priority,
    },
    /// Lines about an instance that were too many to be logged.
    LeftOut {
        /// Instance.
        name: Arc<str>,
        /// How many.
        count: u64,
        /// Where they led.
        state: State,
    },
    /// The priority of an instance is another one: what it tracks adds up to something else.
    Priority {
        /// Its key.
        key: InstanceKey,
        /// Its name.
        name: Arc<str>,
        /// The priority before.
        before: Priority,
        /// The priority now.
        priority: Priority,
        /// The state that it has meanwhile.
        state: State,
        /// Whether it is logged.
        said: Said,
    },
    /// Something that is tracked has another result.
    Tracker {
        /// What.
        tracker: TrackerId,
        /// The result before.
        before: TrackerState,
        /// The result now.
        state: TrackerState,
        /// Why.
        detail: Detail,
        /// Whether it is logged.
        said: Said,
    },
    /// A router noticed something in an advert.
    Note {
        /// Instance.
        name: Arc<str>,
        /// What it noticed.
        note: Note,
    },
    /// Another program took an address away.
    AddressLost {
        /// Instance.
        name: Arc<str>,
        /// The address.
        address: IpAddr,
        /// What is done about it.
        answer: VipLost,
    },
    /// Another machine has an address that we have in place.
    Duplicate {
        /// Key of the instance.
        key: InstanceKey,
        /// Instance.
        name: Arc<str>,
        /// The address.
        address: IpAddr,
        /// Where we have it.
        interface: InterfaceName,
        /// That machine.
        holder: Mac,
    },
    /// The kernel does not take an address.
    AddressRefused {
        /// Instance.
        name: Arc<str>,
        /// The address.
        address: IpAddr,
        /// The kernel's words.
        reason: String,
    },
    /// A virtual address was on the machine when it was not to be there.
    LeftOver {
        /// Instance.
        name: Arc<str>,
        /// The address.
        address: IpAddr,
        /// Its prefix length.
        prefix: u8,
        /// Where it was.
        interface: InterfaceName,
        /// What became of it.
        fate: LeftOver,
    },
    /// Addresses of a network go for a moment when a virtual one that was there before them is removed.
    Unguarded {
        /// Their interface.
        interface: InterfaceName,
        /// The kernel's words.
        reason: String,
    },
    /// An address has no interface to be on.
    NoDevice {
        /// Instance.
        name: Arc<str>,
        /// The address.
        address: IpAddr,
    },
    /// A tracked address is on an interface that cannot serve it: the instance is in FAULT.
    AddressInterface {
        /// Instance.
        name: Arc<str>,
        /// The address.
        address: IpAddr,
        /// Its interface.
        interface: InterfaceName,
        /// Whether the interface exists, and is down.
        there: bool,
    },
    /// Another program took a route or a rule away.
    RouteLost {
        /// Instance, or `static`.
        name: Arc<str>,
        /// Which, in the words of `ip`.
        what: String,
        /// What is done about it.
        answer: VipLost,
    },
    /// The kernel does not take a route or a rule.
    RouteRefused {
        /// Instance, or `static`.
        name: Arc<str>,
        /// Which, in the words of `ip`.
        what: String,
        /// The kernel's words.
        reason: String,
    },
    /// The packet filter cannot be set up.
    FirewallRefused {
        /// The kernel's words.
        reason: String,
    },
    /// Another program removed rules of ours from the packet filter, and they are put back.
    FirewallLost,
    /// A route or a rule of an earlier run was there, and is removed.
    RouteLeftOver {
        /// Instance.
        name: Arc<str>,
        /// Which, in the words of `ip`.
        what: String,
    },
    /// A route, or a static address, has no interface.
    WithoutDevice {
        /// Instance, or `static`.
        name: Arc<str>,
        /// Which.
        what: String,
        /// The interface.
        interface: InterfaceName,
    },
    /// The kernel does not take an advert.
    Unsent {
        /// Instance.
        name: Arc<str>,
        /// Linux error number.
        errno: i32,
    },
    /// Sockets could not be opened.
    NoChannel {
        /// Instance.
        name: Arc<str>,
        /// The kernel's words.
        reason: String,
    },
    /// `promote_secondaries` of an instance cannot be done.
    NotPromoted {
        /// Instance.
        name: Arc<str>,
        /// The kernel's words.
        reason: String,
    },
    /// An advert for a VRID that is not configured (`log_unknown_vrids`).
    UnknownVrid {
        /// The VRID.
        vrid: u8,
        /// Who sent it.
        source: IpAddr,
    },
    /// The kernel had more events than it could keep; everything was read again.
    Overrun,
}

/// What becomes of a virtual address that is there at the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeftOver {
    /// An earlier run left it.
    Removed,
    /// Nothing says that we set it: it may be the machine's own.
    Stays,
}

/// Whether something is logged that others hear of anyway: the journal, scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// It is.
    Yes,
    /// There were too many.
    No,
}

/// How loud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Something does not work.
    Error,
    /// Something is not as it should be.
    Warning,
    /// What an administrator wants to read afterwards.
    Info,
    /// Not at all.
    Silent,
}

impl Report {
    /// Its level in the log.
    pub const fn level(&self) -> Level {
        match self {
            Self::Transition { said: Said::No, .. }
            | Self::Group { said: Said::No, .. }
            | Self::Priority { said: Said::No, .. }
            | Self::Tracker { said: Said::No, .. }
            | Self::LowerPriority { .. } => Level::Silent,
            Self::AddressRefused { .. }
            | Self::RouteRefused { .. }
            | Self::FirewallRefused { .. }
            | Self::NoChannel { .. }
            | Self::NoDevice { .. }
            | Self::WithoutDevice { .. } => Level::Error,
            Self::Note { .. }
            | Self::AddressLost { .. }
            | Self::RouteLost { .. }
            | Self::FirewallLost
            | Self::Duplicate { .. }
            | Self::AddressInterface { .. }
            | Self::Unguarded { .. }
            | Self::NotPromoted { .. }
            | Self::LeftOut { .. }
            | Self::LeftOver { fate: LeftOver::Stays, .. }
            | Self::Unsent { .. }
            | Self::UnknownVrid { .. }
            | Self::Overrun => Level::Warning,
            Self::LeftOver { fate: LeftOver::Removed, .. }
            | Self::RouteLeftOver { .. }
            | Self::Priority { .. }
            | Self::Tracker { .. } => Level::Info,
            Self::Group { .. } => Level::Info,
            Self::Transition { transition, .. } => match transition.to {
                State::Fault => Level::Warning,
                State::Init | State::Backup | State::Master | State::Stopped => Level::Info,
            },
        }
    }
}

impl Report {
    /// What it is about and why, for lines in JSON.
    pub fn about(&self) -> About {
        let of = |name: &str| if name == "static" { "static".to_owned() } else { format!("instance {name}") };
        let (subject, cause) = match self {
            Self::Transition { name, transition, .. } => (of(name), Some(transition.cause.to_string())),
            Self::Group { name, cause, .. } => (format!("group {name}"), Some(cause.to_string())),
            Self::Tracker { tracker, detail, .. } => {
                (format!("tracker {tracker}"), (*detail != Detail::Nothing).then(|| detail.to_string()))
            }
            Self::AddressRefused { name, reason, .. }
            | Self::RouteRefused { name, reason, .. }
            | Self::NoChannel { name, reason }
            | Self::NotPromoted { name, reason } => (of(name), Some(reason.clone())),
            Self::LowerPriority { name, .. }
            | Self::LeftOut { name, .. }
            | Self::Priority { name, .. }
            | Self::Note { name, .. }
            | Self::AddressLost { name, .. }
            | Self::Duplicate { name, .. }
            | Self::LeftOver { name, .. }
            | Self::NoDevice { name, .. }
            | Self::AddressInterface { name, .. }
            | Self::RouteLost { name, .. }
            | Self::RouteLeftOver { name, .. }
            | Self::WithoutDevice { name, .. }
            | Self::Unsent { name, .. } => (of(name), None),
            Self::Unguarded { interface, reason } => (format!("interface {interface}"), Some(reason.clone())),
            Self::FirewallRefused { reason } => ("packet filter".to_owned(), Some(reason.clone())),
            Self::FirewallLost => ("packet filter".to_owned(), None),
            Self::UnknownVrid { .. } | Self::Overrun => return About::default(),
        };
        About { subject: Some(subject), cause }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // "Entering … STATE" is what scripts that read keepalived's log look for
            Self::Transition { name, transition, .. } => match transition.to {
                State::Stopped => write!(f, "({name}) stopped: {}", transition.cause),
                to => write!(f, "({name}) Entering {to} STATE: {}", transition.cause),
            },
            Self::Group { name, state, .. } => write!(f, "VRRP_Group({name}) Syncing instances to {state} state"),
            Self::LowerPriority { name, source, priority, .. } => {
                write!(f, "({name}) {source} sends the lower priority {priority}")
            }
            Self::LeftOut { name, count, state } => {
                write!(f, "({name}) {count} more lines like these were left out; it is in {state} STATE now")
            }
            Self::Priority { name, before, priority, .. } => {
                write!(f, "({name}) Changing effective priority from {before} to {priority}")
            }
            Self::Tracker { tracker, state, detail, .. } => {
                match (tracker.kind, state) {
                    (TrackerKind::Script, TrackerState::Up) => write!(f, "VRRP_Script({}) succeeded", tracker.name)?,
                    (TrackerKind::Script, _) => write!(f, "VRRP_Script({}) failed", tracker.name)?,
                    (TrackerKind::File, _) => write!(f, "VRRP_Track_File({}) holds {state}", tracker.name)?,
                    (TrackerKind::Probe, TrackerState::Up) => write!(f, "VRRP_Track_Probe({}) answers", tracker.name)?,
                    (TrackerKind::Probe, _) => write!(f, "VRRP_Track_Probe({}) does not answer", tracker.name)?,
                    (TrackerKind::Process, _) => write!(f, "VRRP_Track_Process({}) is {state}", tracker.name)?,
                    (TrackerKind::Interface | TrackerKind::Bfd, _) => write!(f, "tracked {tracker} is {state}")?,
                }
                if *detail == Detail::Nothing { Ok(()) } else { write!(f, ": {detail}") }
            }
            Self::Note { name, note } => write!(f, "({name}) {note}"),
            Self::AddressLost { name, address, answer: VipLost::Restore } => {
                write!(f, "({name}) another program removed {address}; it is put back (vip_lost restore)")
            }
            Self::AddressLost { name, address, answer: VipLost::Backup } => {
                write!(
                    f,
                    "({name}) another program removed {address}; giving up mastership for a moment (vip_lost backup)"
                )
            }
            Self::Duplicate { name, address, interface, holder, .. } => write!(
                f,
                "({name}) {address} is on another machine too: {holder} answers for it on {interface}, and neighbours reach one of the two. Find the machine with that MAC address and remove {address} there; this router goes on"
            ),
            Self::AddressRefused { name, address, reason } => {
                write!(f, "({name}) the kernel does not take {address}: {reason}; trying again")
            }
            Self::RouteLost { name, what, answer: VipLost::Restore } => {
                write!(f, "({name}) another program removed {what}; it is put back")
            }
            Self::RouteLost { name, what, answer: VipLost::Backup } => {
                write!(
                    f,
                    "({name}) another program removed {what}; giving up mastership for a moment (vip_lost backup)"
                )
            }
            Self::RouteRefused { name, what, reason } => {
                write!(f, "({name}) the kernel does not take {what}: {reason}; trying again")
            }
            Self::FirewallRefused { reason } => write!(
                f,
                "the kernel does not take rules of nftables: {reason}; no_accept drops nothing, and switches may learn virtual MACs from \
                 backups; load nf_tables"
            ),
            Self::FirewallLost => f.write_str("another program removed rules of ours from nftables; they are put back"),
            Self::RouteLeftOver { name, what } => {
                write!(f, "({name}) {what}, which an earlier run left, is removed")
            }
            Self::WithoutDevice { name, what, interface } => {
                write!(f, "({name}) {what} is not set: there is no interface {interface}; create it")
            }
            Self::LeftOver { name, address, prefix, interface, fate: LeftOver::Removed } => {
                write!(f, "({name}) {address}/{prefix}, which an earlier run left on {interface}, is removed")
            }
            Self::LeftOver { name, address, prefix, interface, fate: LeftOver::Stays } => write!(
                f,
                "({name}) {address}/{prefix} is on {interface} already, and nothing says that we set it: it stays. If it is this machine's own address, set priority 255; if not, remove it (ip address del {address}/{prefix} dev {interface})"
            ),
            Self::Unguarded { interface, reason } => write!(
                f,
                "{interface}: the kernel removes other addresses together with a virtual one that was there first, and promote_secondaries cannot be set ({reason}); they are put back, but routes may be lost. Set net.ipv4.conf.{interface}.promote_secondaries=1"
            ),
            Self::NoDevice { name, address } => {
                write!(f, "({name}) {address} has no interface to be on; create the interface named by its `dev`")
            }
            Self::AddressInterface { name, address, interface, there } => {
                let how = if *there { "is down" } else { "does not exist" };
                write!(
                    f,
                    "({name}) {interface} {how}, and {address} is configured on it; with no_track the instance would go on without it"
                )
            }
            Self::Unsent { name, errno } => {
                let error = std::io::Error::from_raw_os_error(*errno);
                write!(f, "({name}) an advert could not be sent: {error}")
            }
            Self::NoChannel { name, reason } => write!(f, "({name}) no sockets for adverts: {reason}"),
            Self::NotPromoted { name, reason } => write!(f, "({name}) promote_secondaries is without effect: {reason}"),
            Self::UnknownVrid { vrid, source } => write!(f, "advert for unknown VRID {vrid} from {source}"),
            Self::Overrun => {
                f.write_str("the kernel lost events about interfaces and addresses; everything was read again")
            }
        }
    }
}
