//! Databases in a pool of raw files whose quota is used up, as Chromium and Firefox count it
//! (scorecard R22, natively).
//!
//! `VARVE_LONG=1` runs more rounds, `VARVE_SEED=n` one.

use std::rc::Rc;

use varve::env::{Env, PoolEnv, RawLimit, RawModel, block_on};
use varve::{Db, Error, Options, WriteOptions};

use crate::common::model::Map;
use crate::common::random::Random;
use crate::common::world::{contents, is_long, seeds};

const LIMITS: [RawLimit; 2] = [RawLimit::Reserving, RawLimit::Refusing];

/// A database in a browser: its default options, an idle host now and then, and the time that passes.
struct Page {
    raw: RawModel,
    db: Db,
    expected: Map,
    random: Random,
    /// Bytes of live keys and values.
    live: u64,
    steps: u64,
}

fn open(raw: &RawModel) -> Result<Db, Error> {
    let env: Rc<dyn Env> = Rc::new(PoolEnv::new(Rc::new(raw.clone())));
    block_on(Db::open(env, Options { create_if_missing: true, ..Options::default() }))
}

impl Page {
    fn new(limit: RawLimit, quota: u64, seed: u64) -> Page {
        let raw = RawModel::new(seed);
        raw.set_limit(limit, quota);
        let db = open(&raw).unwrap();
        raw.run_deferred(40);
        Page { raw, db, expected: Map::new(), random: Random::new(seed), live: 0, steps: 0 }
    }

    fn step(&mut self) {
        self.steps += 1;
        self.raw.advance(1);
        if self.steps.is_multiple_of(8) {
            self.raw.run_deferred(1);
        }
        if self.steps.is_multiple_of(4) && self.db.has_background_work() {
            let _ = block_on(self.db.background(64 << 10));
        }
    }

    /// What the host does when no writes arrive.
    fn idle(&mut self) {
        self.raw.advance(100);
        self.raw.run_deferred(20);
        let mut more = self.db.tidy();
        while more {
            more = block_on(self.db.background(1 << 20)).unwrap_or(false);
            self.raw.run_deferred(4);
        }
    }

    fn put(&mut self, key: Vec<u8>, size: usize) -> Result<(), Error> {
        // Not compressible.
        let value: Vec<u8> = (0..size).map(|_| self.random.next() as u8).collect();
        let sync = self.random.one_in(50);
        let done = block_on(self.db.put_with(&WriteOptions { sync }, &key, &value));
        self.step();
        done?;
        let bytes = (key.len() + value.len()) as u64;
        let old = self.expected.insert(key.clone(), value).map_or(0, |old| (key.len() + old.len()) as u64);
        self.live = self.live + bytes - old;
        Ok(())
    }

    fn put_new(&mut self) -> Result<(), Error> {
        let key = format!("{:016x}", self.random.next()).into_bytes();
        let size = 500 + self.random.below(1000);
        self.put(key, size)
    }

    /// Deletes all entries but every `keep`-th; returns how many deletes were refused.
    fn delete_most(&mut self, keep: usize) -> usize {
        let keys: Vec<_> = self.expected.keys().cloned().enumerate().collect();
        let mut refused = 0;
        for (_, key) in keys.into_iter().filter(|(at, _)| at % keep != 0) {
            let done = block_on(self.db.delete(&key));
            self.step();
            match done {
                Ok(()) => {
                    let old = self.expected.remove(&key).unwrap_or_default();
                    self.live -= (key.len() + old.len()) as u64;
                }
                Err(error) => {
                    assert_eq!(error.code(), "full", "{error}");
                    refused += 1;
                }
            }
        }
        refused
    }

    /// Closes and opens the database.
    fn reopen(self) -> Page {
        let Page { raw, db, expected, random, live, steps } = self;
        block_on(db.close()).unwrap();
        let db = open(&raw).unwrap_or_else(|error| panic!("it does not open: {error}"));
        Page { raw, db, expected, random, live, steps }
    }

    /// Puts new entries until they fail although the host was idle; returns the live bytes at the first error.
    fn fill(&mut self) -> u64 {
        let (mut refused, mut first) = (0, None);
        while refused < 3 {
            match self.put_new() {
                Ok(()) => refused = 0,
                Err(error) => {
                    assert_eq!(error.code(), "full", "{error}");
                    first.get_or_insert(self.live);
                    refused += 1;
                    self.idle();
                }
            }
        }
        first.unwrap()
    }

    fn check(&self, when: &str) {
        assert!(contents(&self.db).unwrap() == self.expected, "{when}: the contents differ");
    }

    fn told(&self) -> String {
        let levels: Vec<_> = (0..7)
            .map(|level| self.db.tables().iter().filter(|t| t.level == level).map(|t| t.size >> 10).sum::<u64>())
            .collect();
        let files = self.raw.files();
        let sum = files.values().map(Vec::len).sum::<usize>() >> 10;
        format!(
            "{:?}, files {sum} KiB; {} KiB used, {} KiB live, levels {levels:?} KiB",
            self.db.state(),
            self.raw.used() >> 10,
            self.live >> 10
        )
    }
}

fn filled(limit: RawLimit, quota: u64, least: u64, seed: u64) {
    let mut page = Page::new(limit, quota, seed);
    let first = page.fill();
    let told = page.told();
    println!("{limit:?}, {} MiB, seed {seed}: {} % live at the first error; {told}", quota >> 20, first * 100 / quota);
    assert!(first * 100 >= quota * least, "{first} of {quota} bytes were live at the first error; {told}");
    page.check("when full");

    let mut page = page.reopen();
    page.check("opened again when full");
    for round in 0..if is_long() { 2 } else { 1 } {
        let refused = page.delete_most(3);
        assert_eq!(refused, 0, "round {round}: deletes were refused; {}", page.told());
        page.check("after deletes");
        for _ in 0..3 {
            page.idle();
        }
        let (before, used) = (page.live, page.told());
        let again = page.fill();
        println!("    after deletes: {used}; {} KiB live at the next error", again >> 10);
        assert!(again > before + (first - before) / 2, "{again} of {first} bytes were live at the next error; {used}");
        page.check("full again");
        page = page.reopen();
        page.check("opened again");
    }
}

#[test]
fn most_of_a_quota_of_64_mib_holds_live_data_before_the_first_error() {
    for seed in seeds(1, 10) {
        for limit in LIMITS {
            filled(limit, 64 << 20, 60, seed);
        }
    }
}

#[test]
fn a_quota_of_5_mib_is_used_as_far_as_it_goes() {
    for seed in seeds(4, 100) {
        for limit in LIMITS {
            filled(limit, 5 << 20, 15, seed);
        }
    }
}
