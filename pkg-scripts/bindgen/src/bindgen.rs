//! Generates JavaScript bindings for a WebAssembly module, as `wasm-bindgen` does for bundlers.
//!
//! `bindgen INPUT.wasm FOLDER NAME` writes FOLDER/NAME_bg.wasm and its glue, FOLDER/NAME_bg.js.

use std::{env, error::Error};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [input, folder, name] = args.as_slice() else {
        return Err("usage: bindgen INPUT.wasm FOLDER NAME".into());
    };
    // The names of functions stay: later steps of the build need them.
    Bindgen::new().bundler(true)?.keep_debug(true).input_path(input).out_name(name).generate(folder)?;
    Ok(())
}
