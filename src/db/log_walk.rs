//! One log read to its end, past damage: what `verify` counts and `repair` uses.

use super::findings::Findings;
use crate::base::SequenceNumber;
use crate::batch::{BatchHeader, BatchOperation, operations};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::log::{LogReader, Record, Semantics};

/// Reads the batches of a log, and reports everything else in it.
pub(super) struct LogWalk {
    reader: LogReader,
    name: String,
    size: u64,
    /// The last sequence number so far, in the logs before too.
    last: Option<u64>,
    begun: bool,
}

/// A record that holds a batch.
pub(super) struct Batch {
    pub(super) first: SequenceNumber,
    pub(super) record: Record,
}

impl Batch {
    /// Calls `each` with the operations and their sequence numbers, as far as they can be read, and returns how many there are.
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
    /// `last` is the last sequence number of the logs before, if there are any.
    pub(super) async fn open(env: &dyn Env, name: &str, last: Option<u64>) -> Result<LogWalk> {
        let reader = LogReader::open(env, name, Semantics::Salvage).await?;
        let size = reader.file_size().await?;
        Ok(LogWalk { reader, name: name.to_owned(), size, last, begun: false })
    }

    /// The next batch.
    pub(super) async fn next(&mut self, findings: &mut Findings) -> Result<Option<Batch>> {
        while let Some(record) = self.reader.next_record().await? {
            let begin = record.offset;
            let (first, count) = match BatchHeader::decode(&record.data) {
                Ok(header) => match header.first_sequence() {
                    Ok(first) => (first, u64::from(header.count)),
                    Err(malformed) => {
                        findings.push(malformed.in_file(&self.name, begin));
                        continue;
                    }
                },
                Err(malformed) => {
                    findings.push(malformed.in_file(&self.name, begin));
                    continue;
                }
            };
            if let Some(reason) = self.out_of_sequence(first.get()) {
                findings.push(Error::corruption(&*self.name, begin, reason));
            }
            self.begun = true;
            let next = first.get().saturating_add(count);
            self.last = self.last.max(next.checked_sub(1));
            self.reader.expect_sequence(next);
            return Ok(Some(Batch { first, record }));
        }
        Ok(None)
    }

    /// Sequence numbers grow, and between two logs none is left out.
    fn out_of_sequence(&self, first: u64) -> Option<String> {
        let last = self.last?;
        if first <= last {
            return Some(format!("sequence is {first}, expected at least {}", last.saturating_add(1)));
        }
        (!self.begun && first > last.saturating_add(1)).then(|| {
            format!(
                "the log begins with sequence {first}, the logs before it end with {last}: writes between are missing"
            )
        })
    }

    /// Reports what was passed over. Returns the last sequence number so far.
    pub(super) async fn end(mut self, findings: &mut Findings) -> Result<Option<u64>> {
        let mut damages = self.reader.take_damages();
        let listed = damages.len();
        // A writer that has the database open may have been in the middle of an append.
        if self.reader.file_size().await? > self.size {
            damages.retain(|damage| damage.offset.saturating_add(damage.bytes) < self.size);
        }
        findings.extend(damages.into_iter().map(|damage| {
            let reason = format!("{} ({} bytes passed over)", damage.reason, damage.bytes);
            Error::corruption(&*self.name, damage.offset, reason)
        }));
        findings.add_unlisted(self.reader.damage_count().saturating_sub(crate::base::to_u64(listed)));
        if let Some(offset) = self.reader.odd_trailer() {
            findings.push(Error::corruption(&*self.name, offset, "the unused end of a block is not zeros"));
        }
        Ok(self.last)
    }
}
