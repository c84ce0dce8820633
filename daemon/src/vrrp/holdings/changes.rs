//! One batch of changes, made so that no address goes with another one.
//!
//! The kernel removes the secondary addresses of an IPv4 network together with their primary one. When a virtual address
//! was there before the machine's own, the own one is a secondary of it.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_kernel::network::{Address, AddressChange, Link, LinkIndex, Network, Refused, Secondaries};

use super::super::landscape::{Landscape, Place};

/// One request to the kernel.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<AddressChange>);

/// One batch, with all that it takes to make it.
#[derive(Clone, Debug)]
pub struct Batch {
    changes: Vec<AddressChange>,
    endangered: Vec<Endangered>,
}

/// Secondary addresses of a link that stay while their primary one goes.
#[derive(Clone, Debug)]
struct Endangered {
    link: Link,
    /// Those that are put back with the batch if the kernel cannot be kept from removing them.
    put_back: Vec<Address>,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Changed {
    /// Each change and its result: first those that were asked for, in their order, then what was put back.
    pub(super) results: Vec<(AddressChange, Result<(), Refused>)>,
    /// Links whose secondary addresses went with their primary ones, and why.
    pub(super) unguarded: Vec<(LinkIndex, String)>,
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

    /// Removes secondary addresses before their primary ones: what is gone with those would have to be looked for.
    pub(super) fn secondaries_first(&mut self, landscape: &Landscape) {
        let secondary = |place: &Place| landscape.address(place).is_some_and(is_secondary);
        self.0.sort_by_key(|change| !(matches!(change, AddressChange::Absent { .. }) && secondary(&change.key())));
    }

    /// The batch, and the endangered addresses that it does not put back, because the caller does (`is_held`).
    pub(super) fn into_batch(self, landscape: &Landscape, is_held: impl Fn(&Place) -> bool) -> (Batch, Vec<Place>) {
        let mut held = Vec::new();
        let mut endangered = Vec::new();
        for (index, others) in self.endangered(landscape) {
            let Some(link) = landscape.by_index(index) else { continue };
            let (ours, put_back) =
                others.into_iter().filter(is_secondary).partition::<Vec<_>, _>(|it| is_held(&it.key()));
            held.extend(ours.iter().map(Address::key));
            endangered.push(Endangered { link: link.clone(), put_back });
        }
        (Batch { changes: self.0, endangered }, held)
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
        let absent = |change: &&AddressChange| matches!(change, AddressChange::Absent { .. });
        let goes: BTreeSet<Place> = self.0.iter().filter(absent).map(AddressChange::key).collect();
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

impl Batch {
    /// Lets the kernel promote secondary addresses where primary ones go and others stay, makes the changes, and lets it do
    /// again as before.
    pub(in super::super) fn carry_out(mut self, network: &mut impl Network) -> Changed {
        let (mut promoting, mut unguarded) = (Vec::new(), Vec::new());
        for Endangered { link, put_back } in self.endangered {
            match network.set_secondaries(&link, Secondaries::Promoted) {
                Ok(Secondaries::Removed) => promoting.push(link),
                Ok(Secondaries::Promoted) => {}
                Err(error) => {
                    self.changes.extend(put_back.into_iter().map(AddressChange::Present));
                    unguarded.push((link.index, error.to_string()));
                }
            }
        }
        let results = network.change(&self.changes);
        for link in promoting {
            // refused a moment after it was granted, or the link is gone: a secondary that stays harms nobody
            let _as_it_is = network.set_secondaries(&link, Secondaries::Removed);
        }
        Changed { results: self.changes.into_iter().zip(results).collect(), unguarded }
    }
}

const fn is_secondary(address: &Address) -> bool {
    address.flags & Address::SECONDARY != 0
}
