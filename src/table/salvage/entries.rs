//! The entries of a block, and the handles in those of an index.

use crate::base::Input;
use crate::table::block::Block;
use crate::table::handle::BlockHandle;

/// Calls `each` for every entry of a block.
pub(crate) fn each_entry(block: &Block, mut each: impl FnMut(&[u8], &[u8])) {
    let (mut at, mut key) = (0, Vec::new());
    while let Some(entry) = block.entry(at).filter(|entry| entry.shared <= key.len()) {
        key.truncate(entry.shared);
        key.extend_from_slice(block.bytes().get(entry.key_start..entry.value_start).unwrap_or_default());
        each(&key, block.value(entry));
        at = entry.end;
    }
}

/// The blocks that an index lists, with the keys of the entry before and of their own.
pub(super) fn listed(index: &Block) -> impl Iterator<Item = (BlockHandle, Option<Vec<u8>>, Vec<u8>)> + '_ {
    let (mut at, mut key, mut is_first) = (0, Vec::new(), true);
    std::iter::from_fn(move || {
        let entry = index.entry(at).filter(|entry| entry.shared <= key.len())?;
        let before = (!is_first).then(|| key.clone());
        key.truncate(entry.shared);
        key.extend_from_slice(index.bytes().get(entry.key_start..entry.value_start)?);
        (at, is_first) = (entry.end, false);
        Some((BlockHandle::decode_value(index.value(entry)).ok()?, before, key.clone()))
    })
}

/// The handle that is all of `value`.
pub(super) fn exact_handle(value: &[u8]) -> Option<BlockHandle> {
    let mut input = Input::new(value);
    let handle = BlockHandle::decode(&mut input).ok()?;
    input.is_empty().then_some(handle)
}
