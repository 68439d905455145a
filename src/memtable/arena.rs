//! The arena of a memtable's entries.
//!
//! They never move and are never freed, and have 32-bit addresses.
//!
//! ```text
//! entry     key length u32, value length u32, internal key, value; padded to 4 bytes
//! link      u32: page << 16 | place in the page / 4
//! page      256 KiB of addresses; a chunk of memory covers one or more pages, so that an entry of
//!           any size has one link
//! ```
//! Integers are little-endian. 65,536 pages make 16 GiB of addresses; the unused end of a page
//! costs addresses only, no memory. For example, `a` at sequence 5 with the value `1`: `09 00 00 00
//! 01 00 00 00 61 01 05 00 00 00 00 00 00 31 00 00`.

use crate::error::{Error, Result};

/// Size of the header before a key.
const HEADER_SIZE: usize = 8;
/// Entries begin at multiples of this.
const ALIGNMENT: usize = 4;
/// Bytes of an entry besides key and value, at most.
pub(super) const ENTRY_OVERHEAD_MAX: usize = HEADER_SIZE + ALIGNMENT - 1;
/// Bytes of addresses in a page.
const PAGE_SIZE: usize = 1 << 18;
/// Bits of a link that give the offset in a page.
const PLACE_BITS: u32 = 16;
/// A chunk allocated for at most this much has room for other entries.
const SHARED_MAX: usize = PAGE_SIZE / 4;
/// The first chunk of a memtable is smaller, because many memtables stay small.
const FIRST_CHUNK_SIZE: usize = 16 << 10;

/// The address of an entry.
pub(super) type Link = u32;

/// Part of a chunk.
#[derive(Clone, Copy, Debug)]
struct Page {
    chunk: usize,
    /// Offset of the page in the chunk.
    base: usize,
}

#[derive(Debug, Default)]
struct Chunk {
    first_page: usize,
    /// Capacity of its `bytes`, which never grow past it.
    size_max: usize,
    bytes: Vec<u8>,
}

impl Chunk {
    fn free(&self) -> usize {
        self.size_max.saturating_sub(self.bytes.len())
    }
}

/// An append-only arena of entries.
///
/// Invariant: the pages of a chunk are adjacent in `pages`, as many as its `size_max` needs.
#[derive(Debug, Default)]
pub(super) struct Arena {
    pages: Vec<Page>,
    chunks: Vec<Chunk>,
    /// The chunk for the next entry, if it fits.
    current: usize,
}

impl Arena {
    /// Reserves room for entries of `bytes` bytes in total, with [`ENTRY_OVERHEAD_MAX`] included
    /// for each.
    #[inline]
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<()> {
        match self.chunks.get(self.current) {
            Some(chunk) if chunk.free() >= bytes => Ok(()),
            _ => self.reserve_chunk(bytes),
        }
    }

    /// Adds an entry; `None` only if no room was reserved for it and none can be allocated.
    #[inline]
    pub(super) fn push(&mut self, user_key: &[u8], tag: u64, value: &[u8]) -> Option<Link> {
        let key_size = user_key.len().checked_add(8)?;
        let (key_length, value_length) = (u32::try_from(key_size).ok()?, u32::try_from(value.len()).ok()?);
        self.reserve(key_size.checked_add(value.len())?.checked_add(ENTRY_OVERHEAD_MAX)?).ok()?;
        let chunk = self.chunks.get_mut(self.current)?;
        let at = chunk.bytes.len();
        let mut header = [0; HEADER_SIZE];
        let (low, high) = header.split_at_mut(4);
        low.copy_from_slice(&key_length.to_le_bytes());
        high.copy_from_slice(&value_length.to_le_bytes());
        chunk.bytes.extend_from_slice(&header);
        chunk.bytes.extend_from_slice(user_key);
        chunk.bytes.extend_from_slice(&tag.to_le_bytes());
        chunk.bytes.extend_from_slice(value);
        let padded = chunk.bytes.len().next_multiple_of(ALIGNMENT);
        chunk.bytes.resize(padded, 0);
        let page = u32::try_from(chunk.first_page + at / PAGE_SIZE).ok()?;
        let place = u32::try_from(at % PAGE_SIZE / ALIGNMENT).ok()?;
        Some(page << PLACE_BITS | place)
    }

    /// The internal key and the value of an entry (both empty for an invalid link).
    #[inline]
    pub(super) fn entry(&self, link: Link) -> (&[u8], &[u8]) {
        self.find(link).unwrap_or_default()
    }

    /// The internal key of an entry.
    #[inline]
    pub(super) fn key(&self, link: Link) -> &[u8] {
        self.entry(link).0
    }

    #[cfg(test)]
    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    #[inline]
    fn find(&self, link: Link) -> Option<(&[u8], &[u8])> {
        let page = self.pages.get(usize::try_from(link >> PLACE_BITS).ok()?)?;
        let place = usize::try_from(link & ((1 << PLACE_BITS) - 1)).ok()?;
        let rest = self.chunks.get(page.chunk)?.bytes.get(page.base + place * ALIGNMENT..)?;
        let (header, rest) = rest.split_first_chunk::<HEADER_SIZE>()?;
        let [a, b, c, d, e, f, g, h] = *header;
        let key_length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let value_length = usize::try_from(u32::from_le_bytes([e, f, g, h])).ok()?;
        let (key, rest) = rest.split_at_checked(key_length)?;
        Some((key, rest.get(..value_length)?))
    }

    /// Makes a chunk with room for `bytes` the current one, allocating it if necessary.
    #[cold]
    fn reserve_chunk(&mut self, bytes: usize) -> Result<()> {
        // Before a chunk allocated for one large batch, an older one may still have room.
        let recent = self.chunks.len().saturating_sub(4)..self.chunks.len();
        for index in recent.rev() {
            if self.chunks.get(index).is_some_and(|chunk| chunk.free() >= bytes) {
                self.current = index;
                return Ok(());
            }
        }
        let capacity = match self.chunks.is_empty() {
            true if bytes <= FIRST_CHUNK_SIZE => FIRST_CHUNK_SIZE,
            _ if bytes <= SHARED_MAX => PAGE_SIZE,
            _ => bytes,
        };
        let page_count = capacity.div_ceil(PAGE_SIZE);
        if self.pages.len().saturating_add(page_count) > 1 << (32 - PLACE_BITS) {
            return Err(Error::LimitExceeded("a memtable has no more than 16 GiB of addresses".into()));
        }
        let mut memory = Vec::new();
        let reserved = memory
            .try_reserve_exact(capacity)
            .and_then(|()| self.pages.try_reserve(page_count))
            .and_then(|()| self.chunks.try_reserve(1));
        if reserved.is_err() {
            return Err(Error::LimitExceeded(format!("no memory for {capacity} more bytes of a memtable")));
        }
        self.current = self.chunks.len();
        let first_page = self.pages.len();
        self.pages.extend((0..page_count).map(|i| Page { chunk: self.current, base: i * PAGE_SIZE }));
        self.chunks.push(Chunk { first_page, size_max: capacity, bytes: memory });
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test numbers are small")]
mod tests {
    use super::*;

    #[test]
    fn entry_matches_the_worked_example() {
        let mut arena = Arena::default();
        let link = arena.push(b"a", 5 << 8 | 1, b"1").unwrap();
        let expected = [9, 0, 0, 0, 1, 0, 0, 0, 0x61, 1, 5, 0, 0, 0, 0, 0, 0, 0x31, 0, 0];
        assert_eq!(arena.chunks[0].bytes, expected);
        assert_eq!(arena.entry(link), (&expected[8..17], &b"1"[..]));
    }

    #[test]
    fn entries_of_any_size_keep_their_links_and_never_move() {
        let mut arena = Arena::default();
        let sizes = [0, 1, 100, 5_000, 70_000, 3, 262_144, 1_000_000, 2, 300_000, 65_000, 65_000, 65_000, 65_000, 9];
        let mut links = Vec::new();
        for round in 0..3u8 {
            for (i, size) in sizes.into_iter().enumerate() {
                let value = vec![round.wrapping_add(i as u8); size];
                let link = arena.push(&[round, i as u8], 7, &value).unwrap();
                links.push((link, round, i as u8, value, arena.key(link).as_ptr()));
            }
        }
        for (link, round, i, value, place) in &links {
            let (key, found) = arena.entry(*link);
            assert_eq!((&key[..2], found), (&[*round, *i][..], &value[..]));
            assert_eq!(key.as_ptr(), *place);
        }
        assert_eq!(arena.entry(u32::MAX), (&[][..], &[][..]));
    }

    #[test]
    fn reserved_room_is_available_for_entries_of_any_size() {
        let mut arena = Arena::default();
        let sizes = [70_000, 1, 260_000, 0, 5_000_000, 17];
        let total: usize = sizes.iter().map(|s| s + 8 + ENTRY_OVERHEAD_MAX).sum();
        arena.push(b"", 0, b"").unwrap();
        arena.reserve(total).unwrap();
        let chunks = arena.chunks.len();
        for size in sizes {
            arena.push(b"", 0, &vec![1; size]).unwrap();
        }
        assert_eq!(arena.chunks.len(), chunks);
        assert!(arena.reserve(usize::MAX).is_err());
    }
}
