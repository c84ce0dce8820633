//! Whether a child lives: the supervisor asks it at intervals, and it answers.

use std::time::Duration;

use keepalived_core::time::Instant;

/// Interval of the questions to a child that is not urgent, and how long it may take to answer.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// The shortest interval: the supervisor must not kill a child that is merely slow.
const SHORTEST: Duration = Duration::from_millis(500);

/// How long a child may take to answer while it starts, and a checker while it takes a configuration. A large configuration takes
/// time, and a process that is killed meanwhile starts again from the beginning.
const PATIENCE: Duration = Duration::from_secs(60);

/// Questions to a child, and its answers.
#[derive(Debug)]
pub(super) struct Liveness {
    interval: Duration,
    next_at: Instant,
    asked: u64,
    answered: u64,
    /// When the open question was asked, or the last sign of life came.
    waits_since: Instant,
    /// When the last question was asked.
    asked_at: Instant,
    /// When the last question was asked that it answered, or its last sign of life: it worked after that.
    alive_at: Instant,
}

/// What the supervisor does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Ask this question.
    Ask(u64),
    /// Wait: the child may still answer.
    Wait,
    /// Kill the child: it does not answer.
    GiveUp,
}

/// How often to ask a child. Within `unnoticed` after its last answer the supervisor asks and misses the answer. `None`: nothing is
/// urgent.
pub(super) fn interval(unnoticed: Option<Duration>) -> Duration {
    unnoticed.map_or(INTERVAL, |it| (it / 2).clamp(SHORTEST, INTERVAL))
}

impl Liveness {
    /// Questions to a new child.
    pub(super) fn new(now: Instant, interval: Duration) -> Self {
        Self {
            interval,
            next_at: now + interval,
            asked: 0,
            answered: 0,
            waits_since: now,
            asked_at: now,
            alive_at: now,
        }
    }

    /// Sets the interval.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// When [`Liveness::next`] has something to do.
    pub(super) const fn next_at(&self) -> Instant {
        self.next_at
    }

    /// What to do when the next question is due. A `busy` child may take more time.
    pub(super) fn next(&mut self, now: Instant, busy: bool) -> Next {
        // the supervisor itself did not run in time: an answer may be unread
        let late = now.since(self.next_at) > self.interval / 5;
        self.next_at = now + self.interval;
        if !self.waits() {
            self.asked += 1;
            self.waits_since = now;
            self.asked_at = now;
            return Next::Ask(self.asked);
        }
        if late {
            self.waits_since = now;
        }
        let patience = if busy { PATIENCE } else { self.interval };
        if now.since(self.waits_since) < patience { Next::Wait } else { Next::GiveUp }
    }

    /// The child answered.
    pub(super) fn answered(&mut self, number: u64) {
        self.answered = number;
        if !self.waits() {
            self.alive_at = self.alive_at.max(self.asked_at);
        }
    }

    /// The child finished what it was busy with.
    pub(super) fn sign_of_life(&mut self, now: Instant) {
        self.waits_since = now;
        self.alive_at = now;
    }

    /// If a question waits for its answer: until when the child worked for certain. It may have been frozen since.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.waits().then_some(self.alive_at)
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
    fn no_child_is_killed_because_the_supervisor_was_held_up() {
        let mut liveness = liveness();
        assert_eq!(liveness.next(at(5), false), Next::Ask(1));
        assert_eq!(liveness.next(at(30), false), Next::Wait);
        liveness.answered(1);
        assert_eq!(liveness.next(at(35), false), Next::Ask(2));
        assert_eq!(liveness.next(at(60), false), Next::Wait);
        assert_eq!(liveness.next(at(65), false), Next::GiveUp);
    }

    #[test]
    fn a_frozen_child_is_noticed_before_other_routers_take_over() {
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
    fn a_child_that_dies_with_an_open_question_worked_until_the_one_before() {
        let mut liveness = liveness();
        assert_eq!(liveness.next(at(5), false), Next::Ask(1));
        assert_eq!(liveness.stuck_since(), Some(at(0)), "it has started");
        liveness.answered(1);
        assert_eq!(liveness.stuck_since(), None);
        assert_eq!(liveness.next(at(10), false), Next::Ask(2));
        assert_eq!(liveness.stuck_since(), Some(at(5)));
        // the supervisor was held up, which proves nothing about the child
        assert_eq!(liveness.next(at(30), false), Next::Wait);
        assert_eq!(liveness.stuck_since(), Some(at(5)));
        liveness.answered(2);
        liveness.next(at(35), false);
        assert_eq!(liveness.stuck_since(), Some(at(10)), "it may have answered long ago");
        liveness.sign_of_life(at(36));
        assert_eq!(liveness.stuck_since(), Some(at(36)));
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
