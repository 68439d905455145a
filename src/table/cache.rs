//! Open tables by file number, limited in number and in bytes of their indexes and filters.

use std::cell::RefCell;
use std::rc::Rc;

use super::block_cache::BlockCache;
use super::options::TableOptions;
use super::reader::Table;
use crate::base::{FileNumber, WeightedLru, table_file_name, to_u64};
use crate::env::{Access, Env, File, Io};
use crate::error::{Error, Result};
use crate::events::{LiveCounters, count};

/// Detects whether another process has changed the database since it was opened.
pub(crate) trait Watch {
    /// Whether the database has other live files now.
    fn has_changed(&self) -> Io<bool>;
}

/// Opens tables and keeps the most recently used ones open.
pub(crate) struct TableCache {
    env: Rc<dyn Env>,
    options: Rc<TableOptions>,
    blocks: Rc<BlockCache>,
    counters: Rc<LiveCounters>,
    tables: RefCell<WeightedLru<FileNumber, Rc<Table>>>,
    /// Set for a database that is read without its lock.
    watch: RefCell<Option<Rc<dyn Watch>>>,
    /// The smallest charge of a table, so that no more than `max_open_files` fit.
    weight_min: u64,
}

impl TableCache {
    pub(crate) fn new(
        env: Rc<dyn Env>,
        options: Rc<TableOptions>,
        blocks: Rc<BlockCache>,
        counters: Rc<LiveCounters>,
        capacity: u64,
        open_files_max: usize,
    ) -> TableCache {
        let files = to_u64(open_files_max).max(1);
        TableCache {
            env,
            options,
            blocks,
            counters,
            tables: RefCell::new(WeightedLru::new(capacity)),
            watch: RefCell::default(),
            weight_min: capacity.div_ceil(files),
        }
    }

    pub(crate) fn options(&self) -> &Rc<TableOptions> {
        &self.options
    }

    pub(crate) fn blocks(&self) -> &Rc<BlockCache> {
        &self.blocks
    }

    /// The table, if it is open.
    #[inline]
    pub(crate) fn cached(&self, number: FileNumber) -> Option<Rc<Table>> {
        self.tables.borrow_mut().get(&number)
    }

    /// The table, opened if necessary.
    ///
    /// `size` is the manifest's; a file of another size is damaged.
    pub(crate) async fn table(&self, number: FileNumber, size: u64) -> Result<Rc<Table>> {
        if let Some(table) = self.cached(number) {
            return Ok(table);
        }
        let (file, name) = match self.open_file(number, size).await {
            Err(error) if self.gives_back(&error) => self.open_file(number, size).await?,
            result => result?,
        };
        let found = file.size().await?;
        if found != size && !self.options.policy.lenient {
            return Err(Error::corruption(name, found, format!("file has {found} bytes, the manifest says {size}")));
        }
        let options = self.options.clone();
        let (blocks, counters) = (self.blocks.clone(), self.counters.clone());
        let table = Rc::new(Table::open(file, name, size, number.0, options, blocks, counters).await?);
        count(&self.counters.table_opens, 1);
        let weight = table.memory().max(self.weight_min);
        self.tables.borrow_mut().insert(number, table.clone(), weight);
        Ok(table)
    }

    /// Opens the table in a file of any name for one reader, without keeping it.
    ///
    /// Its size is the file's size, or `size` if given.
    pub(crate) async fn table_called(&self, name: &str, size: Option<u64>) -> Result<Rc<Table>> {
        let file = match self.env.open(name, Access::Read).await {
            Err(error) if self.gives_back(&error) => self.env.open(name, Access::Read).await?,
            file => file?,
        };
        let whole = file.size().await?;
        let size = size.unwrap_or(whole).min(whole);
        let (blocks, counters) = (Rc::new(BlockCache::new(0)), self.counters.clone());
        let table = Table::open(file, name.to_owned(), size, 0, self.options.clone(), blocks, counters).await?;
        Ok(Rc::new(table))
    }

    /// Early releases of LevelDB named tables `.sst`.
    pub(crate) async fn open_file(&self, number: FileNumber, size: u64) -> Result<(Rc<dyn File>, String)> {
        let name = table_file_name(number);
        match self.env.open_table(&name, size).await {
            Err(error) if error.is_not_found() => {
                let old = format!("{number}.sst");
                match self.env.open_table(&old, size).await {
                    Ok(file) => Ok((file, old)),
                    Err(other) if other.is_not_found() => Err(self.gone(&name, error).await),
                    Err(other) => Err(other),
                }
            }
            result => result.map(|file| (file, name)),
        }
    }

    /// Other processes may write to this database.
    ///
    /// Once `watch` reports a change, a table that they removed is not opened again.
    pub(crate) fn watch(&self, watch: Rc<dyn Watch>) {
        *self.watch.borrow_mut() = Some(watch);
    }

    /// The reason why a table is missing.
    #[cold]
    async fn gone(&self, name: &str, error: Error) -> Error {
        let watch = self.watch.borrow().clone();
        match watch {
            Some(watch) if watch.has_changed().await.unwrap_or(true) => Error::SourceChanged(format!(
                "{name} is gone: another process has compacted the database; open it again"
            )),
            _ => error,
        }
    }

    /// Closes unused tables if a file could not be opened because too many are.
    ///
    /// Returns whether the call should be retried.
    pub(crate) fn gives_back(&self, error: &Error) -> bool {
        if !error.is_too_many_open_files() || self.tables.borrow().is_empty() {
            return false;
        }
        self.tables.borrow_mut().clear();
        true
    }

    /// Closes the table before its file is removed.
    ///
    /// Its blocks stay in the block cache until they are evicted; the number is never reused.
    pub(crate) fn forget(&self, number: FileNumber) {
        self.tables.borrow_mut().remove(&number);
    }
}
