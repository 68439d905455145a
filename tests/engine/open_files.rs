//! More tables than files that may be open.
//!
//! 90 intact tables in a process with 64 descriptors could not be read, `verify` reported them as
//! damaged, and writes stopped for good.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use varve::env::{CrashModel, Env, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation, StdFsEnv};
use varve::{Db, DbState, Error, Options, ReadOptions, WriteOptions, block_on};

use crate::common::temp_dir::TempDir;
use crate::common::world::{contents, small_options};

fn key(n: usize) -> Vec<u8> {
    format!("key{n:06}").into_bytes()
}

/// Many small tables in deeper levels.
fn fill(db: &Db, rows: usize) {
    for n in 0..rows {
        block_on(db.put(&key(n), &[b'v'; 400])).unwrap();
    }
    block_on(db.compact_range(None, None)).unwrap();
}

fn faulty(memory: &MemoryEnv) -> (FaultEnv, Db) {
    let env = FaultEnv::new(Rc::new(memory.clone()), 1);
    let db =
        block_on(Db::open(Rc::new(env.clone()), Options { compression: varve::Compression::None, ..small_options() }));
    (env, db.unwrap())
}

#[test]
fn unused_tables_are_closed_when_the_storage_is_out_of_files() {
    let memory = MemoryEnv::new();
    let (env, db) = faulty(&memory);
    fill(&db, 3000);
    let tables = memory.names().iter().filter(|name| name.ends_with(".ldb")).count();
    assert!(tables > 60, "{tables} tables");
    env.set_open_files_max(20);
    assert_eq!(contents(&db).unwrap().len(), 3000);
    for n in (0..3000).step_by(7) {
        assert!(block_on(db.get(&key(n))).unwrap().is_some());
    }
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
    for n in 3000..3500 {
        block_on(db.put(&key(n), &[b'v'; 400])).unwrap();
    }
    block_on(db.compact_range(None, None)).unwrap();
    assert!(env.open_files() <= 20);
    assert_eq!(contents(&db).unwrap().len(), 3500);
    assert_eq!(db.state(), DbState::Open);
}

#[test]
fn running_out_of_descriptors_is_not_damage_and_work_continues_later() {
    let memory = MemoryEnv::new();
    let (env, db) = faulty(&memory);
    fill(&db, 1000);
    block_on(db.close()).unwrap();
    drop((db, env));
    let (env, db) = faulty(&memory);
    env.set_open_files_max(0);
    assert!(block_on(db.verify()).unwrap_err().is_too_many_open_files());
    let (mut acknowledged, mut refused) = (0, 0);
    for n in 1000..1400 {
        match block_on(db.put(&key(n), &[b'v'; 400])) {
            Ok(()) => acknowledged += 1,
            Err(error) => {
                assert!(error.is_too_many_open_files(), "{error}");
                refused += 1;
            }
        }
    }
    assert!(block_on(db.compact_range(None, None)).unwrap_err().is_too_many_open_files());
    assert!(acknowledged > 0 && refused > 0, "{acknowledged} acknowledged, {refused} refused");
    assert_eq!(db.state(), DbState::Open);
    env.set_open_files_max(usize::MAX);
    assert_eq!(contents(&db).unwrap().len(), 1000 + acknowledged);
    fill(&db, 1000);
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
    block_on(db.close()).unwrap();
    let (_, db) = faulty(&memory);
    assert_eq!(contents(&db).unwrap().len(), 1000 + acknowledged);
}

/// The flush succeeded, but no descriptor was left to verify its table. It was not retried, or for
/// ever without a pause.
#[test]
fn a_flush_without_a_descriptor_is_retried_by_the_next_write() {
    let memory = MemoryEnv::new();
    let (env, db) = faulty(&memory);
    env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::ResourceBusy)).on(Operation::Create).named(".ldb").times(3));
    for n in 0..100 {
        block_on(db.put(&key(n), &[b'v'; 400])).unwrap();
    }
    assert_eq!(env.faults(), 3);
    assert!(memory.names().iter().any(|name| name.ends_with(".ldb")));
    assert_eq!(contents(&db).unwrap().len(), 100);
    // The caller gets the error and can retry.
    env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::ResourceBusy)).on(Operation::Create).named(".ldb").times(2));
    block_on(db.put(b"one more", b"")).unwrap();
    assert!(block_on(db.flush()).unwrap_err().is_too_many_open_files());
    assert!(!db.has_background_work());
    assert!(db.tidy());
    block_on(db.flush()).unwrap();
}

#[test]
fn a_synced_write_to_a_log_without_a_durable_name_is_undone() {
    let memory = MemoryEnv::new();
    let (env, db) = faulty(&memory);
    block_on(db.put(b"before", b"")).unwrap();
    // A new log.
    block_on(db.flush()).unwrap();
    let sync = WriteOptions { sync: true };
    env.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::ResourceBusy)).on(Operation::EditNames).times(2));
    let error = block_on(db.put_with(&sync, b"refused", b"")).unwrap_err();
    assert!(error.is_too_many_open_files() && !error.maybe_applied(), "{error}");
    assert!(block_on(db.sync()).unwrap_err().is_too_many_open_files());
    assert_eq!(db.state(), DbState::Open);
    block_on(db.put_with(&sync, b"synced", b"")).unwrap();
    for model in [CrashModel::DROP, CrashModel::KEEP] {
        let (_, db) = faulty(&memory.crash(&model));
        let found: Vec<_> = contents(&db).unwrap().into_keys().collect();
        assert_eq!(found, [b"before".to_vec(), b"synced".to_vec()]);
    }
}

// ---- A native directory ----

/// Runs the test called `name` again, in a process that may have `limit` files open.
#[cfg(unix)]
fn run_within(limit: usize, name: &str, place: &Path) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new("sh");
    child.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" --exact {name} --nocapture")]).arg(program);
    let output = child.env("VARVE_OPEN_FILES", place).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[cfg(not(target_os = "linux"))]
fn descriptors() -> usize {
    0
}

fn native(place: &Path, read_only: bool) -> Db {
    let options =
        Options { compression: varve::Compression::None, read_only, create_if_missing: !read_only, ..small_options() };
    block_on(Db::open(Rc::new(StdFsEnv::new(place)), options)).unwrap()
}

#[cfg(unix)]
#[test]
fn databases_in_one_process_share_few_descriptors() {
    let Some(place) = std::env::var_os("VARVE_OPEN_FILES") else {
        let temp = TempDir::new();
        for name in ["one", "other"] {
            fill(&native(&temp.join(name), false), 4000);
        }
        return run_within(40, "open_files::databases_in_one_process_share_few_descriptors", temp.path());
    };
    let before = descriptors();
    let places = ["one", "other"].map(|name| Path::new(&place).join(name));
    let dbs = places.each_ref().map(|place| native(place, false));
    let mut most = 0;
    for db in &dbs {
        assert_eq!(contents(db).unwrap().len(), 4000);
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        for n in (0..4000).map(|n| n * 7919 % 4000) {
            assert!(block_on(db.get(&key(n))).unwrap().is_some());
            most = most.max(if n % 50 == 0 { descriptors() } else { 0 });
        }
        assert!(block_on(it.seek_to_last()).is_ok());
        assert_eq!(block_on(db.verify()).unwrap().findings, []);
    }
    // A fifth of 40, and for each database its lock, log, manifest and the file being written.
    assert!(most <= before + 8 + 2 * 5, "{most} descriptors, {before} before");
    // One more thread, which only reads.
    let reader = native(&places[0], true);
    assert_eq!(contents(&reader).unwrap().len(), 4000);
    for db in &dbs {
        for n in 4000..6000 {
            block_on(db.put(&key(n), &[b'v'; 400])).unwrap();
        }
        // Not all: each table that is removed while the reader has it open keeps a descriptor.
        block_on(db.compact_range(Some(&key(3900)), None)).unwrap();
        assert_eq!(contents(db).unwrap().len(), 6000);
        assert_eq!(block_on(db.verify()).unwrap().findings, []);
        block_on(db.close()).unwrap();
    }
    // If an open table is removed, its descriptor is kept: both databases are in one process.
    assert_eq!(contents(&reader).unwrap().len(), 4000);
    drop(reader);
    assert_eq!(contents(&native(&places[1], false)).unwrap().len(), 6000);
}

#[cfg(unix)]
#[test]
fn a_table_without_a_descriptor_stays_readable_when_its_name_is_removed() {
    use varve::env::{Access, NameEdit};
    let Some(place) = std::env::var_os("VARVE_OPEN_FILES") else {
        let temp = TempDir::new();
        return run_within(
            40,
            "open_files::a_table_without_a_descriptor_stays_readable_when_its_name_is_removed",
            temp.path(),
        );
    };
    let place = Path::new(&place);
    let name = |n: usize| format!("{n:06}.ldb");
    (1..60).for_each(|n| std::fs::write(place.join(name(n)), format!("table {n}")).unwrap());
    let env = StdFsEnv::new(place);
    let open = |n: usize| block_on(env.open(&name(n), Access::Read)).unwrap();
    let before = descriptors();
    let files: Vec<_> = (1..60).map(open).collect();
    assert!(descriptors() <= before + 8);
    let read = |at: usize| block_on(files[at].read_at(0, 20));
    block_on(env.edit_names(vec![NameEdit::Remove { name: name(1) }, NameEdit::Rename { from: name(3), to: name(2) }]))
        .unwrap();
    drop(block_on(env.create(&name(4), varve::env::FileKind::Table, 0)).unwrap());
    std::fs::remove_file(place.join(name(5))).unwrap();
    std::fs::write(place.join(name(6)), "another one").unwrap();
    (40..59).for_each(|at| drop(read(at)));
    for at in 0..4 {
        assert_eq!(read(at).unwrap(), format!("table {}", at + 1).into_bytes());
    }
    for at in [4, 5] {
        assert!(matches!(read(at), Err(Error::SourceChanged(_))), "{:?}", read(at));
    }
    drop(files);
    assert!(descriptors() <= before);
}
