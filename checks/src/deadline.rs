//! How long a dialogue may take.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, Step};

/// The longest that a check with this `connect_timeout` takes, whatever the server does.
///
/// keepalived has no such limit: a server that sends an octet now and then keeps it busy for ever. Each wait takes at
/// most `connect_timeout`, as with keepalived. An honest dialogue waits four times (connect, handshake, header, last of
/// the body; connect, greeting, HELO, QUIT); what ten seconds more do not carry is not a page for a health check.
pub fn total(connect_timeout: Duration) -> Duration {
    connect_timeout.saturating_mul(4).saturating_add(Duration::from_secs(10))
}

/// The deadlines of one dialogue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    step: Duration,
    total: Duration,
    end: Option<Instant>,
}

impl Deadlines {
    /// The dialogue begins.
    pub(crate) fn new(connect_timeout: Duration) -> Self {
        let total = total(connect_timeout);
        Self { step: connect_timeout, total, end: Instant::now().checked_add(total) }
    }

    /// Runs one step.
    pub(crate) async fn within<T>(
        &self,
        step: Step,
        future: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Failure> {
        let result = self.until(step, future).await?;
        result.map_err(|error| Failure::io(step, &error))
    }

    /// As `within`, for what fails in its own way.
    pub(crate) async fn until<T>(&self, step: Step, future: impl Future<Output = T>) -> Result<T, Failure> {
        let now = Instant::now();
        // a step that never waits would never meet its deadline
        if self.end.is_some_and(|end| end <= now) {
            return Err(Failure::TooSlow(step, self.total));
        }
        let next = now.checked_add(self.step);
        let (deadline, failure) = match (next, self.end) {
            (Some(next), Some(end)) if end < next => (end, Failure::TooSlow(step, self.total)),
            (Some(next), _) => (next, Failure::TimedOut(step, self.step)),
            // centuries: no deadline is as good
            (None, _) => return Ok(future.await),
        };
        timeout_at(deadline, future).await.map_err(|_| failure)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[test]
    fn what_never_waits_has_an_end_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let timeout = Duration::from_secs(1);
            let deadlines = Deadlines::new(timeout);
            assert_eq!(deadlines.until(Step::Body, ready(())).await, Ok(()));
            tokio::time::advance(total(timeout)).await;
            let too_slow = Err(Failure::TooSlow(Step::Body, total(timeout)));
            assert_eq!(deadlines.until(Step::Body, ready(())).await, too_slow);
        });
    }
}
