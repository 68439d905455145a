//! Queries of the state.

use std::rc::Rc;

use super::manual::Goal;
use super::{Buffer, DbState, Log, ManualCompaction, State};
use crate::base::{FileName, FileNumber, SequenceNumber, to_u64};
use crate::compaction::{Compaction, Pick, level_score, pick, pick_range, pick_rewrite};
use crate::error::{Error, Result};
use crate::memtable::MemTable;
use crate::version::{Counts, FileMetaData, LEVELS, Manifest, Version, VersionEdit};

/// The state that a read works on; it does not change while it is held.
pub(crate) struct View {
    pub(crate) active: Rc<MemTable>,
    /// Newest first.
    pub(crate) immutables: Vec<Rc<MemTable>>,
    pub(crate) version: Rc<Version>,
    pub(crate) last_sequence: SequenceNumber,
}

/// Accepting and refusing writes.
impl State {
    pub(crate) fn status(&self) -> &DbState {
        &self.status
    }

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.status == DbState::Open
    }

    /// Returns whether the storage was full a short time ago.
    #[inline]
    pub(crate) fn is_tight(&self) -> bool {
        self.tight
    }

    /// Returns whether background work may continue.
    pub(crate) fn works(&self) -> bool {
        self.is_open() || self.resuming
    }

    /// Refuses to wait for background work that has stopped.
    pub(crate) fn check_works(&self) -> Result<()> {
        match &self.status {
            DbState::Degraded(cause) if !self.resuming => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Returns whether a write may be tried. On a full disk, deletes may.
    pub(crate) fn check_writes(&self, only_deletes: bool) -> Result<()> {
        match &self.status {
            DbState::Open => Ok(()),
            DbState::Closed => Err(Error::Closed),
            DbState::Degraded(Error::Full(_))
                if only_deletes
                    && self.log_is_ready()
                    // An unfinished append in an older log may hold the next sequence number.
                    && self.older_dirty_logs().iter().all(|l| l.writer().is_ready()) =>
            {
                Ok(())
            }
            DbState::Degraded(cause @ Error::Full(_)) => Err(cause.clone()),
            DbState::Degraded(cause) => Err(Error::Poisoned { cause: cause.to_string(), maybe_applied: false }),
        }
    }
}

/// Memtables.
impl State {
    pub(crate) fn view(&self) -> View {
        View {
            active: self.active.memtable.clone(),
            immutables: self.immutables.iter().rev().map(|b| b.memtable.clone()).collect(),
            version: self.versions.current().clone(),
            last_sequence: self.last_sequence(),
        }
    }

    #[inline]
    pub(crate) fn active(&self) -> &Rc<MemTable> {
        &self.active.memtable
    }

    /// Newest first.
    #[inline]
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Rc<MemTable>> {
        std::iter::once(&self.active).chain(self.immutables.iter().rev()).map(Buffer::memtable)
    }

    /// Oldest first.
    pub(crate) fn immutables(&self) -> impl DoubleEndedIterator<Item = &Rc<MemTable>> {
        self.immutables.iter().map(Buffer::memtable)
    }

    pub(crate) fn has_immutables(&self) -> bool {
        !self.immutables.is_empty()
    }

    /// Returns the memory used by all memtables.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        self.memtables().map(|memtable| to_u64(memtable.logical_size())).sum()
    }

    #[inline]
    pub(crate) fn last_sequence(&self) -> SequenceNumber {
        self.versions.counts.last_sequence
    }

    /// Returns the oldest log needed, and the last sequence number in tables, once the oldest
    /// `count` immutable memtables are flushed.
    pub(crate) fn after_flush(&self, count: usize) -> (FileNumber, Option<SequenceNumber>) {
        let next = self.immutables.get(count).unwrap_or(&self.active);
        let newest = count.checked_sub(1).and_then(|i| self.immutables.get(i));
        (next.first_log, newest.map(|b| b.last_sequence))
    }
}

/// Logs.
impl State {
    /// Returns the log that takes writes; none when read-only.
    #[inline]
    pub(crate) fn log(&self) -> Option<&Rc<Log>> {
        self.log.as_ref()
    }

    /// Returns whether there is a log to append to.
    #[inline]
    pub(crate) fn log_is_ready(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.writer().is_ready())
    }

    /// Returns the oldest log that must be kept.
    pub(crate) fn first_log(&self) -> FileNumber {
        self.immutables.front().map_or(self.active.first_log, |b| b.first_log)
    }

    /// Returns the names of the logs from this one on, oldest first.
    pub(crate) fn logs_from(&self, first: FileNumber) -> Vec<String> {
        let files = self.files.range(first..).flat_map(|(_, names)| names);
        let logs = files.filter(|(name, _)| matches!(name, FileName::Log(_)));
        logs.map(|(_, text)| text.clone()).collect()
    }

    /// Returns logs that must be flushed before a newer one, oldest first.
    pub(crate) fn older_dirty_logs(&self) -> Vec<Rc<Log>> {
        let buffers = self.immutables.iter().chain([&self.active]);
        buffers.flat_map(|b| &b.logs).filter(|log| log.is_dirty()).cloned().collect()
    }

    /// Returns whether a log holds records that are not durable.
    pub(crate) fn is_dirty(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_dirty()) || !self.older_dirty_logs().is_empty()
    }
}

/// The manifest and the version.
impl State {
    #[inline]
    pub(crate) fn version(&self) -> &Rc<Version> {
        self.versions.current()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.versions.counts
    }

    /// Returns the manifest; `None` while the stored state is in doubt.
    pub(crate) fn manifest(&self) -> Option<&Rc<Manifest>> {
        self.manifest.as_ref()
    }

    /// Returns the version after `edit`. Refuses edits that contradict the current one.
    pub(crate) fn next_version(&self, edit: &VersionEdit) -> Result<Version, String> {
        self.versions.next_version(edit)
    }

    /// Returns the edit that describes the current version.
    pub(crate) fn snapshot_edit(&self) -> VersionEdit {
        self.versions.snapshot_edit()
    }
}

/// Background work.
impl State {
    /// Returns whether work is due.
    pub(crate) fn has_work(&self, file_size_max: u64) -> bool {
        if !self.works() || self.held_up.is_some() {
            return false;
        }
        if !self.immutables.is_empty() || !self.manual.is_empty() || self.rotation_is_due {
            return true;
        }
        let version = self.version();
        let due = (0..LEVELS).any(|level| level_score(version, level) >= 1.0) || self.seek_candidate.is_some();
        due && pick(&self.pick_context(file_size_max)).is_some()
    }

    /// Returns the reason why background work is stopped.
    pub(crate) fn held_up(&self) -> Option<&Error> {
        self.held_up.as_ref()
    }

    /// Returns the oldest requested range.
    pub(crate) fn manual(&self) -> Option<&Rc<ManualCompaction>> {
        self.manual.front()
    }

    /// Returns the level that a manual compaction works on, unless all are done.
    pub(crate) fn manual_level(&self, manual: &ManualCompaction) -> Option<usize> {
        let goal = manual.goal_or(|| {
            let (version, order) = (self.version(), self.versions.order());
            let has_keys = |level: &usize| version.overlaps(order, *level, manual.range());
            let last_level = (1..LEVELS).rev().find(has_keys).unwrap_or(1);
            Goal { last_level, since: self.counts().next_file_number }
        });
        manual.level(goal)
    }

    /// Returns whether level 0 has tables that the manual compaction has left, because it takes one
    /// at a time.
    pub(crate) fn has_more_in_level0(&self, manual: &ManualCompaction) -> bool {
        let tables = self.version().overlapping(self.versions.order(), 0, manual.range());
        self.tight && manual.since().is_some_and(|since| tables.iter().any(|file| file.number < since))
    }

    /// Returns the next round of a manual compaction in this level.
    pub(crate) fn pick_manual(
        &self,
        manual: &ManualCompaction,
        level: usize,
        file_size_max: u64,
    ) -> Option<Compaction> {
        let (next, (_, end)) = (manual.next(), manual.range());
        let (context, range) = (self.pick_context(file_size_max), (next.as_deref(), end));
        match manual.rewrites(level) {
            Some(since) => pick_rewrite(&context, level, range, since),
            None => pick_range(&context, level, range),
        }
    }

    /// Returns the reason why this table was found unreadable.
    pub(crate) fn set_apart_for(&self, file: &FileMetaData) -> Option<&Error> {
        self.quarantine.get(&file.number)
    }

    /// Returns per level the bytes read and written by its compactions and flushes.
    pub(crate) fn level_work(&self) -> &[(u64, u64); LEVELS] {
        &self.level_work
    }

    pub(super) fn pick_context(&self, max_file_size: u64) -> Pick<'_> {
        Pick {
            versions: &self.versions,
            max_file_size,
            narrow: self.tight,
            seek_candidate: self.seek_candidate.as_ref(),
            quarantine: &self.quarantine,
        }
    }
}
