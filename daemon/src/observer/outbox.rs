//! Mail that waits, and the task that sends it: one connection at a time, for all that waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use keepalived_kernel::{local_time, reactor};
use keepalived_surface::mail::{Envelope, Failure, Message, Relay, Session};
use tokio::sync::Notify;

use crate::alerts::Alert;
use crate::backoff::Backoff;

/// Messages that wait. The oldest are lost beyond that: what is newest matters most.
const MOST_WAITING: usize = 1_000;

/// Older messages are not sent any more.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How long an open connection waits for another message: a burst is one connection.
const LINGER: Duration = Duration::from_millis(500);

/// The shortest pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Who writes to whom, and by which relay.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) relay: Relay,
    pub(super) envelope: Envelope,
    pub(super) router_id: String,
}

/// Mail that waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    sender: RefCell<Option<Rc<Sender>>>,
    waiting: RefCell<VecDeque<Alert>>,
    /// Messages that were not sent and never will be, since mail was last sent.
    lost: Cell<u64>,
    /// The last attempt failed, and the log says so.
    fails: Cell<bool>,
    sent: Cell<u64>,
    came: Notify,
    emptied: Notify,
}

impl Outbox {
    /// Sends as `sender` says from now on.
    pub(super) fn set(&self, sender: Option<Sender>) {
        self.sender.replace(sender.map(Rc::new));
        // the new relay may take what the old one did not
        self.came.notify_one();
    }

    /// Adds a message.
    pub(super) fn push(&self, alert: Alert) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MOST_WAITING {
            waiting.pop_front();
            self.lost.set(self.lost.get() + 1);
        }
        waiting.push_back(alert);
        self.came.notify_one();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Waits until none is left.
    pub(super) async fn drained(&self) {
        while self.len() > 0 {
            self.emptied.notified().await;
        }
    }

    fn first(&self) -> Option<Alert> {
        self.waiting.borrow().front().cloned()
    }

    /// The message that was first, `alert`, is dealt with.
    fn done(&self, alert: &Alert) {
        let mut waiting = self.waiting.borrow_mut();
        // too many others may have come meanwhile, so it may be gone
        if waiting.front() == Some(alert) {
            waiting.pop_front();
        }
        if waiting.is_empty() {
            self.emptied.notify_one();
        }
    }

    /// Gives up messages that are too old.
    fn forget_old(&self, now: SystemTime) {
        let mut waiting = self.waiting.borrow_mut();
        let is_old = |alert: &Alert| now.duration_since(alert.at).is_ok_and(|age| age > LONGEST_WAIT);
        while waiting.pop_front_if(|alert| is_old(alert)).is_some() {
            self.lost.set(self.lost.get() + 1);
        }
    }

    /// Says once that mail does not go.
    fn has_failed(&self, relay: &Relay, why: &str) {
        if !self.fails.replace(true) {
            let Relay { host, port, .. } = relay;
            tracing::warn!("mail: {host} port {port}: {why}; {} messages wait, trying again", self.len());
        }
    }

    /// Says that mail goes again.
    fn works(&self) {
        self.sent.set(self.sent.get() + 1);
        let lost = self.lost.take();
        if self.fails.take() || lost > 0 {
            tracing::info!("mail is sent again; {lost} messages were lost");
        }
    }

    /// Sends all that waits by one connection.
    async fn send(&self, sender: &Rc<Sender>) -> Result<(), String> {
        let Sender { relay, envelope, router_id } = &**sender;
        let mut session = Session::open(relay).await.map_err(|failure| failure.to_string())?;
        loop {
            let Some(alert) = self.first() else {
                // more may come
                if tokio::time::timeout(LINGER, self.came.notified()).await.is_ok() {
                    continue;
                }
                break;
            };
            // a reload may have changed who sends
            if !self.sender.borrow().as_ref().is_some_and(|now| Rc::ptr_eq(now, sender)) {
                break;
            }
            let subject = format!("[{router_id}] {}", alert.subject);
            let nanos = alert.at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
            let id = format!("{nanos}.{}.{}", std::process::id(), self.sent.get());
            let message = Message {
                subject: &subject,
                body: &alert.body,
                at: alert.at,
                ahead: local_time::seconds_ahead(alert.at),
                id: &id,
            };
            match session.send(envelope, &message).await {
                Ok(refused) => {
                    self.done(&alert);
                    self.works();
                    for (recipient, why) in refused {
                        tracing::debug!("mail: {recipient} is refused: {why}");
                    }
                }
                Err(Failure::Refused(why)) => {
                    self.done(&alert);
                    self.lost.set(self.lost.get() + 1);
                    self.has_failed(relay, &format!("refuses a message: {why}"));
                }
                Err(Failure::Passing(why)) => return Err(why),
            }
        }
        session.close().await;
        Ok(())
    }
}

/// Sends mail as it comes, for ever.
pub(super) async fn deliver(outbox: Rc<Outbox>) {
    let mut backoff = Backoff::default();
    loop {
        let sender = outbox.sender.borrow().clone();
        let Some(sender) = sender.filter(|_| outbox.first().is_some()) else {
            outbox.came.notified().await;
            continue;
        };
        if let Err(why) = outbox.send(&sender).await {
            outbox.has_failed(&sender.relay, &why);
            tokio::time::sleep(backoff.next(reactor::now()).max(PAUSE)).await;
            outbox.forget_old(SystemTime::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(number: usize, at: SystemTime) -> Alert {
        Alert { subject: number.to_string(), body: String::new(), at }
    }

    #[test]
    fn the_newest_wait_and_what_is_old_is_given_up() {
        let outbox = Outbox::default();
        let now = SystemTime::now();
        for number in 0..MOST_WAITING + 5 {
            let age = if number < 10 { LONGEST_WAIT + PAUSE } else { Duration::ZERO };
            outbox.push(alert(number, now - age));
        }
        assert_eq!((outbox.len(), outbox.lost.get()), (MOST_WAITING, 5));
        assert_eq!(outbox.first().unwrap().subject, "5");
        outbox.forget_old(now);
        assert_eq!((outbox.first().unwrap().subject.as_str(), outbox.lost.get()), ("10", 10));
    }
}
