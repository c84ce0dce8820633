//! Reports of the checker's engine, as data: log lines, scripts, FIFOs and records of the journal follow from them.

use std::fmt;
use std::time::SystemTime;

use keepalived_core::balance::{CheckId, Meaning, Quorum, ServiceId};
use keepalived_state::{Event, Record, Subject};

use crate::log::About;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// The result of a check is worth a log line.
    Check {
        /// Which.
        check: CheckId,
        /// `TCP_CHECK on service [10.0.0.1]:tcp:80`
        name: String,
        /// What the result means.
        meaning: Meaning,
        /// Why it failed; empty if it did not.
        reason: String,
        /// Whether each failure is logged (`log_all_failures`).
        all_failures: bool,
    },
    /// A check could not run, for a reason on this machine.
    NotAsked {
        /// `PING_CHECK on service [10.0.0.1]:tcp:80`
        name: String,
        /// Why.
        reason: String,
        /// How many others could not run for the same reason since the last such line.
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
        /// Whether its changes are mailed (`smtp_alert`).
        mail: bool,
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
    /// A quorum was gained or lost, or is reported at the start.
    Quorum {
        /// Of this virtual server.
        service: ServiceId,
        /// What it is called.
        service_name: String,
        /// How it stands.
        quorum: Quorum,
        /// Whether the process has just started.
        starting: bool,
    },
    /// A virtual server is not configured any more.
    ServiceRemoved {
        /// What it is called.
        service_name: String,
    },
    /// The kernel refused something.
    Refused {
        /// What, in words.
        what: String,
        /// What the kernel says.
        error: String,
    },
    /// The kernel accepted what it had refused before.
    Granted {
        /// What, in words.
        what: String,
    },
    /// The kernel's table is not what we have just written: a fault of ours.
    Unkept {
        /// Which virtual server.
        service: String,
    },
    /// Another program changed the kernel's table, and we repaired it.
    Repaired {
        /// How many changes the repair took.
        changes: usize,
    },
    /// Another program removed what marks packets of groups, and we make it again.
    MarksLost {
        /// The table of nftables.
        table: String,
    },
    /// Entries from before the start were taken over.
    Adopted {
        /// Virtual servers.
        services: usize,
        /// Real servers in them.
        servers: usize,
    },
}

/// The level of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Something is wrong.
    Error,
    /// Something may be wrong.
    Warning,
    /// As it should be.
    Info,
    /// Only in a detailed log.
    Detail,
}

impl Report {
    /// The level of its log line.
    pub fn level(&self) -> Level {
        match self {
            Self::Check { meaning: Meaning::Forgiven { .. }, all_failures: false, .. } => Level::Detail,
            Self::Refused { .. } | Self::Unkept { .. } => Level::Error,
            Self::Repaired { .. } | Self::MarksLost { .. } | Self::NotAsked { .. } => Level::Warning,
            _ => Level::Info,
        }
    }
}

/// Characters of a cause in the journal: fifty records go into one message.
const LONGEST_CAUSE: usize = 200;

impl Report {
    /// Its record in the journal, if it has one.
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

impl Report {
    /// What it is about and why, for lines in JSON.
    pub fn about(&self) -> About {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (subject, cause) = match self {
            Self::Check { name, reason, .. } => (format!("check {name}"), some(reason)),
            Self::NotAsked { name, reason, .. } => (format!("check {name}"), some(reason)),
            Self::Server { name, service_name, reason, .. } => {
                (format!("server {name} of {service_name}"), some(reason))
            }
            Self::Weight { name, service_name, .. } => (format!("server {name} of {service_name}"), None),
            Self::Quorum { service_name, .. } | Self::ServiceRemoved { service_name } => {
                (format!("service {service_name}"), None)
            }
            Self::Unkept { service } => (format!("service {service}"), None),
            Self::Refused { error, .. } => ("load balancer".to_owned(), some(error)),
            Self::Granted { .. } | Self::Repaired { .. } | Self::MarksLost { .. } | Self::Adopted { .. } => {
                ("load balancer".to_owned(), None)
            }
        };
        About { subject: Some(subject), cause }
    }
}

/// The log line. It begins with keepalived's words where keepalived has some, because scripts look for these.
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
                write!(f, "{name} could not run, which changes nothing: {reason}")?;
                if *more > 0 { write!(f, "; {more} more since the last such line") } else { Ok(()) }
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
                write!(f, "another program changed the load balancer's table; {changes} changes were made to repair it")
            }
            Self::MarksLost { table } => {
                write!(
                    f,
                    "another program changed table {table} of nftables, which marks packets of groups; making it again"
                )
            }
            Self::Adopted { services, servers } => {
                write!(f, "took over {services} virtual servers and {servers} real servers that were there")
            }
        }
    }
}
