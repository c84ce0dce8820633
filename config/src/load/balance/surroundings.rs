//! What virtual servers and checks refer to.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::group::KnownGroup;
use crate::finding::Finding;
use crate::model::{Backend, BfdInstance, Weight};

/// What virtual servers and checks refer to, and what holds for all of them.
pub(super) struct Surroundings<'a> {
    pub(super) groups: HashMap<&'a str, KnownGroup<'a>>,
    /// Those that are left out, too.
    pub(super) group_names: HashSet<String>,
    pub(super) bfd_instances: HashMap<&'a str, &'a BfdInstance>,
    pub(super) track_files: HashMap<&'a str, Weight>,
    /// `smtp_alert_checker`, else `smtp_alert`.
    pub(super) smtp_alert: Option<bool>,
    /// `checker_log_all_failures`
    pub(super) log_all_failures: bool,
    /// `lvs_backend`
    pub(super) backend: Backend,
    /// `tls_verify` of `SSL`
    pub(super) verify: bool,
    /// The first check whose attempts take longer than its period, and how many there are: one finding is enough for
    /// all.
    pub(super) slow: RefCell<Option<(Finding, usize)>>,
}
