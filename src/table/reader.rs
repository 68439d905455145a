//! An open table: index and filter in memory, everything else read block by block.
//!
//! Source of what is read when, and of what is forgiven: LevelDB `table/table.cc`, `table/format.cc`.

use std::cell::Cell;
use std::rc::Rc;

use super::block::{Block, BlockIterator, Origin};
use super::block_cache::BlockCache;
use super::compression::{TRAILER_SIZE, decompress, is_raw, open_trailer};
use super::filter_block::{FilterBlock, FilterBlockBuilder};
use super::finder::Finder;
use super::footer::{BlockHandle, FOOTER_SIZE, Footer};
use super::iter::TableIterator;
use super::{BlockRead, Lookup, TableOptions};
use crate::base::{KeyOrder, to_u64};
use crate::env::File;
use crate::error::{Error, Result};
use crate::events::{LiveCounters, count};
use crate::iter::OnBadBlock;

/// Read at once when a table is opened: footer, index and filter of most tables lie in it.
const TAIL_SIZE: usize = 64 << 10;

/// A table that can be read.
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
    /// Data blocks end here, as far as the footer and the metaindex tell.
    data_end: u64,
    metaindex_offset: u64,
    /// A buffer for the keys that look-ups pass.
    scratch: Cell<Vec<u8>>,
}

impl Table {
    /// Reads footer, index and filter of `file`, `file_size` bytes long; its blocks are kept in `cache` under `cache_id`.
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
        if options.filter_policy.is_some() || options.verify_checksums {
            match opening.filter(footer.metaindex, &mut data_end).await {
                Ok(found) => filter = found,
                Err(error) if options.paranoid_checks || !is_about_content(&error) => return Err(error),
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

    /// Bytes of the file.
    pub(crate) fn size(&self) -> u64 {
        self.file_size
    }

    /// Logical bytes of index, filter and what finds entries in the index.
    pub(crate) fn memory(&self) -> u64 {
        let finder = self.finder.as_ref().map_or(0, Finder::len);
        let filter = self.filter.as_ref().map_or(0, FilterBlock::len);
        to_u64(self.index.len().saturating_add(finder).saturating_add(filter))
    }

    /// Why the filter is not used, if it is damaged. Reads are right without it.
    pub(crate) fn filter_error(&self) -> Option<&Error> {
        self.filter_error.as_ref()
    }

    /// Looks for `key`; `found` gets the first entry at or after it in the one block where it would be.
    #[inline]
    pub(crate) async fn get<R>(
        &self,
        key: &[u8],
        read: BlockRead,
        found: impl FnOnce(&[u8], &[u8]) -> R,
    ) -> Result<(Lookup, Option<R>)> {
        let Some(handle) = self.locate(key)? else { return Ok((Lookup::PastEnd, None)) };
        if let Some(filter) = &self.filter
            && !filter.key_may_match(handle.offset, self.options.order.filter_key(key))
        {
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
        let answer = iterator.valid().then(|| found(iterator.key(), iterator.value()));
        if let Some(error) = iterator.error() {
            return Err(iterator.block().error(&self.name, error));
        }
        self.scratch.set(iterator.into_buffer());
        Ok((Lookup::Block { offset: handle.offset, cached }, answer))
    }

    /// About where in the file `key` is or would be.
    pub(crate) fn approximate_offset(&self, key: &[u8]) -> u64 {
        self.locate(key).ok().flatten().map_or(self.metaindex_offset, |handle| handle.offset)
    }

    /// All entries, in order.
    pub(crate) fn iter(self: &Rc<Table>, read: BlockRead, on_bad_block: OnBadBlock) -> TableIterator {
        TableIterator::new(self.clone(), read, on_bad_block)
    }

    /// The block that holds `key` if any does.
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

    /// Moves `index` to the entry of the block that holds `key` if any does.
    #[inline]
    pub(super) fn seek_index(&self, index: &mut BlockIterator, key: &[u8]) {
        match &self.finder {
            Some(finder) => index.seek_to_restart(finder.find(&self.index, &self.options.order, key)),
            None => index.seek(&self.options.order, key),
        }
    }

    /// What the index entry under `index` points to.
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

    pub(super) fn file(&self) -> &dyn File {
        &*self.file
    }

    /// A buffer to read or decode a block of `size` stored bytes into.
    pub(super) fn buffer(&self, size: usize) -> Vec<u8> {
        self.cache.buffer(size)
    }

    pub(super) fn order(&self) -> &KeyOrder {
        &self.options.order
    }

    pub(super) fn data_end(&self) -> u64 {
        self.data_end
    }

    /// Bytes to read for the block of `handle`.
    #[inline]
    pub(super) fn stored_size(&self, handle: BlockHandle) -> Result<usize> {
        stored_size(handle, &self.name, self.file_size, self.options.block_size_max)
    }

    /// The block of `handle`, if it is in the cache and may be taken from there.
    #[inline]
    pub(super) fn cached(&self, handle: BlockHandle, read: BlockRead) -> Option<Rc<Block>> {
        if !read.use_cache {
            return None;
        }
        let block = self.cache.get(self.cache_id, handle, read.verify_checksums)?;
        count(&self.counters.block_cache_hits, 1);
        Some(block)
    }

    /// Decodes the block of `handle` from its stored bytes, in `buffer` if it can, and keeps it if `read` says so.
    pub(super) fn admit(
        &self,
        handle: BlockHandle,
        mut stored: Stored<'_>,
        buffer: Vec<u8>,
        read: BlockRead,
    ) -> Result<Rc<Block>> {
        count(&self.counters.block_reads, 1);
        count(&self.counters.block_read_bytes, to_u64(stored.bytes().len()));
        let context = Context {
            name: &self.name,
            size_max: self.options.block_size_max,
            verify: read.verify_checksums,
            lenient: read.lenient,
        };
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

/// Bytes to read for the block of `handle`: they lie in the file, and are not more than contents may have.
#[inline]
fn stored_size(handle: BlockHandle, name: &str, file_size: u64, size_max: u64) -> Result<usize> {
    let size = handle.stored_size(file_size).map_err(|malformed| malformed.in_file(name, handle.offset))?;
    if handle.size > size_max {
        let (offset, size) = (handle.offset, handle.size);
        let what = format!("{name}, block at offset {offset}: {size} bytes, at most {size_max} are allowed");
        return Err(Error::LimitExceeded(what));
    }
    Ok(size)
}

/// Bytes of a block with its trailer.
pub(super) enum Stored<'a> {
    /// Nobody else's: contents stored as they are need no copy.
    Owned(Vec<u8>),
    /// Cut from a longer read.
    Slice(&'a [u8]),
}

impl Stored<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Stored::Owned(bytes) => bytes,
            Stored::Slice(bytes) => bytes,
        }
    }
}

/// What decoding needs to know.
struct Context<'a> {
    name: &'a str,
    size_max: u64,
    verify: bool,
    lenient: bool,
}

impl Context<'_> {
    /// From stored bytes to a block.
    fn decode(&self, handle: BlockHandle, stored: &mut Stored<'_>, buffer: Vec<u8>) -> Result<Block> {
        let (bytes, raw) = self.contents(handle, stored, buffer)?;
        let origin = Origin { offset: handle.offset, size: handle.size, raw, verified: self.verify };
        Block::new(bytes, origin, self.lenient).map_err(|malformed| {
            let base = if raw { handle.offset } else { handle.offset.saturating_sub(malformed.offset) };
            malformed.in_file(self.name, base)
        })
    }

    /// From stored bytes to contents, and whether these are stored as they are; then an owned buffer is taken.
    fn contents(&self, handle: BlockHandle, stored: &mut Stored<'_>, mut buffer: Vec<u8>) -> Result<(Vec<u8>, bool)> {
        let bytes = stored.bytes();
        let expected = handle.stored_size(u64::MAX).unwrap_or(usize::MAX);
        if bytes.len() != expected {
            let reason = format!("truncated block read: {} bytes, expected {expected}", bytes.len());
            return Err(Error::corruption(self.name, handle.offset, reason));
        }
        let (contents, block_type) =
            open_trailer(bytes, self.verify).map_err(|malformed| malformed.in_file(self.name, handle.offset))?;
        let size = contents.len();
        let raw = is_raw(block_type);
        if !raw || matches!(stored, Stored::Slice(_)) {
            let size_max = usize::try_from(self.size_max).unwrap_or(usize::MAX);
            decompress(block_type, contents, size_max, &mut buffer)
                .map_err(|error| error.in_file(self.name, handle.offset))?;
        } else if let Stored::Owned(bytes) = stored {
            buffer = std::mem::take(bytes);
            buffer.truncate(size);
        }
        Ok((buffer, raw))
    }
}

/// Whether an error says that bytes are wrong, rather than that they could not be had.
fn is_about_content(error: &Error) -> bool {
    matches!(error, Error::Corruption(_) | Error::NotSupported(_) | Error::LimitExceeded(_))
}

/// A table while it is opened: the end of its file is in memory.
struct Opening<'a> {
    file: &'a dyn File,
    name: &'a str,
    file_size: u64,
    options: &'a TableOptions,
    tail: Vec<u8>,
    tail_offset: u64,
}

impl<'a> Opening<'a> {
    async fn begin(
        file: &'a dyn File,
        name: &'a str,
        file_size: u64,
        options: &'a TableOptions,
    ) -> Result<Opening<'a>> {
        if file_size < to_u64(FOOTER_SIZE) {
            let reason =
                format!("file is too short to be an sstable: {file_size} bytes, expected at least {FOOTER_SIZE}");
            return Err(Error::corruption(name, 0, reason));
        }
        let length = usize::try_from(file_size).unwrap_or(usize::MAX).min(TAIL_SIZE);
        let tail_offset = file_size.saturating_sub(to_u64(length));
        let tail = file.read_at(tail_offset, length).await?;
        if tail.len() != length {
            let reason = format!("truncated block read: the file has {} of its last {length} bytes", tail.len());
            return Err(Error::corruption(name, tail_offset, reason));
        }
        Ok(Opening { file, name, file_size, options, tail, tail_offset })
    }

    fn footer(&self) -> Result<Footer> {
        let at = self.tail.len().saturating_sub(FOOTER_SIZE);
        let base = self.tail_offset.saturating_add(to_u64(at));
        let bytes = self.tail.get(at..).unwrap_or_default();
        let footer = Footer::decode(bytes).map_err(|malformed| malformed.in_file(self.name, base))?;
        if self.options.paranoid_checks {
            footer.check_padding(bytes).map_err(|malformed| malformed.in_file(self.name, base))?;
        }
        Ok(footer)
    }

    fn context(&self) -> Context<'_> {
        Context {
            name: self.name,
            size_max: self.options.block_size_max,
            verify: self.options.verify_checksums,
            lenient: self.options.lenient,
        }
    }

    /// Contents and trailer, from the tail or from the file.
    async fn stored(&self, handle: BlockHandle) -> Result<Stored<'_>> {
        let size = stored_size(handle, self.name, self.file_size, self.options.block_size_max)?;
        let in_tail = handle.offset.checked_sub(self.tail_offset).and_then(|at| usize::try_from(at).ok());
        if let Some(stored) = in_tail.and_then(|at| self.tail.get(at..at.checked_add(size)?)) {
            return Ok(Stored::Slice(stored));
        }
        Ok(Stored::Owned(self.file.read_at(handle.offset, size).await?))
    }

    async fn block(&self, handle: BlockHandle) -> Result<Block> {
        let mut stored = self.stored(handle).await?;
        self.context().decode(handle, &mut stored, Vec::new())
    }

    /// Verifies the checksums of all blocks that the metaindex names, those of foreign filters too.
    async fn check_named_blocks(&self, metaindex: &Rc<Block>) -> Result<()> {
        let mut entries = BlockIterator::new(metaindex.clone());
        entries.seek_to_first();
        let mut left = self.file_size;
        while entries.valid() {
            let handle = BlockHandle::decode_value(entries.value()).map_err(|e| metaindex.error(self.name, &e))?;
            let stored = self.stored(handle).await?;
            // Blocks that overlap could name the same bytes any number of times.
            let size = to_u64(stored.bytes().len());
            left = left.checked_sub(size).ok_or_else(|| {
                let reason = "the blocks that the metaindex names have more bytes than the file";
                Error::corruption(self.name, handle.offset, reason)
            })?;
            open_trailer(stored.bytes(), true).map_err(|malformed| malformed.in_file(self.name, handle.offset))?;
            entries.next();
        }
        entries.error().map_or(Ok(()), |error| Err(metaindex.error(self.name, error)))
    }

    /// The filter that the metaindex names, if it was made by our policy.
    async fn filter(&self, metaindex: BlockHandle, data_end: &mut u64) -> Result<Option<FilterBlock>> {
        let metaindex = Rc::new(self.block(metaindex).await?);
        if self.options.paranoid_checks {
            self.check_named_blocks(&metaindex).await?;
        }
        let Some(policy) = &self.options.filter_policy else { return Ok(None) };
        let key = FilterBlockBuilder::metaindex_key(&**policy);
        let mut entries = BlockIterator::new(metaindex.clone());
        entries.seek(&KeyOrder::BYTEWISE, &key);
        if let Some(error) = entries.error() {
            return Err(metaindex.error(self.name, error));
        }
        if !entries.valid() || entries.key() != key {
            return Ok(None);
        }
        let handle = BlockHandle::decode_value(entries.value()).map_err(|e| metaindex.error(self.name, &e))?;
        let mut stored = self.stored(handle).await?;
        *data_end = (*data_end).min(handle.offset);
        let (contents, _) = self.context().contents(handle, &mut stored, Vec::new())?;
        let filter = FilterBlock::new(policy.clone(), contents);
        filter.map(Some).map_err(|malformed| malformed.in_file(self.name, handle.offset))
    }
}

const _: () = assert!(TRAILER_SIZE < FOOTER_SIZE && FOOTER_SIZE <= TAIL_SIZE);
