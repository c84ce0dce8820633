//! When a check runs, and what its results mean.

use std::rc::Rc;
use std::time::Duration;

use crate::time::Instant;

/// Before the first check of all, besides `warmup` (keepalived's `BOOTSTRAP_DELAY`).
const BOOTSTRAP: Duration = Duration::from_secs(1);

/// How a check goes about it. Large sites have tens of thousands of checks, and few ways to go about them: they share these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pace {
    /// `delay_loop`: from the end of one check to the next.
    pub delay_loop: Duration,
    /// `delay_before_retry`: the same after a failure that is forgiven.
    pub delay_before_retry: Duration,
    /// `warmup`: the first check comes at a random moment within it.
    pub warmup: Duration,
    /// `retry`: how many failures in a row are forgiven while it is up.
    pub retry: u32,
    /// What it consists of: the urls of `HTTP_GET`, one for all others. Never 0.
    pub steps: Steps,
    /// A step that has not ended after this is given up: its answer was lost. Longer than any step may take.
    pub limit: Duration,
}

/// Of how many parts a check consists, and how they follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Steps {
    /// One dialogue.
    Single,
    /// The urls of a check: one each `delay_loop`. One that failed is asked alone until it answers; then all have to answer.
    Urls {
        /// How many; at least one.
        count: u16,
        /// `fast_recovery`: without pauses at the start and on the way back.
        fast_recovery: bool,
    },
    /// Nothing runs: the checker process tells the result (`FILE_CHECK`, `BFD_CHECK`).
    Told,
}

impl Steps {
    fn count(self) -> u16 {
        match self {
            Self::Single | Self::Told => 1,
            Self::Urls { count, .. } => count.max(1),
        }
    }
}

/// The result of a step of a check. The reasons are for people: no decision depends on them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckResult {
    /// It succeeded; this much is added to the server's weight (`misc_dynamic`, `FILE_CHECK`; 0 for all others).
    Passed {
        /// May be negative.
        weight: i64,
    },
    /// It failed: why.
    Failed(String),
    /// This machine could not ask: why. That says nothing about the server.
    Unknown(String),
}

impl CheckResult {
    /// Why it did not succeed; empty if it did.
    pub fn reason(&self) -> &str {
        match self {
            Self::Passed { .. } => "",
            Self::Failed(reason) | Self::Unknown(reason) => reason,
        }
    }
}

/// What a result means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// Nothing new.
    Same,
    /// A failure that is forgiven.
    Forgiven {
        /// How many more would be.
        left: u32,
    },
    /// The first result of all, and it is what was taken for granted.
    Confirmed,
    /// It was failed and is not any more.
    Up,
    /// It is failed from now on.
    Down {
        /// How many failures were forgiven before.
        forgiven: u32,
    },
    /// As good as before, but it adds something else to the weight.
    Weight,
}

/// When the next step is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// At this moment.
    Waiting(Instant),
    /// A step is under way since then.
    Running(Instant),
    /// Not by itself: suspended, or another part of the checker tells the result.
    Resting,
}

/// One check: keepalived's pacing of tries, as it was observed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Check {
    pace: Rc<Pace>,
    phase: Phase,
    /// Suspended while a step was under way: then it rests when that ends.
    suspended: bool,
    /// A result has come, of all steps if it was a good one.
    has_run: bool,
    up: bool,
    failures: u32,
    step: u16,
    /// A step failed for good, and is asked alone.
    alone: bool,
    weight: i64,
}

impl Check {
    /// A check that begins, with `alpha` as one that failed; `chance` is anything from 0 to `u32::MAX`.
    pub(super) fn new(pace: Rc<Pace>, alpha: bool, now: Instant, chance: u32) -> Self {
        let phase = match pace.steps {
            Steps::Told => Phase::Resting,
            Steps::Single | Steps::Urls { .. } => Phase::Waiting(now + BOOTSTRAP + share(pace.warmup, chance)),
        };
        Self {
            pace,
            phase,
            suspended: false,
            has_run: false,
            up: !alpha,
            failures: 0,
            step: 0,
            alone: false,
            weight: 0,
        }
    }

    /// Whether it speaks for the server.
    pub(super) const fn is_up(&self) -> bool {
        self.up
    }

    /// Whether any result has come.
    pub(super) const fn has_run(&self) -> bool {
        self.has_run
    }

    /// What it adds to the server's weight.
    pub(super) const fn weight(&self) -> i64 {
        self.weight
    }

    /// When its next step is due.
    pub(super) const fn due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting(at) => Some(at),
            Phase::Running(_) | Phase::Resting => None,
        }
    }

    /// The step that is to run now, if one is due. It is under way from then on.
    pub(super) fn begin(&mut self, now: Instant) -> Option<u16> {
        self.due().filter(|at| *at <= now)?;
        self.phase = Phase::Running(now);
        Some(self.step)
    }

    /// Whether a step is under way for longer than it may take.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Running(since) if now.since(since) >= self.pace.limit)
    }

    /// Whether it rests because no virtual server needs it.
    pub(super) const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Stops and goes on (`ha_suspend`). What was found out stays.
    pub(super) fn suspend(&mut self, suspended: bool, now: Instant) {
        self.suspended = suspended;
        match self.phase {
            Phase::Waiting(_) if suspended => self.phase = Phase::Resting,
            Phase::Resting if !suspended && self.pace.steps != Steps::Told => self.phase = Phase::Waiting(now),
            Phase::Waiting(_) | Phase::Running(_) | Phase::Resting => {}
        }
    }

    /// A step ended, or the checker process tells the result.
    pub(super) fn end(&mut self, now: Instant, result: &CheckResult) -> Meaning {
        let (meaning, pause) = match result {
            CheckResult::Passed { weight } => self.passed(*weight),
            CheckResult::Failed(_) => self.failed(),
            CheckResult::Unknown(_) => (Meaning::Same, self.pace.delay_loop),
        };
        self.phase = match self.pace.steps {
            Steps::Told => Phase::Resting,
            _ if self.suspended => Phase::Resting,
            Steps::Single | Steps::Urls { .. } => Phase::Waiting(now + pause),
        };
        meaning
    }

    fn passed(&mut self, weight: i64) -> (Meaning, Duration) {
        self.failures = 0;
        let count = self.pace.steps.count();
        let is_last = self.step.saturating_add(1) >= count;
        if let Steps::Urls { .. } = self.pace.steps {
            let was_alone = std::mem::take(&mut self.alone);
            self.step = if was_alone || is_last { 0 } else { self.step + 1 };
            if was_alone || !is_last {
                return (Meaning::Same, self.pause_on_the_way());
            }
        }
        let changed = std::mem::replace(&mut self.weight, weight) != weight;
        let meaning = match (self.has_run, self.up) {
            (_, false) => Meaning::Up,
            (false, true) => Meaning::Confirmed,
            (true, true) if changed => Meaning::Weight,
            (true, true) => Meaning::Same,
        };
        (self.has_run, self.up) = (true, true);
        (meaning, self.pace.delay_loop)
    }

    fn pause_on_the_way(&self) -> Duration {
        let is_settled = self.has_run && self.up;
        match self.pace.steps {
            Steps::Urls { fast_recovery: true, .. } if !is_settled => Duration::ZERO,
            _ => self.pace.delay_loop,
        }
    }

    fn failed(&mut self) -> (Meaning, Duration) {
        // until a first result nothing is forgiven
        if self.has_run && self.up && self.failures < self.pace.retry {
            self.failures += 1;
            let left = self.pace.retry - self.failures;
            return (Meaning::Forgiven { left }, self.pace.delay_before_retry);
        }
        let forgiven = std::mem::take(&mut self.failures);
        let meaning = if self.up || !self.has_run { Meaning::Down { forgiven } } else { Meaning::Same };
        (self.has_run, self.up, self.weight) = (true, false, 0);
        let pause = match self.pace.steps {
            Steps::Urls { .. } => {
                self.alone = true;
                self.pace.delay_loop.max(self.pace.delay_before_retry)
            }
            Steps::Single | Steps::Told => self.pace.delay_loop,
        };
        (meaning, pause)
    }

    /// The same check at another pace: what was found out or taken over stays, and if `runs`, so does the step that is under way.
    pub(super) fn at_pace(mut self, pace: Rc<Pace>, runs: bool, now: Instant) -> Self {
        let old = std::mem::replace(&mut self.pace, Rc::clone(&pace));
        if matches!(self.phase, Phase::Running(_)) && !runs {
            self.phase = Phase::Waiting(now);
        }
        self.failures = self.failures.min(pace.retry);
        if self.step >= pace.steps.count() {
            (self.step, self.alone) = (0, false);
        }
        // a check that was hours away must not stay so
        if let Phase::Waiting(at) = self.phase
            && pace.delay_loop < old.delay_loop
        {
            self.phase = Phase::Waiting(at.min(now + pace.delay_loop));
        }
        self
    }
}

/// `chance` of `u32::MAX` parts of `whole`.
fn share(whole: Duration, chance: u32) -> Duration {
    let nanos = whole.as_nanos() * u128::from(chance) / u128::from(u32::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
