//! Writes sorted entries to a table file.
//!
//! Given the same entries and options, the file is byte for byte the same as LevelDB's, except
//! where two Snappy encoders compress a block differently. Source: LevelDB
//! `table/table_builder.cc`.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::rc::Rc;

use super::block::BlockBuilder;
use super::codec::Compressor;
use super::compress_ahead::{Batch, Sealer};
use super::filter::FilterBlockBuilder;
use super::format::{FOOTER_SIZE, Footer};
use super::handle::{BlockHandle, TRAILER_SIZE};
use super::options::TableOptions;
use super::trailer::store_raw;
use crate::base::to_u64;
use crate::env::{Env, File, append_checked};
use crate::error::{Error, Malformed, Result};

/// A table being built. After an error it must be abandoned, and its file removed.
pub(crate) struct TableBuilder {
    env: Rc<dyn Env>,
    file: Rc<dyn File>,
    name: String,
    options: Rc<TableOptions>,
    data: BlockBuilder,
    index: BlockBuilder,
    filter: Option<FilterBlockBuilder>,
    sealer: Sealer,
    /// A block has just been closed.
    ///
    /// Its index entry waits for the next key, so that the shortest separator of both can be used.
    between: bool,
    /// Index entries are made of both, front to front.
    ///
    /// Separators of closed blocks, handles of placed blocks.
    separators: VecDeque<Vec<u8>>,
    handles: VecDeque<BlockHandle>,
    /// The last key added; between blocks, the separator made from it.
    last_key: Vec<u8>,
    entries: u64,
    /// The offset of the next block.
    offset: u64,
    /// Bytes of contents of closed blocks, and of placed blocks.
    raw_closed: u64,
    raw_placed: u64,
    /// An append was started and not completed.
    unsure: bool,
}

impl TableBuilder {
    /// Builds a table in `file`, which is empty and has the name `name`.
    pub(crate) fn new(env: Rc<dyn Env>, file: Rc<dyn File>, name: String, options: Rc<TableOptions>) -> TableBuilder {
        let sealer = Sealer::new(options.compression, env.compute_thread());
        TableBuilder {
            env,
            file,
            name,
            data: BlockBuilder::new(options.block_restart_interval),
            index: BlockBuilder::new(1),
            filter: options.filter_policy.clone().map(FilterBlockBuilder::new),
            sealer,
            options,
            between: false,
            separators: VecDeque::new(),
            handles: VecDeque::new(),
            last_key: Vec::new(),
            entries: 0,
            offset: 0,
            raw_closed: 0,
            raw_placed: 0,
            unsure: false,
        }
    }

    /// Adds an entry; its key must come after all previous ones.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.entries > 0 && self.options.order.compare(key, &self.last_key) != Ordering::Greater {
            return Err(self.out_of_order(key));
        }
        if self.between {
            self.between = false;
            self.options.order.find_shortest_separator(&mut self.last_key, key);
            self.separators.push_back(self.last_key.clone());
        }
        if let Some(filter) = &mut self.filter {
            filter.add_key(self.options.order.filter_key(key));
        }
        self.data.add(&self.last_key, key, value).map_err(|e| too_long(&self.name, e))?;
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.entries += 1;
        if self.data.size() >= self.options.block_size {
            self.close_block();
        }
        Ok(())
    }

    /// The number of entries added.
    #[inline]
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// The size of all closed blocks.
    ///
    /// Blocks that are not compressed yet are estimated from the average of the others.
    #[inline]
    pub(crate) fn estimated_size(&self) -> u64 {
        let waiting = self.raw_closed.saturating_sub(self.raw_placed);
        let ratio_of =
            |waiting: u64| waiting.saturating_mul(self.offset).checked_div(self.raw_placed).unwrap_or(waiting);
        self.offset.saturating_add(ratio_of(waiting))
    }

    /// Whether enough is buffered for [`write_out`](TableBuilder::write_out).
    #[inline]
    pub(crate) fn wants_write(&self) -> bool {
        self.sealer.is_full()
    }

    /// Writes buffered blocks, as far as they are compressed.
    pub(crate) async fn write_out(&mut self) -> Result<()> {
        self.move_on(false).await
    }

    /// The same; with `all`, everything is written.
    async fn move_on(&mut self, all: bool) -> Result<()> {
        self.sealer.hand_over();
        while let Some(batch) = self.sealer.next(all).await? {
            self.place(&batch)?;
            self.append(batch.stored()).await?;
            self.sealer.give_back(batch);
        }
        Ok(())
    }

    /// Appends bytes; the file must then end at `offset`.
    async fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.unsure {
            let message = "an earlier append to this table was abandoned";
            return Err(Error::io(self.name.as_str(), "append", ErrorKind::Other, message));
        }
        self.unsure = true;
        append_checked(&*self.env, &*self.file, &self.name, bytes, self.offset).await?;
        self.unsure = false;
        Ok(())
    }

    /// Writes the rest and returns the file's size. Does not sync.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.close_block();
        if self.between {
            self.options.order.find_short_successor(&mut self.last_key);
            self.separators.push_back(std::mem::take(&mut self.last_key));
        }
        self.move_on(true).await?;
        self.add_index_entries()?;
        debug_assert!(self.separators.is_empty() && self.handles.is_empty(), "a block is not in the index");
        let mut out = Vec::new();
        let mut compressor = Compressor::new(self.options.compression);
        let filter = self.close_filter(&mut out)?;
        let metaindex = self.close_metaindex(filter, &mut compressor, &mut out)?;
        let size = compressor.store(self.index.finish(), &mut out);
        let index = self.placed(size);
        Footer { metaindex, index }.encode_to(&mut out);
        self.offset += to_u64(FOOTER_SIZE);
        self.append(&out).await?;
        let size = self.file.size().await?;
        if size != self.offset {
            let message = format!("the finished table has {size} bytes, {} were appended", self.offset);
            return Err(Error::io(self.name.as_str(), "append", ErrorKind::WriteZero, message));
        }
        Ok(size)
    }

    fn close_block(&mut self) {
        if self.data.is_empty() {
            return;
        }
        let contents = self.data.finish();
        self.raw_closed = self.raw_closed.saturating_add(to_u64(contents.len()));
        self.sealer.add(contents);
        self.data.clear();
        self.between = true;
        if let Some(filter) = &mut self.filter {
            filter.close_block();
        }
    }

    /// Assigns offsets to the blocks of `batch`.
    fn place(&mut self, batch: &Batch) -> Result<()> {
        self.raw_placed = self.raw_placed.saturating_add(to_u64(batch.raw_size()));
        for size in batch.sizes() {
            let handle = self.placed(*size);
            self.handles.push_back(handle);
            if let Some(filter) = &mut self.filter {
                filter.next_block(self.offset).map_err(|e| too_long(&self.name, e))?;
            }
        }
        self.add_index_entries()
    }

    /// Adds index entries for all blocks whose offset and separator are known.
    fn add_index_entries(&mut self) -> Result<()> {
        while let (Some(separator), Some(handle)) = (self.separators.front(), self.handles.front()) {
            let mut value = Vec::with_capacity(20);
            handle.encode_to(&mut value);
            self.index.add(&[], separator, &value).map_err(|e| too_long(&self.name, e))?;
            self.separators.pop_front();
            self.handles.pop_front();
        }
        Ok(())
    }

    fn close_filter(&mut self, out: &mut Vec<u8>) -> Result<Option<BlockHandle>> {
        let Some(filter) = self.filter.take() else { return Ok(None) };
        let block = filter.finish().map_err(|e| too_long(&self.name, e))?;
        let size = store_raw(&block, out);
        Ok(Some(self.placed(size)))
    }

    fn close_metaindex(
        &mut self,
        filter: Option<BlockHandle>,
        compressor: &mut Compressor,
        out: &mut Vec<u8>,
    ) -> Result<BlockHandle> {
        let mut metaindex = BlockBuilder::new(self.options.block_restart_interval);
        if let (Some(handle), Some(policy)) = (filter, &self.options.filter_policy) {
            let mut value = Vec::new();
            handle.encode_to(&mut value);
            let key = FilterBlockBuilder::metaindex_key(&**policy);
            metaindex.add(&[], &key, &value).map_err(|e| too_long(&self.name, e))?;
        }
        let size = compressor.store(metaindex.finish(), out);
        Ok(self.placed(size))
    }

    /// Counts a block of `size` bytes appended at the end.
    fn placed(&mut self, size: usize) -> BlockHandle {
        let handle = BlockHandle { offset: self.offset, size: to_u64(size) };
        self.offset += to_u64(size + TRAILER_SIZE);
        handle
    }

    #[cold]
    fn out_of_order(&self, key: &[u8]) -> Error {
        let reason = format!(
            "entry {} has the key {}, which does not come after {}",
            self.entries,
            key.escape_ascii(),
            self.last_key.escape_ascii()
        );
        Error::corruption(self.name.as_str(), self.offset, reason)
    }
}

#[cold]
fn too_long(name: &str, malformed: Malformed) -> Error {
    Error::LimitExceeded(format!("{name}: {}", malformed.reason))
}
