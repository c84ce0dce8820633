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
    /// The metrics.
    Metrics,
    /// Change something; for root and `control_group` only.
    Change(Change),
}

/// What can be changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Read the configuration again, as by SIGHUP.
    Reload,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reload => f.write_str("reload"),
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
