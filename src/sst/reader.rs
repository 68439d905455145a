//! One table file by itself, without the database that it belonged to.

use std::rc::Rc;

use crate::base::{BloomFilterPolicy, KeyOrder, to_u64};
use crate::env::{Access, Env};
use crate::error::Result;
use crate::events::LiveCounters;
use crate::iter::{InternalIterator, OnBadBlock, finish};
use crate::options::{Options, RecoveryMode};
use crate::table::{BlockCache, BlockRead, Table, TableIterator, TableOptions};

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
    on_bad_block: OnBadBlock,
}

impl TableFile {
    /// Reads footer, index and filter of the file called `name`. Of the options, `recovery`, `paranoid_checks` and
    /// `max_value_size` count. `Corruption`: it is no table, or a damaged one; `Io`: it cannot be read.
    pub async fn open(env: &dyn Env, name: &str, options: &Options) -> Result<TableFile> {
        let compat = options.recovery == RecoveryMode::Compat;
        let file = env.open(name, Access::Read).await?;
        let size = file.size().await?;
        let value_max = to_u64(options.max_value_size);
        let table_options = Rc::new(TableOptions {
            order: KeyOrder::BYTEWISE,
            block_size: options.block_size,
            block_restart_interval: options.block_restart_interval,
            compression: options.compression,
            filter_policy: Some(Rc::new(BloomFilterPolicy::new(10))),
            block_size_max: value_max.saturating_mul(2).saturating_add(64 << 20),
            verify_checksums: !compat || options.paranoid_checks,
            paranoid_checks: !compat && (options.paranoid_checks || options.recovery == RecoveryMode::Strict),
            lenient: compat,
        });
        let (blocks, counters) = (Rc::new(BlockCache::new(0)), Rc::new(LiveCounters::default()));
        let table = Table::open(file, name.to_owned(), size, 0, table_options, blocks, counters).await?;
        let on_bad_block = if compat { OnBadBlock::Skip } else { OnBadBlock::Stop };
        Ok(TableFile { table: Rc::new(table), size, on_bad_block })
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Moves over all entries. Without `verify_checksums` what damaged blocks decode to is given in `compat` mode.
    pub fn iter(&self, verify_checksums: bool) -> TableFileIterator {
        let read = BlockRead {
            verify_checksums,
            fill_cache: false,
            fill_sought: false,
            use_cache: false,
            read_ahead: 128 << 10,
            lenient: self.on_bad_block == OnBadBlock::Skip,
        };
        TableFileIterator { inner: self.table.iter(read, self.on_bad_block) }
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
