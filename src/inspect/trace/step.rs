//! One step of a look-up, its answer, and its bill.

use crate::inspect::span::{Fact, Span};
use crate::table::FilterAnswer;

/// One step of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupStep {
    /// Of a table or a level; `None` for a log, which stands for a memtable.
    pub level: Option<usize>,
    /// The number of the file; `None` for a level of which no table is looked at.
    pub number: Option<u64>,
    /// Its place among the files; `None` if it is missing.
    pub file: Option<usize>,
    /// What came of it.
    pub outcome: Outcome,
    /// Tables of the level that are skipped by their ranges without a step of their own.
    pub skipped: u64,
    /// The block that the index leads to, or the record with the entry: offset, size without
    /// trailer.
    pub place: Option<(u64, u64)>,
    /// The answer of the filter: its number, and whether it says "maybe".
    pub(super) filter: Option<FilterAnswer>,
    /// Where the value begins in the decompressed block; the number of the operation in the record.
    pub entry: Option<u64>,
    /// Sequence number of the entry that decided; of `Newer`, that of the newest one.
    pub sequence: Option<u64>,
    /// Operations of a log that concern the key, whether they are seen or not.
    pub mentions: u64,
    /// Bytes that were read: of a table, the block; of a log, all of it.
    pub bytes: u64,
    /// Why nothing is known, or why the filter was not used.
    pub reason: Option<String>,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The range of the table does not cover the key.
    Skipped,
    /// The filter says that the key is not in the block.
    Filtered,
    /// The key is after the last one of the table, although its range covers it.
    PastEnd,
    /// The key is not there.
    Absent,
    /// The key is there, but only in entries that are newer than the snapshot.
    Newer,
    /// Its newest entry that the snapshot sees, a value, is there.
    Found,
    /// The same, a deletion.
    Deleted,
    /// It cannot be read.
    Unknown,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Skipped => "skipped",
            Outcome::Filtered => "filtered",
            Outcome::PastEnd => "past end",
            Outcome::Absent => "absent",
            Outcome::Newer => "newer",
            Outcome::Found => "found",
            Outcome::Deleted => "deleted",
            Outcome::Unknown => "unknown",
        }
    }

    /// Whether the search ends here.
    pub fn decides(self) -> bool {
        matches!(self, Outcome::Found | Outcome::Deleted)
    }
}

/// The result of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The key has this value.
    Value(Vec<u8>),
    /// The key was deleted.
    Deleted,
    /// Nothing mentions it.
    Absent,
    /// Damage on the way, or before it: why.
    Unknown(String),
}

/// A whole look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// In their order.
    pub steps: Vec<LookupStep>,
    /// Its result.
    pub answer: Answer,
    /// The sequence number up to which entries are seen.
    pub sequence: u64,
}

/// The cost of a look-up in the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Bytes of logs that were read.
    pub log_bytes: u64,
    /// Tables whose range covers the key, and those skipped by their range.
    pub tables: u64,
    /// See `tables`.
    pub skipped: u64,
    /// Filters that were asked, that said "no", and that said "maybe" of a key that is not there.
    pub filters: u64,
    /// See `filters`.
    pub noes: u64,
    /// See `filters`.
    pub false_positives: u64,
    /// Data blocks that were read, and their stored bytes.
    pub blocks: u64,
    /// See `blocks`.
    pub block_bytes: u64,
    /// The same without filters.
    pub blocks_unfiltered: u64,
    /// See `blocks_unfiltered`.
    pub bytes_unfiltered: u64,
}

impl Bill {
    /// The cost of these steps.
    pub fn of(steps: &[LookupStep]) -> Bill {
        let mut bill = Bill::default();
        for step in steps {
            let Some(size) = step.level.map(|_| step.place.map_or(0, |(_, size)| size)) else {
                bill.log_bytes = bill.log_bytes.saturating_add(step.bytes);
                continue;
            };
            bill.skipped = bill.skipped.saturating_add(step.skipped + u64::from(step.is_skipped_table()));
            if step.outcome == Outcome::Skipped {
                continue;
            }
            bill.tables += 1;
            bill.filters += u64::from(step.filter.is_some());
            bill.noes += u64::from(step.outcome == Outcome::Filtered);
            bill.false_positives += u64::from(step.is_false_positive());
            if step.place.is_some() {
                bill.blocks_unfiltered += 1;
                bill.bytes_unfiltered = bill.bytes_unfiltered.saturating_add(size);
            }
            if step.bytes > 0 {
                bill.blocks += 1;
                bill.block_bytes = bill.block_bytes.saturating_add(step.bytes);
            }
        }
        bill
    }
}

impl LookupStep {
    pub(super) fn new(level: Option<usize>, number: Option<u64>, outcome: Outcome) -> LookupStep {
        LookupStep {
            level,
            number,
            file: None,
            outcome,
            skipped: 0,
            place: None,
            filter: None,
            entry: None,
            sequence: None,
            mentions: 0,
            bytes: 0,
            reason: None,
        }
    }

    fn is_skipped_table(&self) -> bool {
        self.outcome == Outcome::Skipped && self.number.is_some()
    }

    /// Whether the filter said "maybe" of a key that is not there.
    pub fn is_false_positive(&self) -> bool {
        self.outcome == Outcome::Absent && self.filter.is_some_and(|filter| filter.maybe)
    }

    /// As a span.
    pub fn to_span(&self) -> Span {
        let (offset, length) = self.place.unwrap_or_default();
        let mut span = Span::new("step", offset, length);
        span.text("outcome", self.outcome.name());
        for (name, value) in [
            ("level", self.level.map(|level| u64::try_from(level).unwrap_or(u64::MAX))),
            ("number", self.number),
            ("file", self.file.map(|file| u64::try_from(file).unwrap_or(u64::MAX))),
            ("skipped", Some(self.skipped).filter(|skipped| *skipped > 0)),
            ("slot", self.filter.map(|filter| filter.slot)),
            ("entry", self.entry),
            ("sequence", self.sequence),
            ("mentions", Some(self.mentions).filter(|_| self.level.is_none())),
            ("bytes", Some(self.bytes)),
        ] {
            if let Some(value) = value {
                span.number(name, value);
            }
        }
        span.state("placed", Fact::Flag(self.place.is_some()));
        if let Some(filter) = self.filter {
            span.text("filter", if filter.maybe { "maybe" } else { "no" });
        }
        if self.is_false_positive() {
            span.state("falsePositive", Fact::Flag(true));
        }
        span
    }
}

impl Trace {
    /// The answer and the bill as a span.
    pub fn to_span(&self) -> Span {
        let mut span = Span::new("trace", 0, 0);
        span.text(
            "answer",
            match &self.answer {
                Answer::Value(_) => "value",
                Answer::Deleted => "deleted",
                Answer::Absent => "absent",
                Answer::Unknown(_) => "unknown",
            },
        );
        span.number("sequence", self.sequence);
        let bill = Bill::of(&self.steps);
        for (name, value) in [
            ("logBytes", bill.log_bytes),
            ("tables", bill.tables),
            ("skipped", bill.skipped),
            ("filters", bill.filters),
            ("noes", bill.noes),
            ("falsePositives", bill.false_positives),
            ("blocks", bill.blocks),
            ("blockBytes", bill.block_bytes),
            ("blocksUnfiltered", bill.blocks_unfiltered),
            ("bytesUnfiltered", bill.bytes_unfiltered),
        ] {
            span.number(name, value);
        }
        span
    }
}
