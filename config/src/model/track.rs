//! What is watched, and what it does to priorities.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
pub use keepalived_core::vrrp::tracking::Weight;
use serde::{Deserialize, Serialize};

use super::{Origin, Script};

/// Everything that an instance or a sync group tracks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tracks {
    /// `track_interface`
    pub interfaces: Vec<TrackedInterface>,
    /// `track_script`: names of `Config::scripts`.
    pub scripts: Vec<Track>,
    /// `track_file`: names of `Config::files`.
    pub files: Vec<Track>,
    /// `track_process`: names of `Config::processes`.
    pub processes: Vec<Track>,
    /// `track_bfd`: names of BFD instances.
    pub bfds: Vec<Track>,
    /// `track_probe`: names of `Config::probes`.
    pub probes: Vec<Track>,
}

/// A line of `track_interface`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackedInterface {
    /// Which.
    pub name: InterfaceName,
    /// What its state does.
    pub weight: Weight,
}

/// A line of another tracker: something that exists by name, with its own weight unless the line says another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Track {
    /// Which.
    pub name: String,
    /// What its state does.
    pub weight: Weight,
}

/// `vrrp_script`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackScript {
    /// The name it is tracked by.
    pub name: String,
    /// What is run, with `user`.
    pub script: Script,
    /// `interval`: from one start to the next.
    pub interval: Duration,
    /// `timeout`: after this a run has failed; `interval` unless it is said.
    pub timeout: Duration,
    /// `weight`
    pub weight: Weight,
    /// `rise`: successes in a row that make it up.
    pub rise: u32,
    /// `fall`: failures in a row that make it down.
    pub fall: u32,
    /// `init_fail`: down until it has succeeded.
    pub init_fail: bool,
}

/// `track_file`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackFile {
    /// The name it is tracked by.
    pub name: String,
    /// `file`
    pub path: String,
    /// `weight`: what the number in the file is multiplied with; 0 is FAULT while the number is not 0.
    pub weight: Weight,
    /// `init_file`
    pub initial: Option<InitialFile>,
}

/// `init_file [VALUE] [overwrite]`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InitialFile {
    /// What is written.
    pub value: i32,
    /// `overwrite`: even if the file is there.
    pub overwrite: bool,
}

/// `vrrp_track_process`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackProcess {
    /// The name it is tracked by.
    pub name: String,
    /// `process`: the name or path of a program.
    pub process: String,
    /// The parameters after it.
    pub parameters: Vec<String>,
    /// `param_match`
    pub parameter_match: ParameterMatch,
    /// `full_command`, or parameters: the command line counts, not only the short name.
    pub full_command: bool,
    /// `weight`
    pub weight: Weight,
    /// `quorum`: so many there must be at least.
    pub quorum: u32,
    /// `quorum_max`: so many there may be at most; no limit if absent.
    pub quorum_max: Option<u32>,
    /// `terminate_delay`, `delay`: how long too few are forgiven.
    pub terminate_delay: Duration,
    /// `fork_delay`, `delay`: how long enough must last.
    pub fork_delay: Duration,
}

/// `param_match`: how the parameters of a process are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ParameterMatch {
    /// Not at all.
    #[default]
    None,
    /// All of them, as they are.
    Exact,
    /// These; the last one may be longer than it is written here.
    Initial,
    /// These, and any after them.
    Partial,
}

/// `vrrp_track_probe`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrackProbe {
    /// The name it is tracked by.
    pub name: String,
    /// What is asked.
    pub target: ProbeTarget,
    /// `interface` and `source`: where it is asked from.
    pub origin: Option<Origin>,
    /// `interval`: from one question to the next.
    pub interval: Duration,
    /// `timeout`: how long an answer may take.
    pub timeout: Duration,
    /// `weight`
    pub weight: Weight,
    /// `rise`: answers in a row that make it up.
    pub rise: u32,
    /// `fall`: failures in a row that make it down.
    pub fall: u32,
    /// `init_fail`: down until it has been answered.
    pub init_fail: bool,
}

/// What a probe asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProbeTarget {
    /// `tcp`: a port takes connections.
    Tcp {
        /// Where.
        address: IpAddr,
        /// On which port.
        port: NonZeroU16,
    },
    /// `http`: a page is there (status 200 to 299).
    Http {
        /// Where.
        address: IpAddr,
        /// On which port.
        port: NonZeroU16,
        /// `https`; any certificate is good.
        secure: bool,
        /// What is asked for, with its slash.
        path: String,
    },
    /// `ping`: a machine answers an echo request.
    Ping {
        /// Which.
        address: IpAddr,
    },
}

impl ProbeTarget {
    /// Who is asked.
    pub const fn address(&self) -> IpAddr {
        match self {
            Self::Tcp { address, .. } | Self::Http { address, .. } | Self::Ping { address } => *address,
        }
    }
}

/// As it is written in the configuration.
impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address, port } => write!(f, "tcp {address} {port}"),
            Self::Http { address, port, secure, path } => {
                let scheme = if *secure { "https" } else { "http" };
                write!(f, "http {scheme}://{}{path}", SocketAddr::new(*address, port.get()))
            }
            Self::Ping { address } => write!(f, "ping {address}"),
        }
    }
}

/// `linkbeat_interfaces`: an interface whose link is asked for again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Linkbeat {
    /// Which.
    pub interface: InterfaceName,
    /// In which way; whichever works if absent.
    pub method: Option<LinkbeatMethod>,
}

/// How a link is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LinkbeatMethod {
    /// `MII`
    Mii,
    /// `ETHTOOL`
    Ethtool,
    /// `IOCTL`
    Ioctl,
}

/// A line of `interface_up_down_delays`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InterfaceDelays {
    /// Which.
    pub interface: InterfaceName,
    /// How long it must be down before that counts.
    pub down: Duration,
    /// How long it must be up before that counts.
    pub up: Duration,
}
