//! The invariants of the state, sentence by sentence.

use super::{Buffer, DbState, State};
use crate::base::{FileName, FileNumber};

impl State {
    /// Whether the invariants hold, as far as that can be known without I/O. For assertions.
    pub(super) fn is_valid(&self) -> bool {
        self.nothing_is_later_than_the_last_sequence()
            && self.buffers_are_in_order()
            && self.needed_logs_exist()
            && self.pending_outputs_are_in_no_version()
            && self.manifest_exists()
            && (!self.resuming || matches!(self.status, DbState::Degraded(_)))
            && (!self.rotation_is_due || !self.active.memtable.is_empty())
    }

    /// 1. Memtables do not know the sequence numbers of their entries, buffers and the manifest do.
    fn nothing_is_later_than_the_last_sequence(&self) -> bool {
        let (last, flushed) = (self.last_sequence(), self.versions.counts.flushed_sequence);
        flushed <= last && self.immutables.iter().all(|b| b.last_sequence <= last)
    }

    /// 2. What is in `active` was written after the newest immutable was full.
    fn buffers_are_in_order(&self) -> bool {
        let older_first = |(a, b): (&Buffer, &Buffer)| a.last_sequence <= b.last_sequence && a.first_log <= b.first_log;
        let (oldest, newest) = (self.immutables.front(), self.immutables.back());
        self.immutables.iter().zip(self.immutables.iter().skip(1)).all(older_first)
            && oldest.is_none_or(|b| self.versions.counts.flushed_sequence <= b.last_sequence)
            && newest.is_none_or(|b| {
                b.first_log <= self.active.first_log
                    && (self.active.memtable.is_empty() || b.last_sequence < self.last_sequence())
            })
    }

    /// 3. Of a log whose file is not listed nothing could be replayed.
    fn needed_logs_exist(&self) -> bool {
        let counts = &self.versions.counts;
        let first = self.first_log();
        let buffers = self.immutables.iter().chain([&self.active]);
        let mut older = buffers.flat_map(|b| b.logs.iter().map(|log| (b.first_log, log.number())));
        (counts.log_number <= first || counts.previous_log_number == first)
            && older.all(|(first, log)| first <= log && self.has_file(log, |name| matches!(name, FileName::Log(_))))
            && self.log.as_ref().is_none_or(|log| {
                self.active.first_log <= log.number()
                    && self.has_file(log.number(), |name| matches!(name, FileName::Log(_)))
            })
    }

    /// 4.
    fn pending_outputs_are_in_no_version(&self) -> bool {
        let next = self.versions.counts.next_file_number;
        let version = self.versions.current();
        self.pending_outputs
            .iter()
            .all(|number| *number < next && self.has_file(*number, |name| matches!(name, FileName::Table(_))))
            && (self.pending_outputs.is_empty()
                || version.files().all(|(_, file)| !self.pending_outputs.contains(&file.number)))
    }

    /// 5. That nothing is removed without it is for `take_obsolete` to see to.
    fn manifest_exists(&self) -> bool {
        let is_manifest = |name: &FileName| matches!(name, FileName::Manifest(_));
        self.manifest.as_ref().is_none_or(|manifest| self.has_file(manifest.number, is_manifest))
    }

    fn has_file(&self, number: FileNumber, is: impl Fn(&FileName) -> bool) -> bool {
        self.files.get(&number).is_some_and(|names| names.iter().any(|(name, _)| is(name)))
    }
}
