//! Whether another machine has an address that we put in place: when to probe for it, and what the answers mean.
//!
//! Virtual addresses are set without duplicate address detection: a takeover must not wait for it. So the probes of RFC 5227 §2.1.1
//! and RFC 4862 §5.4.2 come afterwards, while the address is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::pace::Pace;
use crate::time::Instant;

pub mod frame;

pub use frame::{Claim, Mac};

/// From an address in place to the first probe: until then the master that leaves may still answer for it.
const FIRST: Duration = Duration::from_secs(1);
/// Between the probes of a series, and from the last one to its end.
const PAUSE: Duration = Duration::from_secs(2);
/// Probes of a series: one may get lost.
const PROBES: u8 = 3;
/// A machine that claims an address twice, this far apart at least, has it. One that is just removing it claims it once.
const APART: Duration = Duration::from_secs(1);
/// From the end of a series that found something to the next one, which finds out whether it is still so.
const AGAIN: Duration = Duration::from_secs(60);
/// Machines that are told apart for one address. Who makes up others gets no more attention.
const MOST_HOLDERS: usize = 4;
/// Findings that may follow one upon the other.
const FINDINGS: u32 = 16;
/// One more after each of these.
const FINDING_PAUSE: Duration = Duration::from_secs(10);
/// Machines that are remembered because they were told of. All are forgotten when there would be more.
const MOST_TOLD: usize = 1_024;

/// Another machine has an address that we have in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding<L> {
    /// Where we have it.
    pub link: L,
    /// The address.
    pub address: IpAddr,
    /// That machine.
    pub holder: Mac,
}

/// The addresses in place, as far as they are probed for. `L` is a link.
#[derive(Clone, Debug)]
pub struct Duplicates<L> {
    places: BTreeMap<(L, IpAddr), Series>,
    /// When the next step of each series is due.
    due: BTreeSet<(Instant, (L, IpAddr))>,
    told: BTreeSet<(L, IpAddr, Mac)>,
    pace: Pace,
    /// Addresses whose [`Duplicates::holder`] is another one since that was last asked for.
    changed: BTreeSet<(L, IpAddr)>,
}

/// The probes for one address.
#[derive(Clone, Debug)]
struct Series {
    sent: u8,
    next: Instant,
    claims: Vec<Claimed>,
    /// Who had it when the series before this one ended.
    before: Vec<Mac>,
}

/// A machine that claimed the address in this series.
#[derive(Clone, Copy, Debug)]
struct Claimed {
    by: Mac,
    first: Instant,
    /// It did so again.
    again: bool,
}

impl<L: Copy + Ord> Default for Duplicates<L> {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
            due: BTreeSet::new(),
            told: BTreeSet::new(),
            pace: Pace::new(FINDINGS, FINDING_PAUSE),
            changed: BTreeSet::new(),
        }
    }
}

impl<L: Copy + Ord> Duplicates<L> {
    /// `address` is in place on `link`, for the first time or again: a series of probes begins.
    pub fn in_place(&mut self, now: Instant, link: L, address: IpAddr) {
        self.begin((link, address), now + FIRST, Vec::new());
    }

    /// `address` is ours on `link` no more.
    pub fn gone(&mut self, link: L, address: IpAddr) {
        if let Some(series) = self.places.remove(&(link, address)) {
            self.due.remove(&(series.next, (link, address)));
            self.note_change((link, address), &series);
        }
    }

    /// Takes the addresses to probe for now, after `most` steps at most.
    pub fn due(&mut self, now: Instant, most: usize) -> Vec<(L, IpAddr)> {
        let mut probes = Vec::new();
        for _ in 0..most {
            let Some((at, place)) = self.due.first().copied().filter(|(at, _)| *at <= now) else { break };
            self.due.remove(&(at, place));
            let Some(series) = self.places.get_mut(&place) else { continue };
            if series.sent < PROBES {
                series.sent += 1;
                series.next = now + PAUSE;
                self.due.insert((series.next, place));
                probes.push(place);
            } else {
                self.end(now, place);
            }
        }
        probes
    }

    /// When [`Duplicates::due`] has something next.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Whether claims are worth hearing.
    pub fn listens(&self) -> bool {
        !self.due.is_empty()
    }

    /// A neighbour claims an address on `link`. `is_ours` says whether this machine has an interface with that MAC address: each of
    /// them may answer for an address on another one.
    pub fn hear(
        &mut self,
        now: Instant,
        link: L,
        claim: Claim,
        is_ours: impl FnOnce(Mac) -> bool,
    ) -> Option<Finding<L>> {
        let Claim { address, holder } = claim;
        let series = self.places.get_mut(&(link, address)).filter(|series| series.sent > 0)?;
        if is_ours(holder) {
            return None;
        }
        let Some(claimed) = series.claims.iter_mut().find(|claimed| claimed.by == holder) else {
            if series.claims.len() < MOST_HOLDERS {
                series.claims.push(Claimed { by: holder, first: now, again: false });
            }
            return None;
        };
        if now.since(claimed.first) < APART {
            return None;
        }
        if !std::mem::replace(&mut claimed.again, true) {
            self.changed.insert((link, address));
        }
        let told = (link, address, holder);
        if self.told.contains(&told) || !self.pace.take(now) {
            return None;
        }
        if self.told.len() >= MOST_TOLD {
            self.told.clear();
        }
        self.told.insert(told);
        Some(Finding { link, address, holder })
    }

    /// A machine that has `address`, too, as far as we know.
    pub fn holder(&self, link: L, address: IpAddr) -> Option<Mac> {
        let series = self.places.get(&(link, address))?;
        let now = series.claims.iter().find(|claimed| claimed.again).map(|claimed| claimed.by);
        now.or_else(|| series.before.first().copied())
    }

    /// Addresses whose [`Self::holder`] may be another one since the last call.
    pub fn take_changed(&mut self) -> BTreeSet<(L, IpAddr)> {
        std::mem::take(&mut self.changed)
    }

    /// Whether [`Self::take_changed`] has any.
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// `series` is over, and with it what it found.
    fn note_change(&mut self, place: (L, IpAddr), series: &Series) {
        if !series.before.is_empty() || series.claims.iter().any(|claimed| claimed.again) {
            self.changed.insert(place);
        }
    }

    fn begin(&mut self, place: (L, IpAddr), next: Instant, before: Vec<Mac>) {
        let series = Series { sent: 0, next, claims: Vec::new(), before };
        if let Some(old) = self.places.insert(place, series) {
            self.due.remove(&(old.next, place));
            self.note_change(place, &old);
        }
        self.due.insert((next, place));
    }

    /// A series is over. Who did not answer has the address no more, and is told of when it has it again.
    fn end(&mut self, now: Instant, place: (L, IpAddr)) {
        let Some(series) = self.places.remove(&place) else { return };
        self.note_change(place, &series);
        let holders: Vec<Mac> =
            series.claims.iter().filter(|claimed| claimed.again).map(|claimed| claimed.by).collect();
        let (link, address) = place;
        let of_place = (link, address, Mac::LOWEST)..=(link, address, Mac::HIGHEST);
        self.told.extract_if(of_place, |(_, _, told)| !holders.contains(told)).for_each(drop);
        if !holders.is_empty() {
            self.begin(place, now + AGAIN, holders);
        }
    }
}

#[cfg(test)]
mod tests;
