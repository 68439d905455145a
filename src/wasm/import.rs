//! Imports databases from zips.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::database::Database;
use super::error::to_js;
use super::options::{EngineOptions, from_js};
use super::place::Place;
use super::regions::value_or_promise;
use crate::archive::{Import, Limits};
use crate::env::Storage;
use crate::error::Error;

/// A running import into an empty location.
#[wasm_bindgen]
pub struct ZipImport {
    place: Place,
    import: Rc<Import>,
}

/// Starts an import into `storage` (none: in memory); `bytes` and `ratio` limit its content.
#[wasm_bindgen(js_name = importZip)]
pub fn import_zip(storage: Option<Storage>, bytes: f64, ratio: f64) -> Result<ZipImport, JsValue> {
    let place = Place::of(storage)?;
    let limits = Limits { bytes: whole(bytes), ratio: whole(ratio) };
    let import = Rc::new(Import::new(place.env(), limits));
    Ok(ZipImport { place, import })
}

#[wasm_bindgen]
impl ZipImport {
    /// Adds `bytes` of the archive, which ends there if `last`. Returns true when it needs more or
    /// all is written, false to be called again without bytes; or a promise of that.
    pub fn feed(&self, bytes: Vec<u8>, last: bool) -> Result<JsValue, JsValue> {
        let (import, place) = (self.import.clone(), self.place.clone());
        value_or_promise(async move {
            let result = import.feed(&bytes, last).await;
            place.released(result).await.map(JsValue::from)
        })
    }

    /// Opens the imported database; returns it or a promise of it.
    pub fn open(&self, options: Option<EngineOptions>) -> Result<JsValue, JsValue> {
        let options = from_js(options.map(JsValue::from).as_ref()).map_err(|error| to_js(&error))?;
        let place = self.place.clone();
        value_or_promise(async move {
            match Database::open(place.clone(), options).await {
                // Another process created a database meanwhile and owns the location now.
                Err(error @ Error::Locked(_)) => Err(error),
                Err(error) => {
                    let _ = crate::db::destroy(place.env()).await;
                    place.released(Err(error)).await
                }
                opened => opened,
            }
        })
    }

    /// Cancels the import and removes its files; returns undefined or a promise of it.
    pub fn abort(&self) -> Result<JsValue, JsValue> {
        let (import, place) = (self.import.clone(), self.place.clone());
        value_or_promise(async move {
            import.abort().await;
            place.released(Ok(JsValue::UNDEFINED)).await
        })
    }
}

/// Converts a JavaScript number to a count; infinity becomes the largest.
fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at both ends")]
    {
        number as u64
    }
}
