//! The engine's work when its host reports that no write is in progress (`Db::tidy`).

use std::io::ErrorKind;
use std::rc::Rc;

use crate::common::executor::Executor;
use crate::common::random::Random;
use crate::common::world::{contents, must};
use varve::env::{FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation};
use varve::{Db, DbState, Options, WriteBatch, WriteOptions, block_on};

const BUFFER: usize = 64 << 10;

fn options() -> Options {
    Options { create_if_missing: true, write_buffer_size: BUFFER, ..Options::default() }
}

/// Fills three buffers in one write: nothing flushes them before the next.
fn overfill(db: &Db) {
    let mut batch = WriteBatch::new();
    for i in 0..200u32 {
        batch.put(format!("{i:04}").as_bytes(), &[7; 1000]);
    }
    block_on(db.write(&WriteOptions::default(), batch)).unwrap();
    assert!(!db.has_background_work());
}

fn work(db: &Db) {
    while block_on(db.background(10_000)).unwrap() {}
}

fn bytes_of_logs(env: &MemoryEnv) -> usize {
    env.names().iter().filter(|name| name.ends_with(".log")).map(|name| env.read(name).unwrap().len()).sum()
}

#[test]
fn a_full_buffer_is_flushed_so_that_opening_after_a_kill_replays_nothing() {
    let env = MemoryEnv::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
    overfill(&db);
    assert!(bytes_of_logs(&env) > 3 * BUFFER);
    assert!(db.tidy());
    assert!(db.has_background_work());
    work(&db);
    assert!(!db.has_background_work());
    assert_eq!(bytes_of_logs(&env), 0);
    assert!(!db.tidy(), "once is enough");

    let killed = env.snapshot();
    let db = block_on(Db::open(Rc::new(killed), options())).unwrap();
    assert!(db.recovery().logs.iter().all(|log| log.batches == 0));
    assert_eq!(contents(&db).unwrap().len(), 200);
}

#[test]
fn a_buffer_that_is_not_full_is_kept() {
    let env = MemoryEnv::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
    block_on(db.put(b"k", b"v")).unwrap();
    assert!(!db.tidy());
    assert_ne!(bytes_of_logs(&env), 0);
}

#[test]
fn an_earlier_write_leaves_nothing_to_do() {
    let env = MemoryEnv::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
    overfill(&db);
    assert!(db.tidy());
    block_on(db.flush()).unwrap();
    let tables = db.tables().len();
    let created = env.names();
    work(&db);
    assert_eq!((db.tables().len(), env.names()), (tables, created));
}

#[test]
fn without_a_new_log_the_buffer_is_kept_and_writes_continue() {
    let env = MemoryEnv::new();
    let faults = FaultEnv::new(Rc::new(env.clone()), 1);
    let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
    overfill(&db);
    faults.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::StorageFull)).on(Operation::Create).named(".log"));
    assert!(db.tidy());
    work(&db);
    assert_eq!(db.state(), DbState::Open);
    assert!(bytes_of_logs(&env) > 3 * BUFFER);
    block_on(db.put(b"k", b"v")).unwrap();
    work(&db);
    assert_eq!(block_on(db.get(b"0199")).unwrap().unwrap(), [7; 1000]);
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
}

#[test]
fn two_tables_of_the_same_range_are_merged() {
    let db = block_on(Db::open(Rc::new(MemoryEnv::new()), options())).unwrap();
    // The first goes to level 2, the second to level 1: as deep as the levels below allow.
    for value in [b"1", b"2", b"3", b"4"] {
        block_on(db.put(b"a", value)).unwrap();
        block_on(db.put(b"z", value)).unwrap();
        block_on(db.flush()).unwrap();
    }
    let in_level_0 = || db.property("leveldb.num-files-at-level0").unwrap();
    assert_eq!(in_level_0(), "2");
    assert!(db.tidy());
    work(&db);
    assert_eq!(in_level_0(), "0");
    assert_eq!(block_on(db.get(b"a")).unwrap().unwrap(), b"4");
}

/// The flush of a full buffer waited in the queue of writers, one of which waited for that flush:
/// the thread looped for ever, or every writer waited.
#[test]
fn among_writers_of_large_batches_none_starves() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let env = FaultEnv::new(Rc::new(MemoryEnv::new()), seed);
        env.set_pending(80);
        let db = block_on(Db::open(Rc::new(env), Options { write_buffer_size: 4 << 10, ..options() })).unwrap();
        let batch = |writer: u8, round: u8, size: usize| {
            let mut batch = WriteBatch::new();
            batch.put(&[writer, round], &vec![writer; size]);
            batch
        };
        block_on(db.write(&WriteOptions::default(), batch(0, 0, 6 << 10))).unwrap();
        assert!(db.tidy());
        let mut executor = Executor::new(seed);
        for writer in 1..5 {
            let (db, sizes) = (&db, [0; 4].map(|_: usize| *random.pick(&[10, 9 << 10, 20 << 10])));
            executor.spawn(async move {
                for (round, size) in (0u8..).zip(sizes) {
                    db.write(&WriteOptions::default(), batch(writer, round, size)).await.unwrap();
                    if writer == 4 {
                        db.tidy();
                    }
                }
            });
        }
        let host = &db;
        executor.spawn(async move {
            for _ in 0..20 {
                host.background(2000).await.unwrap();
                host.tidy();
            }
        });
        must("quiet", executor.run().map_err(|error| format!("seed {seed}: {error}")));
        drop(executor);
        assert_eq!(contents(&db).unwrap().len(), 17, "seed {seed}");
    }
}

#[test]
fn a_full_buffer_does_not_prevent_merging_tables_of_the_same_range() {
    let db = block_on(Db::open(Rc::new(MemoryEnv::new()), options())).unwrap();
    for _ in 0..4 {
        overfill(&db);
        block_on(db.flush()).unwrap();
    }
    let in_level_0 = || db.property("leveldb.num-files-at-level0").unwrap();
    assert_eq!(in_level_0(), "2");
    overfill(&db);
    assert!(db.tidy());
    work(&db);
    assert_eq!(in_level_0(), "0");
}
