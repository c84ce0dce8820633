//! The posts of the supervisor's children, one for each role, and their tokens in the reactor.

use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::reactor::Token;

use super::Supervisor;
use super::worker::Worker;
use crate::backoff::Backoff;
use crate::role::Role;

/// The post of a role: its child, and when to start another.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) role: Role,
    pub(super) worker: Option<Worker>,
    pub(super) backoff: Backoff,
    pub(super) respawn_at: Option<Instant>,
    /// When to hand over the configuration again that the worker could not take.
    pub(super) give_at: Option<Instant>,
    pub(super) give_backoff: Backoff,
    /// Since when no worker does its work; `None` while one does.
    pub(super) idle_since: Option<Instant>,
    /// A worker has run before, so what keeps the next one from starting may pass.
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

    /// When something is due: a start, a configuration, a question.
    pub(super) fn next_at(&self) -> impl Iterator<Item = Instant> {
        let hello_at = self.worker.as_ref().map(Worker::hello_at);
        [self.respawn_at, self.give_at, hello_at].into_iter().flatten()
    }

    /// For how long no worker has done its work.
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

/// The reactor's token of a descriptor of a child.
pub(super) fn token(role: Role, source: Source) -> Token {
    let place = (0..).zip(Role::ALL).find(|(_, known)| *known == role).map_or(0, |(place, _)| place);
    Token(place * 2 + u64::from(source == Source::Ended))
}

/// Which child a token belongs to, and which of its descriptors.
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
