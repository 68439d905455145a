//! The index accelerator.
//!
//! An array of key prefixes and decoded handles, to find a key's block quickly.
//!
//! The prefixes are the first bytes in which the keys differ, as numbers.
//!
//! ```text
//! index       0000000000012345 -> 0 + 4080    0000000000012999 -> 4085 + 4091    ...    1 -> 40844 + 4090
//! common      000000000001
//! heads       "2345"  "2999"  ...             eight bytes from there on, big-endian
//! handles     (0, 4080)  (4085, 4091)  ...  (40844, 4090)
//! ```
//! A search in the block decodes an entry and compares a key at each step; here a step is one
//! comparison of numbers. The block is searched only among keys with the same prefix, and for the
//! last key, which is unlike the others: it is any short key after the last block.

use std::cmp::Ordering;
use std::mem::size_of;

use crate::base::{KeyOrder, UserComparator, common_length, compare_bytes, head_at, user_key};
use crate::table::block::Block;
use crate::table::handle::BlockHandle;

/// Finds entries of one index block.
///
/// Invariant: entry `i` of the block is at its restart point `i`, has the prefix `heads[i]` if it
/// is not the last, and the handle `handles[i]`.
pub(in crate::table) struct Finder {
    common: Vec<u8>,
    heads: Vec<u64>,
    handles: Vec<BlockHandle>,
}

impl Finder {
    /// An accelerator for `block`, if it is as every writer makes it.
    ///
    /// That is: one restart point per entry, keys in increasing bytewise order, valid handles.
    pub(in crate::table) fn new(block: &Block, order: &KeyOrder) -> Option<Finder> {
        let KeyOrder::Internal(internal) = order else { return None };
        if !matches!(internal.user(), UserComparator::Bytewise) {
            return None;
        }
        let mut keys: Vec<&[u8]> = Vec::new();
        let mut handles = Vec::new();
        let mut at = 0;
        while let Some(entry) = block.entry(at) {
            let key = block.restart_key(keys.len()).filter(|_| block.restart(keys.len()) == at)?;
            if keys.last().is_some_and(|last| internal.compare(last, key) != Ordering::Less) {
                return None;
            }
            keys.push(key);
            handles.push(BlockHandle::decode_value(block.value(entry)).ok()?);
            at = entry.end;
        }
        if !block.ends(at, keys.len()) {
            return None;
        }
        keys.pop()?;
        let ends = keys.first().zip(keys.last()).map(|(first, last)| (user_key(first), user_key(last)));
        let common =
            ends.map_or(&[][..], |(first, last)| first.get(..common_length(first, last)).unwrap_or_default()).to_vec();
        let heads = keys.iter().map(|key| head_at(user_key(key), common.len())).collect();
        Some(Finder { common, heads, handles })
    }

    /// The first entry of `block` at or after `key`; the number of entries if there is none.
    #[inline]
    pub(in crate::table) fn find(&self, block: &Block, order: &KeyOrder, key: &[u8]) -> usize {
        let user_key = user_key(key);
        let start = user_key.get(..self.common.len()).unwrap_or(user_key);
        let (mut low, alike) = match compare_bytes(start, &self.common) {
            Ordering::Less => return 0,
            Ordering::Greater => (self.heads.len(), 0),
            Ordering::Equal => {
                let head = head_at(user_key, self.common.len());
                let low = self.heads.partition_point(|other| *other < head);
                (low, self.heads.get(low..).unwrap_or_default().partition_point(|other| *other == head))
            }
        };
        let mut high = low + alike;
        if high == self.heads.len() {
            high += 1;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let less = block.restart_key(middle).is_some_and(|other| order.compare(other, key) == Ordering::Less);
            if less { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The handle of entry `index`.
    #[inline]
    pub(in crate::table) fn handle(&self, index: usize) -> Option<BlockHandle> {
        self.handles.get(index).copied()
    }

    /// Memory in use, in bytes.
    pub(in crate::table) fn len(&self) -> usize {
        self.heads.len().saturating_mul(size_of::<u64>() + size_of::<BlockHandle>()).saturating_add(self.common.len())
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::base::{InternalKeyComparator, LookupKey, SequenceNumber};
    use crate::table::block::{BlockBuilder, BlockIterator, Origin};

    fn key(user: &[u8], sequence: u64) -> Vec<u8> {
        LookupKey::new(user, SequenceNumber::new(sequence).unwrap()).internal_key().to_vec()
    }

    fn index(keys: &[Vec<u8>], interval: usize) -> Rc<Block> {
        let mut builder = BlockBuilder::new(interval);
        let mut previous: &[u8] = &[];
        for (i, key) in (0u64..).zip(keys) {
            let mut value = Vec::new();
            BlockHandle { offset: i * 100, size: 95 }.encode_to(&mut value);
            builder.add(previous, key, &value).unwrap();
            previous = key;
        }
        Rc::new(Block::new(builder.finish().to_vec(), Origin::default(), false).unwrap())
    }

    #[test]
    fn it_finds_the_same_entry_as_a_search_in_the_block() {
        let order = KeyOrder::Internal(InternalKeyComparator::default());
        let users: [&[u8]; 9] =
            [b"", b"a", b"ab", b"ab\0", b"abcdefgh", b"abcdefghi", b"abcdefghij", b"abcdefghijklmnop", b"b"];
        for first in 0..users.len() {
            for last in first..users.len() {
                let mut keys: Vec<Vec<u8>> = users[first..=last].iter().map(|user| key(user, 5)).collect();
                keys.insert(1, key(users[first], 3));
                let block = index(&keys, 1);
                let finder = Finder::new(&block, &order).unwrap();
                for user in users.iter().chain(&[&b"abc"[..], b"aa", b"c", b"abcdefgh\xff"]) {
                    for sequence in [2, 3, 4, 5, 6] {
                        let target = key(user, sequence);
                        let mut search = BlockIterator::new(block.clone());
                        search.seek(&order, &target);
                        let found = finder.find(&block, &order, &target);
                        assert_eq!(keys.get(found).map(Vec::as_slice), search.valid().then(|| search.key()));
                        assert_eq!(
                            finder.handle(found),
                            search.valid().then(|| BlockHandle::decode_value(search.value()).unwrap())
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_short_last_key_does_not_make_all_prefixes_equal() {
        let order = KeyOrder::Internal(InternalKeyComparator::default());
        let keys = [&b"0000000000012345"[..], b"0000000000012999", b"0000000000013500", b"1"].map(|user| key(user, 5));
        let finder = Finder::new(&index(&keys, 1), &order).unwrap();
        assert_eq!(finder.common, b"000000000001");
        assert_eq!(finder.heads, [*b"2345\0\0\0\0", *b"2999\0\0\0\0", *b"3500\0\0\0\0"].map(u64::from_be_bytes));
    }

    #[test]
    fn an_unusual_index_block_has_no_accelerator() {
        let order = KeyOrder::Internal(InternalKeyComparator::default());
        let (a, b) = (key(b"a", 1), key(b"b", 1));
        assert!(Finder::new(&index(&[a.clone(), b.clone()], 1), &order).is_some());
        assert!(Finder::new(&index(&[a.clone(), b.clone()], 2), &order).is_none());
        assert!(Finder::new(&index(&[], 1), &order).is_none());
        assert!(Finder::new(&index(&[a, b], 1), &KeyOrder::BYTEWISE).is_none());
    }
}
