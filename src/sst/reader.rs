//! A single table file, without the database that it belonged to.

use std::rc::Rc;

use crate::base::{BloomFilterPolicy, KeyOrder};
use crate::env::{Access, Env};
use crate::error::Result;
use crate::events::LiveCounters;
use crate::iter::{InternalIterator, finish};
use crate::options::Options;
use crate::table::{BlockCache, BlockRead, DamagePolicy, Table, TableIterator, TableOptions};

/// A single table file, with its keys as stored.
///
/// In a table of a database these are internal keys: the user key and a tag of eight bytes.
///
/// ```
/// # use std::rc::Rc;
/// # use varve::{Options, TableFile, block_on, env::MemoryEnv};
/// let env = MemoryEnv::new();
/// env.write("000005.ldb", b"no table");
/// let error = block_on(TableFile::open(&env, "000005.ldb", &Options::default())).unwrap_err();
/// assert!(error.is_corruption());
/// ```
#[derive(Clone)]
pub struct TableFile {
    table: Rc<Table>,
    size: u64,
    policy: DamagePolicy,
}

impl TableFile {
    /// Opens the file called `name`: reads its footer, index and filter.
    ///
    /// Of the options, `recovery`, `paranoid_checks` and `max_value_size` are used. Returns
    /// `Corruption` if it is not a table or is damaged, `Io` if it cannot be read.
    pub async fn open(env: &dyn Env, name: &str, options: &Options) -> Result<TableFile> {
        let file = env.open(name, Access::Read).await?;
        let size = file.size().await?;
        let filter_policy = Rc::new(BloomFilterPolicy::new(10));
        let table_options = Rc::new(TableOptions::new(KeyOrder::BYTEWISE, Some(filter_policy), options));
        let policy = table_options.policy;
        let (blocks, counters) = (Rc::new(BlockCache::new(0)), Rc::new(LiveCounters::default()));
        let table = Table::open(file, name.to_owned(), size, 0, table_options, blocks, counters).await?;
        Ok(TableFile { table: Rc::new(table), size, policy })
    }

    /// The file's size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// An iterator over all entries.
    ///
    /// Without `verify_checksums`, the entries of damaged blocks are returned in `compat` mode as
    /// far as they decode.
    pub fn iter(&self, verify_checksums: bool) -> TableFileIterator {
        let read = BlockRead {
            policy: self.policy.verifying(verify_checksums),
            fill_cache: false,
            fill_sought: false,
            use_cache: false,
            read_ahead: 128 << 10,
        };
        TableFileIterator { inner: self.table.iter(read) }
    }
}

impl std::fmt::Debug for TableFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableFile").field("name", &self.table.name()).field("size", &self.size).finish_non_exhaustive()
    }
}

/// An iterator over the entries of a [`TableFile`], in the file's order.
pub struct TableFileIterator {
    inner: TableIterator,
}

impl TableFileIterator {
    /// Moves to the first entry; returns whether there is one.
    pub async fn seek_to_first(&mut self) -> bool {
        let step = self.inner.seek_to_first();
        finish(&mut self.inner, step).await;
        self.inner.valid()
    }

    /// Moves to the next entry; returns whether there is one. Does nothing if not positioned.
    pub async fn next(&mut self) -> bool {
        if !self.inner.valid() {
            return false;
        }
        let step = self.inner.next();
        finish(&mut self.inner, step).await;
        self.inner.valid()
    }

    /// The key as stored; empty if the iterator is not positioned.
    pub fn key(&self) -> &[u8] {
        self.inner.key()
    }

    /// The value; empty if the iterator is not positioned.
    pub fn value(&self) -> &[u8] {
        self.inner.value()
    }

    /// The first damage found: without one, an iterator that is not positioned is at the end.
    pub fn status(&self) -> Result<()> {
        self.inner.status()
    }
}

impl std::fmt::Debug for TableFileIterator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableFileIterator").field("key", &self.key()).finish_non_exhaustive()
    }
}
