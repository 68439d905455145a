//! Writes the newest version of each live key to one table, piece by piece.
//!
//! Its entries keep their sequence numbers. LevelDB reads such a table alone, or in a database that it
//! repairs around it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::read::{Source, sources};
use super::state::Inner;
use super::user_keys::UserKeys;
use super::verify::READ_ALL;
use crate::base::{InternalKeyComparator, KeyOrder, ValueType, parse_internal_key};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, MergingIterator, OnBadBlock, finish};
use crate::sst::TableStream;

/// A table that is being written; see [`Db::one_table`](super::Db::one_table).
pub struct OneTable {
    inner: Rc<Inner>,
    /// `None` while it is working, after its end and after an error.
    work: RefCell<Option<Work>>,
    has_ended: Cell<bool>,
}

struct Work {
    entries: MergingIterator<Source>,
    has_begun: bool,
    keys: UserKeys,
    table: TableStream,
}

impl OneTable {
    pub(super) fn new(inner: &Rc<Inner>) -> Result<OneTable> {
        inner.check_open()?;
        inner.order.user().check_known()?;
        let order = KeyOrder::Internal(inner.order.clone());
        let entries = MergingIterator::new(sources(inner, &inner.view(), READ_ALL), order, OnBadBlock::Stop);
        let table = TableStream::new(inner.tables.options().clone());
        let work = Work { entries, has_begun: false, keys: UserKeys::default(), table };
        Ok(OneTable { inner: inner.clone(), work: RefCell::new(Some(work)), has_ended: Cell::new(false) })
    }

    /// Returns about `size` more bytes, or `None` at the end.
    ///
    /// # Errors
    /// `Io`, `Corruption`: a file cannot be read. `LimitExceeded`: the index or filter of the table would
    /// have 4 GiB. `Closed`, also after another error or a call that was given up: the table is abandoned.
    pub async fn next(&self, size: usize) -> Result<Option<Vec<u8>>> {
        self.inner.check_open()?;
        let taken = self.work.take();
        let Some(mut work) = taken else { return if self.has_ended.get() { Ok(None) } else { Err(Error::Closed) } };
        let budget = Budget::of_call(&self.inner.options.pause);
        if work.fill(&self.inner.order, size.max(1), &budget).await? {
            let piece = work.table.take();
            self.work.replace(Some(work));
            return Ok(Some(piece));
        }
        let rest = work.table.finish().await?;
        self.has_ended.set(true);
        Ok(Some(rest))
    }
}

impl Work {
    /// Adds entries until the piece has `size` bytes; false after the last entry.
    async fn fill(&mut self, order: &InternalKeyComparator, size: usize, budget: &Budget) -> Result<bool> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let step = self.entries.seek_to_first();
            finish(&mut self.entries, step).await;
        }
        while self.entries.valid() {
            let (key, value) = (self.entries.key(), self.entries.value());
            let parsed = parse_internal_key(key).map_err(|malformed| malformed.in_file("salvaged", 0))?;
            if self.keys.begins(order, parsed.user_key) && parsed.value_type == ValueType::Value {
                self.table.add(key, value).await?;
            }
            budget.spent(key.len() + value.len()).await;
            let step = self.entries.next();
            finish(&mut self.entries, step).await;
            if self.table.len() >= size {
                return Ok(true);
            }
        }
        self.entries.status()?;
        Ok(false)
    }
}

impl std::fmt::Debug for OneTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneTable").finish_non_exhaustive()
    }
}
