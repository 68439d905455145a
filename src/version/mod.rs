//! Which tables are live: an immutable set of levels.
//!
//! ```text
//! level 0   tables of flushed memtables; their key ranges overlap; newest first
//! level n   tables with disjoint key ranges, in key order; each level is about ten times as large
//!           as the one above
//! ```

mod edit;
mod file_meta;
mod level_iter;
mod levels;
mod manifest;
mod observer;
mod set;
mod shape;

pub use edit::{EditField, NewFile, VersionEdit};
pub(crate) use file_meta::{FileMetaData, UserRange, total_size};
pub(crate) use level_iter::LevelIterator;
pub(crate) use levels::{Found, Version};
pub use manifest::stored_comparator;
pub(crate) use manifest::{Manifest, ManifestState, parse_current, read_current, recover_manifest};
pub(crate) use observer::LookupObserver;
pub use observer::TableTouched;
pub(crate) use set::{Counts, VersionSet, version_of};
pub(crate) use shape::grandparent_overlap_max;
pub use shape::{FLUSH_LEVEL_MAX, LEVEL0_COMPACTION, LEVEL0_SLOWDOWN, LEVEL0_STOP, LEVELS};
