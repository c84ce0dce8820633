//! Checks that could not run: a shortage on this machine concerns all of them at once, and is logged once.

use std::collections::BTreeMap;
use std::time::Duration;

use keepalived_core::time::Instant;

/// How long after a line the same reason is only counted.
const QUIET: Duration = Duration::from_secs(60);

/// How many reasons are told apart; all others are one.
const MOST_REASONS: usize = 32;

/// What was logged about checks that could not run.
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
    /// A check could not run. `None` if that was logged a short while ago, else how many were not logged since.
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
                // reasons that are over make room
                self.reasons.retain(|_, said| said.more > 0 || now.since(said.at) < QUIET);
                self.reasons.insert(reason.to_owned(), Said { at: now, more: 0 });
                Some(0)
            }
        }
    }
}
