//! What loading knows about scripts: who runs them, and what the machine said of their programs.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::facts::{Program, Weakness};
use crate::model::ScriptUser;
use crate::span::Span;

/// Who runs the scripts that name no user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum DefaultOwner {
    #[default]
    Root,
    User(ScriptUser),
    /// There is no such user, and `enable_script_security` forbids root. No finding says so yet.
    Missing,
    /// There is no such user, and a finding says so.
    Nobody,
}

/// The process of keepalived that runs a script: `-t` judges the scripts of the processes that would run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Process {
    Supervisor,
    Vrrp,
    Checker,
    /// The checker process, or the VRRP process if there is none.
    Either,
}

impl Process {
    /// The process that runs the script after `keyword`.
    pub(super) fn of(keyword: &str) -> Self {
        match keyword {
            "startup_script" | "shutdown_script" => Self::Supervisor,
            "quorum_up" | "quorum_down" | "notify_up" | "notify_down" | "misc_path" | "lvs_notify_fifo_script" => {
                Self::Checker
            }
            "notify_fifo_script" => Self::Either,
            _ => Self::Vrrp,
        }
    }
}

/// A script whose program exists.
pub(super) struct Found {
    pub(super) place: Option<Span>,
    pub(super) program: String,
    pub(super) weakness: Option<Weakness>,
}

/// What loading has learnt about scripts so far.
#[derive(Default)]
pub(super) struct KnownScripts {
    pub(super) default_owner: DefaultOwner,
    /// `enable_script_security`
    pub(super) secure: bool,
    /// Answers of the machine, by program, user and group: files name the same program many times.
    pub(super) programs: HashMap<(String, Option<String>, Option<String>), Program>,
    /// The first script of each process whose program exists.
    pub(super) found: BTreeMap<Process, Found>,
    /// The names of `vrrp_script` blocks that are left out.
    pub(super) left_out: HashSet<String>,
    /// Whether a statement names an interface that does not exist.
    pub(super) absent_interface: Cell<bool>,
}
