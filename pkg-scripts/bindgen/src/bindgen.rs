//! Generates JavaScript bindings for a WebAssembly module, as `wasm-bindgen` does.
//!
//! `bindgen [--web] INPUT.wasm FOLDER NAME` writes FOLDER/NAME_bg.wasm and its glue, FOLDER/NAME_bg.js; `--web` writes the glue
//! for a page without a bundler, FOLDER/NAME.js, with its types.

use std::{env, error::Error};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let web = args.first().is_some_and(|arg| arg == "--web");
    if web {
        args.remove(0);
    }
    let [input, folder, name] = args.as_slice() else {
        return Err("usage: bindgen [--web] INPUT.wasm FOLDER NAME".into());
    };
    let mut bindgen = Bindgen::new();
    if web {
        bindgen.web(true)?.typescript(true).omit_default_module_path(false);
    } else {
        // The names of functions stay: later steps of the build need them.
        bindgen.bundler(true)?.keep_debug(true);
    }
    bindgen.input_path(input).out_name(name).generate(folder)?;
    Ok(())
}
