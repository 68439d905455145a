//! Sorted entries to a file; see mod.rs for the layout.

use std::cmp::Ordering;
use std::rc::Rc;

use super::TableOptions;
use super::block_builder::BlockBuilder;
use super::compression::{self, Compressor, append_trailer};
use super::filter_block::FilterBlockBuilder;
use super::footer::{BlockHandle, Footer};
use crate::env::{Env, File, append_checked};
use crate::error::{Error, Result};
use crate::options::Compression;

/// Writes one table.
///
/// Invariant: `pending_index` is set from the end of a data block until the next key is known: its index entry can then be
/// the shortest key between the two blocks.
pub(crate) struct TableBuilder {
    env: Rc<dyn Env>,
    file: Rc<dyn File>,
    name: String,
    options: Rc<TableOptions>,
    data: BlockBuilder,
    index: BlockBuilder,
    filter: Option<FilterBlockBuilder>,
    compressor: Compressor,
    /// Blocks that are not yet in the file.
    output: Vec<u8>,
    /// Bytes of the file without `output`.
    written: u64,
    pending_index: Option<BlockHandle>,
    last_key: Vec<u8>,
    entries: u64,
}

impl TableBuilder {
    pub(crate) fn new(env: Rc<dyn Env>, file: Rc<dyn File>, name: String, options: Rc<TableOptions>) -> TableBuilder {
        let mut filter = options.filter_policy.clone().map(FilterBlockBuilder::new);
        if let Some(filter) = &mut filter {
            filter.start_block(0);
        }
        TableBuilder {
            env,
            file,
            name,
            data: BlockBuilder::new(options.block_restart_interval),
            index: BlockBuilder::new(1),
            filter,
            compressor: Compressor::new(),
            output: Vec::new(),
            written: 0,
            pending_index: None,
            last_key: Vec::new(),
            entries: 0,
            options,
        }
    }

    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Bytes that wait to be appended.
    pub(crate) fn buffered(&self) -> usize {
        self.output.len()
    }

    /// Bytes of the file so far, without the block being built.
    pub(crate) fn estimated_size(&self) -> u64 {
        self.written + to_u64(self.output.len())
    }

    /// Adds an entry; its key must be after all before it.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let last = if self.data.is_empty() { &self.last_key } else { self.data.last_key() };
        if self.entries > 0 && self.options.order.compare(key, last) != Ordering::Greater {
            return Err(self.out_of_order(key));
        }
        if let Some(handle) = self.pending_index.take() {
            let mut separator = std::mem::take(&mut self.last_key);
            self.options.order.find_shortest_separator(&mut separator, key);
            self.add_index(&separator, handle)?;
            self.last_key = separator;
        }
        if let Some(filter) = &mut self.filter {
            filter.add_key(self.options.order.filter_key(key));
        }
        self.data.add(key, value)?;
        self.entries += 1;
        if self.data.size() >= self.options.block_size {
            self.end_data_block();
        }
        Ok(())
    }

    /// Appends what waits.
    pub(crate) async fn write_out(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let output = std::mem::take(&mut self.output);
        let end = self.written + to_u64(output.len());
        append_checked(&*self.env, &*self.file, &self.name, &output, end).await?;
        self.written = end;
        self.output = output;
        self.output.clear();
        Ok(())
    }

    /// Writes filter, metaindex, index and footer; answers the size of the file. Does not sync.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.end_data_block();
        let filter_handle = self.filter.take().map(|filter| {
            let contents = filter.finish();
            self.append_raw(&contents, compression::NONE)
        });
        let mut metaindex = BlockBuilder::new(self.options.block_restart_interval);
        if let (Some(handle), Some(policy)) = (filter_handle, &self.options.filter_policy) {
            let mut value = Vec::new();
            handle.encode(&mut value);
            metaindex.add(format!("filter.{}", policy.name()).as_bytes(), &value)?;
        }
        let metaindex_handle = self.append_block(metaindex);
        if let Some(handle) = self.pending_index.take() {
            let mut successor = std::mem::take(&mut self.last_key);
            self.options.order.find_short_successor(&mut successor);
            self.add_index(&successor, handle)?;
        }
        let index = std::mem::replace(&mut self.index, BlockBuilder::new(1));
        let index_handle = self.append_block(index);
        let footer = Footer { metaindex: metaindex_handle, index: index_handle };
        self.output.extend_from_slice(&footer.encode());
        self.write_out().await?;
        let size = self.file.size().await?;
        if size != self.written {
            let message = format!("the table has {size} bytes, expected {}", self.written);
            return Err(Error::io(self.name, "append", std::io::ErrorKind::WriteZero, message));
        }
        Ok(size)
    }

    fn end_data_block(&mut self) {
        if self.data.is_empty() {
            return;
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(self.data.last_key());
        let mut data = std::mem::replace(&mut self.data, BlockBuilder::new(1));
        let handle = self.compress_and_append(data.finish());
        data.reset();
        self.data = data;
        self.pending_index = Some(handle);
        let offset = self.estimated_size();
        if let Some(filter) = &mut self.filter {
            filter.start_block(offset);
        }
    }

    fn add_index(&mut self, key: &[u8], handle: BlockHandle) -> Result<()> {
        let mut value = Vec::with_capacity(20);
        handle.encode(&mut value);
        self.index.add(key, &value)
    }

    fn append_block(&mut self, mut block: BlockBuilder) -> BlockHandle {
        self.compress_and_append(block.finish())
    }

    fn compress_and_append(&mut self, raw: &[u8]) -> BlockHandle {
        let mut compressor = std::mem::replace(&mut self.compressor, Compressor::new());
        let compressed = match self.options.compression {
            Compression::None => None,
            Compression::Snappy => compressor.snappy(raw),
        };
        let handle = match compressed {
            Some(compressed) => self.append_raw(compressed, compression::SNAPPY),
            None => self.append_raw(raw, compression::NONE),
        };
        self.compressor = compressor;
        handle
    }

    fn append_raw(&mut self, contents: &[u8], block_type: u8) -> BlockHandle {
        let handle = BlockHandle { offset: self.estimated_size(), size: to_u64(contents.len()) };
        let start = self.output.len();
        self.output.extend_from_slice(contents);
        append_trailer(&mut self.output, start, block_type);
        handle
    }

    #[cold]
    fn out_of_order(&self, key: &[u8]) -> Error {
        let reason = format!("keys out of order: entry {} is \"{}\"", self.entries, key.escape_ascii());
        Error::corruption(&*self.name, self.estimated_size(), reason)
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
