//! The report of a repair, with advice for the files that it does not use.

use crate::base::FileNumber;
use crate::db::findings::Findings;
use crate::db::open::FilesOnStorage;
use crate::error::Error;

/// The result of [`repair`](super::repair).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Tables that the new manifest names.
    pub tables: u64,
    /// Entries in them, shadowed ones and tombstones too.
    pub entries: u64,
    /// Files that went to `lost/`, under their names there. Among them are logs and tables whose sound entries are used.
    pub lost: Vec<String>,
    /// The damage found, and everything that is not used: each file and each record.
    pub findings: Vec<Error>,
}

/// Files that are not touched, and may hold something. `next` is a number that is free; returns the next that is.
pub(super) fn report_resembling(files: &FilesOnStorage, mut next: FileNumber, findings: &mut Findings) -> FileNumber {
    for name in files.resembling() {
        let what = if name.ends_with(".log.damaged") {
            "a copy of a damaged log that an opening has kept"
        } else {
            "it is not named as a file of a database is"
        };
        let reason = format!("not used: {what}. {}", how_to_use(&name, next));
        findings.push(Error::corruption(name, 0, reason));
        next = FileNumber(next.0 + 1);
    }
    next
}

/// Advice for a file that is not used.
pub(super) fn how_to_use(name: &str, next: FileNumber) -> String {
    let suffix = if name.to_ascii_lowercase().contains(".log") { "log" } else { "ldb" };
    format!(
        "To use what it holds, rename it to {next}.{suffix} and repair again; open the database only then, since opening deletes \
         tables and logs that the manifest does not name"
    )
}
