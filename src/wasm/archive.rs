//! Databases out of zips and to them, and to other storages.

use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::database::{Database, LATE, MISSING, Place, value_or_promise};
use super::error::{number, to_js};
use super::options::{EngineOptions, from_js};
use crate::archive::{Import, Limits};
use crate::base::to_u64;
use crate::env::Storage;
use crate::error::Error;

#[wasm_bindgen]
impl Database {
    /// The state now, to be read as a zip.
    #[wasm_bindgen(js_name = exportStart)]
    pub fn export_start(&self) -> Result<u32, JsValue> {
        let export = self.db.export().map_err(|error| to_js(&error))?;
        let id = self.new_id();
        self.exports.borrow_mut().push((id, Rc::new(export)));
        Ok(id)
    }

    /// About `bytes` more of the zip, in `out`: how many there are, 0 to ask again; missing at the end; or late (then the
    /// promise is of a `Uint8Array`, or undefined at the end).
    #[wasm_bindgen(js_name = exportNext)]
    pub fn export_next(&self, id: u32, bytes: usize) -> Result<f64, JsValue> {
        let found = self.exports.borrow().iter().find(|(found, _)| *found == id).map(|(_, export)| export.clone());
        let export = found.ok_or_else(|| to_js(&Error::InvalidArgument("the export has ended".into())))?;
        let next = async move { export.next(bytes).await };
        match self.now(next, |piece| piece.map_or(JsValue::UNDEFINED, |piece| Uint8Array::from(&piece[..]).into()))? {
            None => Ok(LATE),
            Some(None) => Ok(MISSING),
            Some(Some(piece)) => {
                let size = number(to_u64(piece.len()));
                self.out.replace(piece);
                Ok(size)
            }
        }
    }

    /// Gives an export up, or ends it.
    #[wasm_bindgen(js_name = exportEnd)]
    pub fn export_end(&self, id: u32) {
        self.exports.borrow_mut().retain(|(found, _)| *found != id);
    }

    /// Copies a consistent state to `storage`. Files of the database's own storage are handed over without a copy where the
    /// other one can (`link`).
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
