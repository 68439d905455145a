//! Opens a table.
//!
//! The order of reads and the tolerated damage are LevelDB's: `table/table.cc`, `table/format.cc`.

use std::rc::Rc;

use super::block::{Block, BlockIterator};
use super::decode::{Context, Stored, stored_size};
use super::filter::{FilterBlock, FilterBlockBuilder};
use super::format::{FOOTER_SIZE, Footer};
use super::handle::{BlockHandle, TRAILER_SIZE};
use super::options::TableOptions;
use super::trailer::open_trailer;
use crate::base::{KeyOrder, to_u64};
use crate::env::File;
use crate::error::{Error, Result};

/// Read with one request when a table is opened.
///
/// It contains footer, index and filter of most tables.
const TAIL_SIZE: usize = 64 << 10;

/// Whether an error means damaged bytes, rather than a failed read.
pub(super) fn is_about_content(error: &Error) -> bool {
    matches!(error, Error::Corruption(_) | Error::MissingCodec(_) | Error::LimitExceeded(_))
}

/// A table being opened: the end of its file is in memory.
pub(super) struct Opening<'a> {
    file: &'a dyn File,
    name: &'a str,
    file_size: u64,
    options: &'a TableOptions,
    tail: Vec<u8>,
    tail_offset: u64,
}

impl<'a> Opening<'a> {
    pub(super) async fn begin(
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

    pub(super) fn footer(&self) -> Result<Footer> {
        let at = self.tail.len().saturating_sub(FOOTER_SIZE);
        let base = self.tail_offset.saturating_add(to_u64(at));
        let bytes = self.tail.get(at..).unwrap_or_default();
        let footer = Footer::decode(bytes).map_err(|malformed| malformed.in_file(self.name, base))?;
        if self.options.policy.paranoid {
            footer.check_padding(bytes).map_err(|malformed| malformed.in_file(self.name, base))?;
        }
        Ok(footer)
    }

    fn context(&self) -> Context<'_> {
        Context { name: self.name, size_max: self.options.block_size_max, policy: self.options.policy }
    }

    /// Contents and trailer, from the tail in memory or from the file.
    async fn stored(&self, handle: BlockHandle) -> Result<Stored<'_>> {
        let size = stored_size(handle, self.name, self.file_size, self.options.block_size_max)?;
        let in_tail = handle.offset.checked_sub(self.tail_offset).and_then(|at| usize::try_from(at).ok());
        if let Some(stored) = in_tail.and_then(|at| self.tail.get(at..at.checked_add(size)?)) {
            return Ok(Stored::Slice(stored));
        }
        Ok(Stored::Owned(self.file.read_at(handle.offset, size).await?))
    }

    pub(super) async fn block(&self, handle: BlockHandle) -> Result<Block> {
        let mut stored = self.stored(handle).await?;
        self.context().decode(handle, &mut stored, Vec::new())
    }

    /// Verifies the checksums of all blocks that the metaindex names, including other policies'
    /// filters.
    async fn check_named_blocks(&self, metaindex: &Rc<Block>) -> Result<()> {
        let mut entries = BlockIterator::new(metaindex.clone());
        entries.seek_to_first();
        let mut left = self.file_size;
        while entries.valid() {
            let handle = BlockHandle::decode_value(entries.value()).map_err(|e| metaindex.error(self.name, &e))?;
            let stored = self.stored(handle).await?;
            // Overlapping blocks could refer to the same bytes any number of times.
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
    pub(super) async fn filter(&self, metaindex: BlockHandle, data_end: &mut u64) -> Result<Option<FilterBlock>> {
        let metaindex = Rc::new(self.block(metaindex).await?);
        if self.options.policy.paranoid {
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
