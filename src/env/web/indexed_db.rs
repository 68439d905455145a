//! IndexedDB, for the storage in chunks.
//!
//! JavaScript opens the database and makes the transactions
//! (`src/js/storage/browser/idb-database.js`): one call and one promise for each, with all that it
//! reads or writes. web-sys has no durability of transactions without its unstable features.

use std::rc::Rc;

use js_sys::{Array, Math, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::answer::{answer, exact, number, promise};
use super::error::{to_error, unexpected};
use super::foreign::Storage;
use crate::env::{Change, ChunkDatabase, Commit, Durability, Io, Loaded, Row, Written, lost};
use crate::error::{Error, Result};

#[wasm_bindgen]
extern "C" {
    /// The stores of one database.
    #[derive(Clone)]
    pub type IdbDatabase;
    #[wasm_bindgen(method, getter, js_name = isChunks)]
    fn is_chunks(this: &IdbDatabase) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn durability(this: &IdbDatabase) -> JsValue;
    #[wasm_bindgen(method, catch)]
    fn acquire(this: &IdbDatabase) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = letIn)]
    fn let_in(this: &IdbDatabase) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn connect(this: &IdbDatabase, head: JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn disconnect(this: &IdbDatabase) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn load(this: &IdbDatabase) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn read(this: &IdbDatabase, file: f64, first: f64, end: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn write(
        this: &IdbDatabase,
        expected: Uint8Array,
        head: Uint8Array,
        changes: Array,
        is_strict: bool,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeAll)]
    fn remove_all(this: &IdbDatabase) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn pause(this: &IdbDatabase, ms: f64) -> Result<JsValue, JsValue>;
}

/// `storage` as a database of chunks, if it is one.
pub(crate) fn chunk_database(storage: &Storage) -> Option<Rc<dyn ChunkDatabase>> {
    let database: &IdbDatabase = storage.unchecked_ref();
    database.is_chunks().is_truthy().then(|| Rc::new(Database(database.clone())) as Rc<dyn ChunkDatabase>)
}

struct Database(IdbDatabase);

/// Errors after which the connection is made anew, and the state looked at: those of a connection that
/// is closed, of a browser's process that has ended, and of a transaction that somebody aborted.
const LOST: [&str; 4] = ["AbortError", "InvalidStateError", "UnknownError", "TransactionInactiveError"];

/// The error of a call, with lost connections told from other failures.
fn failed(thrown: &JsValue, operation: &'static str) -> Error {
    let property = |key: &str| Reflect::get(thrown, &JsValue::from_str(key)).ok().and_then(|value| value.as_string());
    match property("name") {
        Some(name) if LOST.contains(&&*name) => lost(operation, property("message").unwrap_or_default()),
        _ => to_error(thrown, "the database", operation),
    }
}

/// The result of a call, once its promise has settled.
fn reply<T: 'static>(
    called: Result<JsValue, JsValue>,
    operation: &'static str,
    convert: impl FnOnce(JsValue) -> Result<T> + 'static,
) -> Io<T> {
    let promised = called.map(|value| promise(&value).map(JsFuture::from).ok_or(value));
    match promised {
        Err(thrown) => Io::ready(Err(failed(&thrown, operation))),
        Ok(Err(value)) => Io::ready(convert(value)),
        Ok(Ok(promise)) => {
            Io::pending(async move { convert(promise.await.map_err(|thrown| failed(&thrown, operation))?) })
        }
    }
}

pub(crate) fn row_of(value: JsValue) -> Row {
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        return Row::Bytes(bytes.to_vec());
    }
    Row::Foreign(value.js_typeof().as_string().unwrap_or_default())
}

fn head_row(value: JsValue) -> Option<Row> {
    (!value.is_undefined()).then(|| row_of(value))
}

fn array(value: JsValue, operation: &'static str) -> Result<Array> {
    value.dyn_into().map_err(|_| unexpected("the database", operation, "an array"))
}

/// Head, keys and rows of files, in an array.
pub(crate) fn chunk_rows(value: JsValue) -> Result<Loaded> {
    let found = array(value, "load")?;
    let (keys, values) = (array(found.get(1), "load")?, array(found.get(2), "load")?);
    let files = keys.iter().zip(values.iter()).map(|(key, value)| (exact(&key), row_of(value))).collect();
    Ok(Loaded { head: head_row(found.get(0)), files })
}

impl ChunkDatabase for Database {
    fn acquire(&self) -> Io<()> {
        answer(self.0.acquire(), "the database", "lock", |_| Ok(()))
    }

    fn release(&self) {
        let _ = self.0.let_in();
    }

    fn connect(&self, head: Option<Vec<u8>>) -> Io<()> {
        let head = head.map_or(JsValue::UNDEFINED, |head| Uint8Array::from(&head[..]).into());
        reply(self.0.connect(head), "open", |_| Ok(()))
    }

    fn disconnect(&self) {
        let _ = self.0.disconnect();
    }

    fn load(&self) -> Io<Loaded> {
        reply(self.0.load(), "load", chunk_rows)
    }

    fn read(&self, file: u64, first: u64, end: u64) -> Io<Vec<Row>> {
        let called = self.0.read(number(file), number(first), number(end));
        reply(called, "read", |value| Ok(array(value, "read")?.iter().map(row_of).collect()))
    }

    fn write(&self, commit: &Commit) -> Io<Written> {
        let (expected, head) = (Uint8Array::from(&commit.expected[..]), Uint8Array::from(&commit.head[..]));
        let changes = commit.changes.iter().map(change).collect();
        reply(self.0.write(expected, head, changes, commit.is_strict), "write", |value| {
            if value.is_undefined() {
                return Ok(Written::Done);
            }
            Ok(Written::Refused(head_row(array(value, "write")?.get(0))))
        })
    }

    fn remove(&self) -> Io<()> {
        answer(self.0.remove_all(), "the database", "remove", |_| Ok(()))
    }

    fn pause(&self, ms: u64) -> Io<()> {
        answer(self.0.pause(number(ms)), "the database", "open", |_| Ok(())).map(|done| done.map_err(|_| Error::Closed))
    }

    fn unique(&self) -> u64 {
        let half = || exact(&(Math::random() * 4_294_967_296.0).floor().into()).unwrap_or(0);
        (half() << 32) | half()
    }

    fn durability(&self) -> Durability {
        if self.0.durability().as_string().as_deref() == Some("durable") {
            Durability::Durable
        } else {
            Durability::OsBuffered
        }
    }
}

/// A change as JavaScript takes it: see the type `Change` there.
fn change(change: &Change) -> JsValue {
    let bytes = |bytes: &[u8]| JsValue::from(Uint8Array::from(bytes));
    let values = match change {
        Change::PutFile { file, row } => vec![JsValue::from("file"), number(*file).into(), bytes(row)],
        Change::RemoveFile { file } => vec![JsValue::from("remove"), number(*file).into()],
        Change::Cut { file, chunk } => vec![JsValue::from("cut"), number(*file).into(), number(*chunk).into()],
        Change::PutChunk { file, chunk, offset, data } => {
            let offset = offset.map_or(JsValue::UNDEFINED, JsValue::from);
            vec![JsValue::from("chunk"), number(*file).into(), number(*chunk).into(), bytes(data), offset]
        }
    };
    values.into_iter().collect::<Array>().into()
}
