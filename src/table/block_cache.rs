//! A cache of decoded blocks by table and offset, limited by their bytes.

use std::cell::RefCell;
use std::rc::Rc;

use super::block::Block;
use super::handle::BlockHandle;
use crate::base::{WeightedLru, to_u64};

/// Memory of a cached block besides its contents.
const OVERHEAD: u64 = 64;

/// Buffers kept for reuse, and the size limit of one.
const BUFFERS_MAX: usize = 4;
const BUFFER_SIZE_MAX: usize = 256 << 10;

/// The most recently used blocks of all tables.
pub(crate) struct BlockCache {
    blocks: RefCell<WeightedLru<(u64, u64), Rc<Block>>>,
    /// Free buffers: allocating one of this size takes as long as decoding part of a block.
    buffers: RefCell<Vec<Vec<u8>>>,
}

impl BlockCache {
    /// A cache of at most `capacity` logical bytes; 0 disables it.
    pub(crate) fn new(capacity: u64) -> BlockCache {
        BlockCache { blocks: RefCell::new(WeightedLru::new(capacity)), buffers: RefCell::default() }
    }

    /// The block of `handle` in the table with `cache_id`.
    ///
    /// With `verified`, only if its checksum was verified.
    #[inline]
    pub(crate) fn get(&self, cache_id: u64, handle: BlockHandle, verified: bool) -> Option<Rc<Block>> {
        let block = self.blocks.borrow_mut().get(&(cache_id, handle.offset))?;
        (block.origin().size == handle.size && (block.origin().verified || !verified)).then_some(block)
    }

    /// Inserts `block`.
    pub(crate) fn insert(&self, cache_id: u64, block: Rc<Block>) {
        let weight = to_u64(block.len()).saturating_add(OVERHEAD);
        let evicted = self.blocks.borrow_mut().insert((cache_id, block.origin().offset), block, weight);
        if let Some(block) = evicted.and_then(Rc::into_inner) {
            self.give_back(block.into_bytes());
        }
    }

    /// A buffer with any content, for a block of `size` stored bytes.
    ///
    /// Much larger ones are not returned, since the block would keep their memory.
    pub(crate) fn buffer(&self, size: usize) -> Vec<u8> {
        let mut buffers = self.buffers.borrow_mut();
        let fits = buffers.iter().rposition(|b| b.capacity() / 4 <= size);
        fits.map(|at| buffers.swap_remove(at)).unwrap_or_default()
    }

    /// Keeps a buffer for reuse, if there are few and it is not large.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS_MAX && (1..=BUFFER_SIZE_MAX).contains(&buffer.capacity()) {
            buffers.push(buffer);
        }
    }

    /// Logical bytes in use.
    pub(crate) fn weight(&self) -> u64 {
        self.blocks.borrow().weight()
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::Origin;
    use super::*;

    fn block(offset: u64, size: usize, verified: bool) -> Rc<Block> {
        let origin = Origin { offset, size: 8, raw: true, verified };
        Rc::new(Block::new(vec![0; size], origin, true).unwrap())
    }

    #[test]
    fn a_block_is_found_by_table_and_handle() {
        let cache = BlockCache::new(1 << 10);
        let handle = BlockHandle { offset: 7, size: 8 };
        cache.insert(1, block(7, 100, true));
        cache.insert(2, block(7, 100, true));
        assert!(cache.get(1, handle, true).is_some());
        assert!(cache.get(1, BlockHandle { size: 9, ..handle }, true).is_none());
        assert!(cache.get(1, BlockHandle { offset: 8, ..handle }, true).is_none());
        assert_eq!(cache.weight(), 328);
    }

    #[test]
    fn a_verifying_read_ignores_an_unverified_block() {
        let cache = BlockCache::new(1 << 10);
        let handle = BlockHandle { offset: 0, size: 8 };
        cache.insert(1, block(0, 8, false));
        assert!(cache.get(1, handle, true).is_none() && cache.get(1, handle, false).is_some());
    }

    #[test]
    fn a_cache_without_capacity_keeps_no_blocks() {
        let cache = BlockCache::new(0);
        cache.insert(1, block(0, 8, true));
        assert_eq!(cache.weight(), 0);
    }
}
