//! Adverts of virtual routers that are not ours.

use std::collections::BTreeSet;

use keepalived_kernel::packets::{ChannelId, Incoming};

use super::report::Report;

/// Unknown VRIDs that are logged at most.
const MOST_LOGGED: usize = 256;

/// How many such adverts came, and which VRIDs were logged.
#[derive(Debug, Default)]
pub(super) struct UnknownVrids {
    /// `log_unknown_vrids`
    logs: bool,
    count: u64,
    logged: BTreeSet<(ChannelId, u8)>,
}

impl UnknownVrids {
    /// `log_unknown_vrids` of another configuration.
    pub(super) const fn configure(&mut self, logs: bool) {
        self.logs = logs;
    }

    /// How many adverts came.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Counts an advert for `vrid`. Returns what to report: each VRID of a socket once.
    pub(super) fn count_one(&mut self, incoming: &Incoming<'_>, vrid: u8) -> Option<Report> {
        self.count = self.count.saturating_add(1);
        let is_new = self.logs && self.logged.len() < MOST_LOGGED && self.logged.insert((incoming.channel, vrid));
        is_new.then_some(Report::UnknownVrid { vrid, source: incoming.source })
    }
}
