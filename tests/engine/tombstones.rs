//! The cost of skipping deleted keys.

use std::cell::Cell;
use std::cmp::Ordering;
use std::rc::Rc;

use varve::env::{FaultEnv, MemoryEnv, Operation};
use varve::{Comparator, Db, Options, ReadOptions, UserComparator, block_on};

const DELETED: usize = 5_000;

struct Counting(Rc<Cell<usize>>);

impl Comparator for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.0.set(self.0.get() + 1);
        a.cmp(b)
    }
}

fn key(i: usize) -> Vec<u8> {
    format!("key{i:06}").into_bytes()
}

/// A table of values, a memtable of their tombstones, and one entry after them.
fn emptied(env: FaultEnv, options: Options) -> Db {
    let db = block_on(Db::open(Rc::new(env), Options { create_if_missing: true, ..options })).unwrap();
    for i in 0..DELETED {
        block_on(db.put(&key(i), b"value")).unwrap();
    }
    block_on(db.flush()).unwrap();
    for i in 0..DELETED {
        block_on(db.delete(&key(i))).unwrap();
    }
    block_on(db.put(b"last", b"value")).unwrap();
    db
}

#[test]
fn a_tombstone_and_the_values_it_hides_cost_two_comparisons() {
    let compared = Rc::new(Cell::new(0));
    let comparator = UserComparator::Custom(Rc::new(Counting(compared.clone())));
    let env = FaultEnv::new(Rc::new(MemoryEnv::new()), 1);
    let db = emptied(env, Options { comparator, ..Options::default() });
    let mut it = db.iter(&ReadOptions::default()).unwrap();
    compared.set(0);
    assert!(block_on(it.seek(&key(0))).unwrap());
    assert_eq!(it.key(), b"last");
    let most = 2 * DELETED;
    assert!(compared.get() < most, "{} comparisons for {DELETED} tombstones", compared.get());
}

#[test]
fn clearing_an_empty_range_writes_nothing() {
    let env = FaultEnv::new(Rc::new(MemoryEnv::new()), 1);
    let db = emptied(env.clone(), Options::default());
    let before = env.trace().len();
    assert_eq!(block_on(db.delete_range(Some(&key(0)), Some(b"last"))).unwrap(), 0);
    let reads = [Operation::Open, Operation::Size, Operation::ReadAt];
    let calls = env.trace().split_off(before);
    assert!(calls.iter().all(|call| reads.contains(&call.operation)), "{calls:?}");
}
