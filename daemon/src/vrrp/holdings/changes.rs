//! One batch of changes, made so that no address goes with another one.
//!
//! The kernel removes the secondary addresses of an IPv4 network together with their primary one. When a virtual address
//! was there before the machine's own, the own one is a secondary of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use keepalived_kernel::network::{Address, AddressChange, Link, LinkIndex, Network, Secondaries};

use super::super::landscape::{Landscape, Place};

/// What the kernel is asked for in one call.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<AddressChange>);

/// What keeps other addresses where they are while primary ones go.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Links whose secondary addresses are promoted as long as this takes.
    promoting: Vec<Link>,
    /// Addresses that go all the same.
    pub(super) unguarded: Vec<Address>,
    /// A link on which they do, and why.
    pub(super) failed: Option<(LinkIndex, io::Error)>,
}

impl Changes {
    pub(super) fn add(&mut self, address: Address) {
        self.0.push(AddressChange::Present(address));
    }

    pub(super) fn remove(&mut self, (link, address, prefix): Place) {
        self.0.push(AddressChange::Absent { link, address, prefix });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn list(&self) -> &[AddressChange] {
        &self.0
    }

    /// What each change is about, and whether it ought to be there.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place, bool)> + '_ {
        self.0.iter().map(|change| (change.key(), matches!(change, AddressChange::Present(_))))
    }

    /// Removes secondary addresses before their primary ones: what is gone with those would have to be looked for.
    pub(super) fn secondaries_first(&mut self, landscape: &Landscape) {
        let secondary = |place: &Place| landscape.address(place).is_some_and(is_secondary);
        self.0.sort_by_key(|change| !(matches!(change, AddressChange::Absent { .. }) && secondary(&change.key())));
    }

    /// Lets the kernel promote secondary addresses where primary ones go and others stay. Where it does not, those that go
    /// are named.
    pub(super) fn guard(&self, landscape: &Landscape, network: &mut impl Network) -> Guard {
        let mut guard = Guard::default();
        for (index, others) in self.endangered(landscape) {
            let Some(link) = landscape.by_index(index) else { continue };
            match network.set_secondaries(link, Secondaries::Promoted) {
                Ok(Secondaries::Removed) => guard.promoting.push(link.clone()),
                Ok(Secondaries::Promoted) => {}
                Err(error) => {
                    guard.unguarded.extend(others.into_iter().filter(is_secondary));
                    guard.failed = Some((index, error));
                }
            }
        }
        guard
    }

    /// Puts these back after everything else.
    pub(super) fn put_back(&mut self, addresses: Vec<Address>) {
        self.0.extend(addresses.into_iter().map(AddressChange::Present));
    }

    /// Addresses that stay, in the networks of primary addresses that go. What we know of the others may be older than the
    /// last change, so each of them counts.
    fn endangered(&self, landscape: &Landscape) -> BTreeMap<LinkIndex, Vec<Address>> {
        let comes: Vec<&Address> = self
            .0
            .iter()
            .filter_map(|change| match change {
                AddressChange::Present(address) => Some(address),
                AddressChange::Absent { .. } => None,
            })
            .collect();
        let goes: BTreeSet<Place> = self.places().filter(|(_, present)| !present).map(|(place, _)| place).collect();
        let mut endangered: BTreeMap<LinkIndex, Vec<Address>> = BTreeMap::new();
        for gone in goes.iter().filter_map(|place| landscape.address(place)) {
            // a network of one address has no second
            if !gone.address.is_ipv4() || gone.prefix == 32 || is_secondary(gone) {
                continue;
            }
            let stay = landscape.beside(gone).filter(|other| !goes.contains(&other.key()));
            let come = comes.iter().copied().filter(|other| other.shares_network(gone) && other.key() != gone.key());
            let others: Vec<Address> = stay.chain(come).cloned().collect();
            if !others.is_empty() {
                endangered.entry(gone.link).or_default().extend(others);
            }
        }
        endangered
    }
}

impl Guard {
    /// The kernel does again as it did before.
    pub(super) fn end(self, network: &mut impl Network) {
        for link in self.promoting {
            // refused a moment after it was granted, or the link is gone: a secondary that stays harms nobody
            let _as_it_is = network.set_secondaries(&link, Secondaries::Removed);
        }
    }
}

const fn is_secondary(address: &Address) -> bool {
    address.flags & Address::SECONDARY != 0
}
