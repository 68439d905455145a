//! Decoded blocks by table and offset, bounded by bytes.

use std::cell::RefCell;
use std::rc::Rc;

use super::block::Block;
use crate::base::WeightedLru;

/// What a block weighs beside its bytes.
const OVERHEAD: u64 = 64;

/// The cache of decoded blocks, shared by all tables of a database.
pub(crate) struct BlockCache {
    blocks: RefCell<WeightedLru<(u64, u64), Rc<Block>>>,
}

impl BlockCache {
    pub(crate) fn new(capacity: u64) -> BlockCache {
        BlockCache { blocks: RefCell::new(WeightedLru::new(capacity)) }
    }

    #[inline]
    pub(crate) fn get(&self, table: u64, offset: u64) -> Option<Rc<Block>> {
        self.blocks.borrow_mut().get(&(table, offset))
    }

    pub(crate) fn insert(&self, table: u64, offset: u64, block: Rc<Block>) {
        let weight = block.memory().saturating_add(OVERHEAD);
        self.blocks.borrow_mut().insert((table, offset), block, weight);
    }

    /// Bytes held.
    pub(crate) fn weight(&self) -> u64 {
        self.blocks.borrow().weight()
    }

    /// The table is gone.
    pub(crate) fn forget(&self, table: u64) {
        self.blocks.borrow_mut().retain(|(t, _)| *t != table);
    }
}
