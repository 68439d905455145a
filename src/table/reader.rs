//! An open table: index and filter in memory, other blocks are read when needed.
//!
//! The order of reads and the tolerated damage are LevelDB's: `table/table.cc`, `table/format.cc`.

use std::cell::Cell;
use std::rc::Rc;

use super::block::{Block, BlockIterator};
use super::block_cache::BlockCache;
use super::decode::{Context, Stored, stored_size};
use super::filter::FilterBlock;
use super::handle::BlockHandle;
use super::index::Finder;
use super::observer::{BlockObserver, FilterAnswer};
use super::open::{Opening, is_about_content};
use super::options::{BlockRead, Lookup, TableOptions};
use crate::base::{KeyOrder, to_u64};
use crate::env::File;
use crate::error::{Error, Result};
use crate::events::{LiveCounters, count};

/// An open table.
pub(crate) struct Table {
    file: Rc<dyn File>,
    name: String,
    file_size: u64,
    cache_id: u64,
    options: Rc<TableOptions>,
    cache: Rc<BlockCache>,
    counters: Rc<LiveCounters>,
    index: Rc<Block>,
    finder: Option<Finder>,
    filter: Option<FilterBlock>,
    filter_error: Option<Error>,
    /// The end of the data blocks, as far as the footer and the metaindex tell.
    data_end: u64,
    metaindex_offset: u64,
    /// A buffer for the keys decoded by look-ups.
    scratch: Cell<Vec<u8>>,
}

impl Table {
    /// Reads footer, index and filter of `file`, whose size is `file_size`.
    ///
    /// Its blocks are cached in `cache` under `cache_id`.
    pub(crate) async fn open(
        file: Rc<dyn File>,
        name: String,
        file_size: u64,
        cache_id: u64,
        options: Rc<TableOptions>,
        cache: Rc<BlockCache>,
        counters: Rc<LiveCounters>,
    ) -> Result<Table> {
        let opening = Opening::begin(&*file, &name, file_size, &options).await?;
        let footer = opening.footer()?;
        let index = Rc::new(opening.block(footer.index).await?);
        let mut data_end = footer.metaindex.offset.min(footer.index.offset);
        let (mut filter, mut filter_error) = (None, None);
        if options.filter_policy.is_some() || options.policy.verify_checksums {
            match opening.filter(footer.metaindex, &mut data_end).await {
                Ok(found) => filter = found,
                Err(error) if options.policy.paranoid || !is_about_content(&error) => return Err(error),
                Err(error) => filter_error = Some(error),
            }
        }
        let metaindex_offset = footer.metaindex.offset;
        let finder = Finder::new(&index, &options.order);
        Ok(Table {
            file,
            name,
            file_size,
            cache_id,
            options,
            cache,
            counters,
            finder,
            index,
            filter,
            filter_error,
            data_end,
            metaindex_offset,
            scratch: Cell::default(),
        })
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The file's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.file_size
    }

    /// Logical bytes of index, filter and index accelerator.
    pub(crate) fn memory(&self) -> u64 {
        let finder = self.finder.as_ref().map_or(0, Finder::len);
        let filter = self.filter.as_ref().map_or(0, FilterBlock::len);
        to_u64(self.index.len().saturating_add(finder).saturating_add(filter))
    }

    /// The reason why the filter is not used, if it is damaged. Reads are correct without it.
    pub(crate) fn filter_error(&self) -> Option<&Error> {
        self.filter_error.as_ref()
    }

    /// Looks up `key`.
    ///
    /// `found` receives the first entry at or after it in the only block that could hold it.
    #[inline]
    pub(crate) async fn get<R>(
        &self,
        key: &[u8],
        read: BlockRead,
        observer: &mut impl BlockObserver,
        found: impl FnOnce(&[u8], &[u8]) -> R,
    ) -> Result<(Lookup, Option<R>)> {
        let Some(handle) = self.locate(key)? else { return Ok((Lookup::PastEnd, None)) };
        let asked = self.filter.as_ref().map(|filter| FilterAnswer {
            slot: filter.slot(handle.offset),
            maybe: filter.key_may_match(handle.offset, self.options.order.filter_key(key)),
        });
        observer.located(handle, asked);
        if asked.is_some_and(|answer| !answer.maybe) {
            count(&self.counters.filter_negatives, 1);
            return Ok((Lookup::FilterNo { offset: handle.offset }, None));
        }
        let (block, cached) = match self.cached(handle, read) {
            Some(block) => (block, true),
            None => {
                let size = self.stored_size(handle)?;
                let stored = self.file.read_into(handle.offset, size, self.cache.buffer(size)).await?;
                (self.admit(handle, Stored::Owned(stored), self.cache.buffer(size), read)?, false)
            }
        };
        let mut iterator = BlockIterator::with_buffer(block, self.scratch.take());
        iterator.seek(&self.options.order, key);
        if iterator.valid() {
            observer.landed(iterator.key(), iterator.value_offset());
        }
        let answer = iterator.valid().then(|| found(iterator.key(), iterator.value()));
        if let Some(error) = iterator.error() {
            return Err(iterator.block().error(&self.name, error));
        }
        self.scratch.set(iterator.into_buffer());
        Ok((Lookup::Block { offset: handle.offset, cached }, answer))
    }

    /// The approximate offset of `key` in the file.
    pub(crate) fn approximate_offset(&self, key: &[u8]) -> u64 {
        self.locate(key).ok().flatten().map_or(self.metaindex_offset, |handle| handle.offset)
    }

    /// The only block that can hold `key`.
    #[inline]
    fn locate(&self, key: &[u8]) -> Result<Option<BlockHandle>> {
        if let Some(finder) = &self.finder {
            return Ok(finder.handle(finder.find(&self.index, &self.options.order, key)));
        }
        let mut index = BlockIterator::with_buffer(self.index.clone(), self.scratch.take());
        index.seek(&self.options.order, key);
        let handle = if index.valid() { Some(self.handle(&index)?) } else { None };
        if let Some(error) = index.error() {
            return Err(self.index.error(&self.name, error));
        }
        self.scratch.set(index.into_buffer());
        Ok(handle)
    }

    /// Moves `index` to the entry of the only block that can hold `key`.
    #[inline]
    pub(super) fn seek_index(&self, index: &mut BlockIterator, key: &[u8]) {
        match &self.finder {
            Some(finder) => index.seek_to_restart(finder.find(&self.index, &self.options.order, key)),
            None => index.seek(&self.options.order, key),
        }
    }

    /// The handle in the current entry of `index`.
    #[inline]
    pub(super) fn handle(&self, index: &BlockIterator) -> Result<BlockHandle> {
        BlockHandle::decode_value(index.value()).map_err(|mut malformed| {
            let inside = to_u64(index.value_offset());
            malformed.offset = malformed.offset.saturating_add(inside);
            index.block().error(&self.name, &malformed)
        })
    }

    pub(super) fn index(&self) -> &Rc<Block> {
        &self.index
    }

    pub(crate) fn file(&self) -> &dyn File {
        &*self.file
    }

    /// A buffer for reading or decoding a block of `size` stored bytes.
    pub(super) fn buffer(&self, size: usize) -> Vec<u8> {
        self.cache.buffer(size)
    }

    pub(super) fn order(&self) -> &KeyOrder {
        &self.options.order
    }

    pub(in crate::table) fn block_size_max(&self) -> u64 {
        self.options.block_size_max
    }

    pub(super) fn data_end(&self) -> u64 {
        self.data_end
    }

    /// Bytes to read for the block of `handle`.
    #[inline]
    pub(super) fn stored_size(&self, handle: BlockHandle) -> Result<usize> {
        stored_size(handle, &self.name, self.file_size, self.options.block_size_max)
    }

    /// The block of `handle`, if it is in the cache and may be used.
    #[inline]
    pub(super) fn cached(&self, handle: BlockHandle, read: BlockRead) -> Option<Rc<Block>> {
        if !read.use_cache {
            return None;
        }
        let block = self.cache.get(self.cache_id, handle, read.policy.verify_checksums)?;
        count(&self.counters.block_cache_hits, 1);
        Some(block)
    }

    /// Decodes the block of `handle`, in `buffer` if possible, and caches it if `read` says so.
    pub(super) fn admit(
        &self,
        handle: BlockHandle,
        mut stored: Stored<'_>,
        buffer: Vec<u8>,
        read: BlockRead,
    ) -> Result<Rc<Block>> {
        count(&self.counters.block_reads, 1);
        count(&self.counters.block_read_bytes, to_u64(stored.bytes().len()));
        let context = Context { name: &self.name, size_max: self.options.block_size_max, policy: read.policy };
        let block = Rc::new(context.decode(handle, &mut stored, buffer)?);
        if let Stored::Owned(bytes) = stored {
            self.cache.give_back(bytes);
        }
        if read.fill_cache && read.use_cache {
            self.cache.insert(self.cache_id, block.clone());
        }
        Ok(block)
    }
}
