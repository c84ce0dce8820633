//! Chance from a seed: the same seed, the same world.

use std::time::Duration;

/// SplitMix64 (Steele, Lea and Flood 2014): small, fast, and good enough to throw dice with.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The dice of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if `end` is 0. The bias of the remainder is of no matter here.
    pub const fn below(&mut self, end: u64) -> u64 {
        let bits = self.bits();
        if end == 0 { 0 } else { bits % end }
    }

    /// A number from `least` to `most`, both included.
    pub const fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least).saturating_add(1))
    }

    /// True in so many of a hundred cases.
    pub const fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// An index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        let end = u64::try_from(length).expect("a length fits 64 bits");
        usize::try_from(self.below(end)).expect("below a usize")
    }

    /// One of `choices`.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.index(choices.len());
        choices.get(index).cloned().expect("there is something to choose from")
    }

    /// A time of up to `most`.
    pub fn duration(&mut self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // vectors of the reference implementation, https://prng.di.unimi.it/splitmix64.c, seed 1234567
    #[test]
    fn it_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!([random.bits(), random.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn bounds_are_kept() {
        let mut random = Random::new(7);
        assert!((0..1000).all(|_| (3..=5).contains(&random.between(3, 5))));
        assert!((0..1000).all(|_| random.below(2) < 2 && random.index(3) < 3));
        assert_eq!(random.below(0), 0);
    }
}
