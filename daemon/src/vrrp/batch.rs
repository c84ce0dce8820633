//! One batch of changes, made so that no address goes with another one.
//!
//! The kernel removes the secondary addresses of an IPv4 network together with their primary one. When a virtual address
//! was there before the machine's own, the own one is a secondary of it.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_core::network::{Address, AddressKey, Change, Key, Link, LinkIndex, NetworkTable, Object};
use keepalived_kernel::network::{Network, Refused, Secondaries};

/// Changes in their order, with all that it takes to make them.
#[derive(Clone, Debug)]
pub struct Batch {
    changes: Vec<Change>,
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
    pub(super) results: Vec<(Change, Result<(), Refused>)>,
    /// Links whose secondary addresses went with their primary ones, and why.
    pub(super) unguarded: Vec<(LinkIndex, String)>,
}

impl Batch {
    /// The batch of these changes, and the endangered addresses that it does not put back because the caller does (`is_held`).
    /// `table` is from before the changes.
    pub(super) fn new(
        changes: Vec<Change>,
        table: &NetworkTable,
        is_held: impl Fn(&Key) -> bool,
    ) -> (Self, Vec<AddressKey>) {
        let mut held = Vec::new();
        let mut endangered = Vec::new();
        for (index, others) in endangered_by(&changes, table) {
            let Some(link) = table.by_index(index) else { continue };
            let secondary = others.into_iter().filter(Address::is_secondary);
            let (ours, put_back) = secondary.partition::<Vec<_>, _>(|it| is_held(&Key::Address(it.key())));
            held.extend(ours.iter().map(Address::key));
            endangered.push(Endangered { link: link.clone(), put_back });
        }
        (Self { changes, endangered }, held)
    }

    /// The objects that it changes.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.changes.iter().map(Change::key)
    }

    /// Lets the kernel promote secondary addresses where primary ones go and others stay, makes the changes, and lets it do
    /// again as before.
    pub(super) fn carry_out(mut self, network: &mut impl Network) -> Changed {
        let (mut promoting, mut unguarded) = (Vec::new(), Vec::new());
        for Endangered { link, put_back } in self.endangered {
            match network.set_secondaries(&link, Secondaries::Promoted) {
                Ok(Secondaries::Removed) => promoting.push(link),
                Ok(Secondaries::Promoted) => {}
                Err(error) => {
                    self.changes.extend(put_back.into_iter().map(Object::Address).map(Change::Present));
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

/// Addresses that stay, in the networks of primary addresses that go. What we know of the others may be older than the
/// last change, so each of them counts.
fn endangered_by(changes: &[Change], table: &NetworkTable) -> BTreeMap<LinkIndex, Vec<Address>> {
    let (mut goes, mut comes) = (BTreeSet::new(), Vec::new());
    for change in changes {
        match change {
            Change::Absent(Key::Address(key)) => {
                goes.insert(*key);
            }
            Change::Present(Object::Address(address)) => comes.push(address),
            // no address goes with these
            Change::Present(
                Object::Link(_) | Object::Upper(_) | Object::Setting(_) | Object::Route(_) | Object::Rule(_),
            )
            | Change::Absent(Key::Link(_) | Key::Upper(..) | Key::Setting(_) | Key::Route(_) | Key::Rule(_)) => {}
        }
    }
    let mut endangered: BTreeMap<LinkIndex, Vec<Address>> = BTreeMap::new();
    for gone in goes.iter().filter_map(|key| table.address(key)) {
        // a network of one address has no second
        if !gone.address.is_ipv4() || gone.prefix == 32 || gone.is_secondary() {
            continue;
        }
        let stay = table.beside(gone).filter(|other| !goes.contains(&other.key()));
        let come = comes.iter().copied().filter(|other| other.shares_network(gone) && other.key() != gone.key());
        let others: Vec<Address> = stay.chain(come).cloned().collect();
        if !others.is_empty() {
            endangered.entry(gone.link).or_default().extend(others);
        }
    }
    endangered
}
