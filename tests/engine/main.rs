//! The engine's tests, a module for each family.
#![cfg(not(target_arch = "wasm32"))]

mod common;
mod oracle;
mod regressions;
