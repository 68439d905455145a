//! Manifests: logs of version edits, replayed.
//!
//! ```text
//! edit       one edit: its fields with their bytes
//! state      the version after an edit: levels, counters            and why the edit was written
//! history    how tables came to be, moved and went
//! inspector  records -> edits -> states; findings
//! ```
//! Only offsets are kept of edits, and states at intervals, so that a manifest of gigabytes can be
//! replayed to any edit.

mod edit;
mod history;
mod inspector;
mod state;

pub use inspector::{Checkpoint, ManifestInspector, pack_edits};
pub use state::EDIT_REASONS;
pub(super) use state::State;
