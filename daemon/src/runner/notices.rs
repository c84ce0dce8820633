//! Notifications that wait for their turn: programs may hang, and this machine may be short of processes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::reactor::Token;

use crate::message::Order;

/// How many programs run at a time for one subject. More than one: a few that hang for ever must not block all later ones.
const MOST_ABOUT_ONE: usize = 4;

/// How many notifications run at a time.
const MOST: usize = 512;

/// How many orders wait, one for each subject. The oldest makes room.
const MOST_WAITING: usize = 10_000;

/// Pause after a shortage.
const RETRY: Duration = Duration::from_secs(1);

/// Orders that wait for their turn, and what runs meanwhile.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: VecDeque<(Token, Order)>,
    /// How many programs run for each subject.
    running: HashMap<String, usize>,
    /// The end of the pause after a shortage.
    short_until: Option<Instant>,
}

impl Notices {
    /// Takes an order. Of orders that wait for one subject only the last one stays. Says if it waits because too many run.
    pub(super) fn push(&mut self, client: Token, order: Order) -> Option<usize> {
        let is_same = |(_, other): &(Token, Order)| other.about == order.about;
        let waited = self.waiting.iter().position(is_same).map(|place| self.waiting.remove(place)).is_some();
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
        }
        let running = self.about(&order.about);
        self.waiting.push_back((client, order));
        (running >= MOST_ABOUT_ONE && !waited).then_some(running)
    }

    fn about(&self, subject: &str) -> usize {
        self.running.get(subject).copied().unwrap_or_default()
    }

    /// Takes the next order that may start. It counts as running.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Token, Order)> {
        if self.short_until.is_some_and(|until| now < until) || self.running.values().sum::<usize>() >= MOST {
            return None;
        }
        let place = self.waiting.iter().position(|(_, order)| self.about(&order.about) < MOST_ABOUT_ONE)?;
        let (client, order) = self.waiting.remove(place)?;
        *self.running.entry(order.about.clone()).or_default() += 1;
        Some((client, order))
    }

    /// It runs, so there is no shortage. True if there was one.
    pub(super) fn started(&mut self) -> bool {
        self.short_until.take().is_some()
    }

    /// It could not start for a shortage: it is the next one again, unless a later one about its subject came. True if there was no
    /// shortage before.
    pub(super) fn postpone(&mut self, client: Token, order: Order, now: Instant) -> bool {
        self.ended(&order.about);
        self.waiting.push_front((client, order));
        self.short_until.replace(now + RETRY).is_none()
    }

    /// A program for `subject` has ended, or cannot be run at all.
    pub(super) fn ended(&mut self, subject: &str) {
        if let Some(count) = self.running.get_mut(subject) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.running.remove(subject);
            }
        }
    }

    /// When to take the next one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.short_until.filter(|_| !self.waiting.is_empty())
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use keepalived_config::model::Script;

    use super::*;
    use crate::message::Lives;

    const CLIENT: Token = Token(7);
    const NOW: Instant = Instant::ZERO;

    fn order(id: u64, about: &str) -> Order {
        let script = Script { argv: vec!["/bin/true".into()], user: None, group: None };
        Order { id, script, extra: Vec::new(), lives: Lives::Freely, about: about.into() }
    }

    fn begun(notices: &mut Notices, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| notices.next(now)).map(|(_, order)| order.id).collect()
    }

    #[test]
    fn programs_that_hang_do_not_pile_up_and_the_last_state_is_told() {
        let mut notices = Notices::default();
        let mut all = Vec::new();
        for id in 1..=20 {
            let says = notices.push(CLIENT, order(id, "VS a"));
            assert_eq!(says.is_some(), id == 5, "said once: {id}");
            all.extend(begun(&mut notices, NOW));
        }
        assert_eq!(all, [1, 2, 3, 4]);
        notices.push(CLIENT, order(30, "VS b"));
        assert_eq!(begun(&mut notices, NOW), [30], "others are not concerned");
        notices.ended("VS a");
        assert_eq!(begun(&mut notices, NOW), [20], "the last one");
        for _ in 0..4 {
            notices.ended("VS a");
        }
        assert_eq!((begun(&mut notices, NOW), notices.len()), (vec![], 0));
    }

    #[test]
    fn all_together_are_bounded() {
        let mut notices = Notices::default();
        for id in 0..20_000 {
            notices.push(CLIENT, order(id, &format!("RS {id}")));
        }
        assert_eq!((begun(&mut notices, NOW).len(), notices.len()), (MOST, MOST_WAITING - MOST));
    }

    #[test]
    fn what_there_is_no_room_for_waits_and_begins_in_its_turn() {
        let mut notices = Notices::default();
        notices.push(CLIENT, order(1, "VS a"));
        notices.push(CLIENT, order(2, "VS b"));
        let mut now = NOW;
        for round in 0..5 {
            let (client, first) = notices.next(now).unwrap();
            assert_eq!(first.id, 1);
            assert_eq!(notices.postpone(client, first, now), round == 0, "said once");
            assert_eq!(notices.next(now), None, "it is not tried without end");
            assert_eq!(notices.deadline(), Some(now + RETRY));
            now += RETRY;
        }
        notices.push(CLIENT, order(3, "VS a"));
        assert_eq!(notices.next(now).map(|(_, order)| order.id), Some(2), "the first one has been overtaken");
        assert!(notices.started());
        assert_eq!(begun(&mut notices, now), [3]);
        assert!(!notices.started());
    }
}
