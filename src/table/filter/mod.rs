//! Filters: they tell that a table does not contain a key.
//!
//! ```text
//! partial    a filter for every 2 KiB of the file
//! ```

mod partial;

pub(crate) use partial::{FilterBlock, FilterBlockBuilder};
