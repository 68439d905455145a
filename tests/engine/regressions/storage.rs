//! Bugs found by crashes and failing storages.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use varve::env::{CrashModel, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation};
use varve::{Db, DbState, WriteOptions, block_on};

use crate::common::executor::Executor;
use crate::common::world::{History, Session, Step, check_image, contents, open, small_options};

const OPEN: Step = Step::Open { reuse_logs: false };
const SYNC: WriteOptions = WriteOptions { sync: true };

fn session() -> Session {
    let mut session = Session::new(MemoryEnv::new(), small_options(), History::new(), 0);
    session.any_failure_is_a_crash = false;
    session
}

fn steps(session: &mut Session, steps: &[Step]) {
    for step in steps {
        session.step(step).unwrap().unwrap();
    }
}

fn put(key: usize, sync: bool) -> Step {
    Step::Write { first: key, count: 1, length: 100, sync }
}

fn fill() -> Step {
    Step::Write { first: 10, count: 40, length: 100, sync: false }
}

fn logs(env: &MemoryEnv) -> Vec<String> {
    env.names().into_iter().filter(|name| name.ends_with(".log")).collect()
}

/// With `reuse_logs`, opening continued the last log, but synced neither the earlier logs nor the
/// manifest, nor made the names durable that the previous process had not. A synced write was then
/// lost because of the gap before it.
#[test]
fn reused_logs_do_not_follow_a_gap() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, true), fill(), put(2, false), put(3, false), Step::Kill]);
    assert_eq!(logs(&session.memory).len(), 2);
    session.options.write_buffer_size = 64 << 10;
    steps(&mut session, &[Step::Open { reuse_logs: true }, put(4, true), Step::Kill]);
    let image = session.memory.crash(&CrashModel::DROP);
    check_image(&image, &session.history, &session.options, true).unwrap();
}

/// A crash truncated the older of two logs exactly between two records. Its tail was clean, so the
/// newer log was replayed after the gap.
#[test]
fn a_log_truncated_between_records_ends_the_history() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, false)]);
    let [log] = &logs(&session.memory)[..] else { panic!("one log expected") };
    let whole = session.memory.read(log).unwrap();
    steps(&mut session, &[put(2, false), fill(), put(3, false), Step::Kill]);
    for kept in [&whole[..], &[]] {
        let image = session.memory.crash(&CrashModel::KEEP);
        image.write(log, kept);
        assert_eq!(logs(&image).len(), 2);
        check_image(&image, &session.history, &session.options, true).unwrap();
    }
}

/// A sector of the log returned what an older log had left on the medium: complete records with
/// lower sequence numbers than those before them. Point-in-time recovery applied them as if they
/// had been written last.
#[test]
fn old_records_after_new_ones_end_the_history() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, false)]);
    let [log] = &logs(&session.memory)[..] else { panic!("one log expected") };
    let old = session.memory.read(log).unwrap();
    steps(&mut session, &[put(2, false), put(3, false), Step::Kill]);
    let image = session.memory.crash(&CrashModel::KEEP);
    let whole = image.read(log).unwrap();
    image.write(log, &[&whole[..], &old].concat());
    let db = open(&image, &session.options).unwrap();
    let report = db.recovery();
    assert_eq!(report.logs[0].batches, 3);
    assert!(report.gap.as_ref().is_some_and(|gap| gap.to_string().contains("expected at least 4")), "{report:?}");
    assert_eq!(contents(&db).unwrap().len(), 3);
}

/// The manifest stored the newest sequence number, including writes in logs. If a crash lost the
/// whole first log that was still needed, the next one seemed to begin where the tables end.
#[test]
fn the_manifest_stores_the_start_of_the_first_log() {
    let mut session = session();
    steps(&mut session, &[OPEN, fill(), put(1, false), Step::Slice(1)]);
    block_on(session.db().begin_log()).unwrap();
    steps(&mut session, &[put(2, false), put(3, false)]);
    while session.db().tables().is_empty() {
        steps(&mut session, &[Step::Slice(1)]);
    }
    let image = session.memory.crash(&CrashModel::KEEP);
    let logs = logs(&image);
    assert_eq!(logs.len(), 2, "{logs:?}");
    image.write(&logs[0], &[]);
    check_image(&image, &session.history, &session.options, true).unwrap();
}

/// A failed background job left the database degraded; `close` then synced nothing and returned
/// success.
#[test]
fn closing_a_degraded_database_is_an_error() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, false)]);
    session.env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::Append).named("ldb"));
    assert!(session.step(&Step::Flush).unwrap().is_err());
    assert!(session.step(&Step::Close).unwrap().is_err());
}

/// A sync of the log outside a write failed: the log accepts nothing after that, but the state
/// stayed `Open`, so that `resume` did nothing and every later write failed.
#[test]
fn writes_can_be_resumed_after_a_failed_sync_of_the_log() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, false)]);
    session.env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::Sync));
    assert!(session.step(&Step::Sync).unwrap().is_err());
    assert!(session.is_degraded());
    block_on(session.db().resume()).unwrap();
    assert_eq!(session.db().state(), DbState::Open);
    steps(&mut session, &[put(2, true), Step::Scan]);
}

/// A write failed after its bytes had reached the file; they were truncated, but that was not
/// synced: a crash restored the failed write in place of an acknowledged one.
#[test]
fn a_refused_write_does_not_reappear() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, true)]);
    let whole = FaultKind::ShortWrite { percent: 100, kind: ErrorKind::Other };
    session.env.add(FaultRule::at(1, whole).on(Operation::Append));
    assert!(session.step(&put(2, false)).unwrap().is_err());
    steps(&mut session, &[put(3, false), Step::Kill]);
    for percent in 0..=100 {
        let image = session.memory.crash(&CrashModel::percent(percent));
        check_image(&image, &session.history, &session.options, false).unwrap();
    }
}

/// `resume` accepted writes before the memtable was flushed: a synced write in the new log was
/// acknowledged while the writes before it were only in the old log, whose sync had failed.
#[test]
fn resume_accepts_no_write_before_the_old_logs_are_obsolete() {
    for seed in 0..60 {
        let memory = MemoryEnv::new();
        let env = FaultEnv::new(Rc::new(memory.clone()), seed);
        let db = block_on(Db::open(Rc::new(env.clone()), small_options())).unwrap();
        for i in 0..20u8 {
            block_on(db.put(&[i], &[i; 100])).unwrap();
        }
        env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::Sync));
        assert!(block_on(db.sync()).is_err());
        env.set_pending(70);
        let images = RefCell::new(Vec::new());
        let mut executor = Executor::new(seed);
        executor.spawn(async { db.resume().await.unwrap() });
        executor.spawn(async {
            while db.put_with(&SYNC, b"new", b"1").await.is_err() {
                let mut again = false;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut again, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            images.borrow_mut().push(memory.crash(&CrashModel::DROP));
        });
        executor.run().unwrap();
        for image in images.borrow().iter() {
            let found = contents(&open(image, &small_options()).unwrap()).unwrap();
            assert_eq!(found.len(), 21, "seed {seed}");
        }
    }
}

/// A retried compaction was still under way when space was freed and `resume` called: its error,
/// older than `resume`, failed the next call.
#[test]
fn resume_leaves_no_error_of_an_older_job_behind() {
    let memory = MemoryEnv::new();
    let env = FaultEnv::new(Rc::new(memory), 1);
    let db = block_on(Db::open(Rc::new(env.clone()), small_options())).unwrap();
    for round in 0..2u8 {
        for i in 0..100u8 {
            block_on(db.put(&[i], &[round; 100])).unwrap();
        }
        block_on(db.flush()).unwrap();
    }
    env.set_pending(100);
    let mut compacting = Box::pin(db.compact_range(None, None));
    assert!(compacting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(compacting);
    env.set_pending(0);
    let before = db.tables().len();
    let full = FaultKind::Fail(ErrorKind::StorageFull);
    env.add(FaultRule::at(1, full).on(Operation::Append).named("ldb"));
    block_on(db.resume()).unwrap();
    assert_eq!((env.faults(), db.tables().len()), (1, before));
    block_on(db.compact_range(None, None)).unwrap();
    assert_eq!(db.state(), DbState::Open);
    assert_eq!(contents(&db).unwrap().len(), 100);
}

/// A storage lost a manifest record that it had reported as synced. The log that the manifest then
/// named was removed, its table was treated as obsolete, and the next log was replayed as if
/// nothing were missing.
#[test]
fn a_missing_log_ends_the_history() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, true), put(2, true)]);
    session.env.add(FaultRule::at(1, FaultKind::LoseSync).named("MANIFEST"));
    steps(&mut session, &[Step::Flush, put(3, true), Step::Kill]);
    let image = session.memory.crash(&CrashModel::DROP);
    match block_on(Db::open(Rc::new(image), session.options.clone())) {
        Ok(db) => {
            assert!(db.recovery().gap.is_some());
            session.history.position_from(&contents(&db).unwrap(), 0).unwrap();
        }
        Err(error) => assert!(error.is_corruption(), "{error}"),
    }
}

/// A failed repair left a complete table that was not synced. The next repair named it in its
/// manifest and set the log aside; after a crash the table was empty.
#[test]
fn repair_syncs_the_tables_that_it_finds() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, true), Step::Kill, Step::LoseCurrent]);
    session.env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::Sync).for_ever());
    session.env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::EditNames).for_ever());
    assert!(session.step(&Step::Repair).unwrap().is_err());
    session.env.clear();
    steps(&mut session, &[Step::Repair]);
    check_image(&session.memory.crash(&CrashModel::DROP), &session.history, &session.options, true).unwrap();
}

/// A short read of the log looked like the end of the log: the records after it were lost.
#[test]
fn a_short_read_is_not_the_end_of_a_log() {
    let mut session = session();
    steps(&mut session, &[OPEN, put(1, true), put(2, true), Step::Kill]);
    session.env.add(FaultRule::at(1, FaultKind::ShortRead { percent: 50 }).named(".log"));
    assert!(session.step(&OPEN).unwrap().is_err());
    steps(&mut session, &[OPEN, Step::Scan]);
}
