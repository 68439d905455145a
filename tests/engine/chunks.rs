//! Databases in a model of IndexedDB: the end of the process, power failures, lost connections, other
//! owners, a full quota, damaged rows (scorecard R02, R04, R07, R27, R28, natively).
//!
//! `VARVE_LONG=1` runs more seeds, `VARVE_SEED=n` one.

mod damage;
mod owners;

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use varve::env::{Access, ChunkCounts, ChunkEnv, ChunkFault, ChunkModel, Env, FileKind, NameEdit, block_on};
use varve::{Db, Error, Options, WriteBatch, WriteOptions};

use crate::common::model::Map;
use crate::common::random::Random;
use crate::common::world::{
    Changes, History, contents, difference, key, must, parallel, seeds, small_options, text, threads,
};
use crate::oracle;

fn env(model: &ChunkModel) -> Rc<dyn Env> {
    Rc::new(ChunkEnv::new(Rc::new(model.clone())))
}

fn open(model: &ChunkModel, options: &Options) -> Result<Db, Error> {
    block_on(Db::open(env(model), options.clone()))
}

/// A random life of a database.
struct Life {
    model: ChunkModel,
    options: Options,
    db: Option<Db>,
    history: History,
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
        let model = ChunkModel::new(seed);
        Life { model, options, db: None, history: History::new(), random, written: 0 }
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
            let most = if self.random.one_in(30) { 50_000 } else { 300 };
            let length = self.random.below(most);
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
        let result = block_on(db.write(&WriteOptions { sync }, batch));
        match &result {
            Ok(()) => self.history.acknowledge(changes, sync),
            Err(_) => self.history.maybe.push(changes),
        }
        result
    }

    /// One random step.
    fn step(&mut self) -> Result<(), Error> {
        let Some(db) = &self.db else {
            self.db = Some(open(&self.model, &self.options)?);
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
                self.db = None;
                closed?;
                self.history.all_synced();
            }
            4 => self.db = None,
            5..10 => {
                let bytes = self.random.next() % 8192;
                block_on(db.background(bytes))?;
            }
            _ => self.write()?,
        }
        Ok(())
    }

    /// Lives until the end of the process, or for `steps` steps.
    fn live(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            if let Err(error) = self.step() {
                if self.model.is_stopped() {
                    break;
                }
                return Err(format!("before the end of the process: {error}"));
            }
        }
        self.db = None;
        Ok(())
    }
}

fn recovered(model: &ChunkModel, options: &Options) -> Result<(Db, Map), String> {
    let db = open(model, options).map_err(|e| format!("it does not open: {e}"))?;
    let found = text(contents(&db))?;
    Ok((db, found))
}

/// Checks that the database goes on from `found`.
fn goes_on(model: &ChunkModel, db: Db, found: &Map, options: &Options, seed: u64) -> Result<(), String> {
    let report = text(block_on(db.verify()))?;
    if !report.findings.is_empty() {
        return Err(format!("verify finds {:?}", report.findings));
    }
    text(block_on(db.put_with(&WriteOptions { sync: true }, b"zz", b"after the crash")))?;
    let mut expected = found.clone();
    expected.insert(b"zz".to_vec(), b"after the crash".to_vec());
    drop(db);
    let image = model.crash(seed, 0);
    let (db, second) = recovered(&image, options)?;
    if second != expected {
        return Err(format!("after a synced write and another crash: {}", difference(&second, &expected)));
    }
    text(block_on(db.compact_range(None, None)))?;
    let third = text(contents(&db))?;
    if third != expected { Err(format!("after compaction: {}", difference(&third, &expected))) } else { Ok(()) }
}

fn check(life: &Life, image: &ChunkModel, at_least: usize) -> Result<(), String> {
    let (db, found) = recovered(image, &life.options)?;
    life.history.position_from(&found, at_least)?;
    goes_on(image, db, &found, &life.options, at_least as u64)
}

fn every_seed(family: &str, seeds: std::ops::Range<u64>, one: impl Fn(u64) -> Result<(), String> + Sync) {
    let count = usize::try_from(seeds.end - seeds.start).unwrap();
    let run = |(): &mut (), at: usize| {
        let seed = seeds.start + at as u64;
        one(seed).map_err(|e| format!("seed {seed}: {e}"))
    };
    must(family, parallel(threads(), count, || (), run));
}

#[test]
fn the_end_of_the_process_loses_no_acknowledged_write_and_a_power_failure_no_synced_one() {
    every_seed("R02 over chunks", seeds(3_000, 100_000), |seed| {
        let mut life = Life::new(seed);
        let call = 1 + life.random.next() % 400;
        life.model.set_fault(call, *life.random.pick(&[ChunkFault::Stop, ChunkFault::StopAfter]));
        life.live(120)?;
        check(&life, &life.model.kill(), life.history.len())
            .map_err(|e| format!("after the end of the process: {e}"))?;
        for (n, percent) in [(1, 0), (2, 100), (3, 50), (4, 90)] {
            let image = life.model.crash(seed.wrapping_mul(8) + n, percent);
            let checked = check(&life, &image, life.history.synced);
            checked.map_err(|e| format!("after a power failure ({percent} %): {e}"))?;
        }
        Ok(())
    });
}

/// The user does not notice: the storage connects again.
#[test]
fn a_lost_connection_loses_no_write_and_confirms_none_that_is_not_there() {
    let (landed, lost) = (std::sync::atomic::AtomicU64::new(0), std::sync::atomic::AtomicU64::new(0));
    every_seed("R28", seeds(1_000, 20_000), |seed| {
        let mut life = Life::new(seed);
        let outage = *life.random.pick(&[0, 0, 1, 3]);
        let fault = *life.random.pick(&[ChunkFault::Lose(outage), ChunkFault::LoseAfter(outage)]);
        life.model.set_fault(1 + life.random.next() % 120, fault);
        life.live(60)?;
        let counts = life.model.counts();
        lost.fetch_add(counts.lost, std::sync::atomic::Ordering::Relaxed);
        landed.fetch_add(u64::from(matches!(fault, ChunkFault::LoseAfter(_))), std::sync::atomic::Ordering::Relaxed);
        check(&life, &life.model.kill(), life.history.len())?;
        check(&life, &life.model.crash(seed, 0), life.history.synced)
    });
    let (landed, lost) = (landed.into_inner(), lost.into_inner());
    assert!(landed > 0 && lost > 0);
    println!("R28: {lost} connections lost, {landed} of them planned after a transaction was complete");
}

/// Longer than the storage tries: calls fail, and which transactions are complete is found out later.
#[test]
fn a_long_outage_fails_calls_and_loses_nothing() {
    every_seed("R28, long outages", seeds(500, 10_000), |seed| {
        let mut life = Life::new(seed);
        let outage = 4 + (life.random.next() % 9) as u32;
        let fault = *life.random.pick(&[ChunkFault::Lose(outage), ChunkFault::LoseAfter(outage)]);
        life.model.set_fault(1 + life.random.next() % 150, fault);
        for _ in 0..80 {
            if life.step().is_ok() {
                continue;
            }
            // Every second user goes on with the open database as far as it allows it.
            if seed % 2 == 0 && life.db.is_some() {
                let _ = block_on(life.db.as_ref().unwrap().resume());
                if life.step().is_ok() {
                    continue;
                }
            }
            life.db = None;
            if life.step().is_ok() {
                let found = text(contents(life.db.as_ref().unwrap()))?;
                life.history.position_from(&found, life.history.len())?;
                life.history.settle(&found)?;
            }
        }
        life.db = None;
        let (_, found) = recovered(&life.model.kill(), &life.options)?;
        life.history.position_from(&found, life.history.len()).map(drop)
    });
}

/// Every call of the storage fails once.
#[test]
fn an_error_at_any_call_loses_no_acknowledged_write() {
    let kinds = [ErrorKind::Other, ErrorKind::QuotaExceeded];
    let run = |(): &mut (), at: usize| {
        let kind = kinds[at % kinds.len()];
        fails_once(at as u64, ChunkFault::Fail(kind)).map_err(|e| format!("case {at}, {kind}: {e}"))
    };
    must("R04 over chunks", parallel(threads(), 1_600, || (), run));
}

fn fails_once(at: u64, fault: ChunkFault) -> Result<(), String> {
    let mut life = Life::new(at / 2 % 5);
    life.model.set_fault(1 + at / 2, fault);
    let mut failed = 0;
    for _ in 0..120 {
        if life.step().is_err() {
            failed += 1;
            if failed > 3 {
                return Err("one fault made more than three calls fail".to_owned());
            }
            // The user opens it anew.
            life.db = None;
            if life.step().is_ok() {
                let found = text(contents(life.db.as_ref().unwrap()))?;
                life.history.position_from(&found, life.history.len())?;
                life.history.settle(&found)?;
            }
        }
    }
    life.db = None;
    let (db, found) = recovered(&life.model.kill(), &life.options)?;
    drop(db);
    life.history.position_from(&found, life.history.len()).map(drop)
}

#[test]
fn random_operations_agree_with_an_ordered_map() {
    let long = std::env::var_os("VARVE_LONG").is_some();
    let (count, operations) = if long { (200, 10_000) } else { (20, 3_000) };
    for seed in 0..count {
        println!("seed {seed}");
        oracle::run_on(seed, operations, env(&ChunkModel::new(seed)));
    }
}

// ---- What a write costs ----

fn counted(model: &ChunkModel, act: impl FnOnce()) -> (u64, u64) {
    let ChunkCounts { strict, relaxed, .. } = model.counts();
    act();
    let after = model.counts();
    (after.strict - strict, after.relaxed - relaxed)
}

#[test]
fn a_write_is_one_transaction_which_is_strict_exactly_if_it_is_synced() {
    let model = ChunkModel::new(1);
    let db = open(&model, &small_options()).unwrap();
    let sync = WriteOptions { sync: true };
    block_on(db.put_with(&sync, b"first", b"makes the name of the log durable")).unwrap();
    for n in 0..20 {
        let (strict, relaxed) = counted(&model, || block_on(db.put(&key(n), b"value")).unwrap());
        assert_eq!((strict, relaxed), (0, 1), "a write");
        let (strict, relaxed) = counted(&model, || block_on(db.put_with(&sync, &key(n), b"value")).unwrap());
        assert_eq!((strict, relaxed), (1, 0), "a synced write");
    }
    let (strict, relaxed) = counted(&model, || block_on(db.sync()).unwrap());
    assert_eq!((strict, relaxed), (0, 0), "nothing is left to flush");
    block_on(db.put(b"a", b"1")).unwrap();
    let (strict, relaxed) = counted(&model, || block_on(db.sync()).unwrap());
    assert_eq!((strict, relaxed), (1, 0), "sync()");
}

async fn write_one(db: &Db, n: usize) {
    db.put(&key(n), b"value").await.unwrap();
}

#[test]
fn writes_that_wait_share_a_transaction() {
    let model = ChunkModel::new(2);
    let db = open(&model, &Options { write_buffer_size: 1 << 20, ..small_options() }).unwrap();
    model.set_latency(300);
    let (strict, relaxed) = counted(&model, || {
        let mut writes: Vec<_> = (0..100).map(|n| Box::pin(write_one(&db, n))).collect();
        block_on(poll_fn(|cx| {
            writes.retain_mut(|write| write.as_mut().poll(cx).is_pending());
            if writes.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
    assert!(strict == 0 && relaxed <= 3, "{strict} strict and {relaxed} relaxed transactions for 100 writes");
}

/// A small append adds a row; it does not write the chunk again.
#[test]
fn small_appends_write_each_byte_at_most_twice() {
    let model = ChunkModel::new(3);
    let db = open(&model, &Options { write_buffer_size: 4 << 20, ..small_options() }).unwrap();
    let before = model.counts().written;
    let mut bytes = 0;
    for n in 0..3_000 {
        let value = vec![b'v'; 100];
        bytes += value.len() as u64 + 8;
        block_on(db.put(&key(n), &value)).unwrap();
    }
    let written = model.counts().written - before;
    assert!(written < bytes * 5 / 2, "{written} bytes for {bytes}");
    let [_, _, chunks] = model.rows();
    assert!(chunks < 400, "{chunks} rows of content: full chunks are folded");
}

#[test]
fn a_full_quota_keeps_what_was_acknowledged_and_writes_go_on_when_there_is_room() {
    let model = ChunkModel::new(5);
    model.set_capacity(256 << 10);
    let options = Options { create_if_missing: true, ..small_options() };
    let storage = Rc::new(ChunkEnv::new(Rc::new(model.clone())));
    let db = block_on(Db::open(storage.clone(), options.clone())).unwrap();
    assert!(storage.is_settled());
    let mut expected = Map::new();
    let mut full = 0;
    for at in 0..3_000 {
        let value = Random::new(at as u64).bytes(200);
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
    }
    assert!(full > 0);
    assert!(!storage.is_settled(), "whether the browser keeps what it confirms now is in doubt");
    assert_eq!(contents(&db).unwrap(), expected, "reads go on");
    drop((db, storage));
    model.set_capacity(300 << 10);
    let db = open(&model, &options).unwrap();
    assert_eq!(contents(&db).unwrap(), expected);
    model.set_capacity(2 << 20);
    let _ = block_on(db.resume());
    block_on(db.put(b"more", b"room")).unwrap();
    expected.insert(b"more".to_vec(), b"room".to_vec());
    block_on(db.close()).unwrap();
    let db = open(&model, &options).unwrap();
    assert_eq!(contents(&db).unwrap(), expected);
}

#[test]
fn a_file_that_is_opened_while_it_is_removed_is_whole_or_not_there() {
    let content = Random::new(1).bytes(70_000);
    let (mut whole, mut gone) = (0, 0);
    for seed in 0..300 {
        let model = ChunkModel::new(seed);
        let env = env(&model);
        block_on(env.lock(true)).unwrap();
        drop(block_on(varve::env::append_checked(
            &*env,
            &*block_on(env.create("a", FileKind::Table, 0)).unwrap(),
            "a",
            &content,
            70_000,
        )));
        model.set_latency(seed % 5);
        if seed % 3 == 0 {
            model.set_fault(model.calls() + 1, ChunkFault::Fail(ErrorKind::Other));
        }
        let mut removal = env.edit_names(vec![NameEdit::Remove { name: "a".to_owned() }]);
        let mut poll = || std::pin::Pin::new(&mut removal).poll(&mut Context::from_waker(Waker::noop()));
        let is_done = (0..seed % 7).any(|_| poll().is_ready());
        let opened = block_on(env.open("a", Access::Read));
        if !is_done {
            let _ = block_on(removal);
        }
        match opened {
            Ok(file) => {
                assert!(block_on(file.read_at(0, 70_000)).unwrap() == content, "seed {seed}");
                whole += 1;
            }
            Err(error) => {
                assert!(error.is_not_found(), "seed {seed}: {error}");
                gone += 1;
            }
        }
    }
    assert!(whole > 50 && gone > 20, "{whole} whole, {gone} gone");
}

#[test]
fn removed_files_leave_no_rows() {
    let model = ChunkModel::new(6);
    let options = small_options();
    let db = open(&model, &options).unwrap();
    for round in 0..40 {
        for at in 0..40 {
            block_on(db.put(&key(at), format!("{round}").repeat(40).as_bytes())).unwrap();
        }
        block_on(db.flush()).unwrap();
    }
    block_on(db.compact_range(None, None)).unwrap();
    block_on(db.close()).unwrap();
    drop(db);
    // An owner removes what the last one had still open.
    drop(open(&model, &options).unwrap());
    let [_, files, chunks] = model.rows();
    assert!(files < 8 && chunks < 100, "{files} files, {chunks} rows of content");
    block_on(varve::destroy(env(&model))).unwrap();
    assert_eq!(model.rows(), [0, 0, 0]);
}
