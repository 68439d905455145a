//! Opens and removes databases.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::database::Database;
use super::error::to_js;
use super::options::{EngineOptions, from_js};
use super::place::Place;
use super::regions::value_or_promise;
use crate::env::Storage;
use crate::error::Result;

/// Opens the database in `storage` (none: in memory); returns it or a promise of it.
#[wasm_bindgen(js_name = openDatabase)]
pub fn open_database(storage: Option<Storage>, options: Option<EngineOptions>) -> Result<JsValue, JsValue> {
    let options = from_js(options.map(JsValue::from).as_ref()).map_err(|error| to_js(&error))?;
    let place = Place::of(storage)?;
    value_or_promise(Database::open(place, options))
}

/// Removes the database in `storage`.
#[wasm_bindgen(js_name = destroyDatabase)]
pub fn destroy_database(storage: Storage) -> Result<JsValue, JsValue> {
    let place = Place::of(Some(storage))?;
    value_or_promise(async move {
        let result = crate::db::destroy(place.env()).await;
        place.released(result).await.map(|()| JsValue::UNDEFINED)
    })
}
