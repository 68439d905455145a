//! Reads a file block by block.

use std::rc::Rc;

use super::{BLOCK_SIZE, BLOCK_SIZE_U64};
use crate::base::to_u64;
use crate::env::File;
use crate::error::{Error, Result};

/// Bytes of a file that are read at once: 8 blocks.
const CHUNK_SIZE: usize = 8 * BLOCK_SIZE;
/// The same, as an offset.
const CHUNK_SIZE_U64: u64 = 8 * BLOCK_SIZE_U64;
/// Bytes that are skipped together if they cannot be read.
const PIECE_SIZE: usize = 4 << 10;

/// The blocks of a file, a chunk of them in memory.
pub(super) struct Blocks {
    /// `None` if all bytes are in memory.
    source: Option<Rc<dyn File>>,
    pub(super) name: String,
    window: Vec<u8>,
    /// Offset of the window in the file; `None` before the first read.
    window_start: Option<u64>,
    /// Replace bytes that cannot be read with zeros.
    pub(super) patches: bool,
    /// The ranges that could not be read, in order, with the reason of each.
    pub(super) unreadable: Vec<(u64, u64, Error)>,
}

impl Blocks {
    /// The blocks of an open file.
    pub(super) fn of_file(file: Rc<dyn File>, name: String) -> Blocks {
        let (patches, unreadable) = (false, Vec::new());
        Blocks { source: Some(file), name, window: Vec::new(), window_start: None, patches, unreadable }
    }

    /// The blocks of bytes in memory.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of_bytes(bytes: Vec<u8>, name: String) -> Blocks {
        let (patches, unreadable) = (false, Vec::new());
        Blocks { source: None, name, window: bytes, window_start: Some(0), patches, unreadable }
    }

    /// The size of the file.
    pub(super) async fn file_size(&self) -> Result<u64> {
        match &self.source {
            Some(file) => file.size().await,
            None => Ok(to_u64(self.window.len())),
        }
    }

    /// The block at `start`, if it is in memory.
    ///
    /// Shorter than `BLOCK_SIZE` (or empty) at the end of the file.
    #[inline]
    pub(super) fn loaded(&self, start: u64) -> Option<&[u8]> {
        let from = start.checked_sub(self.window_start?)?;
        if self.source.is_some() && from >= CHUNK_SIZE_U64 {
            return None;
        }
        let rest = usize::try_from(from).ok().and_then(|from| self.window.get(from..)).unwrap_or_default();
        Some(rest.get(..BLOCK_SIZE).unwrap_or(rest))
    }

    /// Reads the chunk that contains the block at `start`.
    pub(super) async fn load(&mut self, start: u64) -> Result<()> {
        let chunk_start = start - start % CHUNK_SIZE_U64;
        if let Some(file) = self.source.clone() {
            // A short read would look like the end of the file, and the records after it would be
            // lost.
            let size = file.size().await?;
            let window = match file.read_at(chunk_start, CHUNK_SIZE).await {
                Err(error @ Error::Io(_)) if self.patches && !error.is_too_many_open_files() => {
                    self.read_pieces(&*file, chunk_start, size, error).await?
                }
                window => window?,
            };
            let read = chunk_start.saturating_add(to_u64(window.len()));
            if window.len() < CHUNK_SIZE && read < size {
                let message = format!("{} bytes read at {chunk_start}, the file has {size}", window.len());
                return Err(Error::io(&*self.name, "read", std::io::ErrorKind::UnexpectedEof, message));
            }
            self.window = window;
        }
        self.window_start = Some(if self.source.is_some() { chunk_start } else { 0 });
        Ok(())
    }

    /// Reads a chunk piece by piece. If no piece can be read, returns `error`.
    async fn read_pieces(&mut self, file: &dyn File, chunk_start: u64, size: u64, error: Error) -> Result<Vec<u8>> {
        let end = size.min(chunk_start.saturating_add(CHUNK_SIZE_U64));
        let (mut window, mut at, mut any) = (Vec::new(), chunk_start, false);
        let mut failed: Vec<(u64, u64, Error)> = Vec::new();
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(PIECE_SIZE).min(PIECE_SIZE);
            let next = at + to_u64(length);
            match file.read_at(at, length).await {
                Ok(piece) if piece.len() == length => {
                    any = true;
                    window.extend_from_slice(&piece);
                }
                Ok(_) => return Err(error),
                Err(error) => {
                    window.resize(window.len() + length, 0);
                    match failed.last_mut() {
                        Some((_, last, _)) if *last == at => *last = next,
                        _ => failed.push((at, next, error)),
                    }
                }
            }
            at = next;
        }
        if !any {
            return Err(error);
        }
        self.unreadable.append(&mut failed);
        Ok(window)
    }

    /// The block at `start`.
    pub(super) async fn get(&mut self, start: u64) -> Result<&[u8]> {
        if self.loaded(start).is_none() {
            self.load(start).await?;
        }
        Ok(self.loaded(start).unwrap_or_default())
    }
}
