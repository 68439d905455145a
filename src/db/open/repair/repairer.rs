//! The state of a repair.

use std::cell::Cell;
use std::rc::Rc;

use super::aside::Aside;
use super::details::Details;
use super::report::RecoveredFile;
use super::strictness::Strictness;
use crate::base::{FileNumber, InternalKeyComparator, SequenceNumber};
use crate::budget::Budget;
use crate::db::findings::Findings;
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::table::TableCache;
use crate::version::NewFile;

/// Tables and logs with larger numbers get new ones, so that enough numbers remain.
pub(super) const NUMBER_MAX: u64 = 1 << 62;

/// A table of the repaired database.
pub(super) struct Kept {
    pub(super) level: usize,
    pub(super) file: NewFile,
    pub(super) entries: u64,
    pub(super) oldest: SequenceNumber,
    pub(super) newest: SequenceNumber,
    /// The current name, if the file is to be renamed.
    pub(super) rename_from: Option<String>,
    /// Made from a log: its entries may be older than those of other tables.
    pub(super) is_from_log: bool,
}

pub(super) struct Repairer<'a> {
    pub(super) env: &'a Rc<dyn Env>,
    pub(super) options: &'a Options,
    pub(super) order: InternalKeyComparator,
    /// If set, entries in another order are sorted again; otherwise the repair refuses them.
    pub(super) any_comparator: bool,
    pub(super) comparator_is_known: bool,
    pub(super) strictness: Strictness,
    pub(super) tables: Rc<TableCache>,
    pub(super) next: Cell<FileNumber>,
    pub(super) kept: Vec<Kept>,
    /// Whether the old manifest does not name some of them.
    pub(super) has_strangers: bool,
    /// All files that the old manifest names exist and are sound; older tables and logs are not
    /// needed.
    pub(super) is_complete: bool,
    pub(super) aside: Aside,
    /// Files moved to `lost/` although they may be sound, and why.
    pub(super) leftovers: Vec<(String, &'static str)>,
    pub(super) recovered: Vec<RecoveredFile>,
    /// Why nothing of a file is used.
    pub(super) unused: Vec<(String, String)>,
    /// See [`RepairReport::old_data_may_reappear`](super::RepairReport::old_data_may_reappear).
    pub(super) has_lost_entries: bool,
    pub(super) last_sequence: SequenceNumber,
    pub(super) budget: Budget,
    pub(super) findings: Findings,
    pub(super) details: Details,
}

impl Repairer<'_> {
    pub(super) fn new_number(&self) -> Result<FileNumber> {
        let number = self.next.get();
        self.next.set(number.next().ok_or_else(|| Error::LimitExceeded("file numbers have reached 2^64".into()))?);
        Ok(number)
    }

    /// Moves a file away of which nothing is used.
    pub(super) fn leave_out(&mut self, name: &str, reason: impl Into<String>) {
        self.aside.add(name);
        self.unused.push((name.to_owned(), reason.into()));
    }

    /// An earlier repair, or whatever it was that failed, may have left a table without flushing it.
    pub(super) async fn flush(&self, name: &str) -> Result<()> {
        let file = match self.env.open(name, Access::Append).await {
            Err(Error::Io(error)) if error.kind == std::io::ErrorKind::PermissionDenied => {
                self.env.open(name, Access::Read).await?
            }
            file => file?,
        };
        file.sync().await.map(|_| ())
    }
}
