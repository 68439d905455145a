//! Replays the logs when a database is opened, and decides what damage costs.
//!
//! A log holds a prefix of the history; its end decides which writes are lost:
//!
//! ```text
//! clean     the file ends with a record
//! torn      nothing valid follows: a crash cut off the last record, which was not yet durable
//! gap       valid, newer records follow, so acknowledged writes are missing; or older records
//!           follow, which belong to another log, so this log's own records are missing
//! ```
//! Point-in-time recovery keeps the prefix before the first gap, and copies the damaged logs to
//! `NNNNNN.log.damaged`. Compat recovery skips the damage, and writes what it replayed to a table: a
//! later open in another mode must not stop at the damage, before newer writes.

use std::hint::black_box;
use std::rc::Rc;

use super::verdict::{Batch, Ending, judge, judge_leniently, judge_tail, jump_to, sequences_of};
use crate::base::{FileName, FileNumber, InternalKeyComparator, SequenceNumber, ValueType};
use crate::batch::{BatchOperation, operations};
use crate::budget::Budget;
use crate::bugs::{Bug, seeded};
use crate::db::background::new_file;
use crate::db::report::{LeftBehind, LogReport, RecoveryReport};
use crate::db::state::{Buffer, Inner};
use crate::env::{Durability, Io};
use crate::error::{Error, Malformed, Result};
use crate::flush::{FlushContext, build_compact_table};
use crate::log::{LogReader, Record, Semantics};
use crate::memtable::MemTable;
use crate::options::{Options, RecoveryMode};
use crate::version::VersionEdit;

/// Full write buffers kept until the database is open. With more, or with more bytes in all, they
/// are flushed to one table during replay.
const FULL_MAX: usize = 2;

const FULL_BYTES_MAX: usize = 8 << 20;

/// Memory that must be free for the next record, once to read it and once to insert it.
const ROOM_MIN: usize = 1 << 20;

/// The state of log replay.
pub(super) struct Recovery {
    pub(super) mode: RecoveryMode,
    pub(super) paranoid: bool,
    pub(super) write_buffer_size: usize,
    pub(super) order: InternalKeyComparator,
    /// Oldest first.
    pub(super) full: Vec<Buffer>,
    pub(super) memtable: Rc<MemTable>,
    /// The oldest log with an entry in `memtable`.
    pub(super) first_log: Option<FileNumber>,
    pub(super) edit: VersionEdit,
    pub(super) last_sequence: SequenceNumber,
    /// The largest sequence number seen anywhere, also in lost records.
    pub(super) seen: SequenceNumber,
    /// The smallest sequence number that later batches may have.
    pub(super) next_in_logs: u64,
    pub(super) flushed: bool,
    /// The last sequence number in the logs replayed so far.
    pub(super) replayed: Option<SequenceNumber>,
    /// The offset of the clean end of the last log.
    pub(super) clean_end: Option<(FileNumber, u64)>,
    /// The first log that is damaged or follows damage.
    pub(super) gap_from: Option<FileNumber>,
    /// Logs in which damage was skipped.
    pub(super) damaged: Vec<FileNumber>,
    pub(super) empty_logs: Vec<FileNumber>,
    /// Flushes of logs that were begun before the replay.
    pub(super) flushes: Vec<(FileNumber, Io<Durability>)>,
    pub(super) budget: Budget,
    pub(super) report: RecoveryReport,
}

impl Recovery {
    pub(super) fn new(options: &Options, order: InternalKeyComparator, last_sequence: SequenceNumber) -> Recovery {
        Recovery {
            mode: options.recovery,
            paranoid: options.paranoid_checks,
            write_buffer_size: options.write_buffer_size,
            full: Vec::new(),
            memtable: Rc::new(MemTable::new(order.in_memory())),
            order,
            first_log: None,
            edit: VersionEdit::default(),
            last_sequence,
            seen: last_sequence,
            next_in_logs: 0,
            flushed: false,
            replayed: None,
            clean_end: None,
            gap_from: None,
            damaged: Vec::new(),
            empty_logs: Vec::new(),
            flushes: Vec::new(),
            budget: Budget::of_call(&options.pause),
            report: RecoveryReport::default(),
        }
    }

    pub(super) async fn replay(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        let mut torn = self.missing_log(inner, logs);
        self.report.missing_log.clone_from(&torn);
        let mut before: Option<FileNumber> = None;
        for (number, name) in logs {
            if self.gap_from.is_some() {
                self.look_through(inner, name).await?;
                continue;
            }
            // A log lost entirely, or cut between two records, shows only in the first sequence
            // number of the next one.
            let follows = torn.is_some() || before.is_some();
            if follows
                && self.mode != RecoveryMode::Compat
                && !seeded(Bug::GapNotSeen)
                && let Some(jump) = jump_to(&*inner.env, name, self.replayed.unwrap_or(self.last_sequence)).await?
            {
                // The entries lost from the older log precede those of this one.
                let error = torn.take().unwrap_or(jump);
                if self.mode == RecoveryMode::Strict || self.paranoid {
                    return Err(error);
                }
                self.gap(before.unwrap_or(*number), error);
                self.look_through(inner, name).await?;
                continue;
            }
            torn = self.replay_log(inner, *number, name).await?;
            before = Some(*number);
        }
        Ok(())
    }

    /// Handles a missing log that the manifest names: newer logs may then follow a gap.
    fn missing_log(&self, inner: &Inner, logs: &[(FileNumber, String)]) -> Option<Error> {
        let named = inner.state.borrow().counts().log_number;
        let there = named == FileNumber(0) || logs.iter().any(|(number, _)| *number == named);
        (!there).then(|| Error::missing(FileName::Log(named).to_string(), "the manifest names this log"))
    }

    /// Records that the file is not read from `offset` on.
    fn leave(&mut self, name: &str, offset: u64, size: u64) {
        if size > offset {
            self.report.left.push(LeftBehind { name: name.to_owned(), offset, bytes: size - offset });
        }
    }

    fn gap(&mut self, from: FileNumber, error: Error) {
        self.gap_from = Some(from);
        self.report.gap = Some(error);
        self.clean_end = None;
    }

    /// Scans a log that is not replayed, because its sequence numbers must not be reused.
    async fn look_through(&mut self, inner: &Inner, name: &str) -> Result<()> {
        let mut reader = LogReader::open(&*inner.env, name, Semantics::Compat { verify: true }).await?;
        self.leave(name, 0, reader.file_size().await?);
        while let Some(record) = reader.next_record().await? {
            self.saw(&record);
        }
        Ok(())
    }

    fn saw(&mut self, record: &Record) {
        if let Some((_, last)) = sequences_of(&record.data) {
            self.seen = self.seen.max(last);
        }
    }

    /// Replays the log's prefix. Returns the damage if nothing valid follows it.
    async fn replay_log(&mut self, inner: &Inner, number: FileNumber, name: &str) -> Result<Option<Error>> {
        let compat = self.mode == RecoveryMode::Compat;
        let semantics = if compat { Semantics::Compat { verify: true } } else { Semantics::Prefix };
        let mut reader = LogReader::open(&*inner.env, name, semantics).await?;
        let mut log = LogReport { name: name.to_owned(), batches: 0, entries: 0, damage: None };
        let size = reader.file_size().await?;
        let mut end = 0;
        let mut bad_batch = None;
        let mut held: Option<Record> = None;
        while let Some(record) = reader.next_record().await? {
            self.budget.spent(record.data.len()).await;
            let record = if seeded(Bug::RecoveryOffByOne) {
                match held.replace(record) {
                    Some(record) => record,
                    None => continue,
                }
            } else {
                record
            };
            self.saw(&record);
            let batch =
                if compat { judge_leniently(&record) } else { judge(&record, self.last_sequence, self.next_in_logs) };
            let entered = match batch {
                Ok(batch) => {
                    let size = record.data.len();
                    let entries = batch.count.min(u32::try_from(size).unwrap_or(u32::MAX));
                    // A lack of memory is not damage.
                    self.memtable.reserve(entries, size)?;
                    self.apply(number, &record, batch, &mut log)
                }
                Err(malformed) => Err(malformed),
            };
            match entered {
                Ok(()) => end = record.end,
                Err(malformed) => {
                    let error = malformed.in_file(name, record.offset);
                    if !compat || self.paranoid {
                        bad_batch = Some(error);
                        break;
                    }
                    log.damage.get_or_insert(error);
                }
            }
            if inner.options.read_only {
                continue;
            }
            if self.memtable.logical_size() > self.write_buffer_size {
                self.set_aside(number);
            }
            if self.is_crowded(record.data.len()) {
                self.flush(inner).await?;
            }
        }
        let damages = reader.take_damages();
        let first_damage = damages.first().map(|d| Error::corruption(name, d.offset, &*d.reason));
        if log.batches == 0 {
            self.empty_logs.push(number);
        }
        let torn = if compat {
            if self.paranoid
                && let Some(error) = bad_batch.or(first_damage.clone())
            {
                return Err(error);
            }
            log.damage = log.damage.take().or(first_damage);
            if log.damage.is_some() {
                self.damaged.push(number);
            }
            self.clean_end = log.damage.is_none().then_some((number, reader.good_end()));
            None
        } else if inner.options.read_only && bad_batch.is_none() && reader.file_size().await? > size {
            // Another process was in the middle of appending a record.
            None
        } else {
            let rules = (self.mode, self.paranoid);
            let ending = judge_tail(&mut reader, name, bad_batch, self.last_sequence, rules).await?;
            let torn = self.note_ending(number, ending, &mut log);
            if log.damage.is_some() {
                self.leave(name, end, size);
            }
            torn
        };
        self.report.logs.push(log);
        Ok(torn)
    }

    /// Returns the damage that tore the log, if nothing valid follows it.
    fn note_ending(&mut self, number: FileNumber, ending: Ending, log: &mut LogReport) -> Option<Error> {
        self.clean_end = None;
        match ending {
            Ending::Clean(end) => {
                self.clean_end = Some((number, end));
                None
            }
            Ending::Torn(damage) => {
                log.damage = Some(damage.clone());
                Some(damage)
            }
            Ending::Gap(damage, newest) => {
                log.damage = Some(damage.clone());
                self.seen = self.seen.max(newest);
                self.gap(number, damage);
                None
            }
        }
    }

    /// Returns whether to flush the memtable; `record` is the size of the last record.
    fn is_crowded(&self, record: usize) -> bool {
        let waiting: usize = self.full.iter().map(|buffer| buffer.memtable().logical_size()).sum();
        if self.full.len() > FULL_MAX || waiting > FULL_BYTES_MAX {
            return true;
        }
        // The next record is read, then copied to the memtable.
        let mut next = Vec::<u8>::new();
        let room = record.max(ROOM_MIN).saturating_mul(2);
        waiting + self.memtable.logical_size() > ROOM_MIN && black_box(&mut next).try_reserve_exact(room).is_err()
    }

    /// Inserts a batch, or its valid part as LevelDB does.
    fn apply(
        &mut self,
        number: FileNumber,
        record: &Record,
        Batch { count, first, last, next }: Batch,
        log: &mut LogReport,
    ) -> Result<(), Malformed> {
        self.first_log.get_or_insert(number);
        self.next_in_logs = next;
        let mut sequence = first;
        let mut result = Ok(());
        let mut entered = 0u64;
        for operation in operations(&record.data) {
            match operation {
                Ok(BatchOperation::Put { key, value }) => self.memtable.insert(sequence, ValueType::Value, key, value),
                Ok(BatchOperation::Delete { key }) => self.memtable.insert(sequence, ValueType::Deletion, key, &[]),
                Err(malformed) => {
                    result = Err(malformed);
                    break;
                }
            }
            entered += 1;
            sequence = SequenceNumber::truncated(sequence.get().wrapping_add(1));
        }
        log.batches += 1;
        log.entries += entered;
        if count > 0 {
            self.last_sequence = self.last_sequence.max(last);
            self.replayed = self.replayed.max(Some(last));
        }
        result
    }

    /// Makes the memtable an immutable buffer, unless empty; `log` was the last with an entry.
    pub(super) fn set_aside(&mut self, log: FileNumber) {
        let memtable = std::mem::replace(&mut self.memtable, Rc::new(MemTable::new(self.order.in_memory())));
        let first_log = self.first_log.take().unwrap_or(log);
        if !memtable.is_empty() {
            self.full.push(Buffer::new(memtable, first_log).up_to(self.last_sequence));
        }
    }

    /// Flushes the replayed entries to a table of level 0.
    pub(super) async fn flush(&mut self, inner: &Inner) -> Result<()> {
        self.set_aside(FileNumber(0));
        let newest_first: Vec<_> = self.full.drain(..).rev().map(|buffer| buffer.memtable().clone()).collect();
        if newest_first.is_empty() {
            return Ok(());
        }
        let number = inner.new_output()?;
        let context =
            FlushContext { env: &inner.env, tables: &inner.tables, order: &inner.order, budget: &self.budget };
        if let Some(table) = build_compact_table(&context, number, &newest_first, self.last_sequence).await? {
            self.edit.new_files.push((0, new_file(&table)));
            self.edit.last_sequence = Some(self.last_sequence);
            self.flushed = true;
        }
        Ok(())
    }
}
