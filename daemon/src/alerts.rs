//! Alerts on their way to the observer, which mails them. The process that has something to tell never waits for it.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::child;
use crate::connection::Connection;

/// Alerts that wait for an observer. The newest are lost beyond that.
const MOST_WAITING: usize = 1_000;

/// Something that is mailed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Alert {
    /// The subject after `[ROUTER_ID] `.
    pub(crate) subject: String,
    /// The body without the arrows around it.
    pub(crate) body: String,
    /// When it happened.
    pub(crate) at: SystemTime,
}

impl Alert {
    /// An alert about something that has just happened.
    pub(crate) fn now(subject: String, body: impl Into<String>) -> Self {
        Self { subject, body: body.into(), at: SystemTime::now() }
    }
}

/// The alerts of a process.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    observer: Option<Connection>,
    waiting: VecDeque<Alert>,
    lost: u64,
}

impl Alerts {
    /// Connects to a new observer.
    ///
    /// # Errors
    /// `descriptor` is missing or no socket.
    pub(crate) fn connect(&mut self, descriptor: Option<OwnedFd>) -> std::io::Result<()> {
        self.observer = Some(child::peer(descriptor)?);
        self.send();
        Ok(())
    }

    /// Sends an alert, as soon as an observer takes it.
    pub(crate) fn push(&mut self, alert: Alert) {
        if self.waiting.len() >= MOST_WAITING {
            if self.lost == 0 {
                tracing::warn!("mail: {MOST_WAITING} alerts wait for the process that sends them; others are left out");
            }
            self.lost += 1;
            return;
        }
        self.waiting.push_back(alert);
        self.send();
    }

    /// Sends what waits.
    pub(crate) fn send(&mut self) {
        let Some(observer) = &mut self.observer else { return };
        while let Some(alert) = self.waiting.front() {
            if !observer.offer(alert) {
                return;
            }
            self.waiting.pop_front();
        }
        if self.lost > 0 {
            tracing::warn!("mail: {} alerts were left out", self.lost);
            self.lost = 0;
        }
    }

    /// Whether alerts wait for room in the pipe.
    pub(crate) fn is_behind(&self) -> bool {
        self.observer.is_some() && !self.waiting.is_empty()
    }

    /// Sends what waits before this process ends, as much as the observer takes in a moment.
    pub(crate) fn finish(&mut self) {
        if let Some(observer) = &mut self.observer {
            self.waiting.drain(..).for_each(|alert| observer.say(&alert));
            observer.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use keepalived_kernel::pipe;

    use super::*;
    use crate::message::Incoming;

    #[test]
    fn they_wait_for_an_observer_and_are_bounded() {
        let mut alerts = Alerts::default();
        for number in 0..MOST_WAITING + 10 {
            alerts.push(Alert::now(number.to_string(), "b"));
        }
        assert_eq!((alerts.waiting.len(), alerts.lost), (MOST_WAITING, 10));
        let (ours, theirs) = pipe::pair().unwrap();
        alerts.connect(Some(ours.into_descriptor())).unwrap();
        let mut observer = Connection::new(theirs);
        let mut heard = Vec::new();
        while alerts.is_behind() || heard.len() < MOST_WAITING {
            while let Ok(Incoming::Message(Alert { subject, .. }, _)) = observer.hear() {
                heard.push(subject);
            }
            alerts.send();
        }
        assert_eq!(heard, (0..MOST_WAITING).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(alerts.lost, 0);
    }
}
