//! The tests of tests/wasm in Node.
#![cfg(target_arch = "wasm32")]
