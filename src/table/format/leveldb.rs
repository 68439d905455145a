//! LevelDB's tables: the types of their blocks, their checksums and their footer.
//!
//! ```text
//! type          0 as it is, 1 snappy, 2 zlib or zstd, 3 zstd, 4 raw deflate
//! checksum      mask(crc32c(contents, type))
//! footer        metaindex handle, index handle, zeros to 40 bytes, magic (u64)                         48 bytes, last
//! ```
//! Type 2 has two meanings: zlib in Minecraft's fork, zstd in LevelDB since 2023. The contents
//! distinguish them: a zstd frame begins with `28 b5 2f fd`, zlib with a byte whose low half is 8.
//! Types 3 and 4 are the fork's.
//!
//! The footer of a table without entries, metaindex (8 bytes) at 0, index (8 bytes) at 13:
//!
//! ```text
//! 00 08 | 0d 08 | 00 * 36 | 57 fb 80 8b 24 75 47 db
//! ```
//! Source: LevelDB `table/format.{h,cc}`.

use crate::base::{Input, crc32c, mask, put_fixed64, to_u64, unmask};
use crate::error::Malformed;
use crate::table::codec::Codec;
use crate::table::handle::BlockHandle;

/// Bytes of a footer.
pub(crate) const FOOTER_SIZE: usize = 48;
/// The last eight bytes of a LevelDB table.
pub(crate) const MAGIC: u64 = 0xdb47_7524_8b80_fb57;

const HANDLES_SIZE: usize = FOOTER_SIZE - 8;

pub(super) const NONE: u8 = 0;
pub(super) const SNAPPY: u8 = 1;
pub(super) const ZLIB_OR_ZSTD: u8 = 2;
pub(super) const ZSTD: u8 = 3;
pub(super) const DEFLATE: u8 = 4;
/// The highest type of a block.
pub(crate) const TYPE_MAX: u8 = DEFLATE;

const ZSTD_FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The compression of a block of this type; `contents` are its stored contents.
#[inline]
pub(crate) fn codec_of(block_type: u8, contents: &[u8]) -> Result<Codec, Malformed> {
    match block_type {
        NONE => Ok(Codec::None),
        SNAPPY => Ok(Codec::Snappy),
        ZLIB_OR_ZSTD | ZSTD if contents.starts_with(&ZSTD_FRAME) => Ok(Codec::Zstd),
        ZLIB_OR_ZSTD if is_zlib(contents) => Ok(Codec::Zlib),
        DEFLATE => Ok(Codec::Deflate),
        other => Err(bad_type(other, contents)),
    }
}

#[cold]
fn bad_type(block_type: u8, contents: &[u8]) -> Malformed {
    let offset = to_u64(contents.len());
    let known = if matches!(block_type, ZLIB_OR_ZSTD | ZSTD) { ", and neither zlib nor zstd before it" } else { "" };
    Malformed::new(offset, format!("bad block type: {block_type}{known}"))
}

fn is_zlib(contents: &[u8]) -> bool {
    matches!(contents, [a, b, ..] if a & 0x0f == 8 && (u32::from(*a) * 256 + u32::from(*b)).is_multiple_of(31))
}

/// The block type for this compression.
#[inline]
pub(crate) fn id_of(codec: Codec) -> u8 {
    match codec {
        Codec::None => NONE,
        Codec::Snappy => SNAPPY,
        Codec::Zlib => ZLIB_OR_ZSTD,
        Codec::Zstd => ZSTD,
        Codec::Deflate => DEFLATE,
    }
}

/// The checksum of contents and type.
#[inline]
pub(crate) fn checksum(sealed: &[u8]) -> u32 {
    crc32c(sealed)
}

/// A checksum, encoded.
#[inline]
pub(crate) fn masked(checksum: u32) -> u32 {
    mask(checksum)
}

/// A checksum, decoded.
#[inline]
pub(crate) fn unmasked(stored: u32) -> u32 {
    unmask(stored)
}

/// The end of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) metaindex: BlockHandle,
    pub(crate) index: BlockHandle,
}

impl Footer {
    /// Appends [`FOOTER_SIZE`] bytes.
    pub(crate) fn encode_to(self, out: &mut Vec<u8>) {
        let start = out.len();
        self.metaindex.encode_to(out);
        self.index.encode_to(out);
        out.resize(start + HANDLES_SIZE, 0);
        put_fixed64(out, MAGIC);
    }

    /// Decodes the last [`FOOTER_SIZE`] bytes of a file; errors have offsets in the footer.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Footer, Malformed> {
        let Some((handles, magic)) = bytes.split_last_chunk::<8>() else {
            return Err(Malformed::new(0, format!("not an sstable (footer too short): {} bytes", bytes.len())));
        };
        let magic = u64::from_le_bytes(*magic);
        if magic != MAGIC {
            let offset = to_u64(handles.len());
            return Err(Malformed::new(
                offset,
                format!("not an sstable (bad magic number): {magic:016x}, expected {MAGIC:016x}"),
            ));
        }
        if handles.len() < HANDLES_SIZE {
            return Err(Malformed::new(0, format!("not an sstable (footer too short): {} bytes", bytes.len())));
        }
        let mut input = Input::new(handles);
        Ok(Footer { metaindex: BlockHandle::decode(&mut input)?, index: BlockHandle::decode(&mut input)? })
    }

    /// Refuses a footer with unusual varints in its handles, or other bytes than zeros after them.
    ///
    /// Nothing is read there, so only the strict mode checks it.
    pub(crate) fn check_padding(self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut expected = Vec::with_capacity(FOOTER_SIZE);
        self.encode_to(&mut expected);
        match expected.iter().zip(bytes).position(|(a, b)| a != b) {
            None => Ok(()),
            Some(at) => {
                let offset = to_u64(at);
                Err(Malformed::new(offset, "the footer's bytes after the handles are not zeros"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footer_matches_the_worked_example() {
        let footer =
            Footer { metaindex: BlockHandle { offset: 0, size: 8 }, index: BlockHandle { offset: 13, size: 8 } };
        let mut bytes = Vec::new();
        footer.encode_to(&mut bytes);
        let mut expected = vec![0, 8, 13, 8];
        expected.extend([0; 36]);
        expected.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
        assert_eq!(bytes, expected);
        assert_eq!(Footer::decode(&bytes).unwrap(), footer);
    }

    #[test]
    fn the_largest_handles_fit_in_a_footer() {
        let largest = BlockHandle { offset: u64::MAX, size: u64::MAX };
        let mut bytes = Vec::new();
        Footer { metaindex: largest, index: largest }.encode_to(&mut bytes);
        assert_eq!(bytes.len(), FOOTER_SIZE);
        assert_eq!(Footer::decode(&bytes).unwrap().index, largest);
        assert_eq!(largest.end(), None);
        assert!(largest.stored_size(u64::MAX).is_err());
    }

    #[test]
    fn a_bad_footer_is_refused_with_its_reason() {
        let mut bytes = Vec::new();
        let handle = BlockHandle { offset: 0, size: 8 };
        Footer { metaindex: handle, index: handle }.encode_to(&mut bytes);
        let mut flipped = bytes.clone();
        flipped[47] ^= 1;
        let error = Footer::decode(&flipped).unwrap_err();
        assert_eq!(error.offset, 40);
        assert!(error.reason.starts_with("not an sstable (bad magic number): da47"), "{}", error.reason);
        assert!(Footer::decode(&bytes[..7]).unwrap_err().reason.contains("footer too short"));
        assert!(Footer::decode(&bytes[1..]).unwrap_err().reason.contains("footer too short"));
        let mut endless = bytes.clone();
        endless[..40].fill(0xff);
        assert!(Footer::decode(&endless).unwrap_err().reason.starts_with("bad block handle: offset"));
    }
}
