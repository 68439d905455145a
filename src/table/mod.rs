//! One sorted table file. Keys are opaque bytes here, ordered by the [`KeyOrder`](crate::base::KeyOrder) given.
//!
//! ```text
//! data block *     entries in key order (block.rs), each block with a trailer (compression.rs)
//! filter block     one filter per 2 KiB of data blocks (filter_block.rs); absent without a filter policy
//! metaindex block  "filter." + policy name -> handle of the filter block
//! index block      a key at or after the last of each data block, before the first of the next -> handle
//! footer           48 bytes: the handles of metaindex and index, a magic number (footer.rs)
//! ```
//! An empty table without a filter is two empty blocks and a footer: 74 bytes. Source: LevelDB `doc/table_format.md`.

mod block;
mod block_builder;
mod block_cache;
mod builder;
mod cache;
mod compression;
mod filter_block;
mod footer;
mod iter;
mod output;
mod reader;

use std::rc::Rc;

pub(crate) use block_cache::BlockCache;
pub(crate) use builder::TableBuilder;
pub(crate) use cache::TableCache;
pub(crate) use iter::TableIterator;
pub(crate) use output::{FinishedTable, TableOutput};
pub(crate) use reader::Table;
pub use reader::Lookup;

use crate::base::{FilterPolicy, KeyOrder};
use crate::options::Compression;

/// How the tables of one database are written and opened.
#[derive(Clone)]
pub(crate) struct TableOptions {
    pub(crate) order: KeyOrder,
    pub(crate) block_size: usize,
    pub(crate) block_restart_interval: usize,
    pub(crate) compression: Compression,
    pub(crate) filter_policy: Option<Rc<dyn FilterPolicy>>,
    /// No block decodes to more bytes.
    pub(crate) block_size_max: u64,
    /// Verify index, metaindex and filter when a table is opened.
    pub(crate) verify_on_open: bool,
    /// A damaged filter or metaindex is an error; otherwise the table is read without its filter.
    pub(crate) filter_must_be_sound: bool,
    /// Believe the manifest's file size, not the storage's, as LevelDB does (`compat` alone).
    pub(crate) lenient_size: bool,
}

/// How blocks are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRead {
    pub(crate) verify_checksums: bool,
    /// Put what is read into the cache.
    pub(crate) fill_cache: bool,
    /// Look into the cache first.
    pub(crate) use_cache: bool,
    /// Bytes to read at once while blocks are passed in file order; 0 reads block by block.
    pub(crate) read_ahead: u32,
    /// Answer whatever a damaged block decodes to (`compat` with verification off).
    pub(crate) lenient: bool,
}
