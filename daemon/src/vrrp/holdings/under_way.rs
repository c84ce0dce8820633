//! A batch that the kernel is working on, and what is heard of its places meanwhile.

use keepalived_kernel::network::{Address, AddressChange, LinkIndex};

use super::super::landscape::{Landscape, Place};

/// The batch.
#[derive(Debug)]
pub(super) struct UnderWay {
    flights: Vec<Flight>,
    /// Addresses that routers hold and that the kernel may remove with a primary one of the batch.
    endangered: Vec<Place>,
}

/// One of its changes.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) place: Place,
    /// The wanted address; `None`: no address.
    pub(super) wish: Option<Address>,
    /// What was there.
    pub(super) before: Option<Address>,
    /// Another program removed the address meanwhile, or its link: the answer of the kernel says nothing any more.
    pub(super) contradicted: bool,
}

impl Flight {
    pub(super) fn of(change: &AddressChange, landscape: &Landscape) -> Self {
        let place = change.key();
        let (wish, before) = match change {
            AddressChange::Present(address) => (Some(address.clone()), None),
            AddressChange::Absent { .. } => (None, landscape.address(&place).cloned()),
        };
        Self { place, wish, before, contradicted: false }
    }
}

impl UnderWay {
    pub(super) const fn new(flights: Vec<Flight>, endangered: Vec<Place>) -> Self {
        Self { flights, endangered }
    }

    /// Whether a change of it is about `place`.
    pub(super) fn concerns(&self, place: &Place) -> bool {
        self.flights.iter().any(|flight| flight.place == *place)
    }

    /// Whether the kernel may remove what is at `place` with a primary address of it.
    pub(super) fn endangers(&self, place: &Place) -> bool {
        self.endangered.contains(place)
    }

    /// What it endangers on `link`.
    pub(super) fn endangered_on(&self, link: LinkIndex) -> impl Iterator<Item = &Place> {
        self.endangered.iter().filter(move |(on, _, _)| *on == link)
    }

    /// Another program removed the address at `place`, before or after the kernel grants it.
    pub(super) fn contradict(&mut self, place: &Place) {
        for flight in self.flights.iter_mut().filter(|flight| flight.place == *place && flight.wish.is_some()) {
            flight.contradicted = true;
        }
    }

    /// The link is gone.
    pub(super) fn unlink(&mut self, link: LinkIndex) {
        self.endangered.retain(|(on, _, _)| *on != link);
        for flight in self.flights.iter_mut().filter(|flight| flight.place.0 == link) {
            flight.contradicted = true;
        }
    }

    pub(super) fn into_flights(self) -> Vec<Flight> {
        self.flights
    }
}
