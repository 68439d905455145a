//! How far the bytes of tables are trusted, and what is done where they are damaged.

use crate::iter::OnBadBlock;
use crate::options::{Options, RecoveryMode};

/// What is checked when a table is opened or read, and what damage leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DamagePolicy {
    /// Verify checksums: when a table is opened those of index, metaindex and filter, when it is read those of every block.
    /// Not done at open only where LevelDB's own reading is mimicked (`compat` without `paranoid_checks`).
    pub(crate) verify_checksums: bool,
    /// A damaged metaindex or filter fails the open; otherwise the filter is passed over (LevelDB does so always).
    pub(crate) paranoid: bool,
    /// As LevelDB: take the manifest's word for a table's size although the file has another, and decode whatever blocks
    /// hold, without a check of their form, as long as their checksums, where they are asked for, are right.
    pub(crate) lenient: bool,
    /// What an iterator does at a block that cannot be read.
    pub(crate) on_bad_block: OnBadBlock,
}

impl DamagePolicy {
    /// Check everything, stop at the first damage.
    pub(crate) const STOP: DamagePolicy =
        DamagePolicy { verify_checksums: true, paranoid: false, lenient: false, on_bad_block: OnBadBlock::Stop };
    /// Check everything, and go on behind damage.
    pub(crate) const SKIP: DamagePolicy = DamagePolicy { on_bad_block: OnBadBlock::Skip, ..DamagePolicy::STOP };

    /// Of what is opened with `options`.
    pub(crate) fn new(options: &Options) -> DamagePolicy {
        let compat = options.recovery == RecoveryMode::Compat;
        DamagePolicy {
            verify_checksums: !compat || options.paranoid_checks,
            paranoid: !compat && (options.paranoid_checks || options.recovery == RecoveryMode::Strict),
            lenient: compat,
            on_bad_block: if compat { OnBadBlock::Skip } else { OnBadBlock::Stop },
        }
    }

    /// The same for one read, whose caller says whether checksums are verified.
    #[inline]
    pub(crate) fn verifying(self, verify_checksums: bool) -> DamagePolicy {
        DamagePolicy { verify_checksums, ..self }
    }
}
