//! The parts of a key of Chromium's IndexedDB.
//!
//! ```text
//! key        prefix, then what the type of the key asks for
//! prefix     lengths (1 byte: 3 bits database, 3 bits object store, 2 bits index, each less one),
//!            database id, object store id, index id, little-endian
//! user key   type (1 byte), then
//!              0 none, 5 before all keys: nothing
//!              1 string: length in units of 2 bytes (varint), UTF-16, big-endian
//!              2 date, 3 number: f64, little-endian
//!              4 array: number of keys (varint), then these
//!              6 binary: length (varint), bytes
//! ```
//! For example, `00 01 02 01 03 00 00 00 00 00 00 f0 3f` is the record with the number 1 in object
//! store 2 of database 1. Source: Chromium `content/browser/indexed_db/docs/leveldb_coding_scheme.md`.
//!
//! Each function removes one part from the front of a slice, or answers `None` and leaves it alone.

/// The database, object store and index that a key is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyPrefix {
    pub(crate) database: u64,
    pub(crate) store: u64,
    pub(crate) index: u64,
}

impl KeyPrefix {
    /// Index ids of the records of an object store, of the marks that they exist, and of their blobs.
    pub(crate) const DATA: u64 = 1;
    pub(crate) const EXISTS: u64 = 2;
    pub(crate) const BLOBS: u64 = 3;
    /// The first id of an index that a page made.
    pub(crate) const USER_INDEX_MIN: u64 = 30;

    pub(crate) fn take(input: &mut &[u8]) -> Option<KeyPrefix> {
        let (lengths, mut rest) = input.split_first()?;
        let database = take_id(&mut rest, (lengths >> 5) + 1)?;
        let store = take_id(&mut rest, (lengths >> 2 & 7) + 1)?;
        let index = take_id(&mut rest, (lengths & 3) + 1)?;
        *input = rest;
        Some(KeyPrefix { database, store, index })
    }
}

fn take_id(input: &mut &[u8], length: u8) -> Option<u64> {
    let (bytes, rest) = input.split_at_checked(usize::from(length))?;
    *input = rest;
    Some(bytes.iter().rev().fold(0, |id, byte| id << 8 | u64::from(*byte)))
}

/// The type of a user key, in the order of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyKind {
    /// Before all keys: a bound of Chromium's, never stored.
    Min,
    Number,
    Date,
    String,
    Binary,
    Array,
    None,
}

pub(crate) fn take_kind(input: &mut &[u8]) -> Option<KeyKind> {
    let (byte, rest) = input.split_first()?;
    let kind = match byte {
        0 => KeyKind::None,
        1 => KeyKind::String,
        2 => KeyKind::Date,
        3 => KeyKind::Number,
        4 => KeyKind::Array,
        5 => KeyKind::Min,
        6 => KeyKind::Binary,
        _ => return None,
    };
    *input = rest;
    Some(kind)
}

pub(crate) fn take_byte(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

/// Seven bits a byte, the lowest first, in at most ten bytes.
pub(crate) fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, byte) in input.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            *input = input.get(at + 1..)?;
            return Some(value);
        }
    }
    None
}

pub(crate) fn take_double(input: &mut &[u8]) -> Option<f64> {
    let (bytes, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(f64::from_le_bytes(*bytes))
}

/// A length, and as many units of `unit` bytes.
fn take_units<'a>(input: &mut &'a [u8], unit: u64) -> Option<&'a [u8]> {
    let mut rest = *input;
    let size = usize::try_from(take_varint(&mut rest)?.checked_mul(unit)?).ok()?;
    let (bytes, rest) = rest.split_at_checked(size)?;
    *input = rest;
    Some(bytes)
}

/// UTF-16, big-endian.
pub(crate) fn take_string<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    take_units(input, 2)
}

/// Bytes with their length.
pub(crate) fn take_sized<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    take_units(input, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_is_a_number_of_a_store() {
        let mut key = &b"\x00\x01\x02\x01\x03\0\0\0\0\0\0\xf0\x3f"[..];
        assert_eq!(KeyPrefix::take(&mut key), Some(KeyPrefix { database: 1, store: 2, index: KeyPrefix::DATA }));
        assert_eq!(take_kind(&mut key), Some(KeyKind::Number));
        assert_eq!(take_double(&mut key), Some(1.0));
        assert!(key.is_empty());
    }

    #[test]
    fn ids_have_the_lengths_that_the_first_byte_says() {
        let mut key = &b"\x29\x34\x12\x01\0\x02\x1e"[..];
        assert_eq!(KeyPrefix::take(&mut key), None, "index 30 has two bytes, of which one is missing");
        key = b"\x25\x34\x12\x00\x01\x1e\x00rest";
        assert_eq!(KeyPrefix::take(&mut key), Some(KeyPrefix { database: 0x1234, store: 0x100, index: 30 }));
        assert_eq!(key, b"rest");
    }

    #[test]
    fn what_is_cut_off_leaves_the_input_alone() {
        for bytes in [&b""[..], b"\x02\x00", b"\xff", b"\x80\x80"] {
            let mut input = bytes;
            assert_eq!(take_string(&mut input), None);
            assert_eq!(take_sized(&mut input), None);
            assert_eq!(take_double(&mut input), None);
            assert_eq!(input, bytes);
        }
        let mut input = &b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..];
        assert_eq!(take_varint(&mut input), None, "more than ten bytes");
    }
}
