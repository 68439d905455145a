//! The queue of waiting writers and their requests.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Waker;

use crate::base::{FileNumber, SequenceNumber};
use crate::batch::WriteBatch;
use crate::db::feed::Hold;
use crate::error::{Error, Result};

/// Largest number of waiting writers.
const QUEUE_MAX: usize = 1 << 16;

/// Largest size of the writes that may wait at once, in bytes.
const QUEUE_BYTES_MAX: usize = 16 << 20;

/// The request of a ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Write the batch, or flush the log.
    Write,
    /// Start a new log and an empty memtable; not grouped with writes.
    Rotation,
    /// Delete keys of a range; not grouped, because other writes decide what is deleted.
    Clear,
}

/// A step of the deletion of a range.
pub(crate) enum Clear {
    /// Deletes the first key of the range; all entries up to this one shall go. Without keys, or if
    /// nobody wants it any more, nothing is written, and there is no mark.
    Begin(Weak<Hold>),
    /// Deletes the keys of the batch, except those written after `asked`. `read` is the last write
    /// that their reader has seen. There is no mark, and nothing written, if they must be read again.
    GoOn { asked: SequenceNumber, read: SequenceNumber },
}

/// A position between two writes.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// The last write before it.
    pub(crate) sequence: SequenceNumber,
    /// Files with smaller numbers hold no later write.
    pub(crate) next_file: FileNumber,
    /// The entries that the request has written.
    pub(crate) written: u32,
}

/// One writer in the queue.
pub(crate) struct Ticket {
    /// `None` asks only for a flush of the log, or what else the ticket wants.
    pub(super) batch: RefCell<Option<WriteBatch>>,
    pub(super) bytes: usize,
    pub(super) sync: bool,
    pub(super) wants: Wants,
    pub(super) clear: Option<Clear>,
    /// The position after a step of the deletion of a range.
    pub(super) mark: Cell<Option<Mark>>,
    pub(super) result: RefCell<Option<Result<()>>>,
    pub(super) waker: RefCell<Option<Waker>>,
}

impl Ticket {
    /// Returns whether it adds entries: a full storage still takes deletes, and flushes the log.
    pub(super) fn adds(&self) -> bool {
        self.clear.is_none() && self.batch.borrow().as_ref().is_some_and(WriteBatch::has_puts)
    }

    pub(super) fn new(batch: Option<WriteBatch>, sync: bool, wants: Wants) -> Ticket {
        let bytes = batch.as_ref().map_or(0, WriteBatch::byte_size);
        Ticket {
            batch: RefCell::new(batch),
            bytes,
            sync,
            wants,
            clear: None,
            mark: Cell::new(None),
            result: RefCell::default(),
            waker: RefCell::default(),
        }
    }

    /// A step of the deletion of a range, which deletes the keys of `batch`.
    pub(super) fn of_clear(step: Clear, batch: Option<WriteBatch>) -> Ticket {
        Ticket { clear: Some(step), ..Ticket::new(batch, false, Wants::Clear) }
    }

    pub(super) fn finish(&self, result: Result<()>) {
        self.result.replace(Some(result));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The waiting writers and the size of their batches.
#[derive(Default)]
pub(crate) struct Queue {
    tickets: VecDeque<Rc<Ticket>>,
    bytes: usize,
}

impl Queue {
    /// Refuses requests that exceed the queue's limits. A single write may always wait.
    pub(super) fn push(&mut self, ticket: Rc<Ticket>) -> Result<()> {
        let (count, bytes) = (self.tickets.len(), self.bytes.saturating_add(ticket.bytes));
        if count >= QUEUE_MAX || count > 0 && ticket.bytes > 0 && bytes > QUEUE_BYTES_MAX {
            return Err(Error::Busy(format!("{count} writes of {} bytes are already waiting", self.bytes)));
        }
        self.bytes = bytes;
        self.tickets.push_back(ticket);
        Ok(())
    }

    /// Returns whether several writers wait.
    pub(super) fn is_shared(&self) -> bool {
        self.tickets.len() > 1
    }

    /// Returns whether a quarter of the limit is in use.
    pub(super) fn is_crowded(&self) -> bool {
        self.tickets.len() > QUEUE_MAX / 4 || self.bytes > QUEUE_BYTES_MAX / 4
    }

    pub(super) fn front(&self) -> Option<&Rc<Ticket>> {
        self.tickets.front()
    }

    pub(super) fn pop(&mut self) -> Option<Rc<Ticket>> {
        let ticket = self.tickets.pop_front()?;
        self.bytes = self.bytes.saturating_sub(ticket.bytes);
        Some(ticket)
    }
}
