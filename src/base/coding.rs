//! Fixed and varint integers, and [`Input`], which decodes untrusted bytes.
//!
//! ```text
//! fixed32, fixed64   little-endian
//! varint32, varint64 seven bits a byte, least significant group first, high bit on all bytes but the last
//! lp(x)              varint32 length, then that many bytes
//! ```
//! For example, 300 as a varint: `ac 02`. A varint32 has at most five bytes; bits of the fifth
//! above 32 are dropped, as LevelDB does (`util/coding.cc`). Encodings longer than needed are
//! accepted.

use crate::error::Malformed;

/// Appends four bytes, little-endian.
pub fn put_fixed32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends eight bytes, little-endian.
pub fn put_fixed64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends one to five bytes.
pub fn put_varint32(out: &mut Vec<u8>, value: u32) {
    put_varint64(out, u64::from(value));
}

/// Appends one to ten bytes.
#[inline]
pub fn put_varint64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        let [low, ..] = value.to_le_bytes();
        out.push(low | 0x80);
        value >>= 7;
    }
    let [low, ..] = value.to_le_bytes();
    out.push(low);
}

/// Appends the length of `bytes` as a varint, then `bytes`. Callers limit the length to 32 bits.
pub fn put_length_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint64(out, to_u64(bytes.len()));
    out.extend_from_slice(bytes);
}

/// The number of bytes that [`put_varint64`] appends.
pub const fn varint_length(value: u64) -> usize {
    let mut length = 1;
    let mut rest = value >> 7;
    while rest > 0 {
        length += 1;
        rest >>= 7;
    }
    length
}

/// The first four bytes of `bytes`, if it has so many.
#[inline]
pub fn decode_fixed32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|c| u32::from_le_bytes(*c))
}

/// The first eight bytes of `bytes`, if it has so many.
#[inline]
pub fn decode_fixed64(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|c| u64::from_le_bytes(*c))
}

/// Decodes untrusted bytes, tracks its offset, and names a missing field.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Input<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes, length: bytes.len() }
    }

    /// Offset of the next byte.
    #[inline]
    pub fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The bytes not yet read.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The number of bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything has been read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error at the current offset.
    pub fn malformed(&self, reason: impl Into<String>) -> Malformed {
        Malformed::new(to_u64(self.offset()), reason)
    }

    /// Reads `count` bytes; an error calls them `what`.
    #[inline]
    pub fn bytes(&mut self, count: usize, what: &str) -> Result<&'a [u8], Malformed> {
        match self.rest.split_at_checked(count) {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => Err(self.missing(count, what)),
        }
    }

    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self, what: &str) -> Result<u8, Malformed> {
        match self.rest.split_first() {
            Some((first, tail)) => {
                self.rest = tail;
                Ok(*first)
            }
            None => Err(self.missing(1, what)),
        }
    }

    /// Reads two bytes, little-endian.
    pub fn fixed16(&mut self, what: &str) -> Result<u16, Malformed> {
        match self.rest.split_first_chunk() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(u16::from_le_bytes(*head))
            }
            None => Err(self.missing(2, what)),
        }
    }

    /// Reads four bytes, little-endian.
    pub fn fixed32(&mut self, what: &str) -> Result<u32, Malformed> {
        match self.rest.split_first_chunk() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(u32::from_le_bytes(*head))
            }
            None => Err(self.missing(4, what)),
        }
    }

    /// Reads eight bytes, little-endian.
    pub fn fixed64(&mut self, what: &str) -> Result<u64, Malformed> {
        match self.rest.split_first_chunk() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(u64::from_le_bytes(*head))
            }
            None => Err(self.missing(8, what)),
        }
    }

    /// Reads one to five bytes; bits above the 32nd are dropped.
    #[inline]
    pub fn varint32(&mut self, what: &str) -> Result<u32, Malformed> {
        if let Some((first, tail)) = self.rest.split_first()
            && *first < 0x80
        {
            self.rest = tail;
            return Ok(u32::from(*first));
        }
        let value = self.varint(5, what)?;
        #[expect(clippy::cast_possible_truncation, clippy::as_conversions, reason = "LevelDB drops these bits")]
        Ok(value as u32)
    }

    /// Reads one to ten bytes; bits above the 64th are dropped.
    pub fn varint64(&mut self, what: &str) -> Result<u64, Malformed> {
        self.varint(10, what)
    }

    /// Reads a varint32 length and that many bytes.
    pub fn length_prefixed(&mut self, what: &str) -> Result<&'a [u8], Malformed> {
        let start = self.clone();
        let length = self.varint32(what)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.bytes(length, what).inspect_err(|_| self.rest = start.rest)
    }

    fn varint(&mut self, length_max: usize, what: &str) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (i, byte) in self.rest.iter().take(length_max).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i).min(63);
            if *byte < 0x80 {
                self.rest = self.rest.get(i + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(self.malformed(if self.rest.len() < length_max {
            format!("{what}: varint is cut off after {} bytes", self.rest.len())
        } else {
            format!("{what}: varint has no end within {length_max} bytes")
        }))
    }

    #[cold]
    fn missing(&self, count: usize, what: &str) -> Malformed {
        self.malformed(format!("{what}: {count} bytes expected, {} left", self.rest.len()))
    }
}

/// A length as a `u64`: no platform has larger ones.
#[inline]
pub fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_matches_the_worked_example() {
        let mut out = Vec::new();
        put_varint32(&mut out, 300);
        assert_eq!(out, [0xac, 0x02]);
        assert_eq!(Input::new(&out).varint32("n").unwrap(), 300);
    }

    #[test]
    fn integers_of_every_width_round_trip() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) | 1] {
                let mut out = Vec::new();
                put_varint64(&mut out, value);
                assert_eq!(out.len(), varint_length(value));
                let mut input = Input::new(&out);
                assert_eq!(input.varint64("n").unwrap(), value);
                assert!(input.is_empty());
                for cut in 0..out.len() {
                    assert!(Input::new(&out[..cut]).varint64("n").is_err());
                }
            }
        }
    }

    #[test]
    fn excess_bits_of_a_fifth_byte_are_dropped_and_a_sixth_byte_is_refused() {
        assert_eq!(Input::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).varint32("n").unwrap(), u32::MAX);
        assert!(Input::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).varint32("n").is_err());
        assert_eq!(Input::new(&[0x81, 0x80, 0x00]).varint32("n").unwrap(), 1);
    }

    #[test]
    fn a_missing_field_is_named_with_its_offset() {
        let mut input = Input::new(&[3, b'a', b'b']);
        let error = input.length_prefixed("user key").unwrap_err();
        assert_eq!((error.offset, error.reason.as_str()), (1, "user key: 3 bytes expected, 2 left"));
        assert_eq!(input.offset(), 0);
    }
}
