//! Notifications that wait for their turn: programs may hang, and this machine may be short of processes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use keepalived_core::time::Instant;
use keepalived_kernel::reactor::Token;

use crate::message::Order;

/// A program that tells of a subject begins when the one before it has ended, or has run for so long: one that hangs must not keep all
/// later ones from telling.
const PATIENCE: Duration = Duration::from_secs(30);

/// Programs that tell of one subject and run at a time, at most: those that hang.
const MOST_ABOUT_ONE: usize = 4;

/// Programs that tell of anything and run at a time, at most. Those that have run for longer than [`PATIENCE`] do not count.
const MOST_AT_ONCE: usize = 32;

/// The same, however long they have run.
const MOST: usize = 512;

/// How many orders wait, one for each subject. The oldest makes room.
const MOST_WAITING: usize = 10_000;

/// Pause after a shortage.
const RETRY: Duration = Duration::from_secs(1);

/// Orders that wait for their turn, and what runs meanwhile.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: VecDeque<(Token, Order)>,
    /// When the programs began that run for each subject.
    running: HashMap<String, Vec<Instant>>,
    /// The end of the pause after a shortage.
    short_until: Option<Instant>,
    /// Orders that will not be carried out: a later one about the same subject has taken their place, or there are too many.
    displaced: Vec<(Token, u64)>,
}

impl Notices {
    /// Takes an order. Of orders that wait for one subject only the last one stays. Says if it waits because too many run.
    pub(super) fn push(&mut self, client: Token, order: Order) -> Option<usize> {
        let is_same = |(_, other): &(Token, Order)| other.about == order.about;
        let same = self.waiting.iter().position(is_same).and_then(|place| self.waiting.remove(place));
        let waited = same.is_some();
        let oldest = if self.waiting.len() >= MOST_WAITING { self.waiting.pop_front() } else { None };
        self.displaced.extend(same.into_iter().chain(oldest).map(|(client, order)| (client, order.id)));
        let running = self.running.get(&order.about).map_or(0, Vec::len);
        self.waiting.push_back((client, order));
        (running >= MOST_ABOUT_ONE && !waited).then_some(running)
    }

    /// Takes the orders that will not be carried out.
    pub(super) fn displaced(&mut self) -> Vec<(Token, u64)> {
        std::mem::take(&mut self.displaced)
    }

    /// When the next program about `subject` may begin; `None` if one has to end first.
    fn may_begin(&self, subject: &str) -> Option<Instant> {
        let begun = self.running.get(subject).map(Vec::as_slice).unwrap_or_default();
        let after = begun.iter().max().map_or(Instant::ZERO, |last| *last + PATIENCE);
        (begun.len() < MOST_ABOUT_ONE).then_some(after)
    }

    /// When there is room for one more about anything; `None` if one has to end first.
    fn has_room(&self) -> Option<Instant> {
        let mut begun: Vec<Instant> = self.running.values().flatten().copied().collect();
        begun.sort_unstable();
        let waits_for = begun.len().checked_sub(MOST_AT_ONCE).and_then(|at| begun.get(at));
        (begun.len() < MOST).then(|| waits_for.map_or(Instant::ZERO, |first| *first + PATIENCE))
    }

    /// Takes the next order that may start. It counts as running.
    pub(super) fn next(&mut self, now: Instant) -> Option<(Token, Order)> {
        let may = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if self.waiting.is_empty() || self.short_until.is_some_and(|until| now < until) || !may(self.has_room()) {
            return None;
        }
        let place = self.waiting.iter().position(|(_, order)| may(self.may_begin(&order.about)))?;
        let (client, order) = self.waiting.remove(place)?;
        self.running.entry(order.about.clone()).or_default().push(now);
        Some((client, order))
    }

    /// It runs, so there is no shortage. True if there was one.
    pub(super) fn started(&mut self) -> bool {
        self.short_until.take().is_some()
    }

    /// It could not start for a shortage: it is the next one again, unless a later one about its subject came. True if there was no
    /// shortage before.
    pub(super) fn postpone(&mut self, client: Token, order: Order, now: Instant) -> bool {
        self.ended(&order.about, now);
        self.waiting.push_front((client, order));
        self.short_until.replace(now + RETRY).is_none()
    }

    /// One that tells of `subject` has ended, or cannot be run at all; it began at `begun`.
    pub(super) fn ended(&mut self, subject: &str, begun: Instant) {
        if let Some(running) = self.running.get_mut(subject) {
            if let Some(place) = running.iter().position(|at| *at == begun) {
                running.swap_remove(place);
            }
            if running.is_empty() {
                self.running.remove(subject);
            }
        }
    }

    /// When to look for the next, though none has ended.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        let first = self.waiting.iter().filter_map(|(_, order)| self.may_begin(&order.about)).min()?;
        Some(self.has_room()?.max(first).max(self.short_until.unwrap_or_default()))
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
        Order { id, script, extra: Vec::new(), environment: Vec::new(), lives: Lives::Freely, about: about.into() }
    }

    fn begun(notices: &mut Notices, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| notices.next(now)).map(|(_, order)| order.id).collect()
    }

    #[test]
    fn one_at_a_time_tells_of_a_subject_and_the_last_state_is_told() {
        let mut notices = Notices::default();
        let mut all = Vec::new();
        for id in 1..=20 {
            assert_eq!(notices.push(CLIENT, order(id, "VS a")), None);
            all.extend(begun(&mut notices, NOW));
        }
        assert_eq!(all, [1]);
        notices.push(CLIENT, order(30, "VS b"));
        assert_eq!(begun(&mut notices, NOW), [30], "others are not concerned");
        notices.ended("VS a", NOW);
        assert_eq!(begun(&mut notices, NOW), [20], "the last one");
        notices.ended("VS a", NOW);
        assert_eq!((begun(&mut notices, NOW), notices.len(), notices.deadline()), (vec![], 0, None));
    }

    #[test]
    fn programs_that_hang_do_not_pile_up_and_the_last_state_is_told() {
        let mut notices = Notices::default();
        let (mut now, mut all) = (NOW, Vec::new());
        for id in 1..=20 {
            let says = notices.push(CLIENT, order(id, "VS a"));
            assert_eq!(says.is_some(), id == 5, "said once: {id}");
            all.extend(begun(&mut notices, now));
            now = notices.deadline().unwrap_or(now + PATIENCE);
        }
        assert_eq!(all, [1, 2, 3, 4]);
        assert_eq!(notices.deadline(), None, "one has to end");
        notices.ended("VS a", NOW);
        assert_eq!(begun(&mut notices, now), [20], "the last one");
    }

    #[test]
    fn all_together_are_bounded() {
        let mut notices = Notices::default();
        for id in 0..20_000 {
            notices.push(CLIENT, order(id, &format!("RS {id}")));
        }
        assert_eq!((begun(&mut notices, NOW).len(), notices.len()), (MOST_AT_ONCE, MOST_WAITING - MOST_AT_ONCE));
        // these hang
        let mut now = NOW;
        for _ in 0..MOST {
            now = notices.deadline().unwrap_or(now);
            begun(&mut notices, now);
        }
        assert_eq!((notices.len(), notices.deadline()), (MOST_WAITING - MOST, None));
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
