//! Codecs: they compress and decompress contents. The format assigns their numbers.
//!
//! A block is stored compressed only if that saves more than an eighth. Source: LevelDB
//! `table/format.cc`, `table/table_builder.cc`.

#[cfg(any(feature = "zlib", feature = "zstd"))]
use crate::base::to_u64;
use crate::error::{Error, Malformed, MissingCodec};
use crate::options::Compression;

/// A kind of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Not compressed.
    None,
    Snappy,
    /// Deflate with a zlib header.
    Zlib,
    Zstd,
    /// Deflate without a header.
    Deflate,
}

impl Codec {
    /// Its name, in one word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Snappy => "snappy",
            Codec::Zlib => "zlib",
            Codec::Zstd => "zstd",
            Codec::Deflate => "deflate",
        }
    }
}

/// Three bytes of Snappy decode to at most 64: a header that claims a higher ratio is wrong.
const SNAPPY_RATIO_MAX: usize = 22;

/// The reason why stored bytes cannot be decompressed.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// They are damaged.
    Malformed(Malformed),
    /// This build does not have the codec.
    #[cfg_attr(all(feature = "zlib", feature = "zstd"), expect(dead_code, reason = "this build has them all"))]
    NotSupported(String),
    /// The contents would exceed the limit.
    TooLarge(String),
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> DecodeError {
        DecodeError::Malformed(malformed)
    }
}

impl DecodeError {
    /// The same error in `file`, whose block begins at `base`.
    #[cold]
    pub(crate) fn in_file(self, file: &str, base: u64) -> Error {
        match self {
            DecodeError::Malformed(malformed) => malformed.in_file(file, base),
            DecodeError::NotSupported(reason) => {
                Error::MissingCodec(Box::new(MissingCodec { file: file.into(), offset: base, reason }))
            }
            DecodeError::TooLarge(what) => Error::LimitExceeded(format!("{file}, block at offset {base}: {what}")),
        }
    }
}

/// Decompresses `contents` into `out`, at most `size_max` bytes.
pub(crate) fn decompress(codec: Codec, contents: &[u8], size_max: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    match codec {
        Codec::None => {
            out.clear();
            out.extend_from_slice(contents);
            Ok(())
        }
        Codec::Snappy => decompress_snappy(contents, size_max, out),
        Codec::Zstd => {
            out.clear();
            decompress_zstd(contents, size_max, out)
        }
        Codec::Zlib => inflate(contents, true, size_max, out),
        Codec::Deflate => inflate(contents, false, size_max, out),
    }
}

fn too_large(size: impl std::fmt::Display, size_max: usize) -> DecodeError {
    DecodeError::TooLarge(format!("{size} bytes decompressed, at most {size_max} are allowed"))
}

/// Resizes `out` to `size` zeros; an error, not an abort, if memory is not available.
fn claim(out: &mut Vec<u8>, size: usize) -> Result<(), DecodeError> {
    reserve(out, size)?;
    out.resize(size, 0);
    Ok(())
}

/// Reserves room for `size` bytes in total.
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
    let name = if header { "zlib" } else { "deflate" };
    Err(no_codec(name, "zlib"))
}

#[cfg(feature = "zstd")]
fn decompress_zstd(contents: &[u8], size_max: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    use ruzstd::decoding::errors::FrameDecoderError;
    use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
    use std::io::Read;

    /// A window size that every decoder must support, by zstd's specification.
    const WINDOW_MIN: u64 = 8 << 20;
    /// Bytes decoded before they are read out: limits the memory that a small frame can require.
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
            // Doubled, since a frame may need many steps.
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

/// Compresses contents; reuses its buffers from block to block.
pub(crate) struct Compressor {
    compression: Compression,
    snappy: snap::raw::Encoder,
    scratch: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Compressor {
        Compressor { compression, snappy: snap::raw::Encoder::new(), scratch: Vec::new() }
    }

    /// `contents` compressed, and the codec, if that saves more than an eighth.
    pub(super) fn compress(&mut self, contents: &[u8]) -> Option<(Codec, &[u8])> {
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
                let packed = self.scratch.get(..size).unwrap_or_default();
                (size < contents.len() - contents.len() / 8).then_some((Codec::Snappy, packed))
            }
        }
    }
}
