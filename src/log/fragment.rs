//! One fragment: its header, its checksum, and what may be wrong with it.

use super::HEADER_SIZE;
use crate::base::{crc32c, mask};

/// Where in a fragment its type stands, behind checksum and length.
const TYPE_OFFSET: usize = 6;

/// What a fragment is of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentType {
    /// All of it.
    Full,
    /// Its beginning.
    First,
    /// Neither end.
    Middle,
    /// Its end.
    Last,
}

impl FragmentType {
    /// From the byte stored.
    pub(crate) const fn from_byte(byte: u8) -> Option<FragmentType> {
        match byte {
            1 => Some(FragmentType::Full),
            2 => Some(FragmentType::First),
            3 => Some(FragmentType::Middle),
            4 => Some(FragmentType::Last),
            _ => None,
        }
    }

    /// The byte stored.
    pub(crate) const fn to_byte(self) -> u8 {
        match self {
            FragmentType::Full => 1,
            FragmentType::First => 2,
            FragmentType::Middle => 3,
            FragmentType::Last => 4,
        }
    }

    pub(super) const fn new(begins: bool, ends: bool) -> FragmentType {
        match (begins, ends) {
            (true, true) => FragmentType::Full,
            (true, false) => FragmentType::First,
            (false, false) => FragmentType::Middle,
            (false, true) => FragmentType::Last,
        }
    }
}

/// What stands before a payload, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentHeader {
    /// Masked.
    pub(crate) checksum: u32,
    /// Of the payload.
    pub(crate) length: u16,
    /// 0 to 4 where all is well.
    pub(crate) type_byte: u8,
}

impl FragmentHeader {
    /// From the first seven of `bytes`, if there are so many.
    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> Option<FragmentHeader> {
        let [a, b, c, d, e, f, type_byte] = *bytes.first_chunk::<HEADER_SIZE>()?;
        Some(FragmentHeader {
            checksum: u32::from_le_bytes([a, b, c, d]),
            length: u16::from_le_bytes([e, f]),
            type_byte,
        })
    }

    /// Bytes of header and payload.
    #[inline]
    pub(crate) fn size(self) -> usize {
        HEADER_SIZE + usize::from(self.length)
    }
}

/// The checksum of a fragment as it should be stored: over its type byte and its payload, which stand side by side.
#[inline]
pub(crate) fn checksum(fragment: &[u8]) -> u32 {
    mask(crc32c(fragment.get(TYPE_OFFSET..).unwrap_or_default()))
}

/// Why bytes are no fragment. `left` is how many there are up to the end of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The header says a payload that would cross the end of the block.
    Length { length: u16, left: usize },
    /// The same in the last, short block, or not even a header fits: the file was cut here.
    CutOff { length: Option<u16>, left: usize },
    /// Type 0, length 0: space set aside.
    Unused,
    /// Stored and computed.
    Checksum { stored: u32, computed: u32, left: usize },
}

/// The fragment at the start of `left`, the rest of a block.
#[inline]
pub(super) fn check(left: &[u8], block_is_full: bool, verify: bool) -> Result<FragmentHeader, Trouble> {
    let Some(header) = FragmentHeader::decode(left) else {
        return Err(Trouble::CutOff { length: None, left: left.len() });
    };
    let Some(fragment) = left.get(..header.size()) else {
        let (length, left) = (header.length, left.len());
        return Err(if block_is_full {
            Trouble::Length { length, left }
        } else {
            Trouble::CutOff { length: Some(length), left }
        });
    };
    if header.type_byte == 0 && header.length == 0 {
        return Err(Trouble::Unused);
    }
    if verify {
        let computed = checksum(fragment);
        if computed != header.checksum {
            return Err(Trouble::Checksum { stored: header.checksum, computed, left: left.len() });
        }
    }
    Ok(header)
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Length { length, left } => {
                let room = left.saturating_sub(HEADER_SIZE);
                write!(f, "bad record length: {length}, the block has room for {room}")
            }
            Trouble::CutOff { length: None, left } => {
                write!(f, "record cut off: {left} bytes of its header, expected {HEADER_SIZE}")
            }
            Trouble::CutOff { length: Some(length), left } => {
                write!(f, "record cut off: {} bytes, expected {length}", left.saturating_sub(HEADER_SIZE))
            }
            Trouble::Unused => f.write_str("record type 0, expected 1 to 4"),
            Trouble::Checksum { stored, computed, .. } => {
                write!(f, "checksum mismatch: {stored:08x} stored, {computed:08x} computed")
            }
        }
    }
}
