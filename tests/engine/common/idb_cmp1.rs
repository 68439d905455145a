//! `idb_cmp1`: the order of the keys of Chromium's IndexedDB databases.
//!
//! ```text
//! key     = prefix, suffix
//! prefix  = byte: (database id length - 1) << 5 | (store id length - 1) << 2 |
//!           (index id length - 1), then the three ids, little-endian
//! suffix, by the ids:
//!   database 0              type byte; 100: varint database id; 201: origin, name (strings);
//!                           50: bytes
//!   store 0                 type byte; 50: varint store, byte; 100: varint store, varint index,
//!                           byte; 150: varint store; 151: varint store, varint index;
//!                           200: string; 201: varint store, string
//!   index 1, 2, 3           key: a record, "exists", blob entries; may be missing in range bounds
//!   index 30 and above      key, [varint sequence number, [primary key]]
//! string  = varint length in UTF-16 units, UTF-16BE
//! key     = type byte, then 0 null: -; 1 string; 2 date, 3 number: f64; 4 array: varint count,
//!           keys; 5 least: -; 6 binary: varint length, bytes
//! ```
//! Types sort: least, number, date, string, binary, array, null. The bytes
//! `00 02 01 01 | 03 00 00 00 00 00 00 f0 3f` are the record of key 1 in store 1 of database 2:
//! prefix byte 0 means one byte per id.
//!
//! # A total order of any bytes
//!
//! In Chromium, a key that cannot be decoded equals every other key, and a NaN equals every number,
//! which is not an order. Here:
//! 1. keys that cannot be decoded come after all others, in bytewise order;
//! 2. NaNs come after all other numbers of their type and are equal to each other;
//! 3. otherwise the order is Chromium's, in which some different bytes are equal: 0 and -0, and
//!    keys that differ only after their last field.
//!
//! Source: Chromium `content/browser/indexed_db/indexed_db_leveldb_coding.cc` and
//! `leveldb_coding_scheme.md`.

use std::cmp::Ordering;

use varve::Comparator;

/// The comparator named `idb_cmp1`.
pub struct IdbCmp1;

impl Comparator for IdbCmp1 {
    fn name(&self) -> &str {
        "idb_cmp1"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match (Key::decode(a), Key::decode(b)) {
            (Some(x), Some(y)) => x.compare(&y),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        }
    }
}

/// A decoded key, as far as the order needs it.
struct Key<'a> {
    /// Database, store, index.
    ids: [i64; 3],
    suffix: Suffix<'a>,
}

enum Suffix<'a> {
    /// The fields of the type (type byte, numbers, strings) in the order of comparison.
    Metadata {
        kind: u8,
        numbers: [i64; 3],
        strings: [&'a [u8]; 2],
    },
    /// `None` in a bound of a range.
    Record(Option<&'a [u8]>),
    Index {
        key: Option<&'a [u8]>,
        sequence: i64,
        primary: Option<&'a [u8]>,
    },
}

impl<'a> Key<'a> {
    fn decode(bytes: &'a [u8]) -> Option<Key<'a>> {
        let mut input = Input(bytes);
        let lengths = input.byte()?;
        let ids = [input.id((lengths >> 5) + 1)?, input.id((lengths >> 2 & 7) + 1)?, input.id((lengths & 3) + 1)?];
        let suffix = match ids {
            [0, _, _] => global_metadata(&mut input)?,
            [_, 0, _] => database_metadata(&mut input)?,
            [_, _, 1..=3] => Suffix::Record(input.optional_key()?),
            [_, _, 30..=i64::MAX] => index_entry(&mut input)?,
            _ => return None,
        };
        Some(Key { ids, suffix })
    }

    fn compare(&self, other: &Key<'_>) -> Ordering {
        self.ids.cmp(&other.ids).then_with(|| match (&self.suffix, &other.suffix) {
            (Suffix::Metadata { kind, numbers, strings }, Suffix::Metadata { kind: k, numbers: n, strings: s }) => {
                // UTF-16BE: bytes sort like code units.
                (kind, numbers, strings).cmp(&(k, n, s))
            }
            (Suffix::Record(a), Suffix::Record(b)) => compare_optional(*a, *b),
            (
                Suffix::Index { key, sequence, primary },
                Suffix::Index { key: other_key, sequence: other_sequence, primary: other_primary },
            ) => compare_optional(*key, *other_key).then_with(|| match (primary, other_primary) {
                // Without a primary key, Chromium ignores the sequence number.
                (Some(a), Some(b)) => compare_keys(a, b).then(sequence.cmp(other_sequence)),
                (a, b) => a.is_some().cmp(&b.is_some()),
            }),
            // Equal ids imply the same kind of suffix.
            _ => Ordering::Equal,
        })
    }
}

fn global_metadata<'a>(input: &mut Input<'a>) -> Option<Suffix<'a>> {
    let kind = input.byte()?;
    let (mut numbers, mut strings) = ([0; 3], [&[][..]; 2]);
    match kind {
        0..=6 => {}
        50 => strings = [input.0, &[]],
        100 => numbers = [input.varint()?, 0, 0],
        201 => strings = [input.string()?, input.string()?],
        _ => return None,
    }
    Some(Suffix::Metadata { kind, numbers, strings })
}

fn database_metadata<'a>(input: &mut Input<'a>) -> Option<Suffix<'a>> {
    let kind = input.byte()?;
    let (mut numbers, mut strings) = ([0; 3], [&[][..]; 2]);
    match kind {
        0..=5 => {}
        50 => numbers = [input.varint()?, input.byte()?.into(), 0],
        100 => numbers = [input.varint()?, input.varint()?, input.byte()?.into()],
        150 => numbers = [input.varint()?, 0, 0],
        151 => numbers = [input.varint()?, input.varint()?, 0],
        200 => strings = [input.string()?, &[]],
        201 => (numbers, strings) = ([input.varint()?, 0, 0], [input.string()?, &[]]),
        _ => return None,
    }
    Some(Suffix::Metadata { kind, numbers, strings })
}

fn index_entry<'a>(input: &mut Input<'a>) -> Option<Suffix<'a>> {
    let key = input.optional_key()?;
    let sequence = if input.0.is_empty() { -1 } else { input.varint()? };
    Some(Suffix::Index { key, sequence, primary: input.optional_key()? })
}

fn compare_optional(a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare_keys(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// One value in a key, without the items of an array.
#[derive(Clone, Copy)]
enum Value<'a> {
    Least,
    Number(f64),
    Date(f64),
    String(&'a [u8]),
    Binary(&'a [u8]),
    Array(u64),
    Null,
}

impl Value<'_> {
    fn rank(&self) -> u8 {
        match self {
            Value::Least => 0,
            Value::Number(_) => 1,
            Value::Date(_) => 2,
            Value::String(_) => 3,
            Value::Binary(_) => 4,
            Value::Array(_) => 5,
            Value::Null => 6,
        }
    }

    /// Arrays are equal here: their items are compared separately.
    fn compare(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) | (Value::Date(a), Value::Date(b)) => {
                a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
            }
            (Value::String(a), Value::String(b)) | (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Compares two keys. Nesting of arrays is limited only by the size, so there is no recursion.
fn compare_keys(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (Input(a), Input(b));
    // For each open array: remaining items of both, and the order of their lengths.
    let mut open: Vec<(u64, Ordering)> = Vec::new();
    loop {
        let (Some(x), Some(y)) = (a.value(), b.value()) else { return Ordering::Equal };
        let order = x.compare(&y);
        if order.is_ne() {
            return order;
        }
        if let (Value::Array(x), Value::Array(y)) = (x, y) {
            open.push((x.min(y), x.cmp(&y)));
        }
        // Close the arrays that end here.
        loop {
            match open.last_mut() {
                None => return Ordering::Equal,
                Some((0, lengths)) if lengths.is_ne() => return *lengths,
                Some((0, _)) => drop(open.pop()),
                Some((left, _)) => {
                    *left -= 1;
                    break;
                }
            }
        }
    }
}

/// The remaining bytes of a key.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn id(&mut self, size: u8) -> Option<i64> {
        let bytes = self.bytes(size.into())?;
        let mut whole = [0; 8];
        whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(i64::from_le_bytes(whole))
    }

    fn varint(&mut self) -> Option<i64> {
        self.length().map(u64::cast_signed)
    }

    fn length(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let units = self.length()?;
        self.bytes(units.checked_mul(2)?)
    }

    fn double(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(*self.bytes(8)?.first_chunk()?))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::String(self.string()?),
            2 => Value::Date(self.double()?),
            3 => Value::Number(self.double()?),
            4 => Value::Array(self.length()?),
            5 => Value::Least,
            6 => {
                let length = self.length()?;
                Value::Binary(self.bytes(length)?)
            }
            _ => return None,
        })
    }

    /// Returns the bytes of one complete key; `Some(None)` if nothing is left.
    fn optional_key(&mut self) -> Option<Option<&'a [u8]>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let start = self.0;
        let mut missing = 1u64;
        while missing > 0 {
            missing -= 1;
            if let Value::Array(count) = self.value()? {
                missing = missing.checked_add(count)?;
            }
        }
        Some(start.get(..start.len() - self.0.len()))
    }
}
