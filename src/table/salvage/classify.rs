//! Decides from its contents what a block is.

use super::entries::{exact_handle, listed};
use super::source::{DataBlock, Salvage};
use crate::base::{SequenceNumber, parse_internal_key};
use crate::error::Result;
use crate::table::block::{Block, Origin};
use crate::table::decode::{Stored, stored_size};
use crate::table::handle::BlockHandle;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Data,
    /// The values are handles of blocks before it.
    Index {
        /// It could be a data block otherwise.
        is_data: bool,
        /// The blocks are adjacent, from the first byte of the file on.
        is_chain: bool,
    },
    /// Filter, metaindex and unknown.
    Other,
}

#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) handle: BlockHandle,
    pub(super) kind: Kind,
    pub(super) entries: u64,
}

impl Found {
    pub(super) fn end(&self) -> u64 {
        self.handle.end().unwrap_or(u64::MAX)
    }

    pub(super) fn data(&self) -> DataBlock {
        DataBlock { handle: self.handle, entries: self.entries }
    }
}

impl Salvage<'_> {
    /// Decodes and classifies a block; `None` if its keys are in another order.
    pub(super) async fn kind_at(&self, handle: BlockHandle) -> Result<Option<Found>> {
        let size = stored_size(handle, self.name, self.size, self.options.block_size_max)?;
        let bytes = self.file.read_at(handle.offset, size).await?;
        self.budget.spent(size).await;
        // The contents of a filter are not a block.
        let (contents, raw) = self.context().contents(handle, &mut Stored::Slice(&bytes), Vec::new())?;
        let origin = Origin { offset: handle.offset, size: handle.size, raw, verified: true };
        let other = Found { handle, kind: Kind::Other, entries: 0 };
        let Ok(block) = Block::new(contents, origin, false) else { return Ok(Some(other)) };
        let Some((kind, entries)) = self.classify(&block) else { return Ok(None) };
        Ok(Some(Found { handle, kind, entries }))
    }

    /// `None`: a data block with its keys in another order.
    pub(super) fn classify(&self, block: &Block) -> Option<(Kind, u64)> {
        let own = block.origin().offset;
        let (mut is_data, mut is_index, mut is_chain, mut is_ordered) = (true, true, true, true);
        let (mut at, mut restart, mut entries, mut end) = (0, 0, 0u64, 0u64);
        let (mut key, mut previous) = (Vec::new(), Vec::new());
        while at < block.entries_end() {
            let Some(entry) = block.entry(at).filter(|entry| entry.shared <= key.len()) else {
                return Some((Kind::Other, 0));
            };
            if block.restart(restart) == at {
                restart += 1;
                if entry.shared != 0 {
                    return Some((Kind::Other, 0));
                }
            }
            std::mem::swap(&mut key, &mut previous);
            key.clear();
            key.extend_from_slice(previous.get(..entry.shared).unwrap_or_default());
            key.extend_from_slice(block.bytes().get(entry.key_start..entry.value_start).unwrap_or_default());
            // The keys of an index have the largest number, those of data never.
            is_data &= parse_internal_key(&key).is_ok_and(|parsed| parsed.sequence < SequenceNumber::MAX);
            is_ordered &= entries == 0 || self.options.order.compare(&previous, &key).is_lt();
            match exact_handle(block.value(entry)) {
                Some(handle) => {
                    is_chain &= handle.offset == end;
                    is_index &= handle.offset >= end && handle.end().is_some_and(|end| end <= own);
                    end = handle.end().unwrap_or(u64::MAX);
                }
                None => is_index = false,
            }
            if !is_data && !is_index {
                return Some((Kind::Other, 0));
            }
            entries += 1;
            at = entry.end;
        }
        if entries == 0 || restart != block.restart_count() {
            return Some((Kind::Other, 0));
        }
        let is_data = is_data && (is_ordered || self.any_order);
        match (is_index, is_data) {
            (true, is_data) => Some((Kind::Index { is_data, is_chain }, entries)),
            (false, true) => Some((Kind::Data, entries)),
            (false, false) => None,
        }
    }
}

pub(super) fn stored(block: &Found) -> u64 {
    block.end().saturating_sub(block.handle.offset)
}

/// Whether a block lists one of those found.
pub(super) fn lists_any(block: &Block, found: &[Found]) -> bool {
    listed(block).any(|(handle, ..)| {
        let at = found.partition_point(|block| block.handle.offset < handle.offset);
        found.get(at).is_some_and(|block| block.handle == handle)
    })
}
