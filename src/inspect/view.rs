//! One block in columns: where each of its entries begins and ends.
//!
//! ```text
//! row      sequence f64, offset u32, key start u32, value start u32, end u32, shared u32,
//!          restart u8, type u8, zeros to 32 bytes                                     little-endian
//! ```
//! Keys are not put together, so that a block whose keys share long prefixes costs no more than its
//! bytes.

use std::cmp::Ordering;

use super::block::{Opened, open, too_large};
use super::entries::{Entries, Found, Order};
use super::fields;
use super::listing::key_fact;
use super::span::{Severity, Span};
use crate::base::{decode_fixed32, parse_internal_key, to_u64};
use crate::error::Malformed;
use crate::table::{Block, BlockHandle, Entry, Origin, TRAILER_SIZE};

/// Bytes of a row.
const ROW_SIZE: usize = 32;
/// Entries that are listed: a block of 64 MiB could have 22 million.
const ENTRIES_MAX: usize = 3 << 20;
/// The type of an entry whose key is no internal key.
pub(super) const NO_TYPE: u8 = 255;
/// Restart points that are listed.
const RESTARTS_MAX: usize = ENTRIES_MAX;

/// A decoded block.
#[derive(Debug)]
pub struct BlockView {
    /// Its facts, findings and parts.
    pub span: Span,
    /// The decompressed contents, as far as they can be decoded.
    pub raw: Option<Vec<u8>>,
    /// Whether `raw` is stored as it is.
    pub plain: bool,
    /// One row of 32 bytes for each entry.
    pub rows: Vec<u8>,
    /// The restart points.
    pub restarts: Vec<u32>,
}

impl BlockView {
    /// Decodes `stored`, the bytes at `offset`, of which `size` and a trailer were asked for.
    ///
    /// `kind` is that of a span. Damage is a finding.
    pub fn open(kind: &str, offset: u64, size: u64, stored: &[u8]) -> BlockView {
        let known = ["metaindex", "index", "filter", "meta"].into_iter().find(|known| *known == kind);
        let kind = known.unwrap_or("data");
        let handle = BlockHandle { offset, size };
        if let Some(span) = too_large(kind, handle) {
            return BlockView::without_contents(span);
        }
        let mut opened = open(kind, handle, stored).with_parts(stored);
        if let Some(contents) = opened.contents.take() {
            return BlockView::of(opened.span, contents, opened.raw);
        }
        BlockView::without_contents(opened.span)
    }

    fn without_contents(span: Span) -> BlockView {
        BlockView { span, raw: None, plain: false, rows: Vec::new(), restarts: Vec::new() }
    }

    /// The view of contents that `span` explains.
    pub(super) fn of(mut span: Span, contents: Vec<u8>, plain: bool) -> BlockView {
        let mut view =
            BlockView { raw: None, plain, rows: Vec::new(), restarts: Vec::new(), span: Span::new("", 0, 0) };
        // The last byte of every filter block; other meta blocks may have any contents.
        match span.kind {
            "filter" => inside(&mut span, |parts| fields::of_filter(parts, &contents)),
            "meta" if !has_entries(&contents) => {}
            _ => return view.list(span, contents),
        }
        view.span = span;
        view.raw = Some(contents);
        view
    }

    fn list(mut self, mut whole: Span, contents: Vec<u8>) -> BlockView {
        let (offset, plain, span) = (whole.offset, self.plain, &mut whole);
        if !restarts_fit(&contents) {
            Entries::new(contents.clone(), offset, plain, span);
            (self.span, self.raw) = (whole, Some(contents));
            return self;
        }
        let Some(mut entries) = Entries::new(contents, offset, plain, span) else {
            self.span = whole;
            return self;
        };
        let internal = matches!(span.kind, "data" | "index");
        let (mut count, mut deletions, mut foreign) = (0u64, 0u64, None);
        let is_data = span.kind == "data";
        while let Some(found) = entries.next(span) {
            count += 1;
            let (kind, sequence) = match parse_internal_key(entries.key()) {
                _ if !internal => (NO_TYPE, 0),
                Ok(parsed) => (parsed.value_type.to_byte(), parsed.sequence.get()),
                Err(malformed) => {
                    foreign.get_or_insert((found.at, found.entry.end, malformed.reason));
                    (NO_TYPE, 0)
                }
            };
            deletions += u64::from(kind == 0);
            if count == 1 && internal {
                span.state("firstKey", key_fact(entries.key()));
            }
            if count <= to_u64(ENTRIES_MAX) {
                self.push(&found, kind, sequence);
            }
            if is_data {
                tell_order(&mut entries, &found, span);
            }
        }
        if let Some((at, end, reason)) = foreign.filter(|_| is_data) {
            entries.tell(span, "T25", end.saturating_sub(at), &Malformed::new(to_u64(at), reason));
        }
        if count > 0 && internal {
            span.state("lastKey", key_fact(entries.key()));
        }
        span.number("entries", count);
        if is_data {
            span.number("deletions", deletions);
        }
        if count > to_u64(ENTRIES_MAX) {
            let reason = "the block has more entries than are listed";
            span.note(Severity::Info, "T12", (offset, span.length), reason);
        }
        let block = entries.block();
        inside(span, |parts| fields::of_restarts(parts, block));
        self.restarts = restarts_of(block);
        self.raw = Some(entries.into_contents());
        self.span = whole;
        self
    }

    fn push(&mut self, found: &Found, kind: u8, sequence: u64) {
        let Entry { shared, key_start, value_start, end } = found.entry;
        #[expect(clippy::cast_precision_loss, reason = "a column of numbers; facts have the digits")]
        self.rows.extend((sequence as f64).to_le_bytes());
        for value in [found.at, key_start, value_start, end, shared] {
            self.rows.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.rows.extend([u8::from(found.is_restart), kind, 0, 0]);
    }
}

impl BlockView {
    /// Where each entry that is listed lies in `raw`.
    pub(super) fn rows(&self) -> impl Iterator<Item = Entry> {
        self.rows.chunks_exact(ROW_SIZE).map(|row| {
            let column = |at: usize| {
                let value = row.get(at..).and_then(decode_fixed32).unwrap_or(u32::MAX);
                usize::try_from(value).unwrap_or(usize::MAX)
            };
            Entry { key_start: column(12), value_start: column(16), end: column(20), shared: column(24) }
        })
    }
}

impl BlockView {
    /// The type of each entry that is listed, or `NO_TYPE`.
    pub(super) fn kinds(&self) -> impl Iterator<Item = u8> {
        self.rows.chunks_exact(ROW_SIZE).map(|row| row.get(29).copied().unwrap_or(NO_TYPE))
    }
}

/// Reports an entry that is not after the previous one of the same user key.
pub(super) fn tell_order(entries: &mut Entries, found: &Found, span: &mut Span) {
    let Some(Order::TagNotOlder(tags)) = found.order else { return };
    let (code, what) = if tags == Ordering::Equal {
        ("T23", "the same key and sequence number as the previous entry")
    } else {
        ("T22", "newer than the previous entry of the same key, expected older")
    };
    let length = found.entry.end.saturating_sub(found.at);
    entries.tell(span, code, length, &Malformed::new(to_u64(found.at), what));
}

/// Adds parts to the contents of a block, if it has parts.
pub(super) fn inside(span: &mut Span, add: impl FnOnce(&mut Span)) {
    if let Some(contents) = span.spans.iter_mut().find(|part| part.kind == "contents") {
        add(contents);
    }
}

impl Opened {
    /// Adds contents, codec and checksum as spans.
    pub(super) fn with_parts(mut self, stored: &[u8]) -> Opened {
        if let Some(masked) = stored.last_chunk::<4>().filter(|_| self.span.fact("checksum").is_some()) {
            let size = self.span.length.saturating_sub(to_u64(TRAILER_SIZE));
            let handle = BlockHandle { offset: self.span.offset, size };
            fields::of_block(&mut self.span, handle, u32::from_le_bytes(*masked));
        }
        self
    }
}

fn restarts_of(block: &Block) -> Vec<u32> {
    let count = block.restart_count().min(RESTARTS_MAX);
    (0..count).map(|index| u32::try_from(block.restart(index)).unwrap_or(u32::MAX)).collect()
}

/// Whether a block could have as many restart points as it says.
fn restarts_fit(contents: &[u8]) -> bool {
    let (count, size) = (contents.last_chunk::<4>(), to_u64(contents.len()));
    count.is_some_and(|count| u64::from(u32::from_le_bytes(*count)).saturating_mul(4).saturating_add(4) <= size)
}

/// Whether contents of an unknown kind look like those of a block with entries.
fn has_entries(contents: &[u8]) -> bool {
    let origin = Origin { raw: true, ..Origin::default() };
    Block::new(contents.to_vec(), origin, false).is_ok()
}
