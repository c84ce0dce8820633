//! The places for children: who is in which, and which descriptor is whose.

use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::reactor::Token;

use super::Supervisor;
use super::worker::Worker;
use crate::backoff::Backoff;
use crate::role::Role;

/// A place for a child, taken or not.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) role: Role,
    pub(super) worker: Option<Worker>,
    pub(super) backoff: Backoff,
    pub(super) respawn_at: Option<Instant>,
    /// The worker could not take a configuration; it gets it again then.
    pub(super) give_at: Option<Instant>,
    pub(super) give_backoff: Backoff,
    /// Since when nobody does its work, as far as we know; `None` while a worker does.
    pub(super) idle_since: Option<Instant>,
    /// A worker of it has run: what keeps the next one from it may pass.
    pub(super) has_run: bool,
}

impl Post {
    pub(super) fn new(role: Role, now: Instant) -> Self {
        Self {
            role,
            worker: None,
            backoff: Backoff::default(),
            respawn_at: None,
            give_at: None,
            give_backoff: Backoff::default(),
            idle_since: Some(now),
            has_run: false,
        }
    }

    /// When there is something to do about it.
    pub(super) fn next_at(&self) -> impl Iterator<Item = Instant> {
        let hello_at = self.worker.as_ref().map(Worker::hello_at);
        [self.respawn_at, self.give_at, hello_at].into_iter().flatten()
    }

    /// For how long nobody has done its work.
    pub(super) fn gap(&self, now: Instant) -> Duration {
        self.idle_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

/// Why a descriptor of a child is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// It said something.
    Speaks,
    /// It ended.
    Ended,
}

/// What the reactor calls a descriptor of a child.
pub(super) fn token(role: Role, source: Source) -> Token {
    let place = (0..).zip(Role::ALL).find(|(_, known)| *known == role).map_or(0, |(place, _)| place);
    Token(place * 2 + u64::from(source == Source::Ended))
}

/// Whose descriptor it is.
pub(super) fn source(ready: Token) -> Option<(Role, Source)> {
    let all = Role::ALL.into_iter().flat_map(|role| [(role, Source::Speaks), (role, Source::Ended)]);
    all.into_iter().find(|(role, source)| token(*role, *source) == ready)
}

impl Supervisor {
    pub(super) fn post(&mut self, role: Role) -> Option<&mut Post> {
        self.posts.iter_mut().find(|post| post.role == role)
    }

    pub(super) fn worker(&self, role: Role) -> Option<&Worker> {
        self.posts.iter().find(|post| post.role == role)?.worker.as_ref()
    }

    pub(super) fn worker_mut(&mut self, role: Role) -> Option<&mut Worker> {
        self.post(role)?.worker.as_mut()
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.posts.iter().filter_map(|post| post.worker.as_ref())
    }

    pub(super) fn workers_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.posts.iter_mut().filter_map(|post| post.worker.as_mut())
    }
}
