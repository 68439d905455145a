//! Events and counters. No event is built if there is no listener.

use std::cell::Cell;

use crate::base::FileNumber;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A flush of memtables has begun.
    FlushBegin {
        /// Number of memtables.
        memtables: usize,
        /// Entries in them.
        entries: u64,
        /// Approximate bytes of their keys and values.
        bytes: u64,
    },
    /// Memtables were written to a table at `level` (no table if they had no entries).
    Flush {
        /// The new table.
        table: Option<FileNumber>,
        /// Its level.
        level: usize,
        /// Its size in bytes.
        bytes: u64,
        /// Number of memtables it was made from.
        memtables: usize,
        /// Entries in it.
        entries: u64,
    },
    /// A merge of tables of `level` and `output_level` has begun.
    CompactionBegin {
        /// The upper level.
        level: usize,
        /// The level of the new tables: the next, or the same if `compact_range` rewrites its tables.
        output_level: usize,
        /// Number of tables to read.
        inputs: Vec<FileNumber>,
        /// Their bytes.
        bytes: u64,
        /// Whether only the manifest will change.
        trivial_move: bool,
    },
    /// Tables of `level` and `output_level` were merged into tables of `output_level`.
    Compaction {
        /// The upper level.
        level: usize,
        /// The level of the new tables: the next, or the same if `compact_range` rewrites its tables.
        output_level: usize,
        /// Tables read.
        inputs: Vec<FileNumber>,
        /// Tables written (in a trivial move, the inputs themselves).
        outputs: Vec<FileNumber>,
        /// Bytes of the tables read (0 in a trivial move).
        bytes_read: u64,
        /// Bytes of the tables written (0 in a trivial move).
        bytes_written: u64,
        /// Whether only the manifest changed.
        trivial_move: bool,
    },
    /// A write had to wait, or to do more background work than usual.
    Stall {
        /// The reason.
        cause: StallCause,
    },
    /// Writes continue as usual.
    StallEnd {
        /// The reason for which they did not.
        cause: StallCause,
    },
    /// A table or log was created.
    FileCreated {
        /// Its name.
        name: String,
    },
    /// A file was removed because it is no longer needed.
    FileRemoved {
        /// Its name.
        name: String,
    },
    /// Background work failed; see `Db::state`.
    BackgroundError {
        /// The error's text.
        message: String,
    },
}

/// The reason why writes take longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StallCause {
    /// Level 0 has enough tables to slow writers down: each write does more background work.
    Level0Slowdown,
    /// A write waits: level 0 has enough tables to stop writers.
    Level0Stop,
    /// A write waits: the write buffer is full and the previous one is not flushed yet.
    MemtableFull,
}

/// Receives events.
///
/// Called between steps of the engine, never inside one: it may read the database but must return
/// quickly.
pub trait Listener {
    /// Called with each event, in order.
    fn event(&self, event: &Event);
    /// Whether events are wanted now; if not, they are not built.
    fn listens(&self) -> bool {
        true
    }
}

/// Running totals since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Entries written (puts and deletes).
    pub entries_written: u64,
    /// Bytes of keys and values written by users.
    pub bytes_in: u64,
    /// Bytes appended to write-ahead logs.
    pub bytes_logged: u64,
    /// Log records (one per group of writers).
    pub log_records: u64,
    /// Syncs of the log.
    pub log_syncs: u64,
    /// Bytes of tables written by flushes.
    pub bytes_flushed: u64,
    /// Bytes of tables written by compactions.
    pub bytes_compacted: u64,
    /// Bytes of tables read by compactions.
    pub bytes_compaction_read: u64,
    /// Point look-ups.
    pub gets: u64,
    /// Blocks read from storage.
    pub block_reads: u64,
    /// Bytes of these blocks, as stored.
    pub block_read_bytes: u64,
    /// Blocks found in the block cache.
    pub block_cache_hits: u64,
    /// Point look-ups answered by the row cache, which is consulted before tables.
    pub row_cache_hits: u64,
    /// Tables that a filter excluded.
    pub filter_negatives: u64,
    /// Tables opened.
    pub table_opens: u64,
    /// Work budgets of background work that were used.
    pub slices: u64,
    /// Writes that waited.
    pub stalls: u64,
}

/// The running totals; shared by all parts of one open database.
#[derive(Debug, Default)]
pub(crate) struct LiveCounters {
    pub(crate) entries_written: Cell<u64>,
    pub(crate) bytes_in: Cell<u64>,
    pub(crate) bytes_logged: Cell<u64>,
    pub(crate) log_records: Cell<u64>,
    pub(crate) log_syncs: Cell<u64>,
    pub(crate) bytes_flushed: Cell<u64>,
    pub(crate) bytes_compacted: Cell<u64>,
    pub(crate) bytes_compaction_read: Cell<u64>,
    pub(crate) gets: Cell<u64>,
    pub(crate) block_reads: Cell<u64>,
    pub(crate) block_read_bytes: Cell<u64>,
    pub(crate) block_cache_hits: Cell<u64>,
    pub(crate) row_cache_hits: Cell<u64>,
    pub(crate) filter_negatives: Cell<u64>,
    pub(crate) table_opens: Cell<u64>,
    pub(crate) slices: Cell<u64>,
    pub(crate) stalls: Cell<u64>,
}

impl LiveCounters {
    /// The current totals.
    pub(crate) fn read(&self) -> Counters {
        Counters {
            entries_written: self.entries_written.get(),
            bytes_in: self.bytes_in.get(),
            bytes_logged: self.bytes_logged.get(),
            log_records: self.log_records.get(),
            log_syncs: self.log_syncs.get(),
            bytes_flushed: self.bytes_flushed.get(),
            bytes_compacted: self.bytes_compacted.get(),
            bytes_compaction_read: self.bytes_compaction_read.get(),
            gets: self.gets.get(),
            block_reads: self.block_reads.get(),
            block_read_bytes: self.block_read_bytes.get(),
            block_cache_hits: self.block_cache_hits.get(),
            row_cache_hits: self.row_cache_hits.get(),
            filter_negatives: self.filter_negatives.get(),
            table_opens: self.table_opens.get(),
            slices: self.slices.get(),
            stalls: self.stalls.get(),
        }
    }
}

/// Adds to one total.
#[inline]
pub(crate) fn count(counter: &Cell<u64>, by: u64) {
    counter.set(counter.get().wrapping_add(by));
}
