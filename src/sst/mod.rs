//! A single table file, without the database that it belonged to.
//!
//! ```text
//! file -> TableFile::open -> TableFileIterator: every entry, in the order of the file
//! entries -> TableStream -> the bytes of a table, piece by piece
//! ```

mod reader;
mod stream;

pub use reader::{TableFile, TableFileIterator};
pub(crate) use stream::TableStream;
