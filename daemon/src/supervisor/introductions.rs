//! Processes that speak with each other get the two ends of a connection: anew when one of them is new.

use std::collections::BTreeSet;
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::{pipe, reactor};

use super::Supervisor;
use crate::message::ToChild;
use crate::role::Role;

/// From an attempt that failed to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Pairs that could not be connected.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    owed: BTreeSet<(Role, Role)>,
    again_at: Option<Instant>,
}

impl Introductions {
    /// When they are tried again.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.again_at
    }
}

impl Supervisor {
    /// Connects a new process with all that it speaks with.
    pub(super) fn introduce(&mut self, newcomer: Role) {
        for pair in Role::PAIRS.into_iter().filter(|(one, other)| newcomer == *one || newcomer == *other) {
            self.connect(pair);
        }
    }

    /// Connects those again that could not be connected.
    pub(super) fn introduce_again(&mut self, now: Instant) {
        if self.introductions.again_at.take_if(|at| *at <= now).is_some() {
            for pair in std::mem::take(&mut self.introductions.owed) {
                self.connect(pair);
            }
        }
    }

    /// Connects two processes if both are there.
    fn connect(&mut self, (one, other): (Role, Role)) {
        if self.worker(one).is_none() || self.worker(other).is_none() {
            return;
        }
        match pipe::pair() {
            Ok((left, right)) => {
                for (role, peer, end) in [(one, other, left), (other, one, right)] {
                    if let Some(worker) = self.worker_mut(role) {
                        worker.connection().hand_over(&ToChild::Peer(peer), end.into_descriptor());
                    }
                }
            }
            Err(error) => {
                tracing::error!("{one} and {other} process cannot be connected: {error}; trying again");
                self.introductions.owed.insert((one, other));
                self.introductions.again_at = Some(reactor::now() + PAUSE);
            }
        }
    }
}
