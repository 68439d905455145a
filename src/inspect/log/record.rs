//! One record: its fragments, its payload, and what the payload means.
//!
//! ```text
//! row      sequence f64, offset u32, key start u32, key end u32, value start u32, end u32,
//!          type u8, zeros to 32 bytes                                                 little-endian
//! ```

use crate::base::to_u64;
use crate::batch::{BatchOperation, operations};
use crate::inspect::span::{Severity, Span, fill};
use crate::log::{BLOCK_SIZE, FragmentType, HEADER_SIZE, Trouble, check};

/// Operations that are listed.
const OPERATIONS_MAX: usize = 3 << 20;

/// A record.
#[derive(Debug)]
pub struct RecordView {
    /// The record in the file: its fragments, down to their fields.
    pub span: Span,
    /// The payload: the parts of what it holds, with offsets in it.
    pub contents: Span,
    /// The payload.
    pub raw: Vec<u8>,
    /// One row of 32 bytes for each operation of a batch.
    pub rows: Vec<u8>,
}

impl RecordView {
    /// Decodes the write batch in `stored`, the bytes of a log from `offset` to the end of a record.
    pub fn of_batch(offset: u64, stored: &[u8]) -> RecordView {
        let (span, raw) = join("record", offset, stored);
        let mut contents = Span::new("batch", 0, to_u64(raw.len()));
        let rows = list(&mut contents, &raw);
        RecordView { span, contents, raw, rows }
    }
}

/// Joins the fragments in `stored`, which begins at `offset` of its file.
pub(in crate::inspect) fn join(kind: &'static str, offset: u64, stored: &[u8]) -> (Span, Vec<u8>) {
    let mut span = Span::new(kind, offset, to_u64(stored.len()));
    let (mut raw, mut from) = (Vec::new(), 0);
    let position = usize::try_from(offset % to_u64(BLOCK_SIZE)).unwrap_or(0);
    while let Some(left) = stored.get(from..).filter(|left| !left.is_empty()) {
        let at = offset.saturating_add(to_u64(from));
        let room = BLOCK_SIZE - (position + from) % BLOCK_SIZE;
        let block = left.get(..room).unwrap_or(left);
        if room < HEADER_SIZE {
            span.spans.push(Span::new("padding", at, to_u64(block.len())));
            from += block.len();
            continue;
        }
        let header = match check(block, block.len() == room, true) {
            Ok(header) => header,
            Err(trouble) => {
                let code = if matches!(trouble, Trouble::Checksum { .. }) { "W01" } else { "W02" };
                span.find(Severity::Bad, code, (at, to_u64(block.len())), trouble.to_string());
                break;
            }
        };
        let kind = FragmentType::from_byte(header.type_byte);
        let mut fragment = Span::new("fragment", at, to_u64(header.size()));
        fragment.spans.extend([
            Span::of_number("checksum", at, 4, u64::from(header.checksum)),
            Span::of_number("length", at.saturating_add(4), 2, u64::from(header.length)),
            Span::of_number("type", at.saturating_add(6), 1, u64::from(header.type_byte)),
            Span::of_field("payload", at.saturating_add(to_u64(HEADER_SIZE)), u64::from(header.length)),
        ]);
        fragment.text(
            "type",
            match kind {
                Some(FragmentType::Full) => "full",
                Some(FragmentType::First) => "first",
                Some(FragmentType::Middle) => "middle",
                Some(FragmentType::Last) => "last",
                None => "unknown",
            },
        );
        span.spans.push(fragment);
        raw.extend_from_slice(block.get(HEADER_SIZE..header.size()).unwrap_or_default());
        from += header.size();
        if matches!(kind, Some(FragmentType::Full | FragmentType::Last) | None) {
            break;
        }
    }
    (span, raw)
}

/// Explains a batch; returns a row for each operation.
fn list(span: &mut Span, raw: &[u8]) -> Vec<u8> {
    let mut rows = Vec::new();
    let Some((sequence, rest)) = raw.split_first_chunk::<8>() else {
        let reason = fill("the record has {} bytes, a batch at least 12", &[to_u64(raw.len())]);
        span.find(Severity::Bad, "W06", (0, to_u64(raw.len())), reason);
        return rows;
    };
    let sequence = u64::from_le_bytes(*sequence);
    span.number("sequence", sequence);
    span.spans.push(Span::of_number("sequence", 0, 8, sequence));
    if let Some(count) = rest.first_chunk::<4>() {
        let count = u64::from(u32::from_le_bytes(*count));
        span.number("operations", count);
        span.spans.push(Span::of_number("count", 8, 4, count));
    }
    let (mut at, mut held) = (12, 0usize);
    for operation in operations(raw) {
        match operation {
            Ok(operation) => {
                if held < OPERATIONS_MAX {
                    let sequence = sequence.saturating_add(to_u64(held));
                    at = row(&mut rows, raw, at, operation, sequence);
                }
                held += 1;
            }
            Err(malformed) => {
                let left = to_u64(raw.len()).saturating_sub(malformed.offset);
                span.find(Severity::Bad, "W06", (malformed.offset, left), malformed.reason);
            }
        }
    }
    span.number("operationsHeld", to_u64(held));
    rows
}

/// Appends a row; returns the end of the operation.
fn row(rows: &mut Vec<u8>, raw: &[u8], at: usize, operation: BatchOperation<'_>, sequence: u64) -> usize {
    // Where a part of `raw` begins in it.
    let place = |part: &[u8]| (part.as_ptr() as usize).saturating_sub(raw.as_ptr() as usize);
    let (key, value, kind) = match operation {
        BatchOperation::Put { key, value } => (key, Some(value), 1),
        BatchOperation::Delete { key } => (key, None, 0),
    };
    let key_start = place(key);
    let key_end = key_start.saturating_add(key.len());
    let value_start = value.map_or(key_end, place);
    let end = value_start.saturating_add(value.map_or(0, <[u8]>::len));
    #[expect(clippy::cast_precision_loss, reason = "a column of numbers; the span has the digits")]
    rows.extend((sequence as f64).to_le_bytes());
    for value in [at, key_start, key_end, value_start, end] {
        rows.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }
    rows.extend([kind, 0, 0, 0]);
    end
}
