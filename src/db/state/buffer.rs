//! Memtables with the logs that hold their entries.

use std::cell::Cell;
use std::rc::Rc;

use crate::base::{FileNumber, SequenceNumber};
use crate::log::LogWriter;
use crate::memtable::MemTable;

/// A memtable and the logs that hold its entries.
#[derive(Clone)]
pub(crate) struct Buffer {
    pub(super) memtable: Rc<MemTable>,
    /// The oldest log with one of its entries: this and all newer logs must live until the memtable is a table.
    pub(super) first_log: FileNumber,
    /// Logs with its entries that have not been flushed to storage since their last record, oldest first.
    pub(super) logs: Vec<Rc<Log>>,
    /// Once immutable: no entry has a later one, and the next log begins right after it.
    pub(super) last_sequence: SequenceNumber,
}

impl Buffer {
    /// One whose entries are, or will be, in logs from `first_log` on.
    pub(crate) fn new(memtable: Rc<MemTable>, first_log: FileNumber) -> Buffer {
        Buffer { memtable, first_log, logs: Vec::new(), last_sequence: SequenceNumber::ZERO }
    }

    /// The same, of which no entry has a later sequence number than `last`.
    pub(crate) fn up_to(self, last: SequenceNumber) -> Buffer {
        Buffer { last_sequence: last, ..self }
    }

    pub(crate) fn memtable(&self) -> &Rc<MemTable> {
        &self.memtable
    }
}

/// A write-ahead log being written, or written to its end.
pub(crate) struct Log {
    number: FileNumber,
    writer: LogWriter,
    /// Whether records were added since the last flush. A log that is not dirty is empty, or durable with its name.
    dirty: Cell<bool>,
    /// Whether its name is known to be durable.
    name_durable: Cell<bool>,
}

impl Log {
    /// A log that is durable as far as it goes. The name may not be.
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

    /// Whether it has what is not durable.
    #[inline]
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.get()
    }

    /// A record is about to be added.
    #[inline]
    pub(crate) fn begin_record(&self) {
        self.dirty.set(true);
    }

    /// A record was cut off again, and that is not durable: what the log holds is not before its name is.
    pub(crate) fn cut(&self) {
        self.dirty.set(self.dirty.get() || !self.name_durable.get());
    }

    /// All of it was flushed to storage.
    pub(crate) fn flushed(&self) {
        self.dirty.set(false);
    }

    pub(crate) fn has_durable_name(&self) -> bool {
        self.name_durable.get()
    }

    /// Names were made durable since it was made.
    pub(crate) fn name_is_durable(&self) {
        self.name_durable.set(true);
    }
}
