//! Iterates over a table: the index block's iterator, and one over each data block.
//!
//! The moves, and the damage that [`OnBadBlock::Skip`] skips, are LevelDB's:
//! `table/two_level_iterator.cc`.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::block::{Block, BlockIterator};
use super::decode::Stored;
use super::handle::BlockHandle;
use super::options::BlockRead;
use super::reader::Table;
use crate::env::Io;
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, OnBadBlock, Step};

/// Blocks read one by one before a scan reads ahead.
const READ_AHEAD_AFTER: u32 = 2;
/// Blocks that a seek may leave in the cache.
const SOUGHT: u32 = 2;
/// A hostile table may have a bad block every few bytes.
const SKIPPED_LISTED_MAX: usize = 1000;
/// Half of the first read-ahead; each further one is twice as large.
const READ_AHEAD_FIRST: u64 = 8 << 10;

/// Iterates over a table.
///
/// Invariants:
/// 1. `data` is over the block of `loaded`; while that is `None` it is not valid.
/// 2. While a move is `unfinished`, `data` is not valid and `index` is at the missing block.
pub(crate) struct TableIterator {
    table: Rc<Table>,
    read: BlockRead,
    index: BlockIterator,
    data: BlockIterator,
    loaded: Option<BlockHandle>,
    /// The block that could not be read.
    ///
    /// With `Skip` it is not tried again while `index` is at it, as in LevelDB.
    failed: Option<BlockHandle>,
    unfinished: Option<Goal>,
    /// The target of an unfinished seek.
    target: Vec<u8>,
    fill: Fill,
    ahead: ReadAhead,
    /// Bytes read in file order since the last seek.
    passed: u32,
    /// Blocks loaded since then.
    sought: u32,
    error: Option<Error>,
    /// With `Skip`: the errors skipped, including the first.
    skipped: Vec<Error>,
}

/// The position to take in the next block, which also gives the direction if there is no such
/// entry.
#[derive(Clone, Copy, PartialEq)]
enum Goal {
    First,
    Last,
    Target,
}

/// The read that a move waits for.
enum Fill {
    Idle,
    Reading { offset: u64, io: Io<Vec<u8>> },
    Read { offset: u64, result: Result<Vec<u8>> },
}

/// Bytes of the file from `offset` that were read ahead.
#[derive(Default)]
struct ReadAhead {
    offset: u64,
    bytes: Vec<u8>,
}

impl ReadAhead {
    fn get(&self, offset: u64, size: usize) -> Option<&[u8]> {
        let at = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        self.bytes.get(at..at.checked_add(size)?)
    }
}

impl Table {
    /// An iterator over all entries, in order.
    pub(crate) fn iter(self: &Rc<Table>, read: BlockRead) -> TableIterator {
        TableIterator::new(self.clone(), read)
    }
}

impl TableIterator {
    pub(super) fn new(table: Rc<Table>, read: BlockRead) -> TableIterator {
        let index = BlockIterator::new(table.index().clone());
        let data = BlockIterator::new(table.index().clone());
        TableIterator {
            table,
            read,
            index,
            data,
            loaded: None,
            failed: None,
            unfinished: None,
            target: Vec::new(),
            fill: Fill::Idle,
            ahead: ReadAhead::default(),
            passed: 0,
            sought: 0,
            error: None,
            skipped: Vec::new(),
        }
    }

    /// With [`OnBadBlock::Skip`]: errors skipped since the last call, at most
    /// [`SKIPPED_LISTED_MAX`].
    pub(crate) fn take_skipped(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.skipped)
    }

    /// Abandons an unfinished move before a seek.
    fn begin(&mut self) {
        self.unfinished = None;
        self.fill = Fill::Idle;
        self.passed = 0;
        self.sought = 0;
        if self.read.policy.on_bad_block == OnBadBlock::Stop {
            self.error = None;
            self.failed = None;
            self.index.clear_error();
            self.data.clear_error();
        }
    }

    /// Moves to the first entry that fits `goal`, from the block at `index` on.
    ///
    /// Skips blocks without one.
    fn enter(&mut self, mut goal: Goal, target: &[u8]) -> Step {
        loop {
            if !self.index.valid() {
                self.data.invalidate();
                self.note_index_error();
                return Step::Done;
            }
            match self.load(goal) {
                Poll::Pending => {
                    self.wait(goal, target);
                    return Step::NeedsBlock;
                }
                Poll::Ready(true) => match goal {
                    Goal::First => self.data.seek_to_first(),
                    Goal::Last => self.data.seek_to_last(),
                    Goal::Target => self.data.seek(self.table.order(), target),
                },
                Poll::Ready(false) => {}
            }
            if self.data.valid() || self.stops() {
                return Step::Done;
            }
            goal = self.next_block(goal);
        }
    }

    /// Moves `index` to the next block in the direction, and returns the position to take in it.
    fn next_block(&mut self, goal: Goal) -> Goal {
        if goal == Goal::Last {
            self.index.prev();
            Goal::Last
        } else {
            self.index.next();
            Goal::First
        }
    }

    /// Moves to the next or previous block, because this one is at its end.
    #[cold]
    fn leave_block(&mut self, goal: Goal) -> Step {
        if self.unfinished.is_some() || self.stops() || !self.index.valid() {
            return Step::Done;
        }
        let goal = self.next_block(goal);
        self.enter(goal, &[])
    }

    /// Whether the move must end here because of damage.
    fn stops(&mut self) -> bool {
        if let Some(error) = self.data.error()
            && self.loaded.is_some()
        {
            let error = self.data.block().error(self.table.name(), error);
            self.note(error);
        }
        let stops = self.read.policy.on_bad_block == OnBadBlock::Stop && self.error.is_some();
        if stops {
            self.data.invalidate();
        }
        stops
    }

    fn note_index_error(&mut self) {
        if let Some(error) = self.index.error() {
            let error = self.index.block().error(self.table.name(), error);
            self.note(error);
        }
    }

    #[cold]
    fn note(&mut self, error: Error) {
        let listed = self.read.policy.on_bad_block == OnBadBlock::Skip && self.skipped.len() < SKIPPED_LISTED_MAX;
        if listed && self.skipped.last() != Some(&error) {
            self.skipped.push(error.clone());
        }
        self.error.get_or_insert(error);
    }

    fn wait(&mut self, goal: Goal, target: &[u8]) {
        self.unfinished = Some(goal);
        if goal == Goal::Target {
            self.target.clear();
            self.target.extend_from_slice(target);
        }
    }

    /// Loads the block at `index` into `data`. False if it cannot be read.
    fn load(&mut self, goal: Goal) -> Poll<bool> {
        let handle = match self.table.handle(&self.index) {
            Ok(handle) => handle,
            Err(error) => return self.give_up(None, error),
        };
        if self.loaded == Some(handle) {
            return Poll::Ready(true);
        }
        if self.failed == Some(handle) {
            return Poll::Ready(false);
        }
        if let Some(block) = self.table.cached(handle, self.read) {
            self.data.set(block);
            self.loaded = Some(handle);
            return Poll::Ready(true);
        }
        match self.fetch(handle, goal) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(true),
            Poll::Ready(Err(error)) => self.give_up(Some(handle), error),
        }
    }

    fn give_up(&mut self, handle: Option<BlockHandle>, error: Error) -> Poll<bool> {
        self.unload();
        self.failed = handle;
        self.note(error);
        Poll::Ready(false)
    }

    /// Releases the block of `data`; returns its buffer if it has no other owner.
    fn unload(&mut self) -> Vec<u8> {
        self.loaded = None;
        self.failed = None;
        let block = self.data.set(self.table.index().clone());
        Rc::into_inner(block).map(Block::into_bytes).unwrap_or_default()
    }

    /// Reads the block of `handle`, or takes it from the bytes read ahead.
    fn fetch(&mut self, handle: BlockHandle, goal: Goal) -> Poll<Result<()>> {
        let size = self.table.stored_size(handle)?;
        if self.ahead.get(handle.offset, size).is_none() {
            let Poll::Ready(mut bytes) = self.read_file(handle.offset, size, goal) else {
                self.data.invalidate();
                return Poll::Pending;
            };
            // The error may be in the bytes read after the block itself.
            if matches!(bytes, Err(Error::Io(_)))
                && self.read.policy.on_bad_block == OnBadBlock::Skip
                && self.read.read_ahead > 0
            {
                self.read.read_ahead = 0;
                let Poll::Ready(again) = self.read_file(handle.offset, size, goal) else {
                    self.data.invalidate();
                    return Poll::Pending;
                };
                bytes = again;
            }
            let bytes = bytes?;
            if bytes.len() <= size {
                return Poll::Ready(self.install(handle, Stored::Owned(bytes)));
            }
            self.ahead = ReadAhead { offset: handle.offset, bytes };
        }
        let ahead = std::mem::take(&mut self.ahead);
        let result = self.install(handle, Stored::Slice(ahead.get(handle.offset, size).unwrap_or_default()));
        self.ahead = ahead;
        Poll::Ready(result)
    }

    fn install(&mut self, handle: BlockHandle, stored: Stored<'_>) -> Result<()> {
        let mut buffer = self.unload();
        if buffer.capacity() == 0 {
            buffer = self.table.buffer(usize::try_from(handle.size).unwrap_or(usize::MAX));
        }
        let mut read = self.read;
        read.fill_cache |= read.fill_sought && self.sought < SOUGHT;
        self.sought = self.sought.saturating_add(1);
        let block = self.table.admit(handle, stored, buffer, read)?;
        self.data.set(block);
        self.loaded = Some(handle);
        Ok(())
    }

    /// The size of the next read.
    ///
    /// A scan that has just begun may end soon; one without the cache is known to be long.
    fn read_ahead(&mut self) -> u64 {
        let most = u64::from(self.read.read_ahead);
        if !self.read.use_cache {
            return most;
        }
        self.passed = self.passed.saturating_add(1);
        match self.passed {
            0..=READ_AHEAD_AFTER => 0,
            passed => most.min(READ_AHEAD_FIRST << (passed - READ_AHEAD_AFTER).min(16)),
        }
    }

    /// Reads `size` bytes from `offset`, or more if blocks are read in file order.
    fn read_file(&mut self, offset: u64, size: usize, goal: Goal) -> Poll<Result<Vec<u8>>> {
        match std::mem::replace(&mut self.fill, Fill::Idle) {
            Fill::Read { offset: at, result } if at == offset => return Poll::Ready(result),
            reading @ Fill::Reading { .. } => {
                self.fill = reading;
                return Poll::Pending;
            }
            Fill::Idle | Fill::Read { .. } => {}
        }
        let mut length = size;
        if goal == Goal::First && self.read.read_ahead > 0 {
            let ahead = self.read_ahead().min(self.table.data_end().saturating_sub(offset));
            length = length.max(usize::try_from(ahead).unwrap_or(size));
        }
        let buffer = if length == size { self.table.buffer(size) } else { Vec::new() };
        match self.table.file().read_into(offset, length, buffer) {
            Io::Ready(result) => Poll::Ready(result.unwrap_or(Err(Error::Closed))),
            io @ Io::Pending(_) => {
                self.fill = Fill::Reading { offset, io };
                Poll::Pending
            }
        }
    }
}

impl InternalIterator for TableIterator {
    #[inline]
    fn valid(&self) -> bool {
        self.data.valid()
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.data.key()
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.data.value()
    }

    fn status(&self) -> Result<()> {
        self.error.clone().map_or(Ok(()), Err)
    }

    fn seek_to_first(&mut self) -> Step {
        self.begin();
        self.index.seek_to_first();
        self.enter(Goal::First, &[])
    }

    fn seek_to_last(&mut self) -> Step {
        self.begin();
        self.index.seek_to_last();
        self.enter(Goal::Last, &[])
    }

    fn seek(&mut self, target: &[u8]) -> Step {
        self.begin();
        self.table.seek_index(&mut self.index, target);
        self.enter(Goal::Target, target)
    }

    #[inline]
    fn next(&mut self) -> Step {
        self.data.next();
        if self.data.valid() { Step::Done } else { self.leave_block(Goal::First) }
    }

    #[inline]
    fn prev(&mut self) -> Step {
        self.data.prev();
        if self.data.valid() { Step::Done } else { self.leave_block(Goal::Last) }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Fill::Reading { offset, io } = &mut self.fill {
            let offset = *offset;
            let Poll::Ready(result) = Pin::new(io).poll(cx) else { return Poll::Pending };
            self.fill = Fill::Read { offset, result };
        }
        Poll::Ready(())
    }

    fn resume(&mut self) -> Step {
        let Some(goal) = self.unfinished.take() else { return Step::Done };
        let target = std::mem::take(&mut self.target);
        let step = self.enter(goal, &target);
        if self.target.is_empty() {
            self.target = target;
        }
        step
    }
}
