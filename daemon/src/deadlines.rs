//! Which router has a deadline when. Cheap where it matters: an advert that restarts a backup's timer touches nothing here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use keepalived_core::time::Instant;

/// Deadlines of numbered sleepers.
///
/// A deadline that moves later stays where it is; when it comes up, the sleeper is asked again and goes back.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// For each sleeper, the entry of the heap that counts; others are left-overs.
    queued: Vec<Option<Instant>>,
}

impl Deadlines {
    /// Makes sure that `sleeper` comes up by `deadline`.
    pub(crate) fn set(&mut self, sleeper: usize, deadline: Option<Instant>) {
        if self.queued.len() <= sleeper {
            self.queued.resize(sleeper + 1, None);
        }
        let (Some(deadline), Some(queued)) = (deadline, self.queued.get_mut(sleeper)) else { return };
        if queued.is_none_or(|at| deadline < at) {
            *queued = Some(deadline);
            self.heap.push(Reverse((deadline, sleeper)));
        }
    }

    /// Forgets `sleeper`.
    pub(crate) fn remove(&mut self, sleeper: usize) {
        if let Some(queued) = self.queued.get_mut(sleeper) {
            *queued = None;
        }
    }

    /// Takes a sleeper whose entry is due by `now`. It has to be asked for its deadline, and set again.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<usize> {
        while let Some(&Reverse((at, sleeper))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            if let Some(queued) = self.queued.get_mut(sleeper)
                && *queued == Some(at)
            {
                *queued = None;
                return Some(sleeper);
            }
        }
        None
    }

    /// When the next deadline is.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        while let Some(&Reverse((at, sleeper))) = self.heap.peek() {
            if self.queued.get(sleeper).copied().flatten() == Some(at) {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn the_earliest_comes_up_first_and_once() {
        let mut deadlines = Deadlines::default();
        deadlines.set(2, Some(at(20)));
        deadlines.set(1, Some(at(10)));
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.pop(at(9)), None);
        assert_eq!(deadlines.pop(at(30)), Some(1));
        assert_eq!(deadlines.pop(at(30)), Some(2));
        assert_eq!(deadlines.pop(at(30)), None);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn later_changes_nothing_and_earlier_counts() {
        let mut deadlines = Deadlines::default();
        deadlines.set(0, Some(at(20)));
        deadlines.set(0, Some(at(50)));
        deadlines.set(0, Some(at(10)));
        assert_eq!(deadlines.pop(at(15)), Some(0));
        assert_eq!(deadlines.pop(at(100)), None, "the entry at 20 is a left-over");
    }

    #[test]
    fn who_is_removed_does_not_come_up() {
        let mut deadlines = Deadlines::default();
        deadlines.set(0, Some(at(20)));
        deadlines.remove(0);
        assert_eq!(deadlines.next(), None);
        assert_eq!(deadlines.pop(at(100)), None);
    }
}
