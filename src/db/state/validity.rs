//! Checks of the state's invariants, one by one.

use super::{Buffer, DbState, State};
use crate::base::{FileName, FileNumber};

impl State {
    /// Returns whether the invariants hold, as far as that needs no I/O. For assertions.
    pub(super) fn is_valid(&self) -> bool {
        self.nothing_is_later_than_the_last_sequence()
            && self.buffers_are_in_order()
            && self.needed_logs_exist()
            && self.pending_outputs_are_in_no_version()
            && self.manifest_exists()
            && (!self.resuming || matches!(self.status, DbState::Degraded(_)))
            && (!self.rotation_is_due || !self.active.memtable.is_empty())
    }

    /// 1. Buffers and the manifest hold the sequence numbers, since memtables do not know theirs.
    fn nothing_is_later_than_the_last_sequence(&self) -> bool {
        let (last, flushed) = (self.last_sequence(), self.versions.counts.flushed_sequence);
        flushed <= last && self.immutables.iter().all(|b| b.last_sequence <= last)
    }

    /// 2. Entries of `active` were written after the newest immutable memtable was full.
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

    /// 3. No entry was replayed from a log that is not listed.
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

    /// 5. `take_obsolete` ensures that nothing is removed without a manifest.
    fn manifest_exists(&self) -> bool {
        let is_manifest = |name: &FileName| matches!(name, FileName::Manifest(_));
        self.manifest.as_ref().is_none_or(|manifest| self.has_file(manifest.number, is_manifest))
    }

    fn has_file(&self, number: FileNumber, is: impl Fn(&FileName) -> bool) -> bool {
        self.files.get(&number).is_some_and(|names| names.iter().any(|(name, _)| is(name)))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::base::{FileKind, InternalKeyComparator, SequenceNumber, ValueType};
    use crate::db::state::Log;
    use crate::env::{Env, MemoryEnv, block_on};
    use crate::error::Error;
    use crate::log::LogWriter;
    use crate::memtable::MemTable;
    use crate::options::Options;
    use crate::version::{Manifest, NewFile, VersionEdit, VersionSet};

    fn at(n: u64) -> SequenceNumber {
        SequenceNumber::new(n).unwrap()
    }

    fn memtable() -> Rc<MemTable> {
        Rc::new(MemTable::new(InternalKeyComparator::new(Options::default().comparator)))
    }

    fn new_log(state: &mut State, env: &Rc<dyn Env>) -> Rc<Log> {
        let number = state.new_file_number().unwrap();
        let name = FileName::Log(number).to_string();
        let file = block_on(env.create(&name, FileKind::Log, 0)).unwrap();
        state.note_file(FileName::Log(number));
        Log::new(number, LogWriter::new(env.clone(), file, name, 0), false)
    }

    fn write(state: &mut State, sequence: u64) {
        state.active().reserve(1, 64).unwrap();
        state.active().insert(at(sequence), ValueType::Value, b"lake", b"Suigetsu");
        state.use_sequences(at(sequence));
    }

    /// Makes a state with entries 1 and 2 in old memtables, 3 in the active one, and a table being
    /// written.
    fn state() -> State {
        let env: Rc<dyn Env> = Rc::new(MemoryEnv::new());
        block_on(env.lock(true)).unwrap();
        let versions = VersionSet::new(InternalKeyComparator::new(Options::default().comparator));
        let mut state = State::new(versions, Default::default(), memtable());
        let log = new_log(&mut state, &env);
        state.begin_log(Vec::new(), log);
        for sequence in [1, 2] {
            write(&mut state, sequence);
            state.log().unwrap().begin_record();
            let log = new_log(&mut state, &env);
            state.rotate(memtable(), log);
        }
        write(&mut state, 3);
        let (number, snapshot) = state.begin_manifest().unwrap();
        let manifest = block_on(Manifest::create(&env, number, &[snapshot.encode()])).unwrap();
        state.trust_manifest(Rc::new(manifest));
        state.new_output().unwrap();
        state
    }

    /// Returns an edit that adds a table of this number.
    fn edit_with(number: FileNumber) -> VersionEdit {
        let mut key = b"lake".to_vec();
        key.extend_from_slice(&(1u64 << 8 | 1).to_le_bytes());
        let file = NewFile { number, size: 1, smallest: key.clone(), largest: key };
        VersionEdit { new_files: vec![(0, file)], ..VersionEdit::default() }
    }

    #[track_caller]
    fn assert_breaks(change: impl FnOnce(&mut State)) {
        let mut state = state();
        assert!(state.is_valid());
        change(&mut state);
        assert!(!state.is_valid());
    }

    #[test]
    fn an_entry_after_the_last_sequence_is_detected() {
        assert_breaks(|state| state.versions.counts.last_sequence = at(1));
        assert_breaks(|state| state.versions.counts.flushed_sequence = at(4));
        assert_breaks(|state| state.immutables[1].last_sequence = at(4));
    }

    #[test]
    fn buffers_out_of_order_are_detected() {
        assert_breaks(|state| state.immutables.swap(0, 1));
        assert_breaks(|state| state.versions.counts.last_sequence = at(2));
        assert_breaks(|state| state.versions.counts.flushed_sequence = at(2));
        assert_breaks(|state| state.immutables[0].first_log = FileNumber(90));
        assert_breaks(|state| state.immutables[1].first_log = state.active.first_log.next().unwrap());
    }

    #[test]
    fn a_missing_log_that_is_needed_is_detected() {
        let number = |log: Option<&Rc<Log>>| log.unwrap().number();
        assert_breaks(|state| _ = state.files.remove(&number(state.log.as_ref())));
        assert_breaks(|state| _ = state.files.remove(&number(state.immutables[0].logs.first())));
        assert_breaks(|state| state.versions.counts.log_number = state.immutables[1].first_log);
        assert_breaks(|state| state.active.first_log = FileNumber(90));
        let mut state = state();
        state.versions.counts.log_number = state.immutables[1].first_log;
        state.versions.counts.previous_log_number = state.immutables[0].first_log;
        assert!(state.is_valid());
    }

    #[test]
    fn an_output_in_a_version_is_detected_until_it_is_installed() {
        assert_breaks(|state| state.files.clear());
        assert_breaks(|state| _ = state.pending_outputs.insert(FileNumber(90)));
        assert_breaks(|state| {
            let edit = edit_with(*state.pending_outputs.first().unwrap());
            let version = state.next_version(&edit).unwrap();
            state.versions.install(&edit, version);
        });
        let mut state = state();
        let mut edit = edit_with(*state.pending_outputs.first().unwrap());
        (edit.log_number, edit.last_sequence) = (Some(state.after_flush(1).0), state.after_flush(1).1);
        let version = state.next_version(&edit).unwrap();
        let manifest = state.manifest().unwrap().clone();
        state.install(manifest, &edit, version, 1);
        assert!(state.is_valid() && state.pending_outputs.is_empty());
        assert_eq!((state.immutables().count(), state.first_log()), (1, edit.log_number.unwrap()));
    }

    #[test]
    fn a_flush_that_keeps_its_memtables_is_detected() {
        assert_breaks(|state| {
            let edit = VersionEdit { log_number: Some(state.after_flush(2).0), ..VersionEdit::default() };
            let version = state.next_version(&edit).unwrap();
            state.versions.install(&edit, version);
        });
    }

    #[test]
    fn a_missing_manifest_is_detected() {
        assert_breaks(|state| _ = state.files.remove(&state.manifest.as_ref().unwrap().number));
    }

    #[test]
    fn resuming_a_database_that_is_not_degraded_is_detected() {
        assert_breaks(|state| state.resuming = true);
        let mut state = state();
        state.degrade(&Error::Closed);
        state.begin_resume();
        assert!(state.is_valid() && state.works());
        state.close();
        state.end_resume();
        assert_eq!(state.status(), &DbState::Closed);
    }

    #[test]
    fn a_rotation_of_an_empty_memtable_is_detected() {
        let mut state = state();
        state.want_rotation(true);
        assert!(state.is_valid());
        assert_breaks(|state| {
            state.active.memtable = memtable();
            state.rotation_is_due = true;
        });
    }
}
