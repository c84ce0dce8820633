//! Whether a child lives: it is asked every few seconds, and has to answer.

use std::time::Duration;

use keepalived_core::time::Instant;

/// From one question to the next; so long a child may take to answer.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// The same while it starts, or a checker takes a configuration: a large one takes its time, and whoever is killed over it has to
/// begin again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Questions to a child, and its answers.
#[derive(Debug)]
pub(super) struct Pulse {
    asked: u64,
    answered: u64,
    /// When the question was asked that waits for an answer, or when it last gave a sign of life.
    waits_since: Instant,
}

/// What is to be done about a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Ask it this.
    Ask(u64),
    /// It may still answer.
    Wait,
    /// It does not answer any more.
    GiveUp,
}

/// How the supervisor looks at its children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    /// When it was due.
    InTime,
    /// Later: it was held up itself, by a large configuration or with the whole machine, and answers may lie unread.
    Late,
}

impl Pulse {
    /// Of a child that begins.
    pub(super) const fn new(now: Instant) -> Self {
        Self { asked: 0, answered: 0, waits_since: now }
    }

    /// The next question is due. `busy` is a child that may take its time.
    pub(super) fn next(&mut self, now: Instant, look: Look, busy: bool) -> Next {
        if !self.waits() {
            self.asked += 1;
            self.waits_since = now;
            return Next::Ask(self.asked);
        }
        if look == Look::Late {
            self.waits_since = now;
        }
        let patience = if busy { PATIENCE } else { INTERVAL };
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

    #[test]
    fn who_does_not_answer_for_an_interval_is_given_up() {
        let mut pulse = Pulse::new(at(0));
        assert_eq!(pulse.next(at(5), Look::InTime, false), Next::Ask(1));
        pulse.answered(1);
        assert_eq!(pulse.next(at(10), Look::InTime, false), Next::Ask(2));
        assert!(pulse.waits());
        assert_eq!(pulse.next(at(15), Look::InTime, false), Next::GiveUp);
    }

    #[test]
    fn who_is_busy_with_a_configuration_has_a_minute() {
        let mut pulse = Pulse::new(at(0));
        assert_eq!(pulse.next(at(5), Look::InTime, true), Next::Ask(1));
        assert!((2..13).all(|round| pulse.next(at(round * 5), Look::InTime, true) == Next::Wait));
        assert_eq!(pulse.next(at(65), Look::InTime, true), Next::GiveUp);
    }

    #[test]
    fn who_has_just_done_with_a_configuration_has_an_interval_to_answer() {
        let mut pulse = Pulse::new(at(0));
        assert_eq!(pulse.next(at(5), Look::InTime, true), Next::Ask(1));
        pulse.sign_of_life(at(39));
        assert_eq!(pulse.next(at(40), Look::InTime, false), Next::Wait);
        assert_eq!(pulse.next(at(45), Look::InTime, false), Next::GiveUp);
    }

    #[test]
    fn nobody_is_given_up_because_the_supervisor_was_held_up() {
        let mut pulse = Pulse::new(at(0));
        assert_eq!(pulse.next(at(5), Look::InTime, false), Next::Ask(1));
        assert_eq!(pulse.next(at(30), Look::Late, false), Next::Wait);
        pulse.answered(1);
        assert_eq!(pulse.next(at(35), Look::InTime, false), Next::Ask(2));
        assert_eq!(pulse.next(at(60), Look::Late, false), Next::Wait);
        assert_eq!(pulse.next(at(65), Look::InTime, false), Next::GiveUp);
    }
}
