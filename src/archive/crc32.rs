//! The checksum of zip: CRC-32 of IEEE 802.3, eight bytes at a step.
//!
//! The tables are computed when they are needed: as data of the WebAssembly module they would be most of what this costs a
//! page, since random numbers do not compress (crc32fast brings 16 KiB of them).

const POLYNOMIAL: u32 = 0xedb8_8320;

/// Checksums, one after the other.
pub(crate) struct Crc32 {
    tables: Box<[[u32; 256]; 8]>,
    state: u32,
}

impl Crc32 {
    /// Of nothing yet.
    pub(crate) fn new() -> Crc32 {
        let mut tables = Box::new([[0; 256]; 8]);
        let mut before = [0; 256];
        for (n, entry) in (0u32..).zip(&mut before) {
            *entry = (0..8).fold(n, |c, _| if c & 1 == 0 { c >> 1 } else { c >> 1 ^ POLYNOMIAL });
        }
        let first = before;
        for table in tables.iter_mut() {
            *table = before;
            // Behind one more byte of zeros.
            before = before.map(|c| c >> 8 ^ at(&first, c));
        }
        Crc32 { tables, state: u32::MAX }
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.state = u32::MAX;
    }

    /// Of `bytes` alone.
    #[cfg(any(test, feature = "package", feature = "fuzzing"))]
    pub(crate) fn of(&mut self, bytes: &[u8]) -> u32 {
        self.reset();
        self.update(bytes);
        self.value()
    }

    /// Takes `bytes` in.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &*self.tables;
        let (words, rest) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in words {
            let low = self.state ^ u32::from_le_bytes([*a, *b, *c, *d]);
            self.state = at(t7, low) ^ at(t6, low >> 8) ^ at(t5, low >> 16) ^ at(t4, low >> 24);
            self.state ^= at(t3, (*e).into()) ^ at(t2, (*f).into()) ^ at(t1, (*g).into()) ^ at(t0, (*h).into());
        }
        for byte in rest {
            self.state = self.state >> 8 ^ at(t0, self.state ^ u32::from(*byte));
        }
    }

    /// The checksum of what was taken in.
    pub(crate) fn value(&self) -> u32 {
        !self.state
    }
}

/// The entry of the lowest byte.
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
#[inline]
fn at(table: &[u32; 256], index: u32) -> u32 {
    let [low, ..] = index.to_le_bytes();
    table[usize::from(low)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_and_any_cut() {
        let mut crc = Crc32::new();
        crc.update(b"123456789");
        assert_eq!(crc.value(), 0xcbf4_3926);
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        crc.reset();
        crc.update(&bytes);
        let whole = crc.value();
        for cut in 0..40 {
            crc.reset();
            let (front, back) = bytes.split_at(cut);
            crc.update(front);
            crc.update(back);
            assert_eq!(crc.value(), whole);
        }
        // One byte at a time is the definition.
        let slow = bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 0 { c >> 1 } else { c >> 1 ^ POLYNOMIAL })
        });
        assert_eq!(whole, !slow);
    }
}
