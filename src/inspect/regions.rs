//! Regions of a file as rows of numbers, for maps of files with very many of them.
//!
//! ```text
//! row      offset f64, size f64, raw u32, entries u32, deletions u32, restarts u32,
//!          kind u8, state u8, codec u8, zeros to 40 bytes                             little-endian
//! ```
//! Kinds, states and codecs are places in [`REGION_KINDS`], [`REGION_STATES`] and [`CODECS`];
//! `src/js/inspect/regions.js` has the same lists.

use super::span::{Fact, Severity, Span};

/// Bytes of a row.
pub(crate) const ROW_SIZE: usize = 40;

/// Kinds of regions: of tables, then of logs.
pub const REGION_KINDS: [&str; 14] = [
    "footer",
    "metaindex",
    "index",
    "filter",
    "meta",
    "data",
    "gap",
    "full",
    "first",
    "middle",
    "last",
    "padding",
    "zeros",
    "damage",
];
/// States of regions.
pub const REGION_STATES: [&str; 6] = ["unread", "sound", "bad", "found", "doubtful", "torn"];
/// Codecs of blocks.
pub const CODECS: [&str; 6] = ["none", "snappy", "zlib", "zstd", "deflate", "unknown"];

/// The codec of a region that has none, or was not read.
const NO_CODEC: u8 = 255;

/// What is known of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was not read.
    Unread,
    /// Nothing is wrong.
    Sound,
    /// Unreadable, or not to be trusted.
    Bad,
    /// Sound, and found by its checksum alone.
    Found,
    /// Readable, but something about it is wrong.
    Doubtful,
    /// The end of a log, whose rest was never written, as after a crash.
    Torn,
}

impl State {
    /// Its place in [`REGION_STATES`].
    pub const fn to_byte(self) -> u8 {
        match self {
            State::Unread => 0,
            State::Sound => 1,
            State::Bad => 2,
            State::Found => 3,
            State::Doubtful => 4,
            State::Torn => 5,
        }
    }
}

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Offset in the file.
    pub offset: u64,
    /// Bytes, including a block's trailer.
    pub size: u64,
    /// One of [`REGION_KINDS`].
    pub kind: &'static str,
    /// What is known of it.
    pub state: State,
    /// A place in [`CODECS`]; 255 if unknown.
    pub codec: u8,
    /// Decompressed bytes.
    pub raw: u32,
    /// Entries of a block.
    pub entries: u32,
    /// Those that are deletions.
    pub deletions: u32,
    /// Restart points of a block.
    pub restarts: u32,
}

impl Region {
    /// One that was not read.
    pub(crate) fn unread(kind: &'static str, offset: u64, size: u64) -> Region {
        let (state, codec) = (State::Unread, NO_CODEC);
        Region { offset, size, kind, state, codec, raw: 0, entries: 0, deletions: 0, restarts: 0 }
    }

    /// The region that `span` explains.
    pub(crate) fn of(span: &Span) -> Region {
        let number = |name: &str| match span.fact(name) {
            Some(Fact::Number(value)) => u32::try_from(*value).unwrap_or(u32::MAX),
            _ => 0,
        };
        let codec = match span.fact("codec") {
            Some(Fact::Text(name)) => place(&CODECS, name),
            _ => NO_CODEC,
        };
        Region {
            state: state_of(span),
            codec,
            raw: number("rawSize"),
            entries: number("entries"),
            deletions: number("deletions"),
            restarts: number("restarts"),
            ..Region::unread(span.kind, span.offset, span.length)
        }
    }

    /// The end of the region.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }

    #[expect(clippy::cast_precision_loss, reason = "a file that JavaScript can read has fewer than 2^53 bytes")]
    fn write(&self, out: &mut Vec<u8>) {
        out.extend((self.offset as f64).to_le_bytes());
        out.extend((self.size as f64).to_le_bytes());
        for value in [self.raw, self.entries, self.deletions, self.restarts] {
            out.extend(value.to_le_bytes());
        }
        out.extend([place(&REGION_KINDS, self.kind), self.state.to_byte(), self.codec, 0, 0, 0, 0, 0]);
    }
}

/// Rows of 40 bytes each.
pub fn pack_regions(regions: &[Region]) -> Vec<u8> {
    let mut out = Vec::with_capacity(regions.len().saturating_mul(ROW_SIZE));
    regions.iter().for_each(|region| region.write(&mut out));
    out
}

fn place(names: &[&str], name: &str) -> u8 {
    names.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok()).unwrap_or(NO_CODEC)
}

fn state_of(span: &Span) -> State {
    let is_block = !matches!(span.kind, "footer" | "gap");
    let is_sound = matches!(span.fact("checksum"), Some(Fact::Text("sound")));
    // A block that nothing refers to is no worse for it.
    let findings = || span.findings.iter().filter(|found| found.code != "T32" || span.kind == "gap");
    let worst = findings().map(|found| found.severity).max();
    match worst {
        _ if is_block && !is_sound => State::Bad,
        Some(Severity::Bad) if !is_block || span.fact("rawSize").is_none() => State::Bad,
        Some(Severity::Bad | Severity::Warn) => State::Doubtful,
        _ if span.fact("found").is_some() => State::Found,
        _ => State::Sound,
    }
}
