//! The state and its transitions, each from valid state to valid state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::{Buffer, Log, ManualCompaction};
use crate::base::{FileName, FileNumber, SequenceNumber};
use crate::compaction::{Compaction, pick};
use crate::error::{Error, Result};
use crate::memtable::MemTable;
use crate::version::{FileMetaData, LEVELS, Manifest, Version, VersionEdit, VersionSet};

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

/// Files by their numbers, with the names that they have.
pub(crate) type Files = BTreeMap<FileNumber, Vec<(FileName, String)>>;

/// All mutable state.
///
/// Invariants (`is_valid` checks what can be known without I/O):
/// 1. `versions.counts.last_sequence` is the sequence of the newest entry in `active`, or, after failures, a later one;
///    no entry anywhere has a later one.
/// 2. `immutables` is oldest first; all their entries are older than those of `active`, and newer than those of tables.
/// 3. Every log from `immutables[0].first_log` (or `active.first_log`) on exists; the manifest's log number is not past it, unless
///    its previous log number names it.
/// 4. Every table of `pending_outputs` is being written; no version names it yet.
/// 5. While `manifest` is `None`, nothing is removed: what the stored manifest says is not known. One that is known exists.
/// 6. Only a degraded database is `resuming`.
/// 7. `rotation_is_due` only if there is something in `active`.
pub(crate) struct State {
    pub(super) status: DbState,
    pub(super) active: Buffer,
    pub(super) immutables: VecDeque<Buffer>,
    /// `None` when read-only, and until opening has come so far.
    pub(super) log: Option<Rc<Log>>,
    pub(super) versions: VersionSet,
    pub(super) manifest: Option<Rc<Manifest>>,
    pub(super) pending_outputs: BTreeSet<FileNumber>,
    /// Files of the database known to exist, except CURRENT, LOCK and LOG.
    pub(super) files: Files,
    /// Tables that cannot be read, damaged or of a codec that this build lacks, and why: they are left alone.
    pub(super) quarantine: BTreeMap<FileNumber, Error>,
    /// A table with too many unsuccessful seeks.
    pub(super) seek_candidate: Option<(usize, Rc<FileMetaData>)>,
    pub(super) manual: VecDeque<Rc<ManualCompaction>>,
    /// Nobody writes, and the active memtable is full.
    pub(super) rotation_is_due: bool,
    /// The last background job found no descriptor for a file. Nobody works in the background until somebody tries again: the next
    /// write that owes work, or a call that asks for it.
    pub(super) held_up: Option<Error>,
    /// `resume` is at work: background work goes on though writes are refused.
    pub(super) resuming: bool,
    /// Per level: bytes read, bytes written by compactions and flushes into it.
    pub(super) level_work: [(u64, u64); LEVELS],
}

/// Opening.
impl State {
    /// Of a database whose manifest was read, or that is to be made. Its logs are not replayed yet.
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
            quarantine: BTreeMap::new(),
            seek_candidate: None,
            manual: VecDeque::new(),
            rotation_is_due: false,
            held_up: None,
            resuming: false,
            level_work: [(0, 0); LEVELS],
        };
        debug_assert!(state.is_valid());
        state
    }

    /// Read-only: what the logs gave stays in memory, up to sequence number `last`.
    pub(crate) fn keep_in_memory(&mut self, memtable: Rc<MemTable>, last: SequenceNumber) {
        self.active.memtable = memtable;
        self.versions.counts.last_sequence = last;
        debug_assert!(self.is_valid());
    }

    /// `log` takes the writes that follow those in `recovered`, whose logs must live until these are tables.
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

    /// Writing goes on in the last log and the manifest that there were. `memtable` has what logs from `first_log` on gave.
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
    /// Sequence numbers up to `last` are taken: by entries that are in the active memtable now, or by some that may be stored and
    /// are refused all the same.
    #[inline]
    pub(crate) fn use_sequences(&mut self, last: SequenceNumber) {
        debug_assert!(self.last_sequence() <= last);
        self.versions.counts.last_sequence = last;
        debug_assert!(self.is_valid());
    }

    /// The write buffer is full: it becomes immutable, and `log` takes the writes that follow.
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

    /// A full memtable, which waited for others to be flushed, is to become immutable without a writer asking for it.
    pub(crate) fn want_rotation(&mut self, is_full: bool) {
        self.rotation_is_due = is_full;
        debug_assert!(self.is_valid());
    }

    /// Whether that was wanted. It is asked once.
    pub(crate) fn take_wanted_rotation(&mut self) -> bool {
        let is_due = std::mem::take(&mut self.rotation_is_due);
        debug_assert!(self.is_valid());
        is_due
    }
}

/// Files.
impl State {
    /// A number that no file has had.
    pub(crate) fn new_file_number(&mut self) -> Result<FileNumber> {
        let number = self.versions.new_file_number()?;
        debug_assert!(self.is_valid());
        Ok(number)
    }

    /// The number of a table that is about to be written.
    pub(crate) fn new_output(&mut self) -> Result<FileNumber> {
        let number = self.versions.new_file_number()?;
        self.pending_outputs.insert(number);
        self.note_file(FileName::Table(number));
        Ok(number)
    }

    /// The job is over that wrote new tables: those that no version names are of no use.
    pub(crate) fn end_outputs(&mut self) {
        self.pending_outputs.clear();
        debug_assert!(self.is_valid());
    }

    /// A file of this name exists, or is about to.
    pub(crate) fn note_file(&mut self, name: FileName) {
        self.note_file_called(name, name.to_string());
    }

    /// The same for one whose name is spelled like this.
    pub(crate) fn note_file_called(&mut self, name: FileName, text: String) {
        if let Some(number) = name.number() {
            let names = self.files.entry(number).or_default();
            if !names.iter().any(|(_, t)| *t == text) {
                names.push((name, text));
            }
        }
        debug_assert!(self.is_valid());
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
        debug_assert!(self.is_valid());
        gone
    }
}

/// The manifest and the version.
impl State {
    /// A record is on its way to the manifest, or a new manifest must be made: until that is done, what is stored is in doubt.
    pub(crate) fn doubt_manifest(&mut self) {
        self.manifest = None;
        debug_assert!(self.is_valid());
    }

    /// A manifest is about to be made: its number, and the edit that makes the current version out of nothing.
    pub(crate) fn begin_manifest(&mut self) -> Result<(FileNumber, VersionEdit)> {
        self.doubt_manifest();
        let number = self.versions.new_file_number()?;
        self.note_file(FileName::Manifest(number));
        self.note_file(FileName::Temporary(number));
        Ok((number, self.versions.snapshot_edit()))
    }

    /// `manifest` stores the current version again.
    pub(crate) fn trust_manifest(&mut self, manifest: Rc<Manifest>) {
        self.manifest = Some(manifest);
        debug_assert!(self.is_valid());
    }

    /// `version`, which `edit` makes of the current one, becomes current: `manifest` has the edit. The entries of the oldest
    /// `flushed` immutable memtables are in its tables.
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
    /// A table has too many unsuccessful seeks. The first one that is still live is kept.
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

    /// This table is to be compacted if nothing else is due.
    pub(crate) fn choose_table(&mut self, level: usize, file: Rc<FileMetaData>) {
        self.seek_candidate = Some((level, file));
        debug_assert!(self.is_valid());
    }

    /// The compaction that is due. Whatever seeks asked for is settled with it.
    pub(crate) fn take_compaction(&mut self, file_size_max: u64) -> Option<Compaction> {
        let picked = pick(&self.pick_context(file_size_max));
        self.seek_candidate = None;
        debug_assert!(self.is_valid());
        picked
    }

    /// Somebody asks for a range to be compacted. Tables found damaged are tried again: who asks may know that the damage is gone.
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

    /// Drops all requested compactions of ranges.
    pub(crate) fn refuse_manual(&mut self, error: &Error) {
        for manual in self.manual.drain(..) {
            manual.fail(error);
        }
        debug_assert!(self.is_valid());
    }

    /// Compactions leave this table alone: it cannot be read.
    pub(crate) fn set_apart(&mut self, table: FileNumber, cause: Error) {
        self.quarantine.insert(table, cause);
        debug_assert!(self.is_valid());
    }

    /// Tables found damaged are tried again.
    pub(crate) fn trust_tables(&mut self) {
        self.quarantine.clear();
        debug_assert!(self.is_valid());
    }

    /// Stops background work until it is tried again.
    pub(crate) fn hold_up(&mut self, cause: Error) {
        self.held_up = Some(cause);
        debug_assert!(self.is_valid());
    }

    pub(crate) fn try_again(&mut self) {
        self.held_up = None;
        debug_assert!(self.is_valid());
    }

    /// Counts what a flush or a compaction into `level` has read and written.
    pub(crate) fn note_work(&mut self, level: usize, bytes_read: u64, bytes_written: u64) {
        if let Some((read, written)) = self.level_work.get_mut(level) {
            *read = read.saturating_add(bytes_read);
            *written = written.saturating_add(bytes_written);
        }
        debug_assert!(self.is_valid());
    }
}

/// Whether writes are taken.
impl State {
    /// Writing stops until `resume`.
    pub(crate) fn degrade(&mut self, cause: &Error) {
        if self.status == DbState::Open || self.resuming {
            self.status = DbState::Degraded(cause.clone());
            self.resuming = false;
        }
        debug_assert!(self.is_valid());
    }

    /// What is stored is in doubt, and what is in memory becomes tables before writes are taken again.
    pub(crate) fn begin_resume(&mut self) {
        self.manifest = None;
        self.quarantine.clear();
        self.resuming = matches!(self.status, DbState::Degraded(_));
        debug_assert!(self.is_valid());
    }

    /// All is well again, unless something failed meanwhile.
    pub(crate) fn end_resume(&mut self) {
        if self.resuming {
            self.resuming = false;
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
