//! Bugs found by a review: each of these tests failed once.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::common::framing::frame;
use crate::common::model::Restless;
use crate::common::world::contents;
use varve::env::{CrashModel, Env, FaultEnv, FaultKind, FaultRule, MemoryEnv, NameEdit, Operation, SectorFault};
use varve::{Compression, Db, DbState, Options, ReadOptions, RecoveryMode, WriteBatch, WriteOptions, block_on, repair};

fn options() -> Options {
    Options { create_if_missing: true, compression: Compression::None, ..Options::default() }
}

fn open(env: &MemoryEnv, options: Options) -> Db {
    block_on(Db::open(Rc::new(env.clone()), options)).unwrap()
}

fn faulty(env: &MemoryEnv, options: Options) -> (FaultEnv, Db) {
    let faults = FaultEnv::new(Rc::new(env.clone()), 7);
    let db = block_on(Db::open(Rc::new(faults.clone()), options)).unwrap();
    (faults, db)
}

fn put(db: &Db, key: &str, value: &str) {
    block_on(db.put(key.as_bytes(), value.as_bytes())).unwrap();
}

fn get(db: &Db, key: &str) -> Option<String> {
    block_on(db.get(key.as_bytes())).unwrap().map(|v| String::from_utf8(v).unwrap())
}

/// Runs all of them at once on this thread.
fn together(mut tasks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    block_on(poll_fn(|cx| {
        tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
        if tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }));
}

/// Lets other futures run.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn files_of(env: &MemoryEnv) -> Vec<(String, Vec<u8>)> {
    env.names().into_iter().map(|name| (name.clone(), env.read(&name).unwrap())).collect()
}

#[test]
fn a_new_table_that_fails_verification_stops_writes_and_is_not_rebuilt_for_ever() {
    let env = MemoryEnv::new();
    let (faults, db) = faulty(&env, options());
    put(&db, "k", "v");
    let wrong = FaultKind::BadSector { fault: SectorFault::Zeroed, size: 4096 };
    faults.add(FaultRule::at(1, wrong).on(Operation::ReadAt).named(".ldb").times(200));
    let created = faults.calls_of(Operation::Create);
    assert_eq!(block_on(db.flush()).unwrap_err().code(), "corruption");
    assert!(faults.calls_of(Operation::Create) - created <= 2, "the flush was tried again and again");
    assert!(matches!(db.state(), DbState::Degraded(_)));
    assert_eq!(get(&db, "k").as_deref(), Some("v"));
    faults.clear();
    block_on(db.resume()).unwrap();
    put(&db, "l", "w");
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
}

#[test]
fn a_snapshot_of_the_current_state_survives_delete_range() {
    let db = open(&MemoryEnv::new(), options());
    put(&db, "k", "v");
    block_on(db.flush()).unwrap();
    let snapshot = db.snapshot();
    block_on(db.delete_range(None, None)).unwrap();
    let at = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
    assert_eq!(block_on(db.get_with(&at, b"k")).unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(get(&db, "k"), None);
}

#[test]
fn concurrent_delete_range_and_flushes_lose_no_table() {
    for seed in 0..40 {
        let env = MemoryEnv::new();
        let faults = FaultEnv::new(Rc::new(env.clone()), seed);
        let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
        put(&db, "a", "1");
        block_on(db.flush()).unwrap();
        faults.set_pending(90);
        let written = RefCell::new(0);
        together(vec![
            Box::pin(async { assert!(db.delete_range(Some(b"a"), Some(b"b")).await.is_ok()) }),
            Box::pin(async {
                for i in 0..6 {
                    db.put(format!("k{i}").as_bytes(), b"v").await.unwrap();
                    db.flush().await.unwrap();
                    *written.borrow_mut() += 1;
                }
            }),
            Box::pin(async { db.compact_range(None, None).await.unwrap() }),
        ]);
        faults.set_pending(0);
        let check = |db: &Db| {
            for i in 0..*written.borrow() {
                assert_eq!(get(db, &format!("k{i}")).as_deref(), Some("v"), "seed {seed}, key {i}");
            }
            assert_eq!(get(db, "a"), None, "seed {seed}");
            assert_eq!(block_on(db.verify()).unwrap().findings, [], "seed {seed}");
        };
        check(&db);
        drop(db);
        check(&open(&env, options()));
    }
}

#[test]
fn delete_range_keeps_concurrent_writes() {
    let small = Options { write_buffer_size: 64 << 10, pause: Some(Rc::new(Restless)), ..options() };
    let db = open(&MemoryEnv::new(), small);
    for i in 0..5000 {
        put(&db, &format!("old{i:04}"), &"x".repeat(100));
    }
    let mut new = vec!["old4999".to_owned()];
    let mut clearing = Box::pin(db.delete_range(None, None));
    let cx = &mut Context::from_waker(Waker::noop());
    while clearing.as_mut().poll(cx).is_pending() {
        put(&db, "old4999", &"y".repeat(5000));
        new.push(format!("new{:04}", new.len()));
        put(&db, new.last().unwrap(), &"y".repeat(5000));
        assert!(new.len() < 2000, "it does not end");
    }
    assert!(new.len() > 2, "others had only {} turns", new.len());
    let mut it = db.iter(&ReadOptions::default()).unwrap();
    let mut left = Vec::new();
    while block_on(async { if left.is_empty() { it.seek_to_first().await } else { it.next().await } }).unwrap() {
        left.push(String::from_utf8(it.key().to_vec()).unwrap());
    }
    new.sort();
    assert_eq!(left, new);
}

#[test]
fn writes_not_awaited_are_visible_at_once_and_none_is_refused() {
    let small = Options { write_buffer_size: 64 << 10, pause: Some(Rc::new(Restless)), ..options() };
    let db = open(&MemoryEnv::new(), small);
    let cx = &mut Context::from_waker(Waker::noop());
    for size in [2000, 200_000] {
        let mut late = Vec::new();
        for i in 0..(40_000_000 / size) {
            let key = format!("key{i:05}");
            let written = key.clone();
            let db = &db;
            let mut write = Box::pin(async move { db.put(written.as_bytes(), &vec![7_u8; size]).await });
            match write.as_mut().poll(cx) {
                Poll::Ready(result) => result.unwrap(),
                Poll::Pending => late.push(write),
            }
            if size < 100_000 {
                assert!(block_on(db.get(key.as_bytes())).unwrap().is_some(), "write {i} is not there yet");
            }
        }
        for write in late {
            block_on(write).unwrap();
        }
    }
}

#[test]
fn delete_range_never_restores_an_older_value() {
    let env = MemoryEnv::new();
    let (faults, db) = faulty(&env, Options { max_file_size: 16 << 10, filter_policy: None, ..options() });
    // Many versions of one key, kept by snapshots, so that a compaction splits its output between
    // two of them.
    let mut snapshots = Vec::new();
    for version in 0..14 {
        put(&db, "k", &format!("{version:02}{}", "x".repeat(4000)));
        snapshots.push(db.snapshot());
    }
    put(&db, "z", "end");
    block_on(db.flush()).unwrap();
    put(&db, "a", "begin");
    put(&db, "z", "end");
    block_on(db.flush()).unwrap();
    block_on(db.compact_range(None, None)).unwrap();
    let cut = db.tables().windows(2).any(|t| t[0].level == t[1].level && t[0].largest == t[1].smallest);
    assert!(cut, "no two tables share the key: {:?}", db.tables());
    drop(snapshots);
    faults.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::Append).named(".log").for_ever());
    let _ = block_on(db.delete_range(None, Some(b"m")));
    let left = get(&db, "k").map(|v| v[..2].to_owned());
    assert!(left.is_none() || left.as_deref() == Some("13"), "version {left:?} came back");
}

#[test]
fn compact_range_reports_damage() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    for round in 0..2 {
        for i in 0..200 {
            put(&db, &format!("key{i:04}"), &format!("{round}{}", "x".repeat(100)));
        }
        block_on(db.flush()).unwrap();
    }
    let table = db.tables()[0].number;
    drop(db);
    let name = format!("{table:06}.ldb");
    let mut bytes = env.read(&name).unwrap();
    bytes[5000] ^= 1;
    env.write(&name, &bytes);
    let db = open(&env, options());
    for _ in 0..2 {
        let error = block_on(db.compact_range(None, None)).unwrap_err();
        assert!(error.is_corruption() && error.to_string().contains(&name), "{error}");
    }
    // Only that table is excluded: writes continue.
    assert_eq!(db.state(), DbState::Open);
    put(&db, "more", "yes");
    block_on(db.flush()).unwrap();
}

#[test]
fn an_iterator_that_seeks_away_from_damage_clears_its_error() {
    let env = MemoryEnv::new();
    let small = Options { max_file_size: 16 << 10, ..options() };
    let db = open(&env, small.clone());
    for round in 0..2 {
        for i in 0..400 {
            put(&db, &format!("key{i:04}"), &format!("{round}{}", "x".repeat(100)));
        }
        block_on(db.flush()).unwrap();
    }
    block_on(db.compact_range(None, None)).unwrap();
    let tables = db.tables();
    assert!(tables.len() >= 2);
    let (bad, good) = (&tables[0], &tables[1]);
    drop(db);
    let name = format!("{:06}.ldb", bad.number);
    let mut bytes = env.read(&name).unwrap();
    bytes[100] ^= 1;
    env.write(&name, &bytes);
    let db = open(&env, small);
    block_on(async {
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        assert!(it.seek_to_first().await.unwrap_err().is_corruption());
        let mut valid = it.seek(&good.smallest).await.unwrap();
        let mut last = Vec::new();
        while valid {
            last = it.key().to_vec();
            valid = it.next().await.unwrap();
        }
        assert_eq!(last, b"key0399");
        assert_eq!(it.status(), Ok(()));
    });
}

#[test]
fn repair_does_not_let_a_rewritten_table_hide_newer_ones() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put(&db, "k", "old");
    for i in 0..200 {
        put(&db, &format!("l{i:04}"), &"x".repeat(100));
    }
    block_on(db.flush()).unwrap();
    let table = db.tables()[0].number;
    put(&db, "k", "new");
    block_on(db.flush()).unwrap();
    block_on(db.close()).unwrap();
    drop(db);
    // Its last block is damaged: the entries before it are written to a table with a new number.
    let name = format!("{table:06}.ldb");
    let mut bytes = env.read(&name).unwrap();
    bytes[16_000] ^= 1;
    env.write(&name, &bytes);
    let checked = Options { paranoid_checks: true, ..options() };
    let report = block_on(repair(Rc::new(env.clone()), checked)).unwrap();
    assert_eq!(report.lost.iter().filter(|n| **n == name).count(), 1, "{report:?}");
    let db = open(&env, options());
    assert_eq!(get(&db, "k").as_deref(), Some("new"), "{report:?}");
}

#[test]
fn sync_on_a_read_only_database_writes_nothing() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put(&db, "k", &"v".repeat(10_000));
    drop(db);
    let before = files_of(&env);
    let db = open(&env, Options { create_if_missing: false, read_only: true, write_buffer_size: 4 << 10, ..options() });
    assert_eq!(block_on(db.sync()).unwrap_err().code(), "not-supported");
    let write = block_on(db.write(&WriteOptions { sync: true }, WriteBatch::new()));
    assert_eq!(write.unwrap_err().code(), "not-supported");
    assert_eq!(block_on(db.flush()).unwrap_err().code(), "not-supported");
    assert_eq!(block_on(db.compact_range(None, None)).unwrap_err().code(), "not-supported");
    assert_eq!(block_on(db.delete_range(None, None)).unwrap_err().code(), "not-supported");
    assert!(!block_on(db.background(0)).unwrap());
    block_on(db.close()).unwrap();
    assert_eq!(files_of(&env), before);
}

#[test]
fn short_sessions_do_not_accumulate_logs_and_tables() {
    let env = MemoryEnv::new();
    for i in 0..200 {
        let db = open(&env, options());
        put(&db, &format!("key{:04}", i % 10), &i.to_string());
        block_on(db.close()).unwrap();
    }
    let names = env.names();
    let logs = names.iter().filter(|n| n.ends_with(".log")).count();
    let tables = names.iter().filter(|n| n.ends_with(".ldb")).count();
    assert!(logs <= 10, "{logs} logs");
    assert!(tables <= 20, "{tables} tables");
    let db = open(&env, options());
    for i in 190..200 {
        assert_eq!(get(&db, &format!("key{:04}", i % 10)), Some(i.to_string()));
    }
}

#[test]
fn logs_without_current_are_a_damaged_database_and_not_a_missing_one() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put(&db, "k", "v");
    drop(db);
    block_on(env.edit_names(vec![varve::env::NameEdit::Remove { name: "CURRENT".into() }])).unwrap();
    let before = files_of(&env);
    let error = block_on(Db::open(Rc::new(env.clone()), options())).unwrap_err();
    assert!(error.is_corruption() && error.to_string().contains("repair"), "{error}");
    assert_eq!(files_of(&env), before);
    block_on(repair(Rc::new(env.clone()), options())).unwrap();
    assert_eq!(get(&open(&env, options()), "k").as_deref(), Some("v"));
}

#[test]
fn files_of_an_interrupted_creation_do_not_prevent_opening() {
    let env = MemoryEnv::new();
    let faults = FaultEnv::new(Rc::new(env.clone()), 1);
    faults.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::EditNames).named("CURRENT"));
    block_on(Db::open(Rc::new(faults), options())).unwrap_err();
    assert!(env.names().iter().any(|n| n.starts_with("MANIFEST")), "{:?}", env.names());
    put(&open(&env, options()), "k", "v");
}

#[test]
fn a_removed_seek_compaction_candidate_does_not_end_seek_compactions() {
    let env = MemoryEnv::new();
    let db = open(&env, Options { filter_policy: None, ..options() });
    // In each round, a table above another reaches its limit of failed look-ups. Background work
    // must compact each.
    for round in 0..3 {
        put(&db, "a", "1");
        put(&db, "z", "1");
        block_on(db.flush()).unwrap();
        put(&db, "a", "2");
        put(&db, "z", "2");
        block_on(db.flush()).unwrap();
        block_on(db.compact_range(None, None)).unwrap();
        put(&db, "b", "2");
        put(&db, "y", "2");
        block_on(db.flush()).unwrap();
        for _ in 0..200 {
            block_on(db.get(b"m")).unwrap();
        }
        assert!(db.has_background_work(), "round {round}: {:?}", db.tables());
        // The table is moved or compacted before background work reaches it.
        if round == 0 {
            block_on(db.compact_range(None, None)).unwrap();
        } else {
            while block_on(db.background(0)).unwrap() {}
        }
    }
}

/// A database that was flushed and closed: its log is empty.
fn closed_with_an_empty_log() -> MemoryEnv {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put(&db, "a", "1");
    block_on(db.flush()).unwrap();
    block_on(db.close()).unwrap();
    env
}

fn the_one(env: &MemoryEnv, found: impl Fn(&str) -> bool) -> String {
    let names: Vec<_> = env.names().into_iter().filter(|name| found(name)).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().unwrap()
}

fn is_manifest(name: &str) -> bool {
    name.starts_with("MANIFEST")
}

#[test]
fn an_empty_log_and_its_manifest_are_reused() {
    let env = closed_with_an_empty_log();
    let before = files_of(&env);
    drop(open(&env, options()));
    assert_eq!(files_of(&env), before);
}

#[test]
fn a_manifest_with_bytes_after_its_last_record_is_not_reused() {
    // Data appended after a truncated record, or after the unused end of a block, is not found.
    let unused_end = |manifest: &mut Vec<u8>| {
        // An edit that repeats "no previous log" up to one or two bytes before the end of the
        // block.
        let room = (32 << 10) - manifest.len() - 7 - 1;
        frame(manifest, &[9, 0].repeat(room / 2), None);
        manifest.resize(32 << 10, 0);
    };
    let cut = |manifest: &mut Vec<u8>| manifest.extend([1, 2, 3, 4, 100, 0, 1, 2, 3]);
    for is_cut in [true, false] {
        for recovery in [RecoveryMode::Compat, RecoveryMode::PointInTime] {
            let env = closed_with_an_empty_log();
            let name = the_one(&env, is_manifest);
            let mut manifest = env.read(&name).unwrap();
            if is_cut {
                cut(&mut manifest)
            } else {
                unused_end(&mut manifest)
            }
            env.write(&name, &manifest);
            let db = open(&env, Options { recovery, ..options() });
            put(&db, "b", "2");
            block_on(db.flush()).unwrap();
            drop(db);
            let db = open(&env, options());
            assert_eq!((get(&db, "a").as_deref(), get(&db, "b").as_deref()), (Some("1"), Some("2")));
        }
    }
}

#[test]
fn a_log_that_the_manifest_does_not_name_is_not_reused() {
    let env = closed_with_an_empty_log();
    let log = the_one(&env, |name| name.ends_with(".log"));
    block_on(env.edit_names(vec![NameEdit::Rename { from: log, to: "000099.log".into() }])).unwrap();
    drop(open(&env, options()));
    let strict = Options { recovery: RecoveryMode::Strict, ..options() };
    assert_eq!(get(&open(&env, strict), "a").as_deref(), Some("1"));
}

#[test]
fn an_empty_log_with_another_name_does_not_prevent_opening() {
    let env = closed_with_an_empty_log();
    let log = the_one(&env, |name| name.ends_with(".log"));
    let short = log.trim_start_matches('0').to_string();
    block_on(env.edit_names(vec![NameEdit::Rename { from: log, to: short }])).unwrap();
    put(&open(&env, options()), "b", "2");
    assert_eq!(get(&open(&env, options()), "b").as_deref(), Some("2"));
}

#[test]
fn writes_during_the_flush_of_a_close_are_durable_after_it() {
    for wait in 0..120 {
        let env = MemoryEnv::new();
        let (faults, db) = faulty(&env, options());
        put(&db, "a", &"x".repeat(200 << 10));
        faults.set_pending(100);
        let written = Cell::new(false);
        together(vec![
            Box::pin(async { db.close().await.unwrap() }),
            Box::pin(async {
                for _ in 0..wait {
                    yield_now().await;
                }
                written.set(db.put(b"b", b"2").await.is_ok());
            }),
        ]);
        let after = open(&env.crash(&CrashModel::percent(0)), options());
        assert!(get(&after, "a").is_some());
        assert!(get(&after, "b").is_some() || !written.get(), "after {wait} turns");
    }
}

#[test]
fn sync_after_a_kill_makes_the_reopened_database_durable() {
    let mut seen_in_new_log = false;
    for wait in 0..60 {
        let env = MemoryEnv::new();
        let (faults, db) = faulty(&env, options());
        put(&db, "a", "1");
        faults.set_pending(100);
        let killed = RefCell::new(None);
        together(vec![
            Box::pin(async { drop(db.flush().await) }),
            Box::pin(async {
                for _ in 0..wait {
                    yield_now().await;
                }
                let written = db.put(b"b", b"2").await.is_ok();
                killed.replace(Some((env.snapshot(), written)));
            }),
        ]);
        let (env, written) = killed.take().unwrap();
        let db = open(&env, Options { reuse_logs: true, ..options() });
        assert_eq!(get(&db, "b").is_some(), written);
        seen_in_new_log |= env.names().iter().filter(|name| name.ends_with(".log")).count() > 1;
        block_on(db.sync()).unwrap();
        let after = open(&env.crash(&CrashModel::DROP), options());
        assert_eq!(contents(&after).unwrap(), contents(&db).unwrap(), "after {wait} turns");
    }
    assert!(seen_in_new_log);
}

#[test]
fn sync_after_a_failed_append_makes_the_name_of_the_log_durable() {
    let env = MemoryEnv::new();
    let (faults, db) = faulty(&env, options());
    block_on(db.put_with(&WriteOptions { sync: true }, b"x", b"0")).unwrap();
    block_on(db.begin_log()).unwrap();
    put(&db, "a", "1");
    faults.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::StorageFull)).on(Operation::Append));
    block_on(db.put(b"b", b"2")).unwrap_err();
    block_on(db.sync()).unwrap();
    let after = open(&env.crash(&CrashModel::DROP), options());
    assert_eq!(get(&after, "a").as_deref(), Some("1"));
}

#[test]
fn sync_makes_all_replayed_logs_durable_when_the_last_one_is_empty() {
    let env = MemoryEnv::new();
    let reuse = Options { reuse_logs: true, ..options() };
    let db = open(&env, reuse.clone());
    put(&db, "t", "0");
    block_on(db.flush()).unwrap();
    put(&db, "x", "0");
    block_on(db.sync()).unwrap();
    block_on(db.begin_log()).unwrap();
    put(&db, "a", "1");
    block_on(db.begin_log()).unwrap();
    drop(db);
    assert_eq!(env.names().iter().filter(|name| name.ends_with(".log")).count(), 3);
    let db = open(&env, reuse);
    block_on(db.sync()).unwrap();
    let after = open(&env.crash(&CrashModel::DROP), options());
    assert_eq!(contents(&after).unwrap(), contents(&db).unwrap());
    assert_eq!(get(&after, "a").as_deref(), Some("1"));
}

#[test]
fn the_last_sequence_number_survives_reopening() {
    let env = MemoryEnv::new();
    manifest_with(&env, (1 << 56) - 2, 10);
    let db = open(&env, options());
    put(&db, "last", "one");
    assert_eq!(block_on(db.put(b"one", b"more")).unwrap_err().code(), "limit-exceeded");
    drop(db);
    let db = open(&env, options());
    assert_eq!(db.recovery().gap, None);
    assert_eq!(get(&db, "last").as_deref(), Some("one"));
    block_on(db.flush()).unwrap();
    assert_eq!(get(&db, "last").as_deref(), Some("one"));
}

#[test]
fn file_numbers_near_their_limit_are_refused_before_anything_is_written() {
    for next in [u64::MAX, u64::MAX - 1, u64::MAX - 2, u64::MAX - 3] {
        let env = MemoryEnv::new();
        manifest_with(&env, 5, next);
        let before = files_of(&env);
        let error = block_on(Db::open(Rc::new(env.clone()), options())).unwrap_err();
        assert_eq!(error.code(), "limit-exceeded", "{next}: {error}");
        assert_eq!(files_of(&env), before, "{next}");
        let read_only = Options { create_if_missing: false, read_only: true, ..options() };
        block_on(Db::open(Rc::new(env.clone()), read_only)).unwrap();
    }
}

#[test]
fn an_old_file_that_cannot_be_removed_does_not_stop_writes() {
    let env = MemoryEnv::new();
    let (faults, db) = faulty(&env, options());
    let stuck = || FaultRule::at(1, FaultKind::Fail(ErrorKind::PermissionDenied)).on(Operation::EditNames).named("-0");
    faults.add(stuck().for_ever());
    for i in 0..5 {
        put(&db, "k", &i.to_string());
        flush_and_compact(&db);
    }
    assert_eq!(db.state(), DbState::Open);
    drop(db);
    let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
    assert_eq!(get(&db, "k").as_deref(), Some("4"));
    // Once they can be, they are.
    faults.clear();
    put(&db, "k", "5");
    flush_and_compact(&db);
    let left = env.names().iter().filter(|n| n.ends_with(".ldb")).count();
    assert_eq!(left, db.tables().len(), "{:?}", env.names());
}

fn flush_and_compact(db: &Db) {
    block_on(async {
        db.flush().await.unwrap();
        db.compact_range(None, None).await.unwrap();
    });
}

/// A database on a disk that was full when it wrote a table.
fn full() -> (FaultEnv, Db) {
    let (faults, db) = faulty(&MemoryEnv::new(), options());
    for key in ["a", "b", "c", "d"] {
        put(&db, key, "1");
    }
    block_on(db.flush()).unwrap();
    put(&db, "e", "1");
    let no_room = FaultKind::Fail(ErrorKind::StorageFull);
    faults.add(FaultRule::at(1, no_room).on(Operation::Create).named(".ldb").for_ever());
    assert_eq!(block_on(db.flush()).unwrap_err().code(), "full");
    assert!(matches!(db.state(), DbState::Degraded(_)));
    (faults, db)
}

#[test]
fn on_a_full_disk_delete_range_deletes_key_by_key() {
    let (_faults, db) = full();
    assert_eq!(block_on(db.delete_range(None, None)).unwrap(), 5);
    assert_eq!(get(&db, "a"), None);
}

#[test]
fn on_a_full_disk_a_failed_put_does_not_fail_a_delete() {
    let (faults, db) = full();
    faults.set_pending(100);
    let (db, mut tasks) = (&db, Vec::<Pin<Box<dyn Future<Output = ()>>>>::new());
    for i in 0..10 {
        tasks.push(Box::pin(async { db.delete(b"a").await.unwrap() }));
        let key = format!("x{i}");
        tasks.push(Box::pin(async move { assert_eq!(db.put(key.as_bytes(), b"1").await.unwrap_err().code(), "full") }));
    }
    together(tasks);
    faults.set_pending(0);
    assert_eq!(["a", "b", "x0", "x9"].map(|key| get(db, key).is_some()), [false, true, false, false]);
}

/// A database whose manifest has only this record.
pub(super) fn manifest_with(env: &MemoryEnv, last_sequence: u64, next_file_number: u64) {
    manifest_of(env, &[(2, 0), (9, 0), (3, next_file_number), (4, last_sequence)]);
}

/// The same with any numbers, each with its tag: a log of one record.
pub(super) fn manifest_of(env: &MemoryEnv, numbers: &[(u8, u64)]) {
    let mut record = vec![1, 26];
    record.extend_from_slice(b"leveldb.BytewiseComparator");
    for (tag, mut number) in numbers.iter().copied() {
        record.push(tag);
        while number >= 0x80 {
            record.push(number as u8 | 0x80);
            number >>= 7;
        }
        record.push(number as u8);
    }
    let mut body = vec![1];
    body.extend_from_slice(&record);
    let sum = crc32c(&body);
    let mut file = (sum.rotate_right(15).wrapping_add(0xa282_ead8)).to_le_bytes().to_vec();
    file.extend_from_slice(&(record.len() as u16).to_le_bytes());
    file.extend_from_slice(&body);
    env.write("MANIFEST-000003", &file);
    env.write("CURRENT", b"MANIFEST-000003\n");
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}
