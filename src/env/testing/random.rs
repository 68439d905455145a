//! Seeded random numbers (SplitMix64), for faults and crashes that can be repeated.

use crate::base::to_u64;

/// A stream of random numbers determined by its seed.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Seeded {
        Seeded(seed)
    }

    /// A separate stream for one name, independent of other draws.
    pub(crate) fn for_name(seed: u64, name: &str) -> Seeded {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Seeded(name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, fnv))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uniform number in `0..=max`.
    pub(crate) fn up_to(&mut self, max: usize) -> usize {
        let count = to_u64(max).saturating_add(1);
        usize::try_from(self.next() % count).unwrap_or(max)
    }

    /// True with a probability of `percent`.
    pub(crate) fn chance(&mut self, percent: u8) -> bool {
        self.next() % 100 < u64::from(percent)
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_le_bytes()[0];
        }
    }
}
