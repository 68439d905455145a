//! Rebuilds a database from the valid parts of its files.
//!
//! ```text
//! sound, logs empty?    then nothing is changed
//! old manifest          comparator, tables that should be there          old_manifest.rs
//! every table           sound: stays; damaged: its sound blocks become a new table       tables.rs
//! every log             its sound records become tables; also of NNNNNN.log.damaged         logs.rs
//! CURRENT goes          from here on only another repair opens the database
//! tables get a place    levels as the manifest says, or all in level 0, or merged into level 1     placement.rs
//! the rest              goes to `lost/`                                  aside.rs
//! new manifest, CURRENT; the old manifests go to `lost/`
//! ```
//! Only bytes with a valid checksum are used ([`Strictness`] says which, for `salvage`), and every unused part is reported. A file stays in
//! the directory only if the new manifest names it or no later open deletes it. An interrupted
//! repair can be repeated: until CURRENT is removed it only adds files, and afterwards every file
//! is in the directory or in `lost/`.
//!
//! If the manifest is unreadable, or a file that it names is damaged or missing, older files are
//! used too, and deleted keys can reappear. After LevelDB `db/repair.cc`.

mod aside;
mod details;
mod doubtful;
mod install;
mod logs;
mod old_manifest;
mod placement;
mod remark;
mod repairer;
mod report;
mod run;
mod strictness;
mod tables;

pub use details::AtRisk;
pub(crate) use details::Details;
pub use remark::Remark;
pub use report::{LostRange, RecoveredFile, RepairReport, UnusedFile};
pub(crate) use run::rebuild;
pub use run::{repair, repair_as};
pub use strictness::Strictness;
