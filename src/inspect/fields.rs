//! The parts of structures, down to fields with their bytes.

use super::span::{Fact, Span};
use crate::base::{Input, to_u64};
use crate::table::{Block, BlockHandle, Entry, FOOTER_SIZE, TRAILER_SIZE};

/// Adds the fields of varints that begin at `at` of `bytes`, as far as they can be decoded.
///
/// `base` is added to offsets. Returns the end of the last.
pub(super) fn varints(span: &mut Span, bytes: &[u8], at: usize, base: u64, names: &[&'static str]) -> usize {
    let mut input = Input::new(bytes.get(at..).unwrap_or_default());
    for name in names {
        let start = input.offset();
        let Ok(value) = input.varint64(name) else { break };
        let length = to_u64(input.offset().saturating_sub(start));
        let offset = base.saturating_add(to_u64(at.saturating_add(start)));
        span.spans.push(Span::of_number(name, offset, length, value));
    }
    at.saturating_add(input.offset())
}

/// The parts of a stored block: contents, codec and checksum.
pub(super) fn of_block(span: &mut Span, handle: BlockHandle, masked: u32) {
    let mut contents = Span::new("contents", handle.offset, handle.size);
    contents.state("inside", Fact::Flag(true));
    let end = handle.offset.saturating_add(handle.size);
    let facts = |names: [(&str, &'static str); 2]| {
        names.into_iter().filter_map(|(own, name)| Some((name, span.fact(own).cloned()?))).collect()
    };
    let codec = Span { facts: facts([("codec", "name"), ("codecId", "value")]), ..Span::of_field("codec", end, 1) };
    let sums = facts([("storedChecksum", "stored"), ("computedChecksum", "computed")]);
    let size = to_u64(TRAILER_SIZE - 1);
    let mut checksum = Span { facts: sums, ..Span::of_field("checksum", end.saturating_add(1), size) };
    checksum.number("masked", u64::from(masked));
    span.spans.extend([contents, codec, checksum]);
}

/// The parts of an entry: lengths, key and value. `names`: of a handle at the start of the value.
pub(super) fn of_entry(span: &mut Span, bytes: &[u8], at: usize, entry: Entry, names: &[&'static str]) {
    varints(span, bytes, at, 0, &["shared key length", "unshared key length", "value length"]);
    let Entry { key_start, value_start, end, .. } = entry;
    let size = |from: usize, to: usize| to_u64(to.saturating_sub(from));
    span.spans.push(Span::of_field("unshared key", to_u64(key_start), size(key_start, value_start)));
    let value = bytes.get(..end).unwrap_or_default();
    let read = if names.is_empty() { value_start } else { varints(span, value, value_start, 0, names) };
    if read < end {
        span.spans.push(Span::of_field("value", to_u64(read), size(read, end)));
    }
}

/// The restart points after the entries.
pub(super) fn of_restarts(span: &mut Span, block: &Block) {
    let size = to_u64(block.restart_count()).saturating_mul(4);
    let at = to_u64(block.entries_end());
    let mut points = Span::of_field("restart points", at, size);
    points.number("count", to_u64(block.restart_count()));
    let count = Span::of_number("restart count", at.saturating_add(size), 4, to_u64(block.restart_count()));
    span.spans.extend([points, count]);
}

/// The parts of the contents of a filter block, which end with the start of the offsets of filters
/// and the logarithm of the base.
pub(super) fn of_filter(span: &mut Span, contents: &[u8]) {
    let Some((base_lg, rest)) = contents.split_last() else { return };
    let Some((rest, start)) = rest.split_last_chunk::<4>() else { return };
    let end = to_u64(rest.len());
    let start = u64::from(u32::from_le_bytes(*start));
    let array = start.min(end);
    span.spans.extend([
        Span::of_field("filters", 0, array),
        Span::of_field("filter offsets", array, end.saturating_sub(array)),
        Span::of_number("start of the filter offsets", end, 4, start),
        Span::of_number("base (log 2 of bytes for one filter)", end.saturating_add(4), 1, u64::from(*base_lg)),
    ]);
}

/// The fields of a footer of LevelDB, or of its 40 bytes before the magic number.
pub(super) fn of_footer(span: &mut Span, handles: &[u8], magic: u64) {
    let start = span.offset;
    let names = ["metaindex handle offset", "metaindex handle size", "index handle offset", "index handle size"];
    let end = varints(span, handles, 0, start, &names);
    let size = FOOTER_SIZE - 8;
    let padding = to_u64(size.saturating_sub(end));
    span.spans.push(Span::new("padding", start.saturating_add(to_u64(end)), padding));
    let mut field = Span::of_field("magic", start.saturating_add(to_u64(size)), 8);
    field.state("value", Fact::Bytes(magic.to_le_bytes().to_vec()));
    span.spans.push(field);
}

/// The fields of a footer of RocksDB: 53 bytes.
pub(super) fn of_rocksdb_footer(span: &mut Span, bytes: &[u8], version: u32, magic: u64) {
    let start = span.offset;
    let kind = bytes.first().copied().unwrap_or_default();
    span.spans.push(Span::of_number("checksum type", start, 1, u64::from(kind)));
    let end = if version < 6 {
        let names = ["metaindex handle offset", "metaindex handle size", "index handle offset", "index handle size"];
        varints(span, bytes.get(..41).unwrap_or_default(), 1, start, &names)
    } else {
        let mut at = 1;
        for name in ["extended magic", "footer checksum", "base context checksum", "metaindex size"] {
            let value = bytes.get(at..).and_then(crate::base::decode_fixed32).unwrap_or_default();
            span.spans.push(Span::of_number(name, start.saturating_add(to_u64(at)), 4, u64::from(value)));
            at += 4;
        }
        at
    };
    span.spans.push(Span::new("padding", start.saturating_add(to_u64(end)), to_u64(41usize.saturating_sub(end))));
    span.spans.push(Span::of_number("format version", start.saturating_add(41), 4, u64::from(version)));
    let mut field = Span::of_field("magic", start.saturating_add(45), 8);
    field.state("value", Fact::Bytes(magic.to_le_bytes().to_vec()));
    span.spans.push(field);
}
