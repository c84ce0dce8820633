//! Mail that waits, and the task that sends it: one connection at a time, for all that waits.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use keepalived_kernel::{local_time, reactor};
use keepalived_surface::mail::{Envelope, Failure, Message, Refused, Relay, Session};
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

/// Messages by one connection: servers end it after some number of their own.
const MOST_TOGETHER: usize = 100;

/// Messages that one connection may postpone: a server that postpones some postpones all.
const MOST_POSTPONED: usize = 10;

/// How often a message may stay without an answer. Each time it may have arrived, and those behind it wait.
const MOST_UNANSWERED: u8 = 5;

/// The sender, the recipients and the relay.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) relay: Relay,
    pub(super) envelope: Envelope,
    pub(super) router_id: String,
}

/// A message that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Waiting {
    alert: Alert,
    /// Makes it different from all others.
    number: u64,
    unanswered: u8,
}

/// Mail that waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    sender: RefCell<Option<Rc<Sender>>>,
    waiting: RefCell<VecDeque<Waiting>>,
    last_number: Cell<u64>,
    /// Recipients that were refused, and the log says so.
    refused: RefCell<BTreeSet<String>>,
    /// Messages that were not sent and never will be, since mail was last sent.
    lost: Cell<u64>,
    /// The last attempt failed, and the log says so.
    fails: Cell<bool>,
    came: Notify,
    /// What can be sent at once is sent, and no more.
    ends: Cell<bool>,
    /// Who sends is another one, or the end has come: no pause lasts any longer.
    turned: Notify,
}

impl Outbox {
    /// Sends as `sender` says from now on.
    pub(super) fn set(&self, sender: Option<Sender>) {
        self.sender.replace(sender.map(Rc::new));
        self.refused.borrow_mut().clear();
        // the new relay may take what the old one did not
        self.came.notify_one();
        self.turned.notify_one();
    }

    /// Adds a message.
    pub(super) fn push(&self, alert: Alert) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MOST_WAITING {
            waiting.pop_front();
            self.has_lost(1);
        }
        let number = self.last_number.get() + 1;
        self.last_number.set(number);
        waiting.push_back(Waiting { alert, number, unanswered: 0 });
        self.came.notify_one();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Ends [`deliver`] as soon as nothing waits, or something cannot be sent.
    pub(super) fn end(&self) {
        self.ends.set(true);
        self.came.notify_one();
        self.turned.notify_one();
    }

    fn has_lost(&self, count: u64) {
        self.lost.set(self.lost.get() + count);
    }

    fn first(&self) -> Option<Waiting> {
        self.waiting.borrow().front().cloned()
    }

    /// The first message, `sent`, has been dealt with. `None` if too many others came meanwhile: then it has gone.
    fn take(&self, sent: &Waiting) -> Option<Waiting> {
        self.waiting.borrow_mut().pop_front_if(|first| first.number == sent.number)
    }

    /// The first message, `sent`, could not be sent, and others may be. Why mail stops for a while, if it does.
    fn settle(&self, sent: &Waiting, failure: Failure) -> Result<(), String> {
        let why = failure.to_string();
        match failure {
            Failure::Refused(_) => {
                self.has_lost(self.take(sent).map_or(0, |_| 1));
                Ok(())
            }
            Failure::Postponed(_) => {
                if let Some(first) = self.take(sent) {
                    self.waiting.borrow_mut().push_back(first);
                }
                Ok(())
            }
            Failure::Unanswered(_) => {
                if let Some(first) = self.waiting.borrow_mut().front_mut().filter(|first| first.number == sent.number) {
                    first.unanswered += 1;
                }
                if sent.unanswered + 1 >= MOST_UNANSWERED {
                    self.has_lost(self.take(sent).map_or(0, |_| 1));
                }
                Err(why)
            }
            Failure::Passing(_) => Err(why),
        }
    }

    /// Gives up messages that are too old.
    fn forget_old(&self, now: SystemTime) {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        // what was postponed is among younger ones
        waiting.retain(|waiting| now.duration_since(waiting.alert.at).map_or(true, |age| age <= LONGEST_WAIT));
        self.has_lost(u64::try_from(before - waiting.len()).unwrap_or(u64::MAX));
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
        let lost = self.lost.take();
        if self.fails.take() || lost > 0 {
            tracing::info!("mail is sent again; {lost} messages were lost");
        }
    }

    /// Says once of each recipient that it gets nothing.
    fn are_refused(&self, recipients: Refused) {
        for (recipient, why) in recipients {
            if self.refused.borrow_mut().insert(recipient.clone()) {
                tracing::warn!("mail: {recipient} is refused: {why}");
            }
        }
    }

    /// Waits for another message.
    async fn linger(&self) {
        let end = tokio::time::Instant::now() + LINGER;
        let goes_on = || self.first().is_none() && !self.ends.get();
        // what came before, and has been sent, may have left its notice
        while goes_on() && tokio::time::timeout_at(end, self.came.notified()).await.is_ok() {}
    }

    /// Sends what waits by one connection.
    async fn send(&self, sender: &Rc<Sender>) -> Result<(), String> {
        let Sender { relay, envelope, router_id } = &**sender;
        let mut session = Session::open(relay).await.map_err(|failure| failure.to_string())?;
        let mut postponed = 0;
        for _ in 0..MOST_TOGETHER {
            self.linger().await;
            // a reload may have changed who sends
            let is_sender = self.sender.borrow().as_ref().is_some_and(|now| Rc::ptr_eq(now, sender));
            let Some(first) = self.first().filter(|_| is_sender) else { break };
            let Alert { subject, body, at } = &first.alert;
            let subject = format!("[{router_id}] {subject}");
            let nanos = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
            let id = format!("{nanos}.{}.{}", std::process::id(), first.number);
            let message = Message { subject: &subject, body, at: *at, ahead: local_time::seconds_ahead(*at), id: &id };
            match session.send(envelope, &message).await {
                Ok(refused) => {
                    self.take(&first);
                    self.works();
                    self.are_refused(refused);
                }
                Err(failure) => {
                    let (is_postponed, why) = (matches!(failure, Failure::Postponed(_)), failure.to_string());
                    self.settle(&first, failure)?;
                    postponed += usize::from(is_postponed);
                    if is_postponed && postponed >= MOST_POSTPONED.min(self.len()) {
                        session.close().await;
                        return Err(why);
                    }
                    self.has_failed(relay, &why);
                }
            }
        }
        session.close().await;
        Ok(())
    }
}

/// Sends mail as it comes, until [`Outbox::end`].
pub(super) async fn deliver(outbox: Rc<Outbox>) {
    let mut backoff = Backoff::default();
    loop {
        let sender = outbox.sender.borrow().clone();
        match sender.filter(|_| outbox.first().is_some()) {
            Some(sender) => {
                if let Err(why) = outbox.send(&sender).await {
                    outbox.has_failed(&sender.relay, &why);
                    if outbox.ends.get() {
                        return;
                    }
                    let pause = backoff.next(reactor::now()).max(PAUSE);
                    tokio::time::timeout(pause, outbox.turned.notified()).await.ok();
                    outbox.forget_old(SystemTime::now());
                }
            }
            None if outbox.ends.get() => return,
            None => outbox.came.notified().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(number: usize, at: SystemTime) -> Alert {
        Alert { subject: number.to_string(), body: String::new(), at }
    }

    fn with(count: usize) -> Outbox {
        let outbox = Outbox::default();
        (0..count).for_each(|number| outbox.push(alert(number, SystemTime::now())));
        outbox
    }

    fn subjects(outbox: &Outbox) -> Vec<String> {
        outbox.waiting.borrow().iter().map(|waiting| waiting.alert.subject.clone()).collect()
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
        assert_eq!(outbox.first().unwrap().alert.subject, "5");
        outbox.forget_old(now);
        assert_eq!((outbox.first().unwrap().alert.subject.as_str(), outbox.lost.get()), ("10", 10));
    }

    #[test]
    fn a_message_that_is_wanted_later_lets_the_others_pass() {
        let outbox = with(3);
        let first = outbox.first().unwrap();
        assert_eq!(outbox.settle(&first, Failure::Postponed("later".to_owned())), Ok(()));
        assert_eq!(subjects(&outbox), ["1", "2", "0"]);
        let first = outbox.first().unwrap();
        assert_eq!(outbox.settle(&first, Failure::Refused("never".to_owned())), Ok(()));
        assert_eq!((subjects(&outbox), outbox.lost.get()), (vec!["2".to_owned(), "0".to_owned()], 1));
    }

    #[test]
    fn a_message_that_ends_each_connection_is_given_up_and_no_other_is() {
        let outbox = with(2);
        for _ in 0..100 {
            assert!(outbox.settle(&outbox.first().unwrap(), Failure::Passing("closed".to_owned())).is_err());
        }
        assert_eq!(subjects(&outbox), ["0", "1"]);
        for _ in 0..MOST_UNANSWERED {
            assert_eq!(subjects(&outbox), ["0", "1"]);
            assert!(outbox.settle(&outbox.first().unwrap(), Failure::Unanswered("closed".to_owned())).is_err());
        }
        assert_eq!((subjects(&outbox), outbox.lost.get()), (vec!["1".to_owned()], 1));
    }

    #[test]
    fn what_was_displaced_while_it_was_sent_displaces_no_other() {
        let outbox = with(MOST_WAITING);
        let first = outbox.first().unwrap();
        outbox.push(alert(MOST_WAITING, SystemTime::now()));
        outbox.take(&first);
        outbox.settle(&first, Failure::Postponed("later".to_owned())).unwrap();
        assert_eq!((outbox.len(), outbox.lost.get()), (MOST_WAITING, 1));
        assert_eq!(outbox.first().unwrap().alert.subject, "1");
    }
}
