//! Reads the remains of the old manifest.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::repairer::NUMBER_MAX;
use crate::base::{FileName, FileNumber, InternalKeyComparator, SequenceNumber, table_file_name};
use crate::db::findings::{Findings, is_finding};
use crate::db::open::FilesOnStorage;
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::log::{LogReader, Semantics, Tail};
use crate::options::RecoveryMode;
use crate::version::{NewFile, VersionEdit, VersionSet, read_current, recover_manifest};

/// The state described by the readable records of a manifest.
#[derive(Default)]
pub(super) struct OldManifest {
    number: Option<FileNumber>,
    pub(super) comparator: Option<Vec<u8>>,
    /// Tables that should exist, with their levels.
    pub(super) tables: BTreeMap<FileNumber, (usize, NewFile)>,
    pub(super) log_number: FileNumber,
    pub(super) previous_log_number: FileNumber,
    pub(super) next_file_number: FileNumber,
    pub(super) last_sequence: SequenceNumber,
    /// It can be read to its end and its levels are valid.
    is_whole: bool,
    /// Every table and log that it names exists.
    is_complete: bool,
    /// Every table is.
    has_tables: bool,
}

impl OldManifest {
    /// Reads the manifest that CURRENT names, or else the newest one that can be read.
    pub(super) async fn read(
        env: &Rc<dyn Env>,
        files: &FilesOnStorage,
        order: &InternalKeyComparator,
        any_comparator: bool,
        findings: &mut Findings,
    ) -> Result<OldManifest> {
        let mut old = OldManifest::default();
        for number in candidates(&**env, files, findings).await? {
            let told = findings.len();
            match read_edits(&**env, number, findings).await {
                Ok(found) if found.comparator.is_some() || !found.tables.is_empty() => {
                    old = found;
                    break;
                }
                Ok(_) if findings.len() > told => {}
                Ok(_) => {
                    let name = FileName::Manifest(number).to_string();
                    findings.push(Error::corruption(name, 0, "none of its records can be read"));
                }
                Err(error) if is_finding(&error) => findings.push(error),
                Err(error) => return Err(error),
            }
        }
        let Some(number) = old.number else { return Ok(old) };
        let given = order.user().name();
        if let Some(stored) = old.comparator.as_deref().filter(|stored| *stored != given.as_bytes()) {
            let stored = stored.escape_ascii();
            if !any_comparator {
                return Err(Error::InvalidArgument(format!(
                    "{} was made with the comparator {stored}, and would be sorted anew by {given}: repair with the option \
                     comparator (`varve repair --comparator {given}`; in Rust `repair_as`) only if that is wanted",
                    FileName::Manifest(number)
                )));
            }
            findings.push(Error::corruption(
                FileName::Manifest(number).to_string(),
                0,
                format!("the comparator was {stored}; entries are sorted again by {given}"),
            ));
            old.is_whole = false;
            return Ok(old);
        }
        let mut versions = VersionSet::new(order.clone());
        old.is_whole = recover_manifest(&**env, number, &mut versions, RecoveryMode::Strict).await.is_ok();
        old.has_tables = old.report_missing(&**env, files, findings).await?;
        old.is_complete = old.has_tables && !old.lacks_log(files);
        Ok(old)
    }

    /// Whether it can be read to its end, with the given comparator.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether a manifest names the tables that should exist.
    pub(super) fn is_known(&self) -> bool {
        self.number.is_some()
    }

    /// Whether it is undamaged and everything that it names exists.
    pub(super) fn is_complete(&self) -> bool {
        self.is_whole && self.is_complete
    }

    /// Whether it tells all tables, and they are there.
    pub(super) fn has_all_tables(&self) -> bool {
        self.is_whole && self.has_tables
    }

    /// Whether a table that it does not name is left from before, and not newer than it.
    pub(super) fn is_older(&self, number: FileNumber) -> bool {
        number < self.next_file_number
    }

    /// Returns level and metadata of a table.
    pub(super) fn table(&self, number: FileNumber) -> Option<&(usize, NewFile)> {
        self.tables.get(&number)
    }

    /// Whether all entries of a log were in tables.
    pub(super) fn is_done_with_log(&self, number: FileNumber) -> bool {
        number < self.log_number && number != self.previous_log_number
    }

    /// Whether the log that it names is missing.
    pub(super) fn lacks_log(&self, files: &FilesOnStorage) -> bool {
        self.log_number != FileNumber(0) && !files.all_logs().iter().any(|(number, _)| *number == self.log_number)
    }

    /// Reports what should be there and is not. Returns whether every table is there.
    async fn report_missing(&self, env: &dyn Env, files: &FilesOnStorage, findings: &mut Findings) -> Result<bool> {
        let mut complete = true;
        for (number, (_, file)) in &self.tables {
            let name = files.table(env, *number).await?;
            let Some(name) = name else {
                complete = false;
                let manifest = FileName::Manifest(self.number.unwrap_or_default());
                let reason = format!("{manifest} names this table of {} bytes", file.size);
                findings.push(Error::missing(table_file_name(*number), &reason));
                continue;
            };
            let size = match env.open(&name, Access::Read).await {
                Ok(opened) => opened.size().await.ok(),
                Err(_) => None,
            };
            // Unreadable files are reported when they are read.
            if let Some(size) = size.filter(|size| *size != file.size) {
                let reason = format!("file has {size} bytes, the manifest says {}", file.size);
                findings.push(Error::corruption(name, size, reason));
            }
        }
        if self.lacks_log(files) {
            let log = FileName::Log(self.log_number).to_string();
            findings.push(Error::missing(log, "the manifest names this log"));
        }
        Ok(complete)
    }
}

/// Returns the manifests to try, the best first.
async fn candidates(env: &dyn Env, files: &FilesOnStorage, findings: &mut Findings) -> Result<Vec<FileNumber>> {
    let mut numbers: Vec<FileNumber> = Vec::new();
    let mut of_current = Findings::default();
    match files.manifest(env, &mut of_current).await {
        Ok(number) => numbers.extend(number),
        // There is only a manifest and an empty log.
        Err(Error::InvalidArgument(_)) => of_current.push(Error::missing("CURRENT", "")),
        Err(error) => return Err(error),
    }
    if !of_current.is_empty() && matches!(read_current(env).await, Err(error) if error.is_not_found()) {
        findings.push(Error::missing("CURRENT", "rebuilt"));
    } else {
        findings.append(of_current);
    }
    let mut others = files.all_manifests();
    others.reverse();
    numbers.extend(others);
    let mut seen = Vec::new();
    numbers.retain(|number| {
        let is_new = !seen.contains(number);
        seen.push(*number);
        is_new
    });
    Ok(numbers)
}

/// Applies the records up to the first damage, which becomes a finding.
async fn read_edits(env: &dyn Env, number: FileNumber, findings: &mut Findings) -> Result<OldManifest> {
    let name = FileName::Manifest(number).to_string();
    let mut old = OldManifest { number: Some(number), ..OldManifest::default() };
    let opened = LogReader::open(env, &name, Semantics::Prefix).await;
    let mut reader = match opened {
        Err(error) if error.is_not_found() => return Err(Error::missing(name, "CURRENT names this manifest")),
        opened => opened?,
    };
    while let Some(record) = reader.next_record().await? {
        match VersionEdit::decode(&record.data) {
            Ok(edit) => old.apply(edit),
            Err(malformed) => {
                findings.push(malformed.in_file(&name, record.offset));
                return Ok(old);
            }
        }
    }
    match reader.tail() {
        Tail::Clean => {}
        Tail::Zeros { offset } => findings.push(Error::corruption(name, *offset, "the rest of the file is zeros")),
        Tail::Torn { offset, reason } => findings.push(Error::corruption(name, *offset, reason.clone())),
    }
    Ok(old)
}

impl OldManifest {
    fn apply(&mut self, edit: VersionEdit) {
        if edit.comparator.is_some() {
            self.comparator = edit.comparator;
        }
        self.log_number = edit.log_number.unwrap_or(self.log_number);
        self.previous_log_number = edit.previous_log_number.unwrap_or(self.previous_log_number);
        self.last_sequence = edit.last_sequence.unwrap_or(self.last_sequence);
        // A damaged number near 2^64 must not use up all numbers.
        if let Some(next) = edit.next_file_number.filter(|next| next.0 < NUMBER_MAX) {
            self.next_file_number = next;
        }
        for (_, number) in &edit.deleted_files {
            self.tables.remove(number);
        }
        self.tables.extend(edit.new_files.into_iter().map(|(level, file)| (file.number, (level, file))));
    }
}
