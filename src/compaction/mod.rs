//! Leveled compaction: merges tables of one level into the level below.
//!
//! ```text
//! level n      [ inputs 0 ]                    chosen by the picker
//! level n + 1  [ inputs 1: all they overlap ]
//! level n + 2  [ grandparents ]                outputs are cut so that each overlaps few of them
//! ```
//! Source: LevelDB `doc/impl.md`, `db/version_set.cc`, `db/db_impl.cc`.

mod picker;
mod plan;
mod run;

pub(crate) use picker::{Pick, level_score, pick, pick_range, pick_rewrite};
pub(crate) use plan::Compaction;
pub(crate) use run::{CompactionContext, run};
