//! Commands that are run for the administrator, and on whose behalf.

use serde::{Deserialize, Serialize};

/// A command with what it runs as.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Script {
    /// The program and its arguments; at least the program. No shell is between.
    pub argv: Vec<String>,
    /// Who runs it; `Global::script_user` if absent.
    pub user: Option<String>,
    /// The group that it runs with; the user's own if absent. Never without `user`.
    pub group: Option<ScriptGroup>,
}

/// What is written after the user: `GROUP`, `:GROUP` or `:`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptGroup {
    /// The group; the user's own if absent.
    pub name: Option<String>,
    /// The colon: the command also has the user's supplementary groups.
    pub supplementary: bool,
}

/// `script_user` and `user`: what scripts run as that name nobody themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ScriptUser {
    /// Name of the user.
    pub name: String,
    /// The group that it runs with; the user's own if absent.
    pub group: Option<ScriptGroup>,
}
