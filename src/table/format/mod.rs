//! The parts of a table that differ between dialects.
//!
//! These are block types, checksums, the footer and its magic number. Everything else (blocks,
//! handles, trailers, filters) is the same in LevelDB's tables and RocksDB's.
//!
//! ```text
//! codec_of, id_of                   the type in a trailer <-> how contents are compressed
//! checksum, masked, unmasked        of contents and type
//! Footer, FOOTER_SIZE, MAGIC        the last bytes of the file
//! ```

mod leveldb;
#[cfg(test)]
mod tests;

pub(crate) use leveldb::{FOOTER_SIZE, Footer, MAGIC, TYPE_MAX, checksum, codec_of, id_of, masked, unmasked};
