//! Seats: numbers that stand for a server of a service in what packets are remembered by. None is given twice, so that what is
//! remembered of a server that is gone leads nowhere.

use std::collections::BTreeMap;

use super::message::{Element, Kind, Transaction};
use super::names::Home;

/// The set whose only element says below which number there may be seats that were given once.
pub(super) const GIVEN: &str = "seats-given";

/// Which seats were given.
#[derive(Debug, Default)]
pub(super) struct Seats {
    next: u32,
    /// What each table says about that.
    said: BTreeMap<Home, u32>,
}

/// So many are given before a table has to say something new.
const RESERVE: u32 = 4096;

impl Seats {
    /// A table says that seats below `given` may have been given.
    pub(super) fn found(&mut self, home: Home, given: Option<u32>) {
        match given {
            Some(given) => {
                self.said.insert(home, given);
                self.next = self.next.max(given);
            }
            None => drop(self.said.remove(&home)),
        }
    }

    /// A seat that nobody had. After four billion it may be one that somebody has: then the kernel refuses, and the table is
    /// built anew.
    pub(super) fn take(&mut self) -> u32 {
        let seat = self.next;
        self.next = seat.wrapping_add(1);
        seat
    }

    /// The table is made anew: it says nothing.
    pub(super) fn forget(&mut self, home: Home) {
        self.said.remove(&home);
    }

    /// Has the table say what was given; it is said as soon as the transaction is done. Returns what that is.
    pub(super) fn say(&self, to: &mut Transaction, home: Home) -> Option<u32> {
        let said = self.said.get(&home).copied();
        if said.is_some_and(|said| said >= self.next && said - self.next <= RESERVE) {
            return None;
        }
        let given = self.next.saturating_add(RESERVE);
        let octets = |number: u32| [Element::Key(number.to_ne_bytes().to_vec())];
        if let Some(said) = said {
            to.elements(Kind::DELETE_ELEMENTS, GIVEN, octets(said));
        }
        to.elements(Kind::NEW_ELEMENTS, GIVEN, octets(given));
        Some(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seat_is_given_twice_not_even_by_the_next_process() {
        let mut seats = Seats::default();
        let mut to = Transaction::new("x");
        assert_eq!(seats.say(&mut to, Home::Nat), Some(4096));
        seats.found(Home::Nat, Some(4096));
        // that was a look by another process
        assert_eq!((seats.take(), seats.take()), (4096, 4097));
        let said = seats.say(&mut to, Home::Nat);
        assert_eq!(said, Some(4098 + 4096));
        seats.found(Home::Nat, said);
        let mut next = Seats::default();
        next.found(Home::Nat, said);
        assert!(next.take() > 4097);
    }
}
