//! Reads on after damage: returns every record with a valid checksum, and reports every other byte.
//!
//! ```text
//! | fragment | bad fragment | fragment |          its length leads to a valid fragment: continue
//! | fragment | bad length ......... | fragment |  else search for one up to the end of the block
//! ```
//! LevelDB's reader drops the rest of a block at a bad checksum. Here only the bad record is lost.
//! The checksum does not cover a fragment's length: if the distance to the next valid fragment
//! makes the stored checksum valid, only the length was damaged, and the record is intact.
//!
//! Bytes inside a damaged record may look like a fragment, for instance if a value is a copy of a
//! log. A fragment found by searching is therefore accepted as the beginning of a record only if
//! the sequence number of its batch fits.
//!
//! On request, records that may be right are returned too, as doubtful ones (doubt.rs).

use super::doubt::Doubt;
use super::fragment::{FragmentHeader, FragmentType, Trouble, checksum, is_sound};
use super::reader::{Fragment, LogReader, Record};
use super::{BLOCK_SIZE, BLOCK_SIZE_U64, HEADER_SIZE, block_position};
use crate::base::{decode_fixed32, decode_fixed64, to_u64};
use crate::error::Result;

/// Only a salvage keeps doubtful records, which engine.wasm has not.
const CAN_KEEP_DOUBTFUL: bool = cfg!(any(not(feature = "wasm"), feature = "full"));

/// Fragments of a block that are tried as the first doubtful record: crafted bytes can have thousands.
const UNPROVEN_TRIES_MAX: usize = 8;

impl LogReader {
    /// Also returns doubtful records.
    pub(crate) fn keep_doubtful(&mut self) {
        self.doubts.are_kept = true;
    }

    fn keeps_doubtful(&self) -> bool {
        CAN_KEEP_DOUBTFUL && self.doubts.are_kept
    }

    /// Takes the doubt about the record that was returned last, which begins at `offset`.
    pub(crate) fn take_doubt(&mut self, offset: u64) -> Option<Doubt> {
        if !self.keeps_doubtful() {
            return None;
        }
        let doubt = self.doubts.current.take().map(|(doubt, _)| doubt);
        doubt.or_else(|| (offset < self.doubts.unproven_until).then_some(Doubt::Place))
    }

    /// Reports a doubtful record that was returned and is not used.
    pub(crate) fn reject(&mut self, record: &Record, doubt: Doubt) {
        let bytes = usize::try_from(record.end.saturating_sub(record.offset)).unwrap_or(usize::MAX);
        match doubt {
            Doubt::Checksum { offset, reason } => self.report(offset, bytes, reason),
            Doubt::Place => self.report(record.offset, bytes, "nothing proves that a record begins here"),
        }
    }

    /// Sets the sequence number expected in the next batch.
    ///
    /// It limits those of batches found by searching.
    pub(crate) fn expect_sequence(&mut self, next: u64) {
        self.expected_sequence = Some(next);
    }

    pub(super) async fn next_salvage(&mut self) -> Result<Option<Record>> {
        while !self.finished {
            let record = match self.fragment(true).await? {
                Fragment::End => {
                    self.end_record("the log ends before it");
                    self.finished = true;
                    None
                }
                Fragment::Bad { offset, trouble } => self.pass_over(offset, &trouble).await?,
                Fragment::Whole { offset, type_byte, block, start, end } => {
                    self.take_sound(offset, type_byte, block, start, end)?
                }
            };
            if record.is_some() {
                return Ok(record);
            }
        }
        Ok(None)
    }

    /// Handles a fragment with a valid checksum. Returns the record that it completes.
    fn take_sound(
        &mut self,
        offset: u64,
        type_byte: u8,
        block: u64,
        start: usize,
        end: usize,
    ) -> Result<Option<Record>> {
        let Some(kind) = FragmentType::from_byte(type_byte) else {
            self.end_record("a fragment of unknown type follows");
            self.report(offset, end - start, format!("unknown record type {type_byte}, expected 1 to 4"));
            return Ok(None);
        };
        match (kind, self.open) {
            (FragmentType::Full | FragmentType::First, _) => self.end_record("another record begins before it"),
            (FragmentType::Middle | FragmentType::Last, None) => {
                self.report(offset, end - start, "part of a record without its beginning");
                return Ok(None);
            }
            _ => {}
        }
        self.gather(kind, offset, block, start, end)
    }

    /// Drops the current record, which will not be completed.
    fn end_record(&mut self, why: &str) {
        if let Some(begin) = self.open {
            let told = self.end_doubt();
            // Nothing: an old writer left an empty first fragment at the end of a block.
            if self.scratch.len() > told {
                self.report(begin, self.scratch.len() - told, format!("a record whose end is missing: {why}"));
            }
            self.close();
        }
    }

    /// Reports the doubtful fragments of the current record, which will not be completed; returns the number
    /// of bytes in them.
    fn end_doubt(&mut self) -> usize {
        if !self.keeps_doubtful() {
            return 0;
        }
        let Some((Doubt::Checksum { offset, reason }, bytes)) = self.doubts.current.take() else { return 0 };
        self.report(offset, bytes.saturating_add(HEADER_SIZE), reason);
        bytes
    }

    /// Takes a fragment with a wrong checksum whose length leads on, if its type fits.
    ///
    /// `None`: it does not, and nothing was done.
    fn take_doubtful(&mut self, offset: u64, trouble: &Trouble) -> Result<Option<Option<Record>>> {
        let position = block_position(offset);
        let block_start = offset - to_u64(position);
        // Its length was looked at, so that the block is there.
        let block = self.blocks.loaded(block_start).unwrap_or_default();
        let Some(header) = block.get(position..).and_then(FragmentHeader::decode) else { return Ok(None) };
        let Some(kind) = FragmentType::from_byte(header.type_byte) else { return Ok(None) };
        match (kind, self.open) {
            (FragmentType::Full | FragmentType::First, _) => self.end_record("another record begins before it"),
            (FragmentType::Middle | FragmentType::Last, None) => return Ok(None),
            _ => {}
        }
        let doubt = || (Doubt::Checksum { offset, reason: trouble.to_string() }, 0);
        let (_, bytes) = self.doubts.current.get_or_insert_with(doubt);
        *bytes = bytes.saturating_add(usize::from(header.length));
        self.offset = offset + to_u64(header.size());
        let (start, end) = (position + HEADER_SIZE, position + header.size());
        self.gather(kind, offset, block_start, start, end).map(Some)
    }

    /// Reports the bad fragment at `offset` and moves to the next readable one.
    ///
    /// Returns the record if only the length of its last fragment was damaged.
    async fn pass_over(&mut self, offset: u64, trouble: &Trouble) -> Result<Option<Record>> {
        if matches!(trouble, Trouble::Unused | Trouble::CutOff { .. }) && self.is_zero_from(offset).await? {
            self.end_record("the rest of the log is zeros");
            let bytes = self.file_size().await?.saturating_sub(offset);
            self.report(offset, usize::try_from(bytes).unwrap_or(usize::MAX), "the rest of the log is zeros");
            self.finished = true;
            return Ok(None);
        }
        let next = match self.after_its_length(offset, trouble).await? {
            Some(next) => {
                if self.keeps_doubtful()
                    && let Some(taken) = self.take_doubtful(offset, trouble)?
                {
                    return Ok(taken);
                }
                Some(next)
            }
            None => self.search_block(offset).await?,
        };
        let position = block_position(offset);
        let block_start = offset - to_u64(position);
        let block = self.blocks.get(block_start).await?;
        let is_last = block.len() < BLOCK_SIZE;
        let next = next.and_then(|next| usize::try_from(next - block_start).ok());
        let end = next.unwrap_or(block.len());
        let bytes = block.get(position..end).unwrap_or_default();
        let size = bytes.len();
        self.offset = block_start + to_u64(end);
        self.finished = is_last && next.is_none();
        if let Some(header) = FragmentHeader::decode(bytes)
            && header.size() != size
            && FragmentType::from_byte(header.type_byte).is_some()
            && checksum(bytes) == header.checksum
        {
            let found = size - HEADER_SIZE;
            let reason = format!(
                "the length of a fragment is {}, its checksum is that of {found} bytes: read so",
                header.length
            );
            self.report(offset, 0, reason);
            return self.take_sound(offset, header.type_byte, block_start, position + HEADER_SIZE, end);
        }
        self.end_record("damage follows");
        let rest = if next.is_none() && !self.finished { "; the rest of the block is lost with it" } else { "" };
        self.report(offset, size, format!("{trouble}{rest}"));
        Ok(None)
    }

    /// The start of the next fragment, if the bad one at `offset` has a plausible length.
    ///
    /// That is, it leads to a valid fragment or to the end of the data written in the block.
    async fn after_its_length(&mut self, offset: u64, trouble: &Trouble) -> Result<Option<u64>> {
        let Trouble::Checksum { .. } = trouble else { return Ok(None) };
        let position = block_position(offset);
        let block = self.blocks.get(offset - to_u64(position)).await?;
        let Some(header) = block.get(position..).and_then(FragmentHeader::decode) else { return Ok(None) };
        let rest = block.get(position + header.size()..).unwrap_or_default();
        let is_trailer = block.len() == BLOCK_SIZE && rest.len() < HEADER_SIZE;
        let leads_on = rest.is_empty() || is_trailer && rest.iter().all(|byte| *byte == 0) || is_sound(rest);
        Ok(leads_on.then(|| offset + to_u64(header.size())))
    }

    /// The first valid fragment after `offset` in its block that may begin a batch there.
    ///
    /// The missing part cannot contain more operations than it has bytes. If nothing is known of
    /// the batches before, only a fragment that makes the bad one's own checksum valid is accepted.
    async fn search_block(&mut self, offset: u64) -> Result<Option<u64>> {
        let expected = self.expected_after(offset).await?;
        let position = block_position(offset);
        let block_start = offset - to_u64(position);
        let mut from = offset + 1;
        let (mut unproven, mut tries) = (None, 0);
        while let Some(found) = self.scan_block_after(from).await? {
            let sequence = found.head.get(..8).and_then(decode_fixed64).filter(|_| found.begins_record());
            let fits = match (expected, sequence) {
                (Some((next, since)), Some(sequence)) => sequence.wrapping_sub(next) <= found.offset - since,
                (None, Some(_)) => {
                    let end = block_position(found.offset);
                    let block = self.blocks.get(block_start).await?;
                    block.get(position..end).is_some_and(|bytes| {
                        FragmentHeader::decode(bytes).is_some_and(|header| header.checksum == checksum(bytes))
                    })
                }
                (_, None) => false,
            };
            // Where nothing is known, the first that could be one is doubtful.
            let may_fit = self.keeps_doubtful() && expected.is_none() && sequence.is_some();
            let may_fit = may_fit && unproven.is_none() && tries < UNPROVEN_TRIES_MAX;
            tries += usize::from(may_fit);
            if (fits || may_fit) && self.leads_forward(found.offset).await? {
                if fits {
                    return Ok(Some(found.offset));
                }
                unproven = Some(found.offset);
            }
            from = found.offset + 1;
        }
        if unproven.is_some() {
            self.doubts.unproven_until = block_start.saturating_add(BLOCK_SIZE_U64);
        }
        Ok(unproven)
    }

    /// Whether the batches from `offset` to the block's first bad fragment have increasing sequence
    /// numbers.
    ///
    /// After a copy of a log, the records that follow return to smaller ones.
    async fn leads_forward(&mut self, offset: u64) -> Result<bool> {
        let position = block_position(offset);
        let block = self.blocks.get(offset - to_u64(position)).await?;
        let mut rest = block.get(position..).unwrap_or_default();
        let mut last = None;
        while is_sound(rest)
            && let Some(header) = FragmentHeader::decode(rest)
        {
            if matches!(FragmentType::from_byte(header.type_byte), Some(FragmentType::Full | FragmentType::First)) {
                let sequence = rest.get(HEADER_SIZE..).and_then(decode_fixed64);
                if sequence <= last {
                    return Ok(false);
                }
                last = sequence;
            }
            rest = rest.get(header.size()..).unwrap_or_default();
        }
        Ok(true)
    }

    /// The least sequence number after the bad fragment at `offset`, and the start of the missing
    /// part.
    ///
    /// The batch in the bad fragment may give more, if it is the expected one. `None` if nothing is
    /// known.
    async fn expected_after(&mut self, offset: u64) -> Result<Option<(u64, u64)>> {
        let Some(next) = self.expected_sequence else { return Ok(None) };
        let position = block_position(offset);
        let block = self.blocks.get(offset - to_u64(position)).await?;
        let head = block.get(position + HEADER_SIZE..).unwrap_or_default();
        let own = head.get(..8).and_then(decode_fixed64).zip(head.get(8..12).and_then(decode_fixed32));
        Ok(Some(match own {
            Some((first, count)) if first == next && to_u64(head.len()) >= u64::from(count) * 2 => {
                (next.saturating_add(u64::from(count)), offset)
            }
            _ => (next, self.good_end),
        }))
    }
}
