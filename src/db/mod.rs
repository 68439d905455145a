//! The public interface of an open database.
//! The public face of one open database.

mod background;
mod checkpoint;
mod delete_range;
mod destroy;
mod driver;
#[cfg(feature = "archive")]
mod export;
mod findings;
mod live_files;
mod log_walk;
mod obsolete_files;
mod open;
mod property;
mod read;
mod report;
mod state;
mod verify;
mod write;

use std::future::poll_fn;
use std::rc::Rc;

pub use destroy::destroy;
#[cfg(feature = "archive")]
pub use export::Export;
pub use open::{RepairReport, repair, repair_as};
pub use read::{DbIterator, LookupTrace};
pub use report::{LeftBehind, LogReport, RecoveryReport, TableInfo};
pub use state::DbState;
pub use verify::{VerifyReport, verify};

use crate::base::{Snapshot, sort_by, to_u64};
use crate::batch::WriteBatch;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::Counters;
use crate::options::{Options, ReadOptions, WriteOptions};
use state::Inner;

/// One open database: an ordered map of byte strings.
///
/// The database never spawns a thread, sleeps or reads a clock. Over a storage that works
/// synchronously, every future is ready at its first poll ([`block_on`](crate::env::block_on)).
/// Writes do the background work (flushes, compactions) in proportion to the bytes they add; a host
/// can do more of it in idle moments with [`background`](Db::background).
///
/// ```
/// use varve::{Db, Options, block_on, env::MemoryEnv};
/// use std::rc::Rc;
/// block_on(async {
///     let options = Options { create_if_missing: true, ..Options::default() };
///     let db = Db::open(Rc::new(MemoryEnv::new()), options).await?;
///     db.put(b"lake", b"Suigetsu").await?;
///     assert_eq!(db.get(b"lake").await?.as_deref(), Some(&b"Suigetsu"[..]));
///     db.close().await
/// })?;
/// # Ok::<(), varve::Error>(())
/// ```
pub struct Db {
    inner: Rc<Inner>,
}

impl Db {
    /// Opens the database in `env`, or creates it if `create_if_missing` is set.
    ///
    /// # Errors
    /// `InvalidArgument`: an option is out of range, the database does not exist, it has another
    /// comparator, or it exists although `error_if_exists` is set. `Locked`: it is open elsewhere.
    /// `Corruption`: damage that [`Options::recovery`] does not accept.
    pub async fn open(env: Rc<dyn Env>, options: Options) -> Result<Db> {
        let db = Db { inner: open::open(env, options).await? };
        background::catch_up(&db.inner).await;
        Ok(db)
    }

    /// Returns what opening found: the logs replayed, the damage in them, and the copies kept.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }

    /// Returns whether the database accepts writes.
    pub fn state(&self) -> DbState {
        if self.inner.is_closed() { DbState::Closed } else { self.inner.state.borrow().status().clone() }
    }

    /// Sets `key` to `value` with the default options: the write survives the process, but not yet
    /// a power loss. Errors as [`put_with`](Db::put_with).
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_with(&WriteOptions::default(), key, value).await
    }

    /// Sets `key` to `value`. Both may be empty.
    ///
    /// # Errors
    /// `LimitExceeded`: one is longer than `max_value_size`, or both together exceed 1 GiB. `Full`,
    /// `Io`: the storage refused the write, and it was not applied. `Poisoned`: an earlier write
    /// failed, or it is unknown whether this one was applied ([`Error::maybe_applied`]).
    pub async fn put_with(&self, options: &WriteOptions, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_length("key", key)?;
        self.check_length("value", value)?;
        write::write_checked(&self.inner, WriteBatch::of_put(key, value), options.sync).await
    }

    /// Deletes `key`. A missing key is not an error. Errors as [`put_with`](Db::put_with).
    pub async fn delete(&self, key: &[u8]) -> Result<()> {
        self.delete_with(&WriteOptions::default(), key).await
    }

    /// Deletes `key`. A missing key is not an error. Errors as [`put_with`](Db::put_with).
    pub async fn delete_with(&self, options: &WriteOptions, key: &[u8]) -> Result<()> {
        self.check_length("key", key)?;
        let mut batch = WriteBatch::new();
        batch.delete(key);
        write::write_checked(&self.inner, batch, options.sync).await
    }

    /// Applies all operations of `batch`, or none.
    ///
    /// # Errors
    /// As [`put_with`](Db::put_with); `LimitExceeded` also for a batch of more than 1 GiB.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use varve::{Db, Options, WriteBatch, WriteOptions, block_on, env::MemoryEnv};
    /// # block_on(async {
    /// # let options = Options { create_if_missing: true, ..Options::default() };
    /// # let db = Db::open(Rc::new(MemoryEnv::new()), options).await?;
    /// let mut batch = WriteBatch::new();
    /// batch.put(b"to", b"100");
    /// batch.delete(b"from");
    /// db.write(&WriteOptions { sync: true }, batch).await?;
    /// # db.close().await
    /// # })?;
    /// # Ok::<(), varve::Error>(())
    /// ```
    pub async fn write(&self, options: &WriteOptions, batch: WriteBatch) -> Result<()> {
        write::write(&self.inner, Some(batch), options.sync).await
    }

    /// Writes `batch` before it returns, over a storage that works synchronously.
    ///
    /// # Errors
    /// `Busy`: an earlier write is in progress, or 16 write buffers wait for a flush that the
    /// storage has not finished; nothing was written. Otherwise as [`write`](Db::write).
    pub fn write_now(&self, options: &WriteOptions, batch: WriteBatch) -> Result<()> {
        write::write_now(&self.inner, batch, options.sync)
    }

    /// Makes all acknowledged writes durable, with one flush of the log.
    ///
    /// # Errors
    /// `Poisoned`: the flush failed. Writes are refused until [`resume`](Db::resume) succeeds.
    pub async fn sync(&self) -> Result<()> {
        write::write(&self.inner, None, true).await
    }

    /// Returns the current value of `key`. Errors as [`get_with`](Db::get_with).
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        read::get(&self.inner, key, &ReadOptions::default(), None).await
    }

    /// Returns the value of `key`. The bounds in `options` are ignored.
    ///
    /// # Errors
    /// `Corruption`: a block that must be read is damaged. `InvalidArgument`: the snapshot belongs
    /// to another database.
    pub async fn get_with(&self, options: &ReadOptions, key: &[u8]) -> Result<Option<Vec<u8>>> {
        read::get(&self.inner, key, options, None).await
    }

    /// Returns whether `key` exists, without copying its value. Errors as
    /// [`get_with`](Db::get_with).
    pub async fn has(&self, options: &ReadOptions, key: &[u8]) -> Result<bool> {
        read::has(&self.inner, key, options).await
    }

    /// Returns the values of `keys` in the given order, all from the same state. Errors as
    /// [`get_with`](Db::get_with).
    pub async fn multi_get(&self, options: &ReadOptions, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        let options = self.of_one_moment(options);
        let mut values = vec![None; keys.len()];
        for (i, key) in self.in_order(keys) {
            let value = read::get(&self.inner, key, &options, None).await?;
            if let Some(place) = values.get_mut(i) {
                *place = value;
            }
        }
        Ok(values)
    }

    /// Returns whether each of `keys` exists, all in the same state. Errors as
    /// [`get_with`](Db::get_with).
    pub async fn multi_has(&self, options: &ReadOptions, keys: &[&[u8]]) -> Result<Vec<bool>> {
        let options = self.of_one_moment(options);
        let mut found = vec![false; keys.len()];
        for (i, key) in self.in_order(keys) {
            let has = read::has(&self.inner, key, &options).await?;
            if let Some(place) = found.get_mut(i) {
                *place = has;
            }
        }
        Ok(found)
    }

    fn of_one_moment(&self, options: &ReadOptions) -> ReadOptions {
        let snapshot = options.snapshot.clone().unwrap_or_else(|| self.snapshot());
        ReadOptions { snapshot: Some(snapshot), ..options.clone() }
    }

    /// The keys with their positions, in key order: neighbours share blocks.
    fn in_order<'a>(&self, keys: &[&'a [u8]]) -> Vec<(usize, &'a [u8])> {
        let mut order: Vec<_> = keys.iter().copied().enumerate().collect();
        sort_by(&mut order, |(_, a), (_, b)| self.inner.order.user().compare(a, b));
        order
    }

    /// Looks up `key` and reports where: the memtables and tables searched, the results of their
    /// filters, and the blocks read. Errors as [`get_with`](Db::get_with).
    pub async fn trace(&self, options: &ReadOptions, key: &[u8]) -> Result<(Option<Vec<u8>>, LookupTrace)> {
        let mut trace = LookupTrace::default();
        let value = read::get(&self.inner, key, options, Some(&mut trace)).await?;
        Ok((value, trace))
    }

    /// Returns an iterator over the current state, or over the snapshot in `options`. It is not
    /// positioned, and reads no block before its first move.
    ///
    /// # Errors
    /// `Closed`. `InvalidArgument`: the snapshot belongs to another database.
    pub fn iter(&self, options: &ReadOptions) -> Result<DbIterator> {
        DbIterator::new(&self.inner, options)
    }

    /// Returns a snapshot of the current state, which stays readable until the snapshot is dropped.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use varve::{Db, Options, ReadOptions, block_on, env::MemoryEnv};
    /// # block_on(async {
    /// # let options = Options { create_if_missing: true, ..Options::default() };
    /// # let db = Db::open(Rc::new(MemoryEnv::new()), options).await?;
    /// db.put(b"lake", b"Van").await?;
    /// let then = ReadOptions { snapshot: Some(db.snapshot()), ..ReadOptions::default() };
    /// db.delete(b"lake").await?;
    /// assert_eq!(db.get_with(&then, b"lake").await?.as_deref(), Some(&b"Van"[..]));
    /// # db.close().await
    /// # })?;
    /// # Ok::<(), varve::Error>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let last = self.inner.state.borrow().last_sequence();
        self.inner.snapshots.take(last)
    }

    /// Deletes every key from `begin` (inclusive) to `end` (exclusive); `None` means no bound.
    /// Returns how many keys were deleted one by one.
    ///
    /// Tables that lie completely in the range are dropped first if no snapshot needs them. The
    /// remaining keys are deleted in batches, so the deletion is not atomic. Keys first written
    /// after the call are kept. Errors as [`put_with`](Db::put_with) and
    /// [`get_with`](Db::get_with).
    pub async fn delete_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<u64> {
        delete_range::delete_range(&self.inner, begin, end).await
    }

    /// Writes the memtables to tables, which are durable when it returns.
    ///
    /// # Errors
    /// The failure that stopped background work (see [`state`](Db::state)). `NotSupported`: the
    /// database is read-only.
    pub async fn flush(&self) -> Result<()> {
        background::flush_memtables(&self.inner).await
    }

    /// Starts a new log and an empty memtable. For tests: writes do this when the memtable is full.
    #[doc(hidden)]
    pub async fn begin_log(&self) -> Result<()> {
        write::rotate_in_turn(&self.inner).await
    }

    /// Merges all tables with keys from `begin` to `end` (both inclusive; `None` means no bound)
    /// down to the deepest level that has any. Overwritten and deleted entries are removed, except
    /// those that a snapshot needs. Errors as [`flush`](Db::flush).
    pub async fn compact_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
        background::compact_range(&self.inner, begin, end).await
    }

    /// Does background work of at most `bytes` (0: the option `slice_size`). Returns whether there
    /// is more.
    ///
    /// # Errors
    /// The failure that stopped background work; see [`state`](Db::state) and
    /// [`resume`](Db::resume).
    pub async fn background(&self, bytes: u64) -> Result<bool> {
        self.inner.check_open()?;
        let slice = if bytes == 0 { to_u64(self.inner.options.slice_size) } else { bytes };
        let more = poll_fn(|cx| background::poll_slice(&self.inner, cx, slice)).await;
        match self.inner.state.borrow().status() {
            DbState::Degraded(cause) => Err(cause.clone()),
            DbState::Open | DbState::Closed => Ok(more),
        }
    }

    /// Returns whether there is background work.
    pub fn has_background_work(&self) -> bool {
        background::has_work(&self.inner)
    }

    /// Prepares background work for an idle host. Returns whether there is work for
    /// [`background`](Db::background).
    ///
    /// A full memtable is scheduled to be flushed without waiting for the next write, so that
    /// opening after a kill has less to replay. Overlapping tables of level 0 are merged before
    /// there are as many as LevelDB waits for, if that rewrites little: a look-up then searches
    /// fewer tables.
    pub fn tidy(&self) -> bool {
        background::tidy(&self.inner)
    }

    /// Resumes writing after a failure: starts a new log and a new manifest, and flushes the
    /// memtables. If this fails, the error is returned and the state does not change. Tables that
    /// were found damaged, and excluded from compactions since, are tried again.
    pub async fn resume(&self) -> Result<()> {
        background::resume(&self.inner).await
    }

    /// Returns one of LevelDB's properties: `leveldb.num-files-at-level<N>`, `leveldb.stats`,
    /// `leveldb.sstables` or `leveldb.approximate-memory-usage`. `None` for other names.
    pub fn property(&self, name: &str) -> Option<String> {
        property::property(&self.inner, name)
    }

    /// Returns the approximate number of bytes in table files that each range `[begin, end)` uses,
    /// without the memtables. Errors as [`get_with`](Db::get_with).
    pub async fn approximate_sizes(&self, ranges: &[(&[u8], &[u8])]) -> Result<Vec<u64>> {
        property::approximate_sizes(&self.inner, ranges).await
    }

    /// Returns the bytes of keys and values in `[begin, end)` that are not in a table yet,
    /// including overwritten and deleted ones.
    pub fn approximate_size_in_memory(&self, begin: &[u8], end: &[u8]) -> Result<u64> {
        property::approximate_size_in_memory(&self.inner, begin, end)
    }

    /// Returns the bytes of decoded blocks in the block cache, and its capacity.
    pub fn block_cache(&self) -> (u64, u64) {
        (self.inner.tables.blocks().weight(), self.inner.options.block_cache_size)
    }

    /// Returns the totals counted since the database was opened.
    pub fn counters(&self) -> Counters {
        self.inner.counters.read()
    }

    /// Returns the live tables, level by level.
    pub fn tables(&self) -> Vec<TableInfo> {
        property::tables(&self.inner)
    }

    /// Returns the sequence number of the newest write. Each put and each delete has one, starting
    /// at 1.
    pub fn last_sequence(&self) -> u64 {
        self.inner.state.borrow().last_sequence().get()
    }

    /// Reads the whole database: every block of every table with its checksum, the order of keys,
    /// the ranges in the manifest, and the filters. Damage is reported, not returned as an error.
    /// Writes nothing.
    pub async fn verify(&self) -> Result<VerifyReport> {
        verify::verify_open(&self.inner).await
    }

    /// Copies the current state into the empty storage `target`, as a separate database, which is
    /// durable when it returns. Writes can continue meanwhile.
    ///
    /// # Errors
    /// `InvalidArgument`: `target` has files. `Locked`: it is in use. `Io`, `Full`: one of the
    /// storages refused; the files copied so far are removed.
    pub async fn checkpoint(&self, target: &Rc<dyn Env>) -> Result<()> {
        checkpoint::checkpoint(&self.inner, target, None).await
    }

    /// As [`checkpoint`](Db::checkpoint); `link` can give the target a file without copying it.
    #[cfg(feature = "wasm")]
    pub(crate) async fn checkpoint_linking(&self, target: &Rc<dyn Env>, link: &checkpoint::Link) -> Result<()> {
        checkpoint::checkpoint(&self.inner, target, Some(link)).await
    }

    /// Returns the current state as a zip of LevelDB's files, which is read piece by piece while
    /// writes continue.
    ///
    /// # Errors
    /// `Closed`.
    #[cfg(feature = "archive")]
    pub fn export(&self) -> Result<Export> {
        Export::new(&self.inner)
    }

    /// Flushes the log, releases the lock and closes the database. Closing again does nothing.
    ///
    /// If the next opening would replay more than 128 KiB of logs, they are written to a table
    /// first. Unfinished compactions are dropped and done again after the next open. Iterators of
    /// this database return `Closed` from then on.
    ///
    /// # Errors
    /// The error of the log's flush, or the failure that stopped writing. The database is closed in
    /// any case; writes that were not synced may not be durable.
    pub async fn close(&self) -> Result<()> {
        if self.inner.is_closed() {
            return Ok(());
        }
        let result = match self.state() {
            _ if self.inner.options.read_only => Ok(()),
            DbState::Open => loop {
                let synced = self.sync().await;
                if synced.is_err() || !background::shorten_logs(&self.inner).await {
                    break synced;
                }
            },
            DbState::Degraded(cause) => Err(cause),
            DbState::Closed => Ok(()),
        };
        self.inner.shut();
        result
    }

    fn check_length(&self, what: &str, bytes: &[u8]) -> Result<()> {
        let limit = self.inner.options.max_value_size;
        if bytes.len() > limit {
            return Err(Error::LimitExceeded(format!("{what} has {} bytes, max_value_size is {limit}", bytes.len())));
        }
        Ok(())
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.inner.shut();
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("state", &self.state()).field("options", &self.inner.options).finish_non_exhaustive()
    }
}
