//! One sorted table file. Keys are opaque bytes here, in the order that the options give.
//!
//! ```text
//! data block*       entries in key order, each block about block_size bytes before compression     block.rs
//! [filter block]    one filter for every 2 KiB of the above                                         filter_block.rs
//! metaindex block   "filter." + the policy's name -> handle of the filter block                     block.rs
//! index block       a key at or after the last of each data block, before the next -> its handle    block.rs
//! footer            handles of metaindex and index, magic; 48 bytes                                 footer.rs
//! ```
//! Every block is followed by its type and checksum (`compression.rs`). A table of one entry, whose key is `only` and a tag
//! and whose value is `one`, in bytewise order, without compression and filter:
//!
//! ```text
//!   0  00 0c 03 | 6f 6e 6c 79 01 01 00 00 00 00 00 00 | 6f 6e 65 | 00 00 00 00 | 01 00 00 00      the entry
//!  26  00 | 9c 69 aa 96                                                                          the block's trailer
//!  31  00 00 00 00 | 01 00 00 00 | 00 | c0 f2 a1 b0                                              metaindex: empty
//!  44  00 01 02 | 70 | 00 1a | 00 00 00 00 | 01 00 00 00 | 00 | 74 7d 43 f8                      index: up to "p"
//!  63  1f 08 | 2c 0e | 00 * 36 | 57 fb 80 8b 24 75 47 db                                         footer
//! ```
//! RocksDB's tables share blocks, handles and trailers, with another footer and magic number: only `footer.rs` and
//! `reader.rs` know LevelDB's.

mod block;
mod block_builder;
mod block_cache;
mod builder;
mod cache;
mod compression;
mod file;
mod filter_block;
mod finder;
mod footer;
mod iter;
mod output;
mod reader;
mod sealing;
#[cfg(test)]
mod testing;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

use std::rc::Rc;

#[cfg(feature = "fuzzing")]
pub(crate) use block::BlockIterator;
pub(crate) use block::{Block, Entry, Origin};
pub(crate) use block_cache::BlockCache;
pub(crate) use builder::TableBuilder;
pub(crate) use cache::{TableCache, Watch};
pub(crate) use compression::{DecodeError, TRAILER_SIZE, codec_name, decompress, is_raw, open_trailer};
pub use file::{TableFile, TableFileIterator};
pub(crate) use filter_block::FilterBlock;
pub(crate) use footer::{BlockHandle, FOOTER_SIZE, Footer, MAGIC};
pub(crate) use iter::TableIterator;
pub(crate) use output::{FinishedTable, TableOutput, UnprovenTable};
pub(crate) use reader::Table;

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
