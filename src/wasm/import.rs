//! Databases out of zips.

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

/// A database on its way out of a zip, into a place that has none.
#[wasm_bindgen]
pub struct ZipImport {
    place: Place,
    import: Rc<Import>,
}

/// Begins one, into `storage` (none: files in memory); `bytes` and `ratio` bound what it may hold.
#[wasm_bindgen(js_name = importZip)]
pub fn import_zip(storage: Option<Storage>, bytes: f64, ratio: f64) -> Result<ZipImport, JsValue> {
    let place = Place::of(storage)?;
    let limits = Limits { bytes: whole(bytes), ratio: whole(ratio) };
    let import = Rc::new(Import::new(place.env(), limits));
    Ok(ZipImport { place, import })
}

#[wasm_bindgen]
impl ZipImport {
    /// The archive goes on with `bytes`, and ends behind them if they are the `last`. True: more is wanted, or all is written;
    /// false: to be called again with none; or a promise of it.
    pub fn feed(&self, bytes: Vec<u8>, last: bool) -> Result<JsValue, JsValue> {
        let (import, place) = (self.import.clone(), self.place.clone());
        value_or_promise(async move {
            let result = import.feed(&bytes, last).await;
            place.released(result).await.map(JsValue::from)
        })
    }

    /// Opens what was written: the database, or a promise of it.
    pub fn open(&self, options: Option<EngineOptions>) -> Result<JsValue, JsValue> {
        let options = from_js(options.map(JsValue::from).as_ref()).map_err(|error| to_js(&error))?;
        let place = self.place.clone();
        value_or_promise(async move {
            match Database::open(place.clone(), options).await {
                // Somebody else was faster, and it is his now.
                Err(error @ Error::Locked(_)) => Err(error),
                Err(error) => {
                    let _ = crate::db::destroy(place.env()).await;
                    place.released(Err(error)).await
                }
                opened => opened,
            }
        })
    }

    /// Gives up; nothing is left behind. Undefined, or a promise of it.
    pub fn abort(&self) -> Result<JsValue, JsValue> {
        let (import, place) = (self.import.clone(), self.place.clone());
        value_or_promise(async move {
            import.abort().await;
            place.released(Ok(JsValue::UNDEFINED)).await
        })
    }
}

/// A number of JavaScript as a count; infinity is the largest.
fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at both ends")]
    {
        number as u64
    }
}
