//! Storages of the web. These files and `wasm` are the only ones that name JavaScript.

mod answer;
mod error;
mod foreign;
#[cfg(feature = "full")]
mod indexed_db;
mod opfs;

pub(crate) use error::thrown_as;
pub(crate) use foreign::{ForeignEnv, Storage};
#[cfg(feature = "full")]
pub(crate) use indexed_db::{chunk_database, chunk_rows, row_of};
#[cfg(feature = "testing")]
pub use opfs::opfs_directory;
pub(crate) use opfs::raw_files;
