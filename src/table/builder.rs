//! Sorted entries to a file.
//!
//! Given the same entries and options, the file is LevelDB's byte for byte (but for what two Snappy encoders make of the
//! same block). Source: LevelDB `table/table_builder.cc`.

use std::cmp::Ordering;
use std::io::ErrorKind;
use std::rc::Rc;

use super::TableOptions;
use super::block_builder::BlockBuilder;
use super::compression::{Compressor, TRAILER_SIZE, store_raw};
use super::filter_block::FilterBlockBuilder;
use super::footer::{BlockHandle, FOOTER_SIZE, Footer};
use crate::env::{Env, File, append_checked};
use crate::error::{Error, Malformed, Result};

/// A table being made. After an error it must be given up, and its file removed.
pub(crate) struct TableBuilder {
    env: Rc<dyn Env>,
    file: Rc<dyn File>,
    name: String,
    options: Rc<TableOptions>,
    data: BlockBuilder,
    index: BlockBuilder,
    filter: Option<FilterBlockBuilder>,
    compressor: Compressor,
    /// The last block closed. Its index entry waits for the next key: the shortest that separates the two is enough.
    unindexed: Option<BlockHandle>,
    /// The key added last; between blocks, the separator made of it.
    last_key: Vec<u8>,
    entries: u64,
    /// Closed blocks that wait to be appended; the last of them ends at `offset` of the file.
    out: Vec<u8>,
    offset: u64,
    /// An append was begun and its end not seen.
    unsure: bool,
}

impl TableBuilder {
    /// Makes a table in `file`, which is empty and called `name`.
    pub(crate) fn new(env: Rc<dyn Env>, file: Rc<dyn File>, name: String, options: Rc<TableOptions>) -> TableBuilder {
        TableBuilder {
            env,
            file,
            name,
            data: BlockBuilder::new(options.block_restart_interval),
            index: BlockBuilder::new(1),
            filter: options.filter_policy.clone().map(FilterBlockBuilder::new),
            compressor: Compressor::new(options.compression),
            options,
            unindexed: None,
            last_key: Vec::new(),
            entries: 0,
            out: Vec::new(),
            offset: 0,
            unsure: false,
        }
    }

    /// Adds an entry; its key must come after all before it.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.entries > 0 && self.options.order.compare(key, &self.last_key) != Ordering::Greater {
            return Err(self.out_of_order(key));
        }
        if let Some(handle) = self.unindexed.take() {
            self.options.order.find_shortest_separator(&mut self.last_key, key);
            self.add_index(handle)?;
        }
        if let Some(filter) = &mut self.filter {
            filter.add_key(self.options.order.filter_key(key));
        }
        self.data.add(&self.last_key, key, value).map_err(|e| too_long(&self.name, e))?;
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.entries += 1;
        if self.data.size() >= self.options.block_size { self.close_block() } else { Ok(()) }
    }

    /// Entries added.
    #[inline]
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes of all closed blocks.
    #[inline]
    pub(crate) fn estimated_size(&self) -> u64 {
        self.offset
    }

    /// Bytes that wait to be appended.
    #[inline]
    pub(crate) fn buffered(&self) -> usize {
        self.out.len()
    }

    /// Appends what waits.
    pub(crate) async fn write_out(&mut self) -> Result<()> {
        if self.unsure {
            let message = "an earlier append to this table was given up";
            return Err(Error::io(self.name.as_str(), "append", ErrorKind::Other, message));
        }
        if self.out.is_empty() {
            return Ok(());
        }
        self.unsure = true;
        let mut out = std::mem::take(&mut self.out);
        append_checked(&*self.env, &*self.file, &self.name, &out, self.offset).await?;
        self.unsure = false;
        out.clear();
        self.out = out;
        Ok(())
    }

    /// Writes the rest and answers the size of the file. Does not sync.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.close_block()?;
        self.write_out().await?;
        let filter = self.close_filter()?;
        let metaindex = self.close_metaindex(filter)?;
        let index = self.close_index()?;
        Footer { metaindex, index }.encode_to(&mut self.out);
        self.offset += u64::try_from(FOOTER_SIZE).unwrap_or(u64::MAX);
        self.write_out().await?;
        let size = self.file.size().await?;
        if size != self.offset {
            let message = format!("the finished table has {size} bytes, {} were appended", self.offset);
            return Err(Error::io(self.name.as_str(), "append", ErrorKind::WriteZero, message));
        }
        Ok(size)
    }

    fn close_block(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let size = self.compressor.store(self.data.finish(), &mut self.out);
        self.data.clear();
        self.unindexed = Some(self.closed(size));
        match &mut self.filter {
            Some(filter) => filter.start_block(self.offset).map_err(|e| too_long(&self.name, e)),
            None => Ok(()),
        }
    }

    fn close_filter(&mut self) -> Result<Option<BlockHandle>> {
        let Some(filter) = self.filter.take() else { return Ok(None) };
        let block = filter.finish().map_err(|e| too_long(&self.name, e))?;
        let size = store_raw(&block, &mut self.out);
        Ok(Some(self.closed(size)))
    }

    fn close_metaindex(&mut self, filter: Option<BlockHandle>) -> Result<BlockHandle> {
        let mut metaindex = BlockBuilder::new(self.options.block_restart_interval);
        if let (Some(handle), Some(policy)) = (filter, &self.options.filter_policy) {
            let mut value = Vec::new();
            handle.encode_to(&mut value);
            let key = FilterBlockBuilder::metaindex_key(&**policy);
            metaindex.add(&[], &key, &value).map_err(|e| too_long(&self.name, e))?;
        }
        let size = self.compressor.store(metaindex.finish(), &mut self.out);
        Ok(self.closed(size))
    }

    fn close_index(&mut self) -> Result<BlockHandle> {
        if let Some(handle) = self.unindexed.take() {
            self.options.order.find_short_successor(&mut self.last_key);
            self.add_index(handle)?;
        }
        let size = self.compressor.store(self.index.finish(), &mut self.out);
        Ok(self.closed(size))
    }

    fn add_index(&mut self, handle: BlockHandle) -> Result<()> {
        let mut value = Vec::with_capacity(20);
        handle.encode_to(&mut value);
        self.index.add(&[], &self.last_key, &value).map_err(|e| too_long(&self.name, e))
    }

    /// Notes that a block of `size` bytes was put at the end.
    fn closed(&mut self, size: usize) -> BlockHandle {
        let handle = BlockHandle { offset: self.offset, size: u64::try_from(size).unwrap_or(u64::MAX) };
        self.offset += u64::try_from(size + TRAILER_SIZE).unwrap_or(u64::MAX);
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
