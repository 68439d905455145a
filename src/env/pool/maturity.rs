//! When a raw file can be relied on.
//!
//! Chromium writes its index of files without a flush: after a power failure a file that was created
//! just before may be gone, although its content was flushed. The operating system writes the index
//! within half a minute (Linux: 30 s until dirty pages are written, 5 s until the journal is). A file
//! is *mature* after a minute. Logs and manifests go to mature files where there are any; a file that
//! was removed in favor of a young one is kept until that one is mature.

use super::superblock::{Place, Superblock};
use crate::base::Sorted;

/// In ms.
pub(super) const MATURITY_MS: u64 = 60_000;

pub(super) fn is_mature(birth: u64, now: u64) -> bool {
    now >= birth.saturating_add(MATURITY_MS)
}

/// The time in ms from which on all files that have a name are mature; `None` if they are.
pub(super) fn mature_from(block: &Superblock, now: u64) -> Option<u64> {
    let births = block.names.values().filter_map(|place| match place {
        Place::File { number, .. } => block.births.get(number),
        Place::Inline(_) => None,
    });
    births.max().map(|birth| birth.saturating_add(MATURITY_MS)).filter(|time| *time > now)
}

/// Corrects times that lie in the future, because the clock was set back, to `now`.
pub(super) fn correct_clock(births: &mut Sorted<u32, u64>, now: u64) {
    for birth in births.values_mut() {
        *birth = now.min(*birth);
    }
}
