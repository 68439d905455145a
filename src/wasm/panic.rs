//! The message of a panic: thrown as an exception, it is the `cause` of the error that callers get of the instance's failure.

use wasm_bindgen::prelude::wasm_bindgen;

/// From now on a panic throws an `Error` that names the file and line.
#[wasm_bindgen(start)]
fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}
