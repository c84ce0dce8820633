//! What is going to happen, in order: by time, then as it was planned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::clock::Moment;

/// Events and their times.
#[derive(Debug)]
pub struct Queue<E> {
    order: BinaryHeap<Reverse<(Moment, usize)>>,
    events: Vec<Option<E>>,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), events: Vec::new() }
    }
}

impl<E> Queue<E> {
    /// Lets `event` happen at `at`.
    pub fn plan(&mut self, at: Moment, event: E) {
        self.order.push(Reverse((at, self.events.len())));
        self.events.push(Some(event));
    }

    /// The next event, and when it happens.
    pub fn pop(&mut self) -> Option<(Moment, E)> {
        let Reverse((at, number)) = self.order.pop()?;
        let event = self.events.get_mut(number).and_then(Option::take);
        Some((at, event.expect("each event is planned once")))
    }
}
