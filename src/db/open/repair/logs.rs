//! Converts logs to tables.

use std::rc::Rc;

use super::old_manifest::OldManifest;
use super::remark::Remark;
use super::repairer::{Kept, NUMBER_MAX, Repairer};
use super::report::{RecoveredFile, damaged_log};
use super::strictness::Strictness;
use crate::base::{FileName, SequenceNumber, ValueType};
use crate::batch::BatchOperation;
use crate::db::background::new_file;
use crate::db::findings::is_finding;
use crate::db::log_walk::{Before, LogWalk, Missing};
use crate::db::open::FilesOnStorage;
use crate::error::{Error, Result};
use crate::flush::{FlushContext, build_table};
use crate::memtable::MemTable;
use crate::table::EntryCount;

/// The smallest size of the entries that are written to one table, except the last.
const GATHERED_MIN: usize = 64 << 20;

/// Entries to be written to a table.
pub(super) struct Gathered {
    memtable: Rc<MemTable>,
    pub(super) entries: u64,
    oldest: SequenceNumber,
    newest: SequenceNumber,
}

impl Gathered {
    pub(super) fn add(&mut self, sequence: SequenceNumber, value_type: ValueType, key: &[u8], value: &[u8]) {
        self.memtable.insert(sequence, value_type, key, value);
        self.entries += 1;
        self.oldest = self.oldest.min(sequence);
        self.newest = self.newest.max(sequence);
    }

    /// Reserves memory for `entries` entries of `bytes` bytes in all.
    pub(super) fn reserve(&self, entries: usize, bytes: usize) -> Result<()> {
        self.memtable.reserve(u32::try_from(entries).unwrap_or(u32::MAX), bytes)
    }
}

impl Repairer<'_> {
    /// Reads every log that may have entries not in tables, oldest first.
    pub(super) async fn logs(&mut self, files: &FilesOnStorage, old: &OldManifest) -> Result<()> {
        // If a log is missing or empty, the sequence numbers of the next one show what is lost.
        let flushed = old.is_whole().then_some(old.last_sequence.get());
        let mut before = match flushed.filter(|_| old.lacks_log(files)) {
            Some(flushed) => Before::Tables(flushed),
            None => Before::Unknown,
        };
        for (number, name) in files.all_logs() {
            self.aside.add(&name);
            if self.is_complete && old.is_done_with_log(number) {
                self.leftovers.push((name, "the manifest says that its entries are in tables"));
                continue;
            }
            if !FileName::Log(number).is_spelled(&name) || number.0 >= NUMBER_MAX {
                self.findings.push(Error::corruption(
                    &*name,
                    0,
                    "not a valid log name; read in the order of its number",
                ));
            }
            before = self.convert_log(&name, before).await?.next_log(flushed);
        }
        // What opening set aside may hold more than the log does, or the only copy of it.
        for name in files.names().iter().filter(|name| damaged_log(name).is_some()) {
            self.aside.add(name);
            let kept = self.kept.len();
            self.convert_log(name, Before::Unknown).await?;
            self.has_lost_entries |= self.kept.len() > kept;
        }
        Ok(())
    }

    /// Writes every entry of the log's sound records to tables. Returns what precedes the next log.
    async fn convert_log(&mut self, name: &str, before: Before) -> Result<Before> {
        let opened = match LogWalk::open(&**self.env, name, before).await {
            Err(error) if self.tables.gives_back(&error) => LogWalk::open(&**self.env, name, before).await,
            opened => opened,
        };
        let Some(mut walk) = self.readable(opened)? else {
            self.unused.push((name.to_owned(), "it cannot be read".into()));
            self.details.lose(name, None, None, None);
            return Ok(before);
        };
        if self.strictness >= Strictness::Doubtful {
            walk.keep_doubtful();
        }
        let mut gathered = self.gather();
        let mut entries = 0;
        loop {
            let next = walk.next_or_doubtful(&mut self.findings).await;
            // The records before an error are kept.
            let Some(Some((batch, doubt))) = self.readable(next)? else { break };
            let size = batch.record.data.len();
            self.budget.spent(size).await;
            gathered.reserve(size / 2, size)?;
            let found = batch.read(name, &mut self.findings, |sequence, operation| match operation {
                BatchOperation::Put { key, value } => gathered.add(sequence, ValueType::Value, key, value),
                BatchOperation::Delete { key } => gathered.add(sequence, ValueType::Deletion, key, &[]),
            });
            entries += found;
            if let Some(doubt) = doubt {
                self.doubt_record(name, &batch.record, doubt, found);
            }
            self.write_if_full(&mut gathered).await?;
        }
        self.write_table(gathered).await?;
        for Missing { begin, end, entries } in walk.take_missing() {
            let (file, length) = (name.to_owned(), end.saturating_sub(begin));
            let entries = Some(EntryCount::Exactly(entries));
            self.details.leave(Remark { file, offset: begin, length, reason: String::new(), entries });
        }
        let end = walk.end(&mut self.findings).await;
        let (before, lost_bytes) = self.readable(end)?.unwrap_or((before, 0));
        self.has_lost_entries |= lost_bytes > 0;
        if lost_bytes > 0 {
            self.details.lose(name, None, None, None);
        }
        if entries > 0 {
            self.recovered.push(RecoveredFile {
                file: name.to_owned(),
                entries,
                lost_bytes,
                ..RecoveredFile::default()
            });
        } else {
            let reason = if lost_bytes > 0 { "no record of it can be read" } else { "it holds no entry" };
            self.unused.push((name.to_owned(), reason.into()));
        }
        Ok(before)
    }

    /// Unwraps a read. Damaged or unreadable bytes are a finding and `None`; any other error ends
    /// the repair.
    pub(super) fn readable<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(read) => Ok(Some(read)),
            Err(error) if is_finding(&error) => {
                self.findings.push(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn gather(&self) -> Gathered {
        let memtable = Rc::new(MemTable::new(self.order.clone()));
        Gathered { memtable, entries: 0, oldest: SequenceNumber::MAX, newest: SequenceNumber::ZERO }
    }

    pub(super) async fn write_if_full(&mut self, gathered: &mut Gathered) -> Result<()> {
        if gathered.memtable.logical_size() > self.options.write_buffer_size.max(GATHERED_MIN) {
            let full = std::mem::replace(gathered, self.gather());
            self.write_table(full).await?;
        }
        Ok(())
    }

    /// Writes the gathered entries to a table of level 0.
    pub(super) async fn write_table(&mut self, gathered: Gathered) -> Result<()> {
        let number = self.new_number()?;
        let context = FlushContext { env: self.env, tables: &self.tables, order: &self.order, budget: &self.budget };
        let memtables = std::slice::from_ref(&gathered.memtable);
        if let Some(table) = build_table(&context, number, memtables, SequenceNumber::MAX).await? {
            self.last_sequence = self.last_sequence.max(gathered.newest);
            self.kept.push(Kept {
                level: 0,
                file: new_file(&table),
                entries: table.entries,
                oldest: gathered.oldest,
                newest: gathered.newest,
                rename_from: None,
                is_from_log: true,
            });
        }
        Ok(())
    }
}
