//! Splits records into fragments and appends them to a file.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{BLOCK_SIZE, FragmentType, HEADER_SIZE, block_position, checksum};
use crate::base::to_u64;
use crate::env::{Durability, Env, File, Io, append_checked_as, check_taken};
use crate::error::{Error, Result};

/// A longer record is appended in pieces of about this size, so that a huge value is not copied as
/// a whole.
const APPEND_SIZE_MAX: usize = 4 << 20;
/// Size of a checksum, the first field of a fragment.
const CHECKSUM_SIZE: usize = 4;
/// The buffer is kept for reuse up to this capacity.
const BUFFER_KEPT_MAX: usize = 256 << 10;

/// Appends records to one file.
///
/// Invariants:
/// 1. The file contains complete records up to `end`, and while `state` is `Ready` it ends there.
/// 2. `end` advances only when the storage has written a complete record.
/// 3. No borrow of `buffer` is held across an await: it is taken out and put back.
pub(crate) struct LogWriter {
    env: Rc<dyn Env>,
    file: Rc<dyn File>,
    name: String,
    end: Cell<u64>,
    state: Cell<State>,
    buffer: RefCell<Vec<u8>>,
}

/// The longest record that [`LogWriter::begin`] accepts.
pub(crate) const AT_ONCE_MAX: usize = 128 << 10;

/// An append in progress.
pub(crate) struct Begun {
    /// The number of bytes that the storage reports as written.
    pub(crate) taken: Io<u64>,
    /// The number of bytes requested.
    pub(crate) asked: u64,
    /// The end of the file once they are written.
    pub(crate) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// An append began and has not succeeded: there may be bytes after `end`.
    Unfinished,
    /// A sync failed: the bytes since the last successful one may be lost, which is final.
    SyncFailed,
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter").field("name", &self.name).field("end", &self.end).finish_non_exhaustive()
    }
}

impl LogWriter {
    /// Appends to `file`, which has `end` bytes now (0 if it is new) and ends cleanly.
    pub(crate) fn new(env: Rc<dyn Env>, file: Rc<dyn File>, name: String, end: u64) -> LogWriter {
        let (end, state, buffer) = (Cell::new(end), Cell::new(State::Ready), RefCell::default());
        LogWriter { env, file, name, end, state, buffer }
    }

    /// The size of all complete records.
    pub(crate) fn size(&self) -> u64 {
        self.end.get()
    }

    /// Whether [`add_record`](LogWriter::add_record) would be tried.
    ///
    /// That is, no failed append must be truncated, and no sync has failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.state.get() == State::Ready
    }

    /// Appends one record and verifies that the storage wrote it.
    ///
    /// After an error, or if the future is dropped, nothing more is accepted until
    /// [`truncate_to_good`](LogWriter::truncate_to_good) has succeeded.
    pub(crate) async fn add_record(&self, record: &[u8]) -> Result<()> {
        self.add(record, false).await
    }

    /// The same; with `sync_follows`, the file is synced next.
    pub(crate) async fn add(&self, record: &[u8], sync_follows: bool) -> Result<()> {
        self.check_ready()?;
        self.state.set(State::Unfinished);
        let mut buffer = self.buffer.take();
        let result = self.append_in_pieces(record, &mut buffer, sync_follows).await;
        if buffer.capacity() <= BUFFER_KEPT_MAX {
            self.buffer.replace(buffer);
        }
        self.end.set(result?);
        self.state.set(State::Ready);
        Ok(())
    }

    /// Starts to append a record of at most [`AT_ONCE_MAX`] bytes.
    ///
    /// The storage must report exact counts ([`Env::appends_are_exact`]). Pass the result to
    /// [`complete`](LogWriter::complete); until then, the writer is as in
    /// [`add_record`](LogWriter::add_record).
    pub(crate) fn begin(&self, record: &[u8]) -> Result<Begun> {
        self.check_ready()?;
        let mut buffer = self.buffer.take();
        buffer.clear();
        let room = record.len().saturating_add(HEADER_SIZE << 4);
        if buffer.try_reserve(room).is_err() {
            return Err(Error::LimitExceeded(format!("no memory for {room} bytes of a log record")));
        }
        let end = self.end.get();
        Fragmenter::new(record, block_position(end)).frame(&mut buffer, usize::MAX);
        self.state.set(State::Unfinished);
        let asked = to_u64(buffer.len());
        let taken = self.file.append(&buffer);
        self.buffer.replace(buffer);
        Ok(Begun { taken, asked, end: end.saturating_add(asked) })
    }

    /// Handles the result of an append: the record is in the file, or the append has failed.
    pub(crate) fn complete(&self, asked: u64, end: u64, taken: Result<u64>) -> Result<()> {
        check_taken(&self.name, asked, taken?)?;
        self.end.set(end);
        self.state.set(State::Ready);
        Ok(())
    }

    /// Truncates a failed append, and verifies it.
    ///
    /// Afterwards the writer is usable again, unless a sync failed.
    pub(crate) async fn truncate_to_good(&self) -> Result<()> {
        let end = self.end.get();
        self.file.truncate(end).await?;
        let size = self.file.size().await?;
        if size != end {
            let message = format!("the file has {size} bytes after it was truncated to {end}");
            return Err(Error::io(&*self.name, "truncate", std::io::ErrorKind::Other, message));
        }
        if self.state.get() == State::Unfinished {
            self.state.set(State::Ready);
        }
        Ok(())
    }

    /// Invalidates the records after `end`.
    ///
    /// [`truncate_to_good`](LogWriter::truncate_to_good) will remove them.
    pub(crate) fn retract(&self, end: u64) {
        self.end.set(end.min(self.end.get()));
        if self.state.get() == State::Ready {
            self.state.set(State::Unfinished);
        }
    }

    /// Makes all records so far durable. A failure is final: no record is accepted after it.
    pub(crate) async fn sync(&self) -> Result<Durability> {
        if self.state.get() == State::SyncFailed {
            return Err(self.refusal("a sync failed"));
        }
        let result = self.file.sync().await;
        if result.is_err() {
            self.state.set(State::SyncFailed);
        }
        result
    }

    /// Frames the record and appends it; returns the new end of the file.
    async fn append_in_pieces(&self, record: &[u8], buffer: &mut Vec<u8>, sync_follows: bool) -> Result<u64> {
        let mut end = self.end.get();
        let mut fragmenter = Fragmenter::new(record, block_position(end));
        loop {
            buffer.clear();
            let room = record.len().min(APPEND_SIZE_MAX) + (HEADER_SIZE << 8);
            if buffer.try_reserve(room).is_err() {
                return Err(Error::LimitExceeded(format!("no memory for {room} bytes of a log record")));
            }
            fragmenter.frame(buffer, APPEND_SIZE_MAX);
            end = end.saturating_add(to_u64(buffer.len()));
            let sync_follows = fragmenter.done && sync_follows;
            append_checked_as(&*self.env, &*self.file, &self.name, buffer, end, sync_follows).await?;
            if fragmenter.done {
                return Ok(end);
            }
        }
    }

    fn check_ready(&self) -> Result<()> {
        match self.state.get() {
            State::Ready => Ok(()),
            State::Unfinished => Err(self.refusal("an append failed and was not truncated")),
            State::SyncFailed => Err(self.refusal("a sync failed")),
        }
    }

    #[cold]
    fn refusal(&self, cause: &str) -> Error {
        Error::Poisoned { cause: format!("{}: {cause}", self.name), maybe_applied: false }
    }
}

/// Splits one record into fragments.
#[derive(Debug)]
struct Fragmenter<'a> {
    rest: &'a [u8],
    /// Offset of the next fragment in its block.
    position: usize,
    begun: bool,
    done: bool,
}

impl<'a> Fragmenter<'a> {
    fn new(record: &'a [u8], position: usize) -> Fragmenter<'a> {
        Fragmenter { rest: record, position, begun: false, done: false }
    }

    /// Appends fragments to `out` until the record is complete or `out` has at least `size_max`
    /// bytes.
    fn frame(&mut self, out: &mut Vec<u8>, size_max: usize) {
        while !self.done && out.len() < size_max {
            self.fragment(out);
        }
    }

    fn fragment(&mut self, out: &mut Vec<u8>) {
        let left = BLOCK_SIZE.saturating_sub(self.position);
        if left < HEADER_SIZE {
            out.resize(out.len() + left, 0);
            self.position = 0;
            return;
        }
        let (payload, rest) = self.rest.split_at(self.rest.len().min(left - HEADER_SIZE));
        let kind = FragmentType::new(!self.begun, rest.is_empty()).to_byte();
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let start = out.len();
        out.extend_from_slice(&[0; CHECKSUM_SIZE]);
        out.extend_from_slice(&length.to_le_bytes());
        out.push(kind);
        out.extend_from_slice(payload);
        let fragment = out.get_mut(start..).unwrap_or_default();
        let sum = checksum(fragment);
        if let Some(field) = fragment.first_chunk_mut::<CHECKSUM_SIZE>() {
            *field = sum.to_le_bytes();
        }
        self.position += HEADER_SIZE + payload.len();
        (self.rest, self.begun, self.done) = (rest, true, rest.is_empty());
    }
}

/// Appends `record` to `out` as a file has it at `offset`; returns the end of the record.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn frame_record(record: &[u8], offset: u64, out: &mut Vec<u8>) -> u64 {
    let before = out.len();
    Fragmenter::new(record, block_position(offset)).frame(out, usize::MAX);
    offset.saturating_add(to_u64(out.len() - before))
}
