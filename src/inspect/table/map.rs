//! The map of a table: its regions, from the footer and the index alone.

use super::inspector::TableInspector;
use crate::base::to_u64;
use crate::inspect::regions::Region;
use crate::inspect::span::{Finding, Severity, fill};
use crate::inspect::view::BlockView;
use crate::table::{BlockHandle, FOOTER_SIZE, TRAILER_SIZE};

/// Wrong handles and overlaps that are reported.
const FINDINGS_MAX: usize = 100;

impl TableInspector {
    /// Notes the index, whose handles become regions.
    pub(super) fn map_index(&mut self, mut view: BlockView) {
        let mut malformed = 0u64;
        for row in view.rows() {
            let value = view.raw.as_deref().and_then(|raw| raw.get(row.value_start..row.end)).unwrap_or_default();
            let handle = BlockHandle::decode_value(value).ok();
            malformed += u64::from(handle.is_none());
            self.handles.push(handle);
        }
        if malformed > 0 {
            let at = (view.span.offset, view.span.length);
            view.span.bad("T30", at, "{} entries of the index have no block handle as their value", &[malformed]);
        }
        self.emit(view.span.clone());
        self.view = Some(view);
    }

    /// Makes the regions of the whole file: parts, data blocks in the order of the index, gaps.
    pub(super) fn map_regions(&mut self) {
        let limit = self.size.saturating_sub(to_u64(FOOTER_SIZE));
        let mut parts = std::mem::take(&mut self.parts);
        parts.retain(|part| part.size > 0);
        parts.sort_by_key(|part| part.offset);
        let mut found = Findings { told: Vec::new(), outside: 0, overlapping: 0 };
        let mut data = Vec::with_capacity(self.handles.len());
        let mut end = 0;
        for handle in self.handles.iter().flatten() {
            let size = handle.size.saturating_add(to_u64(TRAILER_SIZE));
            if handle.end().is_none_or(|end| end > limit) {
                let reason = "a block of {} bytes and a trailer at {} does not end before the footer at {}";
                found.tell("T30", (handle.offset.min(self.size), 0), reason, &[handle.size, handle.offset, limit]);
            } else if handle.offset < end {
                let numbers = [handle.offset, end];
                found.tell("T31", (handle.offset, size), "the block begins at {}, expected {} or later", &numbers);
            } else {
                end = handle.offset.saturating_add(size);
                data.push(Region::unread("data", handle.offset, size));
            }
        }
        self.total.data_blocks = to_u64(data.len());
        self.total.stored = data.iter().fold(0, |sum, region| sum.saturating_add(region.size));
        self.regions = tiled(parts, data, self.size, &mut found);
        self.total.bad += to_u64(found.told.len());
        self.findings.append(&mut found.told);
    }
}

/// Merges parts and data blocks, both in the order of their offsets, and adds what is between them.
///
/// Of regions that overlap, the first is kept; a part is kept before a data block that was not read.
fn tiled(parts: Vec<Region>, data: Vec<Region>, size: u64, found: &mut Findings) -> Vec<Region> {
    let mut all = Vec::with_capacity(data.len() + parts.len() * 2 + 1);
    let mut parts = parts.into_iter().peekable();
    let mut data = data.into_iter().peekable();
    let mut end = 0;
    loop {
        let next = match (parts.peek(), data.peek()) {
            (Some(part), Some(block)) if block.end() <= part.offset => data.next(),
            (None, _) => data.next(),
            (Some(_), _) => parts.next(),
        };
        let Some(region) = next else { break };
        if region.offset < end {
            let numbers = [region.offset, end];
            let at = (region.offset, end.min(region.end()).saturating_sub(region.offset));
            found.tell("T31", at, "a block at {} overlaps another that ends at {}", &numbers);
            continue;
        }
        if region.offset > end {
            all.push(Region::unread("gap", end, region.offset - end));
        }
        end = region.end();
        all.push(region);
    }
    if end < size {
        all.push(Region::unread("gap", end, size - end));
    }
    all
}

/// Findings about handles, the first of them.
struct Findings {
    told: Vec<Finding>,
    outside: usize,
    overlapping: usize,
}

impl Findings {
    fn tell(&mut self, code: &'static str, (offset, length): (u64, u64), reason: &str, numbers: &[u64]) {
        let count = if code == "T30" { &mut self.outside } else { &mut self.overlapping };
        *count += 1;
        if *count <= FINDINGS_MAX {
            let (severity, reason) = (Severity::Bad, fill(reason, numbers));
            self.told.push(Finding { code, severity, offset, length, reason });
        }
    }
}
