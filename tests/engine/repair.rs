//! Repair of a database in which one file at a time is damaged.
//!
//! Each file in turn is missing, empty, zeroed, truncated, with a flipped bit, renamed, doubled and
//! unreadable. The expected result is computed here from the entries of the undamaged files.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use varve::base::FileName;
use varve::env::{Env, FaultEnv, FaultKind, FaultRule, MemoryEnv, Operation};
use varve::{
    BatchOperation, Compression, Db, Error, Options, ReadOptions, RepairReport, TableFile, WriteBatch, WriteOptions,
    block_on, repair,
};

use super::common::golden::digest::{Choice, options_for};
use super::common::golden::{Case, load};
use super::common::random::Random;
use super::common::world::is_long;

/// An entry of a file.
#[derive(Clone)]
struct Entry {
    sequence: u64,
    key: Vec<u8>,
    /// `None`: a tombstone.
    value: Option<Vec<u8>>,
    /// The range of the file whose damage loses the entry.
    extent: (u64, u64),
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A database before the damage.
struct Subject {
    id: String,
    env: MemoryEnv,
    options: Options,
    files: BTreeMap<String, Vec<u8>>,
    entries: BTreeMap<String, Vec<Entry>>,
}

impl Subject {
    fn new(id: String, env: MemoryEnv, options: Options) -> Subject {
        let files = files_of(&env);
        let mut entries = BTreeMap::new();
        for (name, bytes) in &files {
            match FileName::parse(name) {
                Some(FileName::Table(_)) => drop(entries.insert(name.clone(), of_table(&env, name, &options, 0))),
                Some(FileName::Log(_)) => drop(entries.insert(name.clone(), of_log(bytes))),
                _ => {}
            }
        }
        Subject { id, env, options, files, entries }
    }

    /// The newest entry of each key among those for which `keep` holds.
    fn newest(&self, keep: impl Fn(&str, &Entry) -> bool) -> Map {
        let mut newest: BTreeMap<&[u8], &Entry> = BTreeMap::new();
        for (name, entries) in &self.entries {
            for entry in entries.iter().filter(|entry| keep(name, entry)) {
                let known = newest.entry(&entry.key).or_insert(entry);
                if entry.sequence >= known.sequence {
                    *known = entry;
                }
            }
        }
        newest.into_iter().filter_map(|(key, entry)| Some((key.to_vec(), entry.value.clone()?))).collect()
    }
}

/// The entries of a table. The extent of each is the whole file.
fn of_table(env: &MemoryEnv, name: &str, options: &Options, size: u64) -> Vec<Entry> {
    block_on(async {
        // A compaction may have been interrupted.
        let Ok(table) = TableFile::open(env, name, options).await else { return Vec::new() };
        let mut it = table.iter(true);
        let mut entries = Vec::new();
        let mut found = it.seek_to_first().await;
        while found {
            let (key, tag) = it.key().split_at(it.key().len() - 8);
            let tag = u64::from_le_bytes(tag.try_into().unwrap());
            let value = (tag & 0xff == 1).then(|| it.value().to_vec());
            entries.push(Entry { sequence: tag >> 8, key: key.to_vec(), value, extent: (0, table.size().max(size)) });
            found = it.next().await;
        }
        it.status().unwrap();
        entries
    })
}

/// The entries of an undamaged log; the extent of each is that of its record.
fn of_log(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let (mut at, mut begin, mut record) = (0, 0, Vec::new());
    while at < bytes.len() {
        let left = (32 << 10) - at % (32 << 10);
        if left < 7 {
            at += left;
            continue;
        }
        let length = usize::from(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]));
        let kind = bytes[at + 6];
        if kind == 0 {
            break;
        }
        if matches!(kind, 1 | 2) {
            begin = at;
            record.clear();
        }
        record.extend_from_slice(&bytes[at + 7..at + 7 + length]);
        at += 7 + length;
        if matches!(kind, 1 | 4) {
            let batch = WriteBatch::from_bytes(record.clone()).unwrap();
            for (i, operation) in batch.iter().enumerate() {
                let (key, value) = match operation.unwrap() {
                    BatchOperation::Put { key, value } => (key.to_vec(), Some(value.to_vec())),
                    BatchOperation::Delete { key } => (key.to_vec(), None),
                };
                let sequence = batch.sequence().get() + i as u64;
                entries.push(Entry { sequence, key, value, extent: (begin as u64, at as u64) });
            }
        }
    }
    entries
}

fn files_of(env: &MemoryEnv) -> BTreeMap<String, Vec<u8>> {
    env.names().into_iter().map(|name| (name.clone(), env.read(&name).unwrap())).collect()
}

/// The damage of one file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Missing,
    Empty,
    Zeroed,
    /// To this percentage of its bytes.
    Cut(usize),
    /// Before its last bytes.
    CutShort(usize),
    FlippedBit(u64),
    Renamed(Spelling),
    Doubled(Spelling),
    Unreadable,
}

#[derive(Clone, Copy, Debug)]
enum Spelling {
    /// `5.ldb` for `000005.ldb`.
    Short,
    Number(u64),
    /// As old LevelDBs name it: `.sst`.
    Sst,
}

impl Spelling {
    fn of(self, name: &str) -> Option<String> {
        let (number, suffix) = match FileName::parse(name)? {
            FileName::Table(number) => (number.0, "ldb"),
            FileName::Log(number) => (number.0, "log"),
            _ => return None,
        };
        match self {
            Spelling::Short => Some(format!("{number}.{suffix}")),
            Spelling::Number(other) => Some(format!("{other:06}.{suffix}")),
            Spelling::Sst => (suffix == "ldb").then(|| format!("{number:06}.sst")),
        }
        .filter(|new| new != name)
    }
}

const DAMAGES: [Damage; 26] = [
    Damage::Missing,
    Damage::Empty,
    Damage::Zeroed,
    Damage::Cut(50),
    Damage::Cut(90),
    Damage::CutShort(1),
    Damage::CutShort(3),
    Damage::CutShort(8),
    Damage::FlippedBit(1),
    Damage::FlippedBit(2),
    Damage::FlippedBit(3),
    Damage::FlippedBit(4),
    Damage::FlippedBit(5),
    Damage::FlippedBit(6),
    Damage::FlippedBit(7),
    Damage::FlippedBit(8),
    Damage::Renamed(Spelling::Short),
    Damage::Renamed(Spelling::Number(7_000)),
    Damage::Renamed(Spelling::Number(u64::MAX)),
    Damage::Renamed(Spelling::Number(u64::MAX - 1)),
    Damage::Doubled(Spelling::Short),
    Damage::Doubled(Spelling::Number(1)),
    Damage::Doubled(Spelling::Number(7_000)),
    Damage::Doubled(Spelling::Number(u64::MAX - 1)),
    Damage::Doubled(Spelling::Sst),
    Damage::Unreadable,
];

impl Damage {
    /// Applies it. Returns the damaged range of the file; `None` if it does not apply to this file.
    fn apply(self, env: &MemoryEnv, faults: &FaultEnv, name: &str, bytes: &[u8]) -> Option<(u64, u64)> {
        let all = (0, u64::MAX);
        let remove = |name: &str| {
            let edit = vec![varve::env::NameEdit::Remove { name: name.to_owned() }];
            block_on(env.edit_names(edit)).unwrap();
        };
        let cut = |size: usize| {
            env.write(name, &bytes[..size]);
            Some((size as u64, u64::MAX))
        };
        match self {
            Damage::Missing => {
                remove(name);
                Some(all)
            }
            Damage::Empty => (!bytes.is_empty()).then(|| env.write(name, b"")).map(|()| all),
            Damage::Zeroed => (!bytes.is_empty()).then(|| env.write(name, &vec![0; bytes.len()])).map(|()| all),
            Damage::Cut(percent) => {
                let size = bytes.len() * percent / 100;
                if size == bytes.len() { None } else { cut(size) }
            }
            Damage::CutShort(less) => bytes.len().checked_sub(less).filter(|size| *size > 0).and_then(cut),
            Damage::FlippedBit(seed) => {
                if bytes.is_empty() {
                    return None;
                }
                let mut random = Random::new(seed ^ bytes.len() as u64);
                let at = random.below(bytes.len());
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1 << random.below(8);
                env.write(name, &flipped);
                Some((at as u64, at as u64 + 1))
            }
            Damage::Renamed(spelling) => {
                let new = spelling.of(name)?;
                env.write(&new, bytes);
                remove(name);
                Some((0, 0))
            }
            Damage::Doubled(spelling) => {
                let new = spelling.of(name).filter(|new| env.read(new).is_none())?;
                env.write(&new, bytes);
                Some((0, 0))
            }
            Damage::Unreadable => {
                let refused = FaultKind::Fail(ErrorKind::PermissionDenied);
                faults.add(FaultRule::at(1, refused).on(Operation::Open).named_exactly(name).for_ever());
                Some(all)
            }
        }
    }
}

fn check_subject(subject: &Subject) -> usize {
    let mut cases = 0;
    for (name, bytes) in subject.files.iter().filter(|(name, _)| is_main(name) || *name == "CURRENT") {
        for damage in DAMAGES {
            let env = subject.env.snapshot();
            let faults = FaultEnv::new(Rc::new(env.clone()), 1);
            let Some(damaged) = damage.apply(&env, &faults, name, bytes) else { continue };
            let what = format!("{}, {name} {damage:?}", subject.id);
            let result = block_on(repair(Rc::new(faults.clone()), subject.options.clone()));
            // Nothing is left.
            let only = subject.files.keys().filter(|name| is_main(name)).count() == 1;
            if only && matches!(damage, Damage::Missing) {
                assert_eq!(result.unwrap_err().code(), "invalid-argument", "{what}");
                continue;
            }
            let report = result.unwrap_or_else(|error| panic!("{what}: {error}"));
            faults.clear();
            check_repaired(subject, &env, name, damage, damaged, &report, &what);
            cases += 1;
        }
    }
    cases
}

fn is_main(name: &str) -> bool {
    matches!(FileName::parse(name), Some(FileName::Table(_) | FileName::Log(_) | FileName::Manifest(_)))
}

fn check_repaired(
    subject: &Subject,
    env: &MemoryEnv,
    name: &str,
    damage: Damage,
    (from, to): (u64, u64),
    report: &RepairReport,
    what: &str,
) {
    let options =
        Options { create_if_missing: false, error_if_exists: false, read_only: false, ..subject.options.clone() };
    let repaired = files_of(env);

    // A second repair changes nothing, and does not delete the files that the first moved.
    let again = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    assert_eq!((&again.findings[..], &again.lost[..]), (&[][..], &[][..]), "{what}: a second repair; first {report:?}");
    assert!(files_of(env) == repaired, "{what}: a second repair changes files");
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap_or_else(|e| panic!("{what}: {e}"));
    let found = contents(&db);
    assert_eq!(block_on(db.verify()).unwrap().findings, [], "{what}");
    block_on(db.put_with(&WriteOptions { sync: true }, b"\0after", b"the repair")).unwrap();
    block_on(db.close()).unwrap();
    drop(db);
    let opened = files_of(env);
    for (file, bytes) in &repaired {
        let is_kept = file.starts_with("lost/") || matches!(FileName::parse(file), Some(FileName::Table(_)));
        assert!(!is_kept || opened.get(file) == Some(bytes), "{what}: opening changes {file}");
    }

    // Every entry whose bytes are undamaged is found, and none that was never written.
    let is_index_lost = |file: &str| FileName::parse(file).is_some_and(|f| matches!(f, FileName::Table(_)));
    let touches = |entry: &Entry| entry.extent.0 < to && from < entry.extent.1;
    let without = subject.newest(|file, entry| file != name || !touches(entry));
    let with = subject.newest(|_, _| true);
    for key in without.keys().chain(with.keys()).chain(found.keys()) {
        let value = found.get(key);
        let was_written = || subject.entries.values().flatten().any(|e| e.key == *key && e.value.as_ref() == value);
        let is_right = value == without.get(key) || value == with.get(key) || is_index_lost(name) && was_written();
        assert!(
            is_right,
            "{what}: {:?} is {:?}, without {:?}; {report:?}",
            key.escape_ascii().to_string(),
            value.map(|v| &v[..4]),
            without.get(key).map(|v| &v[..4])
        );
    }

    // Files left out are reported, and still exist.
    let is_log = name.ends_with(".log");
    let was_empty = subject.files[name].is_empty();
    let invisible = match damage {
        // A log that no manifest names and that no other follows, or a table that nothing needs.
        Damage::Missing if is_log => !is_named(subject, name),
        Damage::Missing => name.ends_with(".ldb") && found == with,
        // The log looks like one that has just been created.
        Damage::Empty => is_log,
        Damage::Doubled(_) => is_log && was_empty,
        // The last log may have any number.
        Damage::Renamed(_) => is_log && found == with,
        // Some bytes of a table have no meaning.
        Damage::FlippedBit(_) => found == with,
        _ => false,
    };
    // A table that nothing needs looks like one that was not finished.
    let is_unused = found == with && report.unused.iter().any(|unused| unused.file.ends_with(".ldb"));
    assert!(!report.findings.is_empty() || is_unused || invisible, "{what}: nothing is told: {report:?}");
    let before = {
        let copy = subject.env.snapshot();
        let faults = FaultEnv::new(Rc::new(copy.clone()), 1);
        damage.apply(&copy, &faults, name, &subject.files[name]);
        files_of(&copy)
    };
    let is_changed = |file: &String, bytes: &Vec<u8>| subject.files.get(file) != Some(bytes) || file == name;
    for (file, bytes) in before.into_iter().filter(|(file, bytes)| is_changed(file, bytes)) {
        let is_there = repaired.values().any(|other| *other == bytes);
        let is_told = report.findings.iter().any(|finding| file_of(finding) == Some(&file));
        // A valid table or log in use may have been converted to another file.
        let is_used = found == with && (!is_told || matches!(damage, Damage::Renamed(_) | Damage::Doubled(_)));
        assert!(!is_main(&file) || is_used || is_there, "{what}: {file} is gone; {report:?}");
    }
}

/// Whether other files show the damage of this log: the manifest names it, or a log with records
/// follows.
fn is_named(subject: &Subject, name: &str) -> bool {
    // With reuse_logs, as in Chromium, LevelDB keeps the manifest from before there was a log.
    let first = subject.files.keys().find(|name| name.ends_with(".log"));
    first.is_some_and(|first| first == name) && !subject.id.starts_with("chromium") && subject.id != "reuse-logs"
}

fn file_of(error: &Error) -> Option<&str> {
    match error {
        Error::Corruption(corruption) => Some(&corruption.file),
        Error::Io(io) => Some(&io.file),
        _ => None,
    }
}

fn contents(db: &Db) -> Map {
    block_on(async {
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        let mut map = Map::new();
        let mut found = it.seek_to_first().await.unwrap();
        while found {
            map.insert(it.key().to_vec(), it.value().to_vec());
            found = it.next().await.unwrap();
        }
        map
    })
}

/// Several sessions that overwrite and delete: tables on several levels, and a log.
fn made(seed: u64) -> Subject {
    let options = Options {
        create_if_missing: true,
        write_buffer_size: 8 << 10,
        max_file_size: 16 << 10,
        block_size: 512,
        ..Options::default()
    };
    let env = MemoryEnv::new();
    let mut random = Random::new(seed);
    for _ in 0..3 {
        let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
        for _ in 0..150 {
            let mut batch = WriteBatch::new();
            for _ in 0..1 + random.below(3) {
                let key = format!("key{:03}", random.below(200));
                if random.one_in(4) {
                    batch.delete(key.as_bytes());
                } else {
                    let length = random.below(200);
                    batch.put(key.as_bytes(), &random.bytes(length));
                }
            }
            block_on(db.write(&WriteOptions { sync: random.one_in(20) }, batch)).unwrap();
        }
        block_on(db.close()).unwrap();
    }
    Subject::new(format!("seed {seed}"), env, options)
}

#[test]
fn repair_recovers_generated_databases_with_each_file_damaged() {
    let seeds = if is_long() { 40 } else { 4 };
    let cases: usize = (0..seeds).map(|seed| check_subject(&made(seed))).sum();
    println!("{cases} repairs");
    assert!(cases > 100 * seeds as usize);
}

/// The databases of a collection of golden files that are intact.
fn check_golden(cases: &[Case]) {
    let mut count = 0;
    for case in cases.iter().filter(|case| case.is_intact() && !case.is_table()) {
        let env = case.copy();
        let options = block_on(options_for(&*env, &Choice::default())).unwrap();
        let options = Options { read_only: false, ..options };
        let subject = Subject::new(case.id.clone(), (*env).clone(), options);
        let size: usize = subject.files.values().map(Vec::len).sum();
        if size > 1 << 20 && !is_long() {
            continue;
        }
        count += check_subject(&subject);
    }
    println!("{count} repairs");
}

#[test]
fn repair_recovers_fixtures_with_each_file_damaged() {
    check_golden(&load(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/expected.json").as_ref()));
}

#[test]
fn repair_recovers_the_corpus_with_each_file_damaged() {
    check_golden(&super::corpus::cases());
}

/// A database of `options()`, and the damage.
fn session(env: &MemoryEnv, options: &Options, act: impl AsyncFn(&Db)) {
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
    block_on(act(&db));
    block_on(db.close()).unwrap();
}

fn new_options() -> Options {
    Options { create_if_missing: true, ..Options::default() }
}

/// An old log was converted to a table of level 0, which `get` reads first: it returned older
/// values than a scan.
#[test]
fn an_old_log_does_not_hide_newer_tables() {
    let (env, options) = (MemoryEnv::new(), new_options());
    session(&env, &options, async |db| db.put(b"k", b"old").await.unwrap());
    let log = env.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    let old = env.read(&log).unwrap();
    session(&env, &options, async |db| {
        db.put(b"k", b"new").await.unwrap();
        db.flush().await.unwrap();
        db.compact_range(None, None).await.unwrap();
    });
    env.write("000900.log", &old);
    block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    session(&env, &options, async |db| assert_eq!(db.get(b"k").await.unwrap().as_deref(), Some(&b"new"[..])));
}

/// A table named by the manifest was treated as left over because of its number.
#[test]
fn a_live_table_with_a_number_near_2_64_is_kept() {
    let (env, options) = (MemoryEnv::new(), new_options());
    session(&env, &options, async |_| {});
    env.write("9223372036854775000.log", b"");
    session(&env, &options, async |db| {
        db.put(b"a", b"1").await.unwrap();
        db.flush().await.unwrap();
        db.put(b"b", b"2").await.unwrap();
    });
    assert!(env.names().iter().any(|name| name.starts_with("92233") && name.ends_with(".ldb")));
    block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    session(&env, &options, async |db| assert_eq!(contents(db).len(), 2));
}

/// The output of a compaction was torn by a power failure, and its inputs, still present, were set
/// aside as left over.
#[test]
fn the_inputs_of_an_unreadable_table_are_used() {
    let (env, options) = (MemoryEnv::new(), new_options());
    session(&env, &options, async |db| {
        for round in 0..2 {
            for i in 0..20 {
                db.put(format!("k{round}{i:02}").as_bytes(), b"v").await.unwrap();
            }
            db.flush().await.unwrap();
        }
    });
    let inputs: Vec<_> = files_of(&env).into_iter().filter(|(name, _)| name.ends_with(".ldb")).collect();
    session(&env, &options, async |db| db.compact_range(None, None).await.unwrap());
    let output = env.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    env.write(&output, b"");
    for (name, bytes) in inputs {
        env.write(&name, &bytes);
    }
    block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    session(&env, &options, async |db| assert_eq!(contents(db).len(), 40));
}

/// A value that contains a log was read as records when the record's own header was damaged.
#[test]
fn a_copy_of_a_log_in_a_value_is_not_read_as_records() {
    let (source, env, options) = (MemoryEnv::new(), MemoryEnv::new(), new_options());
    session(&source, &options, async |db| {
        for i in 0..5 {
            db.put(format!("evil{i}").as_bytes(), b"of another database").await.unwrap();
        }
    });
    let log = source.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    let copy = source.read(&log).unwrap();
    for first in [false, true] {
        let env = env.snapshot();
        session(&env, &options, async |db| {
            if !first {
                db.put(b"a", b"1").await.unwrap();
            }
            db.put(b"backup", &copy).await.unwrap();
            db.put(b"k", b"2").await.unwrap();
        });
        let log = env.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
        let sound = env.read(&log).unwrap();
        let record = if first { 0 } else { sound.windows(6).position(|bytes| bytes == b"backup").unwrap() - 21 };
        for damaged in 1..=8 {
            let env = env.snapshot();
            let mut bytes = sound.clone();
            bytes[record..record + damaged].fill(0);
            env.write(&log, &bytes);
            block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
            session(&env, &options, async |db| {
                assert!(contents(db).keys().all(|key| !key.starts_with(b"evil")), "{first} {damaged}");
            });
        }
    }
}

/// One unreadable sector of a log resulted in an empty database.
#[test]
fn data_around_a_bad_sector_is_recovered() {
    let (env, options) = (MemoryEnv::new(), new_options());
    // Not closed: closing would flush such a long log to a table.
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
    for i in 0..3000 {
        block_on(db.put(format!("k{i:05}").as_bytes(), &[b'v'; 100])).unwrap();
    }
    drop(db);
    block_on(env.edit_names(vec![varve::env::NameEdit::Remove { name: "CURRENT".into() }])).unwrap();
    let faults = FaultEnv::new(Rc::new(env.clone()), 1);
    let log = env.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    // Reading the second chunk fails, and one part of it.
    let unreadable = FaultKind::Fail(ErrorKind::Other);
    faults.add(FaultRule::at(2, unreadable).on(Operation::ReadAt).named_exactly(&*log).times(2));
    let report = block_on(repair(Rc::new(faults.clone()), options.clone())).unwrap();
    faults.clear();
    assert!(report.findings.iter().any(|finding| finding.to_string().contains("cannot be read")), "{report:?}");
    session(&env, &options, async |db| assert!(contents(db).len() > 2900, "{}", contents(db).len()));
}

/// Bytes after the footer (a file rounded up by an undelete tool) made a table unreadable.
#[test]
fn a_table_with_bytes_after_its_footer_is_used() {
    let (env, options) = (MemoryEnv::new(), new_options());
    session(&env, &options, async |db| {
        db.put(b"a", b"1").await.unwrap();
        db.flush().await.unwrap();
    });
    let table = env.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    let longer = [env.read(&table).unwrap(), vec![0; 512]].concat();
    env.write(&table, &longer);
    let report = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    assert!(!report.findings.is_empty());
    session(&env, &options, async |db| assert_eq!(contents(db).len(), 1));
}

/// The time was quadratic in the size of a damaged log.
#[test]
fn a_log_of_garbage_is_read_in_linear_time() {
    for fill in [0u8, 1, 2] {
        let env = MemoryEnv::new();
        let mut bytes = if fill == 2 { Random::new(7).bytes(16 << 20) } else { vec![fill; 16 << 20] };
        bytes.push(1);
        env.write("000003.log", &bytes);
        let report = block_on(repair(Rc::new(env.clone()), new_options())).unwrap();
        assert!(!report.findings.is_empty());
    }
}

/// One table of 8,500 entries, in a database without entries in logs.
fn one_table(compression: Compression) -> (MemoryEnv, Options, String, Vec<u8>) {
    let options = Options { compression, ..new_options() };
    let env = MemoryEnv::new();
    session(&env, &options, async |db| {
        for i in 0..8_500u32 {
            let value = format!("value {i} {}", i.wrapping_mul(0x9e37_79b9));
            db.put(format!("key{i:05}").as_bytes(), value.as_bytes()).await.unwrap();
        }
        db.flush().await.unwrap();
    });
    let table = env.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    let bytes = env.read(&table).unwrap();
    (env, options, table, bytes)
}

/// Repairs the database with this table in place of its own; returns what it holds then.
fn repaired(env: &MemoryEnv, options: &Options, table: &str, bytes: &[u8]) -> (Map, RepairReport) {
    let env = env.snapshot();
    env.write(table, bytes);
    let report = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    let found = std::cell::RefCell::new(Map::new());
    session(&env, options, async |db| drop(found.replace(contents(db))));
    (found.into_inner(), report)
}

/// Offset and size of the index block, from the footer.
fn index_of(bytes: &[u8]) -> (usize, usize) {
    let mut at = bytes.len() - 48;
    let mut varint = || {
        let (mut value, mut shift) = (0usize, 0);
        loop {
            let byte = bytes[at];
            at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value;
            }
        }
    };
    let (_, _, offset, size) = (varint(), varint(), varint(), varint());
    (offset, size)
}

/// One flipped byte in the footer lost the whole table.
#[test]
fn a_table_with_a_damaged_footer_keeps_every_entry() {
    for compression in [Compression::Snappy, Compression::None] {
        let (env, options, table, sound) = one_table(compression);
        let (all, _) = repaired(&env, &options, &table, &sound);
        assert_eq!(all.len(), 8_500);
        for at in [sound.len() - 1, sound.len() - 48, sound.len() - 46] {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x10;
            let (found, report) = repaired(&env, &options, &table, &bytes);
            assert!(found == all, "{compression:?} {at}: {} entries; {report:?}", found.len());
            let [recovered] = &report.recovered[..] else { panic!("{report:?}") };
            assert_eq!((&*recovered.file, recovered.entries), (&*table, 8_500));
            assert!(recovered.blocks > 10 && recovered.lost_bytes <= 48, "{recovered:?}");
            assert!(recovered.lost_ranges.is_empty() && report.old_data_may_reappear, "{report:?}");
        }
    }
}

#[test]
fn a_table_with_a_damaged_index_keeps_every_entry() {
    for compression in [Compression::Snappy, Compression::None] {
        let (env, options, table, sound) = one_table(compression);
        let (all, _) = repaired(&env, &options, &table, &sound);
        let (index, size) = index_of(&sound);
        let mut bytes = sound.clone();
        bytes[index + size / 2] ^= 1;
        let (found, report) = repaired(&env, &options, &table, &bytes);
        assert!(found == all, "{} entries; {report:?}", found.len());
        let lost = usize::try_from(report.recovered[0].lost_bytes).unwrap();
        assert_eq!(lost, size + 5, "the index alone: {report:?}");
        // And a damaged data block: the others are kept.
        bytes[index / 2] ^= 1;
        let (found, report) = repaired(&env, &options, &table, &bytes);
        assert!(found.len() > 8_100 && found.len() < 8_500, "{} entries; {report:?}", found.len());
        assert!(found.iter().all(|(key, value)| all.get(key) == Some(value)));
    }
}

/// A file cut to a part of its bytes lost all entries of the part that was left.
#[test]
fn a_cut_table_keeps_the_entries_before_the_cut() {
    for compression in [Compression::Snappy, Compression::None] {
        let (env, options, table, sound) = one_table(compression);
        let (all, _) = repaired(&env, &options, &table, &sound);
        for percent in [1, 10, 50, 90, 99] {
            let size = sound.len() * percent / 100;
            let (found, report) = repaired(&env, &options, &table, &sound[..size]);
            let least = (index_of(&sound).0.min(size) * 8_500 / index_of(&sound).0).saturating_sub(400);
            assert!(found.len() >= least, "{percent}: {} of {least}; {report:?}", found.len());
            assert!(found.iter().all(|(key, value)| all.get(key) == Some(value)), "{percent}");
            if let [recovered] = &report.recovered[..] {
                assert!(recovered.lost_bytes as usize >= sound.len() - size, "{recovered:?}");
            }
        }
    }
}

/// Where the index can be read, the report says which keys may be missing.
#[test]
fn the_key_range_of_a_damaged_block_is_reported() {
    let (env, options, table, sound) = one_table(Compression::Snappy);
    let (all, _) = repaired(&env, &options, &table, &sound);
    for is_footer_damaged in [false, true] {
        let mut bytes = sound.clone();
        bytes[index_of(&sound).0 / 2] ^= 1;
        if is_footer_damaged {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
        let (found, report) = repaired(&env, &options, &table, &bytes);
        let [recovered] = &report.recovered[..] else { panic!("{report:?}") };
        let [range] = &recovered.lost_ranges[..] else { panic!("{report:?}") };
        let from = range.from.as_deref().unwrap();
        let missing: Vec<_> = all.keys().filter(|key| !found.contains_key(*key)).collect();
        assert!(!missing.is_empty() && missing.iter().all(|key| from <= &key[..] && **key <= range.to), "{range:?}");
        assert!(recovered.lost_bytes > 500 && recovered.lost_bytes < 8_000 && report.old_data_may_reappear);
        assert_eq!(recovered.entries as usize, found.len());
    }
}

/// A value may be a copy of another database's table: its keys are not this one's.
#[test]
fn a_copy_of_a_table_in_a_value_is_not_read_as_entries() {
    let options = Options { compression: Compression::None, ..new_options() };
    let other = MemoryEnv::new();
    session(&other, &options, async |db| {
        for i in 0..300 {
            db.put(format!("key5 evil{i:03}").as_bytes(), &[b'e'; 50]).await.unwrap();
        }
        db.flush().await.unwrap();
    });
    let copy = other.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    let mut value = vec![b'v'; 1000];
    value.extend(other.read(&copy).unwrap());
    value.extend([b'v'; 1000]);
    let env = MemoryEnv::new();
    session(&env, &options, async |db| {
        for i in 0..10 {
            for j in 0..100 {
                db.put(format!("key{i} {j:03}").as_bytes(), &[b'w'; 100]).await.unwrap();
            }
            if i == 5 {
                db.put(b"key5 backup", &value).await.unwrap();
            }
        }
        db.flush().await.unwrap();
    });
    let table = env.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    let sound = env.read(&table).unwrap();
    let in_value = sound.windows(100).position(|bytes| bytes == [b'v'; 100]).unwrap();
    let (index, size) = index_of(&sound);
    // Nothing, the footer or the index; and a byte of the value before or after the copy.
    for broken in [None, Some(sound.len() - 1), Some(index + size / 2)] {
        for damaged in [None, Some(in_value + 500), Some(in_value + value.len() - 500)] {
            let mut bytes = sound.clone();
            for at in [broken, damaged].into_iter().flatten() {
                bytes[at] ^= 1;
            }
            let (found, report) = repaired(&env, &options, &table, &bytes);
            let what = format!("{broken:?} {damaged:?}; {} entries; {report:?}", found.len());
            assert!(found.keys().all(|key| !key.starts_with(b"key5 evil")), "{what}");
            assert!(found.len() > 900 && (damaged.is_some() || found.len() == 1_001), "{what}");
        }
    }
    // The file ends inside the value.
    let (found, report) = repaired(&env, &options, &table, &sound[..in_value + value.len() - 500]);
    assert!(found.keys().all(|key| !key.starts_with(b"key5 evil")) && found.len() > 400, "{report:?}");
}

/// Values of two bytes look like the handles of an index block.
#[test]
fn values_that_look_like_handles_are_kept() {
    let (env, options) = (MemoryEnv::new(), new_options());
    session(&env, &options, async |db| {
        for i in 0..5_000u32 {
            db.put(format!("key{i:05}").as_bytes(), &[u8::try_from(i % 100).unwrap(), 3]).await.unwrap();
        }
        db.flush().await.unwrap();
    });
    let table = env.names().into_iter().find(|name| name.ends_with(".ldb")).unwrap();
    let mut bytes = env.read(&table).unwrap();
    let (index, size) = index_of(&bytes);
    bytes[index + size / 2] ^= 1;
    let (found, report) = repaired(&env, &options, &table, &bytes);
    assert_eq!(found.len(), 5_000, "{report:?}");
}

/// The search for blocks takes time linear in the size, whatever the bytes are.
#[test]
fn a_table_of_garbage_is_read_in_linear_time() {
    let mut random = Random::new(9);
    let noise = random.bytes(8 << 20);
    let (_, _, _, sound) = one_table(Compression::Snappy);
    let first_block = &sound[..2_000];
    let files = [
        noise.clone(),
        noise.iter().map(|byte| byte % 5).collect(),
        vec![0; 8 << 20],
        // Many blocks with a gap before each.
        [&sound[..], b"gap"].concat().repeat(40),
        [first_block, b"?"].concat().repeat(4_000),
    ];
    for (case, bytes) in files.iter().enumerate() {
        let env = MemoryEnv::new();
        env.write("000005.ldb", bytes);
        let begin = std::time::Instant::now();
        let result = block_on(repair(Rc::new(env.clone()), new_options()));
        println!("{case}: {} bytes in {:?}", bytes.len(), begin.elapsed());
        assert!(begin.elapsed().as_secs() < 60, "{case}");
        assert!(!result.unwrap().findings.is_empty());
    }
}

/// What was kept and what was not was one list.
#[test]
fn files_that_are_used_and_files_that_are_not_are_listed_apart() {
    let (env, options, table, sound) = one_table(Compression::Snappy);
    session(&env, &options, async |db| db.put(b"in the log", b"v").await.unwrap());
    env.write(&table, &sound[..sound.len() / 2]);
    env.write("000900.ldb", b"");
    env.write("000901.ldb", &[7; 1000]);
    env.write("CURRENT", b"nonsense");
    let report = block_on(repair(Rc::new(env.clone()), options)).unwrap();
    let recovered: Vec<&str> = report.recovered.iter().map(|file| &*file.file).collect();
    assert!(recovered.contains(&&*table) && recovered.iter().any(|name| name.ends_with(".log")), "{report:?}");
    assert!(report.recovered.iter().all(|file| file.entries > 0), "{report:?}");
    let unused: Vec<&str> = report.unused.iter().map(|file| &*file.file).collect();
    for name in ["000900.ldb", "000901.ldb", "CURRENT"] {
        assert!(unused.contains(&name), "{name}: {report:?}");
    }
    let listed: Vec<&String> = report.recovered.iter().map(|file| &file.lost).collect();
    let listed = listed.into_iter().chain(report.unused.iter().map(|file| &file.lost));
    assert_eq!(listed.count(), report.lost.len(), "{report:?}");
}

/// The message of an opening with a damaged log sends to `repair`, which did not read the copy.
#[test]
fn a_log_that_opening_set_aside_is_read() {
    let (env, options) = (MemoryEnv::new(), new_options());
    session(&env, &options, async |db| {
        for i in 0..100 {
            db.put(format!("key{i:03}").as_bytes(), b"old").await.unwrap();
        }
    });
    let log = env.names().into_iter().find(|name| name.ends_with(".log")).unwrap();
    let mut bytes = env.read(&log).unwrap();
    let middle = bytes.windows(6).position(|bytes| bytes == b"key050").unwrap();
    bytes[middle] ^= 1;
    env.write(&log, &bytes);
    session(&env, &options, async |db| {
        assert_eq!(contents(db).len(), 50);
        db.put(b"key099", b"new").await.unwrap();
    });
    let damaged = env.names().into_iter().find(|name| name.ends_with(".log.damaged")).unwrap();
    let report = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
    assert!(report.recovered.iter().any(|file| file.file == damaged && file.entries == 99), "{report:?}");
    assert!(report.old_data_may_reappear && report.lost.contains(&damaged), "{report:?}");
    session(&env, &options, async |db| {
        let found = contents(db);
        assert_eq!(found.len(), 99);
        assert_eq!(found[&b"key099"[..]], b"new");
    });
    let again = block_on(repair(Rc::new(env), options)).unwrap();
    assert_eq!((&again.findings[..], &again.recovered[..]), (&[][..], &[][..]), "{again:?}");
}

/// A compaction that the end of the process interrupted leaves a table without a footer.
#[test]
fn an_unfinished_table_is_no_damage() {
    let (env, options, table, sound) = one_table(Compression::Snappy);
    for leftover in [&b""[..], &sound[..sound.len() / 2]] {
        for number in [1u64, 900] {
            let env = env.snapshot();
            let name = format!("{number:06}.ldb");
            env.write(&name, leftover);
            let mut expected = files_of(&env);
            let moved = expected.remove(&name).unwrap();
            expected.insert(format!("lost/{name}"), moved);
            let report = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
            assert_eq!(report.findings, []);
            assert_eq!(report.unused.iter().map(|file| &*file.file).collect::<Vec<_>>(), [&*name]);
            assert!(report.unused[0].reason.contains("unfinished"), "{report:?}");
            assert!(!report.old_data_may_reappear && files_of(&env) == expected, "{report:?}");
            // With entries in a log, the database is rebuilt.
            session(&env, &options, async |db| db.put(b"k", b"v").await.unwrap());
            env.write(&name, leftover);
            let report = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
            assert_eq!(report.findings, []);
            assert!(report.unused.iter().any(|file| file.file == name && !file.lost.is_empty()));
            session(&env, &options, async |db| assert_eq!(contents(db).len(), 8_501));
        }
        // If a table that the manifest names is damaged, it may hold the same entries.
        let env = env.snapshot();
        env.write(&table, b"");
        env.write("000900.ldb", leftover);
        let report = block_on(repair(Rc::new(env.clone()), options.clone())).unwrap();
        assert!(!report.findings.is_empty() && report.old_data_may_reappear);
        session(&env, &options, async |db| assert_eq!(contents(db).len() > 4_000, !leftover.is_empty()));
    }
}

/// The output of a compaction that was under way stayed in the directory.
#[test]
fn closing_removes_the_unfinished_output_of_a_compaction() {
    let options = Options { write_buffer_size: 64 << 10, compression: Compression::None, ..new_options() };
    let env = MemoryEnv::new();
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
    let is_under_way = || env.names().iter().filter(|name| name.ends_with(".ldb")).count() > db.tables().len();
    let mut i = 0u32;
    while !is_under_way() {
        i += 1;
        let key = format!("key{:07}", i.wrapping_mul(0x9e37_79b9) % 1_000_000);
        block_on(db.put(key.as_bytes(), &[b'v'; 500])).unwrap();
        assert!(i < 100_000, "no compaction was seen under way");
    }
    let before = contents(&db);
    block_on(db.close()).unwrap();
    drop(db);
    let checked = block_on(varve::verify(Rc::new(env.clone()), options.clone())).unwrap();
    assert_eq!((&checked.findings[..], &checked.unused[..]), (&[][..], &[][..]));
    session(&env, &options, async |db| assert!(contents(db) == before));
}
