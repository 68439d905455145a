//! The engine's tests, a module for each family.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "in a test a panic is how a failure is said"
)]

mod api;
mod as_stored;
mod bad_input;
mod chunks;
mod common;
mod compat;
mod corpus;
mod corruption;
mod crash;
mod env_contract;
mod fault;
mod hostile;
mod idb_cmp1;
mod layers;
mod open_files;
mod oracle;
mod pool;
mod pool_opens;
mod pool_view;
mod quiet;
mod quota;
mod regressions;
mod repair;
mod review;
mod salvage;
#[cfg(feature = "seeded-bugs")]
mod seeded_bugs;
mod space;
mod tombstones;
mod unlisted;
mod watch;
mod write_now;
