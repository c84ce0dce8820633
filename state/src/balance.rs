//! How load balancing is: what the checker process shows.

use serde::{Deserialize, Serialize};

use crate::Journal;

/// The checker process at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct BalanceView {
    /// Virtual servers, in the order of the configuration.
    pub services: Vec<ServiceView>,
    /// What happened before. The process leaves it empty: the supervisor, which outlives it, keeps the journal.
    pub journal: Journal,
}

/// One virtual server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceView {
    /// `[192.0.2.1]:tcp:80`
    pub name: String,
    /// Whether there is a quorum.
    pub quorum_up: bool,
    /// `quorum`
    pub quorum: u32,
    /// `hysteresis`
    pub hysteresis: u32,
    /// Of all real servers that are up.
    pub weight: u64,
    /// Its real servers, in the order of the configuration.
    pub servers: Vec<ServerView>,
}

/// One real server of a virtual server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerView {
    /// `[10.0.0.1]:tcp:80`
    pub name: String,
    /// Whether no check of it is failed.
    pub up: bool,
    /// With what checks add to it.
    pub weight: u32,
    /// Its checks.
    pub checks: Vec<CheckView>,
}

/// One check of a real server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckView {
    /// `TCP_CHECK`
    pub keyword: String,
    /// Whether a result has come.
    pub has_run: bool,
    /// Whether it is not failed.
    pub up: bool,
}
