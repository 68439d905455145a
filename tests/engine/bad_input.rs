//! Bad input of each kind: the error names the file and the damage, and nothing on disk has
//! changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;

use varve::env::{Env, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation, StdFsEnv};
use varve::{
    Comparator, Compression, Db, Error, Options, ReadOptions, RecoveryMode, UserComparator, WriteBatch, WriteOptions,
    block_on,
};

use super::review::{manifest_of, manifest_with};
use crate::common::temp_dir::TempDir;

fn create() -> Options {
    Options { create_if_missing: true, ..Options::default() }
}

fn read_only() -> Options {
    Options { read_only: true, ..Options::default() }
}

fn open(env: &MemoryEnv, options: Options) -> Result<Db, Error> {
    block_on(Db::open(Rc::new(env.clone()), options))
}

fn open_at(place: &Path, options: Options) -> Result<Db, Error> {
    block_on(Db::open(Rc::new(StdFsEnv::new(place)), options))
}

fn bytes_of(env: &MemoryEnv) -> BTreeMap<String, Vec<u8>> {
    env.names().into_iter().map(|name| (name.clone(), env.read(&name).unwrap())).collect()
}

/// Everything in a directory except the empty lock.
fn tree(place: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(place).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let content = entry.path().is_file().then(|| fs::read(entry.path()).unwrap());
        if name != "LOCK" || content != Some(Vec::new()) {
            found.insert(name, content);
        }
    }
    found
}

#[track_caller]
fn assert_says(error: &Error, code: &str, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.code(), code, "{text}");
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

/// A database with a table of 400 keys and a log of 100 more, each in its own record.
fn sample() -> MemoryEnv {
    let env = MemoryEnv::new();
    let db = open(&env, create()).unwrap();
    block_on(async {
        for i in 0..400 {
            db.put(format!("key{i:04}").as_bytes(), &[i as u8; 100]).await.unwrap();
        }
        db.flush().await.unwrap();
        for i in 400..500 {
            db.put(format!("key{i:04}").as_bytes(), &[i as u8; 100]).await.unwrap();
        }
        db.close().await.unwrap();
    });
    env
}

fn name_of(env: &MemoryEnv, kind: &str) -> String {
    env.names().into_iter().find(|n| n.contains(kind)).unwrap()
}

/// Keys from the first on, until the end or an error.
fn scan(db: &Db) -> (usize, Option<Error>) {
    block_on(async {
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        let mut count = 0;
        let mut step = it.seek_to_first().await;
        loop {
            match step {
                Ok(true) => {
                    assert_eq!(it.key(), format!("key{count:04}").as_bytes());
                    assert_eq!(it.value(), [count as u8; 100]);
                    count += 1;
                    step = it.next().await;
                }
                Ok(false) => return (count, None),
                Err(error) => return (count, Some(error)),
            }
        }
    })
}

#[test]
fn a_directory_that_is_not_a_database() {
    let temp = TempDir::new();
    let mine = temp.join("holiday.txt");
    fs::write(&mine, b"mine").unwrap();
    let before = tree(temp.path());
    for options in [Options::default(), read_only()] {
        assert_says(&open_at(temp.path(), options).unwrap_err(), "invalid-argument", &["CURRENT", "create_if_missing"]);
    }
    let error = block_on(varve::repair(Rc::new(StdFsEnv::new(temp.path())), Options::default())).unwrap_err();
    assert_says(&error, "invalid-argument", &["no table, log or manifest"]);
    assert_eq!(tree(temp.path()), before);
    // Other files are not touched.
    drop(open_at(temp.path(), create()).unwrap());
    block_on(varve::destroy(Rc::new(StdFsEnv::new(temp.path())))).unwrap();
    assert_eq!(tree(temp.path()), before);
}

#[test]
fn a_directory_that_does_not_exist() {
    let temp = TempDir::new();
    let place = temp.join("nowhere");
    for options in [Options::default(), read_only()] {
        let error = open_at(&place, options).unwrap_err();
        assert!(matches!(error.code(), "io" | "invalid-argument"), "{error}");
    }
    block_on(varve::destroy(Rc::new(StdFsEnv::new(&place)))).unwrap();
    assert!(!place.exists());
}

#[test]
fn a_file_in_place_of_the_directory() {
    let temp = TempDir::new();
    let place = temp.join("file");
    fs::write(&place, b"mine").unwrap();
    for options in [create(), Options::default(), read_only()] {
        assert_says(&open_at(&place, options).unwrap_err(), "io", &["irectory"]);
    }
    assert_eq!(fs::read(&place).unwrap(), b"mine");
}

#[test]
fn a_directory_in_place_of_a_file() {
    for kind in ["CURRENT", "MANIFEST", ".log", ".ldb", "LOCK"] {
        let temp = TempDir::new();
        let sample = sample();
        for (name, bytes) in bytes_of(&sample) {
            fs::write(temp.join(&name), bytes).unwrap();
        }
        let name = if kind == "LOCK" { "LOCK".to_owned() } else { name_of(&sample, kind) };
        let _ = fs::remove_file(temp.join(&name));
        fs::create_dir(temp.join(&name)).unwrap();
        let before = tree(temp.path());
        match open_at(temp.path(), Options { recovery: RecoveryMode::Strict, ..create() }) {
            Err(error) => assert_ne!(error.code(), "locked", "{kind}: {error}"),
            Ok(_) => panic!("{kind}: opened"),
        }
        assert_eq!(tree(temp.path()), before, "{kind}");
    }
}

#[test]
fn a_lock_held_by_this_process() {
    let temp = TempDir::new();
    let db = open_at(temp.path(), create()).unwrap();
    block_on(db.put(b"k", b"v")).unwrap();
    let before = tree(temp.path());
    assert_says(&open_at(temp.path(), create()).unwrap_err(), "locked", &["LOCK", "this process"]);
    let env = || Rc::new(StdFsEnv::new(temp.path()));
    assert_says(&block_on(varve::destroy(env())).unwrap_err(), "locked", &["LOCK"]);
    assert_says(&block_on(varve::repair(env(), Options::default())).unwrap_err(), "locked", &["LOCK"]);
    assert_eq!(tree(temp.path()), before);
    block_on(db.put(b"l", b"w")).unwrap();
    drop(db);
    open_at(temp.path(), create()).unwrap();
}

#[test]
fn a_lock_held_by_another_process() {
    let temp = TempDir::new();
    drop(open_at(temp.path(), create()).unwrap());
    let before = tree(temp.path());
    let program = "import fcntl,sys; f=open(sys.argv[1],'a+'); fcntl.lockf(f,fcntl.LOCK_EX); print('held',flush=True); sys.stdin.read()";
    let mut command = Command::new("python3");
    command.args(["-c", program]).arg(temp.join("LOCK")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return eprintln!("not tested: no python3") };
    let mut said = [0; 4];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
    let error = open_at(temp.path(), create()).unwrap_err();
    let looked = open_at(temp.path(), read_only()).map(drop);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_says(&error, "locked", &["LOCK", "another process"]);
    looked.unwrap();
    assert_eq!(tree(temp.path()), before);
    open_at(temp.path(), create()).unwrap();
}

struct Other;

impl Comparator for Other {
    fn name(&self) -> &str {
        "example.Other"
    }
    fn compare(&self, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
        a.cmp(b)
    }
}

#[test]
fn another_comparator() {
    let env = sample();
    let before = bytes_of(&env);
    for options in [create(), read_only()] {
        let other = Options { comparator: UserComparator::Custom(Rc::new(Other)), ..options };
        let error = open(&env, other).unwrap_err();
        assert_says(&error, "invalid-argument", &["leveldb.BytewiseComparator", "example.Other"]);
    }
    assert_eq!(bytes_of(&env), before);
}

type Damage = fn(&mut Vec<u8>);

/// The damage of each kind of file.
const DAMAGE: [(&str, Damage); 6] = [
    ("empty", |bytes| bytes.clear()),
    ("cut in half", |bytes| bytes.truncate(bytes.len() / 2 - 3)),
    ("zero-filled", |bytes| bytes.fill(0)),
    ("bit-flipped", |bytes| {
        let at = bytes.len() / 3;
        bytes[at] ^= 0x10;
    }),
    ("oversized with zeros", |bytes| bytes.resize(bytes.len() + 100_000, 0)),
    ("oversized with noise", |bytes| {
        let mut x = 1u32;
        for _ in 0..100_000 {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push((x >> 24) as u8);
        }
    }),
];

fn damaged(kind: &str, damage: Damage) -> (MemoryEnv, String) {
    let env = sample();
    let name = name_of(&env, kind);
    let mut bytes = env.read(&name).unwrap();
    damage(&mut bytes);
    env.write(&name, &bytes);
    (env, name)
}

#[test]
fn current_damaged() {
    for (what, damage) in DAMAGE {
        let (env, name) = damaged("CURRENT", damage);
        let before = bytes_of(&env);
        for options in [create(), Options::default(), read_only()] {
            let error = open(&env, options).unwrap_err();
            assert!(matches!(error.code(), "corruption" | "limit-exceeded"), "{what}: {error}");
            assert!(error.to_string().contains(&name), "{what}: {error}");
        }
        assert_eq!(bytes_of(&env), before, "{what}");
    }
}

#[test]
fn manifest_damaged() {
    for (what, damage) in DAMAGE {
        for mode in [RecoveryMode::Strict, RecoveryMode::PointInTime] {
            let (env, name) = damaged("MANIFEST", damage);
            let before = bytes_of(&env);
            for options in [read_only(), create()] {
                match open(&env, Options { recovery: mode, ..options.clone() }) {
                    Err(error) => {
                        let place = if what == "empty" { "is empty" } else { "offset" };
                        assert_says(&error, "corruption", &[place]);
                        // A lost record may show first in a table or log that is no longer named.
                        let text = error.to_string();
                        assert!(text.contains(&name) || text.contains(".l"), "{what}: {text}");
                        assert_eq!(bytes_of(&env), before, "{what}");
                    }
                    Ok(db) => {
                        assert!(mode != RecoveryMode::Strict, "{what}: strict has not seen it");
                        assert!(what.starts_with("oversized"), "{what}");
                        assert!(db.recovery().torn_manifest.is_some(), "{what}");
                        assert_eq!(scan(&db), (500, None), "{what}");
                        if options.read_only {
                            assert_eq!(bytes_of(&env), before, "{what}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn log_damaged() {
    for (what, damage) in DAMAGE {
        let (env, name) = damaged(".log", damage);
        let before = bytes_of(&env);
        if what != "empty" {
            let strict = Options { recovery: RecoveryMode::Strict, ..create() };
            let error = open(&env, strict).err().unwrap_or_else(|| panic!("{what}: not seen"));
            assert_says(&error, "corruption", &[&name, "offset"]);
            assert_eq!(bytes_of(&env), before, "{what}");
        }
        let db = open(&env, read_only()).unwrap();
        let (count, error) = scan(&db);
        assert_eq!(error, None, "{what}");
        let prefix = match what {
            "empty" | "zero-filled" => 400..=400,
            "cut in half" | "bit-flipped" => 401..=499,
            _ => 500..=500,
        };
        assert!(prefix.contains(&count), "{what}: {count}");
        let said = db.recovery().logs.iter().any(|log| log.name == name && log.damage.is_some());
        assert!(said || what == "empty", "{what}: {:?}", db.recovery());
        assert_eq!(db.recovery().gap.is_some(), what == "bit-flipped", "{what}: {:?}", db.recovery());
        drop(db);
        assert_eq!(bytes_of(&env), before, "{what}");
        // After opening for writing, the same entries are found, and again later; damage followed
        // by a gap is kept.
        for round in 0..3 {
            let db = open(&env, create()).unwrap();
            assert_eq!(scan(&db), (count, None), "{what}, round {round}");
        }
        let kept = env.read(&format!("{name}.damaged"));
        assert_eq!(kept, (what == "bit-flipped").then(|| before[&name].clone()), "{what}");
    }
}

#[test]
fn table_damaged() {
    for (what, damage) in DAMAGE {
        let (env, name) = damaged(".ldb", damage);
        let before = bytes_of(&env);
        let db = open(&env, read_only()).unwrap();
        let (count, error) = scan(&db);
        assert_says(&error.expect(what), "corruption", &[&name, "offset"]);
        assert!(count < 400, "{what}: {count}");
        let findings = block_on(db.verify()).unwrap().findings;
        assert_eq!(findings.len(), 1, "{what}");
        assert_says(&findings[0], "corruption", &[&name]);
        drop(db);
        assert_eq!(bytes_of(&env), before, "{what}");
        // Other tables can still be written and read.
        let db = open(&env, create()).unwrap();
        block_on(async {
            db.put(b"new", b"value").await.unwrap();
            db.flush().await.unwrap();
            assert_eq!(db.get(b"new").await.unwrap().as_deref(), Some(&b"value"[..]));
            assert_eq!(db.get(b"key0450").await.unwrap(), Some(vec![450u32 as u8; 100]));
        });
        assert_eq!(env.read(&name), Some(before[&name].clone()), "{what}: evidence is not removed");
    }
}

#[test]
fn options_out_of_range() {
    type Set = fn(&mut Options, usize);
    let ranges: [(&str, usize, usize, Set); 7] = [
        ("write_buffer_size", 4 << 10, 1 << 30, |o, n| o.write_buffer_size = n),
        ("max_open_files", 10, 50_000, |o, n| o.max_open_files = n),
        ("block_size", 64, 4 << 20, |o, n| o.block_size = n),
        ("block_restart_interval", 1, 1 << 16, |o, n| o.block_restart_interval = n),
        ("max_file_size", 16 << 10, 1 << 30, |o, n| o.max_file_size = n as u64),
        ("max_value_size", 1 << 10, 1 << 30, |o, n| o.max_value_size = n),
        ("slice_size", 1 << 10, 1 << 30, |o, n| o.slice_size = n),
    ];
    for (name, low, high, set) in ranges {
        for bad in [0, low - 1, high + 1, usize::MAX] {
            let env = MemoryEnv::new();
            let mut options = create();
            set(&mut options, bad);
            let error = open(&env, options.clone()).unwrap_err();
            assert_says(&error, "invalid-argument", &[name, &bad.to_string(), &low.to_string(), &high.to_string()]);
            assert_eq!(block_on(varve::repair(Rc::new(env.clone()), options)).unwrap_err().code(), "invalid-argument");
            assert!(block_on(env.list()).unwrap_err().is_not_found(), "{name}: something was made");
        }
        for good in [low, high] {
            let mut options = create();
            set(&mut options, good);
            let db = open(&MemoryEnv::new(), options).unwrap();
            block_on(async {
                db.put(b"k", b"v").await.unwrap();
                db.flush().await.unwrap();
                db.compact_range(None, None).await.unwrap();
                assert_eq!(db.get(b"k").await.unwrap().as_deref(), Some(&b"v"[..]), "{name} = {good}");
            });
        }
    }
    // Work budgets may have any value.
    for budget in [0, 1, u64::MAX] {
        let options = Options { block_cache_size: budget, table_cache_size: budget, ..create() };
        let db = open(&MemoryEnv::new(), options).unwrap();
        block_on(async {
            db.put(b"k", b"v").await.unwrap();
            db.flush().await.unwrap();
            for _ in 0..3 {
                assert_eq!(db.get(b"k").await.unwrap().as_deref(), Some(&b"v"[..]), "{budget}");
            }
        });
    }
    let both = Options { read_only: true, ..create() };
    assert_says(&open(&MemoryEnv::new(), both).unwrap_err(), "invalid-argument", &["create_if_missing", "read_only"]);
}

#[test]
fn empty_keys_and_values_and_ones_of_a_mebibyte() {
    let env = MemoryEnv::new();
    let large = vec![7u8; 1 << 20];
    let pairs: [(&[u8], &[u8]); 4] = [(b"", b""), (b"k", b""), (&large, b"v"), (b"z", &large)];
    for round in 0..3 {
        let db = open(&env, create()).unwrap();
        block_on(async {
            for (key, value) in pairs {
                match round {
                    0 => db.put(key, value).await.unwrap(),
                    1 => db.flush().await.unwrap(),
                    _ => db.compact_range(None, None).await.unwrap(),
                }
                assert_eq!(db.get(key).await.unwrap().as_deref(), Some(value));
            }
            let mut it = db.iter(&ReadOptions::default()).unwrap();
            assert!(it.seek(b"").await.unwrap());
            assert_eq!((it.key(), it.value()), (&b""[..], &b""[..]));
            assert!(it.next().await.unwrap() && it.key() == large);
            assert!(it.prev().await.unwrap() && it.key().is_empty());
            assert!(!it.prev().await.unwrap());
        });
    }
    let db = open(&env, create()).unwrap();
    block_on(async {
        for (key, _) in pairs {
            db.delete(key).await.unwrap();
            assert_eq!(db.get(key).await.unwrap(), None);
        }
    });
}

#[test]
fn keys_and_values_that_are_too_large() {
    let env = MemoryEnv::new();
    let db = open(&env, create()).unwrap();
    block_on(db.put(b"k", b"v")).unwrap();
    let (before, last) = (bytes_of(&env), db.last_sequence());
    let huge = vec![0u8; 512 << 20];
    block_on(async {
        let words: &[&str] = &["536870912", "max_value_size", "268435456"];
        assert_says(&db.put(b"k", &huge).await.unwrap_err(), "limit-exceeded", words);
        assert_says(&db.put(&huge, b"v").await.unwrap_err(), "limit-exceeded", words);
        assert_says(&db.delete(&huge).await.unwrap_err(), "limit-exceeded", words);
    });
    drop(huge);
    assert_eq!((bytes_of(&env), db.last_sequence()), (before, last));
    assert_eq!(block_on(db.get(b"k")).unwrap().as_deref(), Some(&b"v"[..]));
    // In a batch, no operation is applied.
    let env = MemoryEnv::new();
    let db = open(&env, Options { max_value_size: 1 << 10, ..create() }).unwrap();
    let before = bytes_of(&env);
    let mut batch = WriteBatch::new();
    batch.put(b"small", b"v");
    batch.put(b"large", &[0; 1025]);
    let error = block_on(db.write(&WriteOptions::default(), batch)).unwrap_err();
    assert_says(&error, "limit-exceeded", &["value", "1025", "1024"]);
    assert_eq!(bytes_of(&env), before);
    assert_eq!(block_on(db.get(b"small")).unwrap(), None);
    block_on(db.put(b"fits", &[0; 1024])).unwrap();
}

#[test]
fn a_full_disk() {
    let env = MemoryEnv::with_capacity(300_000);
    let small = Options { write_buffer_size: 64 << 10, compression: Compression::None, ..create() };
    let db = open(&env, small).unwrap();
    let key = |i: usize| format!("key{i:05}").into_bytes();
    block_on(async {
        let mut stored = 0;
        let error = loop {
            match db.put(&key(stored), &[stored as u8; 1000]).await {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
            assert!(stored < 1000);
        };
        assert_says(&error, "full", &["full"]);
        // Reads, iterators, snapshots and deletes still work; a put fails with the same error.
        let snapshot = db.snapshot();
        for i in 0..stored {
            assert_eq!(db.get(&key(i)).await.unwrap(), Some(vec![i as u8; 1000]), "{i}");
        }
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        let mut count = 0;
        let mut valid = it.seek_to_first().await.unwrap();
        while valid {
            count += 1;
            valid = it.next().await.unwrap();
        }
        assert_eq!(count, stored);
        assert_eq!(db.put(&key(stored), &[0; 100_000]).await.unwrap_err().code(), "full");
        // There is room again.
        env.set_capacity(3_000_000);
        db.delete(&key(0)).await.unwrap();
        assert_eq!(db.get(&key(0)).await.unwrap(), None);
        let then = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
        assert!(db.get_with(&then, &key(0)).await.unwrap().is_some());
        db.resume().await.unwrap();
        db.put(&key(stored), b"more").await.unwrap();
        db.compact_range(None, None).await.unwrap();
        assert_eq!(db.verify().await.unwrap().findings, []);
        db.close().await.unwrap();
        let db = open(&env, create()).unwrap();
        assert_eq!(db.get(&key(0)).await.unwrap(), None);
        for i in 1..stored {
            assert_eq!(db.get(&key(i)).await.unwrap(), Some(vec![i as u8; 1000]), "{i}");
        }
    });
}

#[test]
fn a_disk_that_is_full_from_the_start() {
    for capacity in [0, 10, 40] {
        let env = MemoryEnv::with_capacity(capacity);
        let error = open(&env, create()).unwrap_err();
        assert_says(&error, "full", &["full"]);
        env.set_capacity(u64::MAX);
        block_on(open(&env, create()).unwrap().put(b"k", b"v")).unwrap();
    }
}

#[test]
fn a_read_only_storage() {
    for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied] {
        let env = sample();
        let before = bytes_of(&env);
        let faults = FaultEnv::new(Rc::new(env.clone()), 1);
        faults.add(FaultRule::at(1, FaultKind::Fail(kind)).on_changes().on(Operation::Lock).for_ever());
        let Err(Error::Io(error)) = block_on(Db::open(Rc::new(faults.clone()), create())) else { panic!("{kind}") };
        assert_eq!(error.kind, kind);
        let db = block_on(Db::open(Rc::new(faults.clone()), read_only())).unwrap();
        assert_eq!(scan(&db), (500, None));
        assert_says(&block_on(db.put(b"k", b"v")).unwrap_err(), "not-supported", &["read-only"]);
        assert_says(&block_on(db.flush()).unwrap_err(), "not-supported", &["read-only"]);
        block_on(db.close()).unwrap();
        drop(db);
        assert_eq!(bytes_of(&env), before);
        // Files without write permission are not opened for writing.
        let changes = |call: &varve::env::Call| call.operation.is_change() || call.operation == Operation::Lock;
        assert_eq!(faults.trace().iter().filter(|call| changes(call)).count(), 1, "only the first open tried");
    }
}

#[test]
fn a_read_only_native_directory_is_read_without_changes() {
    let temp = TempDir::new();
    for (name, bytes) in bytes_of(&sample()) {
        fs::write(temp.join(&name), bytes).unwrap();
    }
    let before = tree(temp.path());
    let db = open_at(temp.path(), read_only()).unwrap();
    assert_eq!(scan(&db), (500, None));
    block_on(db.close()).unwrap();
    assert_eq!(tree(temp.path()), before);
    assert!(!temp.join("LOCK").exists(), "read-only takes no lock");
}

#[test]
fn sequence_numbers_near_their_limit() {
    let env = MemoryEnv::new();
    manifest_with(&env, (1 << 56) - 1 - 3, 10);
    let db = open(&env, create()).unwrap();
    let before = bytes_of(&env);
    let batch = |count: usize| {
        let mut batch = WriteBatch::new();
        (0..count).for_each(|i| batch.put(format!("k{i}").as_bytes(), b"v"));
        batch
    };
    block_on(async {
        let options = WriteOptions::default();
        assert_says(&db.write(&options, batch(4)).await.unwrap_err(), "limit-exceeded", &["2^56"]);
        assert_eq!(bytes_of(&env), before);
        db.write(&options, batch(3)).await.unwrap();
        assert_eq!(db.last_sequence(), (1 << 56) - 1);
        let before = bytes_of(&env);
        assert_says(&db.put(b"k", b"v").await.unwrap_err(), "limit-exceeded", &["2^56"]);
        assert_says(&db.delete(b"k").await.unwrap_err(), "limit-exceeded", &["2^56"]);
        assert_eq!(bytes_of(&env), before);
        for i in 0..3 {
            assert!(db.get(format!("k{i}").as_bytes()).await.unwrap().is_some());
        }
        db.flush().await.unwrap();
        db.compact_range(None, None).await.unwrap();
        db.close().await.unwrap();
    });
    let db = open(&env, create()).unwrap();
    assert!(block_on(db.get(b"k2")).unwrap().is_some());
    assert_eq!(block_on(db.put(b"k", b"v")).unwrap_err().code(), "limit-exceeded");
}

#[test]
fn manifests_with_numbers_past_their_limit() {
    // Tags: 2 log, 3 next file, 4 last sequence.
    type Numbers = &'static [(u8, u64)];
    let cases: [(Numbers, &str, &str); 4] = [
        (&[(2, 0), (3, 10), (4, 1 << 56)], "corruption", "last sequence is 72057594037927936"),
        (&[(2, 0), (3, 10), (4, u64::MAX)], "corruption", "last sequence"),
        (&[(2, u64::MAX), (3, 10), (4, 0)], "corruption", "2^64"),
        (&[(2, 0), (3, u64::MAX), (4, 0)], "limit-exceeded", "2^64"),
    ];
    for (numbers, code, word) in cases {
        let env = MemoryEnv::new();
        manifest_of(&env, numbers);
        let before = bytes_of(&env);
        assert_says(&open(&env, create()).unwrap_err(), code, &["MANIFEST-", word]);
        assert_eq!(bytes_of(&env), before);
    }
}

#[test]
fn a_stray_file_with_a_number_near_the_limit() {
    let env = sample();
    env.write("18446744073709551614.log", b"");
    let before = bytes_of(&env);
    assert_says(&open(&env, create()).unwrap_err(), "limit-exceeded", &["2^64"]);
    assert_eq!(bytes_of(&env), before);
    assert_eq!(scan(&open(&env, read_only()).unwrap()), (500, None));
}
