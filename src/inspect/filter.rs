//! The filters of a table, one by one: how full each is, and which bits a key asks for.
//!
//! ```text
//! row      start u32, end u32, bits set u32, probes u8, state u8, zeros to 16 bytes   little-endian
//! ```
//! `start` and `end` are those of the filter in the filter block, its last byte (the number of
//! probes) included. The state is 0, or 1 if the offsets of the filter are impossible.

use std::rc::Rc;

use super::rule::Rule;
use crate::base::{BloomFilterPolicy, FilterPolicy, KeyOrder, LookupKey, SequenceNumber, user_key};
use crate::table::{Block, BlockHandle, BlockIterator, FilterBlock, Origin};

/// Filters that are listed.
const FILTERS_MAX: u64 = 3 << 20;

/// The filters of a table.
pub struct FilterView {
    filter: FilterBlock,
    index: Option<Rc<Block>>,
    /// `None`: it is not known, so no block can be found by its keys.
    order: Option<KeyOrder>,
}

/// A bit that a key asks for, and whether it is set.
pub type Bit = (u32, bool);

impl FilterView {
    /// Opens the contents of a filter block and of the index, whose keys follow the rule; `name` is that
    /// in the metaindex.
    ///
    /// The error tells why the filters cannot be used.
    pub fn open(name: &[u8], contents: Vec<u8>, index: Vec<u8>, rule: &Rule) -> Result<FilterView, String> {
        let policy = BloomFilterPolicy::new(10);
        if name.strip_prefix(b"filter.") != Some(policy.name().as_bytes()) {
            return Err("the policy of this filter is not known".to_owned());
        }
        let filter = FilterBlock::new(Rc::new(policy), contents).map_err(|malformed| malformed.reason)?;
        let origin = Origin { raw: true, ..Origin::default() };
        let index = Block::new(index, origin, true).ok().map(Rc::new);
        Ok(FilterView { filter, index, order: order_of(rule) })
    }

    /// The base-2 logarithm of the bytes of file that each filter covers.
    pub fn base_lg(&self) -> u8 {
        self.filter.base_lg()
    }

    /// The number of filters, which may be more than rows.
    pub fn count(&self) -> u64 {
        self.filter.count()
    }

    /// A row of 16 bytes for each filter.
    pub fn rows(&self) -> Vec<u8> {
        let mut rows = Vec::new();
        for slot in 0..self.count().min(FILTERS_MAX) {
            let (start, end) = self.filter.place(slot).unwrap_or_default();
            let filter = self.filter.filter(slot);
            let (probes, array) = filter.and_then(<[u8]>::split_last).unwrap_or((&0, &[]));
            let set = array.iter().fold(0u32, |sum, byte| sum.saturating_add(byte.count_ones()));
            for value in [start, end] {
                rows.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
            }
            rows.extend(set.to_le_bytes());
            rows.extend([*probes, u8::from(filter.is_none()), 0, 0]);
        }
        rows
    }

    /// Offset and size of the only data block that can have the key, and the number of its filter;
    /// `None` if the key is after the last, or the order of keys is not known.
    pub fn locate(&self, key: &[u8]) -> Option<(u64, u64, u64)> {
        let mut index = BlockIterator::new(self.index.clone()?);
        index.seek(self.order.as_ref()?, LookupKey::new(key, SequenceNumber::MAX).internal_key());
        let handle = index.valid().then(|| BlockHandle::decode_value(index.value()).ok())??;
        Some((handle.offset, handle.size, self.filter.slot(handle.offset)))
    }

    /// Whether blocks can be found by keys.
    pub fn knows_order(&self) -> bool {
        self.order.is_some()
    }

    /// Whether the filter of a block at this offset may have the key.
    pub fn may_match(&self, offset: u64, key: &[u8]) -> bool {
        self.filter.key_may_match(offset, key)
    }

    /// The bits that the key asks for; none if the filter decides without looking at bits.
    pub fn bits(&self, slot: u64, key: &[u8]) -> Vec<Bit> {
        self.filter.filter(slot).map(|filter| BloomFilterPolicy::bits_of(key, filter)).unwrap_or_default()
    }

    /// Asks for `count` keys that were made up, each a key of the index and eight bytes more. Returns
    /// how many were asked for, and how many the filters let pass.
    pub fn measure(&self, count: u64, seed: u64) -> (u64, u64) {
        let Some(block) = self.index.clone() else { return (0, 0) };
        let (mut asked, mut passed, mut random) = (0, 0, seed);
        let mut index = BlockIterator::new(block);
        index.seek_to_first();
        let mut left = count.saturating_mul(2);
        while asked < count && left > 0 {
            left -= 1;
            if !index.valid() {
                index.seek_to_first();
            }
            if !index.valid() {
                break;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = [user_key(index.key()), &(random ^ random >> 29).to_be_bytes()].concat();
            if let Some((offset, ..)) = self.locate(&key) {
                asked += 1;
                passed += u64::from(self.may_match(offset, &key));
            }
            index.next();
        }
        (asked, passed)
    }
}

impl std::fmt::Debug for FilterView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FilterView").field("count", &self.count()).finish_non_exhaustive()
    }
}

fn order_of(rule: &Rule) -> Option<KeyOrder> {
    rule.order().map(|order| KeyOrder::Internal(order.clone()))
}

/// Whether the contents of a data block have an entry of the key; `false` if the order is not known.
pub fn block_has(contents: Vec<u8>, key: &[u8], rule: &Rule) -> bool {
    let Some(order) = rule.order() else { return false };
    let Ok(block) = Block::new(contents, Origin { raw: true, ..Origin::default() }, true) else { return false };
    let mut entries = BlockIterator::new(Rc::new(block));
    entries.seek(&KeyOrder::Internal(order.clone()), LookupKey::new(key, SequenceNumber::MAX).internal_key());
    entries.valid() && order.user().compare(user_key(entries.key()), key).is_eq()
}
