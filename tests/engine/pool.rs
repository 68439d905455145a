//! Databases in a pool of raw files: the end of the process, power failures, false counts, a full
//! quota, flipped bits (scorecard R02, R05, R07, R21, natively).
//!
//! `VARVE_LONG=1` runs more seeds and flips every bit, `VARVE_SEED=n` runs one seed.

use std::io::ErrorKind;
use std::rc::Rc;

use varve::env::{Env, PoolEnv, RawCrash, RawFault, RawModel, block_on};
use varve::{Db, Error, Options, WriteBatch, WriteOptions, repair};

use crate::common::model::Map;
use crate::common::random::Random;
use crate::common::world::{
    Changes, History, contents, difference, is_long, key, must, parallel, seeds, small_options, text, threads,
};

fn pool(raw: &RawModel) -> Rc<dyn Env> {
    Rc::new(PoolEnv::new(Rc::new(raw.clone())))
}

fn open(raw: &RawModel, options: &Options) -> Result<Db, Error> {
    block_on(Db::open(pool(raw), options.clone()))
}

/// A random life of a database, until the planned fault.
struct Life {
    raw: RawModel,
    options: Options,
    db: Option<Db>,
    /// The storage of `db`.
    env: Option<Rc<PoolEnv>>,
    history: History,
    /// Writes that were synced while everything below them was mature.
    settled: usize,
    random: Random,
    written: u64,
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = Random::new(seed);
        let options = Options {
            reuse_logs: random.one_in(2),
            write_buffer_size: *random.pick(&[4 << 10, 8 << 10, 64 << 10]),
            ..small_options()
        };
        Life {
            raw: RawModel::new(seed),
            options,
            db: None,
            env: None,
            history: History::new(),
            settled: 0,
            random,
            written: 0,
        }
    }

    fn changes(&mut self) -> Changes {
        let most = if self.random.one_in(4) { 20 } else { 3 };
        let count = 1 + self.random.below(most);
        let one = |_| {
            let at = key(self.random.below(40));
            if self.random.one_in(4) {
                return (at, None);
            }
            self.written += 1;
            let mut value = format!("{:08}.", self.written).into_bytes();
            let length = self.random.below(300);
            value.extend(self.random.bytes(length));
            (at, Some(value))
        };
        (0..count).map(one).collect()
    }

    fn write(&mut self) -> Result<(), Error> {
        let (changes, sync) = (self.changes(), self.random.one_in(3));
        let mut batch = WriteBatch::new();
        for (key, value) in &changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        let db = self.db.as_ref().unwrap();
        match block_on(db.write(&WriteOptions { sync }, batch)) {
            Ok(()) => {
                self.history.acknowledge(changes, sync);
                Ok(())
            }
            Err(error) => {
                self.history.maybe.push(changes);
                Err(error)
            }
        }
    }

    /// One random step.
    fn step(&mut self) -> Result<(), Error> {
        let Some(db) = &self.db else {
            let env = Rc::new(PoolEnv::new(Rc::new(self.raw.clone())));
            self.db = Some(block_on(Db::open(env.clone(), self.options.clone()))?);
            self.env = Some(env);
            return Ok(());
        };
        match self.random.below(40) {
            0 => {
                block_on(db.flush())?;
                self.history.all_synced();
            }
            1 => {
                block_on(db.compact_range(None, None))?;
                self.history.all_synced();
            }
            2 => {
                block_on(db.sync())?;
                self.history.all_synced();
            }
            3 => {
                let closed = block_on(db.close());
                self.end();
                closed?;
                self.history.all_synced();
            }
            4 => self.end(),
            5 => self.raw.advance(self.random.next() % 30_000),
            6 => self.raw.advance(61_000),
            7..10 => self.raw.run_deferred(4),
            10..14 => {
                let bytes = self.random.next() % 8192;
                block_on(db.background(bytes))?;
            }
            _ => self.write()?,
        }
        if self.env.as_ref().is_some_and(|env| env.is_settled()) {
            self.settled = self.history.synced;
        }
        Ok(())
    }

    /// Lives until the fault, or for `steps` steps.
    fn live(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            if let Err(error) = self.step() {
                if self.raw.is_stopped() {
                    break;
                }
                return Err(format!("before the end of the process: {error}"));
            }
        }
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        (self.db, self.env) = (None, None);
    }
}

/// Opens the database, by a repair if it must be, and finds its contents.
fn recovered(raw: &RawModel, options: &Options, may_repair: bool) -> Result<(Db, Map), String> {
    let db = match open(raw, options) {
        Err(_) if may_repair => {
            text(block_on(repair(pool(raw), options.clone())))?;
            open(raw, options).map_err(|e| format!("it does not open after a repair: {e}"))?
        }
        db => db.map_err(|e| format!("it does not open: {e}"))?,
    };
    let found = text(contents(&db))?;
    Ok((db, found))
}

/// Checks that the database goes on from `found`.
fn goes_on(raw: &RawModel, db: Db, found: &Map, options: &Options, seed: u64) -> Result<(), String> {
    let report = text(block_on(db.verify()))?;
    if !report.findings.is_empty() {
        return Err(format!("verify finds {:?}", report.findings));
    }
    text(block_on(db.put_with(&WriteOptions { sync: true }, b"zz", b"after the crash")))?;
    let mut expected = found.clone();
    expected.insert(b"zz".to_vec(), b"after the crash".to_vec());
    drop(db);
    let image = raw.crash(RawCrash { seed, percent: 0, loses_names: false });
    let (db, second) = recovered(&image, options, false)?;
    if second != expected {
        return Err(format!("after a synced write and another crash: {}", difference(&second, &expected)));
    }
    text(block_on(db.compact_range(None, None)))?;
    let third = text(contents(&db))?;
    if third != expected { Err(format!("after compaction: {}", difference(&third, &expected))) } else { Ok(()) }
}

#[test]
fn the_end_of_the_process_loses_no_acknowledged_write_and_a_power_failure_no_synced_one() {
    let seeds = seeds(3_000, 100_000);
    let count = usize::try_from(seeds.end - seeds.start).unwrap();
    let run = |(): &mut (), at: usize| {
        one_seed(seeds.start + at as u64).map_err(|e| format!("seed {}: {e}", seeds.start + at as u64))
    };
    must("R02 over the pool", parallel(threads(), count, || (), run));
}

fn one_seed(seed: u64) -> Result<(), String> {
    let mut life = Life::new(seed);
    let call = 1 + life.random.next() % 700;
    let fault = *life.random.pick(&[RawFault::Stop, RawFault::StopAfter, RawFault::StopTorn]);
    life.raw.set_fault(call, fault);
    life.live(120)?;
    check(&life, &life.raw.kill(), life.history.len()).map_err(|e| format!("after the end of the process: {e}"))?;
    for (n, percent) in [(1, 0), (2, 100), (3, 50), (4, 90)] {
        let crash = RawCrash { seed: seed.wrapping_mul(8) + n, percent, loses_names: false };
        let image = life.raw.crash(crash);
        check(&life, &image, life.history.synced).map_err(|e| format!("after a power failure ({crash:?}): {e}"))?;
    }
    Ok(())
}

fn check(life: &Life, image: &RawModel, at_least: usize) -> Result<(), String> {
    let (db, found) = recovered(image, &life.options, false)?;
    life.history.position_from(&found, at_least)?;
    goes_on(image, db, &found, &life.options, at_least as u64)
}

#[test]
fn a_directory_that_goes_back_in_time_loses_no_synced_write_once_it_is_mature() {
    let seeds = seeds(1_000, 30_000);
    let count = usize::try_from(seeds.end - seeds.start).unwrap();
    let run = |(): &mut (), at: usize| {
        let seed = seeds.start + at as u64;
        rolled_back(seed).map_err(|e| format!("seed {seed}: {e}"))
    };
    must("R21, natively", parallel(threads(), count, || (), run));
}

fn rolled_back(seed: u64) -> Result<(), String> {
    let mut life = Life::new(seed);
    text(life.step())?;
    life.raw.run_deferred(20);
    life.raw.advance(61_000);
    let fault = *life.random.pick(&[RawFault::Stop, RawFault::StopAfter]);
    life.raw.set_fault(life.raw.calls() + 1 + life.random.next() % 700, fault);
    life.live(120)?;
    for n in 0..4 {
        let crash = RawCrash { seed: seed.wrapping_mul(8) + n, percent: 50, loses_names: true };
        let image = life.raw.crash(crash);
        let (db, found) = recovered(&image, &life.options, true).map_err(|e| format!("{crash:?}: {e}"))?;
        life.history.each_is_recent(&found, life.settled).map_err(|e| format!("{crash:?}: {e}"))?;
        goes_on(&image, db, &found, &life.options, seed)?;
    }
    Ok(())
}

/// In its first minute a database may be lost, but never become another one.
#[test]
fn a_directory_that_goes_back_to_before_the_database_gives_a_prefix_or_an_error() {
    let run = |(): &mut (), at: usize| {
        let seed = at as u64;
        let mut life = Life::new(seed);
        life.raw.set_fault(1 + life.random.next() % 300, RawFault::Stop);
        life.live(60)?;
        for n in 0..4 {
            let image = life.raw.crash(RawCrash { seed: seed * 8 + n, percent: 50, loses_names: true });
            let Ok(db) = open(&image, &life.options) else { continue };
            let Ok(found) = contents(&db) else { continue };
            life.history.position_from(&found, 0).map_err(|e| format!("seed {seed}, {n}: {e}"))?;
        }
        Ok(())
    };
    must("R21, the first minute", parallel(threads(), 500, || (), run));
}

/// The files that the newest owner created are lost, as Chromium's index may lose them.
#[test]
fn where_a_young_manifest_is_lost_the_database_opens_with_the_one_before() {
    let options = Options { create_if_missing: true, ..small_options() };
    let raw = RawModel::new(1);
    let put = |db: &Db, at: usize| block_on(db.put_with(&WriteOptions { sync: true }, &key(at), b"one")).unwrap();
    let first = open(&raw, &options).unwrap();
    put(&first, 1);
    drop(first);
    let manifests = |raw: &RawModel| {
        let of_manifest =
            |bytes: &[u8]| bytes.get(..64).is_some_and(|head| head.windows(9).any(|part| part == b"MANIFEST-"));
        let files = raw.files().into_iter();
        files.filter(|(_, bytes)| of_manifest(bytes)).map(|(name, _)| name).collect::<Vec<_>>()
    };
    let before = manifests(&raw);
    let second = open(&raw, &options).unwrap();
    put(&second, 2);
    let image = raw.kill();
    let young: Vec<_> = manifests(&image).into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(young.len(), 1, "the second owner has a manifest of its own");
    image.set_file(&young[0], None);
    let third = open(&image, &options).unwrap();
    assert_eq!(contents(&third).unwrap().len(), 2);
    assert_eq!(block_on(third.verify()).unwrap().findings, []);
}

/// Every call of the storage fails once, with and without effect.
#[test]
fn an_error_at_any_call_loses_no_acknowledged_write() {
    let faults = [
        RawFault::Fail(ErrorKind::Other),
        RawFault::Fail(ErrorKind::QuotaExceeded),
        RawFault::Garbage,
        RawFault::Short,
    ];
    let run = |(): &mut (), at: usize| {
        let fault = faults[at % faults.len()];
        fails_once(at as u64, fault).map_err(|e| format!("case {at}, {fault:?}: {e}"))
    };
    must("R04 and R05 over the pool", parallel(threads(), 2_400, || (), run));
}

fn fails_once(at: u64, fault: RawFault) -> Result<(), String> {
    let mut life = Life::new(at / 4 % 5);
    life.raw.set_fault(1 + at / 4, fault);
    let mut failed = 0;
    for _ in 0..120 {
        if life.step().is_err() {
            failed += 1;
            if failed > 3 {
                return Err("one fault made more than three calls fail".to_owned());
            }
            // The user opens it anew.
            life.end();
            if life.step().is_ok() {
                let found = text(contents(life.db.as_ref().unwrap()))?;
                life.history.position_from(&found, life.history.len())?;
                life.history.settle(&found)?;
            }
        }
    }
    life.end();
    let (db, found) = recovered(&life.raw.kill(), &life.options, false)?;
    drop(db);
    life.history.position_from(&found, life.history.len()).map(drop)
}

#[test]
fn a_full_quota_keeps_what_was_acknowledged_and_writes_go_on_when_there_is_room() {
    let raw = RawModel::new(5);
    raw.set_capacity(256 << 10);
    let options = Options { create_if_missing: true, ..small_options() };
    let db = open(&raw, &options).unwrap();
    let mut expected = Map::new();
    let mut full = 0;
    for at in 0..3_000 {
        let value = vec![b'a' + (at % 26) as u8; 200];
        match block_on(db.put(&key(at), &value)) {
            Ok(()) => drop(expected.insert(key(at), value)),
            Err(error) => {
                assert_eq!(error.code(), "full", "{error}");
                full += 1;
                if full > 20 {
                    break;
                }
            }
        }
        if at % 50 == 0 {
            raw.run_deferred(2);
        }
    }
    assert!(full > 0);
    assert_eq!(contents(&db).unwrap(), expected, "reads go on");
    drop(db);
    raw.set_capacity(300 << 10);
    let db = open(&raw, &options).unwrap();
    assert_eq!(contents(&db).unwrap(), expected);
    raw.set_capacity(1 << 20);
    let _ = block_on(db.resume());
    block_on(db.put(b"more", b"room")).unwrap();
    expected.insert(b"more".to_vec(), b"room".to_vec());
    block_on(db.close()).unwrap();
    let db = open(&raw, &options).unwrap();
    assert_eq!(contents(&db).unwrap(), expected);
}

fn small_database(raw: &RawModel) -> (Options, Map) {
    let options = small_options();
    let db = open(raw, &options).unwrap();
    for at in 0..60 {
        block_on(db.put(&key(at), &[b'v'; 150])).unwrap();
    }
    block_on(db.flush()).unwrap();
    block_on(db.put_with(&WriteOptions { sync: true }, b"last", b"in the log")).unwrap();
    let expected = contents(&db).unwrap();
    block_on(db.close()).unwrap();
    (options, expected)
}

#[test]
fn any_flipped_bit_of_one_superblock_changes_nothing_or_only_the_newest_change_of_names() {
    let raw = RawModel::new(1);
    let (options, expected) = small_database(&raw);
    let files = raw.files();
    for name in ["super-a", "super-b", "super-c"] {
        let sound = &files[name];
        for bit in (0..sound.len() * 8).step_by(if is_long() { 1 } else { 23 }) {
            let image = raw.kill();
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            image.set_file(name, Some(bytes));
            let db = open(&image, &options).unwrap_or_else(|e| panic!("{name}, bit {bit}: {e}"));
            assert_eq!(contents(&db).unwrap(), expected, "{name}, bit {bit}");
        }
    }
}

#[test]
fn with_all_superblocks_damaged_or_gone_the_headers_tell_the_names() {
    for damage in [Some(b"".to_vec()), Some(vec![0xff; 300]), None] {
        let raw = RawModel::new(2);
        let (options, expected) = small_database(&raw);
        let image = raw.kill();
        for name in ["super-a", "super-b", "super-c"] {
            image.set_file(name, damage.clone());
        }
        let db = open(&image, &options).unwrap();
        assert_eq!(contents(&db).unwrap(), expected);
        drop(db);
        let db = open(&image, &Options { create_if_missing: false, ..options }).unwrap();
        assert_eq!(contents(&db).unwrap(), expected, "the superblocks are whole again");
    }
}

#[test]
fn a_raw_file_that_was_exchanged_is_damage() {
    let raw = RawModel::new(3);
    let (options, _) = small_database(&raw);
    let files = raw.files();
    let pools: Vec<_> = files.iter().filter(|(name, bytes)| name.starts_with('p') && bytes.len() > 4096).collect();
    assert!(pools.len() >= 2);
    let image = raw.kill();
    image.set_file(pools[0].0, Some(pools[1].1.clone()));
    image.set_file(pools[1].0, Some(pools[0].1.clone()));
    let Err(error) = open(&image, &options) else { panic!("it must not open") };
    assert!(error.is_corruption() && error.to_string().contains("generation"), "{error}");
}

#[test]
fn a_second_owner_is_refused_until_the_first_has_ended() {
    let raw = RawModel::new(4);
    let (options, expected) = small_database(&raw);
    let first = open(&raw, &options).unwrap();
    assert_eq!(open(&raw, &options).err().unwrap().code(), "locked");
    assert_eq!(contents(&first).unwrap(), expected);
    drop(first);
    open(&raw, &options).unwrap();
}

#[test]
fn spares_are_made_ahead_and_removed_files_are_used_again() {
    let raw = RawModel::new(6);
    let options = small_options();
    let db = open(&raw, &options).unwrap();
    for round in 0..60 {
        for at in 0..40 {
            block_on(db.put(&key(at), format!("{round}").repeat(40).as_bytes())).unwrap();
        }
        block_on(db.flush()).unwrap();
        raw.advance(61_000);
        raw.run_deferred(20);
    }
    block_on(db.compact_range(None, None)).unwrap();
    let files = raw.files().len();
    assert!(files < 40, "{files} raw files after 60 tables of which few are left");
}
