//! One edit, down to its fields.

use crate::base::{Input, to_u64};
use crate::inspect::fields::varints;
use crate::inspect::listing::{bytes_fact, key_fact};
use crate::inspect::log::{RecordView, join};
use crate::inspect::span::{Severity, Span};
use crate::version::EditField;

/// Fields that are listed: the first edit of a manifest names all tables.
const FIELDS_MAX: usize = 200_000;

impl RecordView {
    /// Decodes the version edit in `stored`, the bytes of a manifest from `offset` to the end of a
    /// record.
    pub fn of_edit(offset: u64, stored: &[u8]) -> RecordView {
        let (span, raw) = join("record", offset, stored);
        let mut contents = Span::new("edit", 0, to_u64(raw.len()));
        explain(&mut contents, &raw);
        RecordView { span, contents, raw, rows: Vec::new() }
    }
}

fn explain(span: &mut Span, raw: &[u8]) {
    let mut input = Input::new(raw);
    let mut count = 0u64;
    while !input.is_empty() {
        let start = input.offset();
        match EditField::read(&mut input) {
            Ok(field) => {
                count += 1;
                if span.spans.len() < FIELDS_MAX {
                    span.spans.push(explained(raw, start, input.offset(), field));
                }
            }
            Err(malformed) => {
                let left = to_u64(raw.len().saturating_sub(start));
                span.find(Severity::Bad, "W06", (to_u64(start), left), malformed.reason);
                break;
            }
        }
    }
    span.number("fields", count);
}

fn explained(raw: &[u8], start: usize, end: usize, field: EditField<'_>) -> Span {
    let length = to_u64(end.saturating_sub(start));
    let of = |name| Span::of_field(name, to_u64(start), length);
    // The tag, then numbers, then byte strings with their lengths.
    let (mut span, numbers): (Span, &[&'static str]) = match field {
        EditField::Comparator(_) => (of("comparator"), &[]),
        EditField::LogNumber(_) => (of("log number"), &["number"]),
        EditField::PreviousLogNumber(_) => (of("previous log number"), &["number"]),
        EditField::NextFileNumber(_) => (of("next file number"), &["number"]),
        EditField::LastSequence(_) => (of("last sequence"), &["sequence"]),
        EditField::CompactPointer(..) => (of("compact pointer"), &["level"]),
        EditField::DeletedFile(..) => (of("deleted file"), &["level", "number"]),
        EditField::NewFile(..) => (of("new file"), &["level", "number", "size"]),
    };
    let strings = match field {
        EditField::Comparator(name) => vec![("name", name)],
        EditField::CompactPointer(_, key) => vec![("key", key)],
        EditField::NewFile(_, _, _, [smallest, largest]) => vec![("smallest", smallest), ("largest", largest)],
        _ => Vec::new(),
    };
    parts(&mut span, raw, (start, end), numbers, &strings);
    span
}

/// Adds tag, numbers and byte strings as spans and facts.
fn parts(
    span: &mut Span,
    raw: &[u8],
    (start, end): (usize, usize),
    numbers: &[&'static str],
    strings: &[(&'static str, &[u8])],
) {
    let raw = raw.get(..end).unwrap_or(raw);
    let mut at = varints(span, raw, start, 0, &["tag"]);
    let first = span.spans.len();
    at = varints(span, raw, at, 0, numbers);
    let facts: Vec<_> = span.spans.iter().skip(first).flat_map(|part| part.facts.iter().cloned()).collect();
    span.facts.extend(numbers.iter().copied().zip(facts).map(|(name, (_, value))| (name, value)));
    for (name, bytes) in strings {
        at = varints(span, raw, at, 0, &["length"]);
        span.spans.push(Span::of_field(name, to_u64(at), to_u64(bytes.len())));
        at = at.saturating_add(bytes.len());
        span.state(name, if *name == "name" { bytes_fact(bytes) } else { key_fact(bytes) });
    }
}
