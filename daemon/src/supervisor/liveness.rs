//! Whether a child lives: it is asked again and again, and has to answer.

use std::time::Duration;

use keepalived_core::time::Instant;

/// From one question to the next, where nothing is in a hurry; so long a child may take to answer.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// The shortest of such times: a child that is merely slow must not be killed over and over.
const SHORTEST: Duration = Duration::from_millis(500);

/// The same while it starts, or a checker takes a configuration: a large one takes its time, and whoever is killed over it has to
/// begin again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Questions to a child, and its answers.
#[derive(Debug)]
pub(super) struct Liveness {
    interval: Duration,
    next_at: Instant,
    asked: u64,
    answered: u64,
    /// When the question was asked that waits for an answer, or when it last gave a sign of life.
    waits_since: Instant,
}

/// What the supervisor does about a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Ask it this.
    Ask(u64),
    /// It may still answer.
    Wait,
    /// It does not answer any more.
    GiveUp,
}

/// How often to ask a child that is missed after `unnoticed`: a question and its answer have to fit. `None` is a child that nobody
/// misses so soon.
pub(super) fn interval(unnoticed: Option<Duration>) -> Duration {
    unnoticed.map_or(INTERVAL, |it| (it / 2).clamp(SHORTEST, INTERVAL))
}

impl Liveness {
    /// Of a child that begins.
    pub(super) fn new(now: Instant, interval: Duration) -> Self {
        Self { interval, next_at: now + interval, asked: 0, answered: 0, waits_since: now }
    }

    /// From now on it is asked so often.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// When [`Liveness::next`] has something to do.
    pub(super) const fn next_at(&self) -> Instant {
        self.next_at
    }

    /// The next question is due. `busy` is a child that may take its time.
    pub(super) fn next(&mut self, now: Instant, busy: bool) -> Next {
        // the supervisor was held up itself, or with the whole machine: an answer may lie unread
        let late = now.since(self.next_at) > self.interval / 5;
        self.next_at = now + self.interval;
        if !self.waits() {
            self.asked += 1;
            self.waits_since = now;
            return Next::Ask(self.asked);
        }
        if late {
            self.waits_since = now;
        }
        let patience = if busy { PATIENCE } else { self.interval };
        if now.since(self.waits_since) < patience { Next::Wait } else { Next::GiveUp }
    }

    /// It answered.
    pub(super) fn answered(&mut self, number: u64) {
        self.answered = number;
    }

    /// It said something else: what it was busy with is done.
    pub(super) fn sign_of_life(&mut self, now: Instant) {
        self.waits_since = now;
    }

    /// Whether a question waits for its answer.
    pub(super) const fn waits(&self) -> bool {
        self.answered < self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn liveness() -> Liveness {
        Liveness::new(at(0), INTERVAL)
    }

    #[test]
    fn who_does_not_answer_for_an_interval_is_given_up() {
        let mut liveness = liveness();
        assert_eq!(liveness.next_at(), at(5));
        assert_eq!(liveness.next(at(5), false), Next::Ask(1));
        liveness.answered(1);
        assert_eq!(liveness.next(at(10), false), Next::Ask(2));
        assert!(liveness.waits());
        assert_eq!(liveness.next(at(15), false), Next::GiveUp);
    }

    #[test]
    fn who_is_busy_with_a_configuration_has_a_minute() {
        let mut liveness = liveness();
        assert_eq!(liveness.next(at(5), true), Next::Ask(1));
        assert!((2..13).all(|round| liveness.next(at(round * 5), true) == Next::Wait));
        assert_eq!(liveness.next(at(65), true), Next::GiveUp);
    }

    #[test]
    fn who_has_just_done_with_a_configuration_has_an_interval_to_answer() {
        let mut liveness = liveness();
        assert_eq!(liveness.next(at(5), true), Next::Ask(1));
        (2..8).for_each(|round| assert_eq!(liveness.next(at(round * 5), true), Next::Wait));
        liveness.sign_of_life(at(39));
        assert_eq!(liveness.next(at(40), false), Next::Wait);
        assert_eq!(liveness.next(at(45), false), Next::GiveUp);
    }

    #[test]
    fn nobody_is_given_up_because_the_supervisor_was_held_up() {
        let mut liveness = liveness();
        assert_eq!(liveness.next(at(5), false), Next::Ask(1));
        assert_eq!(liveness.next(at(30), false), Next::Wait);
        liveness.answered(1);
        assert_eq!(liveness.next(at(35), false), Next::Ask(2));
        assert_eq!(liveness.next(at(60), false), Next::Wait);
        assert_eq!(liveness.next(at(65), false), Next::GiveUp);
    }

    #[test]
    fn whoever_is_frozen_is_noticed_before_others_take_over() {
        // master down time of three adverts a second apart (RFC 9568 section 6.1), without the skew
        let unnoticed = Duration::from_secs(3);
        let mut liveness = Liveness::new(at(0), interval(Some(unnoticed)));
        let mut now = liveness.next_at();
        assert_eq!(liveness.next(now, false), Next::Ask(1));
        liveness.answered(1);
        // frozen right after this answer
        let frozen = now;
        loop {
            now = liveness.next_at();
            match liveness.next(now, false) {
                Next::GiveUp => break,
                Next::Ask(_) | Next::Wait => {}
            }
        }
        assert!(now.since(frozen) <= unnoticed, "{:?}", now.since(frozen));
    }

    #[test]
    fn the_interval_has_bounds_and_can_change() {
        assert_eq!(interval(None), INTERVAL);
        assert_eq!(interval(Some(Duration::from_secs(100))), INTERVAL);
        assert_eq!(interval(Some(Duration::from_millis(30))), SHORTEST);
        let mut liveness = liveness();
        liveness.set_interval(Duration::from_secs(1));
        assert!(liveness.next_at() <= at(5));
        liveness.next(at(5), false);
        assert_eq!(liveness.next_at(), at(6));
    }
}
