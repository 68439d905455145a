//! The mutable state and its transitions, each from one valid state to another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::{Buffer, Log, ManualCompaction};
use crate::base::{FileName, FileNumber, SequenceNumber, Sorted};
use crate::compaction::{Compaction, pick};
use crate::error::{Error, Result};
use crate::memtable::MemTable;
use crate::table::FinishedTable;
use crate::version::{FileMetaData, LEVELS, Manifest, Version, VersionEdit, VersionSet};

/// Whether a database accepts writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DbState {
    /// Writes are accepted.
    Open,
    /// Reads work; writes fail with this error until `resume` succeeds. If the disk is full,
    /// deletes are still tried, and `tidy` tries to accept writes again.
    Degraded(Error),
    /// The database is closed.
    Closed,
}

/// Files by number, with their names.
pub(crate) type Files = BTreeMap<FileNumber, Vec<(FileName, String)>>;

/// All mutable state of a database.
///
/// Invariants (`is_valid` checks all that need no I/O):
/// 1. `versions.counts.last_sequence` is at least the sequence of every entry. It is that of the
///    newest entry in `active` unless a write failed.
/// 2. `immutables` is oldest first; its entries are older than those of `active`, newer than
///    tables.
/// 3. Every log from `immutables[0].first_log` (or `active.first_log`) on exists; the manifest's
///    log number is not past it, unless the previous log number names it.
/// 4. Every table of `pending_outputs` is being written; no version names it yet.
/// 5. While `manifest` is `None` the stored manifest is in doubt, and nothing is removed. A known
///    manifest exists.
/// 6. `resuming` implies degraded.
/// 7. `rotation_is_due` implies that `active` is not empty.
pub(crate) struct State {
    pub(super) status: DbState,
    pub(super) active: Buffer,
    pub(super) immutables: VecDeque<Buffer>,
    /// `None` when read-only, and until opening has created it.
    pub(super) log: Option<Rc<Log>>,
    pub(super) versions: VersionSet,
    pub(super) manifest: Option<Rc<Manifest>>,
    pub(super) pending_outputs: BTreeSet<FileNumber>,
    /// Files known to exist, except CURRENT, LOCK and LOG.
    pub(super) files: Files,
    /// Tables that are damaged or need a codec that this build lacks, with the error. Compactions
    /// skip them.
    pub(super) quarantine: Sorted<FileNumber, Error>,
    /// A table with too many seeks that found nothing.
    pub(super) seek_candidate: Option<(usize, Rc<FileMetaData>)>,
    pub(super) manual: VecDeque<Rc<ManualCompaction>>,
    /// The active memtable is full and no write is in progress.
    pub(super) rotation_is_due: bool,
    /// The last job ran out of file descriptors. Background work stops until the next write that
    /// owes work, or a call that asks for it.
    pub(super) held_up: Option<Error>,
    /// Background work continues, or is tried again, though writes are refused.
    pub(super) resuming: bool,
    /// A record that was refused may be in the log.
    pub(super) log_is_in_doubt: bool,
    /// The storage was full: memtables, tables and compactions are small until all work is done.
    pub(super) tight: bool,
    /// Per level: bytes read and written by its compactions and flushes.
    pub(super) level_work: [(u64, u64); LEVELS],
}

/// Opening.
impl State {
    /// Makes the state after the manifest was read or before one is created; no log is replayed
    /// yet.
    pub(crate) fn new(versions: VersionSet, files: Files, memtable: Rc<MemTable>) -> State {
        let state = State {
            status: DbState::Open,
            active: Buffer::new(memtable, versions.counts.log_number),
            immutables: VecDeque::new(),
            log: None,
            versions,
            manifest: None,
            pending_outputs: BTreeSet::new(),
            files,
            quarantine: Sorted::default(),
            seek_candidate: None,
            manual: VecDeque::new(),
            rotation_is_due: false,
            held_up: None,
            resuming: false,
            log_is_in_doubt: false,
            tight: false,
            level_work: [(0, 0); LEVELS],
        };
        debug_assert!(state.is_valid());
        state
    }

    /// Keeps replayed entries in memory, up to sequence number `last`, for a read-only database.
    pub(crate) fn keep_in_memory(&mut self, memtable: Rc<MemTable>, last: SequenceNumber) {
        self.active.memtable = memtable;
        self.versions.counts.last_sequence = last;
        debug_assert!(self.is_valid());
    }

    /// Directs new writes to `log`; the logs of `recovered` stay until it is flushed.
    pub(crate) fn begin_log(&mut self, recovered: Vec<Buffer>, log: Rc<Log>) {
        self.immutables.extend(recovered);
        let last = self.last_sequence();
        if let Some(newest) = self.immutables.back_mut() {
            newest.last_sequence = last;
        }
        self.active.first_log = log.number();
        self.log = Some(log);
        debug_assert!(self.is_valid());
    }

    /// Reuses the last log and the manifest. `memtable` holds the entries of logs from `first_log`
    /// on.
    pub(crate) fn continue_log(
        &mut self,
        memtable: Rc<MemTable>,
        first_log: FileNumber,
        log: Rc<Log>,
        manifest: Rc<Manifest>,
    ) {
        self.active = Buffer::new(memtable, first_log);
        self.log = Some(log);
        self.manifest = Some(manifest);
        debug_assert!(self.is_valid());
    }
}

/// Writing.
impl State {
    /// Marks sequence numbers up to `last` as used: by entries now in the active memtable, or by
    /// refused ones that may still be stored.
    #[inline]
    pub(crate) fn use_sequences(&mut self, last: SequenceNumber) {
        debug_assert!(self.last_sequence() <= last);
        self.versions.counts.last_sequence = last;
        debug_assert!(self.is_valid());
    }

    /// Makes the full write buffer immutable; `log` takes new writes.
    pub(crate) fn rotate(&mut self, memtable: Rc<MemTable>, log: Rc<Log>) {
        let mut full = std::mem::replace(&mut self.active, Buffer::new(memtable, log.number()));
        full.last_sequence = self.last_sequence();
        self.rotation_is_due = false;
        if let Some(old) = self.log.replace(log)
            && old.is_dirty()
        {
            full.logs.push(old);
        }
        self.immutables.push_back(full);
        debug_assert!(self.is_valid());
    }

    /// Requests that a full memtable becomes immutable without waiting for a writer.
    pub(crate) fn want_rotation(&mut self, is_full: bool) {
        self.rotation_is_due = is_full;
        debug_assert!(self.is_valid());
    }

    /// Returns and clears that request.
    pub(crate) fn take_wanted_rotation(&mut self) -> bool {
        let is_due = std::mem::take(&mut self.rotation_is_due);
        debug_assert!(self.is_valid());
        is_due
    }
}

/// Files.
impl State {
    /// Returns an unused file number.
    pub(crate) fn new_file_number(&mut self) -> Result<FileNumber> {
        let number = self.versions.new_file_number()?;
        debug_assert!(self.is_valid());
        Ok(number)
    }

    /// Reserves the number of a table to be written.
    pub(crate) fn new_output(&mut self) -> Result<FileNumber> {
        let number = self.versions.new_file_number()?;
        self.pending_outputs.insert(number);
        self.note_file(FileName::Table(number));
        Ok(number)
    }

    /// Ends a job: its outputs that no version names are obsolete.
    pub(crate) fn end_outputs(&mut self) {
        self.pending_outputs.clear();
        debug_assert!(self.is_valid());
    }

    /// Records that a file of this name exists or is about to.
    pub(crate) fn note_file(&mut self, name: FileName) {
        self.note_file_called(name, name.to_string());
    }

    /// Records a file whose name has this spelling.
    pub(crate) fn note_file_called(&mut self, name: FileName, text: String) {
        if let Some(number) = name.number() {
            let names = self.files.entry(number).or_default();
            if !names.iter().any(|(_, t)| *t == text) {
                names.push((name, text));
            }
        }
        debug_assert!(self.is_valid());
    }

    /// Takes the names of obsolete files; none while the stored manifest is in doubt.
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
        debug_assert!(self.is_valid());
        gone
    }
}

/// The manifest and the version.
impl State {
    /// Marks the stored state as in doubt, while a record or a new manifest is being written.
    pub(crate) fn doubt_manifest(&mut self) {
        self.manifest = None;
        debug_assert!(self.is_valid());
    }

    /// Returns the number of a new manifest and the edit that describes the current version.
    pub(crate) fn begin_manifest(&mut self) -> Result<(FileNumber, VersionEdit)> {
        self.doubt_manifest();
        let number = self.versions.new_file_number()?;
        self.note_file(FileName::Manifest(number));
        self.note_file(FileName::Temporary(number));
        Ok((number, self.versions.snapshot_edit()))
    }

    /// Records that `manifest` stores the current version.
    pub(crate) fn trust_manifest(&mut self, manifest: Rc<Manifest>) {
        self.manifest = Some(manifest);
        debug_assert!(self.is_valid());
    }

    /// Makes `version` current, once the manifest stores `edit`. Its tables hold the oldest
    /// `flushed` immutable memtables.
    pub(crate) fn install(&mut self, manifest: Rc<Manifest>, edit: &VersionEdit, version: Version, flushed: usize) {
        self.manifest = Some(manifest);
        self.versions.install(edit, version);
        for (_, file) in &edit.new_files {
            self.pending_outputs.remove(&file.number);
        }
        self.immutables.drain(..flushed.min(self.immutables.len()));
        debug_assert!(self.is_valid());
    }
}

/// Background work.
impl State {
    /// Records a table with too many fruitless seeks; the first live one is kept.
    pub(crate) fn charge_table(&mut self, level: usize, file: &Rc<FileMetaData>) {
        let version = self.versions.current();
        let live =
            |(level, file): &(usize, Rc<FileMetaData>)| version.level(*level).iter().any(|f| f.number == file.number);
        let taken = self.seek_candidate.as_ref().is_some_and(live);
        if !taken && self.status == DbState::Open {
            self.seek_candidate = Some((level, file.clone()));
        }
        debug_assert!(self.is_valid());
    }

    /// Requests compaction of this table when nothing else is due.
    pub(crate) fn choose_table(&mut self, level: usize, file: Rc<FileMetaData>) {
        self.seek_candidate = Some((level, file));
        debug_assert!(self.is_valid());
    }

    /// Returns the compaction that is due, and clears the request made by seeks.
    pub(crate) fn take_compaction(&mut self, file_size_max: u64) -> Option<Compaction> {
        let picked = pick(&self.pick_context(file_size_max));
        self.seek_candidate = None;
        debug_assert!(self.is_valid());
        picked
    }

    /// Requests compaction of a range. Damaged tables are tried again: the damage may be gone.
    pub(crate) fn add_manual(&mut self, manual: Rc<ManualCompaction>) {
        self.quarantine.clear();
        self.manual.push_back(manual);
        debug_assert!(self.is_valid());
    }

    pub(crate) fn finish_manual(&mut self, manual: &Rc<ManualCompaction>) {
        manual.finish();
        self.manual.retain(|m| !Rc::ptr_eq(m, manual));
        debug_assert!(self.is_valid());
    }

    /// Ends all manual compactions.
    pub(crate) fn refuse_manual(&mut self, error: &Error) {
        for manual in self.manual.drain(..) {
            manual.fail(error);
        }
        debug_assert!(self.is_valid());
    }

    /// Excludes an unreadable table from compactions.
    pub(crate) fn set_apart(&mut self, table: FileNumber, cause: Error) {
        self.quarantine.insert(table, cause);
        debug_assert!(self.is_valid());
    }

    /// Allows compactions of damaged tables again.
    pub(crate) fn trust_tables(&mut self) {
        self.quarantine.clear();
        debug_assert!(self.is_valid());
    }

    /// Stops background work until it is requested again.
    pub(crate) fn hold_up(&mut self, cause: Error) {
        self.held_up = Some(cause);
        debug_assert!(self.is_valid());
    }

    pub(crate) fn try_again(&mut self) {
        self.held_up = None;
        debug_assert!(self.is_valid());
    }

    /// Counts the work of a flush or compaction into `level`, and notes which of its tables are
    /// compact.
    pub(crate) fn note_outputs(&mut self, level: usize, bytes_read: u64, outputs: &[FinishedTable]) {
        if let Some((read, written)) = self.level_work.get_mut(level) {
            *read = read.saturating_add(bytes_read);
            *written = outputs.iter().fold(*written, |sum, table| sum.saturating_add(table.size));
        }
        for file in self.versions.current().level(level) {
            if outputs.iter().any(|table| table.number == file.number && table.is_compact) {
                file.is_compact.set(true);
            }
        }
        debug_assert!(self.is_valid());
    }
}

/// Accepting and refusing writes.
impl State {
    /// Refuses writes until `resume`.
    pub(crate) fn degrade(&mut self, cause: &Error) {
        if self.status == DbState::Open || self.resuming {
            self.status = DbState::Degraded(cause.clone());
            self.resuming = false;
        }
        debug_assert!(self.is_valid());
    }

    /// Starts `resume`: the stored state is in doubt, and memtables are flushed before writes
    /// resume.
    pub(crate) fn begin_resume(&mut self) {
        self.manifest = None;
        self.quarantine.clear();
        self.resuming = matches!(self.status, DbState::Degraded(_));
        debug_assert!(self.is_valid());
    }

    /// Tries background work again where the storage was full, if the logs are sound, and accepts
    /// writes once all full memtables are flushed.
    pub(crate) fn retry_full(&mut self) {
        let is_full = matches!(self.status, DbState::Degraded(Error::Full(_)));
        if is_full && !self.log_is_in_doubt && self.check_writes(true).is_ok() {
            self.resuming = true;
            // Deletes may make the table of an older memtable smaller.
            self.rotation_is_due = !self.active.memtable.is_empty();
            self.end_flushed_resume();
        }
        debug_assert!(self.is_valid());
    }

    /// Notes that the log may hold a record that was refused: `resume` leaves it first.
    pub(crate) fn doubt_log(&mut self) {
        self.log_is_in_doubt = true;
    }

    /// Accepts writes again if all full memtables are flushed.
    pub(crate) fn end_flushed_resume(&mut self) {
        if self.immutables.is_empty() {
            self.end_resume();
        }
    }

    /// The storage is full: works in small steps from now on. Returns whether that is new.
    pub(crate) fn tighten(&mut self) -> bool {
        !std::mem::replace(&mut self.tight, true)
    }

    /// Works in steps of the usual size again.
    pub(crate) fn relax(&mut self) {
        self.tight = false;
    }

    /// Accepts writes again, unless something failed meanwhile.
    pub(crate) fn end_resume(&mut self) {
        if self.resuming {
            self.resuming = false;
            self.log_is_in_doubt = false;
            self.status = DbState::Open;
        }
        debug_assert!(self.is_valid());
    }

    pub(crate) fn close(&mut self) {
        self.status = DbState::Closed;
        self.resuming = false;
        debug_assert!(self.is_valid());
    }
}
