//! What the checks of a real server have in common: when they run, and what they connect to.

use std::time::Duration;

use super::super::reading::Reading;
use super::super::statements::{Statements, keyword_span};
use super::endpoint::{self, AddressPort};
use super::pace::{Habit, Pace};
use super::surroundings::Surroundings;
use crate::finding::{Finding, rule};
use crate::model::{Checker, Endpoint, Schedule};
use crate::syntax::Node;

/// What checks of one real server have in common.
pub(super) struct Scene<'a> {
    /// The real server, with the port that is written for it.
    pub(super) default: AddressPort,
    pub(super) pace: Pace,
    /// `delay_loop` of the virtual server.
    pub(super) service_delay_loop: Duration,
    pub(super) surroundings: &'a Surroundings<'a>,
}

impl Scene<'_> {
    /// Notes what is doubtful about a check.
    pub(super) fn consider(&self, reading: &mut Reading<'_>, node: Node<'_>, checker: &Checker) {
        let (Some(endpoint), Some(schedule)) = (checker.endpoint(), checker.schedule()) else { return };
        if endpoint.port.is_none() && !matches!(checker, Checker::Ping(_)) {
            let message = format!("{} of {} has no port to connect to, so it will fail", node.name(), endpoint.address);
            reading.report_at(&rule::CHECK_PORT, Some(node), message);
        }
        let attempts = schedule.retry.saturating_add(1);
        if endpoint.connect_timeout.get().saturating_mul(attempts) > schedule.delay_loop.get() {
            let mut slow = self.surroundings.slow.borrow_mut();
            let (_, count) = slow.get_or_insert_with(|| (late(node, schedule, endpoint.connect_timeout.get()), 0));
            *count = count.saturating_add(1);
        }
    }
}

/// How long a server that does not answer stays in use, in words.
fn late(node: Node<'_>, schedule: &Schedule, connect_timeout: Duration) -> Finding {
    let Schedule { delay_loop, delay_before_retry, retry, .. } = *schedule;
    let (delay_loop, delay_before_retry) = (delay_loop.get(), delay_before_retry.get());
    let attempts = retry.saturating_add(1);
    let pauses = delay_before_retry.saturating_mul(retry);
    let longest = delay_loop.saturating_add(pauses).saturating_add(connect_timeout.saturating_mul(attempts));
    let message = format!("a server that does not answer may stay in use for {longest:?} with this check");
    let finding = match keyword_span(node) {
        Some(span) => Finding::at(&rule::CHECK_SLOW, span, message),
        None => Finding::anywhere(&rule::CHECK_SLOW, message),
    };
    finding.note(format!(
        "delay_loop {delay_loop:?}, then attempts of {connect_timeout:?}: {attempts}, with {delay_before_retry:?} between"
    ))
}

/// What every check has that connects.
pub(super) struct Timed {
    pub(super) schedule: Schedule,
    pub(super) endpoint: Endpoint,
}

/// Reads the schedule and the endpoint of a check that needs both; `None` if it cannot connect.
pub(super) fn timed(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    scene: &Scene<'_>,
    habit: Habit,
) -> Option<Timed> {
    let (pace, schedule) = schedule(reading, statements, scene, habit);
    let endpoint = endpoint::endpoint(reading, statements, scene.default, pace)?;
    Some(Timed { schedule, endpoint })
}

pub(super) fn schedule(
    reading: &mut Reading<'_>,
    statements: &Statements<'_>,
    scene: &Scene<'_>,
    habit: Habit,
) -> (Pace, Schedule) {
    let pace = scene.pace.with(reading, statements);
    let log_all_failures = reading.switch(statements.last("log_all_failures"));
    let log_all_failures = log_all_failures.unwrap_or(scene.surroundings.log_all_failures);
    (pace, pace.schedule(habit, log_all_failures))
}
