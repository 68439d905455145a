//! All mutable state of one open database, its invariants and its transitions.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::driver::Driver;
use super::read::RowCache;
use super::write::Queue;
use crate::base::{FileName, FileNumber, InternalKeyComparator, SequenceNumber, SnapshotList, to_u64};
use crate::budget::Budget;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::{Event, LiveCounters};
use crate::log::LogWriter;
use crate::memtable::MemTable;
use crate::options::Options;
use crate::table::TableCache;
use crate::version::{FileMetaData, Manifest, Version, VersionSet};

/// Whether a database takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DbState {
    /// All is well.
    Open,
    /// Reads go on; writes are refused with this cause until `resume` succeeds. While the cause is a full disk, deletes
    /// are still tried.
    Degraded(Error),
    /// Closed.
    Closed,
}

/// A memtable and the logs that hold its entries.
#[derive(Clone)]
pub(crate) struct Buffer {
    pub(crate) memtable: Rc<MemTable>,
    /// The oldest log with one of its entries: this and all newer logs must live until the memtable is a table.
    pub(crate) first_log: FileNumber,
    /// Logs with its entries that have not been flushed to storage since their last record, oldest first.
    pub(crate) logs: Vec<Rc<Log>>,
    /// Once immutable: no entry has a later one, and the next log begins right after it.
    pub(crate) last_sequence: SequenceNumber,
}

impl Buffer {
    /// An empty one, whose entries will be in logs from `first_log` on.
    pub(crate) fn new(memtable: Rc<MemTable>, first_log: FileNumber) -> Buffer {
        Buffer { memtable, first_log, logs: Vec::new(), last_sequence: SequenceNumber::ZERO }
    }
}

/// A write-ahead log being written, or written to its end.
pub(crate) struct Log {
    pub(crate) number: FileNumber,
    pub(crate) writer: LogWriter,
    /// Whether records were added since the last flush. A log that is not dirty is empty, or durable with its name.
    pub(crate) dirty: Cell<bool>,
    /// Whether its name is known to be durable.
    pub(crate) name_durable: Cell<bool>,
}

/// A range that the user asked to be compacted, level after level.
pub(crate) struct ManualCompaction {
    pub(crate) begin: Option<Vec<u8>>,
    pub(crate) end: Option<Vec<u8>>,
    pub(crate) level: Cell<usize>,
    /// Where the next round in this level begins.
    pub(crate) next: RefCell<Option<Vec<u8>>>,
    pub(crate) last_level: Cell<usize>,
    pub(crate) done: Cell<bool>,
    /// Damage that kept a part of the range from being compacted.
    pub(crate) error: RefCell<Option<Error>>,
}

/// All mutable state.
///
/// Invariants:
/// 1. `versions.counts.last_sequence` is the sequence of the newest entry in `active`, or, after failures, a later one;
///    no entry anywhere has a later one.
/// 2. `immutables` is oldest first; all their entries are older than those of `active`.
/// 3. Every log from `immutables[0].first_log` (or `active.first_log`) on exists; the manifest's log number is not past it.
/// 4. Every table of `pending_outputs` is being written; no version names it yet.
/// 5. While `manifest` is `None`, nothing is removed: what the stored manifest says is not known.
pub(crate) struct State {
    pub(crate) status: DbState,
    pub(crate) active: Buffer,
    pub(crate) immutables: VecDeque<Buffer>,
    /// `None` when read-only.
    pub(crate) log: Option<Rc<Log>>,
    pub(crate) versions: VersionSet,
    pub(crate) manifest: Option<Rc<Manifest>>,
    pub(crate) pending_outputs: BTreeSet<FileNumber>,
    /// Files of the database known to exist, except CURRENT, LOCK and LOG.
    pub(crate) files: BTreeMap<FileNumber, Vec<(FileName, String)>>,
    pub(crate) quarantine: BTreeSet<FileNumber>,
    pub(crate) seek_candidate: Option<(usize, Rc<FileMetaData>)>,
    pub(crate) manual: VecDeque<Rc<ManualCompaction>>,
    /// Nobody writes, and the active memtable is full.
    pub(crate) rotation_is_due: bool,
    /// The last background job found no descriptor for a file. Nobody works in the background until somebody tries again: the next
    /// write that owes work, or a call that asks for it.
    pub(crate) held_up: Option<Error>,
    /// `resume` is at work: background work goes on though writes are refused.
    pub(crate) resuming: bool,
    /// Per level: bytes read, bytes written by compactions and flushes into it.
    pub(crate) level_work: [(u64, u64); crate::version::LEVELS],
}

/// One open database.
pub(crate) struct Inner {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) options: Options,
    pub(crate) order: InternalKeyComparator,
    pub(crate) tables: Rc<TableCache>,
    pub(crate) rows: RefCell<RowCache>,
    pub(crate) counters: Rc<LiveCounters>,
    pub(crate) snapshots: Rc<SnapshotList>,
    pub(crate) state: RefCell<State>,
    pub(crate) queue: RefCell<Queue>,
    /// Commits of groups of writers.
    pub(crate) commits: Driver<Rc<Inner>>,
    /// Flushes and compactions.
    pub(crate) background: Driver<Rc<Inner>>,
    pub(crate) budget: Budget,
    /// Work that writes owe to the background, in bytes.
    pub(crate) debt: Cell<u64>,
    /// Whether level 0 has so many tables that writers do more work each.
    pub(crate) slowed: Cell<bool>,
    /// A stalled commit has worked for long: the host gets its chance when the write is done.
    pub(crate) owes_turn: Cell<bool>,
    pub(crate) closed: Rc<Cell<bool>>,
    pub(crate) locked: Cell<bool>,
    pub(crate) recovery: super::report::RecoveryReport,
}

impl Inner {
    /// Tells whoever listens.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.options.listener
            && listener.listens()
        {
            listener.event(&event());
        }
    }

    /// Refuses calls on a closed database.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.get() { Err(Error::Closed) } else { Ok(()) }
    }

    /// Everything that a read at this moment needs.
    pub(crate) fn view(&self) -> View {
        let state = self.state.borrow();
        View {
            active: state.active.memtable.clone(),
            immutables: state.immutables.iter().rev().map(|b| b.memtable.clone()).collect(),
            version: state.versions.current().clone(),
            last_sequence: state.versions.counts.last_sequence,
        }
    }

    /// A file number that nothing has had, for a table that is about to be written.
    pub(crate) fn new_output(&self) -> Result<FileNumber> {
        let mut state = self.state.borrow_mut();
        let number = state.versions.new_file_number()?;
        state.pending_outputs.insert(number);
        state.note_file(FileName::Table(number));
        Ok(number)
    }

    /// Writing stops until `resume`.
    pub(crate) fn degrade(&self, cause: &Error) {
        let mut state = self.state.borrow_mut();
        if state.status == DbState::Open || state.resuming {
            state.status = DbState::Degraded(cause.clone());
            state.resuming = false;
        }
        drop(state);
        self.emit(|| Event::BackgroundError { message: cause.to_string() });
    }
}

impl State {
    pub(crate) fn last_sequence(&self) -> SequenceNumber {
        self.versions.counts.last_sequence
    }

    /// A file of this name exists, or is about to.
    pub(crate) fn note_file(&mut self, name: FileName) {
        self.note_file_called(name, name.to_string());
    }

    pub(crate) fn note_file_called(&mut self, name: FileName, text: String) {
        if let Some(number) = name.number() {
            let names = self.files.entry(number).or_default();
            if !names.iter().any(|(_, t)| *t == text) {
                names.push((name, text));
            }
        }
    }

    /// Whether background work may go on.
    pub(crate) fn works(&self) -> bool {
        self.status == DbState::Open || self.resuming
    }

    /// The oldest log that must be kept.
    pub(crate) fn first_log(&self) -> FileNumber {
        self.immutables.front().map_or(self.active.first_log, |b| b.first_log)
    }

    /// Names of the logs from this one on, oldest first.
    pub(crate) fn logs_from(&self, first: FileNumber) -> Vec<String> {
        let files = self.files.range(first..).flat_map(|(_, names)| names);
        let logs = files.filter(|(name, _)| matches!(name, FileName::Log(_)));
        logs.map(|(_, text)| text.clone()).collect()
    }

    /// Keys, values and what they cost beside, in all memtables.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        std::iter::once(&self.active).chain(&self.immutables).map(|b| to_u64(b.memtable.logical_size())).sum()
    }

    /// The write buffer is full: it becomes immutable, and `log` takes the writes that follow.
    pub(crate) fn rotate(&mut self, memtable: Rc<MemTable>, log: Rc<Log>) {
        let mut full = std::mem::replace(&mut self.active, Buffer::new(memtable, log.number));
        full.last_sequence = self.last_sequence();
        self.rotation_is_due = false;
        if let Some(old) = self.log.replace(log)
            && old.dirty.get()
        {
            full.logs.push(old);
        }
        self.immutables.push_back(full);
    }

    /// The oldest `count` immutable memtables are in tables now.
    pub(crate) fn drop_flushed(&mut self, count: usize) {
        self.immutables.drain(..count.min(self.immutables.len()));
    }

    /// Logs that must be flushed before a newer one, oldest first.
    pub(crate) fn older_dirty_logs(&self) -> Vec<Rc<Log>> {
        let buffers = self.immutables.iter().chain([&self.active]);
        buffers.flat_map(|b| &b.logs).filter(|log| log.dirty.get()).cloned().collect()
    }

    /// Whether some log has what is not durable.
    pub(crate) fn is_dirty(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.dirty.get()) || !self.older_dirty_logs().is_empty()
    }

    /// Names of files that nothing needs any more. Empty while the stored manifest is in doubt.
    pub(crate) fn take_obsolete(&mut self) -> Vec<(FileName, String)> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        if !self.works() {
            return Vec::new();
        }
        let (manifest, first_log) = (manifest.number, self.first_log().min(self.versions.counts.log_number));
        let live = self.versions.live_tables();
        let pending = &self.pending_outputs;
        let needed = |name: &FileName| match name {
            FileName::Table(n) => live.contains(n) || pending.contains(n),
            FileName::Log(n) => *n >= first_log || *n == self.versions.counts.previous_log_number,
            FileName::Manifest(n) => *n >= manifest,
            FileName::Temporary(n) => pending.contains(n),
            FileName::Current | FileName::Lock | FileName::InfoLog => true,
        };
        let mut gone = Vec::new();
        self.files.retain(|_, names| {
            names.retain(|(name, text)| {
                let keep = needed(name);
                if !keep {
                    gone.push((*name, text.clone()));
                }
                keep
            });
            !names.is_empty()
        });
        gone
    }
}

/// Whether a write may be tried. With a full disk, deletes may.
pub(crate) fn check_state(inner: &Inner, only_deletes: bool) -> Result<()> {
    inner.check_open()?;
    let state = inner.state.borrow();
    match &state.status {
        DbState::Open => Ok(()),
        DbState::Closed => Err(Error::Closed),
        DbState::Degraded(Error::Full(_))
            if only_deletes
                && state.log.as_ref().is_some_and(|l| l.writer.is_ready())
                // What an unfinished append left in an older log may have the next sequence number.
                && state.older_dirty_logs().iter().all(|l| l.writer.is_ready()) =>
        {
            Ok(())
        }
        DbState::Degraded(cause @ Error::Full(_)) => Err(cause.clone()),
        DbState::Degraded(cause) => Err(Error::Poisoned { cause: cause.to_string(), maybe_applied: false }),
    }
}

/// What a read works on; it stays as it is whatever happens meanwhile.
pub(crate) struct View {
    pub(crate) active: Rc<MemTable>,
    /// Newest first.
    pub(crate) immutables: Vec<Rc<MemTable>>,
    pub(crate) version: Rc<Version>,
    pub(crate) last_sequence: SequenceNumber,
}
