//! The trailer of a block: its compression type, and a checksum of contents and type.
//!
//! ```text
//! stored block = contents, type (u8), checksum (u32)          checksum: of contents and type
//! ```
//! The contents `61 62 63` ("abc"), not compressed: `61 62 63 | 00 | 00 54 1b bf`. The format
//! defines types and checksums.

use super::codec::{Codec, Compressor};
use super::format;
use super::handle::TRAILER_SIZE;
use crate::base::{put_fixed32, to_u64};
use crate::error::Malformed;

/// The contents and type of `stored`, whose last bytes are its trailer.
#[inline]
pub(crate) fn open_trailer(stored: &[u8], verify: bool) -> Result<(&[u8], u8), Malformed> {
    let Some((sealed, checksum)) = stored.split_last_chunk::<4>() else { return Err(truncated(stored)) };
    let Some((block_type, contents)) = sealed.split_last() else { return Err(truncated(stored)) };
    if verify {
        let (stored_sum, actual) = (format::unmasked(u32::from_le_bytes(*checksum)), format::checksum(sealed));
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

impl Compressor {
    /// Appends `contents`, compressed if that saves enough, and the trailer.
    ///
    /// Returns the size without the trailer.
    pub(crate) fn store(&mut self, contents: &[u8], out: &mut Vec<u8>) -> usize {
        match self.compress(contents) {
            Some((codec, packed)) => {
                seal(packed, format::id_of(codec), out);
                packed.len()
            }
            None => store_raw(contents, out),
        }
    }
}

/// Appends `contents`, not compressed, and the trailer. Returns the size without the trailer.
pub(crate) fn store_raw(contents: &[u8], out: &mut Vec<u8>) -> usize {
    seal(contents, format::id_of(Codec::None), out);
    contents.len()
}

/// Appends `contents` and a trailer of this type.
pub(super) fn seal(contents: &[u8], block_type: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.reserve(contents.len() + TRAILER_SIZE);
    out.extend_from_slice(contents);
    out.push(block_type);
    let checksum = out.get(start..).map_or(0, format::checksum);
    put_fixed32(out, format::masked(checksum));
}
