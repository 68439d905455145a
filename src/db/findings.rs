//! A bounded list of the damage found in a database.

use crate::error::Error;

/// The longest list. A hostile file can be damaged every few bytes; further findings are only
/// counted.
const LISTED_MAX: usize = 10_000;

/// Findings of `verify` and `repair`.
#[derive(Default)]
pub(super) struct Findings {
    listed: Vec<Error>,
    unlisted: u64,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Error) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push(finding);
        } else {
            self.unlisted += 1;
        }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Error>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    pub(super) fn append(&mut self, other: Findings) {
        self.extend(other.listed);
        self.add_unlisted(other.unlisted);
    }

    /// Counts findings that the reader of a file did not list.
    pub(super) fn add_unlisted(&mut self, count: u64) {
        self.unlisted = self.unlisted.saturating_add(count);
    }

    /// Returns the number of listed findings.
    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.unlisted == 0
    }

    /// Returns all findings; the last one counts those not listed.
    pub(super) fn into_list(self) -> Vec<Error> {
        let Findings { mut listed, unlisted } = self;
        if unlisted > 0 {
            let file = match listed.last() {
                Some(Error::Corruption(corruption)) => corruption.file.clone(),
                _ => String::new(),
            };
            listed.push(Error::corruption(file, 0, format!("{unlisted} more findings are not listed")));
        }
        listed
    }
}

/// Returns whether an error reports damaged or unreadable bytes, so that checking continues.
pub(super) fn is_finding(error: &Error) -> bool {
    matches!(error, Error::Corruption(_) | Error::Io(_) | Error::LimitExceeded(_)) && !error.is_too_many_open_files()
}
