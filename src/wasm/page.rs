//! Entries packed into one array of bytes, so that many cross the border in one copy.
//!
//! ```text
//! page   entry*
//! entry  u32 key length, key, u32 value length, value          little-endian
//! ```
//! ("a", "xy") is `01 00 00 00 61 02 00 00 00 78 79`.

use crate::base::put_fixed32;
use crate::error::{Error, Result};

/// A page being filled.
#[derive(Debug, Default)]
pub(crate) struct Page {
    bytes: Vec<u8>,
    entries: u32,
    /// Bytes of keys and values alone.
    size: usize,
}

impl Page {
    /// An empty page in the memory of `buffer`.
    pub(crate) fn in_buffer(mut buffer: Vec<u8>) -> Page {
        buffer.clear();
        Page { bytes: buffer, ..Page::default() }
    }

    /// How many entries are in it.
    pub(crate) fn entries(&self) -> u32 {
        self.entries
    }

    /// Whether `entries` entries, or more than `size` bytes of keys and values, are in it.
    pub(crate) fn is_full(&self, entries: u32, size: usize) -> bool {
        self.entries >= entries || self.size > size
    }

    /// Adds one entry.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let payload = key.len().saturating_add(value.len());
        let size = payload.saturating_add(8);
        if self.bytes.try_reserve(size).is_err() {
            return Err(Error::LimitExceeded(format!("not enough memory for {size} more bytes of a page")));
        }
        for part in [key, value] {
            let length =
                u32::try_from(part.len()).map_err(|_| Error::LimitExceeded("an entry has 4 GiB or more".into()))?;
            put_fixed32(&mut self.bytes, length);
            self.bytes.extend_from_slice(part);
        }
        self.entries = self.entries.saturating_add(1);
        self.size = self.size.saturating_add(payload);
        Ok(())
    }

    /// The page's bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example() {
        let mut page = Page::default();
        page.add(b"a", b"xy").unwrap();
        assert!(page.is_full(1, 100) && page.is_full(2, 2) && !page.is_full(2, 3));
        assert_eq!(page.into_bytes(), [1, 0, 0, 0, 0x61, 2, 0, 0, 0, 0x78, 0x79]);
    }
}
