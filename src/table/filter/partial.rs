//! The filter block: one filter per 2 KiB of the file.
//!
//! ```text
//! filter block = filter*  offset (u32) * n  start of the offsets (u32)  base_lg (u8, 11)
//! ```
//! Filter `i` covers the keys of the data blocks that begin in `i << base_lg .. (i + 1) <<
//! base_lg`; it lies between `offset[i]` and the next offset. If no block begins there, the filter
//! is empty and matches nothing. For example, with a policy whose filter is the concatenated keys,
//! with `a` and `b` in a block at 0 and `c` in one at 5000:
//!
//! ```text
//! 61 62 | 63 | 00 00 00 00 | 02 00 00 00 | 02 00 00 00 | 03 00 00 00 | 0b
//! ```
//! Source: LevelDB `table/filter_block.cc`.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::base::{FilterPolicy, decode_fixed32, put_fixed32, to_u64};
use crate::error::Malformed;

/// One filter for `1 << BASE_LG` bytes of file.
const BASE_LG: u8 = 11;

/// Collects keys and builds filters of them.
pub(crate) struct FilterBlockBuilder {
    policy: Rc<dyn FilterPolicy>,
    /// Keys, concatenated, and the end of each.
    ///
    /// The first `taken` of them, up to `start`, are in filters already.
    keys: Vec<u8>,
    ends: Vec<usize>,
    taken: usize,
    start: usize,
    /// The number of keys of each block whose offset is not known yet, in order.
    placed: usize,
    closed: VecDeque<usize>,
    block: Vec<u8>,
    offsets: Vec<u32>,
}

impl FilterBlockBuilder {
    pub(crate) fn new(policy: Rc<dyn FilterPolicy>) -> FilterBlockBuilder {
        let (keys, block) = (Vec::new(), Vec::new());
        let closed = VecDeque::new();
        let ends = Vec::new();
        FilterBlockBuilder { policy, keys, ends, taken: 0, start: 0, placed: 0, closed, block, offsets: Vec::new() }
    }

    /// The name of the block in the metaindex.
    pub(crate) fn metaindex_key(policy: &dyn FilterPolicy) -> Vec<u8> {
        [b"filter.", policy.name().as_bytes()].concat()
    }

    /// Adds a key of the current block.
    #[inline]
    pub(crate) fn add_key(&mut self, key: &[u8]) {
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
    }

    /// Ends the current block. Its offset need not be known yet.
    pub(crate) fn close_block(&mut self) {
        self.closed.push_back(self.ends.len());
    }

    /// The first closed block without an offset ends, and the next one begins, at `offset` of the
    /// file.
    pub(crate) fn next_block(&mut self, offset: u64) -> Result<(), Malformed> {
        self.placed = self.closed.pop_front().unwrap_or(self.placed);
        let index = usize::try_from(offset >> BASE_LG).unwrap_or(usize::MAX);
        while self.offsets.len() < index {
            self.make_filter()?;
        }
        Ok(())
    }

    /// The complete filter block.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Malformed> {
        self.placed = self.ends.len();
        if self.placed > self.taken {
            self.make_filter()?;
        }
        let array = self.end()?;
        for offset in &self.offsets {
            put_fixed32(&mut self.block, *offset);
        }
        put_fixed32(&mut self.block, array);
        self.block.push(BASE_LG);
        Ok(self.block)
    }

    fn make_filter(&mut self) -> Result<(), Malformed> {
        let start = self.end()?;
        self.offsets.push(start);
        let ends = self.ends.get(self.taken..self.placed).unwrap_or_default();
        if !ends.is_empty() {
            let mut begin = self.start;
            let mut keys: Vec<&[u8]> = Vec::with_capacity(ends.len());
            for end in ends {
                keys.push(self.keys.get(begin..*end).unwrap_or_default());
                begin = *end;
            }
            self.policy.create_filter(&keys, &mut self.block);
            (self.taken, self.start) = (self.placed, begin);
            self.forget();
        }
        Ok(())
    }

    /// Drops the keys that are in filters once they outnumber the others.
    ///
    /// On average, each key is moved at most once.
    fn forget(&mut self) {
        let (count, size) = (self.taken, self.start);
        if count * 2 < self.ends.len() {
            return;
        }
        self.keys.drain(..size);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end = end.saturating_sub(size));
        self.closed.iter_mut().for_each(|end| *end = end.saturating_sub(count));
        (self.taken, self.start, self.placed) = (0, 0, self.placed.saturating_sub(count));
    }

    fn end(&self) -> Result<u32, Malformed> {
        u32::try_from(self.block.len())
            .map_err(|_| Malformed::new(0, format!("filters have {} bytes, at most {}", self.block.len(), u32::MAX)))
    }
}

/// Tells whether a block may contain a key.
pub(crate) struct FilterBlock {
    policy: Rc<dyn FilterPolicy>,
    bytes: Vec<u8>,
    /// The start of the offsets.
    array: usize,
    count: u64,
    base_lg: u8,
}

impl FilterBlock {
    /// Wraps the contents, which must have been made by `policy`.
    pub(crate) fn new(policy: Rc<dyn FilterPolicy>, bytes: Vec<u8>) -> Result<FilterBlock, Malformed> {
        let short = || Malformed::new(0, format!("filter block has {} bytes, expected at least 5", bytes.len()));
        let (rest, base_lg) = bytes.split_last().map(|(lg, rest)| (rest, *lg)).ok_or_else(short)?;
        let (rest, array) = rest.split_last_chunk::<4>().ok_or_else(short)?;
        let array = u32::from_le_bytes(*array);
        let offsets = usize::try_from(array).ok().and_then(|start| Some((start, rest.len().checked_sub(start)?)));
        let Some((start, size)) = offsets else {
            let reason = format!("filter offsets begin at {array}, the filter block ends at {}", rest.len());
            return Err(Malformed::new(to_u64(rest.len()), reason));
        };
        let count = to_u64(size / 4);
        Ok(FilterBlock { policy, bytes, array: start, count, base_lg })
    }

    /// Memory in use, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// False only if `key` is certainly not in the data block at `block_offset`.
    ///
    /// Damage counts as "may contain".
    #[inline]
    pub(crate) fn key_may_match(&self, block_offset: u64, key: &[u8]) -> bool {
        let index = self.slot(block_offset);
        if index >= self.count {
            return true;
        }
        let Some((start, limit)) = self.range(index) else { return true };
        match self.bytes.get(start..limit) {
            Some(filter) if limit <= self.array => self.policy.key_may_match(key, filter),
            _ => start != limit,
        }
    }

    /// The number of the filter for the data block at `block_offset`; there may be none.
    #[inline]
    pub(crate) fn slot(&self, block_offset: u64) -> u64 {
        block_offset.checked_shr(u32::from(self.base_lg)).unwrap_or(0)
    }

    /// The number of filters.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The base-2 logarithm of the bytes of file that each filter covers.
    pub(crate) fn base_lg(&self) -> u8 {
        self.base_lg
    }

    /// Where filter `index` begins and ends, as stored.
    pub(crate) fn place(&self, index: u64) -> Option<(usize, usize)> {
        self.range(index)
    }

    /// Filter `index`; `None` if its offsets are invalid.
    pub(crate) fn filter(&self, index: u64) -> Option<&[u8]> {
        let (start, limit) = self.range(index)?;
        if limit <= self.array { self.bytes.get(start..limit) } else { None }
    }

    /// The start and end of filter `index`.
    ///
    /// The word after the last offset is the start of the offsets.
    #[inline]
    fn range(&self, index: u64) -> Option<(usize, usize)> {
        let at = usize::try_from(index).ok()?.checked_mul(4)?.checked_add(self.array)?;
        let words = self.bytes.get(at..)?;
        let start = decode_fixed32(words)?;
        let limit = decode_fixed32(words.get(4..)?)?;
        Some((usize::try_from(start).ok()?, usize::try_from(limit).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::BloomFilterPolicy;

    /// Keys of one byte; the filter is the concatenated keys.
    struct Verbatim;

    impl FilterPolicy for Verbatim {
        fn name(&self) -> &str {
            "Verbatim"
        }
        fn create_filter(&self, keys: &[&[u8]], out: &mut Vec<u8>) {
            out.extend(keys.concat());
        }
        fn key_may_match(&self, key: &[u8], filter: &[u8]) -> bool {
            key.iter().all(|k| filter.contains(k))
        }
    }

    fn example() -> Vec<u8> {
        let mut builder = FilterBlockBuilder::new(Rc::new(Verbatim));
        builder.add_key(b"a");
        builder.add_key(b"b");
        builder.close_block();
        builder.add_key(b"c");
        builder.next_block(5000).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn filter_block_matches_the_worked_example() {
        let expected = b"abc\x00\0\0\0\x02\0\0\0\x02\0\0\0\x03\0\0\0\x0b";
        assert_eq!(example(), expected);
        let filter = FilterBlock::new(Rc::new(Verbatim), example()).unwrap();
        assert!(filter.key_may_match(0, b"a") && filter.key_may_match(2047, b"b"));
        assert!(!filter.key_may_match(0, b"c"));
        assert!(!filter.key_may_match(2048, b"a"), "no block begins there");
        assert!(filter.key_may_match(5000, b"c") && !filter.key_may_match(5000, b"a"));
        assert!(filter.key_may_match(6144, b"z"), "past the last filter");
    }

    #[test]
    fn a_builder_without_keys_makes_an_empty_block() {
        let builder = FilterBlockBuilder::new(Rc::new(Verbatim));
        let block = builder.finish().unwrap();
        assert_eq!(block, [0, 0, 0, 0, 11]);
        assert!(FilterBlock::new(Rc::new(Verbatim), block).unwrap().key_may_match(0, b"a"));
    }

    #[test]
    fn each_block_finds_its_own_bloom_filter() {
        let policy = Rc::new(BloomFilterPolicy::new(10));
        let mut builder = FilterBlockBuilder::new(policy.clone());
        for block in 0u64..100 {
            (0..20).for_each(|key| builder.add_key(format!("{block}/{key}").as_bytes()));
            builder.close_block();
            // The offsets of ten blocks become known together.
            if block % 10 == 9 {
                (block - 9..=block).for_each(|placed| builder.next_block((placed + 1) * 1500).unwrap());
            }
        }
        let filter = FilterBlock::new(policy, builder.finish().unwrap()).unwrap();
        let mut strangers = 0;
        for block in 0u64..100 {
            for key in 0..20 {
                assert!(filter.key_may_match(block * 1500, format!("{block}/{key}").as_bytes()));
                strangers += u32::from(filter.key_may_match(block * 1500, format!("{block}/{key}x").as_bytes()));
            }
        }
        assert!(strangers < 100, "{strangers}");
    }

    #[test]
    fn a_damaged_filter_block_is_refused_or_matches_everything() {
        for short in 0..5 {
            assert!(FilterBlock::new(Rc::new(Verbatim), vec![0; short]).is_err());
        }
        let mut past_the_end = example();
        past_the_end[15] = 16;
        let error = FilterBlock::new(Rc::new(Verbatim), past_the_end).map(|_| ()).unwrap_err();
        assert_eq!(error.reason, "filter offsets begin at 16, the filter block ends at 15");
        for at in 0..example().len() {
            for value in [0, 1, 2, 17, 64, 255] {
                let mut damaged = example();
                damaged[at] = value;
                if let Ok(filter) = FilterBlock::new(Rc::new(Verbatim), damaged) {
                    for offset in [0, 4096, u64::MAX] {
                        let _ = filter.key_may_match(offset, b"a");
                    }
                }
            }
        }
    }
}
