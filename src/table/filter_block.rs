//! One filter per 2 KiB of file.
//!
//! ```text
//! filter *             one for each 2 KiB of file in which data blocks begin; empty for the others
//! offset u32 *         where each filter begins
//! offsets begin u32    end of the last filter, too
//! base lg u8           11: 2^11 = 2 KiB
//! ```
//! The filter block of a table whose only data block, at 0, was given no keys: `00 00 00 00 0b` (no filter at all).
//! Source: LevelDB `table/filter_block.cc`.

use std::rc::Rc;

use crate::base::{FilterPolicy, decode_fixed32, put_fixed32};

const BASE_LG: u8 = 11;
const BASE: u64 = 1 << BASE_LG;

/// Gathers keys and makes the filters.
pub(crate) struct FilterBlockBuilder {
    policy: Rc<dyn FilterPolicy>,
    keys: Vec<u8>,
    ends: Vec<usize>,
    result: Vec<u8>,
    offsets: Vec<u32>,
}

impl FilterBlockBuilder {
    pub(crate) fn new(policy: Rc<dyn FilterPolicy>) -> FilterBlockBuilder {
        FilterBlockBuilder { policy, keys: Vec::new(), ends: Vec::new(), result: Vec::new(), offsets: Vec::new() }
    }

    /// The next data block begins at `offset`.
    pub(crate) fn start_block(&mut self, offset: u64) {
        let index = offset / BASE;
        while index > u64::try_from(self.offsets.len()).unwrap_or(u64::MAX) {
            self.generate();
        }
    }

    #[inline]
    pub(crate) fn add_key(&mut self, key: &[u8]) {
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        if !self.ends.is_empty() {
            self.generate();
        }
        let offsets_begin = u32::try_from(self.result.len()).unwrap_or(u32::MAX);
        for offset in &self.offsets {
            put_fixed32(&mut self.result, *offset);
        }
        put_fixed32(&mut self.result, offsets_begin);
        self.result.push(BASE_LG);
        self.result
    }

    fn generate(&mut self) {
        self.offsets.push(u32::try_from(self.result.len()).unwrap_or(u32::MAX));
        if self.ends.is_empty() {
            return;
        }
        let mut start = 0;
        let keys: Vec<&[u8]> = self
            .ends
            .iter()
            .map(|end| self.keys.get(std::mem::replace(&mut start, *end)..*end).unwrap_or_default())
            .collect();
        self.policy.create_filter(&keys, &mut self.result);
        self.keys.clear();
        self.ends.clear();
    }
}

/// Asks the filters.
pub(crate) struct FilterBlock {
    policy: Rc<dyn FilterPolicy>,
    data: Vec<u8>,
    offsets_begin: usize,
    count: usize,
    base_lg: u8,
}

impl FilterBlock {
    /// `None` if `data` is no filter block: everything matches then.
    pub(crate) fn new(policy: Rc<dyn FilterPolicy>, data: Vec<u8>) -> Option<FilterBlock> {
        let (base_lg, rest) = data.split_last()?;
        let at = rest.len().checked_sub(4)?;
        let offsets_begin = usize::try_from(rest.get(at..).and_then(decode_fixed32)?).ok()?;
        let count = at.checked_sub(offsets_begin)? / 4;
        Some(FilterBlock { policy, offsets_begin, count, base_lg: *base_lg, data })
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> u64 {
        u64::try_from(self.data.len()).unwrap_or(u64::MAX)
    }

    /// Whether the data block at `block_offset` may hold `key`.
    pub(crate) fn may_match(&self, block_offset: u64, key: &[u8]) -> bool {
        let index = block_offset.checked_shr(u32::from(self.base_lg)).unwrap_or(0);
        let Some(index) = usize::try_from(index).ok().filter(|i| *i < self.count) else { return true };
        let at = self.offsets_begin + index * 4;
        // The end of the last filter is the word that follows the offsets.
        let offset = |at: usize| {
            let word = self.data.get(at..).and_then(decode_fixed32);
            word.and_then(|o| usize::try_from(o).ok()).unwrap_or(usize::MAX)
        };
        let (start, end) = (offset(at), offset(at + 4));
        if start == end {
            return false; // an empty filter has no keys
        }
        match self.data.get(start..end) {
            Some(filter) if end <= self.offsets_begin => self.policy.key_may_match(key, filter),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::BloomFilterPolicy;

    fn policy() -> Rc<dyn FilterPolicy> {
        Rc::new(BloomFilterPolicy::new(10))
    }

    #[test]
    fn the_worked_example() {
        let mut builder = FilterBlockBuilder::new(policy());
        builder.start_block(0);
        let data = builder.finish();
        assert_eq!(data, [0, 0, 0, 0, 0x0b]);
        assert!(FilterBlock::new(policy(), data).unwrap().may_match(0, b"foo"));
    }

    #[test]
    fn each_two_kibibytes_have_their_own_keys() {
        let mut builder = FilterBlockBuilder::new(policy());
        let blocks: [(u64, &[&str]); 4] = [(0, &["foo"]), (2000, &["bar"]), (3100, &["box"]), (9000, &["box", "hello"])];
        for (offset, keys) in blocks {
            builder.start_block(offset);
            keys.iter().for_each(|k| builder.add_key(k.as_bytes()));
        }
        let filters = FilterBlock::new(policy(), builder.finish()).unwrap();
        assert!(filters.may_match(0, b"foo") && filters.may_match(2000, b"bar") && !filters.may_match(0, b"box"));
        assert!(filters.may_match(3100, b"box") && !filters.may_match(3100, b"foo"));
        assert!(!filters.may_match(4100, b"foo") && !filters.may_match(4100, b"box"));
        assert!(filters.may_match(9000, b"hello") && !filters.may_match(9000, b"foo"));
        assert!(filters.may_match(1 << 40, b"foo"));
    }

    #[test]
    fn malformed_filters_match_everything_or_are_none() {
        assert!(FilterBlock::new(policy(), vec![]).is_none());
        assert!(FilterBlock::new(policy(), vec![1, 2, 3, 4]).is_none());
        assert!(FilterBlock::new(policy(), vec![9, 0, 0, 0, 11]).is_none());
        let liar = FilterBlock::new(policy(), vec![200, 0, 0, 0, 0, 0, 0, 0, 77]).unwrap();
        assert!(liar.may_match(0, b"k"));
    }
}
