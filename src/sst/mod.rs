//! A single table file, without the database that it belonged to.
//!
//! ```text
//! file -> TableFile::open -> TableFileIterator: every entry, in the order of the file
//! ```

mod reader;

pub use reader::{TableFile, TableFileIterator};
