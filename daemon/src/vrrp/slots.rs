//! The instances of the engine, each in a place that it keeps while it is configured.

use std::collections::BTreeMap;
use std::ops::Range;

use keepalived_config::InstanceKey;

use super::slot::Slot;

/// All instances. The place of one is how the other parts of the engine call it; a later instance may get the place of one that has gone.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    /// Places that are empty.
    free: Vec<usize>,
    by_key: BTreeMap<InstanceKey, usize>,
}

impl Slots {
    /// The instance in this place.
    pub(super) fn get(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)?.as_ref()
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.get_mut(index)?.as_mut()
    }

    /// Where the instance of `key` is.
    pub(super) fn place_of(&self, key: &InstanceKey) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// Every place there is, the empty ones too. It borrows nothing: what is done for one instance may concern others.
    pub(super) const fn places(&self) -> Range<usize> {
        0..self.slots.len()
    }

    /// All instances, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> + Clone {
        self.slots.iter().flatten()
    }

    /// The same, with the place of each.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.as_ref()?)))
    }

    /// The same, to change them.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = (usize, &mut Slot)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| Some((index, slot.as_mut()?)))
    }

    /// Keys and places, in the order of the keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&InstanceKey, usize)> {
        self.by_key.iter().map(|(key, index)| (key, *index))
    }

    /// Puts what `make` makes for a place into that place.
    pub(super) fn add(&mut self, make: impl FnOnce(usize) -> Slot) -> usize {
        let index = self.free.pop().unwrap_or(self.slots.len());
        let slot = make(index);
        self.by_key.insert(slot.key.clone(), index);
        match self.slots.get_mut(index) {
            Some(free) => *free = Some(slot),
            None => self.slots.push(Some(slot)),
        }
        index
    }

    /// Empties a place.
    pub(super) fn remove(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index).and_then(Option::take) {
            self.by_key.remove(&slot.key);
            self.free.push(index);
        }
    }
}
