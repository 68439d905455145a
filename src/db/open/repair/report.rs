//! The report of a repair, with advice for unused files.

use crate::base::FileNumber;
use crate::db::findings::Findings;
use crate::db::open::FilesOnStorage;
use crate::error::Error;

/// The result of [`repair`](super::repair).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Number of tables in the new manifest.
    pub tables: u64,
    /// Number of their entries, including overwritten ones and tombstones.
    pub entries: u64,
    /// Names in `lost/` of the files moved there, also of those whose valid entries are used.
    pub lost: Vec<String>,
    /// All damage, and every file and record that is not used.
    pub findings: Vec<Error>,
}

/// Reports untouched files that may hold data. `next` is a free file number; returns the next one.
pub(super) fn report_resembling(files: &FilesOnStorage, mut next: FileNumber, findings: &mut Findings) -> FileNumber {
    for name in files.resembling() {
        let what = if name.ends_with(".log.damaged") {
            "a copy of a damaged log, made when the database was opened"
        } else {
            "its name is not that of a database file"
        };
        let reason = format!("not used: {what}. {}", how_to_use(&name, next));
        findings.push(Error::corruption(name, 0, reason));
        next = FileNumber(next.0 + 1);
    }
    next
}

/// Returns advice for a file that is not used.
pub(super) fn how_to_use(name: &str, next: FileNumber) -> String {
    let suffix = if name.to_ascii_lowercase().contains(".log") { "log" } else { "ldb" };
    format!(
        "To use its contents, rename it to {next}.{suffix} and repair again before you open the database: opening deletes \
         tables and logs that the manifest does not name"
    )
}
