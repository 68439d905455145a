//! Converts logs to tables.

use std::rc::Rc;

use super::old_manifest::OldManifest;
use super::repairer::{Kept, NUMBER_MAX, Repairer};
use super::report::{RecoveredFile, damaged_log};
use crate::base::{FileName, SequenceNumber, ValueType};
use crate::batch::BatchOperation;
use crate::db::background::new_file;
use crate::db::findings::is_finding;
use crate::db::log_walk::{Before, LogWalk};
use crate::db::open::FilesOnStorage;
use crate::error::{Error, Result};
use crate::flush::{FlushContext, build_table};
use crate::memtable::MemTable;

/// A table is made of at least so many bytes of entries, where there are so many.
const GATHERED_MIN: usize = 64 << 20;

/// Entries on their way to a table.
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

    /// Makes room for entries of so many bytes in all.
    pub(super) fn reserve(&self, entries: usize, bytes: usize) -> Result<()> {
        self.memtable.reserve(u32::try_from(entries).unwrap_or(u32::MAX), bytes)
    }
}

impl Repairer<'_> {
    /// Reads every log that something may still be in, oldest first.
    pub(super) async fn logs(&mut self, files: &FilesOnStorage, old: &OldManifest) -> Result<()> {
        // Where a log is missing or empty, the next one shows what it held.
        let flushed = old.is_whole().then_some(old.last_sequence.get());
        let mut before = match flushed.filter(|_| old.lacks_log(files)) {
            Some(flushed) => Before::Tables(flushed),
            None => Before::Unknown,
        };
        for (number, name) in files.all_logs() {
            self.aside.add(&name);
            if self.is_complete && old.is_done_with_log(number) {
                self.leftovers.push((name, "the manifest says that what it holds is in tables"));
                continue;
            }
            if !FileName::Log(number).is_spelled(&name) || number.0 >= NUMBER_MAX {
                self.findings.push(Error::corruption(
                    &*name,
                    0,
                    "a log cannot keep this name; read in the order of its number",
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

    /// Makes tables of every entry of the log's sound records. Returns what is known then.
    async fn convert_log(&mut self, name: &str, before: Before) -> Result<Before> {
        let opened = match LogWalk::open(&**self.env, name, before).await {
            Err(error) if self.tables.gives_back(&error) => LogWalk::open(&**self.env, name, before).await,
            opened => opened,
        };
        let Some(mut walk) = self.readable(opened)? else {
            self.unused.push((name.to_owned(), "it cannot be read".into()));
            return Ok(before);
        };
        let mut gathered = self.gather();
        let mut entries = 0;
        loop {
            let next = walk.next(&mut self.findings).await;
            // The records before an error are kept.
            let Some(Some(batch)) = self.readable(next)? else { break };
            let size = batch.record.data.len();
            self.budget.spent(size).await;
            gathered.reserve(size / 2, size)?;
            entries += batch.read(name, &mut self.findings, |sequence, operation| match operation {
                BatchOperation::Put { key, value } => gathered.add(sequence, ValueType::Value, key, value),
                BatchOperation::Delete { key } => gathered.add(sequence, ValueType::Deletion, key, &[]),
            });
            self.write_if_full(&mut gathered).await?;
        }
        self.write_table(gathered).await?;
        let end = walk.end(&mut self.findings).await;
        let (before, lost_bytes) = self.readable(end)?.unwrap_or((before, 0));
        self.has_lost_entries |= lost_bytes > 0;
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

    /// What was read. Bytes that are damaged or cannot be read are a finding and `None`; an error of any other kind, or one that
    /// says nothing of the file, ends the repair.
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

    /// Makes a table of what was gathered. It is placed like the newest of level 0.
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
