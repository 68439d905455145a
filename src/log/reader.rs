//! Fragments back to records, and what a torn tail means.

use std::borrow::Cow;
use std::rc::Rc;

use super::blocks::Blocks;
use super::fragment::{FragmentType, Trouble, check};
use super::{BLOCK_SIZE, BLOCK_SIZE_U64, HEADER_SIZE, RECORD_SIZE_MAX, block_position};
use crate::base::to_u64;
use crate::env::{Access, Env, File};
use crate::error::{Error, Result};

/// Damages past this number are counted, not listed: a hostile file holds one in every seven bytes.
const DAMAGES_LISTED_MAX: usize = 1000;

/// What a reader does at bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Semantics {
    /// LevelDB's way: it drops them, goes on, and lists them as [`Damage`].
    Compat {
        /// Verify checksums (LevelDB does, except in repair).
        verify: bool,
    },
    /// It stops there for good; [`LogReader::tail`] says what it met.
    Prefix,
    /// It goes on behind each, verifies every checksum, and lists all that it passes over as [`Damage`] (salvage.rs).
    Salvage,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Where its first fragment begins.
    pub(crate) offset: u64,
    /// Where its last fragment ends.
    pub(crate) end: u64,
    /// Its payload.
    pub(crate) data: Vec<u8>,
}

/// Bytes that are no record: with [`Semantics::Compat`] those that LevelDB's reader would report as dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Where they begin.
    pub(crate) offset: u64,
    /// How many. Of `Compat`: as LevelDB counts.
    pub(crate) bytes: u64,
    /// Why. Of `Compat`: LevelDB's words.
    pub(crate) reason: Cow<'static, str>,
}

/// How the prefix of whole records ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// The file ends with it.
    Clean,
    /// From `offset` to its end the file is zeros: space that a writer set aside, or that a crash left unwritten.
    Zeros {
        /// Where they begin.
        offset: u64,
    },
    /// At `offset` something else stands.
    Torn {
        /// Where the bad fragment begins. If nothing but the rest of a record is missing: the end of the file.
        offset: u64,
        /// The field, what was stored and what was expected.
        reason: String,
    },
}

impl Tail {
    /// Where to look on for later records; `None` where the file ends cleanly.
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
/// 1. All before `offset` has been judged; `offset` is where the next fragment would begin.
/// 2. `open` is the offset of the `first` fragment whose record `scratch` is gathering; `scratch` is empty without it.
/// 3. Memory is bounded by one chunk, the record being read and `DAMAGES_LISTED_MAX` damages.
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
    /// Of `Salvage`: the sequence number of the next batch, where it is known.
    pub(super) expected_sequence: Option<u64>,
    /// A byte that is not zero, once one was looked for.
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
    /// A fragment whose checksum holds (or was not asked for); `start..end` is its payload in the block at `block`.
    Whole {
        offset: u64,
        type_byte: u8,
        block: u64,
        start: usize,
        end: usize,
    },
    /// Something else.
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

    /// Reads an open file. It must not grow meanwhile.
    pub(crate) fn from_file(file: Rc<dyn File>, name: String, semantics: Semantics) -> LogReader {
        LogReader::new(Blocks::of_file(file, name), semantics)
    }

    /// Reads bytes in memory; `name` is for messages.
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
            nonzero: 0,
        }
    }

    /// Refuses records longer than this with `LimitExceeded`. Default 1 GiB.
    #[cfg(test)]
    pub(crate) fn set_record_size_max(&mut self, bytes: u64) {
        self.record_size_max = bytes;
    }

    /// The next record; `None` at the end of what this reader's semantics can see. After an error there is nothing more.
    pub(crate) async fn next_record(&mut self) -> Result<Option<Record>> {
        let result = match self.semantics {
            Semantics::Compat { verify } => self.next_compat(verify).await,
            Semantics::Prefix => self.next_prefix().await,
            Semantics::Salvage => self.next_salvage().await,
        };
        self.finished |= result.is_err();
        result
    }

    /// Bytes of the file.
    pub(crate) async fn file_size(&self) -> Result<u64> {
        self.blocks.file_size().await
    }

    /// How the prefix ends: known once [`next_record`](LogReader::next_record) has answered `None`.
    pub(crate) fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Where the last record that was given out ends (0 before the first).
    pub(crate) fn good_end(&self) -> u64 {
        self.good_end
    }

    /// Where the first block trailer begins that is not zeros. It holds nothing, but no writer leaves it so.
    pub(crate) fn odd_trailer(&self) -> Option<u64> {
        self.odd_trailer
    }

    /// What was dropped so far (the first 1000 of it) and not yet taken.
    pub(crate) fn take_damages(&mut self) -> Vec<Damage> {
        std::mem::take(&mut self.damages)
    }

    /// Of `Salvage`: what could not be read.
    pub(crate) fn take_unreadable(&mut self) -> Vec<(u64, u64, Error)> {
        std::mem::take(&mut self.blocks.unreadable)
    }

    /// How many times something was dropped.
    pub(crate) fn damage_count(&self) -> u64 {
        self.damage_count
    }

    /// How many bytes were dropped, as LevelDB counts.
    #[cfg(test)]
    pub(crate) fn damage_bytes(&self) -> u64 {
        self.damage_bytes
    }

    async fn next_compat(&mut self, verify: bool) -> Result<Option<Record>> {
        while !self.finished {
            match self.fragment(verify).await? {
                Fragment::End => self.finish_compat(),
                Fragment::Bad { offset, trouble } => self.drop_bad(offset, &trouble),
                // LevelDB's reader takes these two types for its own inner signals: end of file, and a bad fragment
                // that was already reported.
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

    /// A good fragment, in LevelDB's eyes.
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

    /// Bytes that are no fragment, in LevelDB's eyes. The rest of their block goes with them.
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

    /// The record being gathered will not be completed.
    fn abandon(&mut self) {
        if let Some(begin) = self.open {
            self.report(begin, self.scratch.len(), "error in middle of record");
            self.close();
        }
    }

    /// The end of the file. A record without its end is dropped in silence: its writer died.
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

    /// Why a fragment of this type cannot stand here.
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

    /// Adds a fragment that fits what is open; answers the record if that completes it.
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

    /// The next fragment, or what stands in its place; moves behind a good one.
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

/// Where the block after the one that holds `offset` begins.
fn next_block(offset: u64) -> u64 {
    (offset - offset % BLOCK_SIZE_U64).saturating_add(BLOCK_SIZE_U64)
}
