//! Searches for a complete record after damage.

use super::reader::LogReader;
use super::{
    BLOCK_SIZE, BLOCK_SIZE_U64, FragmentHeader, FragmentType, HEADER_SIZE, HEADER_SIZE_U64, block_position, checksum,
};
use crate::base::to_u64;
use crate::error::Result;

/// Bytes to checksum in one block before the rest of its candidates is skipped.
///
/// Random bytes need about 40 blocks' worth; only crafted bytes need more.
pub(crate) const CHECKSUM_BYTES_MAX: usize = 64 * BLOCK_SIZE;
/// Bytes kept of a payload: sequence number and count of a write batch.
const HEAD_SIZE: usize = 12;

/// A fragment with a valid checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its offset.
    pub(crate) offset: u64,
    /// Its end; continue the search here.
    pub(crate) end: u64,
    /// Only `Full` and `First` begin a record.
    ///
    /// `Middle` and `Last` may belong to the damaged record itself.
    pub(crate) kind: FragmentType,
    /// The first bytes of its payload, at most 12.
    pub(crate) head: Vec<u8>,
}

impl Found {
    /// Whether it proves that a record begins here.
    pub(crate) fn begins_record(&self) -> bool {
        matches!(self.kind, FragmentType::Full | FragmentType::First)
    }
}

impl LogReader {
    /// The first fragment at or after `offset` that begins a record and has a valid checksum.
    ///
    /// With the offset of a [`Tail`](super::Tail), it tells whether a record was written after the
    /// torn one.
    pub(crate) async fn scan_for_record_after(&mut self, mut offset: u64) -> Result<Option<Found>> {
        while let Some(found) = self.scan_for_valid_after(offset).await? {
            if found.begins_record() {
                return Ok(Some(found));
            }
            offset = found.end;
        }
        Ok(None)
    }

    /// The first fragment at or after `offset` with a valid checksum.
    ///
    /// It checks every byte, since after damage the start of fragments is unknown. The work is
    /// linear in the size of the file.
    ///
    /// The fragment may be part of a value that contains a copy of a log; callers must be safe in
    /// that case.
    pub(crate) async fn scan_for_valid_after(&mut self, offset: u64) -> Result<Option<Found>> {
        self.scan(offset, false).await
    }

    /// The same, up to the end of the block that contains `offset`.
    pub(super) async fn scan_block_after(&mut self, offset: u64) -> Result<Option<Found>> {
        self.scan(offset, true).await
    }

    async fn scan(&mut self, offset: u64, one_block: bool) -> Result<Option<Found>> {
        let mut position = block_position(offset);
        let mut start = offset - to_u64(position);
        loop {
            let mut budget = match self.scan_budget {
                Some((block, left)) if block == start => left,
                _ => CHECKSUM_BYTES_MAX,
            };
            let block = self.blocks.get(start).await?;
            let is_last = block.len() < BLOCK_SIZE;
            let found = find_fragment(block, position, &mut budget);
            let found = found.map(|(at, header, kind, head)| {
                let offset = start.saturating_add(to_u64(at));
                let end = offset.saturating_add(HEADER_SIZE_U64 + u64::from(header.length));
                Found { offset, end, kind, head: head.to_vec() }
            });
            self.scan_budget = Some((start, budget));
            if found.is_some() || is_last || one_block {
                return Ok(found);
            }
            position = 0;
            start = start.saturating_add(BLOCK_SIZE_U64);
        }
    }
}

/// A fragment in a block: its place, its header, its type and the first bytes of its payload.
pub(crate) type Candidate<'a> = (usize, FragmentHeader, FragmentType, &'a [u8]);

/// The first fragment at or after `from` in `block` with a valid checksum; `budget` limits the bytes
/// to checksum.
pub(crate) fn find_fragment<'a>(block: &'a [u8], from: usize, budget: &mut usize) -> Option<Candidate<'a>> {
    let from_there = block.get(from..)?.windows(HEADER_SIZE).zip(from..);
    // The type is the last byte of a header; most bytes are not a type.
    let mut plausible = from_there.filter(|(header, _)| matches!(header, [.., 1..=4]));
    plausible.find_map(|(header, at)| {
        let header = FragmentHeader::decode(header)?;
        let kind = FragmentType::from_byte(header.type_byte)?;
        let fragment = block.get(at..at + header.size())?;
        // A writer always begins at a block's first byte, so it is checked at any cost.
        if at > 0 {
            *budget = budget.checked_sub(header.size())?;
        }
        let payload = fragment.get(HEADER_SIZE..).unwrap_or_default();
        let head = payload.get(..HEAD_SIZE).unwrap_or(payload);
        (checksum(fragment) == header.checksum).then_some((at, header, kind, head))
    })
}
