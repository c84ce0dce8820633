//! A batch that the kernel is working on, and what is heard of its objects meanwhile.

use super::{Change, Object, Seen};

/// The batch.
#[derive(Debug)]
pub(super) struct UnderWay<O: Object> {
    flights: Vec<Flight<O>>,
    /// Objects that are held and that the kernel may remove with one of the batch.
    endangered: Vec<O::Key>,
}

/// One of its changes.
#[derive(Debug)]
pub(super) struct Flight<O: Object> {
    pub(super) key: O::Key,
    /// The wanted object; `None`: no object.
    pub(super) wish: Option<O>,
    /// What was there.
    pub(super) before: Option<O>,
    /// Another program removed the object meanwhile, or what it was on: the answer of the kernel says nothing any more.
    pub(super) contradicted: bool,
}

impl<O: Object> Flight<O> {
    pub(super) fn of(change: &Change<O>, seen: &impl Seen<O>) -> Self {
        let key = change.key();
        let (wish, before) = match change {
            Change::Present(object) => (Some(object.clone()), None),
            Change::Absent(_) => (None, seen.get(&key)),
        };
        Self { key, wish, before, contradicted: false }
    }
}

impl<O: Object> UnderWay<O> {
    pub(super) const fn new(flights: Vec<Flight<O>>, endangered: Vec<O::Key>) -> Self {
        Self { flights, endangered }
    }

    /// Whether a change of it is about `key`.
    pub(super) fn concerns(&self, key: &O::Key) -> bool {
        self.flights.iter().any(|flight| flight.key == *key)
    }

    /// Whether the kernel may remove the object with one of it.
    pub(super) fn endangers(&self, key: &O::Key) -> bool {
        self.endangered.contains(key)
    }

    /// What it endangers.
    pub(super) fn endangered(&self) -> impl Iterator<Item = &O::Key> {
        self.endangered.iter()
    }

    /// Another program removed the object, before or after the kernel grants it.
    pub(super) fn contradict(&mut self, key: &O::Key) {
        for flight in self.flights.iter_mut().filter(|flight| flight.key == *key && flight.wish.is_some()) {
            flight.contradicted = true;
        }
    }

    /// These are gone with what they were on.
    pub(super) fn forget(&mut self, gone: impl Fn(&O::Key) -> bool) {
        self.endangered.retain(|key| !gone(key));
        for flight in self.flights.iter_mut().filter(|flight| gone(&flight.key)) {
            flight.contradicted = true;
        }
    }

    pub(super) fn into_flights(self) -> Vec<Flight<O>> {
        self.flights
    }
}
