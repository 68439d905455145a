//! The filters of a table for JavaScript.

use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::number;
use super::inspect::integer;
use crate::inspect::{self, FilterView, Rule};

/// See [`FilterView`].
#[wasm_bindgen]
pub struct Filters(FilterView);

/// Opens a filter block and the index, or throws why it cannot be used. `comparator`: of the manifest;
/// empty if it is not known.
#[wasm_bindgen(js_name = openFilters)]
pub fn open_filters(name: &[u8], contents: Vec<u8>, index: Vec<u8>, comparator: &str) -> Result<Filters, JsError> {
    let rule = Rule::named(comparator.as_bytes());
    FilterView::open(name, contents, index, &rule).map(Filters).map_err(|reason| JsError::new(&reason))
}

/// See [`inspect::block_has`].
#[wasm_bindgen(js_name = blockHas)]
pub fn block_has(contents: Vec<u8>, key: &[u8], comparator: &str) -> bool {
    inspect::block_has(contents, key, &Rule::named(comparator.as_bytes()))
}

#[wasm_bindgen]
impl Filters {
    /// The base-2 logarithm of the bytes of file that each covers.
    #[wasm_bindgen(js_name = baseLg)]
    pub fn base_lg(&self) -> u8 {
        self.0.base_lg()
    }

    /// Their number.
    pub fn count(&self) -> f64 {
        number(self.0.count())
    }

    /// One row of 16 bytes for each.
    pub fn rows(&self) -> Vec<u8> {
        self.0.rows()
    }

    /// Whether blocks can be found by keys: their order is known.
    #[wasm_bindgen(js_name = knowsOrder)]
    pub fn knows_order(&self) -> bool {
        self.0.knows_order()
    }

    /// Offset and size of the data block that can have the key, and the filter's number; empty: none.
    pub fn locate(&self, key: &[u8]) -> Vec<f64> {
        let found = self.0.locate(key);
        found.map_or(Vec::new(), |(offset, size, slot)| vec![number(offset), number(size), number(slot)])
    }

    /// Whether the filter of the block at this offset may have the key.
    #[wasm_bindgen(js_name = mayMatch)]
    pub fn may_match(&self, offset: f64, key: &[u8]) -> bool {
        self.0.may_match(integer(offset), key)
    }

    /// The bits that the key asks for, each doubled, and one more if it is set.
    pub fn bits(&self, slot: f64, key: &[u8]) -> Vec<f64> {
        let bits = self.0.bits(integer(slot), key);
        bits.iter().map(|(bit, is_set)| f64::from(*bit) * 2.0 + f64::from(u8::from(*is_set))).collect()
    }

    /// How many keys that were made up were asked for, and how many passed.
    pub fn measure(&self, count: f64, seed: f64) -> Vec<f64> {
        let (asked, passed) = self.0.measure(integer(count), integer(seed));
        vec![number(asked), number(passed)]
    }
}
