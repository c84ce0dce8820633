//! Changes of a process's view that its follower, the supervisor, does not know yet. The queue is plain state in the engines; the sender
//! belongs to the process.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use keepalived_core::time::Instant;

use crate::connection::Connection;
use crate::message::FromChild;

/// The entries of a view that the follower does not know yet. Each waits once, however often it changes, so a follower that does not read
/// makes nothing grow. An entry is a number; its owner reads the entry itself when it is taken, so the newest state counts.
#[derive(Debug, Default)]
pub struct ChangeQueue {
    /// How many entries the view has.
    entries: u32,
    begins: bool,
    /// Entries of a new view that have not been taken for the first time.
    ahead: Range<u32>,
    /// Entries that changed after they were taken, in this order.
    changed: VecDeque<u32>,
    /// The same, a bit for each entry.
    is_changed: Vec<u64>,
    request: Option<Refresh>,
}

/// The follower wants everything as it was when it asked, and fresh numbers.
#[derive(Clone, Debug)]
struct Refresh {
    /// Entries of `changed` that were there when it asked.
    changed: usize,
    /// Entries whose numbers have not been taken yet.
    numbers: Range<u32>,
}

/// What to send next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextChange {
    /// The view begins anew.
    Begins,
    /// This entry.
    Entry(u32),
    /// The numbers of this entry.
    Numbers(u32),
    /// The mark: the follower has everything that it asked for.
    Fresh,
}

impl ChangeQueue {
    /// Begins a view of another configuration with so many entries.
    pub fn begin(&mut self, entries: u32) {
        let numbers = 0..self.request.as_ref().map_or(0, |request| if request.numbers.end > 0 { entries } else { 0 });
        self.request = self.request.is_some().then_some(Refresh { changed: 0, numbers });
        self.entries = entries;
        self.begins = true;
        self.ahead = 0..entries;
        self.changed = VecDeque::new();
        self.is_changed = vec![0; index(entries.div_ceil(u64::BITS))];
    }

    /// Notes that this entry changed.
    pub fn mark(&mut self, entry: u32) {
        if entry >= self.entries || self.ahead.contains(&entry) {
            return;
        }
        let Some(word) = self.is_changed.get_mut(index(entry / u64::BITS)) else { return };
        let bit = 1 << (entry % u64::BITS);
        if *word & bit == 0 {
            *word |= bit;
            self.changed.push_back(entry);
        }
    }

    /// Notes that the follower wants everything as it is now, with the numbers of the first `numbers` entries, and then the mark.
    pub fn request(&mut self, numbers: u32) {
        self.request = Some(Refresh { changed: self.changed.len(), numbers: 0..numbers });
    }

    /// Whether the follower waits for what it asked for.
    pub const fn is_requested(&self) -> bool {
        self.request.is_some()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        !self.begins && self.ahead.is_empty() && self.changed.is_empty() && self.request.is_none()
    }

    /// Takes what to send next.
    pub fn take(&mut self) -> Option<NextChange> {
        if std::mem::take(&mut self.begins) {
            return Some(NextChange::Begins);
        }
        if let Some(entry) = self.ahead.next() {
            return Some(NextChange::Entry(entry));
        }
        match &mut self.request {
            None => self.take_changed(),
            Some(request) if request.changed > 0 => {
                request.changed -= 1;
                self.take_changed()
            }
            Some(request) => Some(match request.numbers.next() {
                Some(entry) => NextChange::Numbers(entry),
                None => {
                    self.request = None;
                    NextChange::Fresh
                }
            }),
        }
    }

    /// The numbers of this entry, which were taken last, have not been read to the end: they come next.
    pub fn put_back(&mut self, entry: u32) {
        if let Some(request) = &mut self.request {
            request.numbers.start = entry;
        }
    }

    /// The other numbers cannot be had now: the follower keeps those that it has.
    pub fn leave_out_numbers(&mut self) {
        if let Some(request) = &mut self.request {
            request.numbers.start = request.numbers.end;
        }
    }

    fn take_changed(&mut self) -> Option<NextChange> {
        let entry = self.changed.pop_front()?;
        if let Some(word) = self.is_changed.get_mut(index(entry / u64::BITS)) {
            *word &= !(1 << (entry % u64::BITS));
        }
        if self.changed.is_empty() {
            // frees its memory: it may have had room for all entries
            self.changed = VecDeque::new();
        }
        Some(NextChange::Entry(entry))
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Sends changes to the supervisor, a message at a time.
#[derive(Debug, Default)]
pub struct ChangeSender {
    /// The message that the supervisor did not take.
    refused: Option<FromChild>,
    sent: Option<Instant>,
    /// From that message to the next: the process has more important work.
    pause: Duration,
}

impl ChangeSender {
    /// If it is time, sends the message that was refused, or else the `next` one. There is one if `pause` is given: this long after the
    /// last one it is time. Returns when to call it again.
    pub fn send(
        &mut self,
        now: Instant,
        supervisor: &mut Connection,
        pause: Option<Duration>,
        next: impl FnOnce() -> Option<FromChild>,
    ) -> Option<Instant> {
        if self.refused.is_none() && pause.is_none() {
            return None;
        }
        self.pause = pause.unwrap_or(self.pause);
        if self.sent.is_none_or(|sent| sent + self.pause <= now) {
            self.sent = Some(now);
            if let Some(message) = self.refused.take().or_else(next)
                && !supervisor.offer(&message)
            {
                self.refused = Some(message);
            }
        }
        self.sent.map(|sent| sent + self.pause)
    }
}

#[cfg(test)]
mod tests;
