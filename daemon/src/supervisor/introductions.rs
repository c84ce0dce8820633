//! Connects processes that speak with each other. Each new process gets a new connection.

use std::collections::BTreeSet;
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::{pipe, reactor};

use super::Supervisor;
use crate::message::ToChild;
use crate::role::Role;

/// Pause after an attempt that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Pairs that could not be connected.
#[derive(Debug, Default)]
pub(super) struct Introductions {
    owed: BTreeSet<(Role, Role)>,
    again_at: Option<Instant>,
}

impl Introductions {
    /// When to try again.
    pub(super) const fn next_at(&self) -> Option<Instant> {
        self.again_at
    }
}

impl Supervisor {
    /// Connects a new process with each that it speaks with.
    pub(super) fn introduce(&mut self, newcomer: Role) {
        for pair in Role::PAIRS.into_iter().filter(|(one, other)| newcomer == *one || newcomer == *other) {
            self.connect(pair);
        }
    }

    /// Tries again to connect pairs for which that failed.
    pub(super) fn introduce_again(&mut self, now: Instant) {
        if self.introductions.again_at.take_if(|at| *at <= now).is_some() {
            for pair in std::mem::take(&mut self.introductions.owed) {
                self.connect(pair);
            }
        }
    }

    /// Connects two processes if both run.
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
                tracing::error!("cannot connect the {one} and the {other} process: {error}; trying again");
                self.connect_later((one, other));
            }
        }
    }

    fn connect_later(&mut self, pair: (Role, Role)) {
        self.introductions.owed.insert(pair);
        self.introductions.again_at = Some(reactor::now() + PAUSE);
    }

    /// `one` could not take its connection to `other`, for a shortage: both get another.
    pub(super) fn introduce_later(&mut self, one: Role, other: Role) {
        if let Some(pair) = Role::PAIRS.into_iter().find(|pair| *pair == (one, other) || *pair == (other, one)) {
            self.connect_later(pair);
        }
    }
}
