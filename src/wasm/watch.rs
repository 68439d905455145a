//! Watches: committed changes, page by page.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::cursor::Rows;
use super::database::Database;
use super::error::to_js;
use super::regions::exact;
use crate::base::to_u64;
use crate::db::{ChangePage, Watch};
use crate::error::Error;

#[wasm_bindgen]
impl Database {
    /// Watches a range, whose bounds are in scratch as for `iterator`; `since` -1: from now on.
    pub fn watch(&self, lower: f64, upper: f64, since: f64) -> Result<u32, JsValue> {
        let [begin, end] = self.range(lower, upper);
        let watch = self.db.watch(begin, end, sequence_of(since)).map_err(|error| to_js(&error))?;
        let id = self.new_id();
        self.watches.borrow_mut().push((id, Rc::new(watch)));
        Ok(id)
    }

    /// Reads about `bytes` of changes into `out` (`src/db/watch.rs`). Returns the number of items, plus
    /// 2^32 if these are all; or late (a promise of `{ rows, count, done }`).
    pub fn changes(&self, id: u32, bytes: usize) -> Result<f64, JsValue> {
        let watch = self.watch_of(id)?;
        self.rows(async move {
            let ChangePage { bytes, count, done } = watch.next(bytes).await?;
            Ok(Rows { bytes, count, done })
        })
    }

    /// Returns 0 if there are changes to read, or late (a promise that resolves once there are).
    pub fn changed(&self, id: u32) -> Result<f64, JsValue> {
        let watch = self.watch_of(id)?;
        self.regions.done(async move { watch.changed().await })
    }

    /// Ends a watch.
    #[wasm_bindgen(js_name = closeWatch)]
    pub fn close_watch(&self, id: u32) {
        self.watches.borrow_mut().retain(|(found, watch)| {
            if *found == id {
                watch.close();
            }
            *found != id
        });
    }

    fn watch_of(&self, id: u32) -> Result<Rc<Watch>, JsValue> {
        let found = self.watches.borrow().iter().find(|(found, _)| *found == id).map(|(_, watch)| watch.clone());
        found.ok_or_else(|| to_js(&Error::InvalidArgument("the watch was closed".into())))
    }
}

/// Returns the sequence number of a JavaScript number; below 0 there is none.
fn sequence_of(number: f64) -> Option<u64> {
    const PART: f64 = 4_294_967_296.0;
    let (high, low) = (exact((number / PART).floor())?, exact(number % PART)?);
    Some(to_u64(high) << 32 | to_u64(low))
}
