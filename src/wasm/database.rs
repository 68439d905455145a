//! One database for JavaScript, over any storage.
//!
//! Bytes go in through a scratch region of this module's memory (`scratch`, `write` ...: JavaScript encodes into it and says how
//! long the parts are) and come out through another (`out`): nothing is allocated for a call that finds its buffers large
//! enough. A call that its storage lets finish at once answers at once. Otherwise it answers [`LATE`], and `outcome` gives the
//! promise, which carries copies, since others use the regions meanwhile. The calls that are made often answer [`FAILED`] where
//! others throw, and `outcome` gives the error: an answer that is one number crosses without being wrapped.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
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
use crate::base::{Snapshot, to_u64};
use crate::batch::WriteBatch;
use crate::db::{Db, Export};
use crate::error::{Error, Malformed, Result};
use crate::options::{Options, ReadOptions, WriteOptions};

/// A database, its open snapshots and iterators.
#[wasm_bindgen]
pub struct Database {
    pub(super) db: Rc<Db>,
    pub(super) place: Place,
    pub(super) listener: Rc<JsListener>,
    /// Few, if any.
    pub(super) exports: RefCell<Vec<(u32, Rc<Export>)>>,
    pub(super) regions: Regions,
    snapshots: RefCell<BTreeMap<u32, Snapshot>>,
    cursors: RefCell<BTreeMap<u32, Rc<Cursor>>>,
    next_id: Cell<u32>,
}

#[wasm_bindgen]
impl Database {
    /// Where to put at least `size` bytes for the next call.
    pub fn scratch(&self, size: usize) -> Result<*mut u8, JsValue> {
        self.regions.scratch(size).map_err(|error| to_js(&error))
    }

    /// Where the bytes of the last answer are.
    pub fn out(&self) -> *const u8 {
        self.regions.out()
    }

    /// How many bytes the last answer has.
    #[wasm_bindgen(js_name = outSize)]
    pub fn out_size(&self) -> usize {
        self.regions.out_size()
    }

    /// The promise of the call that answered [`LATE`], or the error of the one that [`FAILED`](super::regions::FAILED).
    pub fn outcome(&self) -> JsValue {
        self.regions.outcome()
    }

    /// Scratch holds the key, then the value. 0, or late. With `now` never late: busy where the write would have to wait, as the next two.
    pub fn put(&self, key: usize, value: usize, sync: bool, now: bool) -> f64 {
        let put = |scratch: &[u8]| WriteBatch::of_put(part(scratch, 0, key), part(scratch, key, value));
        let batch = self.regions.with_scratch(put);
        self.write_batch(batch, sync, now)
    }

    /// Scratch holds the key. 0, or late.
    pub fn del(&self, key: usize, sync: bool, now: bool) -> f64 {
        let mut batch = WriteBatch::new();
        self.regions.with_scratch(|scratch| batch.delete(part(scratch, 0, key)));
        self.write_batch(batch, sync, now)
    }

    /// Scratch holds LevelDB's write batch. 0, or late.
    pub fn write(&self, size: usize, sync: bool, now: bool) -> f64 {
        let bytes = self.regions.copied(size);
        match WriteBatch::from_bytes(bytes) {
            Ok(batch) => self.write_batch(batch, sync, now),
            Err(Malformed { offset, reason }) => {
                self.regions.failed(to_js(&Error::InvalidArgument(format!("write batch, byte {offset}: {reason}"))))
            }
        }
    }

    /// Scratch holds the key; `snapshot` 0 is now. The size of the value, which is in `out`; missing, or late (then the promise
    /// is of a `Uint8Array` or undefined).
    pub fn get(&self, key: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_up(key, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Scratch holds `(u32 length, key)*`; `out` gets `(u32 length, value)*`, length 0xffffffff where there is none. How many
    /// bytes that is, or late (then the promise is of a `Uint8Array` with them).
    #[wasm_bindgen(js_name = getMany)]
    pub fn get_many(&self, size: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_up_many(size, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Scratch holds the key: 1 if it has a value, else 0; late or failed.
    pub fn has(&self, key: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_for(key, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Scratch holds `(u32 length, key)*`; `out` gets a byte for each, 1 or 0. How many, late (then the promise is of a
    /// `Uint8Array` with them) or failed.
    #[wasm_bindgen(js_name = hasMany)]
    pub fn has_many(&self, size: usize, snapshot: u32, fill_cache: bool) -> f64 {
        self.look_for_many(size, snapshot, fill_cache).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// The state now, until it is released.
    pub fn snapshot(&self) -> u32 {
        let id = self.new_id();
        self.snapshots.borrow_mut().insert(id, self.db.snapshot());
        id
    }

    /// Gives a snapshot up.
    #[wasm_bindgen(js_name = releaseSnapshot)]
    pub fn release_snapshot(&self, id: u32) {
        let released = self.snapshots.borrow_mut().remove(&id);
        drop(released);
    }

    /// Scratch holds the lower bound (inclusive), then the upper bound (exclusive); a length of -1 is no bound. `flags`: 1
    /// reverse, 2 keys, 4 values, 8 fill the cache, 16 fill it with what is sought, 32 leave checksums alone.
    /// `limit` -1 is none. Reads what is there now, or in the snapshot.
    pub fn iterator(&self, lower: f64, upper: f64, flags: u32, limit: f64, snapshot: u32) -> f64 {
        self.new_iterator(lower, upper, flags, limit, snapshot).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Up to `count` entries, or about `bytes` of them, in `out` as `(u32 key length, key, u32 value length, value)*`: how
    /// many, with 2^32 added when none comes after; or late (then the promise is of `{ rows, count, done }`).
    pub fn next(&self, id: u32, count: u32, bytes: usize) -> f64 {
        self.next_rows(id, count, bytes).unwrap_or_else(|error| self.regions.failed(error))
    }

    /// Scratch holds the key at which the iterator goes on, in its direction.
    pub fn seek(&self, id: u32, target: usize) -> Result<(), JsValue> {
        let cursor = self.cursor(id)?;
        self.regions.with_scratch(|scratch| cursor.seek(part(scratch, 0, target)));
        Ok(())
    }

    /// Gives an iterator up.
    #[wasm_bindgen(js_name = closeIterator)]
    pub fn close_iterator(&self, id: u32) {
        let closed = self.cursors.borrow_mut().remove(&id);
        drop(closed);
    }

    /// Writes what is in memory to a table. 0, or late.
    pub fn flush(&self) -> Result<f64, JsValue> {
        let db = self.db.clone();
        self.regions.done(async move { db.flush().await })
    }

    /// All that was acknowledged is durable. 0, or late.
    pub fn sync(&self) -> Result<f64, JsValue> {
        let db = self.db.clone();
        self.regions.done(async move { db.sync().await })
    }

    /// Back to writing after a failure. 0, or late.
    pub fn resume(&self) -> Result<f64, JsValue> {
        let db = self.db.clone();
        self.regions.done(async move { db.resume().await })
    }

    /// Scratch holds begin and end; a length of -1 is no bound. 0, or late.
    #[wasm_bindgen(js_name = compactRange)]
    pub fn compact_range(&self, begin: f64, end: f64) -> Result<f64, JsValue> {
        let (db, [begin, end]) = (self.db.clone(), self.range(begin, end));
        self.regions.done(async move { db.compact_range(begin.as_deref(), end.as_deref()).await })
    }

    /// Scratch holds begin and end (exclusive); a length of -1 is no bound. How many keys were deleted one by one, or late.
    #[wasm_bindgen(js_name = deleteRange)]
    pub fn delete_range(&self, begin: f64, end: f64) -> Result<f64, JsValue> {
        let (db, [begin, end]) = (self.db.clone(), self.range(begin, end));
        let work = async move { db.delete_range(begin.as_deref(), end.as_deref()).await.map(number) };
        Ok(self.regions.now(work, JsValue::from)?.unwrap_or(LATE))
    }

    /// Scratch holds begin and end. About how many bytes the keys between take in tables and, as they are, in the logs; or late.
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

    /// One of `leveldb.*`, or undefined.
    pub fn property(&self, name: &str) -> Option<String> {
        self.db.property(name)
    }

    /// Reads every table with all checksums: `{ tables, entries, bytes, findings }`, or a promise of it.
    pub fn verify(&self) -> Result<JsValue, JsValue> {
        let db = self.db.clone();
        value_or_promise(async move { db.verify().await.map(|report| verify_report(&report)) })
    }

    /// One slice of background work: 1 if there is more, else 0; or late.
    pub fn background(&self, bytes: f64) -> Result<f64, JsValue> {
        let db = self.db.clone();
        let bytes = exact(bytes).map_or(0, to_u64);
        let work = async move { db.background(bytes).await };
        Ok(self.regions.now(work, JsValue::from)?.map_or(LATE, |more| f64::from(u8::from(more))))
    }

    /// Whether a call of `background` would do something.
    #[wasm_bindgen(js_name = hasBackgroundWork)]
    pub fn has_background_work(&self) -> bool {
        self.db.has_background_work()
    }

    /// The host has nothing to do for a while; whether there is background work now.
    pub fn tidy(&self) -> bool {
        self.db.tidy()
    }

    /// Memory has grown: takes `bytes` more of it, if there are any, for what comes next.
    pub fn grow(&self, bytes: usize) {
        let mut room = Vec::<u8>::new();
        let _ = std::hint::black_box(&mut room).try_reserve_exact(bytes);
    }

    /// Tells `function` of flushes, compactions and stalls, as `(name, info)`; without one, nobody. It is called from inside
    /// the engine and must not call back into it.
    pub fn listen(&self, function: Option<Function>) {
        self.listener.tell(function);
    }

    /// Everything acknowledged is durable, and the lock is given back. 0, or late.
    pub fn close(&self) -> Result<f64, JsValue> {
        self.cursors.take();
        self.snapshots.take();
        self.exports.take();
        let (db, place) = (self.db.clone(), self.place.clone());
        self.regions.done(async move {
            let result = db.close().await;
            place.released(result).await
        })
    }
}

impl Database {
    /// Opens the database of a place, to be handed out.
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
            let keys = unpack(&keys).ok_or_else(|| Error::InvalidArgument("packed keys end early".into()))?;
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
            let keys = unpack(&keys).ok_or_else(|| Error::InvalidArgument("packed keys end early".into()))?;
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
        let fill = async move { cursor.next(count, bytes, buffer).await };
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

    /// The bounds in the scratch region, one behind the other; a length of -1 is no bound.
    fn range(&self, begin: f64, end: f64) -> [Option<Vec<u8>>; 2] {
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
