//! When backups may believe in silence, although packets wait to be read.

use std::time::Duration;

use keepalived_core::time::Instant;

/// How long a flood of packets may keep backups from taking over.
const LONGEST: Duration = Duration::from_secs(1);

/// A flood of packets, and the backups that wait for its end.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// Since when there has been too much to hear, without a pause.
    since: Option<Instant>,
    /// Backups with a deadline that came while packets were unread.
    postponed: Vec<usize>,
}

impl Flood {
    /// Whether backups may believe in silence in this turn: they may once everything was heard, and once a flood that
    /// never drains has lasted [`LONGEST`].
    pub(super) fn may_believe(&mut self, now: Instant, all_heard: bool) -> bool {
        if all_heard {
            self.since = None;
            return true;
        }
        let since = *self.since.get_or_insert(now);
        now.since(since) >= LONGEST
    }

    /// The deadline of this backup waits until the end of the turn.
    pub(super) fn postpone(&mut self, backup: usize) {
        self.postponed.push(backup);
    }

    /// Takes the backups that were postponed.
    pub(super) fn take_postponed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.postponed)
    }
}
