//! Reports for the user: the result of an opening, and the live tables.

use crate::error::Error;

/// The result of opening a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Logs replayed, oldest first.
    pub logs: Vec<LogReport>,
    /// Acknowledged writes are missing from here on; the evidence for it.
    pub gap: Option<Error>,
    /// Damaged logs that were kept aside under these names.
    pub kept: Vec<String>,
    /// The manifest's tail was torn; every file that it names before is there.
    pub torn_manifest: Option<Error>,
    /// The data that was not read, and is not in the database.
    pub left: Vec<LeftBehind>,
}

impl RecoveryReport {
    /// Returns all damage that opening skipped; empty if everything was read.
    pub fn findings(&self) -> Vec<Error> {
        let mut findings = Vec::new();
        let of_logs = self.logs.iter().filter_map(|log| log.damage.as_ref());
        for error in self.torn_manifest.iter().chain(of_logs).chain(&self.gap) {
            if !findings.contains(error) {
                findings.push(error.clone());
            }
        }
        findings
    }
}

/// Bytes of a file that opening has passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftBehind {
    /// The file's name.
    pub name: String,
    /// Where they begin; what stands before was read.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

/// The result of replaying one log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// Its name.
    pub name: String,
    /// Batches taken from it.
    pub batches: u64,
    /// Entries in them.
    pub entries: u64,
    /// The damage that ended it, if any. In `compat` mode: the first damage that was skipped.
    pub damage: Option<Error>,
}

/// One live table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableInfo {
    /// Its level.
    pub level: usize,
    /// Its file number.
    pub number: u64,
    /// Its size in bytes.
    pub size: u64,
    /// User key of its first entry.
    pub smallest: Vec<u8>,
    /// User key of its last entry.
    pub largest: Vec<u8>,
}
