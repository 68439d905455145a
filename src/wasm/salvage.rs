//! Makes a new database of what can be read of a damaged one.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{number, set, to_js};
use super::options::{EngineOptions, from_js};
use super::page::Page;
use super::place::Place;
use super::regions::value_or_promise;
use super::repair::{recovered, unused};
use crate::db::{AtRisk, Counts, Db, DbIterator, Export, OneTable, Remark, RepairReport, SalvageReport, Strictness};
use crate::env::Storage;
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::table::EntryCount;

/// Entries of a page at most.
const PAGE_ENTRIES: u32 = 10_000;

/// A salvaged database: its counts, and its content in several forms.
#[wasm_bindgen]
pub struct Salvaged {
    report: JsValue,
    db: Rc<Db>,
    export: RefCell<Option<Rc<Export>>>,
    table: RefCell<Option<Rc<OneTable>>>,
    rows: Rc<RefCell<Option<DbIterator>>>,
}

/// Salvages the database in `storage`, whose changes must be kept apart from the files; returns
/// `Salvaged`. `strictness`: 0 sound, 1 carved, 2 doubtful.
#[wasm_bindgen(js_name = salvageDatabase)]
pub fn salvage_database(
    storage: Storage,
    options: Option<EngineOptions>,
    any_comparator: bool,
    strictness: u8,
) -> Result<JsValue, JsValue> {
    let options = from_js(options.map(JsValue::from).as_ref()).map_err(|error| to_js(&error))?;
    let place = Place::of(Some(storage))?;
    let strictness = match strictness {
        0 => Strictness::Sound,
        1 => Strictness::Carved,
        _ => Strictness::Doubtful,
    };
    value_or_promise(async move {
        let (db, report) = Db::salvage(place.env(), options, any_comparator, strictness).await?;
        let report = salvage_report(&report);
        Ok(Salvaged {
            report,
            db: Rc::new(db),
            export: RefCell::default(),
            table: RefCell::default(),
            rows: Rc::default(),
        }
        .into())
    })
}

#[wasm_bindgen]
impl Salvaged {
    /// `{ counts, tables, sound, recovered, unused, leftBehind, doubtful, atRisk, oldDataMayReappear }`.
    pub fn report(&self) -> JsValue {
        self.report.clone()
    }

    /// Begins a zip of the database.
    #[wasm_bindgen(js_name = beginZip)]
    pub fn begin_zip(&self) -> Result<(), JsValue> {
        let export = self.db.export().map_err(|error| to_js(&error))?;
        self.export.replace(Some(Rc::new(export)));
        Ok(())
    }

    /// About `bytes` more of the zip; undefined at its end.
    pub fn zip(&self, bytes: usize) -> Result<JsValue, JsValue> {
        let export = self.export.borrow().clone();
        let export = export.ok_or_else(|| to_js(&Error::InvalidArgument("no zip was begun".into())))?;
        value_or_promise(async move {
            let piece = export.next(bytes).await?;
            Ok(piece.map_or(JsValue::UNDEFINED, |piece| Uint8Array::from(&piece[..]).into()))
        })
    }

    /// Begins a table of the live entries.
    #[wasm_bindgen(js_name = beginTable)]
    pub fn begin_table(&self) -> Result<(), JsValue> {
        let table = self.db.one_table().map_err(|error| to_js(&error))?;
        self.table.replace(Some(Rc::new(table)));
        Ok(())
    }

    /// About `bytes` more of the table; undefined at its end.
    pub fn table(&self, bytes: usize) -> Result<JsValue, JsValue> {
        let table = self.table.borrow().clone();
        let table = table.ok_or_else(|| to_js(&Error::InvalidArgument("no table was begun".into())))?;
        value_or_promise(async move {
            let piece = table.next(bytes).await?;
            Ok(piece.map_or(JsValue::UNDEFINED, |piece| Uint8Array::from(&piece[..]).into()))
        })
    }

    /// Begins at the first row.
    #[wasm_bindgen(js_name = beginRows)]
    pub fn begin_rows(&self) -> Result<JsValue, JsValue> {
        let (db, rows) = (self.db.clone(), self.rows.clone());
        value_or_promise(async move {
            let mut it = db.iter(&ReadOptions::default())?;
            it.seek_to_first().await?;
            rows.replace(Some(it));
            Ok(JsValue::UNDEFINED)
        })
    }

    /// A page of about `bytes` with the next rows; empty after the last.
    pub fn rows(&self, bytes: usize) -> Result<JsValue, JsValue> {
        let rows = self.rows.clone();
        value_or_promise(async move {
            let taken = rows.take();
            let mut it = taken.ok_or_else(|| Error::InvalidArgument("no rows were begun".into()))?;
            let mut page = Page::default();
            while it.valid() && !page.is_full(PAGE_ENTRIES, bytes) {
                page.add(it.key(), it.value())?;
                it.next().await?;
            }
            rows.replace(Some(it));
            Ok(Uint8Array::from(&page.into_bytes()[..]).into())
        })
    }

    /// Copies the database to an empty or missing place.
    pub fn copy(&self, storage: Storage) -> Result<JsValue, JsValue> {
        let (db, place) = (self.db.clone(), Place::of(Some(storage))?);
        value_or_promise(async move {
            let result = db.checkpoint(&place.env()).await;
            place.released(result).await.map(|()| JsValue::UNDEFINED)
        })
    }
}

fn salvage_report(report: &SalvageReport) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "counts", counts(&report.counts));
    let sound = report.sound.iter().map(|(file, entries)| {
        let object = JsValue::from(Object::new());
        set(&object, "file", &**file);
        set(&object, "entries", number(*entries));
        object
    });
    set(&object, "sound", sound.collect::<Array>());
    let RepairReport { tables, recovered: copied, unused: left_out, old_data_may_reappear, .. } = &report.repair;
    set(&object, "tables", number(*tables));
    set(&object, "recovered", copied.iter().map(recovered).collect::<Array>());
    set(&object, "unused", left_out.iter().map(unused).collect::<Array>());
    set(&object, "leftBehind", report.left_behind.iter().map(remark).collect::<Array>());
    set(&object, "doubtful", report.doubtful.iter().map(remark).collect::<Array>());
    set(&object, "atRisk", report.at_risk.iter().map(at_risk).collect::<Array>());
    set(&object, "oldDataMayReappear", *old_data_may_reappear);
    object
}

/// `{ file, offset, length, reason, entries }`.
fn remark(remark: &Remark) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "file", &*remark.file);
    set(&object, "offset", number(remark.offset));
    if remark.length > 0 {
        set(&object, "length", number(remark.length));
    }
    set(&object, "reason", &*remark.reason);
    set_entries(&object, remark.entries);
    object
}

/// `entries: { count, is }`, if they are known.
fn set_entries(object: &JsValue, entries: Option<EntryCount>) {
    let (count, is) = match entries {
        Some(EntryCount::Exactly(count)) => (count, "exact"),
        Some(EntryCount::AtLeast(count)) => (count, "at least"),
        Some(EntryCount::About(count)) => (count, "about"),
        None => return,
    };
    let entries = JsValue::from(Object::new());
    set(&entries, "count", number(count));
    set(&entries, "is", is);
    set(object, "entries", entries);
}

fn counts(counts: &Counts) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "live", number(counts.live));
    set(&object, "keys", number(counts.keys));
    set(&object, "entries", number(counts.entries));
    set(&object, "tombstones", number(counts.tombstones));
    set(&object, "liveBytes", number(counts.live_bytes));
    object
}

fn at_risk(range: &AtRisk) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "file", &*range.file);
    if let Some(from) = &range.from {
        set(&object, "from", Uint8Array::from(&**from));
    }
    if let Some(to) = &range.to {
        set(&object, "to", Uint8Array::from(&**to));
    }
    set(&object, "live", number(range.live));
    set_entries(&object, range.lost);
    object
}
