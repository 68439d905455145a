//! Storages of the web. These files and `wasm` are the only ones that name JavaScript.

mod answer;
mod error;
mod foreign;

pub(crate) use error::thrown_as;
pub(crate) use foreign::{ForeignEnv, Storage};
