//! How often checks run: said by the virtual server for its real servers, by these for their checks, else the kind's
//! own.

use std::time::Duration;

use super::super::reading::Reading;
use super::super::statements::Statements;
use crate::model::{self, Schedule};

/// What a virtual or real server says for the checks in it; `None` leaves it to the kind of check.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) delay_loop: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) retry: Option<u32>,
    pub(super) delay_before_retry: Option<Duration>,
    pub(super) warmup: Option<Duration>,
    pub(super) alpha: bool,
}

impl Pace {
    /// What holds for a virtual server that says nothing.
    pub(super) const DEFAULT: Self = Self {
        delay_loop: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(5),
        retry: None,
        delay_before_retry: None,
        warmup: None,
        alpha: false,
    };

    /// What `statements` say, and `self` for what they do not.
    pub(super) fn with(self, reading: &mut Reading<'_>, statements: &Statements<'_>) -> Self {
        Self {
            delay_loop: reading.duration(statements.last("delay_loop")).unwrap_or(self.delay_loop),
            connect_timeout: reading.duration(statements.last("connect_timeout")).unwrap_or(self.connect_timeout),
            retry: reading.integer(statements.last("retry")).or(self.retry),
            delay_before_retry: reading.duration(statements.last("delay_before_retry")).or(self.delay_before_retry),
            warmup: reading.duration(statements.last("warmup")).or(self.warmup),
            alpha: reading.switch(statements.last("alpha")).unwrap_or(self.alpha),
        }
    }

    /// For the model.
    pub(super) fn said(self) -> model::Pace {
        let Self { delay_loop, connect_timeout, retry, delay_before_retry, warmup, alpha: _ } = self;
        model::Pace { delay_loop, connect_timeout, retry, delay_before_retry, warmup }
    }

    /// The schedule of a check for which this has been said in the end.
    pub(super) fn schedule(self, habit: Habit, log_all_failures: bool) -> Schedule {
        let delay_loop = self.delay_loop;
        Schedule {
            delay_loop: delay_loop.into(),
            delay_before_retry: self.delay_before_retry.or(habit.delay_before_retry).unwrap_or(delay_loop).into(),
            warmup: self.warmup.unwrap_or(delay_loop).into(),
            retry: self.retry.unwrap_or(habit.retry),
            alpha: self.alpha,
            log_all_failures,
        }
    }
}

/// What a kind of check does unless it is told otherwise.
#[derive(Clone, Copy)]
pub(super) struct Habit {
    retry: u32,
    /// `None` is `delay_loop`.
    delay_before_retry: Option<Duration>,
}

impl Habit {
    pub(super) const COMMON: Self = Self { retry: 1, delay_before_retry: Some(Duration::from_secs(1)) };
    pub(super) const HTTP: Self = Self { retry: 1, delay_before_retry: Some(Duration::from_secs(3)) };
    pub(super) const DNS: Self = Self { retry: 3, delay_before_retry: None };
    pub(super) const MISC: Self = Self { retry: 0, delay_before_retry: Some(Duration::from_secs(1)) };
}
