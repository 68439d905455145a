//! Finds unreferenced blocks by their checksums.
//!
//! Where a block ends, another is likely to begin: its end is found by one pass over its bytes. Only
//! elsewhere is the search of `table/search.rs` needed, which goes on from window to window. A block
//! that begins where another ends is taken as it is; any other must also be one with keys.

use crate::base::to_u64;
use crate::table::{BlockSearch, SEARCH_WINDOW, TRAILER_SIZE};

/// Largest block that is found in any case where one is likely to begin.
pub(super) const SIZE_MAX_AT_START: usize = 4 << 20;
/// Bytes that are searched at a time.
pub(super) const WINDOW: usize = SIZE_MAX_AT_START * 4;

/// Bytes of false hits that are decoded in one search; then only likely starts are tried.
const FALSE_HITS_MAX: u64 = 1 << 28;

/// Bytes of a long run of zeros that are searched: a block may begin with zeros.
const ZEROS_KEPT: usize = 64;

/// Blocks up to this size are found by one pass.
const CHAIN_MAX: usize = 64 << 10;
/// Bytes of passes that find nothing; then there are no more.
const CHAIN_FAILURES_MAX: u64 = 1 << 28;

pub(super) struct Search {
    blocks: BlockSearch,
    /// The offset in the file at which the search began.
    base: u64,
    /// The offset at which the next window should begin.
    next: u64,
    /// A block is likely to begin at `next`.
    is_likely: bool,
    /// `blocks` does not know the bytes before `next`.
    is_behind: bool,
    false_hits: u64,
    chain_failures: u64,
}

/// The result of searching one window.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// A block with this many bytes of contents begins this many bytes after the start.
    Block { skipped: usize, size: usize },
    /// None begins in this many bytes.
    Nothing { skipped: usize },
}

impl Search {
    /// A search from this offset of the file on.
    pub(super) fn new(offset: u64) -> Search {
        Search {
            blocks: BlockSearch::new(),
            base: offset,
            next: offset,
            is_likely: true,
            is_behind: false,
            false_hits: 0,
            chain_failures: 0,
        }
    }

    /// Returns the first block in `window`, whose first byte is at `offset`.
    ///
    /// `whole`: the window reaches the end of the search. Otherwise the last bytes are left for the
    /// next window. `is_block` tells whether stored bytes, with the trailer, are a block with keys.
    pub(super) fn first(
        &mut self,
        offset: u64,
        window: &[u8],
        whole: bool,
        is_block: impl Fn(u64, &[u8]) -> bool,
    ) -> Hit {
        if offset != self.next {
            (self.is_likely, self.is_behind) = (true, true);
        }
        // A sparse file can have gigabytes of them.
        let zeros = window.iter().position(|byte| *byte != 0).unwrap_or(window.len());
        if zeros >= SIZE_MAX_AT_START {
            let skipped = if zeros == window.len() && whole { zeros } else { zeros - ZEROS_KEPT };
            self.next = offset.saturating_add(to_u64(skipped));
            (self.is_likely, self.is_behind) = (true, true);
            return Hit::Nothing { skipped };
        }
        if let Some(size) = self.chained(window) {
            self.next = offset.saturating_add(to_u64(size.saturating_add(TRAILER_SIZE)));
            (self.is_likely, self.is_behind) = (true, true);
            return Hit::Block { skipped: 0, size };
        }
        if std::mem::take(&mut self.is_behind) {
            self.blocks.restart();
            self.base = offset;
        }
        let within = |at: u64| usize::try_from(at.checked_sub(offset)?).ok();
        while let Some(at) = within(self.base.saturating_add(self.blocks.offset())).filter(|at| *at < window.len()) {
            let (_, hit) = self.blocks.next(window.get(at..).unwrap_or_default());
            let Some(hit) = hit else { break };
            let end = self.base.saturating_add(hit.end);
            for start in hit.likely.iter().chain(&hit.starts) {
                let begin = self.base.saturating_add(*start);
                let (Some(skipped), Some(after)) = (within(begin), within(end)) else { continue };
                let stored = window.get(skipped..after.saturating_add(TRAILER_SIZE)).unwrap_or_default();
                if hit.likely == Some(*start) || is_block(begin, stored) {
                    self.blocks.found_block(&hit, *start);
                    self.next = end.saturating_add(to_u64(TRAILER_SIZE));
                    self.is_likely = true;
                    return Hit::Block { skipped, size: after.saturating_sub(skipped) };
                }
                self.false_hits = self.false_hits.saturating_add(to_u64(stored.len()));
            }
            if self.false_hits > FALSE_HITS_MAX {
                self.blocks.only_likely();
            }
        }
        let skipped = if whole { window.len() } else { window.len().saturating_sub(SEARCH_WINDOW) };
        self.next = offset.saturating_add(to_u64(skipped));
        self.is_likely = false;
        Hit::Nothing { skipped }
    }

    /// The size of a block at the start of the window, if one is likely to be there.
    fn chained(&mut self, window: &[u8]) -> Option<usize> {
        if !self.is_likely || self.chain_failures > CHAIN_FAILURES_MAX {
            return None;
        }
        let bytes = window.get(..CHAIN_MAX).unwrap_or(window);
        let size = self.blocks.block_at_start(bytes);
        if size.is_none() {
            self.chain_failures = self.chain_failures.saturating_add(to_u64(bytes.len()));
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{crc32c, mask};

    fn sealed(contents: &[u8]) -> Vec<u8> {
        let mut bytes = contents.to_vec();
        bytes.push(0);
        let sum = mask(crc32c(&bytes));
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn finds_a_block_after_garbage() {
        let mut bytes = b"rubbish".to_vec();
        bytes.extend(sealed(b"the contents of a block"));
        bytes.extend(sealed(b"another"));
        bytes.push(0);
        let mut search = Search::new(100);
        assert_eq!(search.first(100, &bytes, true, |_, _| true), Hit::Block { skipped: 7, size: 23 });
        assert_eq!(search.first(135, &bytes[35..], true, |_, _| false), Hit::Block { skipped: 0, size: 7 });
        assert_eq!(search.first(147, &bytes[47..], true, |_, _| true), Hit::Nothing { skipped: 1 });
        assert_eq!(search.first(200, &bytes, true, |_, _| false), Hit::Nothing { skipped: bytes.len() });
    }

    /// A damaged block of 4 KiB used up the limit of the whole search.
    #[test]
    fn a_block_after_much_garbage_is_found() {
        let noise = (0..3u32 << 20).map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]);
        let mut bytes: Vec<u8> = noise.collect();
        let skipped = bytes.len();
        bytes.extend(sealed(&[7; 4096]));
        let is_block = |_: u64, stored: &[u8]| stored.starts_with(&[7; 10]) && stored.len() > 4096;
        assert_eq!(Search::new(0).first(0, &bytes, true, is_block), Hit::Block { skipped, size: 4096 });
    }

    #[test]
    fn a_block_after_many_zeros_is_found() {
        let mut bytes = vec![0; 2 * SIZE_MAX_AT_START];
        let start = bytes.len();
        bytes.extend(sealed(b"\0\0\0 a block that begins with zeros"));
        bytes.extend(sealed(b"another"));
        let mut search = Search::new(0);
        let Hit::Nothing { skipped } = search.first(0, &bytes, true, |_, _| true) else { panic!() };
        assert!(skipped < start && skipped > start - 100);
        let is_block = |_: u64, stored: &[u8]| stored.starts_with(b"\0\0\0 a block");
        let hit = search.first(to_u64(skipped), &bytes[skipped..], true, is_block);
        let Hit::Block { skipped: more, size } = hit else { panic!() };
        assert_eq!(skipped + more, start);
        let next = start + size + TRAILER_SIZE;
        assert_eq!(search.first(to_u64(next), &bytes[next..], true, is_block), Hit::Block { skipped: 0, size: 7 });
    }

    #[test]
    fn a_block_over_the_end_of_a_window_is_found() {
        let mut bytes = vec![1; WINDOW - 100];
        bytes.extend(sealed(&[7; 4096]));
        let mut search = Search::new(0);
        let Hit::Nothing { skipped } = search.first(0, &bytes[..WINDOW], false, |_, _| false) else { panic!() };
        let hit = search.first(to_u64(skipped), &bytes[skipped..], true, |_, stored| stored.len() == 4101);
        assert_eq!(hit, Hit::Block { skipped: WINDOW - 100 - skipped, size: 4096 });
    }
}
