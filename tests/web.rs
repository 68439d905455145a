//! The tests of tests/wasm in a browser:
//! `npm test -- --only wasm-chrome`.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "in a test a panic is how a failure is said"
)]

#[path = "engine/common/mod.rs"]
mod common;
#[path = "engine/env_contract/suite.rs"]
mod env_contract;
#[path = "engine/hostile.rs"]
mod hostile;
#[path = "engine/oracle.rs"]
mod oracle;
mod wasm;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
