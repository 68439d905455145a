//! Fragments of a log as regions, and the records that they make.

use crate::base::to_u64;
use crate::batch::BatchHeader;
use crate::inspect::regions::{Region, State};
use crate::inspect::span::{Finding, Range, Severity, fill};
use crate::log::{
    BLOCK_SIZE, CHECKSUM_BYTES_MAX, FragmentHeader, FragmentType, HEADER_SIZE, Trouble, check, find_fragment, is_sound,
};

/// Bytes of a record that are joined; larger ones are not decoded.
const JOIN_MAX: usize = 64 << 20;

/// A record, whole or not.
#[derive(Debug)]
pub(crate) struct Joined {
    /// Start of its first fragment and end of its last.
    pub(crate) offset: u64,
    pub(crate) end: u64,
    /// The place of its first region among all.
    pub(crate) region: u64,
    pub(crate) fragments: u32,
    pub(crate) size: u64,
    /// The payload; its first bytes if it is too large.
    pub(crate) data: Vec<u8>,
    /// Sound if all fragments are there.
    pub(crate) state: State,
    /// Reading in order stops before it.
    pub(crate) after_damage: bool,
}

impl Joined {
    /// Whether `data` is the whole payload.
    pub(crate) fn is_joined(&self) -> bool {
        to_u64(self.data.len()) == self.size
    }
}

/// Reads a log block by block.
///
/// Invariant: all bytes before `at` are in regions, but for the zeros from `zeros` on.
pub(crate) struct Scanner {
    size: u64,
    at: u64,
    /// Records are write batches: one that is found after damage has a later sequence number.
    batches: bool,
    pub(crate) regions: Vec<Region>,
    region_count: u64,
    pub(crate) findings: Vec<Finding>,
    pub(crate) records: Vec<Joined>,
    open: Option<Joined>,
    zeros: Option<u64>,
    /// The first offset at which reading in order stops.
    stopped: Option<u64>,
    next_sequence: Option<u64>,
    /// The end of the last sound fragment.
    good_end: u64,
    /// Bytes that may be checksummed in this block in search of fragments.
    budget: usize,
    ending: &'static str,
    is_done: bool,
}

impl Scanner {
    /// For a file of `size` bytes, from the start of a fragment on, before which it has so many
    /// regions.
    pub(crate) fn new(size: u64, batches: bool, (at, region_count): (u64, u64)) -> Scanner {
        Scanner {
            size,
            at,
            batches,
            regions: Vec::new(),
            region_count,
            findings: Vec::new(),
            records: Vec::new(),
            open: None,
            zeros: None,
            stopped: None,
            next_sequence: None,
            good_end: 0,
            budget: 0,
            ending: "clean",
            is_done: false,
        }
    }

    /// The block to read next; `None` at the end.
    pub(crate) fn wanted(&self) -> Option<(u64, usize)> {
        if self.is_done {
            return None;
        }
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(BLOCK_SIZE);
        Some((self.at, left.min(BLOCK_SIZE - position(self.at))))
    }

    /// Where another scanner would continue, after the records so far: the offset of a fragment and
    /// the number of regions before it.
    pub(crate) fn boundary(&self) -> Option<(u64, u64)> {
        let open = self.open.as_ref().map(|open| (open.offset, open.region));
        let is_possible = self.zeros.is_none() && !self.is_done;
        is_possible.then(|| open.unwrap_or((self.at, self.region_count)))
    }

    /// Takes the block, or as much of it as can be read.
    pub(crate) fn supply(&mut self, bytes: &[u8]) {
        let Some((start, length)) = self.wanted() else { return };
        if bytes.len() < length {
            self.end_zeros(start);
            let at = (start, to_u64(length));
            let reason = fill("only {} of {} bytes could be read", &[to_u64(bytes.len()), to_u64(length)]);
            self.find(Severity::Bad, "S02", at, reason);
            self.lose("damage", at, State::Bad);
        } else {
            self.block(start, bytes);
        }
        self.at = start.saturating_add(to_u64(length));
        if self.at >= self.size {
            self.end();
        }
    }

    /// Reading in order stops here, for another reason than fragments.
    pub(crate) fn stop(&mut self, offset: u64) {
        self.stopped.get_or_insert(offset);
    }

    /// The first offset at which reading in order stops.
    pub(crate) fn stopped(&self) -> Option<u64> {
        self.stopped
    }

    /// How the file ends: `clean`, `torn`, `zeros` or `damaged`.
    pub(crate) fn ending(&self) -> &'static str {
        self.ending
    }

    pub(crate) fn find(&mut self, severity: Severity, code: &'static str, at: Range, reason: String) {
        let (offset, length) = at;
        self.findings.push(Finding { code, severity, offset, length, reason });
    }

    fn block(&mut self, start: u64, bytes: &[u8]) {
        if self.zeros.is_some() {
            if bytes.iter().all(|byte| *byte == 0) {
                return;
            }
            self.end_zeros(start);
        }
        let is_full = position(start) + bytes.len() == BLOCK_SIZE;
        self.budget = CHECKSUM_BYTES_MAX;
        let mut from = 0;
        while let Some(left) = bytes.get(from..).filter(|left| !left.is_empty()) {
            let offset = start.saturating_add(to_u64(from));
            if is_full && left.len() < HEADER_SIZE {
                return self.padding(offset, left);
            }
            match check(left, is_full, true) {
                Ok(header) => {
                    self.fragment(offset, header, left.get(HEADER_SIZE..header.size()).unwrap_or_default());
                    from = from.saturating_add(header.size());
                }
                Err(_) if left.iter().all(|byte| *byte == 0) => {
                    self.zeros = Some(offset);
                    return;
                }
                Err(trouble) => from = from.saturating_add(self.pass(offset, left, is_full, trouble)),
            }
        }
    }

    fn padding(&mut self, offset: u64, bytes: &[u8]) {
        let at = (offset, to_u64(bytes.len()));
        let is_zero = bytes.iter().all(|byte| *byte == 0);
        if !is_zero {
            self.find(Severity::Warn, "W02", at, "the unused end of a block is not zeros".to_owned());
        }
        self.region("padding", at, if is_zero { State::Sound } else { State::Doubtful });
    }

    fn fragment(&mut self, offset: u64, header: FragmentHeader, payload: &[u8]) {
        let at = (offset, to_u64(header.size()));
        let Some(kind) = FragmentType::from_byte(header.type_byte) else {
            let reason = fill("unknown record type {}, expected 1 to 4", &[u64::from(header.type_byte)]);
            self.find(Severity::Bad, "W03", at, reason);
            return self.lose("damage", at, State::Bad);
        };
        let begins = matches!(kind, FragmentType::Full | FragmentType::First);
        if begins {
            self.abandon("another record begins before its end");
        } else if self.open.is_none() {
            self.without_beginning(at);
            self.region(name_of(kind), at, State::Bad);
            return;
        }
        let region = self.region_count;
        self.region(name_of(kind), at, State::Sound);
        let after_damage = self.stopped.is_some();
        let record = self.open.get_or_insert_with(|| Joined {
            offset,
            end: offset,
            region,
            fragments: 0,
            size: 0,
            data: Vec::new(),
            state: State::Sound,
            after_damage,
        });
        record.fragments = record.fragments.saturating_add(1);
        record.size = record.size.saturating_add(to_u64(payload.len()));
        record.end = offset.saturating_add(at.1);
        if record.data.len().saturating_add(payload.len()) <= JOIN_MAX {
            record.data.extend_from_slice(payload);
        }
        self.good_end = record.end;
        if matches!(kind, FragmentType::Full | FragmentType::Last)
            && let Some(record) = self.open.take()
        {
            self.note_sequence(&record);
            self.records.push(record);
        }
    }

    fn note_sequence(&mut self, record: &Joined) {
        if self.batches
            && let Ok(header) = BatchHeader::decode(&record.data)
        {
            self.next_sequence = Some(header.sequence.saturating_add(u64::from(header.count)));
        }
    }

    /// Reports a part of a record without its beginning; those that follow one another together.
    fn without_beginning(&mut self, at: Range) {
        self.stop(at.0);
        let end = self.regions.last().map_or(0, Region::end);
        if let Some(last) = self.findings.last_mut()
            && last.code == "W03"
            && last.offset.saturating_add(last.length) >= end.saturating_sub(to_u64(HEADER_SIZE))
        {
            last.length = at.0.saturating_add(at.1).saturating_sub(last.offset);
            return;
        }
        self.find(Severity::Bad, "W03", at, "part of a record without its beginning".to_owned());
    }

    /// Reports that the record which is not complete will not be completed.
    fn abandon(&mut self, why: &str) {
        let Some(mut record) = self.open.take() else { return };
        // An old writer left an empty first fragment at the end of a block.
        if record.size > 0 {
            let reason = ["a record whose end is missing: ", why].concat();
            self.stop(record.offset);
            self.find(Severity::Bad, "W03", (record.offset, record.end.saturating_sub(record.offset)), reason);
            record.state = State::Bad;
            self.records.push(record);
        }
    }

    /// Reports bytes that are no fragment; returns how many.
    fn pass(&mut self, offset: u64, left: &[u8], is_full: bool, trouble: Trouble) -> usize {
        let next = after_its_length(left, is_full, &trouble).or_else(|| self.search(offset, left));
        let size = next.unwrap_or(left.len());
        let at = (offset, to_u64(size));
        let is_end = next.is_none() && !is_full;
        let code = match trouble {
            Trouble::CutOff { .. } if is_end => {
                match never_written(offset, left) {
                    Some((code, reason)) => self.no_beginning(at, code, reason),
                    None => self.tear(at, trouble.to_string()),
                }
                return size;
            }
            Trouble::CutOff { .. } | Trouble::Length { .. } => "W02",
            Trouble::Checksum { .. } | Trouble::Unused => "W01",
        };
        let rest = if next.is_none() && is_full { "; the rest of the block is lost with it" } else { "" };
        if is_end {
            self.ending = "damaged";
        }
        self.find(Severity::Bad, code, at, [&*trouble.to_string(), rest].concat());
        self.lose("damage", at, State::Bad);
        size
    }

    /// The next sound fragment in the block that begins a record, if its sequence number fits.
    fn search(&mut self, offset: u64, left: &[u8]) -> Option<usize> {
        let mut from = 1;
        while let Some((at, _, kind, head)) = find_fragment(left, from, &mut self.budget) {
            let begins = matches!(kind, FragmentType::Full | FragmentType::First);
            let missing = offset.saturating_add(to_u64(at)).saturating_sub(self.good_end);
            let fits = match (self.next_sequence, BatchHeader::decode(head)) {
                (Some(next), Ok(header)) => header.sequence.wrapping_sub(next) <= missing,
                _ => true,
            };
            if begins && (fits || !self.batches) {
                return Some(at);
            }
            from = at.saturating_add(1);
        }
        None
    }

    /// The last bytes of the file are the beginning of a record.
    fn tear(&mut self, at: Range, reason: String) {
        let whole = self.open.as_ref().map_or(at, |open| (open.offset, at.0.saturating_add(at.1) - open.offset));
        self.ending = "torn";
        self.find(Severity::Info, "W04", whole, ["the last record was not written completely: ", &*reason].concat());
        self.lose("damage", at, State::Torn);
    }

    /// The last bytes of the file were never written as a record. LevelDB takes them for a record that
    /// was not completed, and opens the database.
    fn no_beginning(&mut self, at: Range, code: &'static str, reason: String) {
        self.ending = "damaged";
        self.find(Severity::Warn, code, at, ["not the beginning of a record: ", &*reason].concat());
        self.lose("damage", at, State::Doubtful);
    }

    /// Adds a region that is no record, and drops the one that is not complete.
    fn lose(&mut self, kind: &'static str, at: Range, state: State) {
        self.stop(at.0);
        if let Some(mut record) = self.open.take() {
            record.state = state;
            self.records.push(record);
        }
        self.region(kind, at, state);
    }

    fn region(&mut self, kind: &'static str, (offset, size): Range, state: State) {
        let mut region = Region::unread(kind, offset, size);
        region.state = state;
        region.raw = u32::try_from(size).unwrap_or(u32::MAX);
        self.regions.push(region);
        self.region_count += 1;
    }

    /// Ends zeros at `end`, before other bytes.
    fn end_zeros(&mut self, end: u64) {
        if let Some(start) = self.zeros.take() {
            let at = (start, end.saturating_sub(start));
            self.find(Severity::Warn, "W05", at, fill("{} zeros, and other bytes after them", &[at.1]));
            self.lose("zeros", at, State::Doubtful);
        }
    }

    fn end(&mut self) {
        self.is_done = true;
        if let Some(start) = self.zeros.take() {
            let at = (start, self.size.saturating_sub(start));
            self.ending = "zeros";
            self.find(Severity::Info, "W05", at, fill("the last {} bytes are zeros", &[at.1]));
            self.lose("zeros", at, State::Torn);
        }
        if let Some(mut record) = self.open.take() {
            let at = (record.offset, self.size.saturating_sub(record.offset));
            let reason = "the last record was not written completely: the file ends inside it";
            self.stop(record.offset);
            self.ending = "torn";
            self.find(Severity::Info, "W04", at, reason.to_owned());
            record.state = State::Torn;
            self.records.push(record);
        }
    }
}

/// Why bytes at the end of the file are not the beginning of a fragment, if they cannot be.
fn never_written(offset: u64, left: &[u8]) -> Option<(&'static str, String)> {
    let header = FragmentHeader::decode(left)?;
    if FragmentType::from_byte(header.type_byte).is_none() {
        return Some(("W03", fill("unknown record type {}, expected 1 to 4", &[u64::from(header.type_byte)])));
    }
    let room = BLOCK_SIZE.saturating_sub(position(offset)).saturating_sub(HEADER_SIZE);
    let reason = "bad record length: {}, the block has room for {}";
    (usize::from(header.length) > room).then(|| ("W02", fill(reason, &[u64::from(header.length), to_u64(room)])))
}

/// Where the next fragment begins, if the length of the bad one leads to it or to the end.
fn after_its_length(left: &[u8], is_full: bool, trouble: &Trouble) -> Option<usize> {
    let Trouble::Checksum { .. } = trouble else { return None };
    let size = FragmentHeader::decode(left)?.size();
    let rest = left.get(size..)?;
    let is_trailer = is_full && rest.len() < HEADER_SIZE && rest.iter().all(|byte| *byte == 0);
    (rest.is_empty() || is_trailer || is_sound(rest)).then_some(size)
}

/// The position of an offset in its block.
fn position(offset: u64) -> usize {
    usize::try_from(offset % to_u64(BLOCK_SIZE)).unwrap_or(0)
}

fn name_of(kind: FragmentType) -> &'static str {
    match kind {
        FragmentType::Full => "full",
        FragmentType::First => "first",
        FragmentType::Middle => "middle",
        FragmentType::Last => "last",
    }
}
