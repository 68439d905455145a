//! Databases as zip archives: the files of a LevelDB directory, and nothing else.
//!
//! ```text
//! archive    = entry*, central*, [zip64 end, zip64 locator], end
//! entry      = "PK\3\4", version u16, flags u16, method u16, time u16, date u16, crc u32,
//!              stored size u32, size u32, name length u16, extra length u16,
//!              name, extra, content, [descriptor]                                30 bytes + ...
//! descriptor = ["PK\7\8"], crc u32, stored size, size (u32 each, or u64): if they were not known
//!              before the content
//! central    = "PK\1\2", made by u16, version .. size as above, name length u16,
//!              extra length u16, comment length u16, disk u16, kind u16, mode u32,
//!              offset of the entry u32, name, extra, comment                     46 bytes + ...
//! zip64 end  = "PK\6\6", size of the rest u64, made by u16, version u16, disk u32,
//!              disk of centrals u32, centrals here u64, centrals u64,
//!              bytes of centrals u64, offset of centrals u64                     56 bytes + ...
//! locator    = "PK\6\7", disk u32, offset of zip64 end u64, disks u32            20 bytes
//! end        = "PK\5\6", disk u16, disk of centrals u16, centrals here u16, centrals u16,
//!              bytes of centrals u32, offset of centrals u32, comment length u16,
//!              comment                                                           22 bytes + ...
//! extra      = (id u16, length u16, value)*; id 1: as u64, the sizes and the offset that are
//!              0xffffffff in their own fields
//! ```
//! All integers are little-endian. Written entries are stored, not deflated (blocks of tables are
//! compressed already), have their sizes and checksum before the content, and always the same date:
//! the same state of a database gives the same bytes. Archives of any tool can be read: stored or
//! deflated, with descriptors, zip64, in a folder.
//!
//! To be imported, an archive is read from front to back, as it arrives, so that it need not be kept; the
//! central directory at its end must then agree with each entry. To be looked into, it is read by that
//! directory (`directory.rs`). Source: PKWARE's APPNOTE.TXT 6.3.10.

mod crc32;
#[cfg(any(test, feature = "full"))]
mod directory;
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
mod fields;
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
mod import;
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
mod reader;
mod writer;

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::cast_possible_truncation, reason = "test numbers are small")]
mod tests;

pub(crate) use crc32::Crc32;
#[cfg(any(test, feature = "full"))]
pub(crate) use directory::{Content, End, LISTED_SIZE_MAX, Listed, TAIL_SIZE, WIDE_END_SIZE};
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
pub(crate) use import::Import;
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
pub(crate) use reader::Limits;
#[cfg(test)]
pub(crate) use reader::{Step, ZipReader};
pub(crate) use writer::ZipWriter;

const ENTRY: u32 = 0x0403_4b50;
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

/// The id of the extra field with sizes of 64 bits.
const ZIP64: u16 = 1;
/// Marks a value that is in the extra field, or not known yet.
const LATER32: u32 = u32::MAX;
const LATER16: u16 = u16::MAX;

const STORED: u16 = 0;
#[cfg(any(test, feature = "full", feature = "fuzzing"))]
const DEFLATED: u16 = 8;
