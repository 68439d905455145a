//! The checks made on a table's bytes, and the effect of damage.

use crate::iter::OnBadBlock;
use crate::options::{Options, RecoveryMode};

/// The checks made when a table is opened or read, and the effect of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DamagePolicy {
    /// Verify checksums.
    ///
    /// At open those of index, metaindex and filter; in a read those of every block.
    ///
    /// Off at open only to behave as LevelDB does (`compat` without `paranoid_checks`).
    pub(crate) verify_checksums: bool,
    /// A damaged metaindex or filter fails the open.
    ///
    /// Otherwise the filter is ignored, as in LevelDB.
    pub(crate) paranoid: bool,
    /// Check no more than LevelDB does.
    ///
    /// A table's size is taken from the manifest although the file has another, and the layout of
    /// blocks is not checked if their checksums, where verified, are right.
    pub(crate) lenient: bool,
    /// How an iterator handles a block that cannot be read.
    pub(crate) on_bad_block: OnBadBlock,
}

impl DamagePolicy {
    /// Checks everything and stops at the first damage.
    pub(crate) const STOP: DamagePolicy =
        DamagePolicy { verify_checksums: true, paranoid: false, lenient: false, on_bad_block: OnBadBlock::Stop };
    /// Checks everything and continues after damage.
    pub(crate) const SKIP: DamagePolicy = DamagePolicy { on_bad_block: OnBadBlock::Skip, ..DamagePolicy::STOP };

    /// The policy for a database or table opened with `options`.
    pub(crate) fn new(options: &Options) -> DamagePolicy {
        let compat = options.recovery == RecoveryMode::Compat;
        DamagePolicy {
            verify_checksums: !compat || options.paranoid_checks,
            paranoid: !compat && (options.paranoid_checks || options.recovery == RecoveryMode::Strict),
            lenient: compat,
            on_bad_block: if compat { OnBadBlock::Skip } else { OnBadBlock::Stop },
        }
    }

    /// The same policy for one read, with checksums verified or not.
    #[inline]
    pub(crate) fn verifying(self, verify_checksums: bool) -> DamagePolicy {
        DamagePolicy { verify_checksums, ..self }
    }
}
