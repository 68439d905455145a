//! Reflected CRCs of 32 bits, eight bytes at a step.
//!
//! The tables are computed when they are needed: as data of the WebAssembly module they would be a large part of what it costs
//! a page, since random numbers do not compress. Those of one CRC are 8 KiB.

/// What each byte comes to with none to seven zeros behind it.
pub(crate) struct CrcTables([[u32; 256]; 8]);

impl CrcTables {
    /// Of a polynomial, its highest power in the lowest bit.
    pub(crate) fn new(polynomial: u32) -> CrcTables {
        let mut first = [0; 256];
        // A byte is the sum of its bits, and 128 comes to the polynomial itself. (The plain loop over bytes and bits would not do:
        // LLVM knows it, and makes a table of it that is data again.)
        let mut of_bit = polynomial;
        for bit in (0..8).rev().map(|shift| 1usize << shift) {
            for (_, entry) in first.iter_mut().enumerate().filter(|(n, _)| n & bit != 0) {
                *entry ^= of_bit;
            }
            of_bit = of_bit >> 1 ^ if of_bit & 1 == 0 { 0 } else { polynomial };
        }
        let mut tables = [first; 8];
        let mut before = first;
        for table in tables.iter_mut().skip(1) {
            before = before.map(|crc| crc >> 8 ^ at(&first, crc.into()));
            *table = before;
        }
        CrcTables(tables)
    }

    /// The inner state (a CRC is its complement) after `bytes`. Inlined, so that tables at a fixed address are found without adding.
    #[inline(always)]
    pub(crate) fn update(&self, mut state: u32, bytes: &[u8]) -> u32 {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &self.0;
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word) ^ u64::from(state);
            state = at(t7, word) ^ at(t6, word >> 8) ^ at(t5, word >> 16) ^ at(t4, word >> 24);
            state ^= at(t3, word >> 32) ^ at(t2, word >> 40) ^ at(t1, word >> 48) ^ at(t0, word >> 56);
        }
        for byte in rest {
            state = state >> 8 ^ at(t0, u64::from(state) ^ u64::from(*byte));
        }
        state
    }
}

/// The entry of the lowest byte.
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
#[inline(always)]
fn at(table: &[u32; 256], word: u64) -> u32 {
    let [low, ..] = word.to_le_bytes();
    table[usize::from(low)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_by_definition_at_any_cut() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for polynomial in [0xedb8_8320, 0x82f6_3b78] {
            let tables = CrcTables::new(polynomial);
            // One bit at a time is the definition.
            let slow = bytes.iter().fold(u32::MAX, |crc, byte| {
                (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 0 { c >> 1 } else { c >> 1 ^ polynomial })
            });
            for cut in 0..40 {
                let (front, back) = bytes.split_at(cut);
                assert_eq!(tables.update(tables.update(u32::MAX, front), back), slow);
            }
        }
    }
}
