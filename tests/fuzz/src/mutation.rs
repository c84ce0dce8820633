//! Makes inputs from inputs, the same every time: for the smoke run, where no coverage guides.

/// Dice (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The dice of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a length");
        usize::try_from(self.bits().checked_rem(end).unwrap_or(0)).expect("below a usize")
    }

    fn octet(&mut self) -> u8 {
        let [octet, ..] = self.bits().to_le_bytes();
        octet
    }
}

/// Octets of an input at most.
pub const LONGEST: usize = 4_096;

/// An input that is a little like one of `corpus`. `words` are put in now and then.
pub fn mutant(random: &mut Random, corpus: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let mut input = corpus.get(random.below(corpus.len())).cloned().unwrap_or_default();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(17)).min(input.len());
        match random.below(9) {
            0 | 1 => replace(&mut input, at, |octet| octet ^ (1 << (end % 8))),
            2 => {
                let new = random.octet();
                replace(&mut input, at, |_| new);
            }
            3 => {
                const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xfe, 0xff, b'{', b'\n'];
                let new = EDGES.get(random.below(EDGES.len())).copied().unwrap_or(0);
                replace(&mut input, at, |_| new);
            }
            4 => {
                input.drain(at..end);
            }
            5 => input.truncate(at),
            6 => {
                let piece: Vec<u8> = (0..random.below(9)).map(|_| random.octet()).collect();
                input.splice(at..at, piece);
            }
            7 => {
                let other = corpus.get(random.below(corpus.len())).map(Vec::as_slice).unwrap_or_default();
                let from = random.below(other.len());
                let until = (from + random.below(65)).min(other.len());
                input.splice(at..end, other.get(from..until).unwrap_or_default().iter().copied());
            }
            _ => {
                let word = words.get(random.below(words.len())).copied().unwrap_or_default();
                input.splice(at..at, word.iter().copied());
            }
        }
    }
    input.truncate(LONGEST);
    input
}

fn replace(input: &mut [u8], at: usize, with: impl FnOnce(u8) -> u8) {
    if let Some(octet) = input.get_mut(at) {
        *octet = with(*octet);
    }
}
