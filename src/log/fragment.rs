//! One fragment: its header, its checksum and its errors.

use super::HEADER_SIZE;
use crate::base::{crc32c, mask};

/// Offset of the type in a fragment, after checksum and length.
const TYPE_OFFSET: usize = 6;

/// The part of a record that a fragment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FragmentType {
    /// The whole record.
    Full,
    /// Its beginning.
    First,
    /// Its middle.
    Middle,
    /// Its end.
    Last,
}

impl FragmentType {
    /// Decodes the stored byte.
    pub(crate) const fn from_byte(byte: u8) -> Option<FragmentType> {
        match byte {
            1 => Some(FragmentType::Full),
            2 => Some(FragmentType::First),
            3 => Some(FragmentType::Middle),
            4 => Some(FragmentType::Last),
            _ => None,
        }
    }

    /// The byte to store.
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

/// The header before a payload, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentHeader {
    /// The masked checksum.
    pub(crate) checksum: u32,
    /// Length of the payload.
    pub(crate) length: u16,
    /// 0 to 4 if valid.
    pub(crate) type_byte: u8,
}

impl FragmentHeader {
    /// Decodes the first seven bytes of `bytes`, if it has so many.
    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> Option<FragmentHeader> {
        let [a, b, c, d, e, f, type_byte] = *bytes.first_chunk::<HEADER_SIZE>()?;
        Some(FragmentHeader {
            checksum: u32::from_le_bytes([a, b, c, d]),
            length: u16::from_le_bytes([e, f]),
            type_byte,
        })
    }

    /// Size of header and payload.
    #[inline]
    pub(crate) fn size(self) -> usize {
        HEADER_SIZE + usize::from(self.length)
    }
}

/// The checksum to store for a fragment.
///
/// It covers the type byte and the payload, which are adjacent.
#[inline]
pub(crate) fn checksum(fragment: &[u8]) -> u32 {
    mask(crc32c(fragment.get(TYPE_OFFSET..).unwrap_or_default()))
}

/// The reason why bytes are not a fragment. `left` is the number of bytes to the end of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The payload would cross the end of the block.
    Length { length: u16, left: usize },
    /// The same in the last, short block, or a header does not fit: the file was truncated here.
    CutOff { length: Option<u16>, left: usize },
    /// Type 0, length 0: preallocated space.
    Unused,
    /// The checksums stored and computed.
    Checksum { stored: u32, computed: u32, left: usize },
}

/// Decodes the fragment at the start of `left`, the rest of a block.
#[inline]
pub(crate) fn check(left: &[u8], block_is_full: bool, verify: bool) -> Result<FragmentHeader, Trouble> {
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

/// Whether `bytes` begins with a valid fragment.
pub(crate) fn is_sound(bytes: &[u8]) -> bool {
    let Some(header) = FragmentHeader::decode(bytes) else { return false };
    FragmentType::from_byte(header.type_byte).is_some()
        && bytes.get(..header.size()).is_some_and(|fragment| checksum(fragment) == header.checksum)
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
