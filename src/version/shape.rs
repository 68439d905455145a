//! How many levels there are, and when one has too many tables.

/// Levels of every database.
pub const LEVELS: usize = 7;

/// Tables in level 0 at which it is compacted.
pub const LEVEL0_COMPACTION: usize = 4;
/// Tables in level 0 at which writers are slowed down.
pub const LEVEL0_SLOWDOWN: usize = 8;
/// Tables in level 0 at which writers stop.
pub const LEVEL0_STOP: usize = 12;
/// The deepest level that a flush may put its table in.
pub const FLUSH_LEVEL_MAX: usize = 2;

/// Bytes of tables two levels down that one output table may overlap.
pub(crate) fn grandparent_overlap_max(max_file_size: u64) -> u64 {
    max_file_size.saturating_mul(10)
}
