//! A watch: the committed changes of a range, in order, page by page.
//!
//! ```text
//! page    = position u64, item*      everything in the range up to position was told
//! item    = sequence u64, count u32, change*      what was committed together, up to sequence;
//!                                                 count 0: a gap that ends there
//! change  = 00 u32 key               delete
//!           01 u32 key u32 value     put
//!           02 begin end             delete a range      bound = u32 bytes, or ffffffff: none
//! ```
//! Integers are little-endian, a u32 before bytes is their length. For example, put(a, 1) as the
//! first write of a database:
//!
//! ```text
//! 01 00 00 00 00 00 00 00   position 1
//! 01 00 00 00 00 00 00 00  01 00 00 00   an item of sequence 1, with one change
//! 01  01 00 00 00 61  01 00 00 00 31     put, key "a", value "1"
//! ```
//! A watch reads what [`Feed`](super::feed::Feed) keeps. If it is behind that, it reads the logs;
//! and if those lack a sequence number, it tells a gap and continues behind it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::feed::{Committed, OwnedRange};
use super::state::{DbState, Inner};
use crate::base::{SequenceNumber, put_fixed32, put_fixed64, to_u64};
use crate::batch::{BatchHeader, BatchOperation, operations};
use crate::error::{Error, Result};
use crate::log::{LogReader, Semantics};
use crate::version::UserRange;

/// Bytes of log records read for one page, which bounds the duration of a call.
const LOG_BYTES_MAX: u64 = 1 << 20;
const COUNT_OFFSET: usize = 8;
const LENGTH_SIZE: usize = 4;
const DELETE: u8 = 0;
const PUT: u8 = 1;
const CLEAR: u8 = 2;
const NO_BOUND: u32 = u32::MAX;

/// Part of the changes that a [`Watch`] tells, packed as `src/db/watch.rs` describes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// The packed items.
    pub bytes: Vec<u8>,
    /// Number of items.
    pub count: u32,
    /// Whether these were all: the next page is empty until [`Watch::changed`] returns.
    pub done: bool,
}

/// Tells the committed changes of a range.
pub struct Watch {
    inner: Rc<Inner>,
    range: OwnedRange,
    /// The last commit that was told.
    position: Cell<SequenceNumber>,
    /// The log that was read last, and the end of the record at `position`.
    log: RefCell<Option<(String, u64)>>,
    is_closed: Cell<bool>,
}

impl Watch {
    /// Watches from the last commit on, or from the one after `since`.
    pub(crate) fn new(inner: &Rc<Inner>, range: OwnedRange, since: Option<u64>) -> Result<Watch> {
        inner.check_open()?;
        let last = inner.state.borrow().last_sequence();
        inner.feed.enter(last);
        let position = match since {
            None => inner.feed.end(last),
            Some(since) => SequenceNumber::new(since).unwrap_or(SequenceNumber::MAX),
        };
        let (position, log, is_closed) = (Cell::new(position), RefCell::default(), Cell::new(false));
        Ok(Watch { inner: inner.clone(), range, position, log, is_closed })
    }

    /// Returns the next changes: about `size` bytes, or one item.
    ///
    /// It does not wait for commits: the page may be empty.
    ///
    /// # Errors
    /// `Closed`: the watch or the database. `LimitExceeded`: no memory for an item.
    pub async fn next(&self, size: usize) -> Result<ChangePage> {
        let mut page = Page { watch: self, bytes: vec![0; size_of::<u64>()], count: 0 };
        let mut left = LOG_BYTES_MAX;
        let done = loop {
            self.check_open()?;
            let (end, position) = (self.end(), self.position.get());
            if position > end {
                // The database is older than what was told: writes were lost, or this is another one.
                page.gap(end);
            } else if position == end {
                break true;
            } else if page.bytes.len() > size || left == 0 {
                break false;
            } else if position < self.inner.feed.start() {
                self.read_logs(&mut page, size, &mut left).await?;
            } else if let Some((last, committed)) = self.inner.feed.after(position).filter(|(last, _)| *last <= end) {
                page.add(last, &committed)?;
                self.position.set(last);
            } else {
                self.position.set(end);
            }
        };
        let Page { mut bytes, count, .. } = page;
        if let Some(field) = bytes.first_chunk_mut() {
            *field = self.position.get().get().to_le_bytes();
        }
        Ok(ChangePage { bytes, count, done })
    }

    /// Returns once there is something to tell, or the watch is closed.
    ///
    /// # Errors
    /// `Closed`: the database was closed.
    pub async fn changed(&self) -> Result<()> {
        poll_fn(|cx| {
            if self.is_closed.get() || self.has_news() {
                return Poll::Ready(Ok(()));
            }
            if let Err(closed) = self.inner.check_open() {
                return Poll::Ready(Err(closed));
            }
            self.inner.feed.wait(cx.waker());
            Poll::Pending
        })
        .await
    }

    fn check_open(&self) -> Result<()> {
        if self.is_closed.get() { Err(Error::Closed) } else { self.inner.check_open() }
    }

    /// Ends the watch.
    pub fn close(&self) {
        if !self.is_closed.replace(true) {
            self.inner.feed.leave();
            self.inner.feed.wake();
        }
    }

    /// Passes commits that do not concern the range.
    fn has_news(&self) -> bool {
        let end = self.end();
        loop {
            let position = self.position.get();
            if position >= end || position < self.inner.feed.start() {
                return position != end;
            }
            match self.inner.feed.after(position).filter(|(last, _)| *last <= end) {
                Some((_, committed)) if self.concerns(&committed) => return true,
                Some((last, _)) => self.position.set(last),
                None => self.position.set(end),
            }
        }
    }

    /// Returns the last commit that may be told.
    fn end(&self) -> SequenceNumber {
        self.inner.feed.end(self.inner.state.borrow().last_sequence())
    }

    fn concerns(&self, committed: &Committed) -> bool {
        match committed {
            Committed::Batch(batch) => batch.iter().map_while(Result::ok).any(|operation| self.has(key_of(&operation))),
            Committed::Clear(range) => self.common(range).is_some(),
        }
    }

    /// Whether `a` is before `b`; `if_none`, unless there are both.
    #[inline(never)]
    fn is_less(&self, a: Option<&[u8]>, b: Option<&[u8]>, if_none: bool) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => self.inner.order.user().compare(a, b).is_lt(),
            _ => if_none,
        }
    }

    fn has(&self, key: &[u8]) -> bool {
        let (begin, end) = &self.range;
        !self.is_less(Some(key), begin.as_deref(), false) && self.is_less(Some(key), end.as_deref(), true)
    }

    /// Returns the part of a range that is watched; `None` for a bound means that of the watch.
    fn common<'a>(&self, (begin, end): &'a OwnedRange) -> Option<UserRange<'a>> {
        let (own_begin, own_end) = (self.range.0.as_deref(), self.range.1.as_deref());
        let (begin, end) = (begin.as_deref(), end.as_deref());
        let overlaps = self.is_less(begin, own_end, true) && self.is_less(own_begin, end, true);
        let inner_begin = begin.filter(|_| self.is_less(own_begin, begin, true));
        let inner_end = end.filter(|_| self.is_less(end, own_end, true));
        overlaps.then_some((inner_begin, inner_end))
    }

    /// Reads records of the logs up to the commits that are kept, or tells a gap.
    async fn read_logs(&self, page: &mut Page<'_>, size: usize, left: &mut u64) -> Result<()> {
        let until = self.inner.feed.start().min(self.end());
        let result = self.walk(page, size, left, until).await;
        self.check_open()?;
        if let Err(error @ Error::LimitExceeded(_)) = result {
            return Err(error);
        }
        // A log that cannot be read is as good as none.
        if result != Ok(Walked::Page) && self.position.get() < until {
            page.gap(self.end());
        }
        Ok(())
    }

    async fn walk(&self, page: &mut Page<'_>, size: usize, left: &mut u64, until: SequenceNumber) -> Result<Walked> {
        let names = {
            let state = self.inner.state.borrow();
            // A log may hold a write that was refused.
            if matches!(state.status(), DbState::Degraded(_)) {
                return Ok(Walked::End);
            }
            state.logs_from(state.first_log())
        };
        let known = self.log.take().filter(|(name, _)| names.contains(name));
        let from = known.as_ref().and_then(|(name, _)| names.iter().position(|n| n == name)).unwrap_or(0);
        for name in names.into_iter().skip(from) {
            let mut reader = LogReader::open(&*self.inner.env, &name, Semantics::Prefix).await?;
            if let Some((_, end)) = known.as_ref().filter(|(known, _)| *known == name) {
                reader.skip_to(*end);
            }
            while let Some(record) = reader.next_record().await? {
                let position = self.position.get();
                let Some((first, last)) = span(&record.data) else { return Ok(Walked::End) };
                if last <= position {
                    continue;
                }
                if last > until || position.advance(1).is_none_or(|next| first > next) {
                    return Ok(Walked::End);
                }
                page.add_batch(first, last, &record.data)?;
                self.position.set(last);
                self.log.replace(Some((name.clone(), record.end)));
                *left = left.saturating_sub(to_u64(record.data.len()));
                if *left == 0 || page.bytes.len() > size {
                    return Ok(Walked::Page);
                }
            }
        }
        Ok(Walked::End)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("position", &self.position.get().get()).finish_non_exhaustive()
    }
}

#[derive(PartialEq)]
enum Walked {
    /// The page has enough.
    Page,
    /// There are no more records that continue the history.
    End,
}

fn key_of<'a>(operation: &BatchOperation<'a>) -> &'a [u8] {
    match operation {
        BatchOperation::Put { key, .. } | BatchOperation::Delete { key } => key,
    }
}

/// Returns the sequence numbers of the first and the last operation.
fn span(record: &[u8]) -> Option<(SequenceNumber, SequenceNumber)> {
    let BatchHeader { sequence, count } = BatchHeader::decode(record).ok()?;
    let first = SequenceNumber::new(sequence)?;
    Some((first, first.advance(u64::from(count).saturating_sub(1))?))
}

struct Page<'a> {
    watch: &'a Watch,
    bytes: Vec<u8>,
    count: u32,
}

impl Page<'_> {
    fn add(&mut self, last: SequenceNumber, committed: &Committed) -> Result<()> {
        match committed {
            Committed::Batch(batch) => self.add_batch(batch.sequence(), last, batch.as_bytes()),
            Committed::Clear(range) => {
                let Some((begin, end)) = self.watch.common(range) else { return Ok(()) };
                self.item(last, 1);
                self.bytes.push(CLEAR);
                self.put(begin)?;
                self.put(end)
            }
        }
    }

    /// Adds the operations of a log record that are in the range and not told yet.
    fn add_batch(&mut self, first: SequenceNumber, last: SequenceNumber, record: &[u8]) -> Result<()> {
        let start = self.bytes.len();
        self.item(last, 0);
        let told = self.watch.position.get().get();
        let mut count = 0u32;
        for (operation, sequence) in operations(record).map_while(Result::ok).zip(first.get()..) {
            if sequence <= told || !self.watch.has(key_of(&operation)) {
                continue;
            }
            count = count.saturating_add(1);
            match operation {
                BatchOperation::Delete { key } => {
                    self.bytes.push(DELETE);
                    self.put(Some(key))?;
                }
                BatchOperation::Put { key, value } => {
                    self.bytes.push(PUT);
                    self.put(Some(key))?;
                    self.put(Some(value))?;
                }
            }
        }
        if count == 0 {
            self.bytes.truncate(start);
            self.count -= 1;
        } else if let Some(field) = self.bytes.get_mut(start + COUNT_OFFSET..).and_then(<[u8]>::first_chunk_mut) {
            *field = count.to_le_bytes();
        }
        Ok(())
    }

    /// Tells that commits are missing up to `end`.
    fn gap(&mut self, end: SequenceNumber) {
        self.item(end, 0);
        self.watch.position.set(end);
    }

    fn item(&mut self, last: SequenceNumber, count: u32) {
        put_fixed64(&mut self.bytes, last.get());
        put_fixed32(&mut self.bytes, count);
        self.count += 1;
    }

    fn put(&mut self, bytes: Option<&[u8]>) -> Result<()> {
        let length = bytes.and_then(|bytes| u32::try_from(bytes.len()).ok()).unwrap_or(NO_BOUND);
        let bytes = bytes.unwrap_or_default();
        if self.bytes.try_reserve(bytes.len().saturating_add(LENGTH_SIZE)).is_err() {
            return Err(Error::LimitExceeded("no memory for a large change".into()));
        }
        put_fixed32(&mut self.bytes, length);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}
