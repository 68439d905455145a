//! The comparator for Chromium's IndexedDB: Chromium's order on valid keys, as another implementation
//! has it, and a total order on any bytes.

use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;
use varve::{Comparator, IdbComparator};

#[path = "common/idb_cmp1.rs"]
mod reference;

fn order(a: &[u8], b: &[u8]) -> Ordering {
    IdbComparator.compare(a, b)
}

fn number(n: f64) -> Vec<u8> {
    [&[3][..], &n.to_le_bytes()].concat()
}

fn date(n: f64) -> Vec<u8> {
    [&[2][..], &n.to_le_bytes()].concat()
}

fn string(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    [&[1, (units.len() / 2) as u8][..], &units].concat()
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    [&[6, bytes.len() as u8][..], bytes].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [&[4, items.len() as u8][..], &items.concat()].concat()
}

/// The record of `key` in store 1 of database 1.
fn record(key: &[u8]) -> Vec<u8> {
    [&[0, 1, 1, 1][..], key].concat()
}

/// Checks that every key sorts before all that follow it.
fn assert_ascending(keys: &[Vec<u8>]) {
    for (i, a) in keys.iter().enumerate() {
        for (j, b) in keys.iter().enumerate() {
            assert_eq!(order(a, b), i.cmp(&j), "{} and {}", a.escape_ascii(), b.escape_ascii());
        }
    }
}

#[test]
fn keys_sort_by_type_then_by_value() {
    let keys = [
        vec![5],
        number(f64::NEG_INFINITY),
        number(-1.5),
        number(0.0),
        number(2.0),
        number(10.0),
        number(f64::INFINITY),
        number(f64::NAN),
        date(-1.0),
        date(256.0),
        string(""),
        string("a"),
        string("aa"),
        string("b"),
        string("\u{10000}"),
        string("\u{e000}"),
        binary(&[]),
        binary(&[0, 1]),
        binary(&[255]),
        array(&[]),
        array(&[number(1.0)]),
        array(&[number(1.0), number(1.0)]),
        array(&[number(1.0), array(&[])]),
        array(&[number(1.0), array(&[number(3.0)]), number(9.0)]),
        array(&[number(1.0), array(&[number(3.0), number(0.0)])]),
        array(&[number(2.0)]),
        array(&[string("a")]),
        vec![0],
    ];
    assert_ascending(&keys.map(|key| record(&key)));
}

#[test]
fn prefixes_sort_by_their_numbers_in_any_encoding_length() {
    let keys = [
        vec![0, 0, 0, 0, 0],
        vec![0, 0, 0, 0, 1],
        vec![0, 0, 0, 0, 100, 7],
        [&[0, 0, 0, 0, 201][..], &string("a")[1..], &string("b")[1..]].concat(),
        [&[0, 0, 0, 0, 201][..], &string("b")[1..], &string("a")[1..]].concat(),
        vec![0, 1, 0, 0, 0],
        vec![0, 1, 0, 0, 50, 1, 0],
        vec![0, 1, 0, 0, 50, 1, 2],
        vec![0, 1, 0, 0, 50, 0x80, 1, 0],
        vec![0, 1, 0, 0, 100, 1, 30, 0],
        vec![0, 1, 0, 0, 150, 1],
        vec![0, 1, 0, 0, 151, 1, 30],
        [&[0, 1, 0, 0, 200][..], &string("s")[1..]].concat(),
        [&[0, 1, 0, 0, 201, 1][..], &string("i")[1..]].concat(),
        record(&[]),
        record(&number(1.0)),
        [&[0, 1, 1, 2][..], &number(1.0)].concat(),
        [&[0, 1, 1, 30][..], &number(1.0)].concat(),
        [&[0, 1, 2, 1][..], &number(1.0)].concat(),
        [&[0, 255, 1, 1][..], &number(1.0)].concat(),
        [&[0x20, 0, 1, 1, 1][..], &number(1.0)].concat(),
    ];
    assert_ascending(&keys);
    assert_eq!(order(&[0x20, 1, 0, 1, 1, 5], &record(&[5])), Ordering::Equal);
}

#[test]
fn index_entries_sort_by_key_then_primary_key_then_sequence() {
    let entry = |rest: &[&[u8]]| [&[0, 1, 1, 30][..], &rest.concat()].concat();
    let (one, two) = (number(1.0), number(2.0));
    let keys = [
        entry(&[&one]),
        entry(&[&one, &[9], &one]),
        entry(&[&one, &[0], &two]),
        entry(&[&one, &[3], &two]),
        entry(&[&two, &[0], &one]),
    ];
    assert_ascending(&keys);
    assert_eq!(
        order(&entry(&[&one]), &entry(&[&one, &[7]])),
        Ordering::Equal,
        "no primary key: Chromium looks no further"
    );
}

#[test]
fn negative_zero_equals_zero() {
    assert_eq!(order(&record(&number(0.0)), &record(&number(-0.0))), Ordering::Equal);
}

#[test]
fn deeply_nested_arrays_do_not_overflow_the_stack() {
    let deep = |bottom: u8| record(&[[4, 1].repeat(200_000), vec![bottom]].concat());
    assert_eq!(order(&deep(5), &deep(0)), Ordering::Less);
    assert_eq!(order(&deep(5), &deep(5)), Ordering::Equal);
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let double = prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(-1.0), Just(1.0), any::<f64>()];
    let leaf = prop_oneof![
        Just(vec![0]),
        Just(vec![5]),
        double.clone().prop_map(number),
        double.prop_map(date),
        "[ab\u{e000}\u{10000}]{0,3}".prop_map(|s| string(&s)),
        vec(0u8..3, 0..3).prop_map(|b| binary(&b)),
    ];
    leaf.prop_recursive(3, 12, 3, |item| vec(item, 0..3).prop_map(|items| array(&items)))
}

/// Valid keys, keys with errors, and any bytes; few enough ids that they coincide.
fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![Just(0u8), Just(1), Just(2), Just(30)];
    let prefix = (id.clone(), id.clone(), id).prop_map(|(a, b, c)| vec![0, a, b, c]);
    let kind = prop_oneof![Just(0u8), Just(50), Just(100), Just(150), Just(151), Just(200), Just(201), any::<u8>()];
    let metadata = (kind, vec(0u8..4, 0..6)).prop_map(|(kind, rest)| [vec![kind], rest].concat());
    let index = (any_value(), vec(0u8..3, 0..2), any_value()).prop_map(|(a, b, c)| [a, b, c].concat());
    let suffix = prop_oneof![Just(vec![]), any_value(), metadata, index, vec(0u8..8, 0..6)];
    let key = (prefix, suffix, 0usize..40).prop_map(|(prefix, suffix, cut)| {
        let mut key = [prefix, suffix].concat();
        if cut < 4 {
            key.truncate(key.len().saturating_sub(cut));
        }
        key
    });
    prop_oneof![8 => key, 1 => vec(any::<u8>(), 0..20), 1 => vec(0u8..7, 0..12)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_have_a_total_order(a in any_key(), b in any_key(), c in any_key()) {
        prop_assert_eq!(order(&a, &a), Ordering::Equal);
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        let mut sorted = [&a, &b, &c];
        sorted.sort_by(|x, y| order(x, y));
        // Transitive: the first is not after the last; if two neighbours are equal, both compare
        // equally with the third.
        prop_assert_ne!(order(sorted[0], sorted[2]), Ordering::Greater);
        if order(&a, &b) == Ordering::Equal {
            prop_assert_eq!(order(&a, &c), order(&b, &c));
        }
    }
}

/// Keys as Chromium writes them.
fn valid_key() -> impl Strategy<Value = Vec<u8>> {
    let ids = prop_oneof![Just(vec![0, 1, 1]), Just(vec![0, 1, 2]), Just(vec![4, 1, 1, 0]), Just(vec![0, 2, 1])];
    let record = (ids.clone(), 1u8..4, any_value()).prop_map(|(ids, index, key)| [ids, vec![index], key].concat());
    let entry = (ids, 30u8..32, any_value(), any_value())
        .prop_map(|(ids, index, key, primary)| [ids, vec![index], key, vec![0], primary].concat());
    let store = (0u8..3, 0u8..4).prop_map(|(store, kind)| vec![0, 1, 0, 0, 50, store, kind]);
    let name = "[ab]{0,3}".prop_map(|name| [&[0, 0, 0, 0, 201][..], &string("o")[1..], &string(&name)[1..]].concat());
    prop_oneof![4 => record, 4 => entry, 1 => store, 1 => name]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn valid_keys_are_in_the_order_of_another_implementation(a in valid_key(), b in valid_key()) {
        prop_assert_eq!(order(&a, &b), reference::IdbCmp1.compare(&a, &b));
    }
}
