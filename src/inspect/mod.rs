//! Explains the bytes of a file: its structure, its contents and its damage. Opens no database.
//!
//! ```text
//! file size -> inspector -> requests bytes -> the caller reads -> spans, findings -> ... -> end
//! ```
//! An inspector does no I/O: it returns the offset and size of the bytes that it needs next, and
//! its caller supplies them. The same code thus serves files, blobs and ranges over a network, and
//! no file is held in memory as a whole. It returns [`Span`]s: each is a range of bytes with a
//! kind, facts, findings and, on request, the spans inside. Damage never stops it: the bytes after
//! it are still read.
//!
//! The codes of findings are stable: T01 the size, T02 the magic number, T10 a checksum, T11 a
//! codec, T12 a block that does not decompress, T20 restart points, T21 an entry, T22 and T23 the
//! order of keys, T24 a sequence number above the manifest's last, T25 a key that is no internal
//! key, T30 to T33 handles, overlaps, unreferenced bytes and index keys, T40 and T41 filters, S02
//! bytes that could not be read. Of logs: W01 to W03 fragments, W04 and W05 the end, W06 to W08
//! records.

mod block;
mod detect;
mod directory;
mod entries;
mod fields;
mod filter;
mod find;
mod json;
#[cfg(feature = "comparators")]
mod keys;
mod listing;
mod log;
mod log_head;
mod manifest;
mod regions;
mod relatives;
mod rule;
mod search;
mod signatures;
mod sought;
mod span;
mod table;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
mod trace;
mod view;
mod window;

pub use detect::{Detected, HEAD_SIZE, Kind, TAIL_SIZE, detect};
pub use directory::{Directory, Report};
pub use filter::{FilterView, block_has};
pub use find::Wanted;
#[cfg(feature = "comparators")]
pub use keys::{Names, Scheme};
pub use log::{LogInspector, LogRecord, RecordView, pack_records};
pub use manifest::{Checkpoint, EDIT_REASONS, ManifestInspector, pack_edits};
pub use regions::{CODECS, REGION_KINDS, REGION_STATES, Region, State, pack_regions};
pub use rule::Rule;
pub use sought::{Mention, Pattern};
pub use span::{Fact, Finding, KeyFact, Severity, Span};
pub use table::{Depth, TableInspector};
pub use trace::{Answer, Bill, LookupStep, Outcome, Trace, Tracer};
pub use view::BlockView;
pub use window::{Reads, Window};
