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

use super::fragment::{FragmentHeader, FragmentType, Trouble, checksum, is_sound};
use super::reader::{Fragment, LogReader, Record};
use super::{BLOCK_SIZE, HEADER_SIZE, block_position};
use crate::base::{decode_fixed32, decode_fixed64, to_u64};
use crate::error::Result;

impl LogReader {
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
            // An old writer left an empty first fragment at the end of a block.
            if !self.scratch.is_empty() {
                self.report(begin, self.scratch.len(), format!("a record whose end is missing: {why}"));
            }
            self.close();
        }
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
            Some(next) => Some(next),
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
            if fits && self.leads_forward(found.offset).await? {
                return Ok(Some(found.offset));
            }
            from = found.offset + 1;
        }
        Ok(None)
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
