//! Copies a database to zips and to other storages.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::database::Database;
use super::error::to_js;
use super::place::Place;
use super::regions::{LATE, MISSING, value_or_promise};
use crate::env::Storage;
use crate::error::Error;

#[wasm_bindgen]
impl Database {
    /// Starts an export of the current state as a zip.
    #[wasm_bindgen(js_name = exportStart)]
    pub fn export_start(&self) -> Result<u32, JsValue> {
        let export = self.db.export().map_err(|error| to_js(&error))?;
        let id = self.new_id();
        self.exports.borrow_mut().push((id, Rc::new(export)));
        Ok(id)
    }

    /// Reads about `bytes` more of the zip into `out`. Returns the size, 0 to ask again, missing at
    /// the end, or late (a promise of a `Uint8Array`, undefined at the end).
    #[wasm_bindgen(js_name = exportNext)]
    pub fn export_next(&self, id: u32, bytes: usize) -> Result<f64, JsValue> {
        let found = self.exports.borrow().iter().find(|(found, _)| *found == id).map(|(_, export)| export.clone());
        let export = found.ok_or_else(|| to_js(&Error::InvalidArgument("the export has ended".into())))?;
        let next = async move { export.next(bytes).await };
        match self
            .regions
            .now(next, |piece| piece.map_or(JsValue::UNDEFINED, |piece| Uint8Array::from(&piece[..]).into()))?
        {
            None => Ok(LATE),
            Some(None) => Ok(MISSING),
            Some(Some(piece)) => Ok(self.regions.answer(piece)),
        }
    }

    /// Closes an export, finished or not.
    #[wasm_bindgen(js_name = exportEnd)]
    pub fn export_end(&self, id: u32) {
        self.exports.borrow_mut().retain(|(found, _)| *found != id);
    }

    /// Copies a consistent state to `storage`. Files are linked instead of copied where the
    /// storages can (`link`).
    pub fn checkpoint(&self, storage: Storage) -> Result<JsValue, JsValue> {
        let (db, place) = (self.db.clone(), Place::of(Some(storage))?);
        let source = self.place.clone();
        value_or_promise(async move {
            let target = place.clone();
            let link = move |name: &str| target.link(&source, name);
            let result = db.checkpoint_linking(&place.env(), &link).await;
            place.released(result).await.map(|()| JsValue::UNDEFINED)
        })
    }
}
