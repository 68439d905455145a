//! The public API of one open database.

mod background;
mod checkpoint;
mod delete_range;
mod destroy;
#[cfg(feature = "archive")]
mod export;
mod feed;
mod findings;
mod live_files;
mod log_walk;
#[cfg(feature = "comparators")]
mod memory_log;
mod obsolete_files;
mod one_table;
mod open;
mod property;
mod read;
mod report;
mod salvage;
mod state;
mod user_keys;
mod verify;
mod watch;
mod write;

use std::future::poll_fn;
use std::rc::Rc;

pub use destroy::destroy;
#[cfg(feature = "archive")]
pub use export::Export;
pub use one_table::OneTable;
pub use open::{AtRisk, LostRange, RecoveredFile, Remark, RepairReport, Strictness, UnusedFile, repair, repair_as};
pub use read::{DbIterator, LookupTrace};
pub use report::{LeftBehind, LogReport, RecoveryReport, TableInfo};
pub use salvage::{Counts, SalvageReport};
pub use state::DbState;
pub use verify::{VerifyReport, verify};
pub use watch::{ChangePage, Watch};

use crate::base::{Snapshot, sort_by, to_u64};
use crate::batch::WriteBatch;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::Counters;
use crate::options::{Options, ReadOptions, WriteOptions};
use obsolete_files::remove_obsolete;
use state::Inner;

/// One open database: an ordered map of byte strings.
///
/// The engine never spawns, sleeps or reads a clock. Over a synchronous storage
/// ([`MemoryEnv`](crate::env::MemoryEnv), or `StdFsEnv::with_threads(directory, false)`) every future
/// is ready at its first poll. `StdFsEnv::new` syncs tables on a thread: a call that flushes or
/// compacts may wait for it, which [`block_on`](crate::env::block_on) or any executor does.
/// Background work (flushes, compactions) runs in small steps: after writes, in proportion to their
/// size, and in calls of [`background`](Db::background).
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
    /// `InvalidArgument`: an option is out of range, the database does not exist, it uses another
    /// comparator, or it exists and `error_if_exists` is set. `Locked`: it is open elsewhere.
    /// `Corruption`: damage that [`Options::recovery`] does not allow to skip. `SourceChanged`: another
    /// process kept changing it while it was opened read-only. `Io`, `Full`: the storage failed; also
    /// if a file is in the place of the directory.
    pub async fn open(env: Rc<dyn Env>, options: Options) -> Result<Db> {
        let db = Db { inner: open::open(env, options).await? };
        background::catch_up(&db.inner).await;
        Ok(db)
    }

    /// Rebuilds the database in `env` from what `strictness` allows, opens it read-only and counts it.
    ///
    /// As [`repair`], but for callers who keep the changes apart from the damaged files: `env` should be a
    /// copy of them, or a layer over them. Sorts entries by `options.comparator`; with `any_comparator`, also
    /// those of another one.
    ///
    /// # Errors
    /// As [`repair`].
    pub async fn salvage(
        env: Rc<dyn Env>,
        options: Options,
        any_comparator: bool,
        strictness: Strictness,
    ) -> Result<(Db, SalvageReport)> {
        let (inner, report) = salvage::salvage(env, options, any_comparator, strictness).await?;
        Ok((Db { inner }, report))
    }

    /// Returns what opening found: replayed logs, damage, and copies of damaged logs.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }

    /// Returns whether the database accepts writes.
    pub fn state(&self) -> DbState {
        if self.inner.is_closed() { DbState::Closed } else { self.inner.state.borrow().status().clone() }
    }

    /// Sets `key` to `value` with default options.
    ///
    /// The write survives a crash of the process, but not of the machine until [`sync`](Db::sync).
    /// Errors as [`put_with`](Db::put_with).
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_with(&WriteOptions::default(), key, value).await
    }

    /// Sets `key` to `value`. Both may be empty.
    ///
    /// # Errors
    /// `LimitExceeded`: the key or value is longer than `max_value_size`, or both together exceed 1
    /// GiB. `Closed`. `NotSupported`: the database is read-only. `Busy`: 65,536 writes or 16 MiB are
    /// queued. `Full`, `Io`: the storage failed and the write did not happen. `Poisoned`: an earlier
    /// write failed, or this one did and may have been applied ([`Error::maybe_applied`]).
    pub async fn put_with(&self, options: &WriteOptions, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_length("key", key)?;
        self.check_length("value", value)?;
        write::write_checked(&self.inner, WriteBatch::of_put(key, value), options.sync).await
    }

    /// Removes `key`; a missing key is no error. Errors as [`put_with`](Db::put_with).
    pub async fn delete(&self, key: &[u8]) -> Result<()> {
        self.delete_with(&WriteOptions::default(), key).await
    }

    /// Removes `key`; a missing key is no error. Errors as [`put_with`](Db::put_with).
    pub async fn delete_with(&self, options: &WriteOptions, key: &[u8]) -> Result<()> {
        self.check_length("key", key)?;
        let mut batch = WriteBatch::new();
        batch.delete(key);
        write::write_checked(&self.inner, batch, options.sync).await
    }

    /// Applies all operations of `batch` atomically.
    ///
    /// # Errors
    /// As [`put_with`](Db::put_with); also `LimitExceeded` if the batch exceeds 1 GiB.
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

    /// Applies `batch` before it returns, over a synchronous storage.
    ///
    /// # Errors
    /// `Busy`, with nothing written: an earlier write is unfinished, or 16 write buffers wait for a
    /// flush that the storage has not finished. Otherwise as [`write`](Db::write).
    pub fn write_now(&self, options: &WriteOptions, batch: WriteBatch) -> Result<()> {
        write::write_now(&self.inner, batch, options.sync)
    }

    /// Makes every acknowledged write durable by flushing the log to storage.
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
    /// `Corruption`: a block needed for the read is damaged. `Closed`. `Io`: the storage failed.
    /// `SourceChanged`: another process removed a file of a database that was opened read-only.
    /// `InvalidArgument`: the snapshot belongs to another database.
    pub async fn get_with(&self, options: &ReadOptions, key: &[u8]) -> Result<Option<Vec<u8>>> {
        read::get(&self.inner, key, options, None).await
    }

    /// Returns whether `key` exists, without copying its value.
    ///
    /// Errors as [`get_with`](Db::get_with).
    pub async fn has(&self, options: &ReadOptions, key: &[u8]) -> Result<bool> {
        read::has(&self.inner, key, options).await
    }

    /// Returns the values of `keys`, in the order given, from one consistent state.
    ///
    /// Errors as [`get_with`](Db::get_with).
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

    /// Returns whether each of `keys` exists, in one consistent state.
    ///
    /// Errors as [`get_with`](Db::get_with).
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

    /// Sorts the keys with their positions, because neighbours in key order share blocks.
    fn in_order<'a>(&self, keys: &[&'a [u8]]) -> Vec<(usize, &'a [u8])> {
        let mut order: Vec<_> = keys.iter().copied().enumerate().collect();
        sort_by(&mut order, |(_, a), (_, b)| self.inner.order.user().compare(a, b));
        order
    }

    /// Reads `key` and reports each memtable, table, filter and block consulted.
    ///
    /// Errors as [`get_with`](Db::get_with).
    pub async fn trace(&self, options: &ReadOptions, key: &[u8]) -> Result<(Option<Vec<u8>>, LookupTrace)> {
        let mut trace = LookupTrace::default();
        let value = read::get(&self.inner, key, options, Some(&mut trace)).await?;
        Ok((value, trace))
    }

    /// Returns an iterator over the current state, or over the snapshot in `options`.
    ///
    /// It is not positioned yet, and reads no block before its first move.
    ///
    /// # Errors
    /// `Closed`. `InvalidArgument`: the snapshot belongs to another database.
    pub fn iter(&self, options: &ReadOptions) -> Result<DbIterator> {
        DbIterator::new(&self.inner, options)
    }

    /// Returns a snapshot: the current state stays readable until it is dropped.
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

    /// Deletes every key from `begin` (inclusive) to `end` (exclusive; `None`: no bound).
    ///
    /// Tables wholly inside the range are dropped first unless a snapshot needs them. The remaining
    /// keys are deleted in batches, not atomically; keys first written after the call stay. Returns
    /// the number of keys deleted one by one. Errors as [`put_with`](Db::put_with) and
    /// [`get_with`](Db::get_with).
    pub async fn delete_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<u64> {
        delete_range::delete_range(&self.inner, begin, end).await
    }

    /// Watches the committed changes of keys from `begin` (inclusive) to `end` (exclusive).
    ///
    /// It begins with the next commit, or with the one after sequence number `since` if the logs reach
    /// back to it; otherwise with a gap. Costs writes nothing while there is no watch.
    ///
    /// # Errors
    /// `Closed`.
    pub fn watch(&self, begin: Option<Vec<u8>>, end: Option<Vec<u8>>, since: Option<u64>) -> Result<Watch> {
        Watch::new(&self.inner, (begin, end), since)
    }

    /// Flushes the memtables to tables, which are durable when it returns.
    ///
    /// # Errors
    /// The failure that stopped background work (see [`state`](Db::state)). `NotSupported`: the
    /// database is read-only.
    pub async fn flush(&self) -> Result<()> {
        background::flush_memtables(&self.inner).await
    }

    /// Starts a new log and an empty memtable, as a full write buffer does. For tests.
    #[doc(hidden)]
    pub async fn begin_log(&self) -> Result<()> {
        write::rotate_in_turn(&self.inner).await
    }

    /// Compacts the tables with keys from `begin` to `end` (inclusive; `None`: no bound).
    ///
    /// They are merged into the deepest level that has keys of the range, and the tables there are
    /// rewritten. Overwritten and deleted entries are removed unless a snapshot needs them, so the
    /// tables no longer hold what was deleted. Tables known to have nothing to remove are left alone.
    ///
    /// # Errors
    /// As [`flush`](Db::flush). `Corruption`: a block of the range is damaged. Its table is left as it
    /// is, and the rest of the range may not be compacted; reads and writes continue.
    pub async fn compact_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
        background::compact_range(&self.inner, begin, end).await
    }

    /// Runs at most `bytes` of background work (0: `slice_size`); returns whether more is due.
    ///
    /// # Errors
    /// The failure that stopped background work; see [`state`](Db::state) and
    /// [`resume`](Db::resume).
    pub async fn background(&self, bytes: u64) -> Result<bool> {
        self.inner.check_open()?;
        let slice = if bytes == 0 { to_u64(self.inner.options.slice_size) } else { bytes };
        let more = poll_fn(|cx| background::poll_slice(&self.inner, cx, slice)).await;
        self.inner.state.borrow().check_works().map(|()| more)
    }

    /// Returns whether background work is due.
    pub fn has_background_work(&self) -> bool {
        background::has_work(&self.inner)
    }

    /// Schedules optional work while the host is idle; returns whether work is due now.
    ///
    /// A full write buffer is flushed without waiting for the next write, so that opening after a
    /// kill replays less. Overlapping tables of level 0 are compacted before LevelDB's threshold if
    /// that rewrites little, so that reads check fewer tables.
    ///
    /// Where the storage was full, work that found no room is tried again; if entries were deleted or
    /// overwritten since, everything is compacted.
    pub fn tidy(&self) -> bool {
        background::tidy(&self.inner)
    }

    /// Returns whether writes are refused because the storage is full, until [`tidy`](Db::tidy) or
    /// [`resume`](Db::resume) finds room.
    pub fn lacks_room(&self) -> bool {
        self.inner.found_no_room.get() || matches!(self.state(), DbState::Degraded(Error::Full(_)))
    }

    /// Accepts writes again after a failure that stopped them; [`tidy`](Db::tidy) does it where the
    /// storage was full.
    ///
    /// Starts a new log and manifest and flushes all memtables. If that fails, the error is
    /// returned and the state does not change. The flush or compaction that runs is finished first: what it
    /// failed by may be gone. Compactions retry tables that they skipped as
    /// damaged.
    pub async fn resume(&self) -> Result<()> {
        background::resume(&self.inner).await
    }

    /// Returns a LevelDB property, or `None` for an unknown name.
    ///
    /// Known: `leveldb.num-files-at-level<N>`, `leveldb.stats`, `leveldb.sstables`,
    /// `leveldb.approximate-memory-usage`.
    pub fn property(&self, name: &str) -> Option<String> {
        property::property(&self.inner, name)
    }

    /// Returns the approximate size in table files of each range `[begin, end)`.
    ///
    /// Memtables are not counted. Errors as [`get_with`](Db::get_with).
    pub async fn approximate_sizes(&self, ranges: &[(&[u8], &[u8])]) -> Result<Vec<u64>> {
        property::approximate_sizes(&self.inner, ranges).await
    }

    /// Returns the bytes of entries in `[begin, end)` that are in memtables only.
    ///
    /// Overwritten and deleted entries count too.
    pub fn approximate_size_in_memory(&self, begin: &[u8], end: &[u8]) -> Result<u64> {
        property::approximate_size_in_memory(&self.inner, begin, end)
    }

    /// Returns the used bytes and the capacity of the block cache.
    pub fn block_cache(&self) -> (u64, u64) {
        (self.inner.tables.blocks().weight(), self.inner.options.block_cache_size)
    }

    /// Returns totals counted since the database was opened.
    pub fn counters(&self) -> Counters {
        self.inner.counters.read()
    }

    /// Returns the live tables, level by level.
    pub fn tables(&self) -> Vec<TableInfo> {
        property::tables(&self.inner)
    }

    /// Returns the sequence number of the newest write; each put or delete takes one, from 1.
    pub fn last_sequence(&self) -> u64 {
        self.inner.state.borrow().last_sequence().get()
    }

    /// Checks every table and log, and reports damage instead of failing.
    ///
    /// Reads all blocks with their checksums and checks key order, filters and the ranges in the
    /// manifest. Writes nothing.
    pub async fn verify(&self) -> Result<VerifyReport> {
        verify::verify_open(&self.inner).await
    }

    /// Copies the current state to the empty storage `target` as a separate database.
    ///
    /// The copy is durable when the call returns. Writes may continue meanwhile.
    ///
    /// # Errors
    /// `InvalidArgument`: `target` has a database file already. `Locked`: `target` is in use. `Io`,
    /// `Full`: one of the storages failed; the partial copy is removed.
    pub async fn checkpoint(&self, target: &Rc<dyn Env>) -> Result<()> {
        checkpoint::checkpoint(&self.inner, target, None).await
    }

    /// Copies like `checkpoint`; `link` may share a file with the target instead of copying it.
    #[cfg(feature = "wasm")]
    pub(crate) async fn checkpoint_linking(&self, target: &Rc<dyn Env>, link: &checkpoint::Link) -> Result<()> {
        checkpoint::checkpoint(&self.inner, target, Some(link)).await
    }

    /// Exports the current state as a zip, read piece by piece while writes continue.
    ///
    /// # Errors
    /// `Closed`.
    #[cfg(feature = "archive")]
    pub fn export(&self) -> Result<Export> {
        Export::new(&self.inner)
    }

    /// Writes the newest version of each live key to one table, which is read piece by piece.
    ///
    /// # Errors
    /// `Closed`; `NotSupported` if the order of keys is not known.
    pub fn one_table(&self) -> Result<OneTable> {
        OneTable::new(&self.inner)
    }

    /// Flushes the log to storage and releases the lock; closing twice is no error.
    ///
    /// More than 128 KiB of logs are flushed to a table, so that the next open replays less.
    /// Unfinished compactions are dropped and start again after the next open. Iterators return
    /// `Closed` afterwards.
    ///
    /// # Errors
    /// The error of flushing the log, or the error that stopped writes, other than a full storage. The
    /// database is closed all the same, but writes without `sync` may not be durable.
    pub async fn close(&self) -> Result<()> {
        if self.inner.is_closed() {
            return Ok(());
        }
        let result = match self.state() {
            _ if self.inner.options.read_only => Ok(()),
            DbState::Open => loop {
                let synced = self.sync().await;
                if synced.is_err() || !background::shorten_logs(&self.inner).await {
                    // Nothing continues a compaction that is under way: its tables go.
                    self.inner.background.cancel();
                    let _ = remove_obsolete(&self.inner).await;
                    break synced;
                }
            },
            // All that was acknowledged is in sound logs.
            DbState::Degraded(Error::Full(_)) if self.inner.check_writes(true).is_ok() => self.sync().await,
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
