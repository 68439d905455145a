//! Searches the file for blocks with a right checksum.

use super::classify::{Found, Kind};
use super::source::Salvage;
use crate::base::{Input, to_u64};
use crate::error::{Error, Result};
use crate::table::codec::Codec;
use crate::table::format::codec_of;
use crate::table::handle::BlockHandle;
use crate::table::search::{BlockSearch, Hit};

/// Bytes of a false hit that are read to recognise it.
const PEEK: usize = 16;
/// Work on false hits that is always granted, in bytes; beyond it, this many times the file's size.
const FALSE_HITS: u64 = 64 << 20;
const FALSE_HITS_FACTOR: u64 = 4;
/// Snappy makes its input at most a sixth longer, and at most 22 times shorter.
const SNAPPY_RATIO_MAX: u64 = 22;

impl Salvage<'_> {
    pub(super) async fn search(&self, is_unordered: &mut bool) -> Result<Vec<Found>> {
        let mut search = BlockSearch::new();
        let mut found = Vec::new();
        let mut wasted = 0u64;
        let wasted_max = self.size.saturating_mul(FALSE_HITS_FACTOR).saturating_add(FALSE_HITS);
        while search.offset() < self.size {
            let chunk = self.chunk(search.offset()).await?;
            if chunk.is_empty() {
                break;
            }
            self.budget.spent(chunk.len()).await;
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (taken, hit) = search.next(rest);
                rest = rest.get(taken..).unwrap_or_default();
                let Some(hit) = hit else { continue };
                if let Some(start) = self.accept(&hit, &mut found, &mut wasted, is_unordered).await? {
                    search.found_block(&hit, start);
                }
                if wasted > wasted_max {
                    search.only_likely();
                }
            }
        }
        Ok(found)
    }

    /// Adds the block of a hit to `found`, in place of those inside it; returns its start.
    async fn accept(
        &self,
        hit: &Hit,
        found: &mut Vec<Found>,
        wasted: &mut u64,
        is_unordered: &mut bool,
    ) -> Result<Option<u64>> {
        for start in hit.likely.iter().chain(&hit.starts) {
            let is_likely = hit.likely == Some(*start);
            let handle = BlockHandle { offset: *start, size: hit.end.saturating_sub(*start) };
            let inside = found.partition_point(|block: &Found| block.handle.offset < *start);
            let is_cut = inside.checked_sub(1).and_then(|at| found.get(at)).is_some_and(|before| before.end() > *start);
            if is_cut || !(is_likely || self.may_begin(handle, hit.block_type).await) {
                *wasted = wasted.saturating_add(to_u64(PEEK));
                continue;
            }
            let block = match self.kind_at(handle).await {
                Ok(Some(block)) if is_likely || block.kind != Kind::Other => block,
                Err(error) if error.is_too_many_open_files() => return Err(error),
                // A missing codec is an error only where a block is known to be.
                Err(error @ Error::MissingCodec(_)) if is_likely => return Err(error),
                Ok(None) if is_likely => {
                    *is_unordered = true;
                    continue;
                }
                _ => {
                    *wasted = wasted.saturating_add(handle.size);
                    continue;
                }
            };
            if inside < found.len() {
                *wasted = wasted.saturating_add(handle.size);
            }
            found.truncate(inside);
            found.push(block);
            return Ok(Some(*start));
        }
        Ok(None)
    }

    /// Whether the first bytes can be those of a data or index block of this type.
    async fn may_begin(&self, handle: BlockHandle, block_type: u8) -> bool {
        let size = usize::try_from(handle.size).unwrap_or(PEEK).min(PEEK);
        let Ok(bytes) = self.file.read_at(handle.offset, size).await else { return false };
        match codec_of(block_type, &bytes) {
            // The first entry shares nothing with one before it.
            Ok(Codec::None) => bytes.first() == Some(&0),
            Ok(Codec::Snappy) => {
                let mut input = Input::new(&bytes);
                let Ok(length) = input.varint32("length").map(u64::from) else { return false };
                let is_possible = length <= handle.size.saturating_mul(SNAPPY_RATIO_MAX)
                    && handle.size <= length.saturating_add(length / 6).saturating_add(32);
                // A literal comes first: its length in the tag, or in one to four bytes after it.
                let first = match input.rest() {
                    [tag, rest @ ..] if tag & 3 == 0 => rest.get(usize::from(tag >> 2).saturating_sub(59)),
                    _ => None,
                };
                is_possible && first == Some(&0)
            }
            Ok(_) => true,
            Err(_) => false,
        }
    }
}
