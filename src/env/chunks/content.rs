//! Reads the content of files out of their chunks.

use std::rc::Rc;

use super::database::{ChunkDatabase, Row};
use super::layout::{CHUNK_SIZE, bytes_of};
use crate::base::to_u64;
use crate::error::{Error, Result};

/// The chunks that one transaction reads: 2 MiB, whatever the size of a file is said to be.
const CHUNKS_MAX: u64 = 64;

/// A file as the directory has it.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) file: u64,
    pub(super) name: Rc<str>,
    pub(super) size: u64,
}

impl Content {
    /// The part of `offset` and `length` that the file has.
    pub(super) fn part(&self, offset: u64, length: usize) -> usize {
        let there = self.size.saturating_sub(offset);
        length.min(usize::try_from(there).unwrap_or(usize::MAX))
    }
}

/// Reads `length` bytes, which the file has.
pub(super) async fn read_content(
    database: &dyn ChunkDatabase,
    content: &Content,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>> {
    let end = offset.saturating_add(to_u64(length));
    let mut first = offset / CHUNK_SIZE;
    let mut skip = usize::try_from(offset % CHUNK_SIZE).unwrap_or_default();
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let after = end.div_ceil(CHUNK_SIZE).min(first.saturating_add(CHUNKS_MAX));
        let chunks = read_chunks(database, content, first, after).await?;
        let part = chunks.get(skip..).unwrap_or_default();
        let part = part.get(..length.saturating_sub(bytes.len())).unwrap_or(part);
        if bytes.try_reserve(part.len()).is_err() {
            return Err(Error::LimitExceeded(format!("no memory to read {length} bytes of {}", content.name)));
        }
        bytes.extend_from_slice(part);
        (first, skip) = (after, 0);
    }
    Ok(bytes)
}

/// Reads whole chunks: all that the file has of those from `first` up to but without `end`.
pub(super) async fn read_chunks(
    database: &dyn ChunkDatabase,
    content: &Content,
    first: u64,
    end: u64,
) -> Result<Vec<u8>> {
    let start = first.saturating_mul(CHUNK_SIZE);
    let stop = end.saturating_mul(CHUNK_SIZE);
    let expected = stop.min(content.size).saturating_sub(start);
    let rows = database.read(content.file, first, end).await?;
    joined(rows, content, start, expected, stop <= content.size)
}

/// The values of rows, which must have `expected` bytes; more only if a file may have grown meanwhile.
fn joined(rows: Vec<Row>, content: &Content, start: u64, expected: u64, is_whole: bool) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows {
        let row = bytes_of(row, &content.name)?;
        if bytes.is_empty() { bytes = row } else { bytes.extend_from_slice(&row) }
    }
    let found = to_u64(bytes.len());
    if found < expected || (is_whole && found > expected) {
        let reason = format!("its chunks from here on have {found} bytes, expected {expected}");
        return Err(Error::corruption(&*content.name, start, reason));
    }
    bytes.truncate(usize::try_from(expected).unwrap_or(usize::MAX));
    Ok(bytes)
}

/// The chunks that hold a range: the first one, and the one after the last.
pub(super) fn chunks_of(offset: u64, length: usize) -> (u64, u64) {
    (offset / CHUNK_SIZE, offset.saturating_add(to_u64(length)).div_ceil(CHUNK_SIZE))
}

/// `length` bytes at `offset` of a file, out of bytes that begin with its chunk.
pub(super) fn slice(chunks: &[u8], offset: u64, length: usize) -> Option<Vec<u8>> {
    let start = usize::try_from(offset % CHUNK_SIZE).ok()?;
    chunks.get(start..start.checked_add(length)?).map(<[u8]>::to_vec)
}
