//! The file, and reading its bytes past those that cannot be read.

use std::rc::Rc;

use crate::base::to_u64;
use crate::budget::Budget;
use crate::env::File;
use crate::error::{Error, Result};
use crate::table::block::Block;
use crate::table::decode::{Context, Stored, stored_size};
use crate::table::format::{FOOTER_SIZE, Footer};
use crate::table::handle::BlockHandle;
use crate::table::options::TableOptions;
use crate::table::policy::DamagePolicy;

/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;
/// Bytes that are given up if reading them fails.
const SECTOR: usize = 4 << 10;

/// A data block and the number of its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataBlock {
    pub(crate) handle: BlockHandle,
    pub(crate) entries: u64,
}

/// A number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryCount {
    /// This many.
    Exactly(u64),
    /// This many can be told apart.
    AtLeast(u64),
    /// As many as other blocks of the table have on average.
    About(u64),
}

impl EntryCount {
    /// The number, however it is known.
    pub(crate) const fn number(self) -> u64 {
        let (EntryCount::Exactly(count) | EntryCount::AtLeast(count) | EntryCount::About(count)) = self;
        count
    }
}

/// A block that an index lists, but that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostBlock {
    pub(crate) handle: BlockHandle,
    /// Its keys are after this one (an internal key), if it is not the first block.
    pub(crate) after: Option<Vec<u8>>,
    /// None of its keys is after this one.
    pub(crate) up_to: Vec<u8>,
    /// How many entries it has, once it was counted.
    pub(crate) entries: Option<EntryCount>,
}

/// A file that may be a table.
pub(crate) struct Salvage<'a> {
    pub(crate) file: &'a dyn File,
    pub(crate) name: &'a str,
    pub(crate) size: u64,
    pub(crate) options: &'a TableOptions,
    /// Keys need not be in order.
    pub(crate) any_order: bool,
    pub(crate) budget: &'a Budget,
}

impl Salvage<'_> {
    /// Reads and decodes a block.
    pub(crate) async fn block(&self, handle: BlockHandle) -> Result<Rc<Block>> {
        let size = stored_size(handle, self.name, self.size, self.options.block_size_max)?;
        let bytes = self.file.read_at(handle.offset, size).await?;
        self.decode(handle, bytes).map(Rc::new)
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context { name: self.name, size_max: self.options.block_size_max, policy: DamagePolicy::SKIP }
    }

    fn decode(&self, handle: BlockHandle, bytes: Vec<u8>) -> Result<Block> {
        self.context().decode(handle, &mut Stored::Owned(bytes), Vec::new())
    }

    /// Decodes blocks whatever their checksum is.
    pub(super) fn unverified(&self) -> Context<'_> {
        Context { policy: DamagePolicy::SKIP.verifying(false), ..self.context() }
    }

    /// The stored bytes of a block with its trailer; `None` if the file has none such, or they cannot be
    /// read.
    pub(super) async fn stored(&self, handle: BlockHandle) -> Result<Option<Vec<u8>>> {
        let Ok(size) = stored_size(handle, self.name, self.size, self.options.block_size_max) else { return Ok(None) };
        let bytes = match self.file.read_at(handle.offset, size).await {
            Err(error) if is_unreadable(&error) => return Ok(None),
            bytes => bytes?,
        };
        self.budget.spent(size).await;
        Ok(Some(bytes))
    }

    /// The size of the footer, if there is one.
    pub(super) async fn footer(&self) -> u64 {
        let Some(start) = self.size.checked_sub(to_u64(FOOTER_SIZE)) else { return 0 };
        match self.file.read_at(start, FOOTER_SIZE).await {
            Ok(bytes) if Footer::decode(&bytes).is_ok() => to_u64(FOOTER_SIZE),
            _ => 0,
        }
    }

    /// Reads the next chunk; sectors that cannot be read are zeros.
    pub(super) async fn chunk(&self, offset: u64) -> Result<Vec<u8>> {
        let size = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(CHUNK).min(CHUNK);
        match self.file.read_at(offset, size).await {
            Err(error) if is_unreadable(&error) => {}
            chunk => return chunk,
        }
        let mut chunk = Vec::with_capacity(size);
        while chunk.len() < size {
            let part = SECTOR.min(size - chunk.len());
            match self.file.read_at(offset.saturating_add(to_u64(chunk.len())), part).await {
                Ok(bytes) => chunk.extend_from_slice(&bytes),
                Err(error) if is_unreadable(&error) => {}
                Err(error) => return Err(error),
            }
            let end = chunk.len().next_multiple_of(SECTOR).min(size).max(part);
            chunk.resize(end, 0);
        }
        Ok(chunk)
    }
}

fn is_unreadable(error: &Error) -> bool {
    matches!(error, Error::Io(_)) && !error.is_too_many_open_files()
}
