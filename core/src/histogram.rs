//! How long things take, counted by bounds as metrics show them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets; one more has no bound. In microseconds.
const BOUNDS: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000,
];

/// How often something took how long. All have the same bounds, from 0.1 ms to 5 s.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    /// Counts something that took so long.
    pub fn add(&mut self, took: Duration) {
        let bucket = BOUNDS.partition_point(|bound| Duration::from_micros(*bound) < took);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(took);
    }

    /// How many took at most so long, by the bound; the last has none, and counts all.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS.into_iter().map(|bound| Some(Duration::from_micros(bound))).chain([None]);
        let sum = |sum: &mut u64, count: &u64| {
            *sum = sum.saturating_add(*count);
            Some(*sum)
        };
        bounds.zip(self.buckets.iter().scan(0, sum))
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// What all of them took together.
    pub const fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let mut histogram = Histogram::default();
        for micros in [0, 100, 101, 5_000_000, 5_000_001] {
            histogram.add(Duration::from_micros(micros));
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets.first(), Some(&(Some(Duration::from_micros(100)), 2)));
        assert_eq!(buckets.get(1), Some(&(Some(Duration::from_micros(250)), 3)));
        assert_eq!(buckets.get(14), Some(&(Some(Duration::from_secs(5)), 4)));
        assert_eq!(buckets.last(), Some(&(None, 5)));
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum(), Duration::from_micros(10_000_202));
    }
}
