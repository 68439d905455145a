//! Finds unreferenced blocks by their checksums.
//!
//! ```text
//! keep a running checksum from a start: if the next five bytes are a type and that checksum,
//! a block ends
//! ```
//! Blocks follow one another, so that the search after a block is cheap; each byte skipped costs up
//! to `SIZE_MAX` steps, and the total is limited. A false match has a probability of one in 2^32,
//! and must also decode.

use crate::table::{TYPE_MAX, unmasked};

/// Largest block that is searched for at every offset.
const SIZE_MAX: usize = 64 << 10;
/// Largest block that is searched for where one is likely to begin.
pub(super) const SIZE_MAX_AT_START: usize = 4 << 20;
/// The smallest block: a filter block of five bytes.
const SIZE_MIN: usize = 5;
/// Bytes that are searched at a time.
pub(super) const WINDOW: usize = SIZE_MAX_AT_START * 4;
/// Checksum steps of one inspection, at most.
const STEPS_MAX: u64 = 1 << 28;

pub(super) struct Search {
    table: [u32; 256],
    steps: u64,
}

/// The result of searching one window.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// A block with this many bytes of contents begins this many bytes after the start.
    Block { skipped: usize, size: usize },
    /// None begins in this many bytes.
    Nothing { skipped: usize },
    /// The limit is reached.
    Exhausted,
}

impl Search {
    pub(super) fn new() -> Search {
        let mut table = [0u32; 256];
        for (byte, slot) in (0u32..).zip(table.iter_mut()) {
            *slot = (0..8).fold(byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 });
        }
        Search { table, steps: 0 }
    }

    /// `whole`: the window reaches the end of the search. Otherwise the last `SIZE_MAX` bytes are
    /// left for the next window.
    pub(super) fn first(&mut self, window: &[u8], whole: bool) -> Hit {
        let last = if whole { window.len() } else { window.len().saturating_sub(SIZE_MAX) };
        for start in 0..last {
            let size_max = if start == 0 { SIZE_MAX_AT_START } else { SIZE_MAX };
            if let Some(size) = self.block(window.get(start..).unwrap_or_default(), size_max) {
                return Hit::Block { skipped: start, size };
            }
            if self.steps > STEPS_MAX {
                return Hit::Exhausted;
            }
        }
        Hit::Nothing { skipped: last }
    }

    /// Size of the block that begins with `bytes`.
    fn block(&mut self, bytes: &[u8], size_max: usize) -> Option<usize> {
        let mut crc = u32::MAX;
        let ends = bytes.get(1..).unwrap_or_default().windows(4);
        for (size, (byte, sum)) in bytes.iter().zip(ends).take(size_max.saturating_add(1)).enumerate() {
            self.steps += 1;
            let [low, ..] = crc.to_le_bytes();
            crc = crc >> 8 ^ self.table.get(usize::from(low ^ byte)).copied().unwrap_or(0);
            if size >= SIZE_MIN && *byte <= TYPE_MAX && unmasked(read(sum)) == !crc {
                return Some(size);
            }
        }
        None
    }
}

fn read(sum: &[u8]) -> u32 {
    sum.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{crc32c, mask};

    fn sealed(contents: &[u8]) -> Vec<u8> {
        let mut bytes = contents.to_vec();
        bytes.push(0);
        let sum = mask(crc32c(&bytes));
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn finds_a_block_after_garbage() {
        let mut bytes = b"rubbish".to_vec();
        bytes.extend(sealed(b"the contents of a block"));
        bytes.extend(sealed(b"another"));
        assert_eq!(Search::new().first(&bytes, true), Hit::Block { skipped: 7, size: 23 });
        assert_eq!(Search::new().first(&bytes[35..], true), Hit::Block { skipped: 0, size: 7 });
        assert_eq!(Search::new().first(&bytes[36..], true), Hit::Nothing { skipped: 11 });
        assert_eq!(Search::new().first(b"", true), Hit::Nothing { skipped: 0 });
    }

    #[test]
    fn the_search_stops_at_its_limit() {
        let noise: Vec<u8> = (0..1u32 << 20).flat_map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24).to_le_bytes()).collect();
        assert_eq!(Search::new().first(&noise, true), Hit::Exhausted);
    }
}
