//! Which numbers services draw from. Numbers lead to servers in maps that some services share: with a map for each
//! service the kernel, which goes through all sets of a table to find one, takes seconds for 10,000 services; with one
//! for all, minutes: for each rule that looks into a map it goes through all elements.

use std::collections::BTreeMap;
use std::io;

/// Numbers that belong to one service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Span {
    /// In which map they are.
    pub(super) const fn page(self) -> u32 {
        self.first / PAGE
    }

    const fn has_room_for(self, count: u32) -> bool {
        count == 0 || self.last - self.first >= count - 1
    }
}

/// Who has which.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// First to last.
    taken: BTreeMap<u32, u32>,
    /// Before it there are none that are free.
    free_from: u32,
}

/// Numbers in a map. A service that needs more has a map of its own.
const PAGE: u32 = 1024;

/// The fewest numbers of a service: it seldom has to move when servers come.
const LEAST: u32 = 16;

impl Numbers {
    /// Those of `spans` are taken, and no others.
    pub(super) fn set(&mut self, spans: impl Iterator<Item = Span>) {
        self.taken = spans.map(|span| (span.first, span.last)).collect();
        self.free_from = 0;
    }

    /// Numbers for a service that has `have` and needs `count`.
    pub(super) fn allot(&mut self, have: Option<Span>, count: u32) -> io::Result<Option<Span>> {
        if count == 0 {
            return Ok(None);
        }
        if let Some(have) = have.filter(|have| have.has_room_for(count)) {
            return Ok(Some(have));
        }
        let count = count.checked_next_power_of_two().unwrap_or(count).max(LEAST);
        let span = self.free(count).ok_or(io::ErrorKind::OutOfMemory)?;
        self.taken.insert(span.first, span.last);
        if self.free(LEAST).is_some_and(|free| free.first > span.last) {
            self.free_from = span.last;
        }
        Ok(Some(span))
    }

    /// They are free again.
    pub(super) fn give_back(&mut self, span: Span) {
        self.taken.remove(&span.first);
        self.free_from = self.free_from.min(span.first);
    }

    /// The first that are free, all in one page.
    fn free(&self, count: u32) -> Option<Span> {
        let mut first = self.free_from;
        loop {
            first = first.checked_next_multiple_of(count.min(PAGE))?;
            let last = first.checked_add(count - 1)?;
            match self.taken.range(..=last).next_back() {
                Some((_, end)) if *end >= first => first = end.checked_add(1)?,
                _ => return Some(Span { first, last }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: u32, last: u32) -> Option<Span> {
        Some(Span { first, last })
    }

    #[test]
    fn who_grows_within_its_numbers_keeps_them() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.allot(None, 0).unwrap(), None);
        let one = numbers.allot(None, 3).unwrap();
        assert_eq!(one, span(0, 15));
        assert_eq!(numbers.allot(one, 16).unwrap(), one);
        assert_eq!(numbers.allot(one, 17).unwrap(), span(32, 63), "the old ones are not given back yet");
        assert_eq!(numbers.allot(None, 2).unwrap(), span(16, 31));
        assert_eq!(numbers.allot(None, 2).unwrap(), span(64, 79));
        one.into_iter().for_each(|one| numbers.give_back(one));
        assert_eq!(numbers.allot(None, 2).unwrap(), one);
    }

    #[test]
    fn all_numbers_of_a_service_are_in_one_map() {
        let mut numbers = Numbers::default();
        numbers.set(span(0, 1000).into_iter());
        assert_eq!(numbers.allot(None, 64).unwrap(), span(1024, 1087));
        assert_eq!(numbers.allot(None, 16).unwrap(), span(1008, 1023));
        assert_eq!(numbers.allot(None, 5000).unwrap(), span(2048, 2048 + 8191));
        let next = numbers.allot(None, 1024).unwrap();
        assert_eq!(next, span(10_240, 11_263));
        assert_eq!(next.map(Span::page), Some(10));
        assert_eq!(numbers.allot(None, 1 << 31).unwrap(), span(11_264, 11_263 + (1 << 31)));
        assert!(numbers.allot(None, 1 << 31).is_err());
    }

    #[test]
    fn many_are_dealt_out_soon() {
        let mut numbers = Numbers::default();
        for number in 0..100_000 {
            let count = if number % 2 == 0 { 10 } else { 55 };
            assert!(numbers.allot(None, count).unwrap().is_some());
        }
    }
}
