//! Throws the message of a panic, which becomes the `cause` of the errors that callers get.

use wasm_bindgen::prelude::wasm_bindgen;

/// Makes every later panic throw an `Error` that names the file and line.
#[wasm_bindgen(start)]
fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}
