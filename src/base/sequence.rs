//! Sequence numbers, and the tag at the end of every internal key.
//!
//! ```text
//! tag: u64 little-endian = sequence << 8 | type          sequence: 56 bits; type: 0 deletion, 1 value
//! ```
//! For example, sequence 5, a value: `01 05 00 00 00 00 00 00`. Source: LevelDB `db/dbformat.h`.

use crate::error::Malformed;

/// The position of one write in the history of a database: 56 bits, increased by each write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(u64);

impl SequenceNumber {
    /// Before the first write.
    pub const ZERO: SequenceNumber = SequenceNumber(0);
    /// The largest that the format can store: 2^56 - 1.
    pub const MAX: SequenceNumber = SequenceNumber((1 << 56) - 1);

    /// `None` above [`SequenceNumber::MAX`].
    pub const fn new(value: u64) -> Option<SequenceNumber> {
        if value <= Self::MAX.0 { Some(SequenceNumber(value)) } else { None }
    }

    /// The low 56 bits, which LevelDB stores of a number that is too large.
    pub const fn truncated(value: u64) -> SequenceNumber {
        SequenceNumber(value & Self::MAX.0)
    }

    /// As a plain integer.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sequence number `count` writes later; `None` above [`SequenceNumber::MAX`].
    pub fn advance(self, count: u64) -> Option<SequenceNumber> {
        self.0.checked_add(count).and_then(SequenceNumber::new)
    }
}

/// The type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueType {
    /// The key was deleted (a tombstone).
    Deletion = 0,
    /// The key has a value.
    Value = 1,
}

impl ValueType {
    /// Decodes the byte stored in tags and batches.
    pub const fn from_byte(byte: u8) -> Option<ValueType> {
        match byte {
            0 => Some(ValueType::Deletion),
            1 => Some(ValueType::Value),
            _ => None,
        }
    }

    /// The byte stored in tags and batches.
    pub const fn to_byte(self) -> u8 {
        match self {
            ValueType::Deletion => 0,
            ValueType::Value => 1,
        }
    }
}

/// Sequence number and type, packed as they are stored; a larger tag sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// Packs a sequence number and a type.
    pub const fn new(sequence: SequenceNumber, value_type: ValueType) -> Tag {
        #[expect(clippy::as_conversions, reason = "u8 to u64 in a const fn")]
        Tag(sequence.0 << 8 | value_type.to_byte() as u64)
    }

    /// The tag to seek with: finds entries at or before `sequence`, of any type.
    pub const fn seek(sequence: SequenceNumber) -> Tag {
        Tag::new(sequence, ValueType::Value)
    }

    /// Unpacks a stored tag.
    #[inline]
    pub fn decode(packed: u64) -> Result<(SequenceNumber, ValueType), Malformed> {
        let [type_byte, ..] = packed.to_le_bytes();
        match ValueType::from_byte(type_byte) {
            Some(value_type) => Ok((SequenceNumber(packed >> 8), value_type)),
            None => Err(unknown_type(type_byte)),
        }
    }

    /// The encoded tag.
    pub const fn packed(self) -> u64 {
        self.0
    }
}

#[cold]
fn unknown_type(type_byte: u8) -> Malformed {
    Malformed::new(0, format!("value type is {type_byte}, expected 0 or 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_matches_the_worked_example() {
        let tag = Tag::new(SequenceNumber::new(5).unwrap(), ValueType::Value);
        assert_eq!(tag.packed().to_le_bytes(), [1, 5, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Tag::decode(tag.packed()).unwrap(), (SequenceNumber(5), ValueType::Value));
    }

    #[test]
    fn sequence_numbers_end_at_56_bits() {
        assert_eq!(SequenceNumber::new(1 << 56), None);
        assert_eq!(SequenceNumber::MAX.advance(1), None);
        assert_eq!(SequenceNumber::MAX.advance(u64::MAX), None);
    }
}
