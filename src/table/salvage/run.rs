//! The steps, from the search to the data blocks.

use std::rc::Rc;

use super::classify::{Found, Kind, stored};
use super::entries::listed;
use super::source::{DataBlock, LostBlock, Salvage};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::table::block::Block;
use crate::table::decode::{Context, Stored};
use crate::table::handle::BlockHandle;
use crate::table::policy::DamagePolicy;
use crate::table::reader::Table;

/// The contents of a table that was read without its footer.
#[derive(Default)]
pub(crate) struct Salvaged {
    /// The data blocks, in file order.
    pub(crate) data: Vec<DataBlock>,
    /// Blocks that an index lists and that are not among them.
    pub(crate) lost: Vec<LostBlock>,
    /// Bytes of the file that are in no sound block.
    pub(crate) unreadable: u64,
    /// An index was found, so that `lost` is complete.
    pub(crate) has_index: bool,
    /// A block has internal keys in another order than the given one.
    pub(crate) is_unordered: bool,
}

impl Salvage<'_> {
    /// Finds the data blocks.
    pub(crate) async fn run(&self) -> Result<Salvaged> {
        let mut salvaged = Salvaged::default();
        let found = self.search(&mut salvaged.is_unordered).await?;
        match self.index(&found).await? {
            Some(index) => {
                salvaged.has_index = true;
                for (handle, after, up_to) in listed(&index) {
                    let at = found.partition_point(|block| block.handle.offset < handle.offset);
                    match found.get(at).filter(|block| block.handle == handle) {
                        Some(Found { kind: Kind::Data | Kind::Index { is_data: true, .. }, entries, .. }) => {
                            salvaged.data.push(DataBlock { handle, entries: *entries });
                        }
                        _ => salvaged.lost.push(LostBlock { handle, after, up_to, entries: None }),
                    }
                }
            }
            None => salvaged.data = self.without_index(&found).await?,
        }
        let is_used = |block: &Found| {
            let at = salvaged.data.partition_point(|data| data.handle.offset < block.handle.offset);
            salvaged.data.get(at).is_some_and(|data| data.handle == block.handle)
        };
        let read = found.iter().filter(|block| block.kind != Kind::Data || is_used(block)).map(stored).sum::<u64>();
        let known = read.saturating_add(self.footer().await);
        salvaged.unreadable = self.size.saturating_sub(known);
        Ok(salvaged)
    }

    /// The index of the file: the block that lists most of the data blocks found.
    async fn index(&self, found: &[Found]) -> Result<Option<Rc<Block>>> {
        let data = found.iter().filter(|block| block.kind == Kind::Data).count();
        for block in found.iter().rev() {
            let Kind::Index { is_chain: true, .. } = block.kind else { continue };
            let index = self.block(block.handle).await?;
            let is_known = |handle: &BlockHandle| {
                let at = found.partition_point(|block| block.handle.offset < handle.offset);
                found.get(at).is_some_and(|block| block.handle == *handle)
            };
            let known = listed(&index).filter(|(handle, ..)| is_known(handle)).count();
            if known > 0 && known.saturating_mul(2) > data {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

impl Table {
    /// Reads every block that the index lists; returns the number of sound ones, and the others.
    pub(crate) async fn lost_blocks(&self, budget: &Budget) -> Result<(u64, Vec<LostBlock>)> {
        let (mut sound, mut lost) = (0, Vec::new());
        for (handle, after, up_to) in listed(self.index()) {
            let read = match self.stored_size(handle) {
                Ok(size) => self.file().read_at(handle.offset, size).await,
                Err(error) => Err(error),
            };
            budget.spent(usize::try_from(handle.size).unwrap_or(0)).await;
            let context = Context { name: self.name(), size_max: self.block_size_max(), policy: DamagePolicy::SKIP };
            match read.and_then(|bytes| context.decode(handle, &mut Stored::Owned(bytes), Vec::new())) {
                Ok(_) => sound += 1,
                Err(Error::Corruption(_) | Error::Io(_) | Error::LimitExceeded(_)) => {
                    lost.push(LostBlock { handle, after, up_to, entries: None });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((sound, lost))
    }
}
