//! One database over the storage in memory, for JavaScript.

use std::future::Future;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{to_js, verify_report};
use super::options::{EngineOptions, from_js};
use super::page::Page;
use crate::db::Db;
use crate::env::{MemoryEnv, try_now};
use crate::error::{Error, Result};
use crate::options::ReadOptions;

/// Bytes after which a page takes no further entry.
const PAGE_SIZE: usize = 64 << 10;

/// An ordered map of bytes to bytes, kept in memory as LevelDB's files. Every call is synchronous; an error is thrown as an
/// `Error` with a `code`, and `file` and `offset` where they are known.
#[wasm_bindgen]
pub struct Engine {
    db: Db,
}

#[wasm_bindgen]
impl Engine {
    /// A new, empty database.
    pub fn open(options: Option<EngineOptions>) -> Result<Engine, JsValue> {
        let given = options.map(JsValue::from);
        let options = from_js(given.as_ref()).map_err(|error| to_js(&error))?;
        let db = now(Db::open(Rc::new(MemoryEnv::new()), options))?;
        Ok(Engine { db })
    }

    /// Sets `key` to `value`.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JsValue> {
        now(self.db.put(key, value))
    }

    /// The value of `key`, or undefined.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JsValue> {
        now(self.db.get(key))
    }

    /// Removes `key`; no error if it is not there.
    pub fn delete(&self, key: &[u8]) -> Result<(), JsValue> {
        now(self.db.delete(key))
    }

    /// Writes what is in the write buffer to a table.
    pub fn flush(&self) -> Result<(), JsValue> {
        now(self.db.flush())
    }

    /// Merges all tables, down to the deepest level that has any.
    pub fn compact(&self) -> Result<(), JsValue> {
        now(self.db.compact_range(None, None))
    }

    /// Entries from `begin` up to, not including, `end`, in key order: at most `limit` of them, fewer when they reach 64 KiB,
    /// none when there are no more. Each is `u32 key length, key, u32 value length, value`, little-endian. To go on, begin at
    /// the last key with a zero byte behind it.
    pub fn scan(&self, begin: Option<Vec<u8>>, end: Option<Vec<u8>>, limit: u32) -> Result<Vec<u8>, JsValue> {
        now(self.page(begin, end, limit))
    }

    /// Reads every table with all checksums: `{ tables, entries, bytes, findings }`, `findings` an array of errors.
    #[wasm_bindgen(unchecked_return_type = "{ tables: number, entries: number, bytes: number, findings: Error[] }")]
    pub fn verify(&self) -> Result<JsValue, JsValue> {
        now(self.db.verify()).map(|report| verify_report(&report))
    }

    /// Ends the use of the database. Calls after it throw with the code `closed`; closing again does nothing.
    pub fn close(&self) -> Result<(), JsValue> {
        now(self.db.close())
    }

    async fn page(&self, begin: Option<Vec<u8>>, end: Option<Vec<u8>>, limit: u32) -> Result<Vec<u8>> {
        let options = ReadOptions { lower_bound: begin, upper_bound: end, ..ReadOptions::default() };
        let mut page = Page::default();
        let mut it = self.db.iter(&options)?;
        let mut found = it.seek_to_first().await?;
        while found && !page.is_full(limit, PAGE_SIZE) {
            page.add(it.key(), it.value())?;
            found = it.next().await?;
        }
        Ok(page.into_bytes())
    }
}

/// The output of a call on a storage that answers at once.
fn now<T>(call: impl Future<Output = Result<T>>) -> Result<T, JsValue> {
    let result = try_now(call).unwrap_or_else(|| Err(Error::NotSupported("the storage did not answer at once".into())));
    result.map_err(|error| to_js(&error))
}
