/// Numbers that depend on a seed and nothing else: splitmix64.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `0` to `end - 1`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("small").max(1);
        usize::try_from(self.next() % end).expect("smaller still")
    }

    /// Seconds between two limits, to the millisecond.
    pub(super) fn seconds(&mut self, from: f64, to: f64) -> f64 {
        let milli = u32::try_from(self.below(1001)).expect("a thousand");
        ((from + (to - from) * f64::from(milli) / 1000.0) * 1000.0).round() / 1000.0
    }

    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}
