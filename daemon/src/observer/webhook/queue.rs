//! Events that wait, how often they are tried, and what the log says of it: each kind of trouble once.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use keepalived_surface::metrics::Posts;

/// Events that wait. The oldest are lost beyond that: what is newest matters most.
const MOST_WAITING: usize = 1_000;

/// Octets of events that wait.
const MOST_OCTETS: usize = 2 * 1024 * 1024;

/// How often an event is tried. With the pauses it is some minutes.
const MOST_TRIES: u32 = 10;

/// The pause after a failure; it doubles to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Reasons of failures that are said until one is taken: a receiver may have a part in their texts.
const MOST_REASONS: usize = 8;

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The receiver has it.
    Taken,
    /// The receiver does not want it: another try would not help.
    Refused(StatusCode),
    /// It may work later.
    Failed(String),
}

/// A line for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Said {
    Well(String),
    Wrong(String),
}

/// Events that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Bytes>,
    octets: usize,
    /// The first one is on its way.
    is_sent: bool,
    /// How often the first one was tried.
    tries: u32,
    pause: Duration,
    posts: Posts,
    /// Why requests failed since one was taken, as far as the log tells.
    failures: BTreeSet<String>,
    /// Lost since the log said so.
    lost: u64,
    has_said_loss: bool,
    /// Refusals that the log tells of.
    refusals: BTreeSet<StatusCode>,
    said: Vec<Said>,
}

impl Queue {
    /// Adds an event.
    pub(super) fn push(&mut self, body: Bytes) {
        while self.waiting.len() >= MOST_WAITING || self.octets + body.len() > MOST_OCTETS {
            // one that is on its way stays
            if !self.remove(usize::from(self.is_sent)) {
                break;
            }
            self.are_missing(1);
        }
        self.octets += body.len();
        self.waiting.push_back(body);
    }

    /// So many events will never be posted.
    pub(super) fn are_missing(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.posts.lost = self.posts.lost.saturating_add(count);
        self.lost = self.lost.saturating_add(count);
        if !std::mem::replace(&mut self.has_said_loss, true) {
            let waiting = self.waiting.len();
            self.said.push(Said::Wrong(format!("the oldest events are lost from now on; {waiting} wait")));
        }
    }

    fn remove(&mut self, place: usize) -> bool {
        let Some(body) = self.waiting.remove(place) else { return false };
        self.octets -= body.len();
        if place == 0 {
            self.tries = 0;
        }
        true
    }

    /// The event to send now; `None` if there is none, or one is on its way.
    pub(super) fn begin(&mut self) -> Option<Bytes> {
        let first = self.waiting.front().filter(|_| !self.is_sent)?.clone();
        self.is_sent = true;
        Some(first)
    }

    /// The request about the first event has ended. Returns the pause before the next one.
    pub(super) fn ended(&mut self, outcome: &Outcome) -> Duration {
        self.is_sent = false;
        match outcome {
            Outcome::Taken => {
                self.remove(0);
                self.posts.posted = self.posts.posted.saturating_add(1);
                self.pause = Duration::ZERO;
                self.works();
            }
            Outcome::Refused(status) => {
                self.remove(0);
                self.posts.failed = self.posts.failed.saturating_add(1);
                self.posts.lost = self.posts.lost.saturating_add(1);
                self.pause = Duration::ZERO;
                if self.refusals.insert(*status) {
                    self.said.push(Said::Wrong(format!("the answer is {status}: such events are lost")));
                }
            }
            Outcome::Failed(why) => {
                self.posts.failed = self.posts.failed.saturating_add(1);
                self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                self.tries = self.tries.saturating_add(1);
                if self.failures.len() < MOST_REASONS && self.failures.insert(why.clone()) {
                    let waiting = self.waiting.len();
                    self.said.push(Said::Wrong(format!("{why}; trying again, and {waiting} events wait")));
                }
                if self.tries >= MOST_TRIES {
                    self.remove(0);
                    self.are_missing(1);
                }
            }
        }
        self.pause
    }

    /// Says that events are taken again.
    fn works(&mut self) {
        let has_failed = !std::mem::take(&mut self.failures).is_empty();
        let lost = std::mem::take(&mut self.lost);
        if has_failed || lost > 0 {
            self.said.push(Said::Well(format!("events are taken again; {lost} were lost")));
        }
        self.has_said_loss = false;
    }

    /// The receiver is another one.
    pub(super) fn begin_anew(&mut self) {
        self.is_sent = false;
        self.tries = 0;
        self.pause = Duration::ZERO;
        self.failures.clear();
        self.refusals.clear();
    }

    /// There is no receiver any more.
    pub(super) fn give_up(&mut self) {
        let waiting = self.waiting.len();
        if waiting > 0 {
            self.said.push(Said::Wrong(format!("none is configured any more; {waiting} events that waited are lost")));
        }
    }

    /// What the log should say.
    pub(super) fn said(&mut self) -> impl Iterator<Item = Said> + use<> {
        std::mem::take(&mut self.said).into_iter()
    }

    /// For metrics.
    pub(super) fn posts(&self) -> Posts {
        Posts { waiting: u64::try_from(self.waiting.len()).unwrap_or(u64::MAX), ..self.posts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Outcome {
        Outcome::Failed("x".to_owned())
    }

    fn with(count: usize) -> Queue {
        let mut queue = Queue::default();
        (0..count).for_each(|number| queue.push(Bytes::from(number.to_string())));
        queue
    }

    /// The pause after a request about the first event, in seconds.
    fn end(queue: &mut Queue, outcome: &Outcome) -> u64 {
        queue.begin().unwrap();
        queue.ended(outcome).as_secs()
    }

    fn nearly_give_up(queue: &mut Queue) {
        for _ in 1..MOST_TRIES {
            end(queue, &failed());
        }
    }

    fn first(queue: &Queue) -> &str {
        std::str::from_utf8(queue.waiting.front().unwrap()).unwrap()
    }

    #[test]
    fn a_dead_receiver_costs_pauses_that_grow_and_two_lines() {
        let mut queue = with(2);
        let pauses: Vec<u64> = (0..10).map(|_| end(&mut queue, &failed())).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(queue.posts(), Posts { posted: 0, failed: 10, lost: 1, waiting: 1 });
        let said: Vec<Said> = queue.said().collect();
        assert_eq!(
            said,
            [
                Said::Wrong("x; trying again, and 2 events wait".to_owned()),
                Said::Wrong("the oldest events are lost from now on; 1 wait".to_owned()),
            ]
        );
        assert_eq!(end(&mut queue, &Outcome::Taken), 0);
        assert_eq!(queue.posts(), Posts { posted: 1, failed: 10, lost: 1, waiting: 0 });
        assert!(queue.said().eq([Said::Well("events are taken again; 1 were lost".to_owned())]));
        queue.push(Bytes::from("third"));
        assert_eq!(end(&mut queue, &failed()), 1, "from the beginning");
        assert_eq!(queue.said().count(), 1, "it is news again");
    }

    #[test]
    fn what_is_refused_is_not_tried_again_and_said_once_for_each_status() {
        let mut queue = with(5);
        let outcomes = [404, 404, 302, 404].map(|status| Outcome::Refused(StatusCode::from_u16(status).unwrap()));
        let pauses = outcomes.map(|outcome| end(&mut queue, &outcome));
        assert_eq!((pauses, queue.posts().lost, queue.said().count()), ([0; 4], 4, 2));
        assert_eq!(end(&mut queue, &Outcome::Taken), 0);
        assert_eq!(queue.said().count(), 0);
    }

    #[test]
    fn the_oldest_make_room_but_not_while_they_are_sent() {
        let mut queue = with(MOST_WAITING);
        assert_eq!(queue.begin(), Some(Bytes::from("0")));
        assert_eq!(queue.begin(), None, "one at a time");
        (0..10).for_each(|_| queue.push(Bytes::from("more")));
        assert_eq!((queue.posts().waiting, queue.posts().lost, first(&queue)), (1_000, 10, "0"));
        assert_eq!(queue.said().count(), 1);
        queue.ended(&Outcome::Taken);
        assert_eq!(first(&queue), "11");
        // the next one has all its tries
        nearly_give_up(&mut queue);
        queue.push(Bytes::from("more"));
        queue.push(Bytes::from("more"));
        assert_eq!((first(&queue), queue.tries), ("12", 0));
    }

    #[test]
    fn large_events_do_not_fill_the_memory() {
        let mut queue = Queue::default();
        for _ in 0..10 {
            queue.push(Bytes::from(vec![b'x'; MOST_OCTETS / 2]));
        }
        assert_eq!((queue.posts().waiting, queue.posts().lost, queue.octets), (2, 8, MOST_OCTETS));
        queue.begin();
        queue.push(Bytes::from(vec![b'x'; MOST_OCTETS * 2]));
        assert_eq!(queue.posts().waiting, 2, "the one that is sent, and the newest");
        queue.ended(&Outcome::Taken);
        queue.push(Bytes::from("small"));
        assert_eq!((queue.posts().waiting, queue.octets), (1, 5));
    }

    #[test]
    fn another_receiver_gets_what_waits_at_once() {
        let mut queue = with(2);
        nearly_give_up(&mut queue);
        queue.begin();
        queue.begin_anew();
        assert_eq!(end(&mut queue, &failed()), 1);
        assert_eq!((first(&queue), queue.posts().waiting), ("0", 2));
        assert_eq!(queue.said().count(), 2, "both receivers failed");
        queue.give_up();
        assert_eq!(queue.said().count(), 1);
    }
}
