//! Bugs planted on purpose, to prove that the tests would find them.
//!
//! Without the feature `seeded-bugs` none is planted, which is known at compile time.

/// One planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// `sync: true` writes are acknowledged without a sync of the log.
    LogNotSynced,
    /// A finished table is not synced before the manifest names it.
    TableNotSynced,
    /// A manifest record is not synced before old files are removed.
    ManifestNotSynced,
    /// New names are not made durable before the manifest names them.
    NamesNotSynced,
    /// `CURRENT` is switched before the new manifest is synced.
    CurrentBeforeManifest,
    /// The size of the log is not checked after an append.
    SizeNotChecked,
    /// A failed append is not truncated.
    FailedAppendNotTruncated,
    /// A file number is reused after a failure.
    FileNumberReused,
    /// The log is removed when its memtable is flushed, before the manifest records it.
    LogRemovedEarly,
    /// Recovery loses the last record of a log.
    RecoveryOffByOne,
    /// Compaction drops tombstones above the base level.
    TombstoneDroppedEarly,
    /// Earlier logs are not synced before a synced write in a newer one.
    OlderLogNotSynced,
    /// The part of a log truncated after a failed append can reappear after a crash.
    CutNotSynced,
    /// Replayed logs are not synced before newer ones are.
    RecoveredLogNotSynced,
    /// A log that does not begin where the previous one ends is replayed anyway.
    GapNotSeen,
    /// A log whose sync failed counts as synced.
    SyncErrorIgnored,
    /// The row cache is not invalidated when the tables change.
    RowsOutliveVersion,
}

#[cfg(feature = "seeded-bugs")]
mod planted {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants or removes `bug` in this thread.
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
