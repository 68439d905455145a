//! Explains files for JavaScript: requests ranges of bytes and returns spans as lines of JSON.
//!
//! Strings and numbers only, so that JavaScript has no objects to free.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::number;
use crate::base::to_u64;
use crate::inspect::TableInspector;

/// See [`TableInspector`](crate::inspect::TableInspector).
#[wasm_bindgen]
pub struct Inspector(TableInspector);

/// Starts with a table file of `size` bytes.
#[wasm_bindgen(js_name = inspectTable)]
pub fn inspect_table(size: f64, list_entries: bool) -> Inspector {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    Inspector(TableInspector::new(size as u64, list_entries))
}

#[wasm_bindgen]
impl Inspector {
    /// Returns the offset of the next bytes to read; -1 at the end.
    pub fn offset(&self) -> f64 {
        self.0.wanted().map_or(-1.0, |(offset, _)| number(offset))
    }

    /// Returns the number of bytes to read, which may be 0.
    pub fn length(&self) -> f64 {
        self.0.wanted().map_or(0.0, |(_, length)| number(to_u64(length)))
    }

    /// Takes these bytes, or fewer if not all are readable; returns finished spans, one line of
    /// JSON each.
    pub fn supply(&mut self, bytes: &[u8]) -> String {
        self.0.supply(bytes);
        let mut lines = String::new();
        for span in self.0.take() {
            span.write_json(&mut lines);
            lines.push('\n');
        }
        lines
    }
}
