//! Synced writes disappeared after a session in `Compat` mode. It skipped damage in a log and left
//! the log in place; a later open in the default mode stopped at the damage and set the newer logs
//! aside.

use std::rc::Rc;

use varve::env::{CrashModel, Env, MemoryEnv, NameEdit};
use varve::{Db, Options, RecoveryMode, WriteOptions, block_on};

fn options(recovery: RecoveryMode) -> Options {
    Options { create_if_missing: true, recovery, ..Options::default() }
}

fn open(env: &MemoryEnv, recovery: RecoveryMode) -> Db {
    block_on(Db::open(Rc::new(env.clone()), options(recovery))).unwrap()
}

fn put(db: &Db, key: &str) {
    block_on(db.put_with(&WriteOptions { sync: true }, key.as_bytes(), &[b'v'; 1000])).unwrap();
}

fn has(db: &Db, key: &str) -> bool {
    block_on(db.get(key.as_bytes())).unwrap().is_some()
}

fn log_name(env: &MemoryEnv) -> String {
    env.names().into_iter().rfind(|name| name.ends_with(".log")).unwrap()
}

/// A database whose only log has a hundred entries, changed by `damage`.
fn damaged(damage: impl FnOnce(&mut Vec<u8>)) -> (MemoryEnv, String, Vec<u8>) {
    let env = MemoryEnv::new();
    let db = open(&env, RecoveryMode::PointInTime);
    (0..100).for_each(|i| put(&db, &format!("old{i:03}")));
    drop(db);
    let name = log_name(&env);
    let mut log = env.read(&name).unwrap();
    damage(&mut log);
    env.write(&name, &log);
    (env, name, log)
}

#[test]
fn synced_writes_after_damage_that_compat_skipped_stay() {
    let (env, name, log) = damaged(|log| log[5000] ^= 1);
    let db = open(&env, RecoveryMode::Compat);
    let report = db.recovery().clone();
    assert_eq!(report.kept, [format!("{name}.damaged")]);
    assert!(report.findings()[0].to_string().contains(&name));
    let left: Vec<bool> = (0..100).map(|i| has(&db, &format!("old{i:03}"))).collect();
    assert!(left[0] && !left.iter().all(|is| *is));
    put(&db, "new");
    block_on(db.close()).unwrap();
    assert_eq!(env.read(&format!("{name}.damaged")).unwrap(), log);
    for mode in [RecoveryMode::PointInTime, RecoveryMode::Strict, RecoveryMode::Compat] {
        let db = open(&env, mode);
        assert_eq!(db.recovery().findings(), []);
        assert!(has(&db, "new"));
        let now: Vec<bool> = (0..100).map(|i| has(&db, &format!("old{i:03}"))).collect();
        assert_eq!(now, left);
    }
}

/// Also without a write, after a crash of the machine, and if nothing of the log is sound.
#[test]
fn what_compat_read_stays_after_a_crash() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        |log| log[5000] ^= 1,
        |log| log.iter_mut().for_each(|byte| *byte ^= 0x55),
        // LevelDB skips zeros without a report.
        |log| log[4000..5000].fill(0),
    ];
    for damage in damages {
        let (env, ..) = damaged(damage);
        let db = open(&env, RecoveryMode::Compat);
        let left: Vec<bool> = (0..100).map(|i| has(&db, &format!("old{i:03}"))).collect();
        put(&db, "new");
        drop(db);
        let env = env.crash(&CrashModel::DROP);
        let db = open(&env, RecoveryMode::PointInTime);
        assert_eq!(db.recovery().findings(), []);
        let now: Vec<bool> = (0..100).map(|i| has(&db, &format!("old{i:03}"))).collect();
        assert_eq!((now, has(&db, "new")), (left, true));
    }
}

/// A log is missing between two others.
#[test]
fn synced_writes_after_a_missing_log_that_compat_skipped_stay() {
    let env = MemoryEnv::new();
    let mut logs = Vec::new();
    for round in 0..3 {
        let db = open(&env, RecoveryMode::PointInTime);
        put(&db, &format!("old{round}"));
        logs.push(log_name(&env));
        drop(db);
    }
    block_on(env.edit_names(vec![NameEdit::Remove { name: logs[1].clone() }])).unwrap();
    let db = open(&env, RecoveryMode::Compat);
    put(&db, "new");
    block_on(db.close()).unwrap();
    let db = open(&env, RecoveryMode::PointInTime);
    assert_eq!(db.recovery().findings(), []);
    assert!(has(&db, "old0") && has(&db, "old2") && has(&db, "new"));
}

/// Opening read-only changes nothing.
#[test]
fn reading_past_damage_leaves_the_log() {
    let (env, name, log) = damaged(|log| log[5000] ^= 1);
    let names = env.names();
    let options = Options { create_if_missing: false, read_only: true, ..options(RecoveryMode::Compat) };
    let db = block_on(Db::open(Rc::new(env.clone()), options)).unwrap();
    assert!(has(&db, "old000") && has(&db, "old099"));
    drop(db);
    assert_eq!((env.names(), env.read(&name).unwrap()), (names, log));
}
