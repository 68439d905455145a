//! Reads a table without trusting its footer and index.
//!
//! ```text
//! search      blocks with a right checksum; a larger one replaces those inside it        search.rs
//! classify    data, index, or neither: by the layout of all entries, keys and values   classify.rs
//! index       if one lists most of the data blocks, only what it lists is used             run.rs
//! no index    not used: blocks in a value of a damaged block, or with keys out of order    runs.rs
//! count       how many entries are in the blocks that are lost                            count.rs
//! ```
//! A value may contain a copy of another table. Its blocks are sound, but their keys are not the
//! database's: a block that seems to be in such a copy is not used.
//!
//! The time is linear in the size of the file: the search is, each block is decoded a fixed number
//! of times, and the work spent on false hits is limited.

mod classify;
mod count;
mod doubtful;
mod entries;
mod run;
mod runs;
mod search;
mod source;

pub(crate) use entries::each_entry;
pub(crate) use run::Salvaged;
pub use source::EntryCount;
pub(crate) use source::{LostBlock, Salvage};
