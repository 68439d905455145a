//! One database for JavaScript, over any storage.
//!
//! Bytes go in through a scratch region of wasm memory (`scratch`) and come out through another
//! (`out`), so that calls with large enough buffers allocate nothing.
//!
//! A call that the storage can finish synchronously returns its result. Otherwise it returns
//! [`LATE`], and `outcome` returns a promise of copies, since other calls reuse the regions.
//! Frequent calls return [`FAILED`] instead of throwing, and `outcome` returns the error: a plain
//! number crosses without being wrapped.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Object, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::cursor::{Cursor, CursorOptions, Rows};
use super::error::{number, set, to_js, verify_report};
use super::events::JsListener;
use super::packed::{pack, unpack};
use super::place::Place;
use super::regions::{LATE, MISSING, Regions, exact, part, value_or_promise};
use crate::base::{Snapshot, Sorted, to_u64};
use crate::batch::WriteBatch;
use crate::db::{Db, Export, Watch};
use crate::error::{Error, Malformed, Result};
use crate::options::{Options, ReadOptions, WriteOptions};

/// A database, its open snapshots and iterators.
#[wasm_bindgen]
pub struct Database {
    pub(super) db: Rc<Db>,
    pub(super) place: Place,
    pub(super) listener: Rc<JsListener>,
    /// Usually few or none.
    pub(super) exports: RefCell<Vec<(u32, Rc<Export>)>>,
    pub(super) watches: RefCell<Vec<(u32, Rc<Watch>)>>,
    pub(super) regions: Regions,
    snapshots: RefCell<Sorted<u32, Snapshot>>,
    cursors: RefCell<Sorted<u32, Rc<Cursor>>>,
    next_id: Cell<u32>,
}

#[wasm_bindgen]
impl Database {
    /// Returns the address of at least `size` bytes for the next call.
    pub fn scratch(&self, size: usize) -> Result<*mut u8, JsValue> {
        self.regions.scratch(size).map_err(|error| to_js(&error))
    }

    /// Returns the address of the last result.
    pub fn out(&self) -> *const u8 {
        self.regions.out()
    }

    /// Returns the size of the last result in bytes.
    #[wasm_bindgen(js_name = outSize)]
    pub fn out_size(&self) -> usize {
        self.regions.out_size()
    }

    /// Returns the promise after [`LATE`], or the error after [`FAILED`](super::regions::FAILED).
    pub fn outcome(&self) -> JsValue {
        self.regions.outcome()
    }

    /// Puts the key, then the value, from scratch; returns 0 or late. With `now` never late, but
    /// busy if the write had to wait; so too for the next two.
    pub fn put(&self, key: usize, value: usize, sync: bool, now: bool) -> f64 {
        let put = |scratch: &[u8]| WriteBatch::of_put(part(scratch, 0, key), part(scratch, key, value));
        let batch = self.regions.with_scratch(put);
        self.write_batch(batch, sync, now)
    }

    /// Deletes the key in scratch; returns 0 or late.
    pub fn del(&self, key: usize, sync: bool, now: bool) -> f64 {
        let mut batch = WriteBatch::new();
        self.regions.with_scratch(|scratch| batch.delete(part(scratch, 0, key)));
        self.write_batch(batch, sync, now)
    }

    /// Writes the batch in scratch (LevelDB's format); returns 0 or late.
    pub fn write(&self, size: usize, sync: bool, now: bool) -> f64 {
        let bytes = self.regions.copied(size);
        match WriteBatch::from_bytes(bytes) {
            Ok(batch) => self.write_batch(batch, sync, now),
            Err(Malformed { offset, reason }) => {
                self.regions.failed(to_js(&Error::InvalidArgument(format!("write batch, byte {offset}: {reason}"))))
            }
        }
    }

    /// Gets the value of the key in scratch into `out`; `snapshot` 0 is the current state. Returns
    /// the size, missing, or late (a promise of a `Uint8Array` or undefined).
    pub fn get(&self, key: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_up(key, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Gets many values: scratch holds `(u32 length, key)*`, `out` gets `(u32 length, value)*`,
    /// with length 0xffffffff for a missing one. Returns the size, or late (a promise of a
    /// `Uint8Array`).
    #[wasm_bindgen(js_name = getMany)]
    pub fn get_many(&self, size: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_up_many(size, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Returns 1 if the key in scratch exists, else 0; late or failed.
    pub fn has(&self, key: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_for(key, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Checks many keys: scratch holds `(u32 length, key)*`, `out` gets a byte for each, 1 or 0.
    /// Returns the count, late (a promise of a `Uint8Array`) or failed.
    #[wasm_bindgen(js_name = hasMany)]
    pub fn has_many(&self, size: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_for_many(size, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Takes a snapshot, kept until it is released.
    pub fn snapshot(&self) -> u32 {
        let id = self.new_id();
        self.snapshots.borrow_mut().insert(id, self.db.snapshot());
        id
    }

    /// Releases a snapshot.
    #[wasm_bindgen(js_name = releaseSnapshot)]
    pub fn release_snapshot(&self, id: u32) {
        let released = self.snapshots.borrow_mut().remove(&id);
        drop(released);
    }

    /// Opens an iterator. Scratch holds the lower bound (inclusive), then the upper (exclusive);
    /// length -1: no bound. `limit` -1: none. `flags`: 1 reverse, 2 keys, 4 values, 8 fill the
    /// cache, 16 cache the blocks read by a seek, 32 do not verify checksums.
    pub fn iterator(&self, lower: f64, upper: f64, flags: u32, limit: f64, snapshot: u32) -> f64 {
        self.new_iterator(lower, upper, flags, limit, snapshot).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Reads up to `count` entries or about `bytes` into `out`: `(u32 key length, key, u32 value
    /// length, value)*`. Returns the count, plus 2^32 at the end; or late (a promise of `{ rows,
    /// count, done }`).
    pub fn next(&self, id: u32, count: u32, bytes: usize) -> f64 {
        self.next_rows(id, count, bytes).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Moves the iterator to the key in scratch, in its direction.
    pub fn seek(&self, id: u32, target: usize) -> Result<(), JsValue> {
        let cursor = self.cursor(id)?;
        self.regions.with_scratch(|scratch| cursor.seek(part(scratch, 0, target)));
        Ok(())
    }

    /// Closes an iterator.
    #[wasm_bindgen(js_name = closeIterator)]
    pub fn close_iterator(&self, id: u32) {
        let closed = self.cursors.borrow_mut().remove(&id);
        drop(closed);
    }

    /// Flushes the memtables to tables; returns 0 or late.
    pub fn flush(&self) -> Result<f64, JsValue> {
        let db = self.db.clone();
        self.regions.done(async move { db.flush().await })
    }

    /// Makes all acknowledged writes durable; returns 0 or late.
    pub fn sync(&self) -> Result<f64, JsValue> {
        let db = self.db.clone();
        self.regions.done(async move { db.sync().await })
    }

    /// Accepts writes again after a failure; returns 0 or late.
    pub fn resume(&self) -> Result<f64, JsValue> {
        let db = self.db.clone();
        self.regions.done(async move { db.resume().await })
    }

    /// Compacts from begin to end, in scratch (length -1: no bound); returns 0 or late.
    #[wasm_bindgen(js_name = compactRange)]
    pub fn compact_range(&self, begin: f64, end: f64) -> Result<f64, JsValue> {
        let (db, [begin, end]) = (self.db.clone(), self.range(begin, end));
        self.regions.done(async move { db.compact_range(begin.as_deref(), end.as_deref()).await })
    }

    /// Deletes from begin to end (exclusive), in scratch; returns the keys deleted one by one, or
    /// late.
    #[wasm_bindgen(js_name = deleteRange)]
    pub fn delete_range(&self, begin: f64, end: f64) -> Result<f64, JsValue> {
        let (db, [begin, end]) = (self.db.clone(), self.range(begin, end));
        let work = async move { db.delete_range(begin.as_deref(), end.as_deref()).await.map(number) };
        Ok(self.regions.now(work, JsValue::from)?.unwrap_or(LATE))
    }

    /// Returns the approximate size in tables and logs of the range in scratch, or late.
    #[wasm_bindgen(js_name = approximateSize)]
    pub fn approximate_size(&self, begin: f64, end: f64) -> Result<f64, JsValue> {
        let (db, [begin, end]) = (self.db.clone(), self.range(begin, end));
        let work = async move {
            let range = (begin.unwrap_or_default(), end.unwrap_or_default());
            let in_tables = db.approximate_sizes(&[(&range.0, &range.1)]).await?;
            let in_logs = db.approximate_size_in_memory(&range.0, &range.1)?;
            Ok(number(in_tables.iter().sum::<u64>().saturating_add(in_logs)))
        };
        Ok(self.regions.now(work, JsValue::from)?.unwrap_or(LATE))
    }

    /// Returns a property `leveldb.*`, or undefined.
    pub fn property(&self, name: &str) -> Option<String> {
        self.db.property(name)
    }

    /// Verifies all tables and logs; returns the report, or a promise of it.
    pub fn verify(&self) -> Result<JsValue, JsValue> {
        let db = self.db.clone();
        value_or_promise(async move { db.verify().await.map(|report| verify_report(&report)) })
    }

    /// Runs one step of background work; returns 1 if more is due, else 0; or late.
    pub fn background(&self, bytes: f64) -> Result<f64, JsValue> {
        let db = self.db.clone();
        let bytes = exact(bytes).map_or(0, to_u64);
        let work = async move { db.background(bytes).await };
        Ok(self.regions.now(work, JsValue::from)?.map_or(LATE, |more| f64::from(u8::from(more))))
    }

    /// Returns whether background work is due.
    #[wasm_bindgen(js_name = hasBackgroundWork)]
    pub fn has_background_work(&self) -> bool {
        self.db.has_background_work()
    }

    /// Schedules optional work for an idle host; returns whether work is due.
    pub fn tidy(&self) -> bool {
        self.db.tidy()
    }

    /// Returns whether writes are refused because the storage is full.
    #[wasm_bindgen(js_name = lacksRoom)]
    pub fn lacks_room(&self) -> bool {
        self.db.lacks_room()
    }

    /// Reserves `bytes` of grown memory, if available, for later use.
    pub fn grow(&self, bytes: usize) {
        let mut room = Vec::<u8>::new();
        let _ = std::hint::black_box(&mut room).try_reserve_exact(bytes);
    }

    /// Emits flushes, compactions and stalls to `function` as `(name, info)`; undefined stops that.
    /// The function runs inside the engine and must not call back into it.
    pub fn listen(&self, function: Option<Function>) {
        self.listener.tell(function);
    }

    /// Closes the database: makes all writes durable and releases the lock. Returns 0 or late.
    pub fn close(&self) -> Result<f64, JsValue> {
        self.cursors.take();
        self.snapshots.take();
        self.exports.take();
        self.watches.take();
        let (db, place) = (self.db.clone(), self.place.clone());
        self.regions.done(async move {
            let result = db.close().await;
            place.released(result).await
        })
    }
}

impl Database {
    /// Opens the database of a place.
    pub(super) async fn open(place: Place, mut options: Options) -> Result<JsValue> {
        let listener = Rc::<JsListener>::default();
        options.listener = Some(listener.clone());
        let opened = Db::open(place.env(), options).await;
        let db = match opened {
            Ok(db) => Rc::new(db),
            Err(error) => return place.released(Err(error)).await,
        };
        Ok(JsValue::from(Database {
            db,
            place,
            listener,
            exports: RefCell::default(),
            watches: RefCell::default(),
            regions: Regions::default(),
            snapshots: RefCell::default(),
            cursors: RefCell::default(),
            next_id: Cell::new(1),
        }))
    }

    fn look_up(&self, key: usize, snapshot: u32, fill_cache: bool) -> Result<f64, JsValue> {
        let options = self.read_options(snapshot, fill_cache)?;
        let (db, key) = (self.db.clone(), self.regions.copied(key));
        let look_up = async move { db.get_with(&options, &key).await };
        match self
            .regions
            .now(look_up, |found| found.map_or(JsValue::UNDEFINED, |value| Uint8Array::from(&value[..]).into()))?
        {
            None => Ok(LATE),
            Some(None) => Ok(MISSING),
            Some(Some(value)) => Ok(self.regions.answer(value)),
        }
    }

    fn look_up_many(&self, size: usize, snapshot: u32, fill_cache: bool) -> Result<f64, JsValue> {
        let options = self.read_options(snapshot, fill_cache)?;
        let (db, keys) = (self.db.clone(), self.regions.copied(size));
        let look_up = async move {
            let keys = unpack(&keys).ok_or_else(|| Error::InvalidArgument("packed keys are cut off".into()))?;
            pack(&db.multi_get(&options, &keys).await?)
        };
        self.regions.bytes(look_up)
    }

    fn look_for(&self, key: usize, snapshot: u32, fill_cache: bool) -> Result<f64, JsValue> {
        let options = self.read_options(snapshot, fill_cache)?;
        let (db, key) = (self.db.clone(), self.regions.copied(key));
        let look_up = async move { db.has(&options, &key).await };
        Ok(self.regions.now(look_up, JsValue::from)?.map_or(LATE, |found| f64::from(u8::from(found))))
    }

    fn look_for_many(&self, size: usize, snapshot: u32, fill_cache: bool) -> Result<f64, JsValue> {
        let options = self.read_options(snapshot, fill_cache)?;
        let (db, keys) = (self.db.clone(), self.regions.copied(size));
        let look_up = async move {
            let keys = unpack(&keys).ok_or_else(|| Error::InvalidArgument("packed keys are cut off".into()))?;
            let found = db.multi_has(&options, &keys).await?;
            Ok(found.into_iter().map(u8::from).collect::<Vec<u8>>())
        };
        self.regions.bytes(look_up)
    }

    fn new_iterator(&self, lower: f64, upper: f64, flags: u32, limit: f64, snapshot: u32) -> Result<f64, JsValue> {
        let mut read = self.read_options(snapshot, flags & 8 != 0)?;
        read.fill_cache_sought = flags & 16 != 0;
        read.verify_checksums = flags & 32 == 0;
        [read.lower_bound, read.upper_bound] = self.range(lower, upper);
        let options = CursorOptions {
            read,
            reverse: flags & 1 != 0,
            keys: flags & 2 != 0,
            values: flags & 4 != 0,
            limit: if limit < 0.0 { u64::MAX } else { exact(limit).map_or(u64::MAX, to_u64) },
        };
        let cursor = Cursor::new(&self.db, options).map_err(|error| to_js(&error))?;
        let id = self.new_id();
        self.cursors.borrow_mut().insert(id, Rc::new(cursor));
        Ok(f64::from(id))
    }

    fn next_rows(&self, id: u32, count: u32, bytes: usize) -> Result<f64, JsValue> {
        let cursor = self.cursor(id)?;
        let buffer = self.regions.take_out();
        self.rows(async move { cursor.next(count, bytes, buffer).await })
    }

    /// Returns a page's count, plus 2^32 at the end, or late.
    pub(super) fn rows(&self, fill: impl Future<Output = Result<Rows>> + 'static) -> Result<f64, JsValue> {
        match self.regions.now(fill, rows_object)? {
            None => Ok(LATE),
            Some(rows) => {
                let done = if rows.done { 4_294_967_296.0 } else { 0.0 };
                self.regions.answer(rows.bytes);
                Ok(f64::from(rows.count) + done)
            }
        }
    }

    fn write_batch(&self, batch: WriteBatch, sync: bool, now: bool) -> f64 {
        if now {
            let written = self.db.write_now(&WriteOptions { sync }, batch);
            return written.map_or_else(|error| self.regions.failed(to_js(&error)), |()| 0.0);
        }
        let db = self.db.clone();
        let written = self.regions.done(async move { db.write(&WriteOptions { sync }, batch).await });
        written.unwrap_or_else(|error| self.regions.failed(error))
    }

    fn read_options(&self, snapshot: u32, fill_cache: bool) -> Result<ReadOptions, JsValue> {
        let snapshot = match snapshot {
            0 => None,
            id => match self.snapshots.borrow().get(&id) {
                Some(snapshot) => Some(snapshot.clone()),
                None => return Err(to_js(&Error::InvalidArgument("the snapshot was released".into()))),
            },
        };
        Ok(ReadOptions { snapshot, fill_cache, ..ReadOptions::default() })
    }

    /// Reads the two bounds in the scratch region; length -1: no bound.
    pub(super) fn range(&self, begin: f64, end: f64) -> [Option<Vec<u8>>; 2] {
        let [begin, end] = [begin, end].map(|length| if length < 0.0 { None } else { exact(length) });
        self.regions.with_scratch(|scratch| {
            let copied = |at, size| part(scratch, at, size).to_vec();
            [begin.map(|size| copied(0, size)), end.map(|size| copied(begin.unwrap_or(0), size))]
        })
    }

    fn cursor(&self, id: u32) -> Result<Rc<Cursor>, JsValue> {
        let found = self.cursors.borrow().get(&id).cloned();
        found.ok_or_else(|| to_js(&Error::InvalidArgument("the iterator was closed".into())))
    }

    pub(super) fn new_id(&self) -> u32 {
        let id = self.next_id.get();
        self.next_id.set(id.checked_add(1).unwrap_or(1));
        id
    }
}

fn rows_object(rows: Rows) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "rows", Uint8Array::from(&rows.bytes[..]));
    set(&object, "count", rows.count);
    set(&object, "done", rows.done);
    object
}
