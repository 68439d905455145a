//! The record format of write-ahead logs and manifests.
//!
//! A file is a sequence of blocks of 32 KiB; the last one may be shorter. A record is split into
//! fragments so that none crosses the end of a block; after damage, a reader can therefore continue
//! at the next block.
//!
//! ```text
//! block     fragment fragment ... trailer           fewer than 7 bytes left: zeros
//! fragment  checksum u32   masked CRC-32C of type and payload
//!           length   u16   of the payload
//!           type     u8    1 full   the whole record
//!                          2 first, 3 middle ..., 4 last
//!                          0 with length 0: space that a writer set aside and never used
//!           payload
//! ```
//! Integers are little-endian. With exactly 7 bytes left in a block, a record begins with an empty
//! `first` fragment. An empty record is one `full` fragment of length 0. For example, the log of a
//! new database after put(a, 1) begins:
//!
//! ```text
//! e9 9f 78 19   checksum
//! 11 00         17 bytes
//! 01            full
//! 01 00 00 00 00 00 00 00  01 00 00 00  01 01 61 01 31     the write batch (batch.rs)
//! ```
//! Source: LevelDB `doc/log_format.md`, `db/log_{reader,writer}.cc`.

mod blocks;
mod doubt;
mod fragment;
mod reader;
mod salvage;
mod scan;
#[cfg(any(feature = "full", test))]
mod whole;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use doubt::Doubt;
pub(crate) use fragment::{FragmentHeader, FragmentType, Trouble, check, checksum, is_sound};
pub(crate) use reader::{LogReader, Record, Semantics, Tail};
pub(crate) use scan::{CHECKSUM_BYTES_MAX, find_fragment};
#[cfg(feature = "full")]
pub(crate) use whole::end_of_records;
#[cfg(feature = "fuzzing")]
pub(crate) use writer::frame_record;
pub(crate) use writer::{AT_ONCE_MAX, Begun, LogWriter};

/// Size of a block.
pub(crate) const BLOCK_SIZE: usize = 32 << 10;
/// The same, as an offset.
const BLOCK_SIZE_U64: u64 = 32 << 10;
/// Size of the header before a payload.
pub(crate) const HEADER_SIZE: usize = 7;
/// The same, as an offset.
const HEADER_SIZE_U64: u64 = 7;
/// The default limit of a record that is read: 1 GiB.
pub(crate) const RECORD_SIZE_MAX: u64 = 1 << 30;

const _: () = assert!(BLOCK_SIZE - HEADER_SIZE <= 0xffff, "a payload's length fits 16 bits");

/// The position of an offset in its block.
fn block_position(offset: u64) -> usize {
    usize::try_from(offset % BLOCK_SIZE_U64).unwrap_or(0)
}
