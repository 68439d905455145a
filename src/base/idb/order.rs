//! The order of keys of Chromium's IndexedDB, `idb_cmp1`.
//!
//! Keys are compared part by part (`key.rs`): the ids of the prefix; of metadata, its type, then ids
//! and names; of records, the user key by type and value; of an index, its key, then the primary key.
//! Where Chromium's own comparator gives up, this one goes on, so that it is a total order of any
//! bytes: of two keys whose parts agree up to one that is malformed, the malformed key comes first,
//! and of two malformed ones the bytewise smaller. An empty key is therefore the first.
//!
//! Keys of different bytes can be equal, as `-0` and `0` are: they are one key of the database.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::key::{KeyKind, KeyPrefix, take_byte, take_double, take_kind, take_sized, take_string, take_varint};
use crate::base::comparator::Comparator;

/// The name of this order in a manifest.
pub const IDB_NAME: &str = "idb_cmp1";

/// The order of keys of Chromium's IndexedDB.
///
/// Its keys are never shortened: index blocks are larger, and every table is as Chromium reads it.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdbComparator;

impl Comparator for IdbComparator {
    fn name(&self) -> &str {
        IDB_NAME
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let (mut a, mut b) = (a, b);
        match compare_parts(&mut a, &mut b) {
            ControlFlow::Break(order) => order,
            ControlFlow::Continue(()) => a.cmp(b),
        }
    }

    /// A zero behind a key whose parts are all sound makes the next one. Other keys have none.
    fn successor(&self, key: &[u8]) -> Option<Vec<u8>> {
        let next = [key, &[0]].concat();
        let (mut a, mut b) = (&next[..], &next[..]);
        let is_behind_all = compare_parts(&mut a, &mut b).is_continue() && a == [0];
        is_behind_all.then_some(next)
    }
}

type Step<T> = ControlFlow<Ordering, T>;

/// Takes one part of a key.
type Take<'a, T> = fn(&mut &'a [u8]) -> Option<T>;

/// Takes one part of both keys; goes on with both values if they are equal in `order`.
///
/// Not inlined, and with pointers to functions: code that is small matters more than speed here.
#[inline(never)]
fn both<'a, T>(a: &mut &'a [u8], b: &mut &'a [u8], take: Take<'a, T>, order: fn(&T, &T) -> Ordering) -> Step<(T, T)> {
    let (rest_a, rest_b) = (*a, *b);
    match (take(a), take(b)) {
        (Some(x), Some(y)) => match order(&x, &y) {
            Ordering::Equal => Step::Continue((x, y)),
            unequal => Step::Break(unequal),
        },
        (None, Some(_)) => Step::Break(Ordering::Less),
        (Some(_), None) => Step::Break(Ordering::Greater),
        (None, None) => Step::Break(rest_a.cmp(rest_b)),
    }
}

/// As `both`, of parts in their own order.
#[inline(never)]
fn same<'a, T: Ord>(a: &mut &'a [u8], b: &mut &'a [u8], take: Take<'a, T>) -> Step<T> {
    both(a, b, take, T::cmp).map_continue(|(part, _)| part)
}

/// As `same`, of a part whose value is not needed.
#[inline(never)]
fn pass<'a, T: Ord>(a: &mut &'a [u8], b: &mut &'a [u8], take: Take<'a, T>) -> Step<()> {
    both(a, b, take, T::cmp).map_continue(|_| ())
}

fn compare_parts<'a>(a: &mut &'a [u8], b: &mut &'a [u8]) -> Step<()> {
    let prefix = same(a, b, KeyPrefix::take)?;
    match prefix {
        KeyPrefix { database: 0, .. } => global_metadata(a, b),
        KeyPrefix { store: 0, .. } => database_metadata(a, b),
        KeyPrefix { index: KeyPrefix::DATA..=KeyPrefix::BLOBS, .. } => user_key(a, b),
        KeyPrefix { index: KeyPrefix::USER_INDEX_MIN.., .. } => index_entry(a, b),
        _ => Step::Continue(()),
    }
}

fn global_metadata<'a>(a: &mut &'a [u8], b: &mut &'a [u8]) -> Step<()> {
    match same(a, b, take_byte)? {
        100 => pass(a, b, take_varint),
        201 => {
            pass(a, b, take_string)?;
            pass(a, b, take_string)
        }
        _ => Step::Continue(()),
    }
}

fn database_metadata<'a>(a: &mut &'a [u8], b: &mut &'a [u8]) -> Step<()> {
    match same(a, b, take_byte)? {
        50 => {
            pass(a, b, take_varint)?;
            pass(a, b, take_byte)
        }
        100 => {
            pass(a, b, take_varint)?;
            pass(a, b, take_varint)?;
            pass(a, b, take_byte)
        }
        150 => pass(a, b, take_varint),
        151 => {
            pass(a, b, take_varint)?;
            pass(a, b, take_varint)
        }
        200 => pass(a, b, take_string),
        201 => {
            pass(a, b, take_varint)?;
            pass(a, b, take_string)
        }
        _ => Step::Continue(()),
    }
}

/// Compares user keys without recursion: an array may be nested as deep as the key is long.
#[inline(never)]
fn user_key<'a>(a: &mut &'a [u8], b: &mut &'a [u8]) -> Step<()> {
    // Keys that are left of each open array.
    let mut open: Vec<(u64, u64)> = Vec::new();
    loop {
        match same(a, b, take_kind)? {
            KeyKind::Array => open.push(both(a, b, take_varint, |_, _| Ordering::Equal)?),
            KeyKind::String => pass(a, b, take_string)?,
            KeyKind::Binary => pass(a, b, take_sized)?,
            KeyKind::Number | KeyKind::Date => {
                both(a, b, take_double, compare_doubles)?;
            }
            KeyKind::Min | KeyKind::None => {}
        }
        loop {
            match open.last_mut() {
                None => return Step::Continue(()),
                Some((0, 0)) => {
                    open.pop();
                }
                Some((left_a, left_b)) if *left_a == 0 || *left_b == 0 => return Step::Break((*left_a).cmp(left_b)),
                Some((left_a, left_b)) => {
                    *left_a -= 1;
                    *left_b -= 1;
                    break;
                }
            }
        }
    }
}

/// NaN, which no key has, comes last.
fn compare_doubles(x: &f64, y: &f64) -> Ordering {
    x.partial_cmp(y).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

/// The index key, the primary key, and a sequence number between them that counts last. Old keys
/// have neither primary key nor, perhaps, sequence number.
fn index_entry<'a>(a: &mut &'a [u8], b: &mut &'a [u8]) -> Step<()> {
    user_key(a, b)?;
    let ((has_primary, x), (_, y)) = both(a, b, take_sequence, |(x, _), (y, _)| x.cmp(y))?;
    if has_primary {
        user_key(a, b)?;
        if x != y {
            return Step::Break(x.cmp(&y));
        }
    }
    Step::Continue(())
}

/// Whether a primary key follows, and the sequence number before it.
fn take_sequence(input: &mut &[u8]) -> Option<(bool, u64)> {
    if input.is_empty() {
        return Some((false, 0));
    }
    let sequence = take_varint(input)?;
    Some((!input.is_empty(), sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        IdbComparator.compare(a, b)
    }

    fn number(value: f64) -> Vec<u8> {
        [&[3][..], &value.to_le_bytes()].concat()
    }

    fn date(value: f64) -> Vec<u8> {
        [&[2][..], &value.to_le_bytes()].concat()
    }

    fn string(text: &str) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        [&[1, u8::try_from(units.len() / 2).unwrap()][..], &units].concat()
    }

    fn binary(bytes: &[u8]) -> Vec<u8> {
        [&[6, u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
    }

    fn array(keys: &[Vec<u8>]) -> Vec<u8> {
        [&[4, u8::try_from(keys.len()).unwrap()][..], &keys.concat()].concat()
    }

    fn record(key: &[u8]) -> Vec<u8> {
        [b"\0\x01\x01\x01", key].concat()
    }

    /// Checks that each key is before all that follow it.
    fn assert_ascending(keys: &[Vec<u8>]) {
        for (at, a) in keys.iter().enumerate() {
            for (place, b) in keys.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&place), "{} and {}", a.escape_ascii(), b.escape_ascii());
            }
        }
    }

    #[test]
    fn user_keys_are_numbers_dates_strings_binary_arrays() {
        let keys = [
            vec![5],
            number(f64::NEG_INFINITY),
            number(-1.5),
            number(2.0),
            number(10.0),
            date(-1e12),
            date(0.0),
            string(""),
            string("a"),
            string("ab"),
            string("b"),
            string("\u{10000}"),
            string("\u{ffff}"),
            binary(b""),
            binary(b"a"),
            binary(b"ab"),
            binary(b"b"),
            array(&[]),
            array(&[number(1.0)]),
            array(&[number(1.0), number(0.0)]),
            array(&[number(2.0)]),
            array(&[array(&[number(9.0)])]),
            array(&[array(&[number(9.0)]), number(1.0)]),
            vec![0],
        ];
        assert_ascending(&keys.map(|key| record(&key)));
    }

    #[test]
    fn ids_are_compared_as_numbers() {
        assert_ascending(&[
            b"\0\0\0\0\0".to_vec(),
            b"\0\0\0\0\x32whatever".to_vec(),
            b"\0\0\0\0\xc9\x01\0a\x01\0z".to_vec(),
            b"\0\0\0\0\xc9\x01\0b\x01\0a".to_vec(),
            b"\0\x01\0\0\x01".to_vec(),
            b"\0\x01\0\0\x32\x02\x07".to_vec(),
            b"\0\x01\0\0\x32\x80\x01\0".to_vec(),
            b"\0\x01\0\0\x64\x01\x1e\0".to_vec(),
            b"\0\x01\0\0\xc8\x01\0a".to_vec(),
            record(&number(1.0)),
            b"\0\x01\x01\x1e\x03\0\0\0\0\0\0\xf0\x3f\0\x03\0\0\0\0\0\0\xf0\x3f".to_vec(),
            b"\0\xff\0\0\x01".to_vec(),
            b"\x20\x00\x01\0\0\x01".to_vec(),
        ]);
    }

    #[test]
    fn entries_of_an_index_are_by_key_then_primary_key() {
        let entry = |key: &[u8], sequence: u8, primary: &[u8]| [b"\0\x01\x01\x1e", key, &[sequence], primary].concat();
        let bare = [b"\0\x01\x01\x1e".to_vec(), number(1.0)].concat();
        assert_ascending(&[
            bare.clone(),
            entry(&number(1.0), 7, &number(1.0)),
            entry(&number(1.0), 8, &number(1.0)),
            entry(&number(1.0), 0, &string("a")),
            entry(&number(2.0), 0, &number(1.0)),
        ]);
        assert_eq!(compare(&bare, &entry(&number(1.0), 0, b"")), Ordering::Equal, "old keys, as Chromium has it");
    }

    #[test]
    fn a_malformed_key_comes_before_those_it_might_have_been() {
        assert_ascending(&[
            b"".to_vec(),
            b"\0".to_vec(),
            b"\xff\xff".to_vec(),
            b"\0\0\0\0".to_vec(),
            b"\0\0\0\0\0".to_vec(),
            record(b""),
            record(b"\x07"),
            record(b"\x09abc"),
            record(&number(1.0)),
            record(b"\x01"),
            record(b"\x01\x05a"),
            record(&string("")),
        ]);
    }

    #[test]
    fn zeros_are_one_key_and_nan_is_the_last_number() {
        assert_eq!(compare(&record(&number(0.0)), &record(&number(-0.0))), Ordering::Equal);
        assert_ascending(&[
            record(&number(f64::INFINITY)),
            record(&number(f64::NAN)),
            record(&date(f64::NEG_INFINITY)),
        ]);
    }

    #[test]
    fn arrays_nested_as_deep_as_the_key_is_long_need_no_stack() {
        let deep = |levels: usize| record(&b"\x04\x01".repeat(levels));
        assert_eq!(compare(&deep(500_000), &deep(500_000)), Ordering::Equal);
        assert_eq!(compare(&deep(500_000), &deep(499_999)), Ordering::Greater);
        let many = record(b"\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0");
        assert_eq!(compare(&many, &many), Ordering::Equal);
    }

    #[test]
    fn only_a_whole_key_has_a_successor() {
        for key in [record(&string("a")), record(&array(&[number(1.0)])), b"\0\0\0\0\x01".to_vec(), record(b"\0")] {
            assert_eq!(IdbComparator.successor(&key), Some([&key[..], &[0]].concat()));
        }
        for key in
            [record(b""), record(&number(1.0)[..8]), b"".to_vec(), [b"\0\x01\x01\x1e".to_vec(), number(1.0)].concat()]
        {
            assert_eq!(IdbComparator.successor(&key), None, "{}", key.escape_ascii());
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(4000))]
        #[test]
        fn any_bytes_are_in_a_total_order(keys in proptest::collection::vec(any_key(), 3)) {
            let [a, b, c] = &keys[..] else { unreachable!() };
            proptest::prop_assert_eq!(compare(a, b), compare(b, a).reverse());
            proptest::prop_assert_eq!(compare(a, a), Ordering::Equal);
            if compare(a, b).is_le() && compare(b, c).is_le() {
                proptest::prop_assert!(compare(a, c).is_le());
                if compare(a, b).is_lt() || compare(b, c).is_lt() {
                    proptest::prop_assert!(compare(a, c).is_lt());
                }
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(2000))]
        #[test]
        fn nothing_is_between_a_key_and_its_successor(keys in proptest::collection::vec(any_key(), 2)) {
            let [key, other] = &keys[..] else { unreachable!() };
            if let Some(next) = IdbComparator.successor(key) {
                proptest::prop_assert!(compare(key, &next).is_lt());
                proptest::prop_assert!(compare(other, key).is_le() || compare(other, &next).is_ge());
            }
        }
    }

    /// Bytes of few values, so that keys agree in many parts, and are malformed in many ways.
    fn any_key() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
        use proptest::prelude::*;
        let byte = prop_oneof![8 => 0u8..=6, 1 => Just(30u8), 1 => Just(50), 1 => Just(100), 1 => Just(0x80), 1 => Just(201), 1 => any::<u8>()];
        let prefix = prop_oneof![
            Just(b"".to_vec()),
            Just(b"\0\0\0\0".to_vec()),
            Just(b"\0\x01\0\0".to_vec()),
            Just(b"\0\x01\x01\x01".to_vec()),
            Just(b"\0\x01\x01\x1e".to_vec()),
        ];
        (prefix, proptest::collection::vec(byte, 0..14)).prop_map(|(prefix, rest)| [prefix, rest].concat())
    }
}
