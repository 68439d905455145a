//! Reads one log to its end, past damage, for `verify` and `repair`.

use super::findings::Findings;
use crate::base::SequenceNumber;
use crate::batch::{BatchHeader, BatchOperation, operations};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::log::{Doubt, LogReader, Record, Semantics};

/// Reads the batches of a log and reports all damage.
pub(super) struct LogWalk {
    reader: LogReader,
    name: String,
    size: u64,
    before: Before,
    /// End of the last batch.
    end: u64,
    /// The next record, if a doubtful one was compared with it.
    peeked: Option<(Record, Option<Doubt>)>,
    missing: Vec<Missing>,
}

/// A part of a log whose records are missing: the sequence numbers before and after it tell how many entries
/// they had.
pub(super) struct Missing {
    pub(super) begin: u64,
    pub(super) end: u64,
    pub(super) entries: u64,
}

/// Parts of one log that are listed.
const MISSING_MAX: usize = 1000;

/// The sequence numbers known before a batch.
#[derive(Clone, Copy)]
pub(super) enum Before {
    /// Nothing is known: any number may follow.
    Unknown,
    /// The last one in tables, when a log is missing or empty: a jump shows the size of the loss.
    Tables(u64),
    /// The last one in earlier logs.
    Logs(u64),
    /// The last one in the same log.
    SameLog(u64),
}

impl Before {
    /// Returns the state before the next log; `flushed` is the last sequence number in tables.
    pub(super) fn next_log(self, flushed: Option<u64>) -> Before {
        match (self, flushed) {
            (Before::SameLog(last) | Before::Logs(last), _) => Before::Logs(last),
            (_, Some(flushed)) => Before::Tables(flushed),
            (before, None) => before,
        }
    }

    /// Returns the last sequence number in logs.
    pub(super) fn in_logs(self) -> Option<u64> {
        match self {
            Before::Logs(last) | Before::SameLog(last) => Some(last),
            Before::Unknown | Before::Tables(_) => None,
        }
    }

    /// Returns the error of a batch that begins with `first`, if its numbers do not follow.
    fn objection(self, first: u64) -> Option<String> {
        let (Before::Tables(last) | Before::Logs(last) | Before::SameLog(last)) = self else { return None };
        let next = last.saturating_add(1);
        if first < next && !matches!(self, Before::Tables(_)) {
            return Some(format!("sequence is {first}, expected at least {next}"));
        }
        let jumps = first > next && !matches!(self, Before::SameLog(_));
        jumps.then(|| {
            format!("the log begins with sequence {first}, but the last one before it is {last}: writes are missing")
        })
    }
}

/// A record that holds a batch.
pub(super) struct Batch {
    pub(super) first: SequenceNumber,
    pub(super) record: Record,
}

impl Batch {
    /// Calls `each` for every readable operation with its sequence number; returns their count.
    pub(super) fn read(
        &self,
        name: &str,
        findings: &mut Findings,
        mut each: impl FnMut(SequenceNumber, BatchOperation<'_>),
    ) -> u64 {
        let mut sequence = self.first;
        let mut count = 0;
        for operation in operations(&self.record.data) {
            match operation {
                Ok(operation) => each(sequence, operation),
                Err(malformed) => {
                    findings.push(malformed.in_file(name, self.record.offset));
                    break;
                }
            }
            count += 1;
            sequence = SequenceNumber::truncated(sequence.get().wrapping_add(1));
        }
        count
    }
}

impl LogWalk {
    /// Opens the log `name`.
    pub(super) async fn open(env: &dyn Env, name: &str, before: Before) -> Result<LogWalk> {
        let reader = LogReader::open(env, name, Semantics::Salvage).await?;
        let size = reader.file_size().await?;
        Ok(LogWalk { reader, name: name.to_owned(), size, before, end: 0, peeked: None, missing: Vec::new() })
    }

    /// Lets `next_or_doubtful` return doubtful records.
    pub(super) fn keep_doubtful(&mut self) {
        self.reader.keep_doubtful();
    }

    /// Returns the next batch, or a doubtful one that is whole and whose numbers fit, with the doubt.
    pub(super) async fn next_or_doubtful(&mut self, findings: &mut Findings) -> Result<Option<(Batch, Option<Doubt>)>> {
        while let Some((record, doubt)) = self.record().await? {
            if let Some(doubt) = &doubt
                && !self.may_be_right(&record, doubt).await?
            {
                self.reader.reject(&record, doubt.clone());
            } else if doubt == Some(Doubt::Place) {
                // Later records are not measured by what may be no record.
                let first = BatchHeader::decode(&record.data).and_then(BatchHeader::first_sequence);
                return Ok(first.ok().map(|first| (Batch { first, record }, doubt)));
            } else if let Some(batch) = self.take(record, findings) {
                return Ok(Some((batch, doubt)));
            }
        }
        Ok(None)
    }

    async fn record(&mut self) -> Result<Option<(Record, Option<Doubt>)>> {
        if let Some(peeked) = self.peeked.take() {
            return Ok(Some(peeked));
        }
        let Some(record) = self.reader.next_record().await? else { return Ok(None) };
        let doubt = self.reader.take_doubt(record.offset);
        Ok(Some((record, doubt)))
    }

    /// Whether a doubtful record is a whole batch, and its sequence numbers fit those around it: what was
    /// lost before it cannot have had more operations than bytes.
    async fn may_be_right(&mut self, record: &Record, doubt: &Doubt) -> Result<bool> {
        let Ok(header) = BatchHeader::decode(&record.data) else { return Ok(false) };
        let first = header.sequence;
        let next = first.saturating_add(u64::from(header.count));
        let is_after = self.before.in_logs().is_none_or(|last| first > last);
        let is_number = SequenceNumber::new(next).is_some();
        if !is_after || !is_number || !operations(&record.data).all(|found| found.is_ok()) {
            return Ok(false);
        }
        match (doubt, self.before) {
            (Doubt::Place, _) => Ok(true),
            (Doubt::Checksum { .. }, Before::SameLog(last)) => {
                Ok(first - last.saturating_add(1) <= record.offset.saturating_sub(self.end))
            }
            (Doubt::Checksum { .. }, _) => {
                self.peeked = Box::pin(self.record()).await?;
                let follows = self.peeked.as_ref().is_none_or(|(following, _)| {
                    BatchHeader::decode(&following.data).is_ok_and(|header| {
                        header.sequence.wrapping_sub(next) <= following.offset.saturating_sub(record.end)
                    })
                });
                Ok(follows)
            }
        }
    }

    /// Returns the next batch.
    pub(super) async fn next(&mut self, findings: &mut Findings) -> Result<Option<Batch>> {
        while let Some(record) = self.reader.next_record().await? {
            if let Some(batch) = self.take(record, findings) {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Takes a record as the next batch, unless it is none.
    fn take(&mut self, record: Record, findings: &mut Findings) -> Option<Batch> {
        let begin = record.offset;
        let header = BatchHeader::decode(&record.data)
            .and_then(|header| Ok((header.first_sequence()?, u64::from(header.count))));
        let (first, count) = match header {
            Ok(header) => header,
            Err(malformed) => {
                findings.push(malformed.in_file(&self.name, begin));
                return None;
            }
        };
        if count > 0 && first.advance(count - 1).is_none() {
            findings.push(Error::corruption(&*self.name, begin, "sequence number exceeds 2^56 - 1"));
            return None;
        }
        if let Some(reason) = self.before.objection(first.get()) {
            findings.push(Error::corruption(&*self.name, begin, reason));
        }
        if let Before::SameLog(last) = self.before
            && first.get() > last.saturating_add(1)
            && self.missing.len() < MISSING_MAX
        {
            let entries = first.get() - last - 1;
            // A gap in the numbers is no proof: they must have had room, two bytes each.
            if entries <= begin.saturating_sub(self.end) / 2 {
                self.missing.push(Missing { begin: self.end, end: begin, entries });
            }
        }
        let next = first.get().saturating_add(count);
        let last = next.saturating_sub(1).max(self.before.in_logs().unwrap_or(0));
        self.before = Before::SameLog(last);
        self.reader.expect_sequence(next);
        self.end = record.end;
        Some(Batch { first, record })
    }

    /// The parts whose records are missing, so far.
    pub(super) fn take_missing(&mut self) -> Vec<Missing> {
        std::mem::take(&mut self.missing)
    }

    /// Reports skipped bytes; returns the sequence numbers known at the end, and how many bytes were
    /// skipped.
    pub(super) async fn end(mut self, findings: &mut Findings) -> Result<(Before, u64)> {
        let mut damages = self.reader.take_damages();
        let listed = damages.len();
        // A writer with the database open may have been in the middle of an append.
        if self.reader.file_size().await? > self.size {
            damages.retain(|damage| damage.offset.saturating_add(damage.bytes) < self.size);
        }
        let mut skipped = 0u64;
        for (begin, end, error) in self.reader.take_unreadable() {
            skipped = skipped.saturating_add(end - begin);
            let reason = format!("{} bytes cannot be read: {error}", end - begin);
            findings.push(Error::corruption(&*self.name, begin, reason));
        }
        findings.extend(damages.into_iter().map(|damage| {
            skipped = skipped.saturating_add(damage.bytes);
            let reason = format!("{} ({} bytes passed over)", damage.reason, damage.bytes);
            Error::corruption(&*self.name, damage.offset, reason)
        }));
        findings.add_unlisted(self.reader.damage_count().saturating_sub(crate::base::to_u64(listed)));
        if let Some(offset) = self.reader.odd_trailer() {
            findings.push(Error::corruption(&*self.name, offset, "the unused end of a block is not zeros"));
        }
        Ok((self.before, skipped))
    }
}
