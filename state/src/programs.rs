//! What a process has the runner run.

use serde::{Deserialize, Serialize};

/// Programs that the runner runs for a process: checks, notifications, readers of FIFOs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct ProgramTotals {
    /// How many were ordered since the process started.
    pub ordered: u64,
    /// How many of them the runner has not got yet.
    pub waiting: u64,
}
