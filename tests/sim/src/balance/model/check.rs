//! What is known of one check.

use std::time::Duration;

use keepalived_core::balance::Ticket;

use super::super::setting::{self, Kind};
use crate::clock::Moment;

/// How a step of a check ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Well, with so much more weight.
    Well(i64),
    /// Not well.
    Ill,
    /// This machine could not ask.
    Unasked,
}

/// What is known of a check.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) identity: Identity,
    /// Whose it is: places of services, and of servers in them.
    pub(super) users: Vec<(usize, usize)>,
    pub(super) up: bool,
    /// A first result has come.
    pub(super) known: bool,
    pub(super) failures: u32,
    pub(super) weight: i64,
    /// Which url is next, and whether it is asked until it answers.
    pub(super) step: u16,
    pub(super) alone: bool,
    pub(super) phase: Phase,
    /// All its users are suspended.
    pub(super) rests: bool,
}

/// What makes two checks one: the server, its weight if that matters, and all that is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identity {
    pub(super) server: u8,
    pub(super) weight: Option<u32>,
    pub(super) check: setting::Check,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// It has to begin by then.
    Waits { latest: Moment },
    /// A step is under way since then.
    Runs { ticket: Ticket, since: Moment },
    /// It does not begin by itself: no virtual server needs it, or others tell the result.
    Rests,
}

/// `BOOTSTRAP_DELAY` of keepalived, before the first step of a check.
const BOOTSTRAP: Duration = Duration::from_secs(1);

impl Identity {
    pub(super) fn of(server: &setting::Server, check: &setting::Check) -> Self {
        let weight = matches!(check.target.kind, Kind::Misc(_) | Kind::File(_)).then_some(server.weight);
        Self { server: server.number, weight, check: check.clone() }
    }
}

impl Identity {
    /// Whether others tell its results.
    pub(super) const fn is_told(&self) -> bool {
        matches!(self.check.target.kind, Kind::File(_))
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the check {:?} of server {}", self.check, self.server)
    }
}

impl Check {
    pub(super) fn new(identity: Identity, users: Vec<(usize, usize)>, now: Moment) -> Self {
        let latest = now + BOOTSTRAP + Duration::from_secs(identity.check.warmup);
        let phase = if identity.is_told() { Phase::Rests } else { Phase::Waits { latest } };
        Self {
            users,
            up: !identity.check.alpha,
            known: false,
            failures: 0,
            weight: 0,
            step: 0,
            alone: false,
            phase,
            rests: false,
            identity,
        }
    }

    pub(super) fn succeed(
        mut self,
        identity: Identity,
        users: Vec<(usize, usize)>,
        keeps_step: bool,
        now: Moment,
    ) -> Self {
        let was = std::mem::replace(&mut self.identity, identity);
        let next = &self.identity.check;
        self.users = users;
        self.failures = self.failures.min(next.retry);
        match &mut self.phase {
            Phase::Runs { .. } if !keeps_step => self.phase = Phase::Waits { latest: now },
            // one that was hours away must not stay so
            Phase::Waits { latest } if next.delay_loop < was.check.delay_loop => {
                *latest = (*latest).min(now + next.longest_pause());
            }
            Phase::Waits { .. } | Phase::Runs { .. } | Phase::Rests => {}
        }
        self
    }

    /// No virtual server needs it, or one does again.
    pub(super) fn rest(&mut self, rests: bool, now: Moment) {
        let did = std::mem::replace(&mut self.rests, rests);
        if self.identity.is_told() {
            return;
        }
        match self.phase {
            Phase::Waits { .. } if rests => self.phase = Phase::Rests,
            Phase::Rests if did && !rests => self.phase = Phase::Waits { latest: now },
            Phase::Waits { .. } | Phase::Runs { .. } | Phase::Rests => {}
        }
    }

    /// A step has ended.
    pub(super) fn wait(&mut self, now: Moment) {
        let latest = now + self.identity.check.longest_pause();
        self.phase = if self.rests { Phase::Rests } else { Phase::Waits { latest } };
    }

    pub(super) fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Unasked => {}
            Answer::Well(weight) => self.pass(weight),
            Answer::Ill => self.fail(),
        }
    }

    /// Of several urls, all have to answer in turn; one that has failed is asked alone until it answers, then all are.
    fn pass(&mut self, weight: i64) {
        self.failures = 0;
        if let Kind::Http(urls) = self.identity.check.target.kind {
            let was_alone = std::mem::take(&mut self.alone);
            let is_last = self.step + 1 >= urls;
            self.step = if was_alone || is_last { 0 } else { self.step + 1 };
            if was_alone || !is_last {
                return;
            }
        }
        (self.known, self.up, self.weight) = (true, true, weight);
    }

    fn fail(&mut self) {
        // the first result counts at once
        if self.known && self.up && self.failures < self.identity.check.retry {
            self.failures += 1;
            return;
        }
        (self.known, self.up, self.weight, self.failures) = (true, false, 0, 0);
        self.alone = matches!(self.identity.check.target.kind, Kind::Http(_));
    }
}
