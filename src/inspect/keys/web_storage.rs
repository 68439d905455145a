//! Keys of Chromium's Local Storage and Session Storage.
//!
//! ```text
//! Local Storage     VERSION · META:<origin> · METAACCESS:<origin> · _<origin> 00 <text>
//!                   text: 00 UTF-16, little-endian; or 01 Latin-1
//! Session Storage   version · next-map-id · namespace-<id, 36 characters>-<origin> · map-<number>-<UTF-8>
//! ```
//! For example, `5f 68 3a 2f 2f 61 00 01 6b` is the key `k` of the origin `h://a`.

use super::text::{decimal, latin1, plain, utf16};
use crate::base::to_u64;
use crate::inspect::span::{Fact, Span};

/// A field from `at` to the end of `key`, or up to `end`.
#[inline(never)]
fn field(name: &'static str, (from, end): (usize, usize), fact: (&'static str, Fact)) -> Span {
    let mut field = Span::of_field(name, to_u64(from), to_u64(end.saturating_sub(from)));
    field.state(fact.0, fact.1);
    field
}

#[inline(never)]
fn of(kind: &'static str, key: &[u8], spans: Vec<Span>) -> Span {
    Span { spans, ..Span::new(kind, 0, to_u64(key.len())) }
}

/// Whether these bytes are an origin or a storage key: a scheme, and printable ASCII.
#[inline(never)]
fn is_origin(bytes: &[u8]) -> bool {
    let has_scheme = bytes.windows(3).position(|three| three == b"://").is_some_and(|at| at > 0);
    (has_scheme || bytes.starts_with(b"file:")) && bytes.iter().all(u8::is_ascii_graphic)
}

#[inline(never)]
fn with_origin(kind: &'static str, key: &[u8], from: usize) -> Option<Span> {
    let origin = key.get(from..).filter(|origin| is_origin(origin))?;
    Some(of(kind, key, vec![field("origin", (from, key.len()), ("text", plain(origin)))]))
}

pub(super) fn explain_local(key: &[u8]) -> Option<Span> {
    if key == b"VERSION" {
        return Some(of("version", key, Vec::new()));
    }
    for (prefix, kind) in [(&b"META:"[..], "size of an origin"), (b"METAACCESS:", "last access of an origin")] {
        if key.starts_with(prefix) {
            return with_origin(kind, key, prefix.len());
        }
    }
    let rest = key.strip_prefix(b"_")?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let origin = rest.get(..end).filter(|origin| is_origin(origin))?;
    let (encoding, text) = rest.get(end + 1..)?.split_first()?;
    let fact = match encoding {
        0 if text.len() % 2 == 0 => utf16(text, u16::from_le_bytes),
        1 => latin1(text),
        _ => return None,
    };
    let text_at = key.len() - text.len();
    let spans = vec![
        field("origin", (1, 1 + end), ("text", plain(origin))),
        field("key", (text_at, key.len()), ("text", fact)),
    ];
    Some(of("item", key, spans))
}

pub(super) fn local_weight(span: &Span) -> u32 {
    if span.kind == "version" { 1 } else { 8 }
}

pub(super) fn explain_session(key: &[u8]) -> Option<Span> {
    match key {
        b"version" => return Some(of("version", key, Vec::new())),
        b"next-map-id" => return Some(of("next map id", key, Vec::new())),
        _ => {}
    }
    if let Some(rest) = key.strip_prefix(b"namespace-") {
        let (id, origin) = rest.split_at_checked(36)?;
        let is_id = id.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => matches!(byte, b'-' | b'_'),
            _ => byte.is_ascii_hexdigit(),
        });
        let at = key.len() - rest.len();
        let mut spans = vec![field("namespace", (at, at + 36), ("text", plain(id)))];
        let origin = origin.strip_prefix(b"-").filter(|origin| is_id && (origin.is_empty() || is_origin(origin)))?;
        if !origin.is_empty() {
            spans.push(field("origin", (at + 37, key.len()), ("text", plain(origin))));
        }
        return Some(of("map of an origin", key, spans));
    }
    let rest = key.strip_prefix(b"map-")?;
    let end = rest.iter().position(|byte| *byte == b'-')?;
    let number = decimal(rest.get(..end)?)?;
    let text = rest.get(end + 1..).filter(|text| std::str::from_utf8(text).is_ok())?;
    let text_at = key.len() - text.len();
    let spans = vec![
        field("map", (4, 4 + end), ("value", Fact::Number(number))),
        field("key", (text_at, key.len()), ("text", plain(text))),
    ];
    Some(of("item", key, spans))
}

pub(super) fn session_weight(span: &Span) -> u32 {
    match span.kind {
        "map of an origin" => 8,
        "next map id" => 4,
        "item" => 2,
        _ => 1,
    }
}
