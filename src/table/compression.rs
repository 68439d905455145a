//! How a block's contents become stored bytes: the trailer and the codecs.
//!
//! ```text
//! stored block = contents, type (u8), checksum (u32)          checksum = mask(crc32c(contents, type))
//! type: 0 as it is, 1 snappy, 2 zlib or zstd, 3 zstd, 4 raw deflate
//! ```
//! The contents `61 62 63` ("abc"), stored as they are: `61 62 63 | 00 | 00 54 1b bf`.
//!
//! Id 2 has two owners: Minecraft's fork writes zlib there, LevelDB since 2023 zstd. The content tells: a zstd frame begins
//! `28 b5 2f fd`, zlib with a byte whose low half is 8. Ids 3 and 4 are the fork's. A block is stored compressed only if
//! that saves more than an eighth. Source: LevelDB `table/format.cc`, `table/table_builder.cc`.

use crate::base::{crc32c, mask, put_fixed32, to_u64, unmask};
use crate::error::{Error, Malformed};
use crate::options::Compression;

/// Bytes of type and checksum.
pub(crate) const TRAILER_SIZE: usize = 5;

const NONE: u8 = 0;
const SNAPPY: u8 = 1;
const ZLIB_OR_ZSTD: u8 = 2;
const ZSTD: u8 = 3;
const DEFLATE: u8 = 4;

/// Three bytes of Snappy make at most 64: a header that claims more than this many times its input lies.
const SNAPPY_RATIO_MAX: usize = 22;

/// Why stored bytes do not become contents.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// They are damaged.
    Malformed(Malformed),
    /// This build has no codec for them.
    #[cfg_attr(all(feature = "zlib", feature = "zstd"), expect(dead_code, reason = "this build has them all"))]
    NotSupported(String),
    /// The contents would be larger than allowed.
    TooLarge(String),
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> DecodeError {
        DecodeError::Malformed(malformed)
    }
}

impl DecodeError {
    /// The same, in `file`, whose block begins at `base`.
    #[cold]
    pub(crate) fn in_file(self, file: &str, base: u64) -> Error {
        match self {
            DecodeError::Malformed(malformed) => malformed.in_file(file, base),
            DecodeError::NotSupported(what) => Error::NotSupported(format!("{file}, block at offset {base}: {what}")),
            DecodeError::TooLarge(what) => Error::LimitExceeded(format!("{file}, block at offset {base}: {what}")),
        }
    }
}

/// Contents and type of `stored`, whose last bytes are its trailer.
#[inline]
pub(crate) fn open_trailer(stored: &[u8], verify: bool) -> Result<(&[u8], u8), Malformed> {
    let Some((sealed, checksum)) = stored.split_last_chunk::<4>() else { return Err(truncated(stored)) };
    let Some((block_type, contents)) = sealed.split_last() else { return Err(truncated(stored)) };
    if verify {
        let (stored_sum, actual) = (unmask(u32::from_le_bytes(*checksum)), crc32c(sealed));
        if stored_sum != actual {
            let offset = to_u64(contents.len()).saturating_add(1);
            let reason = format!(
                "block checksum mismatch: stored {stored_sum:08x}, the {} bytes before it have {actual:08x}",
                sealed.len()
            );
            return Err(Malformed::new(offset, reason));
        }
    }
    Ok((contents, *block_type))
}

#[cold]
fn truncated(stored: &[u8]) -> Malformed {
    Malformed::new(0, format!("truncated block read: {} bytes, expected at least {TRAILER_SIZE}", stored.len()))
}

/// Whether contents of this type are stored as they are.
#[inline]
pub(crate) fn is_raw(block_type: u8) -> bool {
    block_type == NONE
}

/// What compressed `contents` of this type, in one word.
pub(crate) fn codec_name(block_type: u8, contents: &[u8]) -> &'static str {
    match block_type {
        NONE => "none",
        SNAPPY => "snappy",
        ZLIB_OR_ZSTD | ZSTD if contents.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => "zstd",
        ZLIB_OR_ZSTD if is_zlib(contents) => "zlib",
        DEFLATE => "deflate",
        _ => "unknown",
    }
}

/// What `contents` of `block_type` decompress to, into `out`, at most `size_max` bytes.
pub(crate) fn decompress(
    block_type: u8,
    contents: &[u8],
    size_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    match block_type {
        NONE => {
            out.clear();
            out.extend_from_slice(contents);
            Ok(())
        }
        SNAPPY => decompress_snappy(contents, size_max, out),
        ZLIB_OR_ZSTD | ZSTD if contents.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
            out.clear();
            decompress_zstd(contents, size_max, out)
        }
        ZLIB_OR_ZSTD if is_zlib(contents) => inflate(contents, true, size_max, out),
        DEFLATE => inflate(contents, false, size_max, out),
        other => {
            let offset = to_u64(contents.len());
            let known = if matches!(other, ZLIB_OR_ZSTD | ZSTD) { ", and neither zlib nor zstd before it" } else { "" };
            Err(Malformed::new(offset, format!("bad block type: {other}{known}")).into())
        }
    }
}

fn is_zlib(contents: &[u8]) -> bool {
    matches!(contents, [a, b, ..] if a & 0x0f == 8 && (u32::from(*a) * 256 + u32::from(*b)).is_multiple_of(31))
}

fn too_large(size: impl std::fmt::Display, size_max: usize) -> DecodeError {
    DecodeError::TooLarge(format!("{size} bytes decompressed, at most {size_max} are allowed"))
}

/// Makes `out` exactly `size` zeros, without aborting where memory is short.
fn claim(out: &mut Vec<u8>, size: usize) -> Result<(), DecodeError> {
    reserve(out, size)?;
    out.resize(size, 0);
    Ok(())
}

/// Makes room for `size` bytes in all.
fn reserve(out: &mut Vec<u8>, size: usize) -> Result<(), DecodeError> {
    if out.capacity() < size && out.try_reserve_exact(size - out.len()).is_err() {
        return Err(DecodeError::TooLarge(format!("{size} bytes decompressed, more than memory has")));
    }
    Ok(())
}

fn decompress_snappy(contents: &[u8], size_max: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let bad = |reason: String| DecodeError::Malformed(Malformed::new(0, reason));
    let size = snap::raw::decompress_len(contents)
        .map_err(|e| bad(format!("corrupted snappy compressed block length: {e}")))?;
    if size > contents.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(bad(format!(
            "corrupted snappy compressed block length: {size} bytes cannot come from {}",
            contents.len()
        )));
    }
    if size > size_max {
        return Err(too_large(size, size_max));
    }
    claim(out, size)?;
    let written = snap::raw::Decoder::new()
        .decompress(contents, out)
        .map_err(|e| bad(format!("corrupted snappy compressed block contents: {e}")))?;
    out.truncate(written);
    Ok(())
}

#[cfg(feature = "zlib")]
fn inflate(contents: &[u8], header: bool, size_max: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    use miniz_oxide::inflate::core::inflate_flags::{
        TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    };
    use miniz_oxide::inflate::{TINFLStatus, core::DecompressorOxide, core::decompress};

    let name = if header { "zlib" } else { "deflate" };
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | if header { TINFL_FLAG_PARSE_ZLIB_HEADER } else { 0 };
    let mut decoder = Box::<DecompressorOxide>::default();
    claim(out, contents.len().saturating_mul(4).max(1 << 12).min(size_max))?;
    let (mut rest, mut written) = (contents, 0);
    loop {
        let (status, consumed, produced) = decompress(&mut decoder, rest, out, written, flags);
        written += produced;
        rest = rest.get(consumed..).unwrap_or_default();
        match status {
            TINFLStatus::Done => break,
            TINFLStatus::HasMoreOutput if out.len() >= size_max => {
                return Err(too_large(format_args!("more than {written}"), size_max));
            }
            TINFLStatus::HasMoreOutput => {
                let larger = out.len().saturating_mul(2).clamp(1, size_max);
                claim(out, larger)?;
            }
            other => {
                let at = to_u64(contents.len() - rest.len());
                let reason = format!("corrupted {name} compressed block contents: {other:?}");
                return Err(Malformed::new(at, reason).into());
            }
        }
    }
    out.truncate(written);
    out.shrink_to_fit();
    Ok(())
}

#[cfg(not(feature = "zlib"))]
fn inflate(_: &[u8], header: bool, _: usize, _: &mut Vec<u8>) -> Result<(), DecodeError> {
    let name = if header { "zlib (id 2)" } else { "deflate (id 4)" };
    Err(no_codec(name, "zlib"))
}

#[cfg(feature = "zstd")]
fn decompress_zstd(contents: &[u8], size_max: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    use ruzstd::decoding::errors::FrameDecoderError;
    use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
    use std::io::Read;

    /// A window that is always allowed, as zstd's specification asks.
    const WINDOW_MIN: u64 = 8 << 20;
    /// Bytes decoded before they are taken out: bounds what a small frame can make the decoder hold.
    const STEP: usize = 1 << 18;

    let bad = |at: usize, reason: String| DecodeError::Malformed(Malformed::new(to_u64(at), reason));
    let cap = to_u64(size_max);
    let mut rest = contents;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(cap.max(WINDOW_MIN));
    match decoder.init(&mut rest) {
        Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => return Err(too_large(requested, size_max)),
        result => result.map_err(|e| bad(0, format!("corrupted zstd compressed block length: {e}")))?,
    }
    let declared = decoder.content_size();
    if declared > cap {
        return Err(too_large(declared, size_max));
    }
    let mut written = 0;
    loop {
        let finished = decoder
            .decode_blocks(&mut rest, BlockDecodingStrategy::UptoBytes(STEP))
            .map_err(|e| bad(contents.len() - rest.len(), format!("corrupted zstd compressed block contents: {e}")))?;
        let ready = decoder.can_collect();
        if ready > size_max - written {
            return Err(too_large(format_args!("more than {}", written + ready), size_max));
        }
        if out.capacity() < written + ready {
            // Doubled, since a frame may come in many steps.
            reserve(out, out.capacity().saturating_mul(2).clamp(written + ready, size_max))?;
        }
        claim(out, written + ready)?;
        while let Some(target) = out.get_mut(written..)
            && !target.is_empty()
        {
            match decoder.read(target) {
                Ok(count @ 1..) => written += count,
                _ => return Err(bad(0, "corrupted zstd compressed block contents: no output".into())),
            }
        }
        if finished {
            break;
        }
    }
    if !rest.is_empty() {
        let reason = format!("corrupted zstd compressed block contents: {} bytes after the frame", rest.len());
        return Err(bad(contents.len() - rest.len(), reason));
    }
    if declared != 0 && u64::try_from(written).ok() != Some(declared) {
        return Err(bad(0, format!("corrupted zstd compressed block length: {declared} declared, {written} found")));
    }
    Ok(())
}

#[cfg(not(feature = "zstd"))]
fn decompress_zstd(_: &[u8], _: usize, _: &mut Vec<u8>) -> Result<(), DecodeError> {
    Err(no_codec("zstd (id 2)", "zstd"))
}

#[cfg(not(all(feature = "zlib", feature = "zstd")))]
fn no_codec(name: &str, feature: &str) -> DecodeError {
    let advice = if cfg!(feature = "wasm") {
        "import Varve from 'varve/full', whose module reads it".to_owned()
    } else {
        format!("enable the feature `{feature}`")
    };
    DecodeError::NotSupported(format!("compressed with {name}, which this build does not read: {advice}"))
}

/// Turns contents into stored bytes; keeps its buffers from block to block.
pub(crate) struct Compressor {
    compression: Compression,
    snappy: snap::raw::Encoder,
    scratch: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Compressor {
        Compressor { compression, snappy: snap::raw::Encoder::new(), scratch: Vec::new() }
    }

    /// Appends `contents`, compressed if that is worth it, and the trailer. Answers the size without the trailer.
    pub(crate) fn store(&mut self, contents: &[u8], out: &mut Vec<u8>) -> usize {
        match self.compress(contents) {
            Some(size) => {
                let packed = self.scratch.get(..size).unwrap_or_default();
                seal(packed, SNAPPY, out);
                size
            }
            None => store_raw(contents, out),
        }
    }

    /// The size of `contents` compressed into `scratch`, if that saves more than an eighth.
    fn compress(&mut self, contents: &[u8]) -> Option<usize> {
        match self.compression {
            Compression::None => None,
            Compression::Snappy => {
                let bound = snap::raw::max_compress_len(contents.len());
                if bound == 0 {
                    return None; // more than 4 GiB
                }
                if self.scratch.len() < bound {
                    self.scratch.resize(bound, 0);
                }
                let size = self.snappy.compress(contents, &mut self.scratch).ok()?;
                (size < contents.len() - contents.len() / 8).then_some(size)
            }
        }
    }
}

/// Appends `contents` as they are, and the trailer. Answers the size without the trailer.
pub(crate) fn store_raw(contents: &[u8], out: &mut Vec<u8>) -> usize {
    seal(contents, NONE, out);
    contents.len()
}

fn seal(contents: &[u8], block_type: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.reserve(contents.len() + TRAILER_SIZE);
    out.extend_from_slice(contents);
    out.push(block_type);
    let checksum = out.get(start..).map_or(0, crc32c);
    put_fixed32(out, mask(checksum));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reopen(stored: &[u8], size_max: usize) -> Result<Vec<u8>, DecodeError> {
        let (contents, block_type) = open_trailer(stored, true)?;
        let mut out = Vec::new();
        decompress(block_type, contents, size_max, &mut out).map(|()| out)
    }

    fn sealed(contents: &[u8], block_type: u8) -> Vec<u8> {
        let mut out = Vec::new();
        seal(contents, block_type, &mut out);
        out
    }

    fn reason(error: DecodeError) -> String {
        match error {
            DecodeError::Malformed(m) => m.reason,
            DecodeError::NotSupported(s) | DecodeError::TooLarge(s) => s,
        }
    }

    #[test]
    fn the_worked_example() {
        let mut out = Vec::new();
        assert_eq!(store_raw(b"abc", &mut out), 3);
        assert_eq!(out, [0x61, 0x62, 0x63, 0x00, 0x00, 0x54, 0x1b, 0xbf]);
        assert_eq!(reopen(&out, 3).unwrap(), b"abc");
        // formats.md section 11 has the same with type 1: bd2278d7 as stored.
        assert_eq!(sealed(b"abc", 1)[4..], 0xbd22_78d7_u32.to_le_bytes());
    }

    #[test]
    fn a_block_is_compressed_only_if_that_saves_an_eighth() {
        let mut compressor = Compressor::new(Compression::Snappy);
        let mut out = Vec::new();
        let size = compressor.store(&[7; 4096], &mut out);
        assert!(size < 400);
        assert_eq!(out[size], SNAPPY);
        assert_eq!(reopen(&out, 4096).unwrap(), [7; 4096]);
        let mut x = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            x.to_le_bytes()[3]
        })
        .take(4096)
        .collect();
        out.clear();
        assert_eq!(compressor.store(&noise, &mut out), 4096);
        assert_eq!(out[4096], NONE);
        let mut plain = Vec::new();
        assert_eq!(Compressor::new(Compression::None).store(&[7; 4096], &mut plain), 4096);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let stored = sealed(b"some contents", NONE);
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = open_trailer(&flipped, true).unwrap_err();
            assert!(error.reason.starts_with("block checksum mismatch: stored"), "{}", error.reason);
        }
        assert!(open_trailer(&stored[..4], true).unwrap_err().reason.starts_with("truncated block read"));
    }

    #[test]
    fn a_header_that_claims_gigabytes_allocates_nothing() {
        // varint 0xffffffff, then a literal
        let bomb = sealed(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61], SNAPPY);
        let error = reopen(&bomb, usize::MAX).unwrap_err();
        assert!(reason(error).starts_with("corrupted snappy compressed block length: 4294967295 bytes cannot"));
        let honest = snap::raw::Encoder::new().compress_vec(&[0; 100_000]).unwrap();
        let error = reopen(&sealed(&honest, SNAPPY), 99_999).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge(_)));
        assert_eq!(reopen(&sealed(&honest, SNAPPY), 100_000).unwrap().len(), 100_000);
    }

    #[test]
    fn unknown_types_are_named() {
        for (contents, block_type) in [(&b"x"[..], 5u8), (b"x", 255), (b"ab", 2), (b"x\x9c", 3)] {
            let error = reopen(&sealed(contents, block_type), 100).unwrap_err();
            assert!(reason(error).starts_with(&format!("bad block type: {block_type}")));
        }
    }

    #[cfg(feature = "zlib")]
    #[test]
    fn zlib_and_deflate_are_read_up_to_their_limit() {
        let data: Vec<u8> = (0u32..50_000).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let zlib = sealed(&miniz_oxide::deflate::compress_to_vec_zlib(&data, 6), ZLIB_OR_ZSTD);
        let raw = sealed(&miniz_oxide::deflate::compress_to_vec(&data, 6), DEFLATE);
        for stored in [zlib, raw] {
            assert_eq!(reopen(&stored, data.len()).unwrap(), data);
            assert_eq!(reopen(&stored, usize::MAX).unwrap(), data);
            assert!(matches!(reopen(&stored, data.len() - 1), Err(DecodeError::TooLarge(_))));
            let cut = sealed(&stored[..stored.len() / 2], stored[stored.len() - 5]);
            assert!(reason(reopen(&cut, data.len()).unwrap_err()).contains("compressed block contents"));
        }
        let bomb = miniz_oxide::deflate::compress_to_vec(&vec![0; 10 << 20], 9);
        assert!(bomb.len() < 16 << 10);
        assert!(matches!(reopen(&sealed(&bomb, DEFLATE), 1 << 20), Err(DecodeError::TooLarge(_))));
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_read_up_to_its_limit() {
        let data: Vec<u8> = (0u32..50_000).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let frame = ruzstd::encoding::compress_to_vec(&data[..], level);
        for block_type in [ZLIB_OR_ZSTD, ZSTD] {
            let stored = sealed(&frame, block_type);
            assert_eq!(reopen(&stored, data.len()).unwrap(), data);
            assert!(matches!(reopen(&stored, data.len() - 1), Err(DecodeError::TooLarge(_))));
        }
        for cut in 0..frame.len().min(300) {
            assert!(reopen(&sealed(&frame[..cut], ZLIB_OR_ZSTD), data.len()).is_err());
        }
        // A frame of no known size, window 2^41: refused before anything is allocated.
        let window = sealed(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00], ZSTD);
        assert!(reopen(&window, 1 << 20).is_err());
    }

    #[test]
    fn any_bytes_under_any_type_end_in_an_answer() {
        let mut x = 3u64;
        for length in 0..2000usize {
            let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                x.to_be_bytes()[0]
            })
            .take(length % 200)
            .collect();
            match length % 4 {
                0 => bytes.splice(..0, [0x28, 0xb5, 0x2f, 0xfd]).for_each(drop),
                1 => bytes.splice(..0, [0x78, 0x9c]).for_each(drop),
                _ => {}
            }
            for block_type in 0..6 {
                let mut out = Vec::new();
                let _ = decompress(block_type, &bytes, 1 << 16, &mut out);
                assert!(out.capacity() <= (1 << 16) + 64);
            }
        }
    }
}
