//! Where things are: block handles, and the footer that says where to begin.
//!
//! ```text
//! block handle  varint64 offset, varint64 size           size: of the contents, without the five bytes of the trailer
//! footer        metaindex handle, index handle, zeros to 40 bytes, magic (u64)                         48 bytes, last
//! ```
//! The footer of a table without entries, metaindex (8 bytes) at 0, index (8 bytes) at 13:
//!
//! ```text
//! 00 08 | 0d 08 | 00 * 36 | 57 fb 80 8b 24 75 47 db
//! ```
//! A handle may be followed by bytes of newer versions; they are passed over. Source: LevelDB `table/format.{h,cc}`.

use crate::base::{Input, put_fixed64, put_varint64, to_u64};
use crate::error::Malformed;

use super::compression::TRAILER_SIZE;

/// Bytes of a footer.
pub(crate) const FOOTER_SIZE: usize = 48;
/// The last eight bytes of a LevelDB table.
pub(crate) const MAGIC: u64 = 0xdb47_7524_8b80_fb57;

const HANDLES_SIZE: usize = FOOTER_SIZE - 8;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlockHandle {
    /// Of its first byte in the file.
    pub(crate) offset: u64,
    /// Of its contents as stored, without the trailer.
    pub(crate) size: u64,
}

impl BlockHandle {
    /// Appends two to twenty bytes.
    pub(crate) fn encode_to(self, out: &mut Vec<u8>) {
        put_varint64(out, self.offset);
        put_varint64(out, self.size);
    }

    /// The next handle of `input`.
    pub(crate) fn decode(input: &mut Input<'_>) -> Result<BlockHandle, Malformed> {
        Ok(BlockHandle {
            offset: input.varint64("bad block handle: offset")?,
            size: input.varint64("bad block handle: size")?,
        })
    }

    /// The handle that an index entry's value begins with.
    #[inline]
    pub(crate) fn decode_value(value: &[u8]) -> Result<BlockHandle, Malformed> {
        BlockHandle::decode(&mut Input::new(value))
    }

    /// Where the block's trailer ends; `None` past 2^64.
    pub(crate) fn end(self) -> Option<u64> {
        self.offset.checked_add(self.size)?.checked_add(u64::try_from(TRAILER_SIZE).ok()?)
    }

    /// Bytes to read for contents and trailer, if they end within `file_size`.
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

/// The last bytes of a table.
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

    /// From the last [`FOOTER_SIZE`] bytes of a file; offsets of errors count from the first of them.
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

    /// Refuses a footer whose handles are written otherwise than any writer does, or not followed by zeros. Nothing is
    /// read there, so that only the strict look.
    pub(crate) fn check_padding(self, bytes: &[u8]) -> Result<(), Malformed> {
        let mut expected = Vec::with_capacity(FOOTER_SIZE);
        self.encode_to(&mut expected);
        match expected.iter().zip(bytes).position(|(a, b)| a != b) {
            None => Ok(()),
            Some(at) => {
                let offset = to_u64(at);
                Err(Malformed::new(offset, "the footer's bytes behind the handles are not zeros"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
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
    fn the_largest_handles_fit() {
        let largest = BlockHandle { offset: u64::MAX, size: u64::MAX };
        let mut bytes = Vec::new();
        Footer { metaindex: largest, index: largest }.encode_to(&mut bytes);
        assert_eq!(bytes.len(), FOOTER_SIZE);
        assert_eq!(Footer::decode(&bytes).unwrap().index, largest);
        assert_eq!(largest.end(), None);
        assert!(largest.stored_size(u64::MAX).is_err());
    }

    #[test]
    fn a_handle_ends_within_its_file() {
        let handle = BlockHandle { offset: 10, size: 5 };
        assert_eq!(handle.stored_size(20).unwrap(), 10);
        let error = handle.stored_size(19).unwrap_err();
        assert_eq!(error.reason, "bad block handle: 5 bytes and a trailer at offset 10, the file has 19 bytes");
    }

    #[test]
    fn what_is_wrong_with_a_footer_is_said() {
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
