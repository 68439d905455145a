//! Finds blocks by their checksums alone, in linear time.
//!
//! A block that begins at `s` and whose type is at `e` has the right checksum if the CRC's
//! register, set to ones at `s`, holds the complement of the stored sum after `e`. The register is
//! linear in the bytes, and each byte multiplies it by x^8. Divided by x^(8 * offset), the condition
//! has one side that depends on `s` alone and one that depends on `e` alone:
//!
//! ```text
//! P(i)       register after the first i bytes, from zero         Q(i) = P(i) / x^8i
//! start key  Q(s) + ones / x^8s
//! end key    Q(e + 1) + complement of the stored sum / x^8(e + 1)
//! ```
//! So each possible start is put into a table under its key, and each possible end looks up its
//! key. Starts are remembered for [`WINDOW`] bytes; the start of the file and the end of each block
//! found are always remembered, because a block is likely to begin there.
//!
//! With so many pairs, about one end in 4,096 meets a key by accident: a hit must also decode.

use std::collections::BTreeMap;

use super::format::{TYPE_MAX, masked, unmasked};
use crate::base::to_u64;

const POLYNOMIAL: u32 = 0x82f6_3b78;
/// Starts that are remembered.
pub(crate) const WINDOW: usize = 1 << 20;
const BUCKETS: usize = WINDOW;
/// Starts compared with one end: hostile bytes can give them all the same key.
const COMPARED_MAX: usize = 16;
/// The smallest contents of a block: those of a filter block.
const SIZE_MIN: u64 = 5;
/// Bytes of a stored checksum.
const SUM_SIZE: u64 = 4;

/// A place where blocks may end, and where those would begin whose checksum is right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Offset of the type of the block, which is the end of its contents.
    pub(crate) end: u64,
    pub(crate) block_type: u8,
    /// A likely start, where an earlier block ends.
    pub(crate) likely: Option<u64>,
    /// Other starts, the last one first.
    pub(crate) starts: Vec<u64>,
    key: u32,
}

pub(crate) struct BlockSearch {
    at: u64,
    /// Q(at).
    quotient: u32,
    /// Q of the last four offsets, the oldest first.
    quotients: [u32; 4],
    /// x^(24 - 8 * at).
    power: u32,
    /// Ones / x^(8 * at).
    ones: u32,
    /// The last eight bytes, the oldest lowest.
    recent: u64,
    divide: [u32; 256],
    /// The CRC's own table.
    multiply: [u32; 256],
    /// Likely starts, by key.
    likely: BTreeMap<u32, u64>,
    /// Keys of starts, by offset modulo `WINDOW`, and the start before in the same bucket.
    keys: Vec<u32>,
    before: Vec<u32>,
    buckets: Vec<u32>,
    /// Starts before this offset are in blocks that were found.
    floor: u64,
    /// Unlikely starts are not looked for any more.
    only_likely: bool,
}

impl BlockSearch {
    /// A search from the first byte of a file, which is a likely start.
    pub(crate) fn new() -> BlockSearch {
        let mut divide = [0; 256];
        for (byte, slot) in (0u32..).zip(divide.iter_mut()) {
            *slot = (0..8).fold(byte << 24, |value, _| divided(value));
        }
        let mut multiply = [0; 256];
        for (byte, slot) in (0u32..).zip(multiply.iter_mut()) {
            *slot = (0..8).fold(byte, |value, _| multiplied(value));
        }
        let mut search = BlockSearch {
            at: 0,
            quotient: 0,
            quotients: [0; 4],
            power: 1 << 7,
            ones: u32::MAX,
            recent: 0,
            divide,
            multiply,
            likely: BTreeMap::new(),
            keys: vec![0; WINDOW],
            before: vec![0; WINDOW],
            buckets: vec![0; BUCKETS],
            floor: 0,
            only_likely: false,
        };
        search.expect_block();
        search
    }

    /// Starts again, at a likely start, with offset 0.
    ///
    /// Keys of earlier starts need not be cleared: they are behind those of later ones.
    pub(crate) fn restart(&mut self) {
        (self.at, self.quotient, self.quotients) = (0, 0, [0; 4]);
        (self.power, self.ones, self.recent) = (1 << 7, u32::MAX, 0);
        (self.floor, self.likely) = (0, BTreeMap::new());
        self.expect_block();
    }

    /// The size of the contents of the smallest block at the start of `bytes`, if one is there.
    ///
    /// Faster than the search, for blocks that follow one another.
    pub(crate) fn block_at_start(&self, bytes: &[u8]) -> Option<usize> {
        let mut register = u32::MAX;
        bytes.windows(1 + 4).enumerate().find_map(|(size, behind)| {
            let [block_type, a, b, c, d] = *behind.first_chunk::<5>()?;
            let [low, ..] = (register ^ u32::from(block_type)).to_le_bytes();
            register = register >> 8 ^ self.multiply.get(usize::from(low)).copied().unwrap_or(0);
            let is_end = block_type <= TYPE_MAX && masked(!register) == u32::from_le_bytes([a, b, c, d]);
            (is_end && to_u64(size) >= SIZE_MIN).then_some(size)
        })
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// A block ends here, so that another is likely to begin here, and none of those before.
    pub(crate) fn found_block(&mut self, hit: &Hit, start: u64) {
        if hit.likely == Some(start) {
            self.likely.remove(&hit.key);
        }
        self.floor = self.at;
        self.expect_block();
    }

    /// Looks only at likely starts from now on.
    pub(crate) fn only_likely(&mut self) {
        self.only_likely = true;
    }

    fn expect_block(&mut self) {
        self.likely.insert(self.quotient ^ self.ones, self.at);
    }

    /// Takes in bytes up to the next hit; returns their number with it.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> (usize, Option<Hit>) {
        for (taken, byte) in (1..).zip(bytes) {
            if let Some(hit) = self.push(*byte) {
                return (taken, Some(hit));
            }
        }
        (bytes.len(), None)
    }

    #[inline]
    fn push(&mut self, byte: u8) -> Option<Hit> {
        if !self.only_likely {
            self.remember();
        }
        self.recent = self.recent >> 8 | u64::from(byte) << 56;
        let [.., block_type, a, b, c, d] = self.recent.to_le_bytes();
        let key = (block_type <= TYPE_MAX && self.at >= SUM_SIZE).then(|| {
            // The byte behind the type is the third before this one.
            let [quotient, ..] = self.quotients;
            quotient ^ times(!unmasked(u32::from_le_bytes([a, b, c, d])), self.power)
        });
        self.quotients.rotate_left(1);
        let mut power = self.power;
        for bit in (0..8).rev() {
            if byte >> bit & 1 == 1 {
                self.quotient ^= power;
            }
            power = multiplied(power);
        }
        let [_, _, _, last] = &mut self.quotients;
        *last = self.quotient;
        self.power = self.divided_by_byte(self.power);
        self.ones = self.divided_by_byte(self.ones);
        let end = self.at.wrapping_sub(SUM_SIZE);
        self.at += 1;
        self.hit(key?, end, block_type)
    }

    fn hit(&self, key: u32, end: u64, block_type: u8) -> Option<Hit> {
        let fits = |start: &u64| start.checked_add(SIZE_MIN).is_some_and(|least| least <= end);
        let likely = self.likely.get(&key).copied().filter(fits);
        let mut starts = Vec::new();
        if !self.only_likely {
            self.look_up(key, end, &mut starts);
        }
        (likely.is_some() || !starts.is_empty()).then_some(Hit { end, block_type, likely, starts, key })
    }

    /// Adds `at` to the starts.
    #[inline]
    fn remember(&mut self) {
        let key = self.quotient ^ self.ones;
        let slot = slot_of(self.at);
        let Some(bucket) = self.buckets.get_mut(bucket_of(key)) else { return };
        if let (Some(stored), Some(before)) = (self.keys.get_mut(slot), self.before.get_mut(slot)) {
            *stored = key;
            *before = std::mem::replace(bucket, low(self.at));
        }
    }

    #[inline]
    fn look_up(&self, key: u32, end: u64, starts: &mut Vec<u64>) {
        let mut last_age = 0;
        let mut start = self.buckets.get(bucket_of(key)).copied().unwrap_or_default();
        for _ in 0..COMPARED_MAX {
            let age = u64::from(low(self.at).wrapping_sub(start));
            let Some(offset) = self.at.checked_sub(age).filter(|offset| *offset >= self.floor) else { return };
            if age <= last_age || age > to_u64(WINDOW) {
                return;
            }
            last_age = age;
            let slot = slot_of(offset);
            if self.keys.get(slot) == Some(&key) && offset.saturating_add(SIZE_MIN) <= end {
                starts.push(offset);
            }
            start = self.before.get(slot).copied().unwrap_or_default();
        }
    }

    #[inline]
    fn divided_by_byte(&self, value: u32) -> u32 {
        let [.., top] = value.to_le_bytes();
        value << 8 ^ self.divide.get(usize::from(top)).copied().unwrap_or(0)
    }
}

/// `value` * x, modulo the polynomial; the highest bit is the coefficient of 1.
#[inline]
fn multiplied(value: u32) -> u32 {
    value >> 1 ^ if value & 1 == 1 { POLYNOMIAL } else { 0 }
}

/// `value` / x.
#[inline]
fn divided(value: u32) -> u32 {
    if value >> 31 == 1 { (value ^ POLYNOMIAL) << 1 | 1 } else { value << 1 }
}

/// `value` * `power`, modulo the polynomial.
#[inline]
fn times(value: u32, power: u32) -> u32 {
    let mut power = power;
    let mut sum = 0;
    for bit in (0..32).rev() {
        if value >> bit & 1 == 1 {
            sum ^= power;
        }
        power = multiplied(power);
    }
    sum
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "offsets are compared modulo 2^32, within a window")]
fn low(offset: u64) -> u32 {
    offset as u32
}

#[inline]
fn slot_of(offset: u64) -> usize {
    usize::try_from(offset % to_u64(WINDOW)).unwrap_or(0)
}

#[inline]
fn bucket_of(key: u32) -> usize {
    usize::try_from(key).unwrap_or(0) % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::trailer::seal;

    fn found(bytes: &[u8]) -> Vec<(u64, u64, bool)> {
        let mut search = BlockSearch::new();
        let (mut at, mut found) = (0, Vec::new());
        while at < bytes.len() {
            let (taken, hit) = search.next(&bytes[at..]);
            at += taken;
            if let Some(hit) = hit {
                let start = hit.likely.unwrap_or_else(|| hit.starts[0]);
                found.push((start, hit.end, hit.likely.is_some()));
                search.found_block(&hit, start);
            }
        }
        found
    }

    #[test]
    fn finds_a_block_after_garbage_and_the_ones_that_follow() {
        let mut bytes = b"rubbish".to_vec();
        seal(b"the contents of a block", 0, &mut bytes);
        seal(b"another", 1, &mut bytes);
        bytes.extend([0; 100]);
        seal(&[7; 300], 4, &mut bytes);
        assert_eq!(found(&bytes), [(7, 30, false), (35, 42, true), (147, 447, false)]);
        bytes[20] ^= 1;
        assert_eq!(found(&bytes), [(35, 42, false), (147, 447, false)]);
        assert_eq!(found(&bytes[36..]).len(), 1);
    }

    #[test]
    fn a_block_at_a_likely_start_may_be_larger_than_the_window() {
        let mut bytes = Vec::new();
        seal(b"small", 0, &mut bytes);
        seal(&vec![7; WINDOW + 100], 0, &mut bytes);
        let large = bytes.len();
        seal(b"small again", 0, &mut bytes);
        assert_eq!(
            found(&bytes),
            [(0, 5, true), (10, to_u64(large) - 5, true), (to_u64(large), to_u64(large) + 11, true)]
        );
    }

    #[test]
    fn a_search_that_starts_again_finds_the_same() {
        let mut bytes = b"rubbish".to_vec();
        seal(b"the contents of a block", 0, &mut bytes);
        bytes.extend([9; 1000]);
        seal(&[7; 300], 4, &mut bytes);
        let mut search = BlockSearch::new();
        for _ in 0..3 {
            let (mut at, mut ends) = (0, Vec::new());
            while at < bytes.len() {
                let (taken, hit) = search.next(&bytes[at..]);
                at += taken;
                ends.extend(hit.map(|hit| (hit.starts, hit.end)));
            }
            assert_eq!(ends, [(vec![7], 30), (vec![1035], 1335)]);
            search.restart();
        }
        assert_eq!(search.block_at_start(&bytes[7..]), Some(23));
        assert_eq!(search.block_at_start(&bytes[1035..]), Some(300));
        assert_eq!(search.block_at_start(&bytes), None);
        assert_eq!(search.block_at_start(&bytes[1035..1339]), None);
    }

    #[test]
    fn the_start_in_a_full_window_is_found() {
        let mut bytes = vec![3; 3 * WINDOW];
        seal(&vec![7; WINDOW - 10], 2, &mut bytes);
        assert_eq!(found(&bytes), [(to_u64(3 * WINDOW), to_u64(4 * WINDOW - 10), false)]);
    }
}
