//! Reads: point lookups, iterators, and the tables that both open.

mod iter;
mod look_up;
mod row_cache;
mod source;
#[cfg(feature = "comparators")]
mod stored;
mod tables;

pub use iter::DbIterator;
pub(crate) use iter::sources;
pub use look_up::LookupTrace;
pub(crate) use look_up::{get, has};
pub(crate) use row_cache::RowCache;
pub(crate) use source::Source;
pub(crate) use tables::{open_table, open_tables};
