//! Numbers for `${_RANDOM}`: the same for the same seed.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from `least` to `most`, or `least` if that is none.
    pub(super) fn between(&mut self, least: u32, most: u32) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let count = u64::from(most.saturating_sub(least)).saturating_add(1);
        u64::from(least).saturating_add(mixed.checked_rem(count).unwrap_or(0))
    }
}
