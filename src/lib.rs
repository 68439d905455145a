//! Varve: a LevelDB-compatible LSM-tree storage engine, for native Rust and WebAssembly.
//!
//! ```
//! use std::rc::Rc;
//! use varve::{Db, Options, ReadOptions, block_on, env::MemoryEnv};
//!
//! block_on(async {
//!     let options = Options { create_if_missing: true, ..Options::default() };
//!     let db = Db::open(Rc::new(MemoryEnv::new()), options).await?;
//!     db.put(b"lake/suigetsu", b"Japan").await?;
//!     db.put(b"lake/van", b"Turkey").await?;
//!     let mut it = db.iter(&ReadOptions::default())?;
//!     let mut found = it.seek(b"lake/").await?;
//!     while found {
//!         println!("{}", it.key().escape_ascii());
//!         found = it.next().await?;
//!     }
//!     db.close().await
//! })?;
//! # Ok::<(), varve::Error>(())
//! ```
//!
//! # The two flows
//!
//! ```text
//! write:  batch -> log -> memtable -> flush -> table -> version -> compaction
//! read:   memtable -> version -> table cache -> block -> iterator
//! ```
//!
//! The files are LevelDB's, byte for byte; each module describes its part of the format.

mod error;
mod options;

pub mod base;
mod budget;
mod bugs;
pub mod env;
pub mod events;
mod iter;

mod batch;
mod log;
mod memtable;

mod table;

mod sst;

mod flush;
mod version;

mod compaction;

#[cfg(feature = "archive")]
mod archive;

mod db;

pub mod inspect;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

#[cfg(feature = "wasm")]
mod wasm;

#[cfg(feature = "comparators")]
pub use base::IdbComparator;
pub use base::{BloomFilterPolicy, Comparator, FileNumber, FilterPolicy, SequenceNumber, Snapshot, UserComparator};
pub use batch::{BatchOperation, WriteBatch};
pub use budget::Pause;
#[cfg(feature = "seeded-bugs")]
pub use bugs::{Bug, plant};
#[cfg(feature = "archive")]
pub use db::Export;
pub use db::{
    AtRisk, ChangePage, Counts, Db, DbIterator, DbState, LeftBehind, LogReport, LookupTrace, LostRange, OneTable,
    RecoveredFile, RecoveryReport, Remark, RepairReport, SalvageReport, Strictness, TableInfo, UnusedFile,
    VerifyReport, Watch, destroy, repair, repair_as, verify,
};
#[cfg(not(target_arch = "wasm32"))]
pub use env::block_on;
pub use env::try_now;
pub use error::{Corruption, Error, IoError, Malformed, MissingCodec, Result};
pub use options::{Compression, Options, ReadOptions, RecoveryMode, WriteOptions};
pub use sst::{TableFile, TableFileIterator};
pub use table::{EntryCount, Lookup};
pub use version::{LEVELS, TableTouched, stored_comparator};

/// Compiles the README's example with the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
