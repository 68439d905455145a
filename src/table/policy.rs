//! The checks made on a table's bytes, and the effect of damage.

use crate::iter::OnBadBlock;
use crate::options::{Options, RecoveryMode};

/// The checks made when a table is opened or read, and the effect of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DamagePolicy {
    /// Verify checksums: at open those of index, metaindex and filter; in a read those of every block. Off at open only
    /// where LevelDB's own reading is mimicked (`compat` without `paranoid_checks`).
    pub(crate) verify_checksums: bool,
    /// A damaged metaindex or filter fails the open; otherwise the filter is passed over (LevelDB does so always).
    pub(crate) paranoid: bool,
    /// As LevelDB: take the manifest's word for a table's size although the file has another, and decode whatever blocks
    /// hold, without a check of their form, as long as their checksums, where they are asked for, are right.
    pub(crate) lenient: bool,
    /// The reaction of an iterator to a block that cannot be read.
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
