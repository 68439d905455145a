//! Runs tests in WebAssembly, in Node or in a browser, for `cargo test --target wasm32-unknown-unknown`.

use std::{env, error::Error};

fn main() -> Result<(), Box<dyn Error>> {
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(env::args_os())?;
    Ok(())
}
