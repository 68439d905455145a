//! One table file, from its footer to the last data block.
//!
//! ```text
//! footer -> metaindex -> index -> filter and other meta blocks -> data blocks in the order of the index
//!        -> what lies between them: searched for blocks that nothing refers to -> the table as a whole
//! ```
//! Damage is reported and the next part is tried: without an index, all blocks are found by the
//! search.

mod blocks;
mod ends;
mod inspector;
mod strays;

pub use inspector::TableInspector;
