//! Follows a look-up in one table.

use super::handle::BlockHandle;

/// The answer of the filter for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FilterAnswer {
    /// The filter's number in its block of filters.
    pub(crate) slot: u64,
    /// Whether the block may have the key.
    pub(crate) maybe: bool,
}

/// Is told the steps of a look-up in one table, in their order.
///
/// By default nothing happens, so that a look-up which nobody follows costs no more.
pub(crate) trait BlockObserver {
    /// The index leads to this block; `filter` is `None` if the table has no usable filter.
    #[inline]
    fn located(&mut self, handle: BlockHandle, filter: Option<FilterAnswer>) {
        let _ = (handle, filter);
    }

    /// The first entry at or after the key in that block: its key, and where its value begins in
    /// the decompressed block.
    #[inline]
    fn landed(&mut self, key: &[u8], value_offset: usize) {
        let _ = (key, value_offset);
    }
}

/// Follows nothing.
impl BlockObserver for () {}
