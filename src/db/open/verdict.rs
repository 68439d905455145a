//! Decides what a record, and the end of a log, mean for replay.

use crate::base::SequenceNumber;
use crate::batch::{BatchHeader, operations};
use crate::env::Env;
use crate::error::{Error, Malformed, Result};
use crate::log::{LogReader, Record, Semantics, Tail};
use crate::options::RecoveryMode;

/// The content of a log record.
pub(super) struct Batch {
    pub(super) count: u32,
    pub(super) first: SequenceNumber,
    pub(super) last: SequenceNumber,
    /// The smallest sequence number that later batches may have.
    pub(super) next: u64,
}

/// The end of a log.
pub(super) enum Ending {
    /// The file ends with a complete record.
    Clean(u64),
    /// Nothing valid and newer follows the damage.
    Torn(Error),
    /// Acknowledged writes are missing; sequence numbers up to this one follow the damage.
    Gap(Error, SequenceNumber),
}

/// Returns the last and the first sequence number of a batch with this header.
pub(super) fn sequences_of(head: &[u8]) -> Option<(SequenceNumber, SequenceNumber)> {
    let header = BatchHeader::decode(head).ok()?;
    let first = header.first_sequence().ok()?;
    let last = first.advance(u64::from(header.count).saturating_sub(1)).unwrap_or(first);
    Some((first, last))
}

/// Returns an error if a log that is not empty does not continue right after `last`.
pub(super) async fn jump_to(env: &dyn Env, name: &str, last: SequenceNumber) -> Result<Option<Error>> {
    let mut reader = LogReader::open(env, name, Semantics::Prefix).await?;
    let last = last.get();
    while let Some(record) = reader.next_record().await? {
        if let Ok(header) = BatchHeader::decode(&record.data) {
            let begin = header.sequence;
            let reason = || format!("the log begins with sequence {begin}, but the last one before it is {last}");
            return Ok((begin > last.saturating_add(1)).then(|| Error::corruption(name, record.offset, reason())));
        }
    }
    let end = reader.tail().offset().unwrap_or_else(|| reader.good_end());
    let found = reader.scan_for_record_after(end).await?;
    Ok(found.map(|f| Error::corruption(name, end, format!("no complete record before the one at {}", f.offset))))
}

/// Judges the end of the complete records; `last` is the newest sequence number before it. Returns
/// damage that the recovery mode does not skip as an error.
pub(super) async fn judge_tail(
    reader: &mut LogReader,
    name: &str,
    bad_batch: Option<Error>,
    last: SequenceNumber,
    (mode, paranoid): (RecoveryMode, bool),
) -> Result<Ending> {
    let refuses = mode == RecoveryMode::Strict || paranoid;
    let damage = match (bad_batch, reader.tail().clone()) {
        // The checksum matches but this is no batch, so its meaning is unknown.
        (Some(error), _) if refuses => return Err(error),
        (Some(error), _) => return Ok(Ending::Gap(error, newest_in_rest(reader).await?)),
        (None, Tail::Clean) => {
            return match reader.odd_trailer().filter(|_| mode == RecoveryMode::Strict) {
                Some(offset) => Err(Error::corruption(name, offset, "the unused end of a block is not zeros")),
                None => Ok(Ending::Clean(reader.good_end())),
            };
        }
        (None, Tail::Zeros { offset }) => Error::corruption(name, offset, "the rest of the log is zeros"),
        (None, Tail::Torn { offset, reason }) => Error::corruption(name, offset, reason),
    };
    if refuses {
        return Err(damage);
    }
    Ok(match newer_record_follows(reader, last).await? {
        Some(newest) => Ending::Gap(damage, newest),
        None => Ending::Torn(damage),
    })
}

/// Returns the newest sequence number in the remaining complete records.
async fn newest_in_rest(reader: &mut LogReader) -> Result<SequenceNumber> {
    let mut newest = SequenceNumber::ZERO;
    while let Some(record) = reader.next_record().await? {
        if let Some((_, last)) = sequences_of(&record.data) {
            newest = newest.max(last);
        }
    }
    Ok(newest)
}

/// Searches after the damage for records newer than `last`; returns their newest sequence number.
async fn newer_record_follows(reader: &mut LogReader, last: SequenceNumber) -> Result<Option<SequenceNumber>> {
    let mut from = reader.tail().offset().unwrap_or_else(|| reader.good_end());
    let mut newest = None;
    while let Some(found) = reader.scan_for_record_after(from).await? {
        if let Some((first, end)) = sequences_of(&found.head)
            && first > last
        {
            newest = newest.max(Some(end));
        }
        from = found.end.max(from.saturating_add(1));
    }
    Ok(newest)
}

/// Returns the batch's sequence numbers, after `last` and before `next`. It must be complete.
pub(super) fn judge(record: &Record, last: SequenceNumber, next: u64) -> Result<Batch, Malformed> {
    let header = BatchHeader::decode(&record.data)?;
    let exhausted = || Malformed::new(0, "sequence number exceeds 2^56 - 1");
    let more = u64::from(header.count);
    // A batch is applied whole or not at all.
    let first = header.first_sequence()?;
    // Sequence numbers only grow: this record is older than those before it, from another log.
    if header.sequence < next {
        let reason = format!("sequence is {}, expected at least {next}", header.sequence);
        return Err(Malformed::new(0, reason));
    }
    let end = first.advance(more.saturating_sub(1)).ok_or_else(exhausted)?;
    for operation in operations(&record.data) {
        operation?;
    }
    let next = header.sequence.saturating_add(more);
    Ok(Batch { count: header.count, first, last: if more == 0 { last } else { end }, next })
}

/// Like `judge`, in `compat` mode: it may be incomplete or out of sequence.
pub(super) fn judge_leniently(record: &Record) -> Result<Batch, Malformed> {
    let header = BatchHeader::decode(&record.data)?;
    // LevelDB counts in 64 bits and stores the low 56.
    let last = header.sequence.wrapping_add(u64::from(header.count)).wrapping_sub(1);
    let (first, last) = (SequenceNumber::truncated(header.sequence), SequenceNumber::new(last));
    Ok(Batch { count: header.count, first, last: last.unwrap_or(SequenceNumber::MAX), next: 0 })
}
