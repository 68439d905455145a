//! Records of a damaged log that may be right although nothing proves it.
//!
//! ```text
//! | fragment | wrong checksum | fragment |          its length leads to a valid fragment: it may be right
//! | wrong length ... | fragment | fragment | ...   at the start of a log: these may be right, or parts of a value
//! ```
//! A reader returns them only if its caller asks for them, each with the reason. The caller decides by
//! their contents whether to use them.

/// Why a record is doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// A fragment of it has a wrong checksum.
    Checksum {
        /// Start of the first such fragment.
        offset: u64,
        /// Its stored and its computed checksum.
        reason: String,
    },
    /// Its checksums are right, but whether a record begins there is not known.
    Place,
}

/// What a reader knows of doubtful records.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// They are returned.
    pub(super) are_kept: bool,
    /// Of the current record, or of the one that was returned last: why, and the bytes of its fragments with
    /// wrong checksums, without their headers.
    pub(super) current: Option<(Doubt, usize)>,
    /// Records that begin before this offset may be parts of a value.
    pub(super) unproven_until: u64,
}
