//! Seats: numbers that stand for a server of a service in what packets are remembered by. None is given twice, so that
//! what is remembered of a server that is gone leads nowhere.

use std::collections::BTreeMap;

use super::message::{Element, Kind, Transaction};
use super::table::OurTable;

/// The set whose only element says below which number there may be seats that were given once.
pub(super) const GIVEN: &str = "seats-given";

/// Which seats were given.
#[derive(Debug, Default)]
pub(super) struct Seats {
    next: u32,
    /// What each table says about that.
    said: BTreeMap<OurTable, u32>,
}

/// So many are given before a table has to say something new.
const RESERVE: u32 = 4096;

impl Seats {
    /// A table says that seats below `given` may have been given.
    pub(super) fn found(&mut self, table: OurTable, given: Option<u32>) {
        self.said(table, given);
        self.next = self.next.max(given.unwrap_or(0));
    }

    /// A seat that no server had. After four billion a server may still have it: then the kernel refuses, and we build
    /// the table anew.
    pub(super) fn take(&mut self) -> u32 {
        let seat = self.next;
        self.next = seat.wrapping_add(1);
        seat
    }

    /// Has the table say what was given, if it does not. Returns what it says when the transaction is done.
    pub(super) fn say(&self, to: &mut Transaction, table: OurTable) -> Option<u32> {
        let said = self.said.get(&table).copied();
        if self.next == 0 || said.is_some_and(|said| said >= self.next) {
            return said;
        }
        let given = self.next.saturating_add(RESERVE);
        let octets = |number: u32| [Element::Key(number.to_ne_bytes().to_vec())];
        if let Some(said) = said {
            to.elements(Kind::DELETE_ELEMENTS, GIVEN, octets(said));
        }
        to.elements(Kind::NEW_ELEMENTS, GIVEN, octets(given));
        Some(given)
    }

    /// The table says so now.
    pub(super) fn said(&mut self, table: OurTable, given: Option<u32>) {
        match given {
            Some(given) => drop(self.said.insert(table, given)),
            None => drop(self.said.remove(&table)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seat_is_given_twice_not_even_by_the_next_process() {
        let mut seats = Seats::default();
        let mut to = Transaction::new("x");
        assert_eq!(seats.say(&mut to, OurTable::Nat), None, "nobody has one");
        assert_eq!((seats.take(), seats.take()), (0, 1));
        let said = seats.say(&mut to, OurTable::Nat);
        assert_eq!(said, Some(2 + 4096));
        seats.said(OurTable::Nat, said);
        assert_eq!(seats.take(), 2);
        assert_eq!(seats.say(&mut to, OurTable::Nat), said, "it need not be said each time");
        let mut next = Seats::default();
        next.found(OurTable::Nat, said);
        assert!(next.take() > 2);
        assert!(next.say(&mut to, OurTable::Nat) > said);
    }
}
