//! One table file, from its footer to the last data block.
//!
//! ```text
//! footer -> metaindex -> index -> filter and other meta blocks -> data blocks in index order
//!        -> gaps between them, searched for unreferenced blocks -> the whole table
//! ```
//! Damage is reported and the next part is tried: without an index, all blocks are found by the
//! search.

mod blocks;
mod ends;
mod inspector;
mod map;
mod strays;

pub use inspector::{Depth, TableInspector};
pub(super) use strays::has_keys;
