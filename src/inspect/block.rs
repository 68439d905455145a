//! One block: removes its trailer and decompresses it, also if its checksum is wrong.

use super::span::{Range, Severity, Span, fill};
use crate::base::to_u64;
use crate::table::{
    BlockHandle, Codec, DecodeError, TRAILER_SIZE, checksum, codec_of, decompress, open_trailer, unmasked,
};

/// Larger blocks are not decoded.
const BLOCK_SIZE_MAX: usize = 64 << 20;
/// Longer keys are not looked up in filters: a small block can claim to have very many of them.
pub(super) const KEY_TESTED_MAX: usize = 4 << 10;

/// The contents of a stored block, decompressed, if possible.
pub(super) struct Opened {
    pub(super) span: Span,
    pub(super) contents: Option<Vec<u8>>,
    pub(super) raw: bool,
    pub(super) sound: bool,
}

/// The span of a block that is not decoded because of its size.
pub(super) fn too_large(kind: &'static str, handle: BlockHandle) -> Option<Span> {
    if handle.size <= to_u64(BLOCK_SIZE_MAX) {
        return None;
    }
    let mut span = Span::new(kind, handle.offset, handle.size.saturating_add(to_u64(TRAILER_SIZE)));
    let reason = fill("the block has {} bytes, at most {} are decoded", &[handle.size, to_u64(BLOCK_SIZE_MAX)]);
    span.find(Severity::Warn, "T12", (handle.offset, span.length), reason);
    Some(span)
}

/// Removes the trailer and decompresses.
///
/// `stored` should be all bytes of `handle`, with the trailer. A wrong checksum is reported, and
/// the contents are decoded as far as possible.
pub(super) fn open(kind: &'static str, handle: BlockHandle, stored: &[u8]) -> Opened {
    let length = handle.size.saturating_add(to_u64(TRAILER_SIZE));
    let mut span = Span::new(kind, handle.offset, length);
    span.number("storedSize", handle.size);
    let lost = |span: Span, sound: bool| Opened { span, contents: None, raw: false, sound };
    if to_u64(stored.len()) != length {
        span.bad("S02", (handle.offset, length), "only {} of {} bytes could be read", &[to_u64(stored.len()), length]);
        return lost(span, false);
    }
    let (Ok((contents, block_type)), Some((sealed, sum))) =
        (open_trailer(stored, false), stored.split_last_chunk::<4>())
    else {
        return lost(span, false);
    };
    let (stored_sum, computed) = (unmasked(u32::from_le_bytes(*sum)), checksum(sealed));
    let sound = stored_sum == computed;
    let codec = codec_of(block_type, contents);
    span.text("codec", codec.as_ref().map_or("unknown", |codec| codec.name()));
    span.number("codecId", u64::from(block_type));
    span.text("checksum", if sound { "sound" } else { "wrong" });
    span.number("storedChecksum", u64::from(stored_sum));
    span.number("computedChecksum", u64::from(computed));
    let at = |within: usize, size: usize| -> Range { (handle.offset.saturating_add(to_u64(within)), to_u64(size)) };
    if !sound {
        let sums = [u64::from(stored_sum), u64::from(computed)];
        span.bad("T10", at(contents.len() + 1, 4), "block checksum mismatch: {x} stored, {x} computed", &sums);
    }
    let mut out = Vec::new();
    let decompressed = codec.map_err(DecodeError::from).and_then(|codec| {
        decompress(codec, contents, BLOCK_SIZE_MAX, &mut out)?;
        Ok(codec == Codec::None)
    });
    match decompressed {
        Ok(raw) => {
            span.number("rawSize", to_u64(out.len()));
            Opened { span, contents: Some(out), raw, sound }
        }
        Err(DecodeError::NotSupported(reason)) => {
            span.find(Severity::Warn, "T11", at(contents.len(), 1), reason);
            lost(span, sound)
        }
        Err(DecodeError::TooLarge(reason)) => {
            span.find(Severity::Warn, "T12", at(0, contents.len()), reason);
            lost(span, sound)
        }
        Err(DecodeError::Malformed(malformed)) => {
            let (code, at) = if malformed.offset == to_u64(contents.len()) {
                ("T11", at(contents.len(), 1))
            } else {
                ("T12", at(0, contents.len()))
            };
            span.find(Severity::Bad, code, at, malformed.reason);
            lost(span, sound)
        }
    }
}
