//! Checks and rebuilds databases that are not open.

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{number, set, to_js, verify_report};
use super::options::{EngineOptions, from_js};
use super::place::Place;
use super::regions::value_or_promise;
use crate::db::{LostRange, RecoveredFile, UnusedFile};
use crate::env::Storage;
use crate::options::Options;

/// Verifies the database in `storage`, which need not be open.
#[wasm_bindgen(js_name = verifyDatabase)]
pub fn verify_database(storage: Storage, options: Option<EngineOptions>) -> Result<JsValue, JsValue> {
    let options = from_js(options.map(JsValue::from).as_ref()).map_err(|error| to_js(&error))?;
    let options = Options { create_if_missing: false, ..options };
    let place = Place::of(Some(storage))?;
    value_or_promise(async move { Ok(verify_report(&crate::db::verify(place.env(), options).await?)) })
}

/// Rebuilds the database in `storage`; returns
/// `{ tables, entries, recovered, unused, oldDataMayReappear, lost, findings }`.
/// `any_comparator` accepts one of another comparator.
#[wasm_bindgen(js_name = repairDatabase)]
pub fn repair_database(
    storage: Storage,
    options: Option<EngineOptions>,
    any_comparator: bool,
) -> Result<JsValue, JsValue> {
    let options = from_js(options.map(JsValue::from).as_ref()).map_err(|error| to_js(&error))?;
    let place = Place::of(Some(storage))?;
    value_or_promise(async move {
        let result = if any_comparator {
            crate::db::repair_as(place.env(), options).await
        } else {
            crate::db::repair(place.env(), options).await
        };
        let report = place.released(result).await?;
        let object = JsValue::from(Object::new());
        set(&object, "tables", number(report.tables));
        set(&object, "entries", number(report.entries));
        set(&object, "recovered", report.recovered.iter().map(recovered).collect::<Array>());
        set(&object, "unused", report.unused.iter().map(unused).collect::<Array>());
        set(&object, "oldDataMayReappear", report.old_data_may_reappear);
        set(&object, "lost", report.lost.iter().map(JsValue::from).collect::<Array>());
        set(&object, "findings", report.findings.iter().map(to_js).collect::<Array>());
        Ok(object)
    })
}

pub(super) fn recovered(file: &RecoveredFile) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "file", &*file.file);
    set(&object, "lost", &*file.lost);
    set(&object, "entries", number(file.entries));
    set(&object, "blocks", number(file.blocks));
    set(&object, "lostBytes", number(file.lost_bytes));
    set(&object, "lostRanges", file.lost_ranges.iter().map(range).collect::<Array>());
    object
}

fn range(range: &LostRange) -> JsValue {
    let object = JsValue::from(Object::new());
    if let Some(from) = &range.from {
        set(&object, "from", Uint8Array::from(&**from));
    }
    set(&object, "to", Uint8Array::from(&*range.to));
    object
}

pub(super) fn unused(file: &UnusedFile) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "file", &*file.file);
    set(&object, "lost", &*file.lost);
    set(&object, "reason", &*file.reason);
    object
}
