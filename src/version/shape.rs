//! The number of levels, and the limits on the tables in each.

/// The number of levels of every database.
pub const LEVELS: usize = 7;

/// Tables in level 0 at which it is compacted.
pub const LEVEL0_COMPACTION: usize = 4;
/// Tables in level 0 at which writers are slowed down.
pub const LEVEL0_SLOWDOWN: usize = 8;
/// Tables in level 0 at which writers stop.
pub const LEVEL0_STOP: usize = 12;
/// The deepest level for the table of a flush.
pub const FLUSH_LEVEL_MAX: usize = 2;

/// Bytes of tables two levels down that one output table may overlap.
pub(crate) fn grandparent_overlap_max(max_file_size: u64) -> u64 {
    max_file_size.saturating_mul(10)
}
