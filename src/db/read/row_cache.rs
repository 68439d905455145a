//! Caches rows read repeatedly from tables, so that a hot key needs no search and no block.
//!
//! A row belongs to one version. Writes cannot make it stale: memtables are searched first, and
//! their entries reach tables only with a new version, which empties the cache. RocksDB has a row
//! cache too.
//!
//! Each key has one slot, by its hash. The first read stores the hash, the second the row, so that
//! keys read once cost almost nothing. A row read since the last insertion attempt is kept.

use std::rc::{Rc, Weak};

use crate::base::{hash32, to_u64};
use crate::bugs::{Bug, seeded};
use crate::version::Version;

/// Longer rows are left to the block cache: the saving does not grow with the length, the cost
/// does.
const ROW_SIZE_MAX: u64 = 1024;
/// Bytes of capacity per slot.
const BYTES_PER_SLOT: u64 = 256;
/// The capacity of the block cache divided by that of this one.
const SHARE_OF_BLOCKS: u64 = 8;
const SEED: u32 = 0x5f3a_9d17;

/// Invariants:
/// 1. `bytes` is the sum of the lengths of all rows, at most `capacity`.
/// 2. All rows are of version `of`.
/// 3. A mark with `ROW` has a row at the same index of `rows`; all other rows are empty.
pub(crate) struct RowCache {
    capacity: u64,
    bytes: u64,
    of: Weak<Version>,
    /// Per slot, the hash of its key with flags in the lowest bits. Apart from the rows, so that a
    /// miss touches little memory. Empty before the first read of a table, then a power of two.
    marks: Vec<u32>,
    rows: Vec<Row>,
}

/// The slot holds the key's row.
const ROW: u32 = 1;
/// The row was read since the last insertion attempt.
const ASKED: u32 = 2;
const FLAGS: u32 = ROW | ASKED;

/// The key, then the value.
#[derive(Clone, Default)]
struct Row {
    key_length: usize,
    bytes: Vec<u8>,
}

impl RowCache {
    /// Makes a cache sized after a block cache of so many bytes; 0 disables it.
    pub(crate) fn beside(block_cache_size: u64) -> RowCache {
        let capacity = block_cache_size / SHARE_OF_BLOCKS;
        RowCache { capacity, bytes: 0, of: Weak::new(), marks: Vec::new(), rows: Vec::new() }
    }

    /// Returns the value of `key` in `version` if it is cached.
    #[inline]
    pub(crate) fn get(&mut self, version: &Rc<Version>, key: &[u8]) -> Option<&[u8]> {
        if !self.is_of(version) {
            return None;
        }
        let hash = hash32(key, SEED);
        let place = self.place_of(hash);
        let mark = self.marks.get_mut(place)?;
        if *mark & !ASKED != hash & !FLAGS | ROW {
            return None;
        }
        let row = self.rows.get(place)?;
        let (known, value) = row.bytes.split_at_checked(row.key_length)?;
        if known != key {
            return None;
        }
        *mark |= ASKED;
        Some(value)
    }

    /// Records that the tables of the current `version` hold this value for `key`.
    pub(crate) fn note(&mut self, version: &Rc<Version>, key: &[u8], value: &[u8]) {
        let length = key.len() + value.len();
        if to_u64(length) > ROW_SIZE_MAX.min(self.capacity) {
            return;
        }
        if !self.is_of(version) || self.bytes + to_u64(length) > self.capacity {
            self.empty();
            self.of = Rc::downgrade(version);
        }
        if self.marks.is_empty() && !self.make_slots() {
            return;
        }
        let hash = hash32(key, SEED);
        let place = self.place_of(hash);
        let Some(mark) = self.marks.get_mut(place) else { return };
        let is_newcomer = *mark & !FLAGS != hash & !FLAGS;
        if is_newcomer && *mark & ASKED != 0 {
            *mark &= !ASKED;
            return;
        }
        if is_newcomer && *mark & ROW == 0 {
            *mark = hash & !FLAGS;
            return;
        }
        let Some(row) = self.rows.get_mut(place) else { return };
        self.bytes -= to_u64(row.bytes.len());
        row.bytes.clear();
        *mark = hash & !FLAGS;
        if !is_newcomer && row.bytes.try_reserve_exact(length).is_ok() {
            row.bytes.extend_from_slice(key);
            row.bytes.extend_from_slice(value);
            row.key_length = key.len();
            self.bytes += to_u64(length);
            *mark |= ROW;
        }
    }

    /// Bytes of rows.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether the rows belong to `version`. (`of` keeps its address from being reused.)
    fn is_of(&self, version: &Rc<Version>) -> bool {
        std::ptr::eq(self.of.as_ptr(), Rc::as_ptr(version)) || seeded(Bug::RowsOutliveVersion)
    }

    /// Uses the highest bits, since marks lack the lowest.
    fn place_of(&self, hash: u32) -> usize {
        let bits = self.marks.len().checked_ilog2().unwrap_or(0);
        usize::try_from(u64::from(hash) << bits >> 32).unwrap_or(0)
    }

    fn empty(&mut self) {
        self.marks.fill(0);
        self.rows.fill(Row::default());
        self.bytes = 0;
    }

    /// Returns false if memory is short.
    fn make_slots(&mut self) -> bool {
        let count = usize::try_from(self.capacity / BYTES_PER_SLOT).unwrap_or(0);
        let count = 1 << count.checked_ilog2().unwrap_or(0);
        if self.marks.try_reserve_exact(count).is_ok() && self.rows.try_reserve_exact(count).is_ok() {
            self.rows.resize(count, Row::default());
            self.marks.resize(count, 0);
        }
        !self.marks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cache: &mut RowCache, version: &Rc<Version>, key: &[u8], value: &[u8]) -> bool {
        let known = cache.get(version, key).map(<[u8]>::to_vec);
        if let Some(known) = &known {
            assert_eq!(known, value);
        } else {
            cache.note(version, key, value);
        }
        known.is_some()
    }

    fn version() -> Rc<Version> {
        Rc::new(Version::default())
    }

    #[test]
    fn the_third_read_is_a_hit_and_another_version_is_a_miss() {
        let (mut cache, first, second) = (RowCache::beside(1 << 20), version(), version());
        for (time, known) in [(1, false), (2, false), (3, true), (4, true)] {
            assert_eq!(read(&mut cache, &first, b"lake", b"Suigetsu"), known, "read {time}");
        }
        assert_eq!(cache.bytes(), 12);
        assert_eq!(cache.get(&second, b"lake"), None);
        assert!(!read(&mut cache, &second, b"lake", b"Biwa"));
        assert_eq!(cache.bytes(), 0);
        assert_eq!(cache.get(&first, b"lake"), None);
    }

    #[test]
    fn it_stays_within_its_limit_and_keeps_hot_rows() {
        let (mut cache, version) = (RowCache::beside(1 << 20), version());
        let mut hits = 0;
        for i in 0..100_000u32 {
            assert!(cache.bytes() <= cache.capacity);
            read(&mut cache, &version, format!("cold {i}").as_bytes(), b"once");
            hits += usize::from(read(&mut cache, &version, b"hot", &[7; 900]));
            read(&mut cache, &version, format!("warm {}", i % 300).as_bytes(), &[1; 1000]);
        }
        assert!(hits > 99_000, "{hits}");
    }

    #[test]
    fn long_rows_and_rows_without_capacity_are_not_kept() {
        let (mut none, mut cache, version) = (RowCache::beside(0), RowCache::beside(1 << 20), version());
        for _ in 0..4 {
            assert!(!read(&mut none, &version, b"key", b"value"));
            assert!(!read(&mut cache, &version, b"key", &[0; 1022]));
        }
    }
}
