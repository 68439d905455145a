//! Filters: whether a table can have a key at all.
//!
//! ```text
//! partial    a filter for every 2 KiB of the file
//! ```

mod partial;

pub(crate) use partial::{FilterBlock, FilterBlockBuilder};
