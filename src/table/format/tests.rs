//! Seals blocks of every type and opens them again.

use super::codec_of;
use super::leveldb::{DEFLATE, NONE, SNAPPY, ZLIB_OR_ZSTD, ZSTD};
use crate::options::Compression;
use crate::table::codec::{Compressor, DecodeError, decompress};
use crate::table::trailer::{open_trailer, seal, store_raw};

fn reopen(stored: &[u8], size_max: usize) -> Result<Vec<u8>, DecodeError> {
    let (contents, block_type) = open_trailer(stored, true)?;
    let mut out = Vec::new();
    decompress(codec_of(block_type, contents)?, contents, size_max, &mut out).map(|()| out)
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
fn trailer_matches_the_worked_example() {
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
fn every_flipped_bit_is_detected() {
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
fn unknown_types_are_named_in_the_error() {
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
    // A frame of unknown size, window 2^41: refused before anything is allocated.
    let window = sealed(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00], ZSTD);
    assert!(reopen(&window, 1 << 20).is_err());
}

#[test]
fn any_bytes_of_any_type_decode_or_are_an_error() {
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
            let _ = codec_of(block_type, &bytes).map(|codec| decompress(codec, &bytes, 1 << 16, &mut out));
            assert!(out.capacity() <= (1 << 16) + 64);
        }
    }
}
