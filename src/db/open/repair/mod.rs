//! Rebuilds a database from the readable parts of its files.
//!
//! ```text
//! sound, logs empty?    then nothing is changed
//! old manifest          comparator, tables that should be there          old_manifest.rs
//! every table           sound: stays; damaged: its sound entries become a new table       tables.rs
//! every log             its sound records become tables                  logs.rs
//! CURRENT goes          from here on only another repair opens the database
//! tables get a place    levels as the manifest says, or all in level 0, or merged into level 1     placement.rs
//! the rest              goes to `lost/`                                  aside.rs
//! new manifest, CURRENT; the old manifests go to `lost/`
//! ```
//! Nothing is believed without its checksum, and everything that is not used is reported. A file that stays in the directory
//! is one that the new manifest names or that no later open deletes. A repair that is interrupted can be repeated: until
//! CURRENT goes only new files are made, and then everything is still there, in the directory or in `lost/`.
//!
//! Where the manifest cannot be read, or a file that it names is damaged or missing, older files that are still there are used:
//! keys that were deleted can come back with them.
//! Source of the idea: LevelDB `db/repair.cc`.

mod aside;
mod install;
mod logs;
mod old_manifest;
mod placement;
mod repairer;
mod report;
mod run;
mod tables;

pub use report::RepairReport;
pub use run::{repair, repair_as};
