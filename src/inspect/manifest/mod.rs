//! Manifests: logs of version edits, replayed.
//!
//! ```text
//! edit       one edit: its fields with their bytes
//! state      the version after an edit: levels, counters            and why the edit was written
//! inspector  records -> edits -> states; findings
//! ```
//! Only offsets are kept of edits, and states at intervals, so that a manifest of gigabytes can be
//! replayed to any edit.

mod edit;
mod inspector;
mod state;

pub use inspector::{Checkpoint, ManifestInspector, pack_edits};
pub use state::EDIT_REASONS;
