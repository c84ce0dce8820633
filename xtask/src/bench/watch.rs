//! What the observer heard, per virtual router.

use anyhow::Result;
use keepalived_lab::{Capture, Event, Kind, Stamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A virtual router: its segment and VRID.
pub(super) type Key = (usize, u8);

/// One advert.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) at: Stamp,
    pub(super) router: usize,
    pub(super) priority: u8,
}

/// All that was heard, sorted by virtual router.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) adverts: BTreeMap<Key, Vec<Heard>>,
    /// Gratuitous ARPs: when, who, which.
    pub(super) garps: BTreeMap<Key, Vec<(Stamp, usize)>>,
}

impl Watch {
    /// Takes what is new.
    pub(super) fn poll(&mut self, captures: &[Capture]) -> Result<()> {
        for (segment, capture) in captures.iter().enumerate() {
            for event in capture.take()? {
                self.add(segment, &event);
            }
        }
        Ok(())
    }

    fn add(&mut self, segment: usize, event: &Event) {
        // the last octet of a lab's MAC address is the router's number, from 1
        let router = usize::from(event.mac.0[5]).saturating_sub(1);
        match &event.kind {
            Kind::Advert(advert) => {
                let heard = Heard { at: event.at, router, priority: advert.priority };
                self.adverts.entry((segment, advert.vrid)).or_default().push(heard);
            }
            Kind::Garp(garp) => {
                // the bench's address of VRID v ends in v
                if let IpAddr::V4(address) = garp.address {
                    self.garps.entry((segment, address.octets()[3])).or_default().push((event.at, router));
                }
            }
            Kind::Na(_) | Kind::Echo { .. } => {}
        }
    }

    /// How many virtual routers were last heard from this router.
    pub(super) fn held_by(&self, router: usize) -> usize {
        self.adverts.values().filter(|heard| heard.last().is_some_and(|last| last.router == router)).count()
    }

    /// Every change of sender after `start`: when. Goodbyes are no claim to anything.
    pub(super) fn changes(&self, start: Stamp) -> BTreeMap<Key, Vec<Stamp>> {
        let mut changes = BTreeMap::new();
        for (key, heard) in &self.adverts {
            let mut claims = heard.iter().filter(|one| one.priority > 0);
            let Some(mut last) = claims.next() else { continue };
            for claim in claims {
                if claim.router != last.router && claim.at >= start {
                    changes.entry(*key).or_insert_with(Vec::new).push(claim.at);
                }
                last = claim;
            }
        }
        changes
    }

    /// For each virtual router the longest silence of the routers `of` that ended after `start`, in seconds; a silence
    /// that lasts until `end` counts. A virtual router that they never sent for is not among them.
    pub(super) fn silences(&self, of: impl Fn(usize) -> bool, start: Stamp, end: Stamp) -> Vec<f64> {
        let longest = |heard: &Vec<Heard>| {
            let times: Vec<Stamp> = heard.iter().filter(|one| of(one.router)).map(|one| one.at).collect();
            let until_end = end.since(*times.last()?);
            let pairs = times.windows(2).filter(|pair| pair[1] >= start);
            Some(pairs.map(|pair| pair[1].since(pair[0])).fold(until_end, f64::max))
        };
        self.adverts.values().filter_map(longest).collect()
    }

    /// How many adverts a router sent between two times.
    pub(super) fn sent(&self, router: usize, from: Stamp, until: Stamp) -> usize {
        let within = |one: &&Heard| one.router == router && one.at >= from && one.at < until;
        self.adverts.values().map(|heard| heard.iter().filter(within).count()).sum()
    }
}

/// The value that `percent` of a hundred do not exceed.
pub(super) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(heard: &[(u64, usize, u8)]) -> Watch {
        let heard =
            heard.iter().map(|&(at, router, priority)| Heard { at: Stamp(at * 1_000_000_000), router, priority });
        Watch { adverts: BTreeMap::from([((0, 1), heard.collect())]), garps: BTreeMap::new() }
    }

    #[test]
    fn a_goodbye_changes_no_hands() {
        let watch = watch(&[(1, 1, 100), (2, 0, 200), (3, 1, 0), (4, 0, 200)]);
        assert_eq!(watch.changes(Stamp(0))[&(0, 1)], [Stamp(2_000_000_000)]);
    }

    #[test]
    fn a_silence_counts_when_it_ends() {
        let watch = watch(&[(1, 0, 200), (5, 0, 200), (6, 0, 200)]);
        assert_eq!(watch.silences(|_| true, Stamp(2_000_000_000), Stamp(7_000_000_000)), [4.0]);
        assert_eq!(watch.silences(|_| true, Stamp(5_500_000_000), Stamp(7_000_000_000)), [1.0]);
        assert_eq!(watch.silences(|_| true, Stamp(5_500_000_000), Stamp(9_000_000_000)), [3.0]);
    }

    #[test]
    fn others_do_not_break_a_silence() {
        let watch = watch(&[(1, 0, 200), (2, 7, 50), (4, 0, 200)]);
        assert_eq!(watch.silences(|router| router == 0, Stamp(0), Stamp(4_000_000_000)), [3.0]);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 99), percentile(&values[..20], 99)),
            (100.0, 198.0, 20.0)
        );
    }
}
