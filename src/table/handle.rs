//! Block handles: offset and size of a block in its file.
//!
//! ```text
//! block handle  varint64 offset, varint64 size           size: of the contents, without the five bytes of the trailer
//! ```
//! A handle may be followed by bytes of newer versions; they are ignored. Source: LevelDB
//! `table/format.{h,cc}`.

use crate::base::{Input, put_varint64};
use crate::error::Malformed;

/// Size of the trailer after every block: type and checksum.
pub(crate) const TRAILER_SIZE: usize = 5;

/// The offset and size of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlockHandle {
    /// Offset of its first byte in the file.
    pub(crate) offset: u64,
    /// Size of its stored contents, without the trailer.
    pub(crate) size: u64,
}

impl BlockHandle {
    /// Appends two to twenty bytes.
    pub(crate) fn encode_to(self, out: &mut Vec<u8>) {
        put_varint64(out, self.offset);
        put_varint64(out, self.size);
    }

    /// Decodes the next handle of `input`.
    pub(crate) fn decode(input: &mut Input<'_>) -> Result<BlockHandle, Malformed> {
        Ok(BlockHandle {
            offset: input.varint64("bad block handle: offset")?,
            size: input.varint64("bad block handle: size")?,
        })
    }

    /// The handle at the beginning of an index entry's value.
    #[inline]
    pub(crate) fn decode_value(value: &[u8]) -> Result<BlockHandle, Malformed> {
        BlockHandle::decode(&mut Input::new(value))
    }

    /// The end of the block's trailer; `None` past 2^64.
    pub(crate) fn end(self) -> Option<u64> {
        self.offset.checked_add(self.size)?.checked_add(u64::try_from(TRAILER_SIZE).ok()?)
    }

    /// Size of contents and trailer; `None` if they would end past 2^64.
    pub(crate) fn length(self) -> Option<u64> {
        self.end()?.checked_sub(self.offset)
    }

    /// Size of contents and trailer, if they end within `file_size`.
    pub(crate) fn stored_size(self, file_size: u64) -> Result<usize, Malformed> {
        let fits = self.end().is_some_and(|end| end <= file_size);
        let stored = usize::try_from(self.size).ok().and_then(|size| size.checked_add(TRAILER_SIZE));
        match stored {
            Some(stored) if fits => Ok(stored),
            _ => Err(Malformed::new(
                0,
                format!(
                    "bad block handle: {} bytes and a trailer at offset {}, the file has {file_size} bytes",
                    self.size, self.offset
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_ends_within_its_file() {
        let handle = BlockHandle { offset: 10, size: 5 };
        assert_eq!(handle.stored_size(20).unwrap(), 10);
        let error = handle.stored_size(19).unwrap_err();
        assert_eq!(error.reason, "bad block handle: 5 bytes and a trailer at offset 10, the file has 19 bytes");
    }
}
