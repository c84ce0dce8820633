//! What keepalivedctl says to the daemon by the control socket, and what it hears: a request is a line of JSON; the answer is a line of
//! JSON ([`Answer`]) and a text until the end of the connection.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest request, in octets.
pub const LONGEST: u64 = 16 * 1024;

/// A request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What is asked.
    pub ask: Ask,
    /// JSON instead of text.
    #[serde(default)]
    pub json: bool,
    /// Text with the colours of a terminal.
    #[serde(default)]
    pub colour: bool,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// How it is.
    Status {
        /// Also what is well and many.
        #[serde(default)]
        all: bool,
    },
    /// Why something is as it is.
    Why {
        /// What it is called.
        name: String,
    },
    /// What happened.
    Events {
        /// About this only.
        #[serde(default)]
        name: Option<String>,
        /// And what happens from now on.
        #[serde(default)]
        follow: bool,
    },
    /// One subject, whole.
    Show {
        /// Which.
        part: Part,
    },
    /// A screen that shows everything.
    Watch {
        /// Letters in a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// The metrics.
    Metrics,
    /// Change something; for root and `control_group` only.
    Change(Change),
}

/// A subject of [`Ask::Show`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The daemon's processes and reloads.
    Process,
    /// What instances track.
    Trackers,
    /// Who sends adverts where, and who is heard.
    Peers,
    /// The configuration that is in force, as one text; for root and the trusted group only.
    Config,
}

/// What can be changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Read the configuration again, as by SIGHUP.
    Reload,
    /// Give an instance another base priority; `None` is the configured one.
    Priority {
        /// Its name.
        instance: String,
        /// 1 to 254.
        priority: Option<u8>,
    },
    /// Hand over and stay away, or come back.
    Maintenance {
        /// This instance only; else all.
        #[serde(default)]
        instance: Option<String>,
        /// Stay away.
        on: bool,
    },
    /// Give a real server another weight, 0 drains it; `None` is the configured one.
    Weight {
        /// Its name, or its address.
        server: String,
        /// In this virtual server only; else in all that have it.
        #[serde(default)]
        service: Option<String>,
        /// 0 to 65535.
        weight: Option<u32>,
    },
    /// Whether an instance replaces a master with a lower priority.
    Preempt {
        /// Its name.
        instance: String,
        /// It does.
        preempt: bool,
    },
    /// Set the counters of instances to 0.
    ClearCounters,
    /// Announce the addresses of an instance that is MASTER to their neighbours once more.
    Garp {
        /// Its name.
        instance: String,
    },
    /// Write the data file, as SIGUSR1 does.
    PrintData,
    /// Write the statistics file, as SIGUSR2 does.
    PrintStatistics {
        /// The counters begin at 0 after that.
        clear: bool,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reload => f.write_str("reload"),
            Self::Priority { instance, priority: Some(priority) } => write!(f, "priority of {instance}: {priority}"),
            Self::Priority { instance, priority: None } => write!(f, "priority of {instance}: as configured"),
            Self::Maintenance { instance, on } => {
                let what = instance.as_deref().unwrap_or("all instances");
                write!(f, "maintenance of {what}: {}", if *on { "on" } else { "off" })
            }
            Self::Weight { server, weight: Some(0), .. } => write!(f, "drain {server}"),
            Self::Weight { server, weight: Some(weight), .. } => write!(f, "weight of {server}: {weight}"),
            Self::Weight { server, weight: None, .. } => write!(f, "weight of {server}: as configured"),
            Self::Preempt { instance, preempt } => {
                write!(f, "preemption by {instance}: {}", if *preempt { "on" } else { "off" })
            }
            Self::ClearCounters => f.write_str("clear counters"),
            Self::Garp { instance } => write!(f, "announcement of the addresses of {instance}"),
            Self::PrintData => f.write_str("write the data file"),
            Self::PrintStatistics { clear: false } => f.write_str("write the statistics file"),
            Self::PrintStatistics { clear: true } => f.write_str("write the statistics file and clear counters"),
        }
    }
}

/// The first line of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The exit status of keepalivedctl: 0 all is well, 1 there are warnings, 2 there are problems; 4 the request failed.
    pub status: u8,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The exit status if the daemon does not run.
pub const NOT_RUNNING: u8 = 3;

/// The exit status if a request failed.
pub const FAILED: u8 = 4;
