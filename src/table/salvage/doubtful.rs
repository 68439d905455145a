//! Blocks whose checksum is wrong and whose layout is right.

use std::rc::Rc;

use super::classify::Kind;
use super::entries::each_entry;
use super::source::{LostBlock, Salvage};
use crate::error::Result;
use crate::table::block::Block;
use crate::table::decode::Stored;

impl Salvage<'_> {
    /// Decodes a block that an index lists, whatever its checksum is, and counts its entries.
    ///
    /// `None`: it cannot be decompressed, an entry or restart point is impossible, or its keys are
    /// not in order between those that the index tells.
    pub(crate) async fn despite_checksum(&self, block: &LostBlock) -> Result<Option<(Rc<Block>, u64)>> {
        let Some(bytes) = self.stored(block.handle).await? else { return Ok(None) };
        let decoded = self.unverified().decode(block.handle, &mut Stored::Owned(bytes), Vec::new());
        let Ok(decoded) = decoded else { return Ok(None) };
        let Some((Kind::Data, entries)) = self.classify(&decoded) else { return Ok(None) };
        let (mut first, mut last) = (None, Vec::new());
        each_entry(&decoded, |key, _| {
            first.get_or_insert_with(|| key.to_vec());
            last.clear();
            last.extend_from_slice(key);
        });
        let order = &self.options.order;
        let is_between = block
            .after
            .as_ref()
            .is_none_or(|after| first.as_ref().is_some_and(|first| order.compare(after, first).is_lt()))
            && order.compare(&last, &block.up_to).is_le();
        Ok((self.any_order || is_between).then(|| (Rc::new(decoded), entries)))
    }
}
