//! How tables are made, opened and read.

use std::rc::Rc;

use crate::base::{FilterPolicy, KeyOrder};
use crate::options::Compression;

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
    /// Verify index, metaindex and filter when a table is opened, and check the index block's form. Off only where
    /// LevelDB's own reading is mimicked (`compat` without `paranoid_checks`).
    pub(crate) verify_checksums: bool,
    /// A damaged metaindex or filter fails the open; otherwise the filter is passed over (LevelDB does so always).
    pub(crate) paranoid_checks: bool,
    /// As LevelDB: take the manifest's word for a table's size although the file has another, and decode whatever blocks
    /// hold as long as their checksums, where they are asked for, are right.
    pub(crate) lenient: bool,
}

/// How the blocks of one read are got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRead {
    /// Verify the checksum of every block read.
    pub(crate) verify_checksums: bool,
    /// Keep what is read in the cache.
    pub(crate) fill_cache: bool,
    /// Keep the first blocks behind a seek.
    pub(crate) fill_sought: bool,
    /// Look in the cache at all.
    pub(crate) use_cache: bool,
    /// Bytes to read at once when blocks are passed in file order; 0 reads one block.
    pub(crate) read_ahead: u32,
    /// Decode whatever is there, as LevelDB does: a block's form is not checked before it is used.
    pub(crate) lenient: bool,
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
