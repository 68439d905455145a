//! Compares the memtable with an ordered map.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is how a failure is said")]

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

use super::*;
use crate::base::{Comparator, UserComparator, append_internal_key};
use crate::iter::{InternalIterator, Step};

fn sequence(n: u64) -> SequenceNumber {
    SequenceNumber::new(n).unwrap()
}

fn internal(user_key: &[u8], n: u64, value_type: ValueType) -> Vec<u8> {
    let mut key = Vec::new();
    append_internal_key(&mut key, user_key, sequence(n), value_type);
    key
}

fn bytewise() -> Rc<MemTable> {
    Rc::new(MemTable::new(InternalKeyComparator::default()))
}

/// Longer keys later, then by bytes in descending order.
struct Odd;

impl Comparator for Odd {
    fn name(&self) -> &str {
        "tests.Odd"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.len().cmp(&b.len()).then_with(|| b.cmp(a))
    }
}

/// A small random generator with the same numbers on all platforms.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Keys that are difficult for key prefixes.
fn hard_key(random: &mut Random, family: usize) -> Vec<u8> {
    match family {
        // Few distinct keys, prefixes of one another, zeros that look like padding.
        0 => vec![0; random.below(20)],
        1 => (0..random.below(12)).map(|_| [0, 1, 255][random.below(3)]).collect(),
        // A long common prefix, sometimes cut.
        2 => {
            let mut key = format!("a/rather/long/common/prefix/{:06}", random.below(3000)).into_bytes();
            if random.below(50) == 0 {
                key.truncate(random.below(30));
            }
            key
        }
        3 => random.next().to_be_bytes().to_vec(),
        // The keys differ late, in several places.
        4 => {
            let mut key = vec![b'x'; 40];
            for _ in 0..2 {
                key[random.below(40)] = b'w' + random.below(3) as u8;
            }
            key
        }
        _ => hard_key(random, random.0 as usize % 5),
    }
}

/// The expected content: user key, newest first.
type Oracle<K> = BTreeMap<(K, Reverse<u64>), (ValueType, Vec<u8>)>;

fn check_all<K: Ord + Clone>(table: &Rc<MemTable>, oracle: &Oracle<K>, bytes: impl Fn(&K) -> Vec<u8>) {
    let expected: Vec<_> = oracle.iter().map(|((k, s), (t, v))| (internal(&bytes(k), s.0, *t), v.clone())).collect();
    assert_eq!(table.len(), expected.len());
    table.tree.borrow().check();
    let mut iter = table.iter();
    assert_eq!(iter.seek_to_first(), Step::Done);
    for (key, value) in &expected {
        assert!(iter.valid());
        assert_eq!((iter.key(), iter.value()), (&key[..], &value[..]));
        let _ = iter.next();
    }
    assert!(!iter.valid());
    assert_eq!((iter.key(), iter.value()), (&[][..], &[][..]));
    let _ = iter.seek_to_last();
    for (key, value) in expected.iter().rev() {
        assert!(iter.valid());
        assert_eq!((iter.key(), iter.value()), (&key[..], &value[..]));
        let _ = iter.prev();
    }
    assert!(!iter.valid());
}

/// Inserts, looks up, and moves a cursor in between.
///
/// Compares all results with the expected content.
fn exercise<K: Ord + Clone>(
    order: UserComparator,
    seed: u64,
    family: usize,
    inserts: usize,
    wrap: impl Fn(Vec<u8>) -> K,
    bytes: impl Fn(&K) -> Vec<u8>,
) {
    let mut random = Random(seed);
    let table = Rc::new(MemTable::new(InternalKeyComparator::new(order)));
    let mut oracle: Oracle<K> = BTreeMap::new();
    let mut iter = table.iter();
    let mut stand: Option<(K, Reverse<u64>)> = None;
    for n in 1..=inserts as u64 {
        let key = hard_key(&mut random, family);
        let value = vec![n as u8; random.below(20)];
        let value_type = if random.below(4) == 0 { ValueType::Deletion } else { ValueType::Value };
        table.reserve(1, key.len() + value.len()).unwrap();
        table.insert(sequence(n), value_type, &key, &value);
        oracle.insert((wrap(key), Reverse(n)), (value_type, value));

        let key = hard_key(&mut random, family);
        let at = random.below(n as usize + 1) as u64;
        let expected = oracle.range((wrap(key.clone()), Reverse(at))..).next();
        let found = expected.filter(|((k, _), _)| *k == wrap(key.clone())).map(|(_, (t, v))| match t {
            ValueType::Value => MemGet::Value(v.clone()),
            ValueType::Deletion => MemGet::Deleted,
        });
        assert_eq!(table.get(&LookupKey::new(&key, sequence(at)), true), found);

        match (random.below(6), &stand) {
            (0, _) => {
                let _ = iter.seek(&internal(&key, at, ValueType::Value));
                stand = expected.map(|(k, _)| k.clone());
            }
            (1, None) => {
                let _ = iter.seek_to_first();
                stand = oracle.keys().next().cloned();
            }
            (2, None) => {
                let _ = iter.seek_to_last();
                stand = oracle.keys().next_back().cloned();
            }
            (1..=3, Some(from)) => {
                let _ = iter.next();
                let range = (Bound::Excluded(from.clone()), Bound::Unbounded);
                stand = oracle.range(range).next().map(|(k, _)| k.clone());
            }
            (4, Some(from)) => {
                let _ = iter.prev();
                stand = oracle.range(..from.clone()).next_back().map(|(k, _)| k.clone());
            }
            _ => {}
        }
        assert_eq!(iter.valid(), stand.is_some());
        if let Some(stand) = &stand {
            let (value_type, value) = &oracle[stand];
            assert_eq!(iter.key(), internal(&bytes(&stand.0), stand.1.0, *value_type));
            assert_eq!(iter.value(), value);
        }
    }
    check_all(&table, &oracle, bytes);
}

#[test]
fn it_behaves_like_an_ordered_map() {
    for family in 0..6 {
        for seed in 0..3 {
            exercise(UserComparator::Bytewise, seed, family, 3000, |k| k, Vec::clone);
        }
    }
}

#[test]
fn it_behaves_like_an_ordered_map_with_any_comparator() {
    for family in 0..6 {
        let order = UserComparator::Custom(Rc::new(Odd));
        exercise(order, 7, family, 3000, |k| (k.len(), Reverse(k)), |k| k.1.0.clone());
    }
}

#[test]
fn ascending_descending_and_alternating_inserts_are_sorted() {
    let count = 70_000u64;
    let ways: [fn(u64, u64) -> u64; 4] =
        [|i, _| i, |i, n| n - i, |i, n| if i % 2 == 0 { i } else { n - i }, |i, n| i.wrapping_mul(7919) % n];
    for way in ways {
        let table = bytewise();
        let mut oracle: Oracle<Vec<u8>> = BTreeMap::new();
        for i in 0..count {
            let key = format!("key{:013}", way(i, count)).into_bytes();
            table.insert(sequence(i + 1), ValueType::Value, &key, b"v");
            oracle.insert((key, Reverse(i + 1)), (ValueType::Value, b"v".to_vec()));
        }
        check_all(&table, &oracle, Vec::clone);
        for ((key, Reverse(n)), _) in oracle.iter().step_by(17) {
            assert_eq!(table.get(&LookupKey::new(key, sequence(*n)), true), Some(MemGet::Value(b"v".to_vec())));
            assert_eq!(table.get(&LookupKey::new(key, sequence(n - 1)), true), None);
        }
    }
}

#[test]
fn tombstone_hides_older_value() {
    let table = bytewise();
    table.insert(sequence(1), ValueType::Value, b"k", b"v1");
    table.insert(sequence(2), ValueType::Deletion, b"k", b"");
    table.insert(sequence(3), ValueType::Value, b"k", b"v3");
    let at = |n| table.get(&LookupKey::new(b"k", sequence(n)), true);
    assert_eq!(at(0), None);
    assert_eq!(at(1), Some(MemGet::Value(b"v1".to_vec())));
    assert_eq!(at(2), Some(MemGet::Deleted));
    assert_eq!(at(9), Some(MemGet::Value(b"v3".to_vec())));
    assert_eq!(table.get(&LookupKey::new(b"", sequence(9)), true), None);
    assert_eq!(table.get(&LookupKey::new(b"k\0", sequence(9)), true), None);
}

#[test]
fn an_empty_memtable_has_no_entries() {
    let table = bytewise();
    let mut iter = table.iter();
    assert!(!iter.valid());
    for step in [iter.seek_to_first(), iter.seek_to_last(), iter.seek(b"short"), iter.next(), iter.prev()] {
        assert_eq!(step, Step::Done);
    }
    assert!(!iter.valid() && iter.status().is_ok());
    assert!(table.is_empty());
    assert_eq!((table.len(), table.logical_size()), (0, 0));
}

#[test]
fn the_size_counts_keys_tags_values_and_a_constant_per_entry() {
    let table = bytewise();
    table.insert(sequence(1), ValueType::Value, &[1; 16], &[2; 100]);
    assert_eq!(table.logical_size(), 16 + 8 + 100 + ENTRY_OVERHEAD);
}

#[test]
fn inserts_after_a_reserve_allocate_nothing() {
    let table = bytewise();
    let mut random = Random(5);
    for round in 0..200u64 {
        let count = 1 + random.below(700);
        table.reserve(count as u32, count * 24).unwrap();
        let before = table.tree.borrow().capacities();
        for i in 0..count as u64 {
            let key = (random.next() >> (round % 60)).to_be_bytes();
            table.insert(sequence(round << 20 | i), ValueType::Value, &key, &[0; 16]);
        }
        assert_eq!(table.tree.borrow().capacities(), before);
    }
}

#[test]
fn more_than_the_address_space_is_refused() {
    let table = bytewise();
    assert_eq!(table.reserve(1, usize::MAX).unwrap_err().code(), "limit-exceeded");
    assert!(table.reserve(u32::MAX, 0).is_err());
}

#[test]
fn large_and_small_values_can_be_mixed() {
    let table = bytewise();
    for i in 0..300u64 {
        let size = if i % 50 == 0 { 3 << 20 } else { 50 };
        table.insert(sequence(i + 1), ValueType::Value, &(i * 7919 % 300).to_be_bytes(), &vec![i as u8; size]);
    }
    for i in 0..300u64 {
        let size = if i % 50 == 0 { 3 << 20 } else { 50 };
        let found = table.get(&LookupKey::new(&(i * 7919 % 300).to_be_bytes(), SequenceNumber::MAX), true);
        assert_eq!(found, Some(MemGet::Value(vec![i as u8; size])));
    }
    let mut iter = table.iter();
    let _ = iter.seek_to_first();
    assert_eq!(iter.value().len(), 3 << 20);
    let _ = iter.next();
    assert_eq!(iter.value().len(), 50);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_history_behaves_like_an_ordered_map(seed: u64, family in 0usize..6, inserts in 1usize..1500) {
            exercise(UserComparator::Bytewise, seed, family, inserts, |k| k, Vec::clone);
        }

        #[test]
        fn any_history_behaves_like_an_ordered_map_with_any_comparator(seed: u64, family in 0usize..6, inserts in 1usize..600) {
            let order = UserComparator::Custom(Rc::new(Odd));
            exercise(order, seed, family, inserts, |k| (k.len(), Reverse(k)), |k| k.1.0.clone());
        }
    }
}
