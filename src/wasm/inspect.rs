//! Explains files for JavaScript: which bytes are wanted, and spans as lines of JSON for those that were handed in.
//!
//! One string a call and three numbers: no class a kind of span, and nothing to free.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::number;
use crate::base::to_u64;
use crate::inspect::TableInspector;

/// See [`TableInspector`](crate::inspect::TableInspector).
#[wasm_bindgen]
pub struct Inspector(TableInspector);

/// Begins with a table file of `size` bytes.
#[wasm_bindgen(js_name = inspectTable)]
pub fn inspect_table(size: f64, list_entries: bool) -> Inspector {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    Inspector(TableInspector::new(size as u64, list_entries))
}

#[wasm_bindgen]
impl Inspector {
    /// Where the bytes wanted next begin; -1 when there is no more to know.
    pub fn offset(&self) -> f64 {
        self.0.wanted().map_or(-1.0, |(offset, _)| number(offset))
    }

    /// How many they are, perhaps none.
    pub fn length(&self) -> f64 {
        self.0.wanted().map_or(0.0, |(_, length)| number(to_u64(length)))
    }

    /// Takes them, or as many as could be read; answers the spans that are ready, a line of JSON each.
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
