//! One table file by itself, without the database that it belonged to.

use std::rc::Rc;

use crate::base::{BloomFilterPolicy, KeyOrder};
use crate::env::{Access, Env};
use crate::error::Result;
use crate::events::LiveCounters;
use crate::iter::{InternalIterator, finish};
use crate::options::Options;
use crate::table::{BlockCache, BlockRead, DamagePolicy, Table, TableIterator, TableOptions};

/// A table file as it lies there: its keys as stored, which in a table of a database are internal keys (user key and
/// eight bytes of tag).
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
    /// Reads footer, index and filter of the file called `name`. Of the options, `recovery`, `paranoid_checks` and
    /// `max_value_size` count. `Corruption`: it is no table, or a damaged one; `Io`: it cannot be read.
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

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Moves over all entries. Without `verify_checksums` what damaged blocks decode to is given in `compat` mode.
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

/// Moves over the entries of a [`TableFile`], in the order of the file.
pub struct TableFileIterator {
    inner: TableIterator,
}

impl TableFileIterator {
    /// To the first entry; answers whether there is one.
    pub async fn seek_to_first(&mut self) -> bool {
        let step = self.inner.seek_to_first();
        finish(&mut self.inner, step).await;
        self.inner.valid()
    }

    /// To the entry behind; answers whether there is one. Call it only on an entry.
    pub async fn next(&mut self) -> bool {
        let step = self.inner.next();
        finish(&mut self.inner, step).await;
        self.inner.valid()
    }

    /// The key as stored; empty where there is no entry.
    pub fn key(&self) -> &[u8] {
        self.inner.key()
    }

    /// The value; empty where there is no entry.
    pub fn value(&self) -> &[u8] {
        self.inner.value()
    }

    /// The first damage met: without one, an iterator that stands on no entry is at the end.
    pub fn status(&self) -> Result<()> {
        self.inner.status()
    }
}

impl std::fmt::Debug for TableFileIterator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableFileIterator").field("key", &self.key()).finish_non_exhaustive()
    }
}
