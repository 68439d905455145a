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
/// Nothing here spawns, sleeps or reads a clock. Over a storage that answers at once every future is ready at its first
/// poll ([`block_on`](crate::env::block_on)). Background work (flushes, compactions) is done in slices by writes, in
/// proportion to what they add, and by whoever calls [`background`](Db::background) in idle moments.
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
    /// Opens the database in `env`, or makes it if `create_if_missing` is set.
    ///
    /// # Errors
    /// `InvalidArgument`: options out of range, no database there, another comparator, or a database there despite
    /// `error_if_exists`. `Locked`: open elsewhere. `Corruption`: damage that [`Options::recovery`] does not pass over.
    pub async fn open(env: Rc<dyn Env>, options: Options) -> Result<Db> {
        let db = Db { inner: open::open(env, options).await? };
        background::catch_up(&db.inner).await;
        Ok(db)
    }

    /// What opening found: logs replayed, what tore them, what was kept aside.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }

    /// Whether writes are taken.
    pub fn state(&self) -> DbState {
        if self.inner.is_closed() { DbState::Closed } else { self.inner.state.borrow().status().clone() }
    }

    /// Sets `key` to `value`: [`put_with`](Db::put_with) the default options. Survives the process, not yet the machine.
    pub async fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_with(&WriteOptions::default(), key, value).await
    }

    /// Sets `key` to `value`. Both may be empty.
    ///
    /// # Errors
    /// `LimitExceeded`: longer than `max_value_size`, or both together than 1 GiB; `Full`, `Io`: the storage refused, and the write did not happen;
    /// `Poisoned`: an earlier failure, or this one left its fate unknown ([`Error::maybe_applied`]).
    pub async fn put_with(&self, options: &WriteOptions, key: &[u8], value: &[u8]) -> Result<()> {
        self.check_length("key", key)?;
        self.check_length("value", value)?;
        write::write_checked(&self.inner, WriteBatch::of_put(key, value), options.sync).await
    }

    /// Removes `key`; no error if it is not there. Errors as [`put_with`](Db::put_with).
    pub async fn delete(&self, key: &[u8]) -> Result<()> {
        self.delete_with(&WriteOptions::default(), key).await
    }

    /// Removes `key`; no error if it is not there. Errors as [`put_with`](Db::put_with).
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

    /// The same for a caller that cannot wait, over a storage that answers at once.
    ///
    /// # Errors
    /// `Busy`, with nothing written, while an earlier write is under way, and where 16 write buffers wait for a flush whose storage
    /// has not answered; else as [`write`](Db::write).
    pub fn write_now(&self, options: &WriteOptions, batch: WriteBatch) -> Result<()> {
        write::write_now(&self.inner, batch, options.sync)
    }

    /// Makes every acknowledged write durable: one flush of the log.
    ///
    /// # Errors
    /// `Poisoned`: the flush failed; writes are refused until [`resume`](Db::resume).
    pub async fn sync(&self) -> Result<()> {
        write::write(&self.inner, None, true).await
    }

    /// The value of `key`, now. Errors as [`get_with`](Db::get_with).
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        read::get(&self.inner, key, &ReadOptions::default(), None).await
    }

    /// The value of `key`. Bounds of `options` play no part.
    ///
    /// # Errors
    /// `Corruption`: a block on the way is damaged; `InvalidArgument`: a snapshot of another database.
    pub async fn get_with(&self, options: &ReadOptions, key: &[u8]) -> Result<Option<Vec<u8>>> {
        read::get(&self.inner, key, options, None).await
    }

    /// Whether `key` has a value, which is not copied. Errors as [`get_with`](Db::get_with).
    pub async fn has(&self, options: &ReadOptions, key: &[u8]) -> Result<bool> {
        read::has(&self.inner, key, options).await
    }

    /// The values of `keys`, in their order, all of one moment. Errors as [`get_with`](Db::get_with).
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

    /// Whether each of `keys` has a value, all of one moment. Errors as [`get_with`](Db::get_with).
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

    /// Keys with their places: in key order neighbours share blocks.
    fn in_order<'a>(&self, keys: &[&'a [u8]]) -> Vec<(usize, &'a [u8])> {
        let mut order: Vec<_> = keys.iter().copied().enumerate().collect();
        sort_by(&mut order, |(_, a), (_, b)| self.inner.order.user().compare(a, b));
        order
    }

    /// Looks `key` up and tells where: which memtables and tables, what their filters said, which blocks were read. Errors as
    /// [`get_with`](Db::get_with).
    pub async fn trace(&self, options: &ReadOptions, key: &[u8]) -> Result<(Option<Vec<u8>>, LookupTrace)> {
        let mut trace = LookupTrace::default();
        let value = read::get(&self.inner, key, options, Some(&mut trace)).await?;
        Ok((value, trace))
    }

    /// An iterator over the database as it is now, or as of the snapshot in `options`; it stands nowhere yet. It reads no
    /// block before its first move.
    ///
    /// # Errors
    /// `Closed`; `InvalidArgument`: a snapshot of another database.
    pub fn iter(&self, options: &ReadOptions) -> Result<DbIterator> {
        DbIterator::new(&self.inner, options)
    }

    /// Keeps the present state readable until it is dropped.
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

    /// Removes every key from `begin` up to, not including, `end` (`None`: no bound). Tables that lie wholly in the range
    /// are dropped first, where no snapshot needs them; the rest is deleted key by key, in batches, not atomically. Keys that
    /// are written for the first time after the call stay. Answers how many keys were deleted one by one. Errors as
    /// [`put_with`](Db::put_with) and [`get_with`](Db::get_with).
    pub async fn delete_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<u64> {
        delete_range::delete_range(&self.inner, begin, end).await
    }

    /// Writes what is in memory to tables; durable when it returns.
    ///
    /// # Errors
    /// The failure that stopped background work (see [`state`](Db::state)); `NotSupported` when read-only.
    pub async fn flush(&self) -> Result<()> {
        background::flush_memtables(&self.inner).await
    }

    /// A new log and an empty write buffer; the one before waits to be flushed. Writing comes to this by itself: for tests.
    #[doc(hidden)]
    pub async fn begin_log(&self) -> Result<()> {
        write::rotate_in_turn(&self.inner).await
    }

    /// Merges all tables with keys from `begin` to `end` (both inclusive; `None`: no bound) down to the deepest level that
    /// has any; overwritten and deleted entries go, except those that a snapshot needs. Errors as [`flush`](Db::flush).
    pub async fn compact_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
        background::compact_range(&self.inner, begin, end).await
    }

    /// One slice of background work, of at most `bytes` (0: the option `slice_size`). Answers whether there is more.
    ///
    /// # Errors
    /// The failure that stopped background work; see [`state`](Db::state) and [`resume`](Db::resume).
    pub async fn background(&self, bytes: u64) -> Result<bool> {
        self.inner.check_open()?;
        let slice = if bytes == 0 { to_u64(self.inner.options.slice_size) } else { bytes };
        let more = poll_fn(|cx| background::poll_slice(&self.inner, cx, slice)).await;
        match self.inner.state.borrow().status() {
            DbState::Degraded(cause) => Err(cause.clone()),
            DbState::Open | DbState::Closed => Ok(more),
        }
    }

    /// Whether background work is due.
    pub fn has_background_work(&self) -> bool {
        background::has_work(&self.inner)
    }

    /// For a host that has nothing to do. A full write buffer, which waited for others to be flushed, becomes a table before the next
    /// write asks for it: an opening after a kill has less to replay. Tables of level 0 that lie over one range are merged although there
    /// are fewer of them than LevelDB waits for, if little has to be rewritten for it: look-ups have fewer tables to ask. Answers
    /// whether there is work for [`background`](Db::background) now.
    pub fn tidy(&self) -> bool {
        background::tidy(&self.inner)
    }

    /// After a failure that stopped writing: a new log, a new manifest, and everything in memory to tables. On success
    /// writes are taken again; otherwise the failure is answered and the state stays as it was. Tables that were found
    /// damaged, and were left out of compactions since, are tried again.
    pub async fn resume(&self) -> Result<()> {
        background::resume(&self.inner).await
    }

    /// LevelDB's properties: `leveldb.num-files-at-level<N>`, `leveldb.stats`, `leveldb.sstables`,
    /// `leveldb.approximate-memory-usage`. `None` for other names.
    pub fn property(&self, name: &str) -> Option<String> {
        property::property(&self.inner, name)
    }

    /// Bytes of table files that each range `[begin, end)` takes, about; what is in memory does not count. Errors as
    /// [`get_with`](Db::get_with).
    pub async fn approximate_sizes(&self, ranges: &[(&[u8], &[u8])]) -> Result<Vec<u64>> {
        property::approximate_sizes(&self.inner, ranges).await
    }

    /// Bytes of keys and values in `[begin, end)` that were written and are in no table yet, overwritten and deleted ones too.
    pub fn approximate_size_in_memory(&self, begin: &[u8], end: &[u8]) -> Result<u64> {
        property::approximate_size_in_memory(&self.inner, begin, end)
    }

    /// Bytes of decoded blocks that are in the cache now, and how many may be.
    pub fn block_cache(&self) -> (u64, u64) {
        (self.inner.tables.blocks().weight(), self.inner.options.block_cache_size)
    }

    /// Running totals since the database was opened.
    pub fn counters(&self) -> Counters {
        self.inner.counters.read()
    }

    /// The live tables, level by level.
    pub fn tables(&self) -> Vec<TableInfo> {
        property::tables(&self.inner)
    }

    /// Number of the newest write: each put and each delete is one, from 1 on.
    pub fn last_sequence(&self) -> u64 {
        self.inner.state.borrow().last_sequence().get()
    }

    /// Reads everything: every block of every table with its checksum, the order of keys, the ranges in the manifest, and
    /// the filters. Damage is reported, not returned as an error. Writes nothing.
    pub async fn verify(&self) -> Result<VerifyReport> {
        verify::verify_open(&self.inner).await
    }

    /// Copies the present state into the empty storage `target`, as a database of its own, and returns when it is durable.
    /// Writing may go on meanwhile.
    ///
    /// # Errors
    /// `InvalidArgument`: there is a file already; `Locked`: somebody uses it; `Io`, `Full`: either storage refused, and
    /// what was copied is removed again.
    pub async fn checkpoint(&self, target: &Rc<dyn Env>) -> Result<()> {
        checkpoint::checkpoint(&self.inner, target, None).await
    }

    /// The same; `link` may give the target a file without a copy.
    #[cfg(feature = "wasm")]
    pub(crate) async fn checkpoint_linking(&self, target: &Rc<dyn Env>, link: &checkpoint::Link) -> Result<()> {
        checkpoint::checkpoint(&self.inner, target, Some(link)).await
    }

    /// The present state as a zip of LevelDB's files, read piece by piece while writing goes on.
    ///
    /// # Errors
    /// `Closed`.
    #[cfg(feature = "archive")]
    pub fn export(&self) -> Result<Export> {
        Export::new(&self.inner)
    }

    /// Flushes the log, gives the lock back. Where the next opening would have more than 128 KiB of logs to replay, they become a
    /// table now. Unfinished compactions are dropped; they are done again after the next open. Iterators of this database answer
    /// `Closed` from then on. Closing again does nothing.
    ///
    /// # Errors
    /// That of the log's flush, or the cause that stopped writing. It is closed all the same; writes that were not synced may not
    /// be durable.
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
