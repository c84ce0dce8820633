//! Checks that could not be made: a shortage on this machine concerns all of them at once, and one line says it.

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::time::Instant;

/// For so long after a line the same reason is counted only.
const QUIET: Duration = Duration::from_secs(60);

/// Reasons that are told apart at most; all others are one.
const MOST_REASONS: usize = 32;

/// What was said about checks that could not be made.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    reasons: BTreeMap<String, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    more: usize,
}

impl Shortage {
    /// A check could not be made. `None` if that was said a short while ago, else how many were not said since.
    pub(super) fn is_worth_saying(&mut self, reason: &str, now: Instant) -> Option<usize> {
        let is_full = self.reasons.len() >= MOST_REASONS && !self.reasons.contains_key(reason);
        let reason = if is_full { "" } else { reason };
        match self.reasons.get_mut(reason) {
            Some(said) if now.since(said.at) < QUIET => {
                said.more += 1;
                None
            }
            Some(said) => {
                said.at = now;
                Some(std::mem::take(&mut said.more))
            }
            None => {
                // those that are over make room
                self.reasons.retain(|_, said| said.more > 0 || now.since(said.at) < QUIET);
                self.reasons.insert(reason.to_owned(), Said { at: now, more: 0 });
                Some(0)
            }
        }
    }
}
