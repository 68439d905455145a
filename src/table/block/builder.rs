//! Builds blocks; `mod.rs` describes their layout.

use crate::base::{put_fixed32, put_varint32};
use crate::error::Malformed;

/// Builds one block. Its buffers are reused for the next.
pub(crate) struct BlockBuilder {
    buffer: Vec<u8>,
    restarts: Vec<u32>,
    restart_interval: usize,
    /// Entries since the last restart point.
    since_restart: usize,
}

impl BlockBuilder {
    /// A restart point every `restart_interval` entries.
    pub(crate) fn new(restart_interval: usize) -> BlockBuilder {
        BlockBuilder { buffer: Vec::new(), restarts: vec![0], restart_interval, since_restart: 0 }
    }

    /// Whether no entry was added.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Size of the finished block in bytes.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.buffer.len() + 4 * self.restarts.len() + 4
    }

    /// Adds an entry after the one with key `previous` (ignored for the block's first entry).
    #[inline]
    pub(crate) fn add(&mut self, previous: &[u8], key: &[u8], value: &[u8]) -> Result<(), Malformed> {
        let restart = self.since_restart >= self.restart_interval;
        let shared = if restart || self.buffer.is_empty() { 0 } else { common_prefix(previous, key) };
        let unshared = key.get(shared..).unwrap_or_default();
        let lengths = (u32::try_from(shared), u32::try_from(unshared.len()), u32::try_from(value.len()));
        let (Ok(shared), Ok(unshared_length), Ok(value_length), Ok(offset)) =
            (lengths.0, lengths.1, lengths.2, u32::try_from(self.buffer.len()))
        else {
            return Err(self.too_long(key, value));
        };
        if restart {
            self.restarts.push(offset);
            self.since_restart = 0;
        }
        self.since_restart += 1;
        self.buffer.reserve(15 + unshared.len() + value.len());
        if shared | unshared_length | value_length < 0x80 {
            let [a, ..] = shared.to_le_bytes();
            let [b, ..] = unshared_length.to_le_bytes();
            let [c, ..] = value_length.to_le_bytes();
            self.buffer.extend_from_slice(&[a, b, c]);
        } else {
            put_varint32(&mut self.buffer, shared);
            put_varint32(&mut self.buffer, unshared_length);
            put_varint32(&mut self.buffer, value_length);
        }
        self.buffer.extend_from_slice(unshared);
        self.buffer.extend_from_slice(value);
        Ok(())
    }

    /// The complete block; call [`clear`](BlockBuilder::clear) before adding again.
    pub(crate) fn finish(&mut self) -> &[u8] {
        let count = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        for restart in &self.restarts {
            put_fixed32(&mut self.buffer, *restart);
        }
        put_fixed32(&mut self.buffer, count);
        &self.buffer
    }

    /// Starts another block.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        self.restarts.truncate(1);
        self.since_restart = 0;
    }

    #[cold]
    fn too_long(&self, key: &[u8], value: &[u8]) -> Malformed {
        let reason = format!(
            "a key of {} bytes and a value of {} after {} bytes of block; each is limited to {}",
            key.len(),
            value.len(),
            self.buffer.len(),
            u32::MAX
        );
        Malformed::new(0, reason)
    }
}

/// The length of the common prefix of `a` and `b`.
#[inline]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let mut count = 0;
    let (mut a_rest, mut b_rest) = (a, b);
    while let (Some((x, a_tail)), Some((y, b_tail))) = (a_rest.split_first_chunk::<8>(), b_rest.split_first_chunk()) {
        let differing = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differing != 0 {
            return count + usize::try_from(differing.trailing_zeros() / 8).unwrap_or_default();
        }
        count += 8;
        (a_rest, b_rest) = (a_tail, b_tail);
    }
    count + a_rest.iter().zip(b_rest).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_matches_the_worked_example() {
        let mut builder = BlockBuilder::new(2);
        builder.add(b"", b"apple", b"1").unwrap();
        builder.add(b"apple", b"apply", b"22").unwrap();
        builder.add(b"apply", b"banana", b"").unwrap();
        assert_eq!(builder.size(), 36);
        let expected = b"\x00\x05\x01apple1\x04\x01\x02y22\x00\x06\x00banana\0\0\0\0\x0f\0\0\0\x02\0\0\0";
        assert_eq!(builder.finish(), expected);
        builder.clear();
        assert_eq!(builder.finish(), b"\0\0\0\0\x01\0\0\0");
    }

    #[test]
    fn common_prefix_is_found_across_words() {
        let a = b"0123456789abcdefghij";
        for length in 0..a.len() {
            let mut b = a.to_vec();
            b[length] ^= 0x40;
            assert_eq!(common_prefix(a, &b), length);
            assert_eq!(common_prefix(a, &a[..length]), length);
        }
        assert_eq!(common_prefix(a, a), a.len());
    }

    #[test]
    fn long_lengths_are_encoded_as_longer_varints() {
        let mut builder = BlockBuilder::new(16);
        builder.add(b"", &[b'k'; 200], &[b'v'; 300]).unwrap();
        assert_eq!(builder.finish().get(..5), Some(&[0, 0xc8, 0x01, 0xac, 0x02][..]));
    }
}
