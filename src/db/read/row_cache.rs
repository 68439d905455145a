//! Rows that were read from tables again and again: a hot key costs neither a search nor a block. (RocksDB has a row cache too.)
//!
//! A row is what one version answers for one key, so nothing that is written can make it wrong: memtables are asked before, and what
//! they hold comes into tables only by another version, with which the cache begins anew.
//!
//! Every key has one slot, by its hash. The first read of a key leaves the hash there, the second one the row: what is read once costs
//! next to nothing. A row that was asked for since the last newcomer came stays.

use std::rc::{Rc, Weak};

use crate::base::{hash32, to_u64};
use crate::bugs::{Bug, seeded};
use crate::version::Version;

/// Longer rows are left to the block cache: what is saved does not depend on the length, what it takes does.
const ROW_SIZE_MAX: u64 = 1024;
/// Of the capacity, for each slot.
const BYTES_PER_SLOT: u64 = 256;
/// The block cache's capacity is so many times this one's.
const SHARE_OF_BLOCKS: u64 = 8;
const SEED: u32 = 0x5f3a_9d17;

/// Invariants:
/// 1. `bytes` is the sum of the lengths of all rows, at most `capacity`.
/// 2. All rows are of version `of`.
/// 3. A mark with `ROW` has a row in the same place of `rows`; the row of any other is empty.
pub(crate) struct RowCache {
    capacity: u64,
    bytes: u64,
    of: Weak<Version>,
    /// For each slot the hash of its key, but for the lowest bits, which are flags. Apart from the rows, so that a look-up of what is
    /// not here touches little memory. None before the first read of a table; else a power of two.
    marks: Vec<u32>,
    rows: Vec<Row>,
}

/// The key's row is here.
const ROW: u32 = 1;
/// And was asked for since the last newcomer came.
const ASKED: u32 = 2;
const FLAGS: u32 = ROW | ASKED;

/// The key, then the value.
#[derive(Clone, Default)]
struct Row {
    key_length: usize,
    bytes: Vec<u8>,
}

impl RowCache {
    /// Beside a cache of so many bytes of blocks; with 0 there is none.
    pub(crate) fn beside(block_cache_size: u64) -> RowCache {
        let capacity = block_cache_size / SHARE_OF_BLOCKS;
        RowCache { capacity, bytes: 0, of: Weak::new(), marks: Vec::new(), rows: Vec::new() }
    }

    /// The value of `key` in `version`, if it is here.
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

    /// Tables of `version`, which is the one of now, have this value for `key`.
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

    /// Whether the rows are of `version`. (What `of` points to is not given to another version as long as it points there.)
    fn is_of(&self, version: &Rc<Version>) -> bool {
        std::ptr::eq(self.of.as_ptr(), Rc::as_ptr(version)) || seeded(Bug::RowsOutliveVersion)
    }

    /// By the highest bits, since the lowest are not in the marks.
    fn place_of(&self, hash: u32) -> usize {
        let bits = self.marks.len().checked_ilog2().unwrap_or(0);
        usize::try_from(u64::from(hash) << bits >> 32).unwrap_or(0)
    }

    fn empty(&mut self) {
        self.marks.fill(0);
        self.rows.fill(Row::default());
        self.bytes = 0;
    }

    /// False where there is no room.
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
    fn the_third_read_is_answered_and_another_version_knows_nothing() {
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
    fn it_stays_in_its_bounds_and_keeps_what_is_hot() {
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
    fn long_rows_and_no_capacity() {
        let (mut none, mut cache, version) = (RowCache::beside(0), RowCache::beside(1 << 20), version());
        for _ in 0..4 {
            assert!(!read(&mut none, &version, b"key", b"value"));
            assert!(!read(&mut cache, &version, b"key", &[0; 1022]));
        }
    }
}
