//! Storages of the web. These files and `wasm` are the only ones that name JavaScript.

mod answer;
mod error;
mod foreign;
mod opfs;

pub(crate) use error::thrown_as;
pub(crate) use foreign::{ForeignEnv, Storage};
#[cfg(feature = "testing")]
pub use opfs::opfs_directory;
pub(crate) use opfs::raw_files;
