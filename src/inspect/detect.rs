//! What a file is, by its first and last bytes; its name only suggests it.
//!
//! ```text
//! table      the magic number at its end                a log       the checksum of its first fragment
//! manifest   a log whose first record is a version edit
//! CURRENT    "MANIFEST-", digits, a line end            LOG         a line that begins with a date
//! table without its footer: a block with a right checksum in its first bytes
//! RocksDB's logs and manifests: fields that LevelDB does not have, under right checksums (`relatives`)
//! ```

use super::log_head::{self, Head};
use super::relatives;
use super::search::{Hit, Search};
use super::signatures::{self, ENDINGS, ZSTD};
use super::span::fill;
use super::table::has_keys;
use crate::base::{FileName, to_u64};
use crate::table::{FOOTER_SIZE, MAGIC, TRAILER_SIZE};

/// Bytes of the beginning and of the end that are needed, if the file has so many.
pub const HEAD_SIZE: usize = 96 << 10;
/// See [`HEAD_SIZE`].
pub const TAIL_SIZE: usize = 64;

/// Larger files are not `CURRENT`.
const CURRENT_SIZE_MAX: usize = 64;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sorted table.
    Table,
    /// A write-ahead log.
    Log,
    /// A log of version edits.
    Manifest,
    /// The name of the current manifest.
    Current,
    /// LevelDB's messages.
    InfoLog,
    /// No bytes.
    Empty,
    /// Zeros, as far as it was read.
    Zeros,
    /// Of another program; its format is known.
    Foreign,
    /// None of these.
    Unknown,
}

impl Kind {
    /// Its name in words.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Table => "table",
            Kind::Log => "log",
            Kind::Manifest => "manifest",
            Kind::Current => "current",
            Kind::InfoLog => "info log",
            Kind::Empty => "empty",
            Kind::Zeros => "zeros",
            Kind::Foreign => "foreign",
            Kind::Unknown => "unknown",
        }
    }
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// Its kind.
    pub kind: Kind,
    /// Its format, for example `LevelDB table` or `RocksDB table, format version 5`.
    pub format: String,
    /// Why.
    pub reason: String,
    /// The kind that its name suggests.
    pub named: Option<&'static str>,
}

/// Tells what a file of `size` bytes is. `head` are its first [`HEAD_SIZE`] bytes, `tail` its last
/// [`TAIL_SIZE`], or all of a smaller file.
pub fn detect(name: &str, size: u64, head: &[u8], tail: &[u8]) -> Detected {
    let named = named(name);
    let (kind, format, reason) = by_content(size, head, tail, named)
        .or_else(|| by_blocks(named, head))
        .or_else(|| by_name(named, head))
        .unwrap_or_else(|| (Kind::Unknown, "unknown".to_owned(), "no known beginning or end".to_owned()));
    Detected { kind, format, reason, named }
}

type Found = (Kind, String, String);

fn found(kind: Kind, format: &str, reason: impl Into<String>) -> Option<Found> {
    Some((kind, format.to_owned(), reason.into()))
}

fn named(name: &str) -> Option<&'static str> {
    if let Some(name) = FileName::parse(name) {
        return Some(match name {
            FileName::Current => "current",
            FileName::Lock => "lock",
            FileName::InfoLog => "info log",
            FileName::Manifest(_) => "manifest",
            FileName::Log(_) => "log",
            FileName::Table(_) => "table",
            FileName::Temporary(_) => return None,
        });
    }
    if !FileName::resembles(name) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let parts = [("manifest", "manifest"), (".ldb", "table"), (".sst", "table"), (".log", "log")];
    parts.into_iter().find(|(part, _)| lower.contains(part)).map(|(_, kind)| kind)
}

fn by_content(size: u64, head: &[u8], tail: &[u8], named: Option<&str>) -> Option<Found> {
    if size == 0 {
        return found(Kind::Empty, "empty file", "the file has no bytes");
    }
    if head.iter().chain(tail).all(|byte| *byte == 0) && !head.is_empty() {
        let read = to_u64(head.len()).saturating_add(to_u64(tail.len())).min(size);
        let what = if read < size { "the first and last {} bytes are zeros" } else { "all {} bytes are zeros" };
        return found(Kind::Zeros, "zeros", fill(what, &[read]));
    }
    if let Some(magic) = tail.last_chunk::<8>().filter(|_| size >= to_u64(FOOTER_SIZE)) {
        let magic = u64::from_le_bytes(*magic);
        let reason = || fill("the magic number at {}", &[size - 8]);
        if magic == MAGIC {
            return found(Kind::Table, "LevelDB table", reason());
        }
        if ENDINGS.iter().any(|(known, _)| *known == magic) {
            return Some((Kind::Foreign, signatures::table_format(magic, tail), reason()));
        }
    }
    if let Some((_, name)) = signatures::BEGINNINGS.iter().find(|(known, _)| head.starts_with(known))
        && !(*name == ZSTD && (named == Some("table") || first_block(head) == Some(0)))
    {
        return found(Kind::Foreign, name, "the signature at 0");
    }
    if signatures::ends_as_zip(tail) {
        return found(Kind::Foreign, "zip", fill("the end record of a zip at {}", &[size.saturating_sub(22)]));
    }
    if signatures::is_tar(head) {
        return found(Kind::Foreign, "tar archive", "the signature at 257, and the checksum of the header");
    }
    if let Some((format, reason)) = relatives::format_of(head) {
        return found(Kind::Foreign, format, reason);
    }
    match log_head::of(head) {
        Some((at, Head::Edit)) => {
            return found(
                Kind::Manifest,
                "LevelDB manifest",
                fill("a version edit with a valid checksum at {}", &[at]),
            );
        }
        Some((at, Head::Batch)) => {
            return found(
                Kind::Log,
                "LevelDB write-ahead log",
                fill("a write batch with a valid checksum at {}", &[at]),
            );
        }
        Some((at, Head::Other)) => {
            return found(
                Kind::Log,
                "log",
                fill("a record with a valid checksum at {}, which is no write batch", &[at]),
            );
        }
        None => {}
    }
    if is_current(head) && to_u64(head.len()) == size {
        return found(Kind::Current, "name of the current manifest", "the name of a manifest");
    }
    if is_dated(head) {
        return found(Kind::InfoLog, "messages of LevelDB", "a line that begins with date and time");
    }
    None
}

/// A table without a footer: by its first blocks. A log may have a table in a value.
fn by_blocks(named: Option<&'static str>, head: &[u8]) -> Option<Found> {
    if !matches!(named, None | Some("table")) || is_text(head) {
        return None;
    }
    let at = to_u64(first_block(head)?);
    found(Kind::Table, "LevelDB table", fill("a block with a right checksum at {}, and no footer", &[at]))
}

/// Where the first block with keys begins.
fn first_block(head: &[u8]) -> Option<usize> {
    let (mut search, mut at) = (Search::new(0), 0);
    while let Some(rest) = head.get(at..).filter(|rest| !rest.is_empty()) {
        let Hit::Block { skipped, size } = search.first(to_u64(at), rest, true, has_keys) else { return None };
        let start = at.saturating_add(skipped);
        at = start.saturating_add(size).saturating_add(TRAILER_SIZE);
        if has_keys(to_u64(start), head.get(start..at).unwrap_or_default()) {
            return Some(start);
        }
    }
    None
}

/// What no content tells: by the name, or text.
fn by_name(named: Option<&'static str>, head: &[u8]) -> Option<Found> {
    let why = "its name; its contents are damaged or unknown";
    match named {
        Some("table") if !is_text(head) => found(Kind::Table, "LevelDB table", why),
        Some("log") if !is_text(head) => found(Kind::Log, "LevelDB write-ahead log", why),
        Some("manifest") if !is_text(head) => found(Kind::Manifest, "LevelDB manifest", why),
        Some("current") if is_text(head) => found(Kind::Current, "name of the current manifest", why),
        Some("info log") if is_text(head) => found(Kind::InfoLog, "messages of LevelDB", why),
        _ if is_text(head) => found(Kind::Foreign, "text", "its first bytes are text"),
        _ => None,
    }
}

fn is_current(head: &[u8]) -> bool {
    let name = head.strip_suffix(b"\n").unwrap_or(head);
    let digits = name.strip_prefix(b"MANIFEST-").unwrap_or_default();
    head.len() <= CURRENT_SIZE_MAX && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Whether the first line is one of LevelDB's messages: `2026/11/29-12:00:00.123456 7f01 ...`.
fn is_dated(head: &[u8]) -> bool {
    let pattern = b"dddd/dd/dd-dd:dd:dd";
    head.len() > pattern.len()
        && pattern.iter().zip(head).all(|(p, byte)| if *p == b'd' { byte.is_ascii_digit() } else { p == byte })
}

fn is_text(head: &[u8]) -> bool {
    let head = head.get(..4096).unwrap_or(head);
    // The last character may be cut.
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() + 4 > head.len() && error.valid_up_to() > 0 => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && valid.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}
