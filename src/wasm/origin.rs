//! The names of databases of this origin for JavaScript, which reads their bytes without a lock, while
//! the owner writes them (`src/js/storage/browser/`).

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::error::{number, set, to_js};
use super::packed::unpack;
use crate::base::to_u64;
use crate::env::{
    CHUNK_BYTES, NEWER_MAX, PoolContent, PoolName, RAW_HEADER_SIZE, chunk_file_size, chunk_names, chunk_rows,
    pool_names, raw_generation, row_of,
};
use crate::error::Error;
use crate::log::end_of_records;

/// The names of a pool: `{ sequence, newerMax, headerSize, files: [{ name, content }, { name, raw, generation, isTentative }] }`;
/// undefined if the superblocks tell none. Numbers of 64 bits are strings of digits; `sequence` is
/// undefined if the headers told the names.
///
/// `headers` has the name and the first bytes of each raw file, packed, or is missing.
#[wasm_bindgen(js_name = poolNames)]
pub fn names_of_pool(a: &[u8], b: &[u8], c: &[u8], headers: Option<Vec<u8>>) -> JsValue {
    let parts = headers.as_deref().map(|packed| unpack(packed).unwrap_or_default());
    let headers: Option<Vec<(&str, &[u8])>> = parts.map(|parts| {
        let pairs = parts.chunks_exact(2).filter_map(|pair| match pair {
            [name, bytes] => Some((std::str::from_utf8(name).ok()?, *bytes)),
            _ => None,
        });
        pairs.collect()
    });
    let Some(found) = pool_names([a, b, c], headers.as_deref()) else { return JsValue::UNDEFINED };
    let object = JsValue::from(Object::new());
    if let Some(sequence) = found.sequence {
        set(&object, "sequence", sequence.to_string());
    }
    set(&object, "newerMax", number(NEWER_MAX));
    set(&object, "headerSize", number(RAW_HEADER_SIZE));
    set(&object, "files", found.files.iter().map(pool_name).collect::<Array>());
    object
}

fn pool_name(file: &PoolName) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "name", &*file.name);
    match &file.content {
        PoolContent::Inline(bytes) => set(&object, "content", Uint8Array::from(&**bytes)),
        PoolContent::Raw { raw, generation, is_tentative } => {
            set(&object, "raw", &**raw);
            set(&object, "generation", generation.to_string());
            set(&object, "isTentative", *is_tentative);
        }
    }
    object
}

/// The generation of a raw file that begins with these bytes, in digits; undefined if they are no header.
#[wasm_bindgen(js_name = rawGeneration)]
pub fn generation_of_raw(bytes: &[u8]) -> Option<String> {
    raw_generation(bytes).ok().map(|generation| generation.to_string())
}

/// The names of a database of chunks: `{ commits, chunkBytes, files: [{ name, file, size }] }`. `loaded` is
/// the head, the keys of files and their rows, in an array.
#[wasm_bindgen(js_name = chunkNames)]
pub fn names_of_chunks(loaded: JsValue) -> Result<JsValue, JsValue> {
    let found = chunk_rows(loaded).and_then(chunk_names).map_err(|error| to_js(&error))?;
    let object = JsValue::from(Object::new());
    set(&object, "commits", number(found.commits));
    set(&object, "chunkBytes", number(CHUNK_BYTES));
    let file = |file: &crate::env::ChunkName| {
        let object = JsValue::from(Object::new());
        set(&object, "name", &*file.name);
        set(&object, "file", number(file.file));
        set(&object, "size", number(file.size));
        object
    };
    set(&object, "files", found.files.iter().map(file).collect::<Array>());
    Ok(object)
}

/// The size in the row of a file.
#[wasm_bindgen(js_name = chunkFileSize)]
pub fn size_of_chunks(row: JsValue, file: f64) -> Result<f64, JsValue> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let file = file as u64;
    chunk_file_size(row_of(row), file).map(number).map_err(|error: Error| to_js(&error))
}

/// Where the last whole record of a log or manifest ends; see `end_of_records`. -1: before these bytes.
#[wasm_bindgen(js_name = endOfRecords)]
pub fn end_of_whole_records(bytes: &[u8]) -> f64 {
    end_of_records(bytes).map_or(-1.0, |end| number(to_u64(end)))
}
