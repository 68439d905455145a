//! Reports returned to the user: on opening, and on live tables.

use crate::error::Error;

/// The result of opening a database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Logs replayed, oldest first.
    pub logs: Vec<LogReport>,
    /// The log that the manifest names, if it is missing: its writes are not in the database.
    pub missing_log: Option<Error>,
    /// The first place where acknowledged writes are missing, with the reason.
    pub gap: Option<Error>,
    /// Names of the copies of damaged logs. None when read-only.
    pub kept: Vec<String>,
    /// The damage at the manifest's end; every file named before it exists.
    pub torn_manifest: Option<Error>,
    /// Parts of files that were not read and are not in the database.
    pub left: Vec<LeftBehind>,
}

impl RecoveryReport {
    /// Returns all damage that opening skipped; empty if everything was read.
    pub fn findings(&self) -> Vec<Error> {
        let mut findings = Vec::new();
        let of_logs = self.logs.iter().filter_map(|log| log.damage.as_ref());
        for error in self.torn_manifest.iter().chain(&self.missing_log).chain(of_logs).chain(&self.gap) {
            if !findings.contains(error) {
                findings.push(error.clone());
            }
        }
        findings
    }
}

/// Bytes of a file that opening skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftBehind {
    /// The file's name.
    pub name: String,
    /// Offset of the first skipped byte; everything before it was read.
    pub offset: u64,
    /// Number of skipped bytes.
    pub bytes: u64,
}

/// The result of replaying one log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// The log's file name.
    pub name: String,
    /// Number of batches replayed.
    pub batches: u64,
    /// Number of entries in these batches.
    pub entries: u64,
    /// The damage that ended replay, if any. In `compat` mode: the first damage skipped.
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
