//! A part of a file that is not used, or that may be wrong.

use std::collections::BTreeMap;

use crate::base::sort_by;
use crate::error::Error;
use crate::table::{BlockHandle, EntryCount};

/// Parts of files, by file: the first byte of each and the one after its last.
pub(super) type Used = BTreeMap<String, Vec<(u64, u64)>>;

/// A part of a file that a salvage does not use, or that may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remark {
    /// The file.
    pub file: String,
    /// Where the part begins.
    pub offset: u64,
    /// Its bytes; 0 if its end is not known.
    pub length: u64,
    /// Why it is not used, or may be wrong.
    pub reason: String,
    /// Entries in it, where that is known.
    pub entries: Option<EntryCount>,
}

impl Remark {
    /// What a finding tells.
    fn of(finding: &Error) -> Remark {
        let (file, offset, reason) = match finding {
            Error::Corruption(corruption) => (corruption.file.clone(), corruption.offset, corruption.reason.clone()),
            Error::Io(io) => (io.file.clone(), 0, io.message.clone()),
            other => (String::new(), 0, other.to_string()),
        };
        Remark { file, offset, length: 0, reason, entries: None }
    }

    /// Of a block with its trailer.
    pub(super) fn of_block(file: &str, handle: BlockHandle, reason: String, entries: Option<EntryCount>) -> Remark {
        let length = handle.length().unwrap_or(0);
        Remark { file: file.to_owned(), offset: handle.offset, length, reason, entries }
    }

    fn has(&self, other: &Remark) -> bool {
        other.offset.checked_sub(self.offset).is_some_and(|at| at < self.length) && self.file == other.file
    }

    /// All that is not used, each part once: findings about a part of `left_behind` give its reason, and those
    /// about what is used are left out.
    ///
    /// A part without a reason of its own counts only with a finding. `more`: parts that are not listed, and
    /// their entries.
    pub(crate) fn merged(
        findings: &[Error],
        left_behind: Vec<Remark>,
        mut used: Used,
        more: (u64, u64),
    ) -> Vec<Remark> {
        used.values_mut().for_each(|parts| sort_by(parts, Ord::cmp));
        let is_used = |finding: &Remark| {
            used.get(&finding.file).is_some_and(|parts| {
                let before = parts.partition_point(|(begin, _)| *begin <= finding.offset);
                before.checked_sub(1).and_then(|at| parts.get(at)).is_some_and(|(_, end)| finding.offset < *end)
            })
        };
        let mut parts: Vec<Option<Remark>> = left_behind.into_iter().map(Some).collect();
        let mut merged: Vec<Remark> = Vec::new();
        let mut told = Vec::new();
        for finding in findings.iter().map(Remark::of) {
            if is_used(&finding) || told.iter().any(|part: &Remark| part.has(&finding)) {
                continue;
            }
            let part = parts.iter_mut().find(|part| part.as_ref().is_some_and(|part| part.has(&finding)));
            let Some(part) = part.and_then(Option::take) else {
                merged.push(finding);
                continue;
            };
            let end = part.offset.saturating_add(part.length);
            let offset = if part.reason.is_empty() { finding.offset } else { part.offset };
            merged.push(Remark {
                offset,
                length: end.saturating_sub(offset),
                reason: finding.reason,
                file: finding.file,
                entries: part.entries,
            });
            told.push(part);
        }
        merged.extend(parts.into_iter().flatten().filter(|part| !part.reason.is_empty()));
        let (more, entries) = more;
        if let Some(last) = merged.last().filter(|_| more > 0) {
            let reason = format!("{more} more parts, of this file or others, cannot be used and are not listed");
            let entries = Some(EntryCount::AtLeast(entries));
            merged.push(Remark { file: last.file.clone(), offset: last.offset, length: 0, reason, entries });
        }
        merged
    }
}
