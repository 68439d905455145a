//! A write-ahead log: its records are write batches with increasing sequence numbers.

use super::{Joined, Scanner};
use crate::batch::{BatchHeader, BatchOperation, operations};
#[cfg(feature = "comparators")]
use crate::inspect::keys::Names;
use crate::inspect::regions::{Region, State};
use crate::inspect::rule::Rule;
use crate::inspect::sought::{Mention, Pattern, Sought};
use crate::inspect::span::{Finding, Severity, Span, fill};
use crate::inspect::window::Reads;

/// Rows and findings after which the caller should take them.
const READY_MAX: usize = 4096;

/// Explains a write-ahead log; see [`inspect`](crate::inspect).
pub struct LogInspector {
    size: u64,
    scanner: Scanner,
    records: Vec<LogRecord>,
    next_sequence: Option<u64>,
    total: Total,
    #[cfg(feature = "comparators")]
    names: Option<Names>,
    summary: Option<Span>,
    rule: Rule,
    /// Whose operations are wanted.
    sought: Option<Sought>,
    /// The first record that is too large to be joined.
    unjoined: Option<u64>,
}

/// One record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Start of its first fragment.
    pub offset: u64,
    /// End of its last.
    pub end: u64,
    /// Place of its first region among all of the file.
    pub region: u64,
    /// Number of its fragments.
    pub fragments: u32,
    /// Bytes of its payload.
    pub size: u64,
    /// Sequence number of its first operation; of an edit, 0.
    pub sequence: u64,
    /// Number of its operations as stored; of an edit, its fields.
    pub operations: u32,
    /// What is known of it.
    pub state: State,
}

#[derive(Default)]
struct Total {
    records: u64,
    operations: u64,
    deletions: u64,
    fragments: u64,
    sequences: Option<(u64, u64)>,
    damaged: u64,
    /// Sound records that recovery in order does not reach: number, and the range of the file.
    left: Option<(u64, u64, u64)>,
    bad: u64,
    notes: u64,
}

impl LogInspector {
    /// For a file of `size` bytes.
    pub fn new(size: u64) -> LogInspector {
        LogInspector {
            size,
            scanner: Scanner::new(size, true, (0, 0)),
            records: Vec::new(),
            next_sequence: None,
            total: Total::default(),
            #[cfg(feature = "comparators")]
            names: None,
            summary: None,
            rule: Rule::default(),
            sought: None,
            unjoined: None,
        }
    }

    /// Finds keys by this rule, not by their bytes.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> LogInspector {
        self.rule = rule;
        self
    }

    /// Also returns the operations that concern `key`, with up to `value_max` bytes of each value.
    pub fn seek(&mut self, key: Vec<u8>, value_max: usize) {
        self.sought = Some(Sought::key(key, value_max, self.rule.clone(), false));
    }

    /// Also returns the operations with some bytes, with up to `value_max` bytes of each key and value.
    pub fn seek_bytes(&mut self, pattern: Pattern, value_max: usize) {
        self.sought = Some(Sought::bytes(pattern, value_max));
    }

    /// Returns the operations that are sought since the last call, and how many more were not kept. They must be
    /// taken when it is full.
    pub fn take_mentions(&mut self) -> (Vec<Mention>, u64) {
        self.sought.as_mut().map(Sought::take).unwrap_or_default()
    }

    /// Returns the offset of the first record that was too large to be looked into.
    pub fn unjoined(&self) -> Option<u64> {
        self.unjoined
    }

    /// Returns the highest sequence number of the records so far.
    pub fn last_sequence(&self) -> u64 {
        self.total.sequences.map_or(0, |(_, high)| high)
    }

    /// Forgets the regions and records that are ready.
    pub fn discard(&mut self) {
        self.scanner.regions.clear();
        self.records.clear();
    }

    /// Gathers the names of databases and object stores: the log is of Chromium's IndexedDB.
    #[cfg(feature = "comparators")]
    #[must_use]
    pub fn with_names(mut self) -> LogInspector {
        self.names = Some(Names::default());
        self
    }

    /// Returns the names found so far, once.
    #[cfg(feature = "comparators")]
    pub fn take_names(&mut self) -> Vec<Span> {
        self.names.take().map(|names| names.spans()).unwrap_or_default()
    }

    #[cfg(feature = "comparators")]
    fn note_names(&mut self, data: &[u8], first: u64) {
        let Some(names) = &mut self.names else { return };
        for (sequence, operation) in (first..).zip(operations(data)) {
            match operation {
                Ok(BatchOperation::Put { key, value }) => names.note(key, sequence, Some(value)),
                Ok(BatchOperation::Delete { key }) => names.note(key, sequence, None),
                Err(_) => return,
            }
        }
    }

    /// Returns the regions that are ready, in the order of their offsets.
    pub fn take_regions(&mut self) -> Vec<Region> {
        std::mem::take(&mut self.scanner.regions)
    }

    /// Returns the records that are ready.
    pub fn take_records(&mut self) -> Vec<LogRecord> {
        std::mem::take(&mut self.records)
    }

    /// Returns the findings since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        let findings = std::mem::take(&mut self.scanner.findings);
        for finding in &findings {
            match finding.severity {
                Severity::Bad => self.total.bad += 1,
                _ => self.total.notes += 1,
            }
        }
        findings
    }

    /// Returns the span of the whole file, once it is read. Take the findings first: it counts them.
    pub fn take_summary(&mut self) -> Option<Span> {
        let mut span = self.summary.take()?;
        span.number("findings", self.total.bad);
        span.number("notes", self.total.notes);
        Some(span)
    }

    fn record(&mut self, joined: &Joined) {
        let mut record = LogRecord {
            offset: joined.offset,
            end: joined.end,
            region: joined.region,
            fragments: joined.fragments,
            size: joined.size,
            sequence: 0,
            operations: 0,
            state: joined.state,
        };
        if let Ok(header) = BatchHeader::decode(&joined.data) {
            (record.sequence, record.operations) = (header.sequence, header.count);
        }
        if record.state == State::Sound {
            self.batch(&mut record, joined);
        } else {
            self.total.damaged += 1;
        }
        self.look_into(&record, joined);
        self.total.records += 1;
        self.total.fragments += u64::from(record.fragments);
        self.records.push(record);
    }

    /// Notes the operations that are sought.
    fn look_into(&mut self, record: &LogRecord, joined: &Joined) {
        let Some(sought) = &mut self.sought else { return };
        if !joined.is_joined() {
            self.unjoined.get_or_insert(record.offset);
            return;
        }
        let is_reached = self.scanner.stopped().is_none_or(|stopped| stopped > record.offset);
        let state = match record.state {
            State::Sound if is_reached => State::Sound,
            // A jump of the sequence numbers does not stop recovery.
            State::Doubtful if is_reached => State::Sound,
            State::Bad | State::Doubtful => State::Doubtful,
            _ => State::Torn,
        };
        sought.batch((record.offset, record.end.saturating_sub(record.offset)), &joined.data, state);
    }

    /// Checks the batch of a record whose fragments are all sound.
    fn batch(&mut self, record: &mut LogRecord, joined: &Joined) {
        let at = (record.offset, record.end.saturating_sub(record.offset));
        let counted = if joined.is_joined() { count(&joined.data) } else { Ok((u64::from(record.operations), 0)) };
        let (held, deletions) = match counted {
            Ok(counts) => counts,
            Err(reason) => {
                record.state = State::Bad;
                self.total.damaged += 1;
                self.scanner.stop(record.offset);
                self.scanner.find(Severity::Bad, "W06", at, reason);
                return;
            }
        };
        #[cfg(feature = "comparators")]
        self.note_names(&joined.data, record.sequence);
        let last = record.sequence.saturating_add(held.saturating_sub(1));
        match self.next_sequence {
            Some(next) if record.sequence < next => {
                let reason = fill("the batch has sequence {}, expected {} or more", &[record.sequence, next]);
                record.state = State::Doubtful;
                self.scanner.stop(record.offset);
                self.scanner.find(Severity::Bad, "W07", at, reason);
            }
            // After damage the numbers of what is lost are missing.
            Some(next) if record.sequence > next && !joined.after_damage => {
                let reason = fill("the batch has sequence {}, expected {}", &[record.sequence, next]);
                record.state = State::Doubtful;
                self.scanner.find(Severity::Warn, "W07", at, reason);
            }
            _ => {}
        }
        let next = record.sequence.saturating_add(held);
        self.next_sequence = Some(next.max(self.next_sequence.unwrap_or(0)));
        if self.scanner.stopped().is_some_and(|stopped| stopped < record.offset) {
            let (count, start, _) = self.total.left.unwrap_or((0, record.offset, 0));
            self.total.left = Some((count + 1, start, record.end));
        }
        self.total.operations += held;
        self.total.deletions += deletions;
        if held > 0 {
            let (low, high) = self.total.sequences.unwrap_or((record.sequence, last));
            self.total.sequences = Some((low.min(record.sequence), high.max(last)));
        }
    }

    fn conclude(&mut self) {
        if let Some((count, start, end)) = self.total.left {
            let stopped = self.scanner.stopped().unwrap_or(start);
            let what =
                "{} sound records after the damage at {}: LevelDB reads some of them, recovery to a point in time none";
            let reason = fill(what, &[count, stopped]);
            self.scanner.find(Severity::Bad, "W08", (start, end.saturating_sub(start)), reason);
        }
        let total = &self.total;
        let mut span = Span::new("log", 0, self.size);
        for (name, value) in [
            ("records", total.records),
            ("operations", total.operations),
            ("deletions", total.deletions),
            ("fragments", total.fragments),
            ("damagedRecords", total.damaged),
            ("recordsLeftBehind", total.left.map_or(0, |(count, ..)| count)),
        ] {
            span.number(name, value);
        }
        if let Some((low, high)) = total.sequences {
            span.number("minSequence", low);
            span.number("maxSequence", high);
        }
        if let Some(stopped) = self.scanner.stopped() {
            span.number("readUpTo", stopped);
        }
        span.text("end", self.scanner.ending());
        self.summary = Some(span);
    }
}

/// The number of operations and of deletions, or why they are no batch.
fn count(data: &[u8]) -> Result<(u64, u64), String> {
    let (mut held, mut deletions) = (0u64, 0u64);
    let header = BatchHeader::decode(data).map_err(|malformed| malformed.reason)?;
    header.first_sequence().map_err(|malformed| malformed.reason)?;
    for operation in operations(data) {
        match operation {
            Ok(operation) => {
                held += 1;
                deletions += u64::from(matches!(operation, BatchOperation::Delete { .. }));
            }
            Err(malformed) => {
                let count = [u64::from(header.count), held, malformed.offset];
                let said = fill("the batch says {} operations, {} can be decoded; at byte {}: ", &count);
                return Err([&*said, &*malformed.reason].concat());
            }
        }
    }
    Ok((held, deletions))
}

impl Reads for LogInspector {
    fn wanted(&self) -> Option<(u64, usize)> {
        self.scanner.wanted()
    }

    fn supply(&mut self, bytes: &[u8]) {
        if self.scanner.wanted().is_none() {
            return;
        }
        self.scanner.supply(bytes);
        for joined in std::mem::take(&mut self.scanner.records) {
            self.record(&joined);
        }
        if self.scanner.wanted().is_none() {
            self.conclude();
        }
    }

    fn is_full(&self) -> bool {
        self.scanner.regions.len() + self.scanner.findings.len() + self.records.len() > READY_MAX
            || self.sought.as_ref().is_some_and(Sought::is_full)
    }
}

impl std::fmt::Debug for LogInspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogInspector").field("size", &self.size).field("wanted", &self.wanted()).finish_non_exhaustive()
    }
}

/// Rows of 56 bytes: offset, end, region, size, sequence (f64), fragments, operations (u32), state
/// (u8), zeros.
#[expect(clippy::cast_precision_loss, reason = "columns of numbers; the span of a record has the digits")]
pub fn pack_records(records: &[LogRecord]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        for value in [record.offset, record.end, record.region, record.size, record.sequence] {
            out.extend((value as f64).to_le_bytes());
        }
        out.extend(record.fragments.to_le_bytes());
        out.extend(record.operations.to_le_bytes());
        out.extend([record.state.to_byte(), 0, 0, 0, 0, 0, 0, 0]);
    }
    out
}
