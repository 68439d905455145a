//! `compact_range` did not remove overwritten and deleted entries: a flush went to level 2, nothing
//! overlapped it there, and the only table was left as it was.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use varve::env::{FaultEnv, FaultKind, FaultRule, MemoryEnv};
use varve::events::{Event, Listener};
use varve::{Db, Options, block_on, verify};

fn options() -> Options {
    Options { create_if_missing: true, max_file_size: 64 << 10, ..Options::default() }
}

fn open(env: &MemoryEnv) -> Db {
    block_on(Db::open(Rc::new(env.clone()), options())).unwrap()
}

fn fill(db: &Db, round: usize, keys: usize) {
    for i in 0..keys {
        let value = format!("value {round} of {i:06} {}", "x".repeat(40));
        block_on(db.put(format!("key{i:06}").as_bytes(), value.as_bytes())).unwrap();
    }
}

fn delete(db: &Db, keys: usize) {
    for i in 0..keys {
        block_on(db.delete(format!("key{i:06}").as_bytes())).unwrap();
    }
}

fn compact(db: &Db) {
    block_on(db.compact_range(None, None)).unwrap();
}

fn entries(db: &Db) -> u64 {
    let report = block_on(db.verify()).unwrap();
    assert_eq!(report.findings, []);
    report.entries
}

fn deepest(db: &Db) -> usize {
    db.tables().iter().map(|t| t.level).max().unwrap_or(0)
}

#[test]
fn overwritten_entries_are_removed() {
    let db = open(&MemoryEnv::new());
    (0..2).for_each(|round| fill(&db, round, 10_000));
    compact(&db);
    assert_eq!(entries(&db), 10_000);
    assert!(block_on(db.get(b"key000007")).unwrap().unwrap().starts_with(b"value 1"));
}

#[test]
fn deleted_entries_are_removed_also_across_flushes() {
    for flush in [false, true] {
        let env = MemoryEnv::new();
        let db = open(&env);
        block_on(db.put(b"secret", b"correct horse battery staple")).unwrap();
        fill(&db, 0, 3000);
        if flush {
            block_on(db.flush()).unwrap();
        }
        block_on(db.delete(b"secret")).unwrap();
        delete(&db, 1000);
        compact(&db);
        assert_eq!(entries(&db), 2000, "flush: {flush}");
        let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|w| w == part);
        // The manifest may still name the key as the bound of an earlier table.
        for name in env.names().into_iter().filter(|name| !name.starts_with("MANIFEST")) {
            let bytes = env.read(&name).unwrap();
            assert!(!has(&bytes, b"secret") && !has(&bytes, b"correct horse"), "{name}, flush: {flush}");
        }
        delete(&db, 3000);
        compact(&db);
        assert_eq!((entries(&db), db.tables().len()), (0, 0));
    }
}

#[test]
fn entries_of_a_released_snapshot_are_removed_by_the_next_call() {
    let db = open(&MemoryEnv::new());
    fill(&db, 0, 5000);
    let snapshot = db.snapshot();
    fill(&db, 1, 5000);
    delete(&db, 100);
    compact(&db);
    assert_eq!(entries(&db), 10_000 + 100);
    drop(snapshot);
    let level = deepest(&db);
    compact(&db);
    assert_eq!((entries(&db), deepest(&db)), (4900, level));
}

#[test]
fn only_the_range_is_rewritten() {
    let db = open(&MemoryEnv::new());
    fill(&db, 0, 5000);
    let snapshot = db.snapshot();
    fill(&db, 1, 5000);
    compact(&db);
    drop(snapshot);
    block_on(db.compact_range(Some(b"key001000"), Some(b"key001500"))).unwrap();
    let left = entries(&db);
    assert!((7000..=9500).contains(&left), "{left}");
}

/// Tables that a compaction cannot shrink are left alone, and others stay in their level.
#[test]
fn a_second_call_writes_nothing_and_no_call_goes_deeper() {
    let env = MemoryEnv::new();
    let db = open(&env);
    fill(&db, 0, 5000);
    compact(&db);
    let level = deepest(&db);
    for round in 1..4 {
        fill(&db, round, 500);
        delete(&db, 10);
        compact(&db);
        let (tables, written) = (db.tables(), db.counters().bytes_compacted);
        compact(&db);
        assert_eq!((db.tables(), db.counters().bytes_compacted), (tables, written));
        assert_eq!((deepest(&db), entries(&db)), (level, 4990));
    }
    drop(db);
    // After opening, which tables are compact is not known.
    let db = open(&env);
    compact(&db);
    assert_eq!((deepest(&db), entries(&db)), (level, 4990));
}

/// Versions of one key in several tables of a level: the newest hides those in the next table.
#[test]
fn versions_of_one_key_across_tables_are_removed() {
    let db = open(&MemoryEnv::new());
    let mut snapshots = Vec::new();
    for i in 0..3000u32 {
        block_on(db.put(b"key", format!("{i} {}", "x".repeat(100)).as_bytes())).unwrap();
        snapshots.push(db.snapshot());
    }
    block_on(db.delete(b"key")).unwrap();
    compact(&db);
    assert!(db.tables().len() > 1);
    snapshots.drain(..2999);
    compact(&db);
    assert_eq!(entries(&db), 2);
    drop(snapshots);
    compact(&db);
    assert_eq!(entries(&db), 0);
}

#[derive(Default)]
struct Heard(RefCell<Vec<Event>>);

impl Listener for Heard {
    fn event(&self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

#[test]
fn a_rewrite_is_reported_with_its_level() {
    let heard = Rc::new(Heard::default());
    let options = Options { listener: Some(heard.clone()), ..options() };
    let db = block_on(Db::open(Rc::new(MemoryEnv::new()), options)).unwrap();
    fill(&db, 0, 2000);
    delete(&db, 1000);
    compact(&db);
    let compactions: Vec<_> = heard
        .0
        .take()
        .into_iter()
        .filter_map(|event| match event {
            Event::Compaction { level, output_level, bytes_read, bytes_written, trivial_move: false, .. } => {
                Some((level, output_level, bytes_read, bytes_written))
            }
            _ => None,
        })
        .collect();
    let [(level, output_level, read, written)] = compactions[..] else { panic!("{compactions:?}") };
    assert_eq!((level, output_level), (2, 2));
    assert!(read > written && written > 0);
    assert_eq!((db.counters().bytes_compaction_read, db.counters().bytes_compacted), (read, written));
}

/// A rewrite that fails at any write leaves the tables that were there.
#[test]
fn a_rewrite_that_fails_loses_nothing() {
    for at in 1.. {
        let env = MemoryEnv::new();
        {
            let db = open(&env);
            fill(&db, 0, 2000);
            block_on(db.flush()).unwrap();
            delete(&db, 1000);
            block_on(db.flush()).unwrap();
            let snapshot = db.snapshot();
            compact(&db);
            drop(snapshot);
        }
        let faults = FaultEnv::new(Rc::new(env.clone()), 7);
        let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
        faults.add(FaultRule::at(at, FaultKind::Fail(ErrorKind::Other)).on_changes().for_ever());
        let result = block_on(db.compact_range(None, None));
        drop(db);
        assert_eq!(block_on(verify(Rc::new(env.clone()), options())).unwrap().findings, []);
        let db = open(&env);
        assert_eq!(block_on(db.get(b"key000999")).unwrap(), None);
        assert!(block_on(db.get(b"key001000")).unwrap().is_some());
        compact(&db);
        assert_eq!(entries(&db), 1000);
        if result.is_ok() {
            assert!(at > 2);
            return;
        }
    }
}
