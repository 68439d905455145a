//! Explains the bytes of a file: what lies where, what it says, and what is wrong with it. Opens no database.
//!
//! ```text
//! size of the file -> inspector -> "give me these bytes" -> the caller reads -> spans, findings -> ... -> nothing more
//! ```
//! An inspector reads nothing by itself: it says which bytes it wants next and is handed them, so that the same code serves
//! files, blobs and ranges over a network, and no file is held whole. Its answers are [`Span`]s: each is a run of bytes with
//! a kind, facts, findings and, where that is asked for, the spans inside. Damage ends nothing: what can be read behind it is.
//!
//! The codes of findings are stable: T01 the size, T02 the magic, T10 a checksum, T11 a codec, T12 what does not decompress,
//! T20 restart points, T21 an entry, T22 and T23 the order of keys, T24 an internal key, T30 to T33 handles, overlaps, bytes of
//! nobody and index keys, T40 and T41 filters, S02 bytes that could not be read.

mod block;
mod json;
mod search;
mod span;
mod table;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

pub use span::{Fact, Finding, KeyFact, Severity, Span};
pub use table::TableInspector;
