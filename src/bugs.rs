//! Faults planted on purpose, to prove that the test harness would catch them. Without the feature `seeded-bugs` every
//! question is answered "no" at compile time.

/// One planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// `sync: true` writes are acknowledged without a flush of the log.
    LogNotSynced,
    /// A finished table is not flushed before the manifest names it.
    TableNotSynced,
    /// A manifest record is not flushed before old files are removed.
    ManifestNotSynced,
    /// New names are not made durable before the manifest names them.
    NamesNotSynced,
    /// `CURRENT` is switched before the new manifest is flushed.
    CurrentBeforeManifest,
    /// The size of the log is not checked after an append.
    SizeNotChecked,
    /// A failed append is not cut off.
    FailedAppendNotTruncated,
    /// A file number is used again after a failure.
    FileNumberReused,
    /// The log is removed when its memtable is flushed, before the manifest says so.
    LogRemovedEarly,
    /// Recovery loses the last record of a log.
    RecoveryOffByOne,
    /// Compaction drops tombstones above the base level.
    TombstoneDroppedEarly,
    /// Earlier logs are not flushed before a synced write in a newer one.
    OlderLogNotSynced,
    /// What is cut off a log after a failed append can come back after a crash.
    CutNotSynced,
    /// Logs that were replayed are not flushed before newer ones are.
    RecoveredLogNotSynced,
    /// A log that does not begin where the one before it ends is replayed all the same.
    GapNotSeen,
    /// A log that could not be flushed counts as flushed.
    SyncErrorIgnored,
    /// Rows that were read from tables are kept when the tables change.
    RowsOutliveVersion,
}

#[cfg(feature = "seeded-bugs")]
mod planted {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants `bug` in this thread, or digs it out.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether `bug` is planted.
    pub fn seeded(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "seeded-bugs")]
pub use planted::{plant, seeded};

/// Whether `bug` is planted: never, in this build.
#[cfg(not(feature = "seeded-bugs"))]
#[inline(always)]
pub(crate) const fn seeded(_: Bug) -> bool {
    false
}
