//! Bytes to which nothing refers: gaps between known blocks, and blocks found in them.

use std::rc::Rc;

use super::blocks::explain_filter;
use super::inspector::{Step, TableInspector};
use crate::base::{BloomFilterPolicy, parse_internal_key, sort_by, to_u64};
use crate::inspect::block::{Opened, open};
use crate::inspect::entries::Entries;
use crate::inspect::regions::State;
use crate::inspect::search::{Hit, SIZE_MAX_AT_START, Search, WINDOW};
use crate::inspect::span::{Fact, Severity, Span};
use crate::table::{BlockHandle, FilterBlock, Origin, TRAILER_SIZE};

/// Overlaps and gaps that are reported.
const REGIONS_TOLD_MAX: usize = 100;

impl TableInspector {
    #[inline(never)]
    pub(super) fn find_gaps(&mut self) {
        let mut overlaps = Span::new("table", 0, self.size);
        let mut end = 0;
        for (start, stop) in &self.known {
            if *start > end && self.gaps.len() < REGIONS_TOLD_MAX {
                self.gaps.push((end, *start));
            }
            if *start < end && overlaps.findings.len() < REGIONS_TOLD_MAX {
                overlaps.bad(
                    "T31",
                    (*start, end.min(*stop).saturating_sub(*start)),
                    "a block at {} overlaps another that ends at {}",
                    &[*start, end],
                );
            }
            end = end.max(*stop);
        }
        if end < self.size && self.gaps.len() < REGIONS_TOLD_MAX {
            self.gaps.push((end, self.size));
        }
        self.gaps.reverse();
        if !overlaps.findings.is_empty() {
            self.emit(overlaps);
        }
    }

    pub(super) fn go_to_gap(&mut self, start: u64, end: u64) {
        let window = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX).min(WINDOW);
        self.step = Step::Gap { start, end, window };
    }

    #[inline(never)]
    pub(super) fn gap(&mut self, start: u64, end: u64, bytes: &[u8]) {
        let whole = to_u64(bytes.len()) >= end.saturating_sub(start) || bytes.len() < WINDOW;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let offset = start.saturating_add(to_u64(at));
            if !whole && rest.len() < SIZE_MAX_AT_START {
                return self.go_to_gap(offset, end);
            }
            let search = self.search.get_or_insert_with(|| Search::new(offset));
            match search.first(offset, rest, whole, has_keys) {
                Hit::Block { skipped, size } => {
                    self.stray(offset, to_u64(skipped));
                    let handle = BlockHandle { offset: offset.saturating_add(to_u64(skipped)), size: to_u64(size) };
                    let after = skipped.saturating_add(size).saturating_add(TRAILER_SIZE);
                    self.found(handle, rest.get(skipped..after).unwrap_or_default());
                    at = at.saturating_add(after);
                }
                Hit::Nothing { skipped } => {
                    self.stray(offset, to_u64(skipped));
                    at = at.saturating_add(skipped);
                }
            }
        }
        self.advance();
    }

    /// Unreferenced bytes; those of adjacent windows form one gap.
    pub(super) fn stray(&mut self, offset: u64, length: u64) {
        let told = self.doubtful.iter().any(|(start, end)| *start <= offset && offset + length <= *end);
        if length == 0 || told {
            return;
        }
        match &mut self.open_gap {
            Some((start, size)) if start.saturating_add(*size) == offset => *size = size.saturating_add(length),
            _ => {
                self.end_gap();
                self.open_gap = Some((offset, length));
            }
        }
    }

    /// Reports the unreferenced bytes so far.
    pub(super) fn end_gap(&mut self) {
        let Some((offset, length)) = self.open_gap.take() else { return };
        let end = offset.saturating_add(length);
        // Damaged blocks in it, to which something refers.
        let mut known: Vec<(u64, u64)> =
            self.doubtful.iter().copied().filter(|(from, to)| *from < end && *to > offset).collect();
        sort_by(&mut known, Ord::cmp);
        let mut at = offset;
        for (from, to) in known.into_iter().chain([(end, end)]) {
            if from > at {
                let length = from - at;
                let mut span = Span::new("gap", at, length);
                span.bad("T32", (at, length), "{} bytes that nothing refers to and that contain no block", &[length]);
                self.emit(span);
            }
            at = at.max(to);
        }
    }

    /// A block found by its checksum.
    pub(super) fn found(&mut self, handle: BlockHandle, stored: &[u8]) {
        self.end_gap();
        self.total.found += 1;
        let Opened { mut span, contents, raw, .. } = open("data", handle, stored);
        span.state("found", Fact::Flag(true));
        if self.total.found <= to_u64(REGIONS_TOLD_MAX) {
            let reason = "a complete block that no readable index refers to, found by its checksum";
            span.note(Severity::Bad, "T32", (handle.offset, span.length), reason);
        }
        if let Some(contents) = contents {
            let origin = Origin { offset: handle.offset, size: handle.size, raw, verified: true };
            span.kind = kind_of(&contents, handle.offset);
            match span.kind {
                "data" => {
                    span.number("block", self.total.data_blocks);
                    self.total.data_blocks += 1;
                    self.total.stored = self.total.stored.saturating_add(span.length);
                    self.entries(contents, (handle.offset, raw, State::Found), &[], &mut span);
                }
                "filter" => {
                    if let Ok(filter) = FilterBlock::new(Rc::new(BloomFilterPolicy::new(10)), contents) {
                        explain_filter(&filter, origin, &mut span);
                    }
                }
                _ => {}
            }
        }
        self.emit(span);
    }
}

/// Whether stored bytes, which begin at `offset`, are a data block or an index.
pub(in crate::inspect) fn has_keys(offset: u64, stored: &[u8]) -> bool {
    let handle = BlockHandle { offset, size: to_u64(stored.len().saturating_sub(TRAILER_SIZE)) };
    let contents = open("data", handle, stored).contents;
    contents.is_some_and(|contents| matches!(kind_of(&contents, offset), "data" | "index"))
}

/// The kind of a block found by its checksum.
///
/// An index if it lists adjacent blocks from offset 0 on, data if its keys are internal keys.
#[inline(never)]
fn kind_of(contents: &[u8], offset: u64) -> &'static str {
    let mut scratch = Span::new("data", 0, 0);
    // The last byte of every filter block.
    let is_filter = contents.last() == Some(&11);
    let Some(mut entries) = Entries::new(contents.to_vec(), 0, true, &mut scratch) else {
        return if is_filter { "filter" } else { "meta" };
    };
    let (mut end, mut count, mut index, mut internal) = (0, 0, true, true);
    let mut named = true;
    while let Some(found) = entries.next(&mut scratch) {
        count += 1;
        internal &= parse_internal_key(entries.key()).is_ok();
        named &= entries.key().starts_with(b"filter.");
        let handle = BlockHandle::decode_value(entries.value(found.entry));
        index &= handle.as_ref().is_ok_and(|handle| handle.offset == end);
        end = handle.ok().and_then(BlockHandle::end).unwrap_or(u64::MAX);
    }
    match () {
        () if !scratch.findings.is_empty() => {
            if is_filter {
                "filter"
            } else {
                "meta"
            }
        }
        () if count == 0 || named => "metaindex",
        () if index && end <= offset => "index",
        () if internal => "data",
        () => "meta",
    }
}
