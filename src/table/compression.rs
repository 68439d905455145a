//! The trailer of every block, and the codecs.
//!
//! ```text
//! block as stored   compressed or not
//! type      u8      0 none, 1 snappy, 2 zstd (LevelDB since 2023) or zlib (Minecraft Bedrock), 4 raw deflate (Bedrock)
//! checksum  u32     masked CRC-32C of the stored bytes and the type
//! ```
//! The empty block `00 00 00 00 01 00 00 00` uncompressed has the trailer `00 c0 f2 a1 b0`. Source: LevelDB
//! `table/format.cc`.
//!
//! Lengths that a block declares are checked against a limit before anything is allocated.

use crate::base::{crc32c, decode_fixed32, mask};
use crate::error::Malformed;

/// Bytes of a trailer.
pub(crate) const TRAILER_SIZE: usize = 5;

pub(crate) const NONE: u8 = 0;
pub(crate) const SNAPPY: u8 = 1;
pub(crate) const ZSTD_OR_ZLIB: u8 = 2;
pub(crate) const RAW_DEFLATE: u8 = 4;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Appends type and checksum; `out` from `start` on is the block as stored.
pub(crate) fn append_trailer(out: &mut Vec<u8>, start: usize, block_type: u8) {
    out.push(block_type);
    let checksum = mask(crc32c(out.get(start..).unwrap_or_default()));
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Verifies the checksum if asked, and splits off the trailer. `stored` is block and trailer.
pub(crate) fn check_trailer(stored: &[u8], verify: bool) -> Result<(&[u8], u8), Malformed> {
    let end = stored.len().saturating_sub(TRAILER_SIZE);
    let (Some((block, trailer)), Some(covered)) = (stored.split_at_checked(end), stored.get(..end + 1)) else {
        return Err(Malformed::new(0, "truncated block read: no room for a trailer"));
    };
    let Some((block_type, checksum)) = trailer.split_first() else {
        return Err(Malformed::new(0, "truncated block read: no room for a trailer"));
    };
    if verify {
        let expected = mask(crc32c(covered));
        let found = decode_fixed32(checksum).unwrap_or_default();
        if found != expected {
            return Err(Malformed::new(
                to_u64(end) + 1,
                format!("block checksum mismatch: stored {found:#010x}, computed {expected:#010x}"),
            ));
        }
    }
    Ok((block, *block_type))
}

/// The decoded block, of at most `size_max` bytes; `None` if it is stored as it is.
pub(crate) fn decompress(block: &[u8], block_type: u8, size_max: u64) -> Result<Option<Vec<u8>>, Malformed> {
    match block_type {
        NONE => Ok(None),
        SNAPPY => snappy(block, size_max).map(Some),
        ZSTD_OR_ZLIB if block.starts_with(&ZSTD_MAGIC) => zstd(block, size_max).map(Some),
        ZSTD_OR_ZLIB => inflate(block, true, size_max).map(Some),
        RAW_DEFLATE => inflate(block, false, size_max).map(Some),
        other => Err(Malformed::new(to_u64(block.len()), format!("bad block type: {other}, expected 0, 1, 2 or 4"))),
    }
}

fn too_large(size: u64, size_max: u64) -> Malformed {
    Malformed::new(0, format!("block decodes to {size} bytes, at most {size_max} are taken"))
}

fn snappy(block: &[u8], size_max: u64) -> Result<Vec<u8>, Malformed> {
    let length = snap::raw::decompress_len(block)
        .map_err(|e| Malformed::new(0, format!("corrupted snappy compressed block length: {e}")))?;
    // An element of snappy makes at most 64 bytes of 3 stored ones.
    if to_u64(length) > size_max || length / 64 > block.len() {
        return Err(too_large(to_u64(length), size_max.min(to_u64(block.len()).saturating_mul(64))));
    }
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(|e| Malformed::new(0, format!("corrupted snappy compressed block contents: {e}")))
}

#[cfg(feature = "zlib")]
fn inflate(block: &[u8], zlib_header: bool, size_max: u64) -> Result<Vec<u8>, Malformed> {
    use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};
    let limit = usize::try_from(size_max).unwrap_or(usize::MAX);
    let result = if zlib_header {
        decompress_to_vec_zlib_with_limit(block, limit)
    } else {
        decompress_to_vec_with_limit(block, limit)
    };
    result.map_err(|e| match e.status {
        TINFLStatus::HasMoreOutput => too_large(size_max.saturating_add(1), size_max),
        status => Malformed::new(0, format!("corrupted zlib compressed block contents: {status:?}")),
    })
}

#[cfg(not(feature = "zlib"))]
fn inflate(_: &[u8], _: bool, _: u64) -> Result<Vec<u8>, Malformed> {
    Err(Malformed::new(0, "bad block type: this build reads no zlib blocks (feature zlib)"))
}

#[cfg(feature = "zstd")]
fn zstd(block: &[u8], size_max: u64) -> Result<Vec<u8>, Malformed> {
    use std::io::Read;
    let bad = |e: &dyn std::fmt::Display| Malformed::new(0, format!("corrupted zstd compressed block contents: {e}"));
    let mut source = block;
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(&mut source).map_err(|e| bad(&e))?;
    let declared = decoder.inner().content_size();
    if declared > size_max {
        return Err(too_large(declared, size_max));
    }
    let mut out = Vec::new();
    decoder.by_ref().take(size_max.saturating_add(1)).read_to_end(&mut out).map_err(|e| bad(&e))?;
    if to_u64(out.len()) > size_max {
        return Err(too_large(to_u64(out.len()), size_max));
    }
    Ok(out)
}

#[cfg(not(feature = "zstd"))]
fn zstd(_: &[u8], _: u64) -> Result<Vec<u8>, Malformed> {
    Err(Malformed::new(0, "bad block type: this build reads no zstd blocks (feature zstd)"))
}

/// Compresses blocks with buffers that are used again.
pub(crate) struct Compressor {
    /// Made at the first use: its tables are large.
    encoder: Option<snap::raw::Encoder>,
    scratch: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new() -> Compressor {
        Compressor { encoder: None, scratch: Vec::new() }
    }

    /// Snappy, if that saves more than an eighth.
    pub(crate) fn snappy(&mut self, raw: &[u8]) -> Option<&[u8]> {
        let room = snap::raw::max_compress_len(raw.len());
        if room == 0 {
            return None;
        }
        if self.scratch.len() < room {
            self.scratch.resize(room, 0);
        }
        let encoder = self.encoder.get_or_insert_with(snap::raw::Encoder::new);
        let length = encoder.compress(raw, &mut self.scratch).ok()?;
        (length < raw.len() - raw.len() / 8).then(|| self.scratch.get(..length)).flatten()
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let mut block = vec![0, 0, 0, 0, 1, 0, 0, 0];
        append_trailer(&mut block, 0, NONE);
        assert_eq!(block[8..], [0x00, 0xc0, 0xf2, 0xa1, 0xb0]);
        let (contents, block_type) = check_trailer(&block, true).unwrap();
        assert_eq!((contents.len(), block_type), (8, NONE));
    }

    #[test]
    fn the_checksum_of_the_published_vector() {
        let mut block = b"abc".to_vec();
        append_trailer(&mut block, 0, SNAPPY);
        assert_eq!(decode_fixed32(&block[4..]).unwrap(), mask(0xbd22_78d7));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut block = b"some contents".to_vec();
        append_trailer(&mut block, 0, NONE);
        for bit in 0..block.len() * 8 {
            let mut damaged = block.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(check_trailer(&damaged, true).is_err());
        }
        assert!(check_trailer(&block[..4], true).is_err());
    }

    #[test]
    fn bombs_are_refused_before_they_are_unpacked() {
        let declared_4g = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
        assert!(decompress(&declared_4g, SNAPPY, 1 << 20).unwrap_err().reason.contains("at most"));
        let zeros = vec![0u8; 1 << 20];
        let packed = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
        assert!(decompress(&packed, SNAPPY, 1 << 19).is_err());
        assert_eq!(decompress(&packed, SNAPPY, 1 << 20).unwrap().unwrap(), zeros);
        #[cfg(feature = "zlib")]
        {
            let packed = miniz_oxide::deflate::compress_to_vec_zlib(&zeros, 6);
            assert!(decompress(&packed, ZSTD_OR_ZLIB, 1 << 19).unwrap_err().reason.contains("at most"));
            assert_eq!(decompress(&packed, ZSTD_OR_ZLIB, 1 << 20).unwrap().unwrap(), zeros);
        }
    }

    #[test]
    fn blocks_that_save_little_are_stored_as_they_are() {
        let mut x = 1u32;
        let noise: Vec<u8> = (0..4096).map(|_| { x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); x.to_le_bytes()[3] }).collect();
        let mut compressor = Compressor::new();
        assert!(compressor.snappy(&noise).is_none());
        assert!(compressor.snappy(&[7; 4096]).is_some());
    }
}
