//! Reads fragments, joins them to records, and classifies the end of a log.

use std::borrow::Cow;
use std::rc::Rc;

use super::blocks::Blocks;
use super::doubt::Doubts;
use super::fragment::{FragmentType, Trouble, check};
use super::{BLOCK_SIZE, BLOCK_SIZE_U64, HEADER_SIZE, RECORD_SIZE_MAX, block_position};
use crate::base::to_u64;
use crate::env::{Access, Env, File};
use crate::error::{Error, Result};

/// Further damage is counted, not listed: a hostile file may have some every seven bytes.
const DAMAGES_LISTED_MAX: usize = 1000;

/// How a reader handles bytes that are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Semantics {
    /// LevelDB's behaviour: it drops them, continues, and lists them as [`Damage`].
    Compat {
        /// Verify checksums (LevelDB does, except in repair).
        verify: bool,
    },
    /// It stops there; [`LogReader::tail`] has the reason.
    Prefix,
    /// It continues after each, verifies every checksum, and lists all skipped bytes as [`Damage`]
    /// (salvage.rs).
    Salvage,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Start of its first fragment.
    pub(crate) offset: u64,
    /// End of its last fragment.
    pub(crate) end: u64,
    /// Its payload.
    pub(crate) data: Vec<u8>,
}

/// Bytes that are not a record.
///
/// With [`Semantics::Compat`] those that LevelDB's reader would report as dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Offset of the first.
    pub(crate) offset: u64,
    /// Number of bytes; in `Compat`, as LevelDB counts them.
    pub(crate) bytes: u64,
    /// The reason; in `Compat`, LevelDB's message.
    pub(crate) reason: Cow<'static, str>,
}

/// How the prefix of complete records ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// At the end of the file.
    Clean,
    /// From `offset` to its end the file is zeros.
    ///
    /// Space that was preallocated, or that a crash left unwritten.
    Zeros {
        /// Offset of the first.
        offset: u64,
    },
    /// At `offset` there are other bytes.
    Torn {
        /// Offset of the bad fragment.
        ///
        /// If only the rest of a record is missing, the end of the file.
        offset: u64,
        /// The field, the stored value and the expected value.
        reason: String,
    },
}

impl Tail {
    /// Offset at which to look for later records; `None` if the file ends cleanly.
    pub(crate) fn offset(&self) -> Option<u64> {
        match self {
            Tail::Clean => None,
            Tail::Zeros { offset } | Tail::Torn { offset, .. } => Some(*offset),
        }
    }
}

/// Reads the records of one log or manifest, in order.
///
/// Invariants:
/// 1. All bytes before `offset` have been processed; the next fragment would begin at `offset`.
/// 2. `open` is the offset of the `first` fragment of the record in `scratch`; without it,
///    `scratch` is empty.
/// 3. Memory is limited to one chunk, the current record and `DAMAGES_LISTED_MAX` damages.
pub(crate) struct LogReader {
    pub(super) blocks: Blocks,
    semantics: Semantics,
    record_size_max: u64,
    pub(super) offset: u64,
    pub(super) good_end: u64,
    pub(super) open: Option<u64>,
    pub(super) scratch: Vec<u8>,
    pub(super) finished: bool,
    tail: Tail,
    odd_trailer: Option<u64>,
    damages: Vec<Damage>,
    damage_count: u64,
    damage_bytes: u64,
    pub(super) scan_budget: Option<(u64, usize)>,
    /// In `Salvage`: the sequence number of the next batch, if known.
    pub(super) expected_sequence: Option<u64>,
    /// In `Salvage`: what is doubtful is kept (doubt.rs).
    pub(super) doubts: Doubts,
    /// The offset of a byte other than zero, once one was searched.
    nonzero: u64,
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader")
            .field("name", &self.blocks.name)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// One step through the file.
pub(super) enum Fragment {
    /// A fragment with a valid (or unverified) checksum.
    ///
    /// `start..end` is its payload in the block at `block`.
    Whole {
        offset: u64,
        type_byte: u8,
        block: u64,
        start: usize,
        end: usize,
    },
    /// Other bytes.
    Bad {
        offset: u64,
        trouble: Trouble,
    },
    End,
}

impl LogReader {
    /// Reads the file called `name`.
    pub(crate) async fn open(env: &dyn Env, name: &str, semantics: Semantics) -> Result<LogReader> {
        let file = env.open(name, Access::Read).await?;
        Ok(LogReader::from_file(file, name.to_owned(), semantics))
    }

    /// Reads an open file, which must not grow meanwhile.
    pub(crate) fn from_file(file: Rc<dyn File>, name: String, semantics: Semantics) -> LogReader {
        LogReader::new(Blocks::of_file(file, name), semantics)
    }

    /// Reads bytes in memory; `name` is used in messages.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn from_bytes(bytes: Vec<u8>, name: String, semantics: Semantics) -> LogReader {
        LogReader::new(Blocks::of_bytes(bytes, name), semantics)
    }

    fn new(mut blocks: Blocks, semantics: Semantics) -> LogReader {
        blocks.patches = semantics == Semantics::Salvage;
        LogReader {
            blocks,
            semantics,
            record_size_max: RECORD_SIZE_MAX,
            offset: 0,
            good_end: 0,
            open: None,
            scratch: Vec::new(),
            finished: false,
            tail: Tail::Clean,
            odd_trailer: None,
            damages: Vec::new(),
            damage_count: 0,
            damage_bytes: 0,
            scan_budget: None,
            expected_sequence: None,
            doubts: Doubts::default(),
            nonzero: 0,
        }
    }

    /// Refuses records longer than this with `LimitExceeded`. Default 1 GiB.
    #[cfg(test)]
    pub(crate) fn set_record_size_max(&mut self, bytes: u64) {
        self.record_size_max = bytes;
    }

    /// The next record; `None` at the end, as this reader's semantics define it.
    ///
    /// After an error, no more records are returned.
    pub(crate) async fn next_record(&mut self) -> Result<Option<Record>> {
        let result = match self.semantics {
            Semantics::Compat { verify } => self.next_compat(verify).await,
            Semantics::Prefix => self.next_prefix().await,
            Semantics::Salvage => self.next_salvage().await,
        };
        self.finished |= result.is_err();
        result
    }

    /// Continues at `offset`, the end of a record.
    pub(crate) fn skip_to(&mut self, offset: u64) {
        (self.offset, self.good_end) = (offset, offset);
    }

    /// The size of the file.
    pub(crate) async fn file_size(&self) -> Result<u64> {
        self.blocks.file_size().await
    }

    /// How the prefix ends: known once [`next_record`](LogReader::next_record) has returned `None`.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// End of the last record returned (0 before the first).
    pub(crate) fn good_end(&self) -> u64 {
        self.good_end
    }

    /// Offset of the first block trailer that is not zeros.
    ///
    /// It contains no data, but no writer leaves it so.
    pub(crate) fn odd_trailer(&self) -> Option<u64> {
        self.odd_trailer
    }

    /// Takes the damage found so far (at most the first 1000).
    pub(crate) fn take_damages(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damages)
    }

    /// In `Salvage`: the ranges that could not be read.
    pub(crate) fn take_unreadable(&mut self) -> Vec<(u64, u64, Error)> {
        std::mem::take(&mut self.blocks.unreadable)
    }

    /// The number of times that bytes were dropped.
    pub(crate) fn damage_count(&self) -> u64 {
        self.damage_count
    }

    /// The number of bytes dropped, as LevelDB counts them.
    #[cfg(test)]
    pub(crate) fn damage_bytes(&self) -> u64 {
        self.damage_bytes
    }

    async fn next_compat(&mut self, verify: bool) -> Result<Option<Record>> {
        while !self.finished {
            match self.fragment(verify).await? {
                Fragment::End => self.finish_compat(),
                Fragment::Bad { offset, trouble } => self.drop_bad(offset, &trouble),
                // LevelDB's reader uses these two types for internal results: end of file, and a
                // bad fragment that was already reported.
                Fragment::Whole { type_byte: 5, .. } => self.finish_compat(),
                Fragment::Whole { type_byte: 6, .. } => self.abandon(),
                Fragment::Whole { offset, type_byte, block, start, end } => {
                    let record = match FragmentType::from_byte(type_byte) {
                        Some(kind) => self.take_compat(kind, offset, block, start, end)?,
                        None => {
                            let bytes = end - start + self.scratch.len();
                            self.close();
                            self.report(offset, bytes, format!("unknown record type {type_byte}"));
                            None
                        }
                    };
                    if record.is_some() {
                        return Ok(record);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Handles a valid fragment as LevelDB does.
    fn take_compat(
        &mut self,
        kind: FragmentType,
        offset: u64,
        block: u64,
        start: usize,
        end: usize,
    ) -> Result<Option<Record>> {
        match (kind, self.open) {
            (FragmentType::Full | FragmentType::First, Some(begin)) => {
                let number = if kind == FragmentType::Full { 1 } else { 2 };
                // Empty: an old writer left such a first fragment at the end of a block.
                if !self.scratch.is_empty() {
                    self.report(begin, self.scratch.len(), format!("partial record without end({number})"));
                }
                self.close();
            }
            (FragmentType::Middle | FragmentType::Last, None) => {
                let number = if kind == FragmentType::Middle { 1 } else { 2 };
                self.report(offset, end - start, format!("missing start of fragmented record({number})"));
                return Ok(None);
            }
            _ => {}
        }
        self.gather(kind, offset, block, start, end)
    }

    /// Handles bytes that are not a fragment as LevelDB does: drops the rest of their block.
    fn drop_bad(&mut self, offset: u64, trouble: &Trouble) {
        self.offset = next_block(offset);
        match trouble {
            Trouble::CutOff { .. } => return self.finish_compat(),
            Trouble::Length { left, .. } => self.report(offset, *left, "bad record length"),
            Trouble::Checksum { left, .. } => self.report(offset, *left, "checksum mismatch"),
            Trouble::Unused => {}
        }
        self.abandon();
    }

    /// Drops the current record, which will not be completed.
    fn abandon(&mut self) {
        if let Some(begin) = self.open {
            self.report(begin, self.scratch.len(), "error in middle of record");
            self.close();
        }
    }

    /// Handles the end of the file. An incomplete record is dropped silently: its writer died.
    fn finish_compat(&mut self) {
        self.finished = true;
        self.close();
    }

    pub(super) fn report(&mut self, offset: u64, bytes: usize, reason: impl Into<Cow<'static, str>>) {
        let bytes = to_u64(bytes);
        self.damage_count += 1;
        self.damage_bytes = self.damage_bytes.saturating_add(bytes);
        if self.damages.len() < DAMAGES_LISTED_MAX {
            self.damages.push(Damage { offset, bytes, reason: reason.into() });
        }
    }

    async fn next_prefix(&mut self) -> Result<Option<Record>> {
        while !self.finished {
            match self.fragment(true).await? {
                Fragment::End => self.finish_prefix(),
                Fragment::Bad { offset, trouble } => {
                    let unused = matches!(trouble, Trouble::Unused | Trouble::CutOff { .. });
                    self.tear(offset, trouble.to_string());
                    if unused && self.open.is_none() && self.is_zero_from(offset).await? {
                        self.tail = Tail::Zeros { offset };
                    }
                }
                Fragment::Whole { offset, type_byte, block, start, end } => {
                    if let Some(reason) = self.objection(type_byte) {
                        self.tear(offset, reason);
                    } else if let Some(kind) = FragmentType::from_byte(type_byte)
                        && let Some(record) = self.gather(kind, offset, block, start, end)?
                    {
                        return Ok(Some(record));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The reason why a fragment of this type is invalid here.
    fn objection(&self, type_byte: u8) -> Option<String> {
        let open = self.open.filter(|_| !self.scratch.is_empty());
        match (FragmentType::from_byte(type_byte), open, self.open) {
            (None, ..) => Some(format!("unknown record type {type_byte}, expected 1 to 4")),
            (Some(FragmentType::Full | FragmentType::First), Some(begin), _) => {
                Some(format!("partial record without end: begun at offset {begin}, another begins here"))
            }
            (Some(FragmentType::Middle | FragmentType::Last), _, None) => {
                Some(format!("missing start of fragmented record: type {type_byte}, expected 1 or 2"))
            }
            _ => None,
        }
    }

    fn finish_prefix(&mut self) {
        if let Some(begin) = self.open {
            self.tear(self.offset, format!("the file ends inside the record that begins at offset {begin}"));
        }
        self.finished = true;
    }

    fn tear(&mut self, offset: u64, reason: String) {
        self.tail = Tail::Torn { offset, reason };
        self.finished = true;
    }

    /// Adds a fragment that fits the current record; returns the record if it is complete.
    pub(super) fn gather(
        &mut self,
        kind: FragmentType,
        offset: u64,
        block: u64,
        start: usize,
        end: usize,
    ) -> Result<Option<Record>> {
        let payload = self.blocks.loaded(block).and_then(|b| b.get(start..end)).unwrap_or_default();
        let begin = match kind {
            FragmentType::Full | FragmentType::First => {
                self.scratch.clear();
                offset
            }
            FragmentType::Middle | FragmentType::Last => self.open.unwrap_or(offset),
        };
        let length = self.scratch.len().saturating_add(payload.len());
        if to_u64(length) > self.record_size_max || self.scratch.try_reserve(payload.len()).is_err() {
            let message = format!(
                "{}: the record at offset {begin} has at least {length} bytes, at most {} are read",
                self.blocks.name, self.record_size_max
            );
            return Err(Error::LimitExceeded(message));
        }
        self.scratch.extend_from_slice(payload);
        if matches!(kind, FragmentType::First | FragmentType::Middle) {
            self.open = Some(begin);
            return Ok(None);
        }
        self.open = None;
        self.good_end = self.offset;
        Ok(Some(Record { offset: begin, end: self.offset, data: std::mem::take(&mut self.scratch) }))
    }

    pub(super) fn close(&mut self) {
        self.open = None;
        self.scratch.clear();
    }

    /// The next fragment, or the bytes in its place; moves past a valid one.
    pub(super) async fn fragment(&mut self, verify: bool) -> Result<Fragment> {
        loop {
            let position = block_position(self.offset);
            let block_start = self.offset - to_u64(position);
            let Some(block) = self.blocks.loaded(block_start) else {
                self.blocks.load(block_start).await?;
                continue;
            };
            let left = block.get(position..).unwrap_or_default();
            let in_trailer = BLOCK_SIZE - position < HEADER_SIZE;
            if in_trailer && block.len() == BLOCK_SIZE {
                if left.iter().any(|byte| *byte != 0) {
                    self.odd_trailer.get_or_insert(self.offset);
                }
                self.offset = next_block(self.offset);
                continue;
            }
            if left.is_empty() {
                return Ok(Fragment::End);
            }
            let offset = self.offset;
            return Ok(match check(left, block.len() == BLOCK_SIZE, verify) {
                Err(trouble) => Fragment::Bad { offset, trouble },
                Ok(header) => {
                    self.offset += to_u64(header.size());
                    let (start, end) = (position + HEADER_SIZE, position + header.size());
                    Fragment::Whole { offset, type_byte: header.type_byte, block: block_start, start, end }
                }
            });
        }
    }

    pub(super) async fn is_zero_from(&mut self, offset: u64) -> Result<bool> {
        if offset <= self.nonzero && self.nonzero > 0 {
            return Ok(false);
        }
        let mut position = block_position(offset);
        let mut block_start = offset - to_u64(position);
        loop {
            let block = self.blocks.get(block_start).await?;
            if let Some(at) = block.get(position..).unwrap_or_default().iter().position(|byte| *byte != 0) {
                self.nonzero = block_start + to_u64(position + at);
                return Ok(false);
            }
            if block.len() < BLOCK_SIZE {
                return Ok(true);
            }
            position = 0;
            block_start = block_start.saturating_add(BLOCK_SIZE_U64);
        }
    }
}

/// Offset of the block after the one that contains `offset`.
fn next_block(offset: u64) -> u64 {
    (offset - offset % BLOCK_SIZE_U64).saturating_add(BLOCK_SIZE_U64)
}
