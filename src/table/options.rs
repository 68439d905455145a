//! Options for making, opening and reading tables.

use std::rc::Rc;

use super::policy::DamagePolicy;
use crate::base::{FilterPolicy, KeyOrder, to_u64};
use crate::options::{Compression, Options};

/// Options for making and opening tables.
#[derive(Clone)]
pub(crate) struct TableOptions {
    /// Order of the keys.
    pub(crate) order: KeyOrder,
    /// A data block is closed at this size before compression.
    pub(crate) block_size: usize,
    /// Number of entries between keys that are stored whole.
    pub(crate) block_restart_interval: usize,
    pub(crate) compression: Compression,
    /// Makes filters; an existing filter is used if its policy has the same name.
    pub(crate) filter_policy: Option<Rc<dyn FilterPolicy>>,
    /// A block that decompresses to more bytes is refused.
    pub(crate) block_size_max: u64,
    /// The checks made when a table is opened.
    pub(crate) policy: DamagePolicy,
}

impl TableOptions {
    /// Options for tables in `order`, with filters made by `filter_policy`.
    ///
    /// The rest comes from `options`.
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

/// Options for the blocks of one read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRead {
    /// The checks made on every block, and the effect of damage.
    pub(crate) policy: DamagePolicy,
    /// Cache the blocks read.
    pub(crate) fill_cache: bool,
    /// Cache the first blocks read after a seek.
    pub(crate) fill_sought: bool,
    /// Use the cache.
    pub(crate) use_cache: bool,
    /// Bytes to read at once when blocks are read in file order; 0 reads single blocks.
    pub(crate) read_ahead: u32,
}

/// The result of a look-up in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The key is after the last one.
    PastEnd,
    /// The filter excludes the key from the block at `offset`.
    FilterNo {
        /// Offset of the block in the file.
        offset: u64,
    },
    /// The block at `offset` was searched.
    Block {
        /// Offset of the block in the file.
        offset: u64,
        /// The block was in the cache.
        cached: bool,
    },
}
