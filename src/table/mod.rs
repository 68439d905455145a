//! One sorted table file. Keys are opaque bytes here, in the order of the options.
//!
//! ```text
//! data block*       entries in key order, each block about block_size bytes before compression     block/
//! [filter block]    one filter for every 2 KiB of the above                                         filter/
//! metaindex block   "filter." + the policy's name -> handle of the filter block                     block/
//! index block       a key at or after the last of each data block, before the next -> its handle    block/
//! footer            handles of metaindex and index, magic; 48 bytes                                 format/
//! ```
//! Every block is followed by its type and checksum (`trailer.rs`). For example, a table of one
//! entry, with the key `only` and a tag, and the value `one`, in bytewise order, without
//! compression and filter:
//!
//! ```text
//!   0  00 0c 03 | 6f 6e 6c 79 01 01 00 00 00 00 00 00 | 6f 6e 65 | 00 00 00 00 | 01 00 00 00      the entry
//!  26  00 | 9c 69 aa 96                                                                          the block's trailer
//!  31  00 00 00 00 | 01 00 00 00 | 00 | c0 f2 a1 b0                                              metaindex: empty
//!  44  00 01 02 | 70 | 00 1a | 00 00 00 00 | 01 00 00 00 | 00 | 74 7d 43 f8                      index: up to "p"
//!  63  1f 08 | 2c 0e | 00 * 36 | 57 fb 80 8b 24 75 47 db                                         footer
//! ```
//! RocksDB's tables have the same blocks, handles and trailers, but another footer, other block
//! types and other checksums: only `format/` knows LevelDB's.

mod block;
mod block_cache;
mod builder;
mod cache;
mod codec;
mod compress_ahead;
mod decode;
mod filter;
mod format;
mod handle;
mod index;
mod iter;
mod observer;
mod open;
mod options;
mod output;
mod policy;
mod reader;
mod salvage;
mod search;
#[cfg(test)]
mod testing;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod trailer;

pub(crate) use block::{Block, BlockIterator, Entry, Origin};
pub(crate) use block_cache::BlockCache;
pub(crate) use builder::TableBuilder;
pub(crate) use cache::{TableCache, Watch};
pub(crate) use codec::{Codec, DecodeError, decompress};
pub(crate) use filter::FilterBlock;
pub(crate) use format::{FOOTER_SIZE, Footer, MAGIC, checksum, codec_of, unmasked};
pub(crate) use handle::{BlockHandle, TRAILER_SIZE};
pub(crate) use iter::TableIterator;
pub(crate) use observer::{BlockObserver, FilterAnswer};
pub use options::Lookup;
pub(crate) use options::{BlockRead, TableOptions};
pub(crate) use output::{FinishedTable, TableOutput, UnprovenTable};
pub(crate) use policy::DamagePolicy;
pub(crate) use reader::Table;
pub use salvage::EntryCount;
pub(crate) use salvage::{LostBlock, Salvage, Salvaged, each_entry};
pub(crate) use search::{BlockSearch, WINDOW as SEARCH_WINDOW};
pub(crate) use trailer::open_trailer;
