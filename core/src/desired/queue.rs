//! Objects that wait for the kernel, in the order of their kinds.

use std::collections::VecDeque;

/// What goes comes first, from the last rank to the first; then what comes, from the first to the last. Within a rank the order
/// is that of [`Queue::push`].
#[derive(Debug)]
pub(super) struct Queue<K> {
    go: Vec<VecDeque<K>>,
    come: Vec<VecDeque<K>>,
}

impl<K> Queue<K> {
    pub(super) fn new(ranks: usize) -> Self {
        let empty = || (0..ranks).map(|_| VecDeque::new()).collect();
        Self { go: empty(), come: empty() }
    }

    pub(super) fn push(&mut self, key: K, rank: usize, comes: bool) {
        let queues = if comes { &mut self.come } else { &mut self.go };
        if let Some(queue) = queues.get_mut(rank) {
            queue.push_back(key);
        }
    }

    pub(super) fn pop(&mut self) -> Option<K> {
        self.go.iter_mut().rev().chain(&mut self.come).find_map(VecDeque::pop_front)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.go.iter().chain(&self.come).all(VecDeque::is_empty)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.go.iter_mut().chain(&mut self.come).for_each(|queue| queue.retain(&keep));
    }
}
