//! How the daemon itself is: what the supervisor shows.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The supervisor and its processes at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct DaemonView {
    /// Ours.
    pub version: String,
    /// Its main process.
    pub pid: u32,
    /// When it started.
    pub started: Option<SystemTime>,
    /// Where its configuration is.
    pub configuration: String,
    /// Its other processes.
    pub processes: Vec<ProcessView>,
    /// Reloads that were asked for.
    pub reloads: u64,
    /// How the last one ended.
    pub last_reload: Option<ReloadView>,
}

/// One of its processes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessView {
    /// `vrrp`, `checker`, `bfd`, `runner`, `prober`, `observer`
    pub name: String,
    /// Its number, if it is there.
    pub pid: Option<u32>,
    /// What it does.
    pub state: ProcessState,
    /// Since when.
    pub since: SystemTime,
    /// How many before it died.
    pub deaths: u64,
    /// How the last of them died.
    pub last_death: String,
}

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ProcessState {
    /// The configuration does not need it.
    NotNeeded,
    /// It was started, and is not ready.
    Starts,
    /// Its work.
    Runs,
    /// It died, and the next one has to wait.
    Waits,
}

/// The end of a reload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReloadView {
    /// When.
    pub at: SystemTime,
    /// Changes, or why it was refused.
    pub result: Result<usize, String>,
}
