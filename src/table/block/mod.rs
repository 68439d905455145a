//! A block: sorted entries with shared prefixes, and the restart points to search them by.
//!
//! ```text
//! block = entry*  restart (u32) * count  count (u32)
//! entry = shared (varint32), unshared (varint32), value length (varint32), unshared key bytes, value
//! ```
//! A key is the first `shared` bytes of the previous key, followed by the unshared bytes.
//! `restart[i]` is the offset of an entry with `shared` = 0; `restart[0]` = 0. For example, the
//! entries `apple` = 1, `apply` = 22, `banana` = (empty), a restart point every two entries:
//!
//! ```text
//!  0  00 05 01 | 61 70 70 6c 65 | 31
//!  9  04 01 02 | 79 | 32 32
//! 15  00 06 00 | 62 61 6e 61 6e 61
//! 24  00 00 00 00 | 0f 00 00 00 | 02 00 00 00
//! ```
//! A block without entries is `00 00 00 00 | 01 00 00 00`. Source: LevelDB `table/block.cc`,
//! `table/block_builder.cc`.

mod builder;
mod iter;
mod reader;

pub(in crate::table) use builder::BlockBuilder;
pub(crate) use iter::BlockIterator;
pub(crate) use reader::{Block, Entry, Origin};
