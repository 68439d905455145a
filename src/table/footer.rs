//! The last 48 bytes of a table.
//!
//! ```text
//! metaindex handle   varint64 offset, varint64 size
//! index handle       varint64 offset, varint64 size
//! padding            zeros up to 40 bytes
//! magic              57 fb 80 8b 24 75 47 db
//! ```
//! A handle's size does not count the block's trailer of 5 bytes. The footer of an empty table: metaindex at 0, 8 bytes;
//! index at 13, 8 bytes: `00 08 0d 08`, 36 zeros, magic. Source: LevelDB `table/format.{h,cc}`.

use crate::base::{Input, put_varint64};
use crate::error::Malformed;

/// Bytes of a footer.
pub(crate) const FOOTER_SIZE: usize = 48;
const HANDLES_SIZE: usize = 40;
/// The last bytes of a LevelDB table.
pub(crate) const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();

/// Where a block is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockHandle {
    pub(crate) offset: u64,
    /// Without the trailer.
    pub(crate) size: u64,
}

impl BlockHandle {
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        put_varint64(out, self.offset);
        put_varint64(out, self.size);
    }

    pub(crate) fn decode(input: &mut Input<'_>) -> Result<BlockHandle, Malformed> {
        let start = input.clone();
        let both = |input: &mut Input<'_>| {
            Ok(BlockHandle { offset: input.varint64("block offset")?, size: input.varint64("block size")? })
        };
        both(input).map_err(|e: Malformed| start.malformed(format!("bad block handle: {}", e.reason)))
    }
}

/// Where the two root blocks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) metaindex: BlockHandle,
    pub(crate) index: BlockHandle,
}

impl Footer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_SIZE);
        self.metaindex.encode(&mut out);
        self.index.encode(&mut out);
        out.resize(HANDLES_SIZE, 0);
        out.extend_from_slice(&MAGIC);
        out
    }

    /// From exactly the last 48 bytes of a file.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Footer, Malformed> {
        let Some((handles, magic)) = bytes.split_last_chunk::<8>().filter(|_| bytes.len() == FOOTER_SIZE) else {
            return Err(Malformed::new(0, format!("not an sstable (footer too short): {} bytes, expected 48", bytes.len())));
        };
        if *magic != MAGIC {
            let found = u64::from_le_bytes(*magic);
            let reason = format!("not an sstable (bad magic number): {found:#018x}, expected {:#018x}", u64::from_le_bytes(MAGIC));
            return Err(Malformed::new(40, reason));
        }
        let mut input = Input::new(handles);
        Ok(Footer { metaindex: BlockHandle::decode(&mut input)?, index: BlockHandle::decode(&mut input)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let handle = |offset, size| BlockHandle { offset, size };
        let footer = Footer { metaindex: handle(0, 8), index: handle(13, 8) };
        let bytes = footer.encode();
        assert_eq!(bytes[..4], [0x00, 0x08, 0x0d, 0x08]);
        assert!(bytes[4..40].iter().all(|b| *b == 0));
        assert_eq!(bytes[40..], [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
        assert_eq!(Footer::decode(&bytes).unwrap(), footer);
    }

    #[test]
    fn other_bytes_are_refused_with_leveldbs_words() {
        assert!(Footer::decode(&[0; 47]).unwrap_err().reason.contains("footer too short"));
        assert!(Footer::decode(&[0; 48]).unwrap_err().reason.contains("bad magic number"));
        let mut bytes = vec![0xff; 40];
        bytes.extend_from_slice(&MAGIC);
        assert!(Footer::decode(&bytes).unwrap_err().reason.contains("bad block handle"));
    }
}
