//! A block of entries: data blocks, index and metaindex are all of this form.
//!
//! ```text
//! entry *            varint32 shared, varint32 unshared, varint32 value length, unshared key bytes, value
//! restart u32 *      offsets of the entries with shared = 0 by design; the first is 0
//! count u32          of restarts
//! ```
//! A key is the first `shared` bytes of the key before it and the unshared bytes. The block of (`ab`, `1`), (`ac`, `2`):
//!
//! ```text
//! 00 02 01 61 62 31   01 01 01 63 32   00 00 00 00   01 00 00 00
//! ```
//! Source: LevelDB `table/block.cc`, `table/block_builder.cc`.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::base::{Input, KeyOrder, decode_fixed32};
use crate::error::Malformed;

/// Key bytes that a reverse move keeps of the entries before it. A block whose keys share long prefixes decodes to far more
/// bytes than it has.
const RUN_BYTES_MAX: usize = 256 << 10;

/// A decoded block.
///
/// Invariant: `restarts` restart offsets of four bytes stand from `entries_end` on, inside `data`.
#[derive(Debug)]
pub(crate) struct Block {
    data: Vec<u8>,
    entries_end: usize,
    restarts: usize,
}

impl Block {
    /// Checks the restart array's place; entries are checked when they are read.
    pub(crate) fn new(data: Vec<u8>) -> Result<Block, Malformed> {
        let at = data.len().saturating_sub(4);
        let Some(count) = data.get(at..).and_then(decode_fixed32) else {
            return Err(Malformed::new(0, format!("bad block contents: {} bytes, expected at least 4", data.len())));
        };
        let restarts = usize::try_from(count).unwrap_or(usize::MAX);
        let room = at / 4;
        if restarts > room {
            let end = u64::try_from(at).unwrap_or(u64::MAX);
            return Err(Malformed::new(end, format!("bad block contents: {restarts} restart points, room for {room}")));
        }
        // A block without restart points has no entries, whatever else it holds.
        let entries_end = if restarts == 0 { 0 } else { at - restarts * 4 };
        Ok(Block { data, entries_end, restarts })
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> u64 {
        u64::try_from(self.data.len()).unwrap_or(u64::MAX)
    }

    #[inline]
    fn restart(&self, index: usize) -> usize {
        let at = self.data.len() - 4 - (self.restarts - index) * 4;
        let offset = self.data.get(at..).and_then(decode_fixed32);
        offset.and_then(|o| usize::try_from(o).ok()).unwrap_or(usize::MAX)
    }

    /// The entry at `offset`, which must be before `entries_end`.
    #[inline]
    fn entry(&self, offset: usize) -> Result<Entry, Malformed> {
        let bytes = self.data.get(offset..self.entries_end).unwrap_or_default();
        let (shared, unshared, value_length, header) = match *bytes {
            [a, b, c, ..] if (a | b | c) < 0x80 => (usize::from(a), usize::from(b), usize::from(c), 3),
            _ => entry_header(bytes).map_err(|e| bad_entry(offset, &e.reason))?,
        };
        let key = offset + header;
        let left = self.entries_end.saturating_sub(key);
        match unshared.checked_add(value_length) {
            Some(length) if length <= left => {
                Ok(Entry { shared, key, value: key + unshared, end: key + length })
            }
            _ => Err(bad_entry(offset, &format!("{unshared} + {value_length} bytes expected, {left} left"))),
        }
    }

    #[inline]
    fn bytes(&self, start: usize, end: usize) -> &[u8] {
        self.data.get(start..end).unwrap_or_default()
    }
}

#[cold]
fn entry_header(bytes: &[u8]) -> Result<(usize, usize, usize, usize), Malformed> {
    let mut input = Input::new(bytes);
    let mut length = |what| input.varint32(what).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let (shared, unshared, value) = (length("shared length")?, length("unshared length")?, length("value length")?);
    Ok((shared, unshared, value, input.offset()))
}

#[cold]
fn bad_entry(offset: usize, reason: &str) -> Malformed {
    Malformed::new(u64::try_from(offset).unwrap_or(u64::MAX), format!("bad entry in block: {reason}"))
}

/// Where the parts of an entry are: the unshared key bytes at `key..value`, the value at `value..end`.
#[derive(Clone, Copy)]
struct Entry {
    shared: usize,
    key: usize,
    value: usize,
    end: usize,
}

/// An entry that a reverse move has passed on its way: its key is `keys[start..end]`.
#[derive(Clone, Copy)]
struct Passed {
    offset: usize,
    start: usize,
    end: usize,
    value: (usize, usize),
}

/// Moves over one block. All moves are complete at once.
pub(crate) struct BlockIterator {
    block: Rc<Block>,
    key: Vec<u8>,
    /// Where the value is.
    value: (usize, usize),
    /// Offset of the entry; `entries_end` if there is none.
    current: usize,
    /// Entries before the current one, up to a restart point, gathered by a reverse move.
    run: Vec<Passed>,
    run_keys: Vec<u8>,
    error: Option<Malformed>,
}

impl BlockIterator {
    pub(crate) fn new(block: Rc<Block>) -> BlockIterator {
        let current = block.entries_end;
        BlockIterator {
            block,
            key: Vec::new(),
            value: (0, 0),
            current,
            run: Vec::new(),
            run_keys: Vec::new(),
            error: None,
        }
    }

    /// Goes over to another block; stands nowhere there.
    pub(crate) fn reset(&mut self, block: Rc<Block>) {
        self.block = block;
        self.error = None;
        self.end();
    }

    #[inline]
    pub(crate) fn valid(&self) -> bool {
        self.current < self.block.entries_end
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    #[inline]
    pub(crate) fn value(&self) -> &[u8] {
        self.block.bytes(self.value.0, self.value.1)
    }

    /// The entry that could not be read; the rest of the block is lost.
    pub(crate) fn error(&self) -> Option<&Malformed> {
        self.error.as_ref()
    }

    pub(crate) fn seek_to_first(&mut self) {
        self.clear_key();
        self.read(if self.block.restarts == 0 { 0 } else { self.block.restart(0) });
    }

    pub(crate) fn seek_to_last(&mut self) {
        self.key.clear();
        self.run.clear();
        self.before(self.block.entries_end);
    }

    #[inline]
    pub(crate) fn next(&mut self) {
        if self.valid() {
            if !self.run.is_empty() {
                self.run.clear();
            }
            self.read(self.value.1);
        }
    }

    #[inline]
    pub(crate) fn prev(&mut self) {
        if !self.valid() {
            return;
        }
        match self.run.pop() {
            Some(passed) => self.stand_on(passed),
            None => self.before(self.current),
        }
    }

    /// To the first entry at or after `target`.
    pub(crate) fn seek(&mut self, target: &[u8], order: &KeyOrder) {
        // The last restart point with a key before the target.
        let (mut left, mut right) = (0, self.block.restarts.saturating_sub(1));
        while left < right {
            let middle = (left + right).div_ceil(2);
            let offset = self.block.restart(middle);
            match self.block.entry(offset) {
                Ok(entry) if entry.shared == 0 => {
                    if order.compare(self.block.bytes(entry.key, entry.value), target) == Ordering::Less {
                        left = middle;
                    } else {
                        right = middle - 1;
                    }
                }
                Ok(_) => return self.fail(bad_entry(offset, "a restart point shares bytes of the key before it")),
                Err(malformed) => return self.fail(malformed),
            }
        }
        self.clear_key();
        let mut offset = if self.block.restarts == 0 { 0 } else { self.block.restart(left) };
        loop {
            self.read(offset);
            if !self.valid() || order.compare(&self.key, target) != Ordering::Less {
                return;
            }
            offset = self.value.1;
        }
    }

    /// The next entry read is at a restart point.
    fn clear_key(&mut self) {
        self.key.clear();
        self.run.clear();
    }

    /// Reads the entry at `offset`; the key before it is in `key`.
    #[inline]
    fn read(&mut self, offset: usize) {
        if offset >= self.block.entries_end {
            return self.end();
        }
        match self.block.entry(offset) {
            Ok(entry) if entry.shared <= self.key.len() => {
                self.key.truncate(entry.shared);
                self.key.extend_from_slice(self.block.bytes(entry.key, entry.value));
                self.value = (entry.value, entry.end);
                self.current = offset;
            }
            Ok(entry) => {
                let reason = format!("{} bytes shared with a key of {}", entry.shared, self.key.len());
                self.fail(bad_entry(offset, &reason));
            }
            Err(malformed) => self.fail(malformed),
        }
    }

    /// Stands on the last entry before `limit`, and keeps those between it and the restart point before.
    fn before(&mut self, limit: usize) {
        self.run.clear();
        self.run_keys.clear();
        let Some(start) = self.restart_before(limit) else { return self.end() };
        self.key.clear();
        let mut offset = start;
        let mut last = None;
        while offset < limit {
            self.read(offset);
            if !self.valid() {
                return;
            }
            if let Some(passed) = last.take() {
                self.keep(passed);
            }
            let from = self.run_keys.len();
            self.run_keys.extend_from_slice(&self.key);
            last = Some(Passed { offset, start: from, end: self.run_keys.len(), value: self.value });
            offset = self.value.1;
        }
        if last.is_none() {
            self.end();
        }
    }

    /// Keeps an entry for the moves to come. Too many key bytes: forgets those so far, they will be read again.
    fn keep(&mut self, mut passed: Passed) {
        if self.run_keys.len() > RUN_BYTES_MAX {
            self.run.clear();
            self.run_keys.drain(..passed.start);
            passed.end -= passed.start;
            passed.start = 0;
        }
        self.run.push(passed);
    }

    fn stand_on(&mut self, passed: Passed) {
        self.key.clear();
        self.key.extend_from_slice(self.run_keys.get(passed.start..passed.end).unwrap_or_default());
        self.value = passed.value;
        self.current = passed.offset;
    }

    /// The last restart point before `limit`.
    fn restart_before(&self, limit: usize) -> Option<usize> {
        let (mut low, mut high) = (0, self.block.restarts);
        while low < high {
            let middle = (low + high) / 2;
            if self.block.restart(middle) < limit {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // Offsets that do not increase may lead the search astray; what it found still is before the limit.
        low.checked_sub(1).map(|index| self.block.restart(index)).filter(|offset| *offset < limit)
    }

    #[cold]
    fn fail(&mut self, malformed: Malformed) {
        self.end();
        self.error.get_or_insert(malformed);
    }

    fn end(&mut self) {
        self.current = self.block.entries_end;
        self.value = (0, 0);
        self.key.clear();
        self.run.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::block_builder::BlockBuilder;
    use super::*;

    fn build(entries: &[(Vec<u8>, Vec<u8>)], restart_interval: usize) -> Rc<Block> {
        let mut builder = BlockBuilder::new(restart_interval);
        for (key, value) in entries {
            builder.add(key, value).unwrap();
        }
        Rc::new(Block::new(builder.finish().to_vec()).unwrap())
    }

    #[test]
    fn the_worked_example() {
        let mut builder = BlockBuilder::new(16);
        builder.add(b"ab", b"1").unwrap();
        builder.add(b"ac", b"2").unwrap();
        let expected = b"\x00\x02\x01ab1\x01\x01\x01c2\0\0\0\0\x01\0\0\0";
        assert_eq!(builder.finish(), expected);
    }

    #[test]
    fn every_move_agrees_with_a_sorted_list() {
        let entries: Vec<_> = (0..200u32).map(|i| (format!("key{:05}", i * 3).into_bytes(), vec![b'v'; (i % 7) as usize])).collect();
        for interval in [1, 2, 16, 1000] {
            let mut it = BlockIterator::new(build(&entries, interval));
            it.seek_to_first();
            for entry in &entries {
                assert!(it.valid());
                assert_eq!((it.key(), it.value()), (&entry.0[..], &entry.1[..]));
                it.next();
            }
            assert!(!it.valid());
            it.seek_to_last();
            for (i, entry) in entries.iter().enumerate().rev() {
                assert_eq!((it.key(), it.value()), (&entry.0[..], &entry.1[..]));
                if i % 5 == 0 && i + 1 < entries.len() {
                    it.next();
                    assert_eq!(it.key(), entries[i + 1].0);
                    it.prev();
                    assert_eq!(it.key(), entry.0);
                }
                it.prev();
            }
            assert!(!it.valid());
            for target in 0..610u32 {
                it.seek(format!("key{target:05}").as_bytes(), &KeyOrder::BYTEWISE);
                let expected = entries.get(target.div_ceil(3) as usize);
                assert_eq!(it.valid().then(|| it.key().to_vec()), expected.map(|e| e.0.clone()));
            }
        }
    }

    #[test]
    fn long_shared_prefixes_do_not_fill_the_memory_of_a_reverse_scan() {
        let entries: Vec<_> = (0..300u32).map(|i| ([vec![b'p'; 10_000], i.to_be_bytes().to_vec()].concat(), vec![])).collect();
        let mut it = BlockIterator::new(build(&entries, 1000));
        it.seek_to_last();
        for entry in entries.iter().rev() {
            assert_eq!(it.key(), entry.0);
            assert!(it.run_keys.len() <= 2 * RUN_BYTES_MAX);
            it.prev();
        }
        assert!(!it.valid());
    }

    #[test]
    fn damaged_blocks_are_refused_or_end_early_and_never_loop() {
        let entries: Vec<_> = (0..40u32).map(|i| (format!("k{i:04}").into_bytes(), b"value".to_vec())).collect();
        let sound = build(&entries, 4).data.clone();
        for at in 0..sound.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = sound.clone();
                damaged[at] ^= flip;
                let Ok(block) = Block::new(damaged) else { continue };
                let mut it = BlockIterator::new(Rc::new(block));
                let mut moves = 0;
                it.seek_to_first();
                while it.valid() && moves < 1000 {
                    moves += 1;
                    it.next();
                }
                it.seek_to_last();
                while it.valid() && moves < 2000 {
                    moves += 1;
                    it.prev();
                }
                it.seek(b"k0020", &KeyOrder::BYTEWISE);
                assert!(moves < 1000);
            }
        }
    }

    #[test]
    fn restart_counts_that_do_not_fit_are_refused() {
        assert!(Block::new(vec![]).is_err());
        assert!(Block::new(vec![0, 0, 0]).is_err());
        assert!(Block::new(vec![2, 0, 0, 0, 2, 0, 0, 0]).is_err());
        let empty = Block::new(vec![9, 9, 9, 9, 0, 0, 0, 0]).unwrap();
        let mut it = BlockIterator::new(Rc::new(empty));
        it.seek_to_first();
        assert!(!it.valid() && it.error().is_none());
    }
}
