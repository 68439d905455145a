//! An iterator that returns its entries in pages.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;

use super::page::Page;
#[cfg(feature = "full")]
use crate::base::UserComparator;
use crate::db::{Db, DbIterator};
use crate::error::{Error, Result};
use crate::options::ReadOptions;

/// The range of a cursor, and the parts of its entries to return.
pub(super) struct CursorOptions {
    pub(super) read: ReadOptions,
    pub(super) reverse: bool,
    pub(super) keys: bool,
    pub(super) values: bool,
    pub(super) limit: u64,
}

/// A page of packed entries.
pub(super) struct Rows {
    /// `(u32 key length, key, u32 value length, value)*`, little-endian; a part that is not
    /// requested has length 0.
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
    /// The end is reached, unless the cursor seeks.
    pub(super) done: bool,
}

/// The start of the next page.
enum Next {
    Start,
    At(Vec<u8>),
    /// At the current entry.
    Here,
    /// After the current entry.
    Behind,
    End,
    /// A move failed: the position is unknown until a seek.
    Failed(Error),
}

/// An iterator that returns pages; see the module.
pub(super) struct Cursor {
    /// `None` while a page is being filled.
    iterator: RefCell<Option<DbIterator>>,
    next: RefCell<Next>,
    left: Cell<u64>,
    reverse: bool,
    keys: bool,
    values: bool,
    #[cfg(feature = "full")]
    order: UserComparator,
    lower_bound: Option<Vec<u8>>,
    upper_bound: Option<Vec<u8>>,
}

impl Cursor {
    pub(super) fn new(db: &Db, options: CursorOptions) -> Result<Cursor> {
        let iterator = db.iter(&options.read)?;
        Ok(Cursor {
            #[cfg(feature = "full")]
            order: iterator.order().clone(),
            iterator: RefCell::new(Some(iterator)),
            next: RefCell::new(Next::Start),
            left: Cell::new(options.limit),
            reverse: options.reverse,
            keys: options.keys,
            values: options.values,
            lower_bound: options.read.lower_bound,
            upper_bound: options.read.upper_bound,
        })
    }

    /// The lean module has bytewise order alone.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        #[cfg(feature = "full")]
        return self.order.compare(a, b);
        #[cfg(not(feature = "full"))]
        a.cmp(b)
    }

    /// Starts the next page at `target`, in the cursor's direction; outside the bounds it is empty.
    pub(super) fn seek(&self, target: &[u8]) {
        let below = self.lower_bound.as_ref().is_some_and(|lower| self.compare(target, lower).is_lt());
        let above = self.upper_bound.as_ref().is_some_and(|upper| self.compare(target, upper).is_ge());
        self.next.replace(if below || above { Next::End } else { Next::At(target.to_vec()) });
    }

    /// Returns up to `count` entries in `buffer`; fewer at `bytes` bytes or out of memory, but at
    /// least one.
    pub(super) async fn next(&self, count: u32, bytes: usize, buffer: Vec<u8>) -> Result<Rows> {
        let Some(mut iterator) = self.iterator.take() else {
            return Err(Error::Busy("the iterator is already filling a page".into()));
        };
        let rows = self.fill(&mut iterator, count, bytes, buffer).await;
        self.iterator.replace(Some(iterator));
        if let Err(error) = &rows {
            self.next.replace(Next::Failed(error.clone()));
        }
        rows
    }

    async fn fill(&self, iterator: &mut DbIterator, count: u32, bytes: usize, buffer: Vec<u8>) -> Result<Rows> {
        let mut page = Page::in_buffer(buffer);
        let mut found = match self.next.replace(Next::End) {
            Next::Failed(error) => return Err(error),
            Next::End => false,
            _ if self.left.get() == 0 || count == 0 => false,
            Next::Start if self.reverse => iterator.seek_to_last().await?,
            Next::Start => iterator.seek_to_first().await?,
            Next::At(target) => self.seek_from(iterator, &target).await?,
            Next::Here => true,
            Next::Behind => self.advance(iterator).await?,
        };
        let mut done = true;
        while found {
            let key = if self.keys { iterator.key() } else { &[] };
            let value = if self.values { iterator.value() } else { &[] };
            if let Err(error) = page.add(key, value) {
                if page.entries() == 0 {
                    return Err(error);
                }
                // The caller asked for more than memory holds: the rest goes into later pages.
                self.next.replace(Next::Here);
                done = false;
                break;
            }
            self.left.set(self.left.get().saturating_sub(1));
            if self.left.get() == 0 {
                break;
            }
            if page.is_full(count, bytes) {
                self.next.replace(Next::Behind);
                done = false;
                break;
            }
            match self.advance(iterator).await {
                Ok(more) => found = more,
                Err(error) => return self.failed_behind(page, error),
            }
        }
        // Skipped damage is reported at the end, as LevelDB does.
        if done && let Err(error) = iterator.status() {
            return self.failed_behind(page, error);
        }
        Ok(Rows { count: page.entries(), bytes: page.into_bytes(), done })
    }

    /// Entries already read are returned; the next page reports the failure.
    fn failed_behind(&self, page: Page, error: Error) -> Result<Rows> {
        if page.entries() == 0 {
            return Err(error);
        }
        self.next.replace(Next::Failed(error));
        Ok(Rows { count: page.entries(), bytes: page.into_bytes(), done: false })
    }

    /// Moves to the first entry at or after `target`, in the cursor's direction.
    async fn seek_from(&self, iterator: &mut DbIterator, target: &[u8]) -> Result<bool> {
        let found = iterator.seek(target).await?;
        match (self.reverse, found) {
            (false, found) => Ok(found),
            (true, true) if self.compare(iterator.key(), target).is_eq() => Ok(true),
            (true, true) => iterator.prev().await,
            (true, false) => iterator.seek_to_last().await,
        }
    }

    async fn advance(&self, iterator: &mut DbIterator) -> Result<bool> {
        if self.reverse { iterator.prev().await } else { iterator.next().await }
    }
}
