//! Decodes the stored bytes of a block.

use super::block::{Block, Origin};
use super::codec::{Codec, decompress};
use super::format::codec_of;
use super::handle::BlockHandle;
use super::policy::DamagePolicy;
use super::trailer::open_trailer;
use crate::error::{Error, Result};

/// Bytes to read for the block of `handle`, checked against the file's size and the size limit.
#[inline]
pub(super) fn stored_size(handle: BlockHandle, name: &str, file_size: u64, size_max: u64) -> Result<usize> {
    let size = handle.stored_size(file_size).map_err(|malformed| malformed.in_file(name, handle.offset))?;
    if handle.size > size_max {
        let (offset, size) = (handle.offset, handle.size);
        let what = format!("{name}, block at offset {offset}: {size} bytes, at most {size_max} are allowed");
        return Err(Error::LimitExceeded(what));
    }
    Ok(size)
}

/// Bytes of a block with its trailer.
pub(super) enum Stored<'a> {
    /// An owned buffer: contents that are not compressed need no copy.
    Owned(Vec<u8>),
    /// A part of a longer read.
    Slice(&'a [u8]),
}

impl Stored<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Stored::Owned(bytes) => bytes,
            Stored::Slice(bytes) => bytes,
        }
    }
}

/// The parameters of decoding.
pub(super) struct Context<'a> {
    pub(super) name: &'a str,
    pub(super) size_max: u64,
    pub(super) policy: DamagePolicy,
}

impl Context<'_> {
    /// Decodes stored bytes to a block.
    pub(super) fn decode(&self, handle: BlockHandle, stored: &mut Stored<'_>, buffer: Vec<u8>) -> Result<Block> {
        let (bytes, raw) = self.contents(handle, stored, buffer)?;
        let origin = Origin { offset: handle.offset, size: handle.size, raw, verified: self.policy.verify_checksums };
        Block::new(bytes, origin, self.policy.lenient).map_err(|malformed| {
            let base = if raw { handle.offset } else { handle.offset.saturating_sub(malformed.offset) };
            malformed.in_file(self.name, base)
        })
    }

    /// Decodes stored bytes to contents, and whether these are not compressed.
    ///
    /// If they are not, an owned buffer is reused.
    pub(super) fn contents(
        &self,
        handle: BlockHandle,
        stored: &mut Stored<'_>,
        mut buffer: Vec<u8>,
    ) -> Result<(Vec<u8>, bool)> {
        let bytes = stored.bytes();
        let expected = handle.stored_size(u64::MAX).unwrap_or(usize::MAX);
        if bytes.len() != expected {
            let reason = format!("truncated block read: {} bytes, expected {expected}", bytes.len());
            return Err(Error::corruption(self.name, handle.offset, reason));
        }
        let (contents, block_type) = open_trailer(bytes, self.policy.verify_checksums)
            .map_err(|malformed| malformed.in_file(self.name, handle.offset))?;
        let size = contents.len();
        let codec = codec_of(block_type, contents).map_err(|malformed| malformed.in_file(self.name, handle.offset))?;
        let raw = codec == Codec::None;
        if !raw || matches!(stored, Stored::Slice(_)) {
            let size_max = usize::try_from(self.size_max).unwrap_or(usize::MAX);
            decompress(codec, contents, size_max, &mut buffer)
                .map_err(|error| error.in_file(self.name, handle.offset))?;
        } else if let Stored::Owned(bytes) = stored {
            buffer = std::mem::take(bytes);
            buffer.truncate(size);
        }
        Ok((buffer, raw))
    }
}
