//! Write-ahead logs, and manifests, which have the same record format.
//!
//! ```text
//! scanner    blocks -> fragments, padding, zeros, damage; joins records      a region for each
//! inspector  records of a write-ahead log -> write batches, sequence numbers
//! record     one record: its fragments, and its contents
//! ```
//! Damage is reported, and reading continues at the next sound fragment that begins a record: in the
//! same block if one is there.

mod inspector;
mod record;
mod scanner;

pub use inspector::{LogInspector, LogRecord, pack_records};
pub use record::RecordView;
pub(super) use record::join;
pub(super) use scanner::{Joined, Scanner};
