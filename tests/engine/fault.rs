//! Storages that fail, report wrong results, fill up or answer later (scorecard R04, R05).
//!
//! `VARVE_LONG=1` fails every call, otherwise every second one.
#![allow(clippy::disallowed_methods, reason = "tests say how long they took")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use varve::env::{CrashModel, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation};
use varve::{Db, DbState, Error, Options, ReadOptions, WriteBatch, WriteOptions, block_on};

use crate::common::executor::Executor;
use crate::common::model::Map;
use crate::common::random::Random;
use crate::common::scripts::{Prepared, prepare_all};
use crate::common::world::{
    Session, Step, check_image, contents, difference, is_long, key, must, open, parallel, small_options, text, threads,
};

type MakeRule = fn(u64) -> FaultRule;

/// Every way in which a call fails with an error, once or always.
const FAILURES: [(&str, MakeRule); 14] = [
    ("EIO once", |k| FaultRule::at(k, FaultKind::Fail(ErrorKind::Other))),
    ("EIO for ever", |k| FaultRule::at(k, FaultKind::Fail(ErrorKind::Other)).for_ever()),
    ("ENOSPC once", |k| FaultRule::at(k, FaultKind::Fail(ErrorKind::StorageFull)).on_changes()),
    ("ENOSPC for ever", |k| FaultRule::at(k, FaultKind::Fail(ErrorKind::StorageFull)).on_changes().for_ever()),
    ("done, but EIO", |k| FaultRule::at(k, FaultKind::FailAfter(ErrorKind::Other)).on_changes()),
    ("EIO, half appended", |k| FaultRule::at(k, FaultKind::ShortWrite { percent: 50, kind: ErrorKind::Other })),
    ("ENOSPC, half appended", |k| {
        FaultRule::at(k, FaultKind::ShortWrite { percent: 50, kind: ErrorKind::StorageFull }).for_ever()
    }),
    ("EIO, all appended", |k| FaultRule::at(k, FaultKind::ShortWrite { percent: 100, kind: ErrorKind::Other })),
    ("half appended, truncate fails", |k| FaultRule::at(k, FaultKind::ShortCount { percent: 50 })),
    ("short count", |k| FaultRule::at(k, FaultKind::ShortCount { percent: 50 })),
    ("short count for ever", |k| FaultRule::at(k, FaultKind::ShortCount { percent: 90 }).for_ever()),
    ("EMFILE once", no_descriptor),
    ("EMFILE for ever", |k| no_descriptor(k).for_ever()),
    ("short read", |k| FaultRule::at(k, FaultKind::ShortRead { percent: 50 })),
];

/// The process has no descriptor left for a file, or for the directory to sync.
fn no_descriptor(k: u64) -> FaultRule {
    let rule = FaultRule::at(k.div_ceil(4), FaultKind::Fail(ErrorKind::ResourceBusy));
    rule.on(Operation::Open).on(Operation::Create).on(Operation::EditNames)
}

/// Every way in which an append fails without an error. The sizes of files are right.
const LIES: [(&str, MakeRule); 6] = [
    ("garbage count, as Firefox", |k| FaultRule::at(k, FaultKind::WrongCount(32_523))),
    ("-8 as u32, as Chromium", |k| FaultRule::at(k, FaultKind::WrongCount(4_294_967_288)).for_ever()),
    ("nothing taken", |k| FaultRule::at(k, FaultKind::WrongCount(0))),
    ("right count, short file", |k| FaultRule::at(k, FaultKind::MissingBytes { percent: 50 })),
    ("right count, nothing there", |k| FaultRule::at(k, FaultKind::MissingBytes { percent: 0 }).for_ever()),
    ("right count, one byte short", |k| FaultRule::at(k, FaultKind::MissingBytes { percent: 99 })),
];

#[test]
fn every_call_fails_once() {
    let start = std::time::Instant::now();
    let (cases, faults) = must("R04", every_fault(threads(), if is_long() { 1 } else { 2 }));
    println!("R04: {cases} runs, {faults} with a fault, in {:.1} s", start.elapsed().as_secs_f64());
}

pub fn every_fault(threads: usize, stride: usize) -> Result<(usize, usize), String> {
    let (cases, faults) = every_fault_of(threads, stride, true)?;
    let (more_cases, more_faults) = every_fault_of(threads, stride, false)?;
    Ok((cases + more_cases, faults + more_faults))
}

/// On a storage with trusted counts of bytes, or without: writes take different paths.
fn every_fault_of(threads: usize, stride: usize, exact: bool) -> Result<(usize, usize), String> {
    sweep(threads, stride, &FAILURES, false, &|session, name, rule| {
        session.env.set_appends_are_exact(exact);
        session.env.add(rule);
        if name.contains("truncate fails") {
            session.env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::Other)).on(Operation::Truncate));
        }
        Ok(())
    })
}

#[test]
fn false_results_of_appends_are_found_before_the_acknowledgement() {
    let start = std::time::Instant::now();
    let (cases, faults) = must("R05", every_lie(threads(), 1));
    println!("R05: {cases} runs, {faults} with a lie, in {:.1} s", start.elapsed().as_secs_f64());
}

pub fn every_lie(threads: usize, stride: usize) -> Result<(usize, usize), String> {
    sweep(threads, stride, &LIES, true, &|session, _, rule| {
        session.env.set_appends_are_exact(false);
        session.env.add(rule);
        Ok(())
    })
}

type Plant<'a> = &'a (dyn Fn(&Session, &str, FaultRule) -> Result<(), String> + Sync);

/// Each fault at each call of each script.
fn sweep(
    threads: usize,
    stride: usize,
    faults: &[(&str, MakeRule)],
    must_be_noticed: bool,
    plant: Plant<'_>,
) -> Result<(usize, usize), String> {
    let calls: Vec<u64> = prepare_all()?.iter().map(|p| p.calls).collect();
    let (cases, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let points: Vec<(usize, u64)> =
        calls.iter().enumerate().flat_map(|(script, calls)| (1..=*calls).map(move |k| (script, k))).collect();
    parallel(threads, points.len().div_ceil(stride), prepare_all, |prepared, at| {
        let prepared = prepared.as_ref().map_err(Clone::clone)?;
        let (script, k) = points[at * stride];
        for (name, rule) in faults {
            let mut session = prepared[script].session(k);
            plant(&session, name, rule(k))?;
            let place = || format!("{}, call {k} of {}, {name}", prepared[script].script.name, calls[script]);
            let (faulty, noticed) = run_through(&prepared[script], &mut session).map_err(|error| {
                session.print_calls();
                format!("{}: {error}", place())
            })?;
            // Only the removal of obsolete files may fail unnoticed, and that is not an append.
            if faulty && !noticed && must_be_noticed {
                return Err(format!("{}: nobody was told", place()));
            }
            cases.fetch_add(1, Ordering::Relaxed);
            met.fetch_add(usize::from(faulty), Ordering::Relaxed);
        }
        Ok(())
    })?;
    Ok((cases.into_inner(), met.into_inner()))
}

/// Runs a script. If a step fails, the fault is removed, the database resumes, and the step is
/// repeated.
fn run_through(prepared: &Prepared, session: &mut Session) -> Result<(bool, bool), String> {
    session.any_failure_is_a_crash = false;
    let mut noticed = false;
    for step in &prepared.script.steps {
        let first = session.step(step)?;
        noticed |= session.is_degraded();
        if session.told_of_loss {
            return Ok((true, true));
        }
        let Err(error) = first else { continue };
        if session.env.faults() == 0 {
            return Err(format!("{step:?} fails without a fault: {error}"));
        }
        noticed = true;
        session.reads_are_right_or_refused()?;
        let image = session.memory.crash(&CrashModel::DROP);
        check_image(&image, &session.history, &session.options, false)
            .map_err(|e| format!("crash after {step:?} failed: {e}"))?;
        session.env.clear();
        if *step == Step::Close {
            session.step(&Step::Open { reuse_logs: false })?.map_err(|e| format!("open after a failed close: {e}"))?;
            continue;
        }
        resume(session)?;
        session
            .step(step)?
            .map_err(|e| format!("{step:?} fails again after the fault went away: {e}; first {error}"))?;
    }
    let faulty = session.env.faults() > 0;
    noticed |= session.is_degraded();
    session.env.clear();
    resume(session)?;
    if session.db.is_some() {
        session
            .step(&Step::Write { first: 1, count: 3, length: 50, sync: true })?
            .map_err(|e| format!("last write: {e}"))?;
        session.step(&Step::Scan)?.map_err(|e| format!("last scan: {e}"))?;
    }
    session.db = None;
    session.history.maybe.clear();
    for model in [CrashModel::DROP, CrashModel::percent(50)] {
        let image = session.memory.crash(&model);
        check_image(&image, &session.history, &session.options, false).map_err(|e| format!("crash at the end: {e}"))?;
    }
    let db = open(&session.memory.snapshot(), &session.options)?;
    let found = text(contents(&db))?;
    if found != session.history.map {
        return Err(format!("after reopening: {}", difference(&found, &session.history.map)));
    }
    Ok((faulty, noticed))
}

fn resume(session: &mut Session) -> Result<(), String> {
    let Some(db) = &session.db else { return Ok(()) };
    text(block_on(db.resume())).map_err(|e| format!("resume: {e}"))?;
    session.history.maybe.clear();
    match db.state() {
        DbState::Open => Ok(()),
        state => Err(format!("after resume the state is {state:?}")),
    }
}

#[test]
fn a_lost_sync_is_found_at_the_next_open() {
    let stats = must("R05", every_lost_sync(threads(), 1));
    println!("R05: {} lost syncs: {} gave a clean prefix, {} an error", stats.0, stats.1, stats.0 - stats.1);
}

/// The sync of call k does nothing; then the power fails. The database opens in a state of its
/// history, or with an error.
pub fn every_lost_sync(threads: usize, stride: usize) -> Result<(usize, usize), String> {
    let calls: Vec<u64> = prepare_all()?.iter().map(|p| p.calls).collect();
    let (cases, clean) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let points: Vec<(usize, u64)> =
        calls.iter().enumerate().flat_map(|(script, calls)| (1..=*calls).map(move |k| (script, k))).collect();
    parallel(threads, points.len().div_ceil(stride), prepare_all, |prepared, at| {
        let prepared = prepared.as_ref().map_err(Clone::clone)?;
        let (script, k) = points[at * stride];
        let session = &mut prepared[script].session(k);
        session.env.add(FaultRule::at(k, FaultKind::LoseSync));
        for step in &prepared[script].script.steps {
            session.step(step)?.map_err(|e| format!("{step:?}: {e}"))?;
            if session.env.faults() == 0 {
                continue;
            }
            for model in [CrashModel::DROP, CrashModel::percent(50), CrashModel::random(k)] {
                let image = session.memory.crash(&model);
                cases.fetch_add(1, Ordering::Relaxed);
                let found = match block_on(Db::open(Rc::new(image.clone()), session.options.clone())) {
                    Ok(db) => contents(&db),
                    Err(error) => Err(error),
                };
                match found {
                    Ok(found) => {
                        let place = || format!("{}, sync {k}, after {step:?}, {model:?}", prepared[script].script.name);
                        session.history.position_from(&found, 0).map_err(|e| format!("{}: {e}", place()))?;
                        clean.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) if error.is_corruption() => {}
                    Err(error) => return Err(format!("neither a prefix nor damage, but {error}")),
                }
            }
        }
        Ok(())
    })?;
    Ok((cases.into_inner(), clean.into_inner()))
}

#[test]
fn a_full_disk_fails_writes_and_nothing_else() {
    for capacity in (20_000..120_000).step_by(1_777) {
        must(&format!("capacity {capacity}"), fill_up(capacity));
    }
}

fn fill_up(capacity: u64) -> Result<(), String> {
    let memory = MemoryEnv::with_capacity(capacity);
    let mut session = Session::new(memory.clone(), small_options(), Default::default(), capacity);
    session.any_failure_is_a_crash = false;
    session.step(&Step::Open { reuse_logs: false })?.map_err(|e| e.to_string())?;
    let mut snapshot = None;
    let mut refused = None;
    for i in 0..2_000 {
        if i == 20 {
            snapshot = Some((session.db().snapshot(), session.history.map.clone()));
        }
        let step = Step::Write { first: i % 150, count: 1 + i % 4, length: 150, sync: i % 16 == 0 };
        if let Err(error) = session.step(&step)? {
            refused = Some(error);
            break;
        }
    }
    match refused {
        Some(Error::Full(_)) => {}
        Some(Error::Poisoned { cause, .. }) if cause.contains("full") => {}
        other => return Err(format!("expected a full disk, got {other:?}")),
    }
    session.history.maybe.clear();
    // Reads, iterators and snapshots still work.
    session.step(&Step::Scan)?.map_err(|e| format!("scan on a full disk: {e}"))?;
    if let Some((snapshot, map)) = snapshot {
        let options = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
        for (key, value) in &map {
            if text(block_on(session.db().get_with(&options, key)))?.as_ref() != Some(value) {
                return Err("a snapshot changed".to_owned());
            }
        }
    }
    // No acknowledged write is lost if the power fails now.
    check_room(&session, &memory)?;
    // A little room: deletes succeed.
    memory.set_capacity(memory.total_bytes().max(capacity) + 20_000);
    for at in 0..20 {
        let step = Step::Delete { key: at, sync: false };
        session.step(&step)?.map_err(|e| format!("a delete with some room: {e}"))?;
    }
    // Enough room: all writes succeed.
    memory.set_capacity(u64::MAX);
    resume(&mut session)?;
    for at in 0..50 {
        let step = Step::Write { first: at, count: 1, length: 100, sync: at % 8 == 0 };
        session.step(&step)?.map_err(|e| format!("a write after resume: {e}"))?;
    }
    session.step(&Step::Scan)?.map_err(|e| e.to_string())?;
    session.step(&Step::Compact)?.map_err(|e| e.to_string())?;
    session.step(&Step::Scan)?.map_err(|e| e.to_string())?;
    session.step(&Step::Close)?.map_err(|e| e.to_string())?;
    let found = text(contents(&open(&memory, &session.options)?))?;
    if found != session.history.map {
        return Err(format!("after reopening: {}", difference(&found, &session.history.map)));
    }
    Ok(())
}

fn check_room(session: &Session, memory: &MemoryEnv) -> Result<(), String> {
    let image = memory.crash(&CrashModel::DROP);
    image.set_capacity(u64::MAX);
    check_image(&image, &session.history, &session.options, false).map(|_| ())
}

/// A database on a storage that answers `percent` of its calls later.
fn late(percent: u8, seed: u64, memory: &MemoryEnv) -> FaultEnv {
    let env = FaultEnv::new(Rc::new(memory.clone()), seed);
    env.set_recording(false);
    env.set_pending(percent);
    env
}

#[test]
fn operations_agree_with_the_oracle_on_a_pending_storage() {
    let range = 0..12u64;
    let run = |(): &mut (), seed: usize| {
        crate::oracle::run_on(seed as u64, 1_500, Rc::new(late(60, seed as u64, &MemoryEnv::new())));
        Ok(())
    };
    must("late oracle", parallel(threads(), range.end as usize, || (), run));
}

#[test]
fn writers_share_records_and_syncs() {
    for seed in 0..40 {
        must(&format!("seed {seed}"), group_commit(seed));
    }
}

fn group_commit(seed: u64) -> Result<(), String> {
    let memory = MemoryEnv::new();
    let env = Rc::new(late(80, seed, &memory));
    let db = text(block_on(Db::open(env.clone(), small_options())))?;
    let acknowledged = RefCell::new(Map::new());
    let failures = RefCell::new(Vec::new());
    let mut executor = Executor::new(seed);
    const WRITERS: usize = 24;
    const WRITES: usize = 20;
    for writer in 0..WRITERS {
        let (db, acknowledged, failures) = (&db, &acknowledged, &failures);
        executor.spawn(async move {
            for i in 0..WRITES {
                let (key, value) = (key(writer * 100 + i % 7), format!("{writer} {i} {:0100}", 0).into_bytes());
                match db.put_with(&WriteOptions { sync: true }, &key, &value).await {
                    Ok(()) => drop(acknowledged.borrow_mut().insert(key.clone(), value.clone())),
                    Err(error) => failures.borrow_mut().push(error),
                }
                if db.get(&key).await.ok().flatten().as_ref() != Some(&value) {
                    failures.borrow_mut().push(Error::Closed);
                }
            }
        });
    }
    executor.run()?;
    drop(executor);
    if !failures.borrow().is_empty() {
        return Err(format!("{:?}", failures.borrow()));
    }
    let counters = db.counters();
    let writes = (WRITERS * WRITES) as u64;
    if counters.entries_written != writes || counters.log_records * 2 > writes || counters.log_syncs * 2 > writes {
        return Err(format!("{writes} writes took {} records, {} syncs", counters.log_records, counters.log_syncs));
    }
    drop(db);
    let found = text(contents(&open(&memory.crash(&CrashModel::DROP), &small_options())?))?;
    if found != acknowledged.into_inner() {
        return Err("acknowledged synced writes are not what a crash leaves".to_owned());
    }
    Ok(())
}

#[test]
fn dropped_writers_leave_a_valid_database() {
    let run = |(): &mut (), seed: usize| dropped_writers(seed as u64);
    must("case = seed", parallel(threads(), 400, || (), run));
}

/// Each writer puts its pairs of keys one after the other; some are dropped half way, and so are
/// flushes and compactions.
fn dropped_writers(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let memory = MemoryEnv::new();
    let env = Rc::new(late(70, seed, &memory));
    let db = text(block_on(Db::open(env.clone(), small_options())))?;
    let acknowledged: RefCell<BTreeMap<usize, usize>> = RefCell::default();
    let failed = Cell::new(0);
    let mut executor = Executor::new(seed);
    const WRITERS: usize = 12;
    for writer in 0..WRITERS {
        let (db, acknowledged, failed) = (&db, &acknowledged, &failed);
        let sync = random.one_in(2);
        executor.spawn(async move {
            for i in 0..15 {
                let mut batch = WriteBatch::new();
                for half in 0..2 {
                    batch.put(&key(writer * 10 + half), format!("{i:04}{:0300}", 0).as_bytes());
                }
                match db.write(&WriteOptions { sync }, batch).await {
                    Ok(()) => drop(acknowledged.borrow_mut().insert(writer, i)),
                    Err(_) => failed.set(failed.get() + 1),
                }
            }
        });
    }
    for which in 0..4 {
        let db = &db;
        executor.spawn(async move {
            let _ = match which {
                0 => db.flush().await,
                1 => db.compact_range(None, None).await,
                2 => {
                    db.tidy();
                    db.background(10_000).await.map(|_| ())
                }
                _ => db.sync().await,
            };
        });
    }
    for task in 0..WRITERS + 4 {
        if random.one_in(2) {
            for _ in 0..random.below(60) {
                executor.turn();
            }
            executor.cancel(task);
        }
    }
    executor.run()?;
    drop(executor);
    if failed.get() > 0 {
        return Err(format!("{} writes failed", failed.get()));
    }
    text(block_on(db.put_with(&WriteOptions { sync: true }, b"last", b"1")))?;
    text(block_on(db.flush()))?;
    let live = text(contents(&db))?;
    let halves = |map: &Map, writer: usize| -> Result<Option<usize>, String> {
        let (a, b) = (map.get(&key(writer * 10)), map.get(&key(writer * 10 + 1)));
        if a != b {
            return Err(format!("half of a batch of writer {writer} is there"));
        }
        Ok(a.and_then(|v| std::str::from_utf8(v.get(..4)?).ok()?.parse().ok()))
    };
    for writer in 0..WRITERS {
        let (found, acked) = (halves(&live, writer)?, acknowledged.borrow().get(&writer).copied());
        // The write after the last acknowledged one may have been dropped in progress.
        if found < acked || found > acked.map_or(Some(0), |i| Some(i + 1)) {
            return Err(format!("writer {writer}: {acked:?} acknowledged, {found:?} found"));
        }
    }
    drop(db);
    let options = Options { create_if_missing: false, ..small_options() };
    let found = text(contents(&open(&memory.crash(&CrashModel::DROP), &options)?))?;
    if found != live {
        return Err(format!("after a crash: {}", difference(&found, &live)));
    }
    Ok(())
}
