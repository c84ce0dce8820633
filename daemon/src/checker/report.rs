//! What the checker process has to say, as data: the log renders it, and scripts, FIFOs and mail follow from it.

use std::fmt;
use std::time::SystemTime;

use keepalived_core::balance::{CheckId, Meaning, Quorum, ServiceId};
use keepalived_state::{Event, Record, Subject};

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A check came to something.
    Check {
        /// Which.
        check: CheckId,
        /// `TCP_CHECK on service [10.0.0.1]:tcp:80`
        name: String,
        /// What it came to.
        meaning: Meaning,
        /// Why it failed; empty if it did not.
        reason: String,
        /// Each failure is to be said (`log_all_failures`).
        all_failures: bool,
    },
    /// A check could not be made, for a reason that lies with this machine.
    NotAsked {
        /// `PING_CHECK on service [10.0.0.1]:tcp:80`
        name: String,
        /// Why.
        reason: String,
        /// How many others could not be made for the same reason since that was last said.
        more: usize,
    },
    /// A real server went up or down.
    Server {
        /// Of this virtual server.
        service: ServiceId,
        /// Its place among the servers; `None` for one that a reload took away.
        server: Option<usize>,
        /// What it is called.
        name: String,
        /// What the virtual server is called.
        service_name: String,
        /// Up or down.
        up: bool,
        /// It stays in the table with weight 0 while it is down.
        inhibit: bool,
        /// Why, if a check says so.
        reason: String,
    },
    /// A real server has another weight.
    Weight {
        /// What it is called.
        name: String,
        /// What the virtual server is called.
        service_name: String,
        /// The new one.
        weight: u32,
    },
    /// A quorum was gained or lost, or is said at the start.
    Quorum {
        /// Of this virtual server.
        service: ServiceId,
        /// What it is called.
        service_name: String,
        /// How it stands.
        quorum: Quorum,
        /// Whether it is said because we start.
        starting: bool,
    },
    /// A virtual server is not configured any more.
    ServiceRemoved {
        /// What it is called.
        service_name: String,
    },
    /// The kernel did not do something.
    Refused {
        /// What, in words.
        what: String,
        /// What the kernel says.
        error: String,
    },
    /// The kernel did what it had refused before.
    Granted {
        /// What, in words.
        what: String,
    },
    /// The kernel has something else than what we have just written: a fault of ours.
    Unkept {
        /// Which virtual server.
        service: String,
    },
    /// Somebody else changed the kernel's table, and it was repaired.
    Repaired {
        /// How many changes that took.
        changes: usize,
    },
    /// Entries that were there from before were taken over.
    Adopted {
        /// Virtual servers.
        services: usize,
        /// Real servers in them.
        servers: usize,
    },
}

/// How loudly it is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something may be wrong.
    Warning,
    /// As it should be.
    Info,
    /// In detail only.
    Detail,
}

impl Report {
    /// How loudly it is said.
    pub fn level(&self) -> Level {
        match self {
            Self::Check { meaning: Meaning::Forgiven { .. }, all_failures: false, .. } => Level::Detail,
            Self::Refused { .. } | Self::Unkept { .. } => Level::Error,
            Self::Repaired { .. } | Self::NotAsked { .. } => Level::Warning,
            _ => Level::Info,
        }
    }
}

/// Octets of a cause in the journal: fifty records go into one message.
const LONGEST_CAUSE: usize = 200;

impl Report {
    /// What the journal keeps of it.
    pub fn record(&self, at: SystemTime) -> Option<Record> {
        let (service, server, event) = match self {
            Self::Server { name, service_name, up: true, .. } => (service_name, Some(name), Event::Up),
            Self::Server { name, service_name, up: false, reason, .. } => {
                let cause = reason.chars().take(LONGEST_CAUSE).collect();
                (service_name, Some(name), Event::Down(cause))
            }
            Self::Weight { name, service_name, weight } => (service_name, Some(name), Event::Weight(*weight)),
            Self::Quorum { service_name, quorum, starting: false, .. } => {
                let weight = quorum.weight;
                let gained = Event::QuorumGained(weight);
                (service_name, None, if quorum.up { gained } else { Event::QuorumLost(weight) })
            }
            Self::ServiceRemoved { service_name } => (service_name, None, Event::Removed),
            _ => return None,
        };
        let service = service.clone();
        let subject = match server {
            Some(server) => Subject::RealServer { server: server.clone(), of: service },
            None => Subject::VirtualServer(service),
        };
        Some(Record { at, subject, event })
    }
}

/// keepalived's words where it has some, which scripts look for; then why.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check { name, meaning, reason, .. } => match meaning {
                Meaning::Forgiven { left } => write!(f, "{name} failed: {reason}; {left} more before it counts"),
                Meaning::Down { forgiven: 0 } => write!(f, "{name} failed: {reason}"),
                Meaning::Down { forgiven } => write!(f, "{name} failed after {forgiven} retries: {reason}"),
                Meaning::Up | Meaning::Confirmed | Meaning::Weight | Meaning::Same => write!(f, "{name} success"),
            },
            Self::NotAsked { name, reason, more } => {
                write!(f, "{name} could not be made, which changes nothing: {reason}")?;
                if *more > 0 { write!(f, "; {more} more since that was last said") } else { Ok(()) }
            }
            Self::Server { name, service_name, up, inhibit, reason, .. } => {
                match (*up, *inhibit) {
                    (true, false) => write!(f, "Adding service {name} to VS {service_name}")?,
                    (true, true) => write!(f, "Enabling service {name} of VS {service_name}")?,
                    (false, false) => write!(f, "Removing service {name} from VS {service_name}")?,
                    (false, true) => write!(f, "Disabling service {name} of VS {service_name}")?,
                }
                if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
            }
            Self::Weight { name, service_name, weight } => {
                write!(f, "Changing weight to {weight} for service {name} of VS {service_name}")
            }
            Self::Quorum { service_name, quorum, starting, .. } => {
                let Quorum { up, quorum, hysteresis, weight } = *quorum;
                match (up, starting) {
                    (true, false) => {
                        let threshold = u64::from(quorum) + u64::from(hysteresis);
                        write!(f, "Gained quorum {quorum}+{hysteresis}={threshold} <= {weight} for VS {service_name}")
                    }
                    (false, false) => {
                        let threshold = quorum.saturating_sub(hysteresis);
                        write!(f, "Lost quorum {quorum}-{hysteresis}={threshold} > {weight} for VS {service_name}")
                    }
                    (up, true) => {
                        let state = if up { "up" } else { "down" };
                        write!(f, "Starting with quorum {state} for VS {service_name}: {weight} live of {quorum}")
                    }
                }
            }
            Self::ServiceRemoved { service_name } => write!(f, "Removing Virtual Server {service_name}"),
            Self::Refused { what, error } => write!(f, "the kernel refused to {what}: {error}"),
            Self::Granted { what } => write!(f, "the kernel did what it had refused: {what}"),
            Self::Unkept { service } => write!(
                f,
                "virtual server {service}: the kernel's table is not what was just written to it; this is a fault of keepalived-rs, \
                 please report it; it is not repaired again"
            ),
            Self::Repaired { changes } => {
                write!(f, "somebody else changed the load balancer's table; {changes} changes were made to repair it")
            }
            Self::Adopted { services, servers } => {
                write!(f, "took over {services} virtual servers and {servers} real servers that were there")
            }
        }
    }
}
