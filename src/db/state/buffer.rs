//! Memtables and the logs that hold their entries.

use std::cell::Cell;
use std::rc::Rc;

use crate::base::{FileNumber, SequenceNumber};
use crate::log::LogWriter;
use crate::memtable::MemTable;

/// A memtable and the logs that hold its entries.
#[derive(Clone)]
pub(crate) struct Buffer {
    pub(super) memtable: Rc<MemTable>,
    /// The oldest log with one of its entries: it and newer logs must stay until the memtable is
    /// flushed.
    pub(super) first_log: FileNumber,
    /// Logs with its entries that have records not yet durable, oldest first.
    pub(super) logs: Vec<Rc<Log>>,
    /// Set when it becomes immutable: its last sequence number, directly before the next log.
    pub(super) last_sequence: SequenceNumber,
}

impl Buffer {
    /// Makes a buffer whose entries are in logs from `first_log` on.
    pub(crate) fn new(memtable: Rc<MemTable>, first_log: FileNumber) -> Buffer {
        Buffer { memtable, first_log, logs: Vec::new(), last_sequence: SequenceNumber::ZERO }
    }

    /// Makes an immutable buffer without entries after sequence number `last`.
    pub(crate) fn up_to(self, last: SequenceNumber) -> Buffer {
        Buffer { last_sequence: last, ..self }
    }

    pub(crate) fn memtable(&self) -> &Rc<MemTable> {
        &self.memtable
    }
}

/// A write-ahead log, open or complete.
pub(crate) struct Log {
    number: FileNumber,
    writer: LogWriter,
    /// Whether records were added since the last flush. A log that is not dirty is empty, or
    /// durable with its name.
    dirty: Cell<bool>,
    /// Whether its name is known to be durable.
    name_durable: Cell<bool>,
}

impl Log {
    /// Makes a log whose content is durable; its name may not be.
    pub(crate) fn new(number: FileNumber, writer: LogWriter, name_durable: bool) -> Rc<Log> {
        Rc::new(Log { number, writer, dirty: Cell::new(false), name_durable: Cell::new(name_durable) })
    }

    #[inline]
    pub(crate) fn number(&self) -> FileNumber {
        self.number
    }

    #[inline]
    pub(crate) fn writer(&self) -> &LogWriter {
        &self.writer
    }

    /// Returns whether it holds records that are not durable.
    #[inline]
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.get()
    }

    /// Notes that a record is about to be added.
    #[inline]
    pub(crate) fn begin_record(&self) {
        self.dirty.set(true);
    }

    /// Notes that a record was cut off and that the cut is not durable until the name is.
    pub(crate) fn cut(&self) {
        self.dirty.set(self.dirty.get() || !self.name_durable.get());
    }

    /// Notes that its content is durable.
    pub(crate) fn flushed(&self) {
        self.dirty.set(false);
    }

    pub(crate) fn has_durable_name(&self) -> bool {
        self.name_durable.get()
    }

    /// Notes that its name is durable.
    pub(crate) fn name_is_durable(&self) {
        self.name_durable.set(true);
    }
}
