//! Random operations with random options, compared with an ordered map. `VARVE_LONG=1` runs 1,000
//! seeds of 10,000 operations.

use std::rc::Rc;

use varve::env::{Env, MemoryEnv};
use varve::{Db, DbIterator, Options, ReadOptions, Snapshot, UserComparator, WriteBatch, WriteOptions};

use crate::common::block_on;
use crate::common::model::{Map, random_comparator, random_key, random_options, random_value, sorted};
use crate::common::random::Random;

const SPACE: usize = 1500;
const HOT: usize = 20;

struct Run {
    random: Random,
    env: Rc<dyn Env>,
    options: Options,
    db: Db,
    map: Map,
    snapshots: Vec<(Snapshot, Map)>,
    log: Vec<String>,
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn random_operations_agree_with_the_oracle() {
    let long = std::env::var_os("VARVE_LONG").is_some();
    let (seeds, operations) = if long { (1000, 10_000) } else { (40, 10_000) };
    let first = std::env::var("VARVE_SEED").ok().and_then(|s| s.parse().ok());
    let range = first.map_or(0..seeds, |seed: u64| seed..seed + 1);
    for seed in range {
        let result = std::panic::catch_unwind(|| run(seed, operations));
        if let Err(panic) = result {
            eprintln!("oracle: seed {seed} failed; VARVE_SEED={seed} runs it alone");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Runs `operations` random operations; panics if the database and the map differ.
pub fn run(seed: u64, operations: usize) {
    let env = MemoryEnv::new();
    env.set_appends_are_exact(seed.is_multiple_of(2));
    run_on(seed, operations, Rc::new(env));
}

/// The same on another storage.
pub fn run_on(seed: u64, operations: usize, env: Rc<dyn Env>) {
    let mut random = Random::new(seed);
    let comparator = random_comparator(&mut random);
    let options = Options { comparator, ..random_options(&mut random) };
    let db = block_on(Db::open(env.clone(), options.clone())).unwrap();
    let mut run = Run { random, env, options, db, map: Map::new(), snapshots: Vec::new(), log: Vec::new() };
    for i in 0..operations {
        run.step(i);
    }
    run.compare_all();
    let report = block_on(run.db.verify()).unwrap();
    assert_eq!(report.findings, []);
}

impl Run {
    fn step(&mut self, i: usize) {
        match self.random.below(1000) {
            0..450 => {
                let (key, value) = (random_key(&mut self.random, SPACE), random_value(&mut self.random));
                let options = WriteOptions { sync: self.random.one_in(20) };
                block_on(self.db.put_with(&options, &key, &value)).unwrap();
                self.map.insert(key, value);
            }
            450..600 => {
                let key = random_key(&mut self.random, SPACE);
                block_on(self.db.delete(&key)).unwrap();
                self.map.remove(&key);
            }
            600..650 => self.batch(),
            650..850 => self.get(),
            850..880 => self.iterate(),
            880..900 => self.snapshot(),
            900..930 => {
                let slice = self.random.below(100_000) as u64;
                if slice.is_multiple_of(2) {
                    self.db.tidy();
                }
                block_on(self.db.background(slice)).unwrap();
            }
            930..935 => block_on(self.db.flush()).unwrap(),
            935..938 => {
                let (a, b) = (random_key(&mut self.random, SPACE), random_key(&mut self.random, SPACE));
                let (begin, end) = if self.options.comparator.compare(&a, &b).is_le() { (a, b) } else { (b, a) };
                let begin = (!self.random.one_in(3)).then_some(begin);
                let end = (!self.random.one_in(3)).then_some(end);
                block_on(self.db.compact_range(begin.as_deref(), end.as_deref())).unwrap();
            }
            938..941 => self.reopen(),
            941..943 => self.delete_range(),
            943..945 => {
                if i.is_multiple_of(7) {
                    self.compare_all();
                }
            }
            _ => self.multi_get(),
        }
    }

    fn batch(&mut self) {
        let mut batch = WriteBatch::new();
        for _ in 0..self.random.below(40) {
            let key = random_key(&mut self.random, SPACE);
            if self.random.one_in(4) {
                batch.delete(&key);
                self.map.remove(&key);
            } else {
                let value = random_value(&mut self.random);
                batch.put(&key, &value);
                self.map.insert(key, value);
            }
        }
        block_on(self.db.write(&WriteOptions::default(), batch)).unwrap();
    }

    fn view(&mut self) -> (ReadOptions, Map) {
        if !self.snapshots.is_empty() && self.random.one_in(2) {
            let (snapshot, map) = &self.snapshots[self.random.below(self.snapshots.len())];
            (ReadOptions { snapshot: Some(snapshot.clone()), ..ReadOptions::default() }, map.clone())
        } else {
            (ReadOptions::default(), self.map.clone())
        }
    }

    /// A key to look up: any, or one of a few that are looked up repeatedly.
    fn sought_key(&mut self) -> Vec<u8> {
        let space = if self.random.one_in(2) { HOT } else { SPACE + 100 };
        random_key(&mut self.random, space)
    }

    fn get(&mut self) {
        let key = self.sought_key();
        if !self.snapshots.is_empty() && self.random.one_in(3) {
            let (snapshot, map) = &self.snapshots[self.random.below(self.snapshots.len())];
            let options = ReadOptions { snapshot: Some(snapshot.clone()), ..ReadOptions::default() };
            let found = block_on(self.db.get_with(&options, &key)).unwrap();
            assert_eq!(found.as_ref(), map.get(&key), "get {key:?} at a snapshot");
        } else {
            for _ in 0..1 + self.random.below(4) {
                let found = block_on(self.db.get(&key)).unwrap();
                assert_eq!(found.as_ref(), self.map.get(&key), "get {key:?}");
            }
        }
    }

    fn multi_get(&mut self) {
        let keys: Vec<Vec<u8>> = (0..self.random.below(10)).map(|_| self.sought_key()).collect();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let found = block_on(self.db.multi_get(&ReadOptions::default(), &slices)).unwrap();
        let expected: Vec<_> = keys.iter().map(|k| self.map.get(k).cloned()).collect();
        assert_eq!(found, expected);
    }

    /// An iterator moves at random during writes, flushes and compactions.
    fn iterate(&mut self) {
        let (mut options, map) = self.view();
        let order = self.options.comparator.clone();
        let bound = |random: &mut Random| random.one_in(4).then(|| random_key(random, SPACE));
        options.lower_bound = bound(&mut self.random);
        options.upper_bound = bound(&mut self.random);
        let mut entries = sorted(&map, &order);
        entries.retain(|(k, _)| {
            options.lower_bound.as_ref().is_none_or(|l| order.compare(k, l).is_ge())
                && options.upper_bound.as_ref().is_none_or(|u| order.compare(k, u).is_lt())
        });
        let mut it = self.db.iter(&options).unwrap();
        let mut at: Option<usize> = None;
        for _ in 0..self.random.below(60) {
            match self.random.below(10) {
                0 => {
                    block_on(it.seek_to_first()).unwrap();
                    at = (!entries.is_empty()).then_some(0);
                }
                1 => {
                    block_on(it.seek_to_last()).unwrap();
                    at = entries.len().checked_sub(1);
                }
                2 => {
                    let target = random_key(&mut self.random, SPACE);
                    block_on(it.seek(&target)).unwrap();
                    let found = entries.partition_point(|(k, _)| order.compare(k, &target).is_lt());
                    at = (found < entries.len()).then_some(found);
                }
                3..7 => {
                    if at.is_some() {
                        block_on(it.next()).unwrap();
                        at = at.map(|i| i + 1).filter(|i| *i < entries.len());
                    }
                }
                7..9 => {
                    if at.is_some() {
                        block_on(it.prev()).unwrap();
                        at = at.and_then(|i| i.checked_sub(1));
                    }
                }
                _ => self.disturb(),
            }
            check(&it, at, &entries, &order);
        }
    }

    fn disturb(&mut self) {
        match self.random.below(4) {
            0 => {
                let (key, value) = (random_key(&mut self.random, SPACE), random_value(&mut self.random));
                block_on(self.db.put(&key, &value)).unwrap();
                self.map.insert(key, value);
            }
            1 => {
                let key = random_key(&mut self.random, SPACE);
                block_on(self.db.delete(&key)).unwrap();
                self.map.remove(&key);
            }
            2 => {
                block_on(self.db.background(50_000)).unwrap();
            }
            _ => {
                if self.random.one_in(5) {
                    block_on(self.db.flush()).unwrap();
                }
            }
        }
    }

    fn snapshot(&mut self) {
        if self.snapshots.len() > 3 || !self.snapshots.is_empty() && self.random.one_in(2) {
            let at = self.random.below(self.snapshots.len());
            self.snapshots.swap_remove(at);
        } else {
            self.snapshots.push((self.db.snapshot(), self.map.clone()));
        }
    }

    fn reopen(&mut self) {
        self.snapshots.clear();
        if self.random.one_in(2) {
            block_on(self.db.close()).unwrap();
        } else {
            // Dropped: the process ends without a close, but its writes are in the storage.
        }
        let comparator = self.options.comparator.clone();
        self.options = Options { comparator, ..random_options(&mut self.random) };
        let placeholder =
            block_on(Db::open(Rc::new(MemoryEnv::new()), Options { create_if_missing: true, ..Options::default() }));
        drop(std::mem::replace(&mut self.db, placeholder.unwrap()));
        self.db = block_on(Db::open(self.env.clone(), self.options.clone())).unwrap();
        self.log.clear();
    }

    fn delete_range(&mut self) {
        let (a, b) = (random_key(&mut self.random, SPACE), random_key(&mut self.random, SPACE));
        let order = self.options.comparator.clone();
        let (begin, end) = if order.compare(&a, &b).is_le() { (a, b) } else { (b, a) };
        block_on(self.db.delete_range(Some(&begin), Some(&end))).unwrap();
        self.map.retain(|k, _| order.compare(k, &begin).is_lt() || order.compare(k, &end).is_ge());
    }

    fn compare_all(&mut self) {
        let (options, map) = self.view();
        let entries = sorted(&map, &self.options.comparator);
        let mut it = self.db.iter(&options).unwrap();
        let mut valid = block_on(it.seek_to_first()).unwrap();
        for (key, value) in &entries {
            assert!(valid, "the iterator ends before {key:?}");
            assert_eq!((it.key(), it.value()), (&key[..], &value[..]));
            valid = block_on(it.next()).unwrap();
        }
        assert!(!valid, "the iterator goes on to {:?}", it.key());
        let mut valid = block_on(it.seek_to_last()).unwrap();
        for (key, value) in entries.iter().rev() {
            assert!(valid, "backward, the iterator ends before {key:?}");
            assert_eq!((it.key(), it.value()), (&key[..], &value[..]));
            valid = block_on(it.prev()).unwrap();
        }
        assert!(!valid);
    }
}

fn check(it: &DbIterator, at: Option<usize>, entries: &[(Vec<u8>, Vec<u8>)], _order: &UserComparator) {
    match at {
        Some(i) => {
            assert!(it.valid(), "expected {:?}", entries[i].0);
            assert_eq!((it.key(), it.value()), (&entries[i].0[..], &entries[i].1[..]));
        }
        None => assert!(!it.valid(), "expected the end, stands on {:?}", it.key()),
    }
}
