//! The logs of a database that is opened, and what is lost where they are damaged.
//!
//! A log holds a prefix of the history; what ends it decides what is lost:
//!
//! ```text
//! clean     the file ends with a record
//! torn      nothing valid follows: a crash cut the last record, which was never acknowledged as durable
//! gap       something valid and newer follows: acknowledged writes are missing in between; or what follows is older: it was
//!           written for another log, and what should stand there is missing
//! ```
//! Point-in-time recovery keeps the prefix before the first gap, and the damaged logs beside it as `NNNNNN.log.damaged`.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use super::background::{log_and_apply, new_file};
use super::obsolete_files::remove_obsolete;
use super::report::{LeftBehind, LogReport, RecoveryReport};
use super::state::{Buffer, Inner, Log};
use super::write::create_log;
use crate::base::{FileKind, FileName, FileNumber, InternalKeyComparator, SequenceNumber, ValueType, to_u64};
use crate::batch::{BatchHeader, BatchOperation, operations};
use crate::bugs::{Bug, seeded};
use crate::env::{Access, NameEdit, append_checked};
use crate::error::{Error, Malformed, Result};
use crate::flush::{FlushContext, build_table};
use crate::log::{LogReader, LogWriter, Record, Semantics, Tail};
use crate::memtable::MemTable;
use crate::options::{Options, RecoveryMode};
use crate::slice::Budget;
use crate::version::{Manifest, ManifestState, VersionEdit};

/// So many logs are replayed into a memtable that is left to be flushed; more become a table at once, or short sessions
/// would pile them up.
const LOGS_KEPT_MAX: usize = 4;

/// So many full write buffers, of so many bytes in all, wait for their table until the database is open; before more do they become one.
const FULL_MAX: usize = 2;
const FULL_BYTES_MAX: usize = 8 << 20;

/// Bytes that must be left for the next record of a log, twice.
const ROOM_MIN: usize = 1 << 20;

/// What a record of a log holds.
struct Batch {
    count: u32,
    first: SequenceNumber,
    last: SequenceNumber,
}

/// The logs being replayed.
pub(super) struct Recovery {
    mode: RecoveryMode,
    paranoid: bool,
    write_buffer_size: usize,
    order: InternalKeyComparator,
    /// Oldest first.
    full: Vec<Buffer>,
    memtable: Rc<MemTable>,
    /// The oldest log with an entry in `memtable`.
    first_log: Option<FileNumber>,
    edit: VersionEdit,
    last_sequence: SequenceNumber,
    /// The largest sequence number seen anywhere, in what is lost too.
    seen: SequenceNumber,
    /// No batch that follows in the logs has a smaller sequence number.
    next_in_logs: u64,
    flushed: bool,
    /// The last sequence number in the logs replayed so far.
    replayed: Option<SequenceNumber>,
    /// The last log ended cleanly here.
    clean_end: Option<(FileNumber, u64)>,
    /// From this log on, logs are damaged or lie behind damage.
    gap_from: Option<FileNumber>,
    empty_logs: Vec<FileNumber>,
    budget: Budget,
    pub(super) report: RecoveryReport,
}

impl Recovery {
    pub(super) fn new(options: &Options, order: InternalKeyComparator, last_sequence: SequenceNumber) -> Recovery {
        Recovery {
            mode: options.recovery,
            paranoid: options.paranoid_checks,
            write_buffer_size: options.write_buffer_size,
            full: Vec::new(),
            memtable: Rc::new(MemTable::new(order.clone())),
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
            empty_logs: Vec::new(),
            budget: Budget::of_call(&options.pause),
            report: RecoveryReport::default(),
        }
    }

    pub(super) async fn replay(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        let mut torn = self.missing_log(inner, logs);
        let mut before: Option<FileNumber> = None;
        for (number, name) in logs {
            if self.gap_from.is_some() {
                self.look_through(inner, name).await?;
                continue;
            }
            // A log that was lost to its last byte, or cut between two records, shows only in what the next one begins with.
            let follows = torn.is_some() || before.is_some();
            if follows
                && self.mode != RecoveryMode::Compat
                && !seeded(Bug::GapNotSeen)
                && let Some(jump) = self.jump_to(inner, name).await?
            {
                // What the older log lost came before what this one holds.
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

    /// The log that the manifest names, if it is not there: newer logs may then lie behind a gap.
    fn missing_log(&self, inner: &Inner, logs: &[(FileNumber, String)]) -> Option<Error> {
        let named = inner.state.borrow().versions.counts.log_number;
        let there = named == FileNumber(0) || logs.iter().any(|(number, _)| *number == named);
        (!there).then(|| {
            Error::corruption(FileName::Log(named).to_string(), 0, "the manifest names this log; it is missing")
        })
    }

    /// The file is not read from `offset` on.
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

    /// What is wrong if the log holds something and does not begin where the history so far ends.
    async fn jump_to(&self, inner: &Inner, name: &str) -> Result<Option<Error>> {
        let mut reader = LogReader::open(&*inner.env, name, Semantics::Prefix).await?;
        let last = self.replayed.unwrap_or(self.last_sequence).get();
        while let Some(record) = reader.next_record().await? {
            if let Ok(header) = BatchHeader::decode(&record.data) {
                let begin = header.sequence;
                let reason = || format!("the log begins with sequence {begin}, the history before it ends with {last}");
                return Ok((begin > last.saturating_add(1)).then(|| Error::corruption(name, record.offset, reason())));
            }
        }
        let end = reader.tail().offset().unwrap_or_else(|| reader.good_end());
        let found = reader.scan_for_record_after(end).await?;
        Ok(found
            .map(|f| Error::corruption(name, end, format!("a record follows at {}, none is whole before", f.offset))))
    }

    /// A log that is not replayed: its sequence numbers must not be used again.
    async fn look_through(&mut self, inner: &Inner, name: &str) -> Result<()> {
        let mut reader = LogReader::open(&*inner.env, name, Semantics::Compat { verify: true }).await?;
        self.leave(name, 0, reader.file_size().await?);
        while let Some(record) = reader.next_record().await? {
            self.saw(&record);
        }
        Ok(())
    }

    fn saw(&mut self, record: &Record) {
        if let Ok(header) = BatchHeader::decode(&record.data)
            && let Ok(first) = header.first_sequence()
        {
            let last = first.advance(u64::from(header.count).saturating_sub(1)).unwrap_or(first);
            self.seen = self.seen.max(last);
        }
    }

    /// Takes the log's prefix. Answers what tore it, if nothing valid follows there.
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
            let entered = match self.judge(&record, compat) {
                Ok(batch) => {
                    let size = record.data.len();
                    let entries = batch.count.min(u32::try_from(size).unwrap_or(u32::MAX));
                    // What there is no memory for is not damaged.
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
            self.clean_end = log.damage.is_none().then_some((number, reader.good_end()));
            None
        } else if inner.options.read_only && bad_batch.is_none() && reader.file_size().await? > size {
            // Another process is writing to it, and was in the middle of a record.
            None
        } else {
            let torn = self.judge_tail(&mut reader, number, name, bad_batch, &mut log).await?;
            if log.damage.is_some() {
                self.leave(name, end, size);
            }
            torn
        };
        self.report.logs.push(log);
        Ok(torn)
    }

    /// What the end of the whole records means.
    async fn judge_tail(
        &mut self,
        reader: &mut LogReader,
        number: FileNumber,
        name: &str,
        bad_batch: Option<Error>,
        log: &mut LogReport,
    ) -> Result<Option<Error>> {
        let damage = match (bad_batch, reader.tail().clone()) {
            (Some(error), _) => {
                // A record whose checksum holds but which is no batch: nobody can know what it was.
                log.damage = Some(error.clone());
                if self.mode == RecoveryMode::Strict || self.paranoid {
                    return Err(error);
                }
                self.gap(number, error);
                self.look_through_rest(reader).await?;
                return Ok(None);
            }
            (None, Tail::Clean) => {
                if let Some(offset) = reader.odd_trailer().filter(|_| self.mode == RecoveryMode::Strict) {
                    return Err(Error::corruption(name, offset, "the unused end of a block is not zeros"));
                }
                self.clean_end = Some((number, reader.good_end()));
                return Ok(None);
            }
            (None, Tail::Zeros { offset }) => Error::corruption(name, offset, "the rest of the log is zeros"),
            (None, Tail::Torn { offset, reason }) => Error::corruption(name, offset, reason),
        };
        self.clean_end = None;
        log.damage = Some(damage.clone());
        if self.mode == RecoveryMode::Strict || self.paranoid {
            return Err(damage);
        }
        if self.newer_record_follows(reader).await? {
            self.gap(number, damage);
            return Ok(None);
        }
        Ok(Some(damage))
    }

    async fn look_through_rest(&mut self, reader: &mut LogReader) -> Result<()> {
        while let Some(record) = reader.next_record().await? {
            self.saw(&record);
        }
        Ok(())
    }

    /// Looks behind the damage for records newer than all before it.
    async fn newer_record_follows(&mut self, reader: &mut LogReader) -> Result<bool> {
        let mut from = reader.tail().offset().unwrap_or_else(|| reader.good_end());
        let mut found_newer = false;
        while let Some(found) = reader.scan_for_record_after(from).await? {
            if let Ok(header) = BatchHeader::decode(&found.head)
                && let Ok(first) = header.first_sequence()
                && first > self.last_sequence
            {
                found_newer = true;
                let last = first.advance(u64::from(header.count).saturating_sub(1)).unwrap_or(first);
                self.seen = self.seen.max(last);
            }
            from = found.end.max(from.saturating_add(1));
        }
        Ok(found_newer)
    }

    /// Which sequence numbers the batch has. It must be whole, except in `compat` mode.
    fn judge(&mut self, record: &Record, compat: bool) -> Result<Batch, Malformed> {
        let header = BatchHeader::decode(&record.data)?;
        let exhausted = || Malformed::new(0, "sequence numbers run past 2^56");
        let count = header.count;
        let more = u64::from(count);
        if compat {
            // LevelDB counts in 64 bits and stores the low 56.
            let last = header.sequence.wrapping_add(more).wrapping_sub(1);
            let (first, last) = (SequenceNumber::truncated(header.sequence), SequenceNumber::new(last));
            return Ok(Batch { count, first, last: last.unwrap_or(SequenceNumber::MAX) });
        }
        // All of it or nothing.
        let first = header.first_sequence()?;
        // Sequence numbers only grow: this record was written before those in front of it, for another log.
        if header.sequence < self.next_in_logs {
            let reason = format!("sequence is {}, expected at least {}", header.sequence, self.next_in_logs);
            return Err(Malformed::new(0, reason));
        }
        self.next_in_logs = header.sequence.saturating_add(more);
        let last = first.advance(more.saturating_sub(1)).ok_or_else(exhausted)?;
        for operation in operations(&record.data) {
            operation?;
        }
        Ok(Batch { count, first, last: if more == 0 { self.last_sequence } else { last } })
    }

    /// Whether what waits in memory is to become a table; the last record had so many bytes.
    fn is_crowded(&self, record: usize) -> bool {
        let waiting: usize = self.full.iter().map(|buffer| buffer.memtable.logical_size()).sum();
        if self.full.len() > FULL_MAX || waiting > FULL_BYTES_MAX {
            return true;
        }
        // The next record is read, and then entered.
        let mut next = Vec::<u8>::new();
        let room = record.max(ROOM_MIN).saturating_mul(2);
        waiting + self.memtable.logical_size() > ROOM_MIN && black_box(&mut next).try_reserve_exact(room).is_err()
    }

    /// Enters one batch, or what is good of it, as LevelDB does.
    fn apply(
        &mut self,
        number: FileNumber,
        record: &Record,
        Batch { count, first, last }: Batch,
        log: &mut LogReport,
    ) -> Result<(), Malformed> {
        self.first_log.get_or_insert(number);
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

    /// The memtable so far becomes a buffer that is to be flushed, if there is anything in it; `log` was the last with an entry.
    fn set_aside(&mut self, log: FileNumber) {
        let memtable = std::mem::replace(&mut self.memtable, Rc::new(MemTable::new(self.order.clone())));
        let first_log = self.first_log.take().unwrap_or(log);
        if !memtable.is_empty() {
            self.full.push(Buffer { last_sequence: self.last_sequence, ..Buffer::new(memtable, first_log) });
        }
    }

    /// What was replayed so far becomes a table of level 0.
    async fn flush(&mut self, inner: &Inner) -> Result<()> {
        self.set_aside(FileNumber(0));
        let newest_first: Vec<_> = self.full.drain(..).rev().map(|buffer| buffer.memtable).collect();
        if newest_first.is_empty() {
            return Ok(());
        }
        let number = inner.new_output()?;
        let context =
            FlushContext { env: &inner.env, tables: &inner.tables, order: &inner.order, budget: &self.budget };
        if let Some(table) = build_table(&context, number, &newest_first, SequenceNumber::MAX).await? {
            self.edit.new_files.push((0, new_file(&table)));
            self.edit.last_sequence = Some(self.last_sequence);
            self.flushed = true;
        }
        Ok(())
    }

    /// Read-only: what the logs gave stays in memory.
    pub(super) fn keep_in_memory(self, inner: &Inner) -> RecoveryReport {
        let mut state = inner.state.borrow_mut();
        state.active.memtable = self.memtable;
        state.versions.counts.last_sequence = self.last_sequence;
        self.report
    }

    /// Writes down what was recovered, so that it need not be recovered again.
    pub(super) async fn install(
        mut self,
        inner: &Inner,
        logs: &[(FileNumber, String)],
        manifest: &ManifestState,
    ) -> Result<RecoveryReport> {
        self.keep_damaged(inner, logs).await?;
        let last_sequence = self.seen.max(self.last_sequence);
        let many = logs.len() > LOGS_KEPT_MAX && !inner.options.reuse_logs;
        if many || self.gap_from.is_some() || self.replayed.is_some_and(|replayed| replayed < last_sequence) {
            // Damaged logs go out of use, and so do logs that the next one will not continue: what they gave must be in tables.
            self.flush(inner).await?;
            self.edit.last_sequence = Some(last_sequence);
        }
        inner.state.borrow_mut().versions.counts.last_sequence = last_sequence;
        if self.reuse(inner, logs, manifest).await? {
            remove_obsolete(inner).await?;
            return Ok(self.report);
        }
        let log = create_log(inner).await?;
        let first_log = {
            let mut state = inner.state.borrow_mut();
            // Their logs may never have been flushed: they are, before anything newer is.
            self.set_aside(log.number);
            if let Some(newest) = self.full.last_mut() {
                newest.last_sequence = last_sequence;
            }
            state.immutables.extend(self.full.drain(..));
            state.active.first_log = log.number;
            state.log = Some(log.clone());
            state.first_log()
        };
        if first_log != log.number {
            self.sync_recovered_logs(inner, logs).await?;
        }
        let mut edit = std::mem::take(&mut self.edit);
        edit.log_number = Some(first_log);
        edit.previous_log_number = Some(FileNumber(0));
        // Makes names durable too.
        log_and_apply(inner, edit).await?;
        log.name_durable.set(true);
        remove_obsolete(inner).await?;
        Ok(self.report)
    }

    /// A log that was replayed may be lost yet if it was never flushed: a synced write in a newer log would then be
    /// behind a gap.
    async fn sync_recovered_logs(&self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        for (number, name) in logs {
            if !self.empty_logs.contains(number) && !seeded(Bug::RecoveredLogNotSynced) {
                inner.env.open(name, Access::Append).await?.sync().await?;
            }
        }
        Ok(())
    }

    /// Goes on with the last log and the manifest, if both end cleanly and nothing else has changed: with `reuse_logs`, or where
    /// there is one log, and it is empty, as a close or a flush left it, and new files would only take their time.
    async fn reuse(&mut self, inner: &Inner, logs: &[(FileNumber, String)], manifest: &ManifestState) -> Result<bool> {
        let Some((number, end)) = self.clean_end else { return Ok(false) };
        let is_wanted = inner.options.reuse_logs
            || end == 0
                && matches!(logs, [only] if *only == canonical(inner.state.borrow().versions.counts.log_number));
        let is_whole = manifest.torn.is_none() && manifest.size == manifest.file_size;
        if !is_wanted
            || self.flushed
            || !self.full.is_empty()
            || !is_whole
            || manifest.size >= inner.options.max_file_size
        {
            return Ok(false);
        }
        let Some((_, name)) = logs.iter().find(|(log, _)| *log == number) else { return Ok(false) };
        let name = name.clone();
        let file = match inner.env.open(&name, Access::Append).await {
            // An old file that may only be read is no reason not to make a new one.
            Err(_) if !inner.options.reuse_logs => return Ok(false),
            file => file?,
        };
        if file.size().await? != end {
            return Ok(false);
        }
        // The process before this one may have ended with names, logs and even a manifest record that are not durable yet. Where there
        // is no more than that record, whoever comes to rely on it makes it so: a flush of the log, the next record, the removal of files.
        // Sequence numbers tell of a second record, before which CURRENT was made durable.
        let may_wait = end == 0 && logs.len() == 1 && self.last_sequence.get() > 0;
        let reopened = match Manifest::reopen(&inner.env, manifest.number, manifest.size, may_wait).await {
            Err(_) if !inner.options.reuse_logs => return Ok(false),
            reopened => reopened?,
        };
        self.sync_recovered_logs(inner, logs).await?;
        let writer = LogWriter::new(inner.env.clone(), file, name, end);
        let mut state = inner.state.borrow_mut();
        state.active.memtable = self.memtable.clone();
        state.active.first_log = self.first_log.unwrap_or(number);
        let log = Log { number, writer, dirty: Cell::new(false), name_durable: Cell::new(!may_wait) };
        state.log = Some(Rc::new(log));
        state.manifest = Some(Rc::new(reopened));
        Ok(true)
    }

    /// Copies every log from the gap on to `NNNNNN.log.damaged`, before its own name can go.
    async fn keep_damaged(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        let Some(from) = self.gap_from else { return Ok(()) };
        for (_, name) in logs.iter().filter(|(number, _)| *number >= from) {
            let kept = format!("{name}.damaged");
            let source = inner.env.open(name, Access::Read).await?;
            let size = source.size().await?;
            let copy = inner.env.create(&kept, FileKind::Log, size).await?;
            let mut offset = 0u64;
            while offset < size {
                let piece = source.read_at(offset, 1 << 20).await?;
                if piece.is_empty() {
                    break;
                }
                let end = offset.saturating_add(to_u64(piece.len()));
                append_checked(&*inner.env, &*copy, &kept, &piece, end).await?;
                offset = end;
            }
            copy.sync().await?;
            self.report.kept.push(kept);
        }
        inner.env.edit_names(Vec::<NameEdit>::new()).await
    }
}

/// A log by the name that LevelDB gives it.
fn canonical(number: FileNumber) -> (FileNumber, String) {
    (number, FileName::Log(number).to_string())
}
