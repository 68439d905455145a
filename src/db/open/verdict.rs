//! What a record, and the end of a log, mean for the history that is being replayed.

use super::replay::Recovery;
use crate::base::{FileNumber, SequenceNumber};
use crate::batch::{BatchHeader, operations};
use crate::db::report::LogReport;
use crate::db::state::Inner;
use crate::error::{Error, Malformed, Result};
use crate::log::{LogReader, Record, Semantics, Tail};
use crate::options::RecoveryMode;

/// What a record of a log holds.
pub(super) struct Batch {
    pub(super) count: u32,
    pub(super) first: SequenceNumber,
    pub(super) last: SequenceNumber,
}

impl Recovery {
    /// What is wrong if the log holds something and does not begin where the history so far ends.
    pub(super) async fn jump_to(&self, inner: &Inner, name: &str) -> Result<Option<Error>> {
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

    /// What the end of the whole records means.
    pub(super) async fn judge_tail(
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
    pub(super) fn judge(&mut self, record: &Record, compat: bool) -> Result<Batch, Malformed> {
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
}
