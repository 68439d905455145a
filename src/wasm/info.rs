//! The state of a database as one object, which crosses the border in one call.

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::database::Database;
use super::error::{number, set, to_js};
use super::place::Place;
use crate::base::{FileNumber, table_file_name, to_u64};
use crate::db::DbState;

#[wasm_bindgen]
impl Database {
    /// Returns `{ state, cause, backgroundWork, memoryUsage, cacheUsed, cacheSize, stats, counters,
    /// tables, recovery, isSettled }`. `state` is open, degraded (with its `cause`) or closed.
    pub fn info(&self) -> JsValue {
        let object = JsValue::from(Object::new());
        let property = |name: &str| JsValue::from(self.db.property(name).unwrap_or_default());
        match self.db.state() {
            DbState::Open => set(&object, "state", "open"),
            DbState::Closed => set(&object, "state", "closed"),
            DbState::Degraded(cause) => {
                set(&object, "state", "degraded");
                set(&object, "cause", to_js(&cause));
            }
        }
        match &self.place {
            Place::Pool(env) => set(&object, "isSettled", env.is_settled()),
            #[cfg(feature = "full")]
            Place::Chunks(env) => set(&object, "isSettled", env.is_settled()),
            Place::Memory(_) | Place::Foreign(_) => {}
        }
        set(&object, "backgroundWork", self.db.has_background_work());
        set(&object, "memoryUsage", property("leveldb.approximate-memory-usage"));
        let (used, size) = self.db.block_cache();
        set(&object, "cacheUsed", number(used));
        set(&object, "cacheSize", number(size));
        set(&object, "stats", property("leveldb.stats"));
        set(&object, "counters", self.counters());
        set(&object, "tables", self.tables());
        set(&object, "recovery", self.recovery());
        object
    }
}

impl Database {
    /// Returns the recovery report: `findings` are errors for all skipped damage, `logs` are `{
    /// file, batches, entries }`, `left` `{ file, offset, bytes }`, `copies` names of damaged logs
    /// kept.
    fn recovery(&self) -> JsValue {
        let report = self.db.recovery();
        let object = JsValue::from(Object::new());
        set(&object, "findings", report.findings().iter().map(to_js).collect::<Array>());
        let logs = report.logs.iter().map(|log| {
            let object = JsValue::from(Object::new());
            set(&object, "file", &*log.name);
            set(&object, "batches", number(log.batches));
            set(&object, "entries", number(log.entries));
            object
        });
        set(&object, "logs", logs.collect::<Array>());
        let left = report.left.iter().map(|left| {
            let object = JsValue::from(Object::new());
            set(&object, "file", &*left.name);
            set(&object, "offset", number(left.offset));
            set(&object, "bytes", number(left.bytes));
            object
        });
        set(&object, "left", left.collect::<Array>());
        set(&object, "copies", report.kept.iter().map(JsValue::from).collect::<Array>());
        object
    }

    /// Returns the counters since the database was opened, by name.
    fn counters(&self) -> JsValue {
        let c = self.db.counters();
        let object = JsValue::from(Object::new());
        for (name, count) in [
            ("entriesWritten", c.entries_written),
            ("bytesIn", c.bytes_in),
            ("bytesLogged", c.bytes_logged),
            ("logRecords", c.log_records),
            ("logSyncs", c.log_syncs),
            ("bytesFlushed", c.bytes_flushed),
            ("bytesCompacted", c.bytes_compacted),
            ("bytesCompactionRead", c.bytes_compaction_read),
            ("gets", c.gets),
            ("blockReads", c.block_reads),
            ("blockReadBytes", c.block_read_bytes),
            ("blockCacheHits", c.block_cache_hits),
            ("rowCacheHits", c.row_cache_hits),
            ("filterNegatives", c.filter_negatives),
            ("tableOpens", c.table_opens),
            ("slices", c.slices),
            ("stalls", c.stalls),
        ] {
            set(&object, name, number(count));
        }
        object
    }

    /// Returns `{ file, level, number, size, smallest, largest }` for each live table.
    fn tables(&self) -> JsValue {
        let tables = self.db.tables().into_iter().map(|table| {
            let object = JsValue::from(Object::new());
            set(&object, "file", table_file_name(FileNumber(table.number)));
            set(&object, "level", number(to_u64(table.level)));
            set(&object, "number", number(table.number));
            set(&object, "size", number(table.size));
            set(&object, "smallest", Uint8Array::from(&table.smallest[..]));
            set(&object, "largest", Uint8Array::from(&table.largest[..]));
            object
        });
        tables.collect::<Array>().into()
    }
}
