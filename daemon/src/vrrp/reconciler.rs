//! What the routers want the kernel to have, as requests to the kernel.

use std::collections::BTreeSet;

use keepalived_core::desired::{self, Desired};
use keepalived_core::network::{AddressKey, Change, Key, LinkIndex, NetworkTable, Object};
use keepalived_core::time::Instant;
use keepalived_kernel::network::Refused;

use super::batch::{Batch, Changed};

/// What became of an object.
pub(super) type Outcome = desired::Outcome<Key, Refused>;

/// A link whose secondary addresses go for a moment when their primary one is removed, and why they cannot be kept.
pub(super) type Unguarded = (LinkIndex, String);

/// Makes the kernel have what is wanted.
#[derive(Debug, Default)]
pub(super) struct Reconciler {
    /// What routers hold.
    pub(super) desired: Desired<Object>,
    /// Links that it was said of: secondary addresses cannot be guarded there.
    unguarded: BTreeSet<LinkIndex>,
    /// Links that the batch under way leaves without an IPv4 address for a moment.
    emptied: BTreeSet<LinkIndex>,
}

impl Reconciler {
    /// The next request to the kernel, about at most `most` objects; `None` if there is none, or while one is under way.
    pub(super) fn batch(
        &mut self,
        now: Instant,
        most: usize,
        table: &mut NetworkTable,
        out: &mut Vec<Outcome>,
    ) -> Option<Batch> {
        let changes = self.desired.batch(now, most, table, out);
        if changes.is_empty() {
            return None;
        }
        let (batch, endangered) = Batch::new(changes.clone(), table, |key| !self.desired.holders(key).is_empty());
        self.emptied = emptied(&changes, table);
        self.desired.begin(&changes, endangered.into_iter().map(Key::Address), table);
        Some(batch)
    }

    /// Links that the batch that was under way left without an IPv4 address for a moment: the kernel has removed their IPv4 routes.
    pub(super) fn take_emptied(&mut self) -> BTreeSet<LinkIndex> {
        std::mem::take(&mut self.emptied)
    }

    /// The kernel has worked through the batch that was under way. Returns the links to report.
    pub(super) fn changed(
        &mut self,
        now: Instant,
        changed: Changed,
        table: &mut NetworkTable,
        out: &mut Vec<Outcome>,
    ) -> Vec<Unguarded> {
        for (link, _) in &changed.unguarded {
            self.desired.taken_along(table, |key| key.address().is_some_and(|(on, _, _)| on == *link));
        }
        self.desired.done(now, changed.results.into_iter().map(|(_, result)| result), table, out);
        changed.unguarded.into_iter().filter(|(link, _)| self.unguarded.insert(*link)).collect()
    }
}

/// Links whose last IPv4 addresses go with these changes. What comes comes after them.
fn emptied(changes: &[Change], table: &NetworkTable) -> BTreeSet<LinkIndex> {
    let gone = changes.iter().filter_map(|change| match change {
        Change::Absent(Key::Address(key)) if key.1.is_ipv4() => Some(*key),
        Change::Absent(_) | Change::Present(_) => None,
    });
    let gone: BTreeSet<AddressKey> = gone.collect();
    let links: BTreeSet<LinkIndex> = gone.iter().map(|(link, _, _)| *link).collect();
    links.into_iter().filter(|link| !table.has_ipv4_on(*link, |key| gone.contains(key))).collect()
}
