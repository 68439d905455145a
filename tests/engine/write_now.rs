//! Writes that end in their call, or are refused with nothing written.

use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use varve::env::{CrashModel, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation};
use varve::{Db, Options, WriteBatch, WriteOptions, block_on};

const SYNC: WriteOptions = WriteOptions { sync: true };
const NO_SYNC: WriteOptions = WriteOptions { sync: false };

fn options() -> Options {
    Options { create_if_missing: true, ..Options::default() }
}

fn put(key: &str, value: &str) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(key.as_bytes(), value.as_bytes());
    batch
}

fn get(db: &Db, key: &str) -> Option<String> {
    block_on(db.get(key.as_bytes())).unwrap().map(|value| String::from_utf8(value).unwrap())
}

fn faulty(env: &MemoryEnv, options: Options) -> (FaultEnv, Db) {
    let faults = FaultEnv::new(Rc::new(env.clone()), 7);
    let db = block_on(Db::open(Rc::new(faults.clone()), options)).unwrap();
    (faults, db)
}

#[test]
fn writes_with_sync_survive_a_crash() {
    let env = MemoryEnv::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options())).unwrap();
    db.write_now(&NO_SYNC, put("a", "1")).unwrap();
    db.write_now(&SYNC, put("b", "2")).unwrap();
    let crashed = env.crash(&CrashModel::DROP);
    let again = block_on(Db::open(Rc::new(crashed), options())).unwrap();
    assert_eq!(get(&again, "a").as_deref(), Some("1"));
    assert_eq!(get(&again, "b").as_deref(), Some("2"));
}

#[test]
fn flushes_end_in_the_calls_and_large_batches_are_taken() {
    let db =
        block_on(Db::open(Rc::new(MemoryEnv::new()), Options { write_buffer_size: 64 << 10, ..options() })).unwrap();
    let mut batch = WriteBatch::new();
    for i in 0..3000 {
        batch.put(format!("key{i:06}").as_bytes(), &[b'x'; 300]);
    }
    db.write_now(&NO_SYNC, batch).unwrap();
    for i in 0..20_000 {
        db.write_now(&NO_SYNC, put(&format!("key{i:06}"), &format!("{i}{}", "x".repeat(300)))).unwrap();
    }
    for i in [0, 2999, 3000, 19_999] {
        assert_eq!(get(&db, &format!("key{i:06}")), Some(format!("{i}{}", "x".repeat(300))));
    }
}

#[test]
fn nothing_is_written_while_an_earlier_write_is_pending() {
    let (faults, db) = faulty(&MemoryEnv::new(), options());
    db.write_now(&NO_SYNC, put("a", "1")).unwrap();
    faults.set_pending(100);
    let mut earlier = Box::pin(db.write(&SYNC, put("a", "2")));
    let poll = earlier.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll == Poll::Pending);
    for options in [NO_SYNC, SYNC] {
        assert_eq!(db.write_now(&options, put("b", "1")).unwrap_err().code(), "busy");
    }
    faults.set_pending(0);
    block_on(earlier).unwrap();
    assert_eq!((get(&db, "a").as_deref(), get(&db, "b")), (Some("2"), None));
    db.write_now(&SYNC, put("b", "1")).unwrap();
    assert_eq!(get(&db, "b").as_deref(), Some("1"));
}

#[test]
fn a_full_disk_refuses_a_write_and_after_a_failed_flush_it_may_be_applied() {
    let (faults, db) = faulty(&MemoryEnv::new(), options());
    let full = FaultKind::Fail(std::io::ErrorKind::StorageFull);
    faults.add(FaultRule::at(1, full).on(Operation::Append).named(".log"));
    let error = db.write_now(&NO_SYNC, put("a", "1")).unwrap_err();
    assert_eq!((error.code(), error.maybe_applied(), get(&db, "a")), ("full", false, None));
    faults.clear();
    block_on(db.resume()).unwrap();
    db.write_now(&NO_SYNC, put("b", "2")).unwrap();
    faults.add(FaultRule::at(1, FaultKind::Fail(std::io::ErrorKind::Other)).on(Operation::Sync).named(".log"));
    assert!(db.write_now(&SYNC, put("c", "3")).unwrap_err().maybe_applied());
    assert!(db.write_now(&NO_SYNC, put("d", "4")).is_err());
    assert_eq!(get(&db, "b").as_deref(), Some("2"));
}
