//! The report of a repair, with advice for unused files.

use crate::base::{FileName, FileNumber, user_key};
use crate::db::findings::Findings;
use crate::db::open::FilesOnStorage;
use crate::error::Error;
use crate::table::LostBlock;

/// The result of [`repair`](super::repair).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Number of tables in the new manifest.
    pub tables: u64,
    /// Number of their entries, including overwritten ones and tombstones.
    pub entries: u64,
    /// Damaged tables, and logs, whose entries were copied to new tables.
    pub recovered: Vec<RecoveredFile>,
    /// Files of which nothing is in the database.
    pub unused: Vec<UnusedFile>,
    /// Entries may be missing that were newer than others: overwritten values and deleted keys can
    /// be visible again.
    pub old_data_may_reappear: bool,
    /// Names in `lost/` of the files moved there, also of those in `recovered`.
    pub lost: Vec<String>,
    /// All damage, and every record that is not used.
    pub findings: Vec<Error>,
}

/// A file whose entries [`repair`](super::repair) copied to new tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredFile {
    /// Its name in the database.
    pub file: String,
    /// Its name in `lost/`.
    pub lost: String,
    /// Number of entries taken from it.
    pub entries: u64,
    /// Number of data blocks that they were in; 0 for a log.
    pub blocks: u64,
    /// Bytes of it that could not be used, including those missing at its end.
    pub lost_bytes: u64,
    /// Ranges of keys in which entries are missing, if known: at most 1,000.
    pub lost_ranges: Vec<LostRange>,
}

/// The keys of a damaged block: between the last key of the block before and its own last key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostRange {
    /// The missing keys are at or after this one; `None` at the beginning of the table.
    pub from: Option<Vec<u8>>,
    /// They are at or before this one.
    pub to: Vec<u8>,
}

/// A file of which nothing is in the repaired database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnusedFile {
    /// Its name in the database.
    pub file: String,
    /// Its name in `lost/`.
    pub lost: String,
    /// The reason.
    pub reason: String,
}

/// Ranges that are listed for one file.
pub(super) const RANGES_MAX: usize = 1000;

impl LostRange {
    pub(super) fn of(block: &LostBlock) -> LostRange {
        LostRange {
            from: block.after.as_deref().map(|key| user_key(key).to_vec()),
            to: user_key(&block.up_to).to_vec(),
        }
    }
}

/// Reports untouched files that may hold data. `next` is a free file number; returns the next one.
pub(super) fn report_resembling(files: &FilesOnStorage, mut next: FileNumber, findings: &mut Findings) -> FileNumber {
    for name in files.resembling() {
        if damaged_log(&name).is_some() {
            continue;
        }
        let reason = format!("not used: it is not named as a file of a database is. {}", how_to_use(&name, next));
        findings.push(Error::corruption(name, 0, reason));
        next = FileNumber(next.0 + 1);
    }
    next
}

/// The number of a log that opening could not recover completely: `000003.log.damaged`.
pub(super) fn damaged_log(name: &str) -> Option<FileNumber> {
    match FileName::parse(name.strip_suffix(".damaged")?) {
        Some(FileName::Log(number)) => Some(number),
        _ => None,
    }
}

/// Returns advice for a file that is not used.
pub(super) fn how_to_use(name: &str, next: FileNumber) -> String {
    let suffix = if name.to_ascii_lowercase().contains(".log") { "log" } else { "ldb" };
    format!(
        "To use its contents, rename it to {next}.{suffix} and repair again before you open the database: opening deletes \
         tables and logs that the manifest does not name"
    )
}
