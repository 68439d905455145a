//! Rebuilds a database from the valid parts of its files.
//!
//! ```text
//! sound, logs empty?    nothing is changed
//! old manifest          comparator, tables that should exist                   old_manifest.rs
//! every table           sound: kept; damaged: its sound entries are copied     tables.rs
//! every log             its sound records are written to tables                logs.rs
//! remove CURRENT        from here on only another repair can open the database
//! choose levels         as in the manifest, or all 0, or merged into level 1   placement.rs
//! unused files          moved to `lost/`                                       aside.rs
//! new manifest, CURRENT; the old manifests are moved to `lost/`
//! ```
//! Only bytes with a valid checksum are used, and every unused part is reported. A file stays in
//! the directory only if the new manifest names it or no later open deletes it. An interrupted
//! repair can be repeated: until CURRENT is removed it only adds files, and afterwards every file
//! is in the directory or in `lost/`.
//!
//! If the manifest is unreadable, or a file that it names is damaged or missing, older files are
//! used too, and deleted keys can reappear. After LevelDB `db/repair.cc`.

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
