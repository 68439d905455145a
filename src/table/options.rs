//! How tables are made, opened and read.

use std::rc::Rc;

use super::policy::DamagePolicy;
use crate::base::{FilterPolicy, KeyOrder, to_u64};
use crate::options::{Compression, Options};

/// How tables are made and opened.
#[derive(Clone)]
pub(crate) struct TableOptions {
    /// Of the keys.
    pub(crate) order: KeyOrder,
    /// A data block is closed when it has so many bytes before compression.
    pub(crate) block_size: usize,
    /// Every how many entries a key is stored whole.
    pub(crate) block_restart_interval: usize,
    pub(crate) compression: Compression,
    /// Filters are made by it, and read if made by one of its name.
    pub(crate) filter_policy: Option<Rc<dyn FilterPolicy>>,
    /// A block that decompresses to more bytes is not read.
    pub(crate) block_size_max: u64,
    /// The checks made when a table is opened.
    pub(crate) policy: DamagePolicy,
}

impl TableOptions {
    /// Options for tables in `order`, with filters made by `filter_policy`; the rest comes from `options`.
    pub(crate) fn new(order: KeyOrder, filter_policy: Option<Rc<dyn FilterPolicy>>, options: &Options) -> TableOptions {
        let value_max = to_u64(options.max_value_size);
        TableOptions {
            order,
            block_size: options.block_size,
            block_restart_interval: options.block_restart_interval,
            compression: options.compression,
            filter_policy,
            block_size_max: value_max.saturating_mul(2).saturating_add(64 << 20),
            policy: DamagePolicy::new(options),
        }
    }
}

/// How the blocks of one read are got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRead {
    /// The checks made on every block, and the effect of damage.
    pub(crate) policy: DamagePolicy,
    /// Keep what is read in the cache.
    pub(crate) fill_cache: bool,
    /// Keep the first blocks behind a seek.
    pub(crate) fill_sought: bool,
    /// Look in the cache at all.
    pub(crate) use_cache: bool,
    /// Bytes to read at once when blocks are passed in file order; 0 reads one block.
    pub(crate) read_ahead: u32,
}

/// What a look-up did in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The key is behind the last.
    PastEnd,
    /// The filter says that the block at `offset` does not have the key.
    FilterNo {
        /// Of the block in the file.
        offset: u64,
    },
    /// The block at `offset` was searched.
    Block {
        /// Of the block in the file.
        offset: u64,
        /// It was in the cache.
        cached: bool,
    },
}
