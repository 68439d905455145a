//! What is a dialect's own in a table: the types of blocks, the checksum, the footer and its magic number. All else of a
//! table (blocks, handles, trailers, filters) is the same in LevelDB's dialect and RocksDB's.
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
