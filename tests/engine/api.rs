//! Each public feature that the oracle does not test.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;

use varve::env::{Env, FaultEnv, FaultKind, FaultRule, MemoryEnv, NameEdit, Operation};
use varve::events::{Event, Listener, StallCause};
use varve::{
    BloomFilterPolicy, Compression, Db, DbState, Error, Lookup, Options, ReadOptions, WriteBatch, WriteOptions,
    block_on, destroy,
};

use crate::common::executor::Executor;

/// Compaction only on request, and tables as large as their contents.
fn options() -> Options {
    Options { create_if_missing: true, compression: Compression::None, ..Options::default() }
}

fn open(env: &MemoryEnv, options: Options) -> Db {
    block_on(Db::open(Rc::new(env.clone()), options)).unwrap()
}

fn put(db: &Db, key: &str, value: &str) {
    block_on(db.put(key.as_bytes(), value.as_bytes())).unwrap();
}

fn put_many(db: &Db, range: std::ops::Range<usize>, value: &str) {
    range.for_each(|i| put(db, &format!("key{i:05}"), value));
}

fn get(db: &Db, key: &str) -> Option<String> {
    block_on(db.get(key.as_bytes())).unwrap().map(|v| String::from_utf8(v).unwrap())
}

fn flush(db: &Db) {
    block_on(db.flush()).unwrap();
}

fn work(db: &Db) {
    while block_on(db.background(0)).unwrap() {}
    assert!(!db.has_background_work());
}

fn contents(db: &Db) -> BTreeMap<Vec<u8>, Vec<u8>> {
    block_on(async {
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        let mut found = BTreeMap::new();
        let mut valid = it.seek_to_first().await.unwrap();
        while valid {
            found.insert(it.key().to_vec(), it.value().to_vec());
            valid = it.next().await.unwrap();
        }
        found
    })
}

fn count_files(env: &MemoryEnv, suffix: &str) -> usize {
    env.names().iter().filter(|n| n.ends_with(suffix)).count()
}

#[derive(Default)]
struct Heard(RefCell<Vec<Event>>);

impl Listener for Heard {
    fn event(&self, event: &Event) {
        self.0.borrow_mut().push(event.clone());
    }
}

impl Heard {
    fn take(&self) -> Vec<Event> {
        self.0.take()
    }
}

fn listening(mut options: Options) -> (Rc<Heard>, Options) {
    let heard = Rc::new(Heard::default());
    options.listener = Some(heard.clone());
    (heard, options)
}

#[test]
fn a_trace_lists_where_a_key_was_looked_up() {
    let db = open(&MemoryEnv::new(), options());
    let trace = |key: &str| block_on(db.trace(&ReadOptions::default(), key.as_bytes())).unwrap();
    put_many(&db, 0..1000, "table");
    flush(&db);
    put(&db, "key00500", "memory");
    let (value, trace_of) = trace("key00500");
    assert_eq!(value.as_deref(), Some(&b"memory"[..]));
    assert!(trace_of.found_in_memtable && trace_of.memtables == 1 && trace_of.tables.is_empty());
    let (value, first) = trace("key00600");
    assert_eq!(value.as_deref(), Some(&b"table"[..]));
    assert!(!first.found_in_memtable);
    let table = &db.tables()[0];
    assert_eq!((first.tables.len(), first.tables[0].level, first.tables[0].table.0), (1, table.level, table.number));
    let Lookup::Block { cached, .. } = first.tables[0].lookup else { panic!("{first:?}") };
    assert!(!cached);
    let (_, again) = trace("key00600");
    assert!(matches!(again.tables[0].lookup, Lookup::Block { cached: true, .. }), "{again:?}");
    let noes = (0..200).filter(|i| {
        let (value, trace) = trace(&format!("key{i:05}x"));
        assert_eq!(value, None);
        matches!(trace.tables[0].lookup, Lookup::FilterNo { .. })
    });
    assert!(noes.count() > 180, "10 bits a key: about one in a hundred passes");
    let (value, past) = trace("zzz");
    assert!(value.is_none() && past.tables.is_empty(), "out of every table's range: {past:?}");
}

#[test]
fn events_report_flushes_compactions_and_files() {
    let (heard, options) = listening(options());
    let env = MemoryEnv::new();
    let db = open(&env, options);
    heard.take();
    put(&db, "a", "1");
    flush(&db);
    let events = heard.take();
    let table = db.tables()[0].number;
    let name = format!("{table:06}.ldb");
    assert!(events.contains(&Event::FileCreated { name: name.clone() }), "{events:?}");
    assert!(events.iter().any(|e| matches!(e, Event::FileCreated { name } if name.ends_with(".log"))), "{events:?}");
    assert!(events.iter().any(|e| matches!(e, Event::FileRemoved { name } if name.ends_with(".log"))), "{events:?}");
    let flushed = events.iter().any(
        |e| matches!(e, Event::Flush { table: Some(t), level: 2, bytes, memtables: 1, entries: 1.. } if t.0 == table && *bytes > 0),
    );
    assert!(flushed, "{events:?}");
    put(&db, "a", "2");
    flush(&db);
    block_on(db.compact_range(None, None)).unwrap();
    let events = heard.take();
    let merged = events.iter().any(|e| match e {
        Event::Compaction {
            level: 1,
            output_level: 2,
            inputs,
            outputs,
            bytes_read,
            bytes_written,
            trivial_move: false,
        } => inputs.len() == 2 && outputs.len() == 1 && bytes_read > bytes_written && *bytes_written > 0,
        _ => false,
    });
    assert!(merged, "{events:?}");
    assert!(events.contains(&Event::FileRemoved { name }), "{events:?}");
    // Every file that events report exists.
    let files: Vec<String> = db.tables().iter().map(|t| format!("{:06}.ldb", t.number)).collect();
    assert!(files.iter().all(|f| env.read(f).is_some()) && count_files(&env, ".ldb") == files.len());
}

#[test]
fn a_listener_may_read_the_database() {
    struct Reader(RefCell<Option<std::rc::Weak<Db>>>);
    impl Listener for Reader {
        fn event(&self, _: &Event) {
            if let Some(db) = self.0.borrow().as_ref().and_then(std::rc::Weak::upgrade) {
                let _ =
                    (db.state(), db.counters(), db.tables(), db.property("leveldb.stats"), db.has_background_work());
                let _ = (db.snapshot(), block_on(db.get(b"key00001")).unwrap());
                assert!(db.iter(&ReadOptions::default()).is_ok());
            }
        }
    }
    let reader = Rc::new(Reader(RefCell::default()));
    let small = Options { write_buffer_size: 4 << 10, max_file_size: 16 << 10, ..options() };
    let db = Rc::new(open(&MemoryEnv::new(), Options { listener: Some(reader.clone()), ..small }));
    reader.0.replace(Some(Rc::downgrade(&db)));
    put_many(&db, 0..500, &"x".repeat(100));
    put_many(&db, 0..500, &"y".repeat(100));
    work(&db);
    block_on(db.compact_range(None, None)).unwrap();
    block_on(db.delete_range(None, Some(b"key00300"))).unwrap();
    block_on(db.close()).unwrap();
}

#[test]
fn stalls_are_reported() {
    // A storage that answers later: writers' background work does not finish, so in the end they
    // must wait.
    let faults = FaultEnv::new(Rc::new(MemoryEnv::new()), 1);
    let (heard, options) = listening(Options { write_buffer_size: 4 << 10, slice_size: 1 << 10, ..options() });
    let db = block_on(Db::open(Rc::new(faults.clone()), options)).unwrap();
    faults.set_pending(100);
    for i in 0..60 {
        put(&db, &format!("key{i}"), &"x".repeat(3000));
    }
    let stalls = db.counters().stalls;
    let told = heard.take();
    let waits = |e: &&Event| matches!(e, Event::Stall { cause: StallCause::MemtableFull | StallCause::Level0Stop });
    assert_eq!(told.iter().filter(waits).count() as u64, stalls);
    assert!(stalls > 0);
    faults.set_pending(0);
    assert_eq!(contents(&db).len(), 60);
}

#[test]
fn a_level_0_slowdown_is_reported_once() {
    let env = MemoryEnv::new();
    // Killed sessions: their logs become tables in the next ones, and none runs long enough to
    // compact them.
    for _ in 0..46 {
        put(&open(&env, options()), "key", "value");
    }
    let (heard, options) = listening(options());
    let db = open(&env, options);
    let level0 = db.property("leveldb.num-files-at-level0").unwrap();
    assert!(level0.parse::<usize>().unwrap() >= 8, "level 0 has {level0} tables");
    put(&db, "key", "1");
    put(&db, "key", "2");
    let told = heard.take();
    let slowed = told.iter().filter(|e| matches!(e, Event::Stall { cause: StallCause::Level0Slowdown })).count();
    assert_eq!(slowed, 1);
}

#[test]
fn waiting_writes_are_limited_by_their_bytes() {
    let faults = FaultEnv::new(Rc::new(MemoryEnv::new()), 3);
    let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
    faults.set_pending(100);
    let (done, busy) = (Cell::new(0), Cell::new(0));
    let mut executor = Executor::new(7);
    for i in 0..60 {
        let (db, done, busy) = (&db, &done, &busy);
        executor.spawn(async move {
            match db.put(format!("key{i:05}").as_bytes(), &vec![7; 1 << 20]).await {
                Ok(()) => done.set(done.get() + 1),
                Err(Error::Busy(_)) => busy.set(busy.get() + 1),
                Err(error) => panic!("{error}"),
            }
        });
    }
    executor.run().unwrap();
    drop(executor);
    assert_eq!(done.get() + busy.get(), 60);
    assert!(busy.get() > 0 && done.get() >= 16, "{} done, {} refused", done.get(), busy.get());
    faults.set_pending(0);
    block_on(db.put(b"large", &vec![7; 40 << 20])).unwrap();
    assert_eq!(contents(&db).len(), done.get() + 1, "what was refused is not there");
}

#[test]
fn counters_are_updated() {
    let db = open(&MemoryEnv::new(), options());
    put_many(&db, 0..1000, "value");
    block_on(db.put_with(&WriteOptions { sync: true }, b"synced", b"v")).unwrap();
    let counters = db.counters();
    assert_eq!((counters.entries_written, counters.log_records, counters.log_syncs), (1001, 1001, 1));
    assert!(counters.bytes_logged > counters.bytes_in && counters.bytes_in >= 1001 * 10);
    flush(&db);
    assert_eq!(db.counters().bytes_flushed, db.tables().iter().map(|t| t.size).sum::<u64>());
    put(&db, "key00000", "newer");
    flush(&db);
    block_on(db.compact_range(None, None)).unwrap();
    let counters = db.counters();
    assert!(counters.bytes_compacted > 0 && counters.bytes_compaction_read > counters.bytes_compacted);
    let before = db.counters();
    for _ in 0..2 {
        get(&db, "key00500");
        get(&db, "key00500x");
    }
    let after = db.counters();
    assert_eq!(after.gets - before.gets, 4);
    assert!(after.block_reads > before.block_reads && after.block_read_bytes > before.block_read_bytes);
    assert!(after.block_cache_hits > before.block_cache_hits && after.filter_negatives > before.filter_negatives);
    assert!(after.table_opens > 0 && after.slices > 0);
}

#[test]
fn properties_look_like_leveldbs() {
    let db = open(&MemoryEnv::new(), options());
    put(&db, "a\0b", "1");
    flush(&db);
    let table = &db.tables()[0];
    assert_eq!(db.property("leveldb.num-files-at-level2").as_deref(), Some("1"));
    assert_eq!(db.property("leveldb.num-files-at-level0").as_deref(), Some("0"));
    for unknown in
        ["leveldb.num-files-at-level7", "leveldb.num-files-at-level", "leveldb.num-files-at-level+1", "x", ""]
    {
        assert_eq!(db.property(unknown), None, "{unknown}");
    }
    let expected = format!(
        "--- level 0 ---\n--- level 1 ---\n--- level 2 ---\n {}:{}['a\\x00b' @ 1 : 1 .. 'a\\x00b' @ 1 : 1]\n\
         --- level 3 ---\n--- level 4 ---\n--- level 5 ---\n--- level 6 ---\n",
        table.number, table.size
    );
    assert_eq!(db.property("leveldb.sstables"), Some(expected));
    let stats = db.property("leveldb.stats").unwrap();
    assert_eq!(
        stats,
        "                               Compactions\n\
         Level  Files Size(MB) Time(sec) Read(MB) Write(MB)\n\
         --------------------------------------------------\n\
         \x20 2        1        0         0        0         0\n"
    );
    let memory = |db: &Db| db.property("leveldb.approximate-memory-usage").unwrap().parse::<u64>().unwrap();
    let before = memory(&db);
    put(&db, "b", &"x".repeat(10_000));
    assert!(memory(&db) >= before + 10_000);
}

#[test]
fn approximate_sizes_are_roughly_right() {
    let db = open(&MemoryEnv::new(), options());
    let value = "x".repeat(1000);
    put_many(&db, 0..1000, &value);
    let all: (&[u8], &[u8]) = (b"key00000", b"key99999");
    assert_eq!(block_on(db.approximate_sizes(&[all])).unwrap(), [0], "what is in memory does not count");
    let in_memory = |begin: &[u8], end: &[u8]| db.approximate_size_in_memory(begin, end).unwrap();
    assert_eq!(in_memory(all.0, all.1), 1000 * (1000 + 8 + 8));
    assert_eq!(in_memory(b"key00010", b"key00012"), 2 * 1016);
    assert_eq!([in_memory(b"a", b"b"), in_memory(b"z", b"a"), in_memory(b"key00010", b"key00010")], [0, 0, 0]);
    flush(&db);
    assert_eq!(in_memory(all.0, all.1), 0);
    let ranges: [(&[u8], &[u8]); 5] =
        [all, (b"key00000", b"key00500"), (b"key00500", b"key99999"), (b"a", b"b"), (b"z", b"a")];
    let sizes = block_on(db.approximate_sizes(&ranges)).unwrap();
    assert!((1_000_000..1_100_000).contains(&sizes[0]), "{sizes:?}");
    assert!(sizes[1].abs_diff(sizes[0] / 2) < 10_000 && sizes[1] + sizes[2] == sizes[0], "{sizes:?}");
    assert_eq!(sizes[3..], [0, 0]);
}

#[test]
fn a_checkpoint_is_a_database_of_its_own() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put_many(&db, 0..500, "table");
    flush(&db);
    put_many(&db, 400..600, "memory");
    block_on(db.delete(b"key00000")).unwrap();
    let target = MemoryEnv::new();
    block_on(db.checkpoint(&(Rc::new(target.clone()) as Rc<dyn Env>))).unwrap();
    let expected = contents(&db);
    // It is durable and independent of later changes.
    put(&db, "key00001", "later");
    block_on(db.delete_range(None, Some(b"key00300"))).unwrap();
    let copy = open(&target.crash(&varve::env::CrashModel::DROP), Options { create_if_missing: false, ..options() });
    assert_eq!(contents(&copy), expected);
    assert_eq!(block_on(copy.verify()).unwrap().findings, []);
    put(&copy, "mine", "alone");
    flush(&copy);
    assert_eq!(get(&db, "mine"), None);
    // Only to an empty place.
    let error = block_on(db.checkpoint(&(Rc::new(target.clone()) as Rc<dyn Env>))).unwrap_err();
    assert_eq!(error.code(), "invalid-argument");
    // A read-only database can be copied too.
    block_on(db.close()).unwrap();
    let looked = open(&env, Options { read_only: true, create_if_missing: false, ..options() });
    let target = MemoryEnv::new();
    block_on(looked.checkpoint(&(Rc::new(target.clone()) as Rc<dyn Env>))).unwrap();
    assert_eq!(contents(&open(&target, options())), contents(&looked));
}

#[test]
fn verify_reports_each_damaged_table() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    for first in [0, 1000, 2000] {
        put_many(&db, first..first + 500, "value");
        flush(&db);
    }
    let report = block_on(db.verify()).unwrap();
    assert_eq!((report.tables, report.entries, report.findings.len()), (3, 1500, 0));
    assert_eq!(report.bytes, db.tables().iter().map(|t| t.size).sum::<u64>());
    let names: Vec<String> = db.tables()[..2].iter().map(|t| format!("{:06}.ldb", t.number)).collect();
    for name in &names {
        let mut bytes = env.read(name).unwrap();
        bytes[300] ^= 1;
        env.write(name, &bytes);
    }
    let report = block_on(db.verify()).unwrap();
    assert_eq!((report.tables, report.findings.len()), (3, 2));
    for name in &names {
        assert!(report.findings.iter().any(|f| f.is_corruption() && f.to_string().contains(name)), "{report:?}");
    }
    assert_eq!(db.state(), DbState::Open);
}

#[test]
fn destroy_keeps_files_that_are_not_the_databases() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put(&db, "a", "1");
    flush(&db);
    let held = block_on(destroy(Rc::new(env.clone()))).unwrap_err();
    assert_eq!(held.code(), "locked");
    drop(db);
    for name in ["notes.txt", "000005.ldb.bak", "MANIFEST", "CURRENT.old"] {
        env.write(name, b"mine");
    }
    env.write("000001.log.damaged", b"ours");
    block_on(destroy(Rc::new(env.clone()))).unwrap();
    assert_eq!(env.names(), ["000005.ldb.bak", "CURRENT.old", "MANIFEST", "notes.txt"]);
    block_on(destroy(Rc::new(env.clone()))).unwrap();
    block_on(destroy(Rc::new(MemoryEnv::new()))).unwrap();
}

#[test]
fn a_snapshot_of_another_database_is_refused() {
    let (one, other) = (open(&MemoryEnv::new(), options()), open(&MemoryEnv::new(), options()));
    let at = ReadOptions { snapshot: Some(other.snapshot()), ..ReadOptions::default() };
    let refused = |error: Error| assert_eq!(error.code(), "invalid-argument", "{error}");
    refused(block_on(one.get_with(&at, b"k")).unwrap_err());
    refused(one.iter(&at).unwrap_err());
    refused(block_on(one.multi_get(&at, &[b"k"])).unwrap_err());
    refused(block_on(one.trace(&at, b"k")).unwrap_err());
}

#[test]
fn multi_get_reads_one_snapshot() {
    let db = open(&MemoryEnv::new(), options());
    put(&db, "a", "1");
    put(&db, "c", "3");
    flush(&db);
    let then = ReadOptions { snapshot: Some(db.snapshot()), ..ReadOptions::default() };
    put(&db, "b", "2");
    block_on(db.delete(b"a")).unwrap();
    let keys: [&[u8]; 5] = [b"c", b"b", b"a", b"c", b""];
    let value = |text: &str| Some(text.as_bytes().to_vec());
    let at_snapshot = block_on(db.multi_get(&then, &keys)).unwrap();
    assert_eq!(at_snapshot, [value("3"), None, value("1"), value("3"), None]);
    let now = block_on(db.multi_get(&ReadOptions::default(), &keys)).unwrap();
    assert_eq!(now, [value("3"), value("2"), None, value("3"), None]);
    assert_eq!(block_on(db.multi_get(&then, &[])).unwrap(), Vec::<Option<Vec<u8>>>::new());
}

#[test]
fn iterators_keep_their_bounds_in_both_directions() {
    let db = open(&MemoryEnv::new(), options());
    for key in ["a", "b", "c", "d", "e", "f"] {
        put(&db, key, key);
        if key == "c" {
            flush(&db);
        }
    }
    block_on(db.delete(b"d")).unwrap();
    let all = |lower: Option<&str>, upper: Option<&str>| {
        let bytes = |s: Option<&str>| s.map(|s| s.as_bytes().to_vec());
        let options = ReadOptions { lower_bound: bytes(lower), upper_bound: bytes(upper), ..ReadOptions::default() };
        block_on(async {
            let mut it = db.iter(&options).unwrap();
            let (mut forward, mut backward) = (String::new(), String::new());
            let mut valid = it.seek_to_first().await.unwrap();
            while valid {
                forward.push_str(std::str::from_utf8(it.key()).unwrap());
                valid = it.next().await.unwrap();
            }
            valid = it.seek_to_last().await.unwrap();
            while valid {
                backward.insert_str(0, std::str::from_utf8(it.key()).unwrap());
                valid = it.prev().await.unwrap();
            }
            assert_eq!(forward, backward, "{lower:?} {upper:?}");
            forward
        })
    };
    assert_eq!(all(None, None), "abcef");
    assert_eq!(all(Some("b"), Some("e")), "bc");
    assert_eq!(all(Some("bb"), None), "cef");
    assert_eq!(all(None, Some("ee")), "abce");
    assert_eq!(all(Some("d"), Some("e")), "");
    assert_eq!(all(Some("x"), None), "");
    assert_eq!(all(Some("e"), Some("b")), "");
    block_on(async {
        let bounds = ReadOptions {
            lower_bound: Some(b"b".to_vec()),
            upper_bound: Some(b"f".to_vec()),
            ..ReadOptions::default()
        };
        let mut it = db.iter(&bounds).unwrap();
        assert!(it.seek(b"a").await.unwrap() && it.key() == b"b", "a seek below the bound goes to the bound");
        assert!(!it.prev().await.unwrap() && !it.valid() && it.key().is_empty());
        assert!(it.seek(b"d").await.unwrap() && it.key() == b"e");
        assert!(!it.next().await.unwrap());
        assert!(!it.next().await.unwrap(), "nowhere stays nowhere");
        assert!(!it.seek(b"f").await.unwrap());
        assert!(it.seek(b"c").await.unwrap());
        assert!(it.next().await.unwrap() && it.prev().await.unwrap() && it.key() == b"c");
    });
}

#[test]
fn a_database_is_closed_with_little_to_replay() {
    // (KiB written, whether the next opening finds them in a log)
    for (kib, kept) in [(100, true), (2 << 10, false)] {
        let env = MemoryEnv::new();
        let db = open(&env, options());
        put_many(&db, 0..kib, &"x".repeat(1 << 10));
        block_on(db.close()).unwrap();
        assert_eq!(count_files(&env, ".ldb") == 0, kept, "{kib} KiB");
        let db = open(&env, options());
        let replayed: u64 = db.recovery().logs.iter().map(|log| log.entries).sum();
        assert_eq!(replayed, if kept { kib as u64 } else { 0 });
        assert_eq!(contents(&db).len(), kib);
    }
    // A session that only reads writes no table.
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put_many(&db, 0..2 << 10, &"x".repeat(1 << 10));
    drop(db);
    let before = env.names();
    let db = open(&env, Options { read_only: true, create_if_missing: false, ..options() });
    assert_eq!(contents(&db).len(), 2 << 10);
    block_on(db.close()).unwrap();
    assert_eq!(env.names(), before);
}

#[test]
fn a_failed_flush_during_close_does_not_fail_the_close() {
    let env = MemoryEnv::new();
    let faults = FaultEnv::new(Rc::new(env.clone()), 1);
    let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
    put_many(&db, 0..2 << 10, &"x".repeat(1 << 10));
    faults.add(FaultRule::at(1, FaultKind::Fail(ErrorKind::StorageFull)).on(Operation::Create).named(".ldb"));
    block_on(db.close()).unwrap();
    assert_eq!(faults.faults(), 1);
    drop(db);
    assert_eq!(count_files(&env, ".ldb"), 0);
    assert_eq!(contents(&open(&env, options())).len(), 2 << 10);
}

#[test]
fn look_ups_excluded_by_a_filter_trigger_no_seek_compaction() {
    for (filter_policy, worn) in [(options().filter_policy, false), (None, true)] {
        let env = MemoryEnv::new();
        let db = open(&env, Options { filter_policy, ..options() });
        // The upper table has both ends of the lower one's range, but not the key looked up.
        for keys in [0..1_000, 0..1, 999..1_000] {
            put_many(&db, keys, "value");
            if db.tables().is_empty() {
                flush(&db);
                block_on(db.compact_range(None, None)).unwrap();
            }
        }
        flush(&db);
        // Each key once: the row cache would answer a repeated look-up.
        (100..300).for_each(|i| assert!(get(&db, &format!("key{i:05}")).is_some()));
        assert_eq!(db.has_background_work(), worn);
    }
}

#[test]
fn after_close_every_call_returns_closed() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put(&db, "a", "1");
    put(&db, "b", "2");
    block_on(async {
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        assert!(it.seek_to_first().await.unwrap());
        db.close().await.unwrap();
        db.close().await.unwrap();
        assert_eq!(db.state(), DbState::Closed);
        for error in [it.next().await, it.prev().await, it.seek(b"a").await, it.seek_to_first().await] {
            assert_eq!(error, Err(Error::Closed));
        }
        assert_eq!(db.put(b"a", b"1").await, Err(Error::Closed));
        assert_eq!(db.get(b"a").await, Err(Error::Closed));
        assert_eq!(db.sync().await, Err(Error::Closed));
        assert_eq!(db.flush().await, Err(Error::Closed));
        assert_eq!(db.compact_range(None, None).await, Err(Error::Closed));
        assert_eq!(db.delete_range(None, None).await, Err(Error::Closed));
        assert_eq!(db.background(0).await, Err(Error::Closed));
        assert_eq!(db.resume().await, Err(Error::Closed));
        assert_eq!(db.iter(&ReadOptions::default()).map(drop), Err(Error::Closed));
        assert_eq!(db.verify().await.map(drop), Err(Error::Closed));
        assert_eq!(db.approximate_sizes(&[]).await, Err(Error::Closed));
        assert!(!db.has_background_work());
    });
    // The lock is released although the handle is alive, and the writes are durable.
    let after = open(&env.crash(&varve::env::CrashModel::DROP), options());
    assert_eq!(contents(&after).len(), 2);
    open(&env, options());
}

#[test]
fn waiting_writers_share_one_record_and_one_sync() {
    let env = MemoryEnv::new();
    let faults = FaultEnv::new(Rc::new(env.clone()), 3);
    let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap();
    faults.set_pending(100);
    let syncs = faults.calls_of(Operation::Sync);
    let mut executor = Executor::new(5);
    for i in 0..50 {
        let db = &db;
        executor.spawn(async move {
            let key = format!("key{i:05}");
            db.put_with(&WriteOptions { sync: true }, key.as_bytes(), b"v").await.unwrap();
            assert_eq!(db.get(key.as_bytes()).await.unwrap().as_deref(), Some(&b"v"[..]), "acknowledged is readable");
        });
    }
    executor.run().unwrap();
    drop(executor);
    let counters = db.counters();
    assert_eq!(counters.entries_written, 50);
    assert!(counters.log_records <= 25, "{} records for 50 writers", counters.log_records);
    assert!(faults.calls_of(Operation::Sync) - syncs <= 25);
    let after = open(&env.crash(&varve::env::CrashModel::DROP), options());
    assert_eq!(contents(&after).len(), 50);
}

#[test]
fn dropped_writers_and_readers_do_not_block_others() {
    for seed in 0..30 {
        let env = MemoryEnv::new();
        let faults = FaultEnv::new(Rc::new(env.clone()), seed);
        let small = Options { write_buffer_size: 4 << 10, ..options() };
        let db = block_on(Db::open(Rc::new(faults.clone()), small)).unwrap();
        faults.set_pending(80);
        let mut executor = Executor::new(seed);
        let mut tasks = Vec::new();
        for i in 0..60 {
            let db = &db;
            tasks.push(executor.spawn(async move {
                let key = format!("key{i:05}");
                match i % 6 {
                    0 => drop(db.flush().await),
                    1 => drop(db.get(key.as_bytes()).await),
                    2 => drop(db.compact_range(None, None).await),
                    3 => drop(db.delete_range(Some(b"x"), None).await),
                    _ => db.put_with(&WriteOptions { sync: i % 2 == 0 }, key.as_bytes(), &[7; 500]).await.unwrap(),
                }
            }));
        }
        for (turn, task) in tasks.iter().enumerate() {
            executor.turn();
            if turn % 3 == 0 {
                executor.cancel(*task);
            }
        }
        executor.run().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        drop(executor);
        block_on(db.put(b"last", b"one")).unwrap();
        flush(&db);
        for i in (0..60).filter(|i| i % 6 > 3 && i % 3 != 0) {
            assert!(get_bytes(&db, i).is_some(), "seed {seed}: key {i} was acknowledged");
        }
        assert_eq!(block_on(db.verify()).unwrap().findings, [], "seed {seed}");
    }
}

fn get_bytes(db: &Db, i: usize) -> Option<Vec<u8>> {
    block_on(db.get(format!("key{i:05}").as_bytes())).unwrap()
}

#[test]
fn an_abandoned_open_releases_the_lock() {
    use std::future::Future;
    use std::task::{Context, Waker};
    let env = MemoryEnv::new();
    let faults = FaultEnv::new(Rc::new(env.clone()), 3);
    faults.set_pending(100);
    for polls in 1..60 {
        let mut opening = Box::pin(Db::open(Rc::new(faults.clone()), options()));
        for _ in 0..polls {
            if opening.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                break;
            }
        }
        drop(opening);
        let db = block_on(Db::open(Rc::new(faults.clone()), options())).unwrap_or_else(|e| panic!("{polls}: {e}"));
        drop(db);
    }
}

#[test]
fn background_works_until_no_work_is_left() {
    let db = open(&MemoryEnv::new(), Options { write_buffer_size: 16 << 10, max_file_size: 16 << 10, ..options() });
    put_many(&db, 0..2000, &"x".repeat(100));
    put_many(&db, 0..2000, &"y".repeat(100));
    work(&db);
    let files = |level: usize| db.tables().iter().filter(|t| t.level == level).count();
    assert!(files(0) < 4, "{} tables in level 0", files(0));
    assert_eq!(contents(&db).len(), 2000);
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
}

#[test]
fn a_work_budget_is_a_limit() {
    let db = open(&MemoryEnv::new(), Options { write_buffer_size: 1 << 20, ..options() });
    for _ in 0..8 {
        put_many(&db, 0..900, &"x".repeat(1000));
    }
    let mut slices = 0;
    while block_on(db.background(4 << 10)).unwrap() {
        slices += 1;
    }
    assert!(slices > 50, "{slices} slices of 4 KiB for a buffer of 1 MiB and more");
}

#[test]
fn tables_with_many_failed_look_ups_are_compacted() {
    let (heard, options) = listening(Options { filter_policy: None, ..options() });
    let db = open(&MemoryEnv::new(), options);
    put(&db, "a", "1");
    put(&db, "z", "1");
    flush(&db);
    put(&db, "b", "2");
    put(&db, "y", "2");
    flush(&db);
    let levels = || db.tables().iter().map(|t| t.level).collect::<Vec<_>>();
    assert_eq!(levels(), [1, 2]);
    (0..99).for_each(|_| assert_eq!(get(&db, "m"), None));
    assert!(!db.has_background_work());
    (0..2).for_each(|_| assert_eq!(get(&db, "m"), None));
    assert!(db.has_background_work());
    heard.take();
    work(&db);
    assert_eq!(levels(), [2]);
    assert!(heard.take().iter().any(|e| matches!(e, Event::Compaction { level: 1, .. })));
    assert_eq!(contents(&db).len(), 4);
}

#[test]
fn tombstones_are_dropped_at_the_base_level() {
    for held in [true, false] {
        let db = open(&MemoryEnv::new(), options());
        put_many(&db, 0..1000, &"x".repeat(100));
        flush(&db);
        let snapshot = held.then(|| db.snapshot());
        for i in 0..1000 {
            block_on(db.delete(format!("key{i:05}").as_bytes())).unwrap();
        }
        block_on(db.compact_range(None, None)).unwrap();
        assert!(contents(&db).is_empty());
        // Entries visible to a snapshot are kept, and so are the tombstones that hide them.
        assert_eq!(block_on(db.verify()).unwrap().entries, if held { 2000 } else { 0 });
        assert_eq!(db.tables().is_empty(), !held);
        let then = ReadOptions { snapshot, ..ReadOptions::default() };
        assert_eq!(block_on(db.get_with(&then, b"key00999")).unwrap().is_some(), held);
    }
}

#[test]
fn tables_without_overlap_are_only_moved() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put_many(&db, 0..4000, &"x".repeat(20));
    drop(db);
    // A replayed log becomes tables of level 0 once some buffers are full; these are disjoint.
    let (heard, small) = listening(Options { write_buffer_size: 4 << 10, ..options() });
    let db = open(&env, small);
    work(&db);
    let moves = heard.take().into_iter().filter(|e| match e {
        Event::Compaction { inputs, outputs, bytes_read: 0, bytes_written: 0, trivial_move: true, .. } => {
            inputs.len() == 1 && inputs == outputs
        }
        _ => false,
    });
    assert!(moves.count() >= 4);
    assert_eq!(db.counters().bytes_compacted, 0);
    assert!(db.tables().iter().any(|t| t.level == 1));
    assert_eq!(contents(&db).len(), 4000);
    drop(db);
    assert_eq!(contents(&open(&env, options())).len(), 4000);
}

#[test]
fn several_memtables_become_one_table() {
    let env = MemoryEnv::new();
    let (heard, options) = listening(Options { write_buffer_size: 4 << 10, ..options() });
    let faults = FaultEnv::new(Rc::new(env.clone()), 1);
    let db = block_on(Db::open(Rc::new(faults.clone()), options)).unwrap();
    // While the storage refuses tables, memtables accumulate; then one flush writes all of them.
    faults.add(
        varve::env::FaultRule::at(1, varve::env::FaultKind::Fail(std::io::ErrorKind::StorageFull))
            .on(Operation::Create)
            .named(".ldb")
            .times(3),
    );
    let mut written = 0;
    for i in 0..40 {
        let stored = block_on(db.put(format!("key{i:05}").as_bytes(), &[1; 1000])).is_ok();
        written += usize::from(stored);
        if !stored {
            let _ = block_on(db.resume());
        }
    }
    block_on(db.resume()).unwrap();
    flush(&db);
    let most = heard.take().into_iter().filter_map(|e| match e {
        Event::Flush { memtables, .. } => Some(memtables),
        _ => None,
    });
    assert!(most.max() >= Some(2));
    assert_eq!(contents(&db).len(), written);
}

#[test]
fn files_that_a_kill_left_are_removed_before_the_first_write() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put_many(&db, 0..500, "value");
    drop(db);
    env.unlock();
    for name in ["000077.ldb", "000078.ldb"] {
        let file = block_on(env.create(name, varve::env::FileKind::Table, 0)).unwrap();
        block_on(file.append(&[0; 100])).unwrap();
    }
    let db = open(&env, options());
    assert_eq!(count_files(&env, ".ldb"), 0);
    assert_eq!(contents(&db).len(), 500);
}

#[test]
fn open_tables_opens_the_tables_with_the_database() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    for round in 0..20 {
        put_many(&db, round * 100..round * 100 + 50, "value");
        flush(&db);
    }
    let tables = db.tables().len() as u64;
    assert!(tables > 1);
    block_on(db.close()).unwrap();
    for open_tables in [false, true] {
        let db = open(&env, Options { open_tables, ..options() });
        let opened = db.counters().table_opens;
        assert_eq!(opened, if open_tables { tables.min(16) } else { 0 });
        assert_eq!(get(&db, "key00000").as_deref(), Some("value"));
        assert_eq!(db.counters().table_opens > opened, !open_tables);
        block_on(db.close()).unwrap();
    }
    // The limit of open files holds, and a table that cannot be opened fails its own reads alone.
    let db = open(&env, Options { open_tables: true, max_open_files: 10, ..options() });
    assert_eq!(db.counters().table_opens, tables.min(10));
    block_on(db.close()).unwrap();
    let lost = env.names().into_iter().filter(|name| name.ends_with(".ldb")).min().unwrap();
    let size = env.read(&lost).unwrap().len();
    env.write(&lost, &vec![0xff; size]);
    let db = open(&env, Options { open_tables: true, ..options() });
    let fails = |round: &usize| block_on(db.get(format!("key{:05}", round * 100).as_bytes())).is_err();
    let failed = (0..20).filter(fails).count();
    assert!(failed > 0 && failed < 20, "{failed} of 20 reads failed");
    block_on(db.close()).unwrap();
}

#[test]
fn limits_of_open_files_and_cache_bytes_are_kept() {
    let env = MemoryEnv::new();
    let small = Options { max_open_files: 10, max_file_size: 16 << 10, block_cache_size: 20 << 10, ..options() };
    let db = open(&env, small.clone());
    put_many(&db, 0..3000, &"x".repeat(200));
    flush(&db);
    put_many(&db, 0..3000, &"y".repeat(200));
    flush(&db);
    block_on(db.compact_range(None, None)).unwrap();
    block_on(db.close()).unwrap();
    assert!(db.tables().len() > 30);
    let db = open(&env, small);
    for round in 0..2 {
        for i in 0..300 {
            assert!(get(&db, &format!("key{:05}", i * 10)).is_some());
        }
        let memory: u64 = db.property("leveldb.approximate-memory-usage").unwrap().parse().unwrap();
        assert!(memory <= 20 << 10, "round {round}: {memory} bytes in the cache");
    }
    let opens = db.counters().table_opens;
    assert!(opens > db.tables().len() as u64 + 20, "ten tables stay open, others are opened again: {opens}");
    // With room for all, each is opened once.
    let db = open(&env.snapshot(), options());
    for round in 0..3 {
        (0..300).for_each(|i| assert!(get(&db, &format!("key{:05}", i * 10)).is_some()));
        assert_eq!(db.counters().table_opens, db.tables().len() as u64, "round {round}");
    }
}

#[test]
fn the_chosen_compression_is_used() {
    let sizes = [Compression::None, Compression::Snappy].map(|compression| {
        let env = MemoryEnv::new();
        let db = open(&env, Options { compression, ..options() });
        put_many(&db, 0..1000, &"abcdefgh".repeat(12));
        flush(&db);
        let table = &db.tables()[0];
        let bytes = env.read(&format!("{:06}.ldb", table.number)).unwrap();
        // The first block's type follows its contents; if they are not compressed, the values are
        // visible.
        let plain = bytes.windows(96).any(|w| w == "abcdefgh".repeat(12).as_bytes());
        assert_eq!(plain, compression == Compression::None);
        // Both are read, with any setting.
        let other = if plain { Compression::Snappy } else { Compression::None };
        let (expected, size) = (contents(&db), table.size);
        drop(db);
        let db = open(&env, Options { compression: other, ..options() });
        assert_eq!(contents(&db), expected);
        size
    });
    assert!(sizes[0] > 100_000 && sizes[1] < sizes[0] / 3, "{sizes:?}");
}

#[test]
fn incompressible_blocks_are_stored_uncompressed() {
    let db = open(&MemoryEnv::new(), Options { compression: Compression::Snappy, ..options() });
    let mut random = crate::common::random::Random::new(1);
    let noise: Vec<u8> = (0..200_000).map(|_| random.next() as u8).collect();
    for (i, piece) in noise.chunks(1000).enumerate() {
        block_on(db.put(format!("key{i:05}").as_bytes(), piece)).unwrap();
    }
    flush(&db);
    assert!(db.tables()[0].size < 210_000);
    assert_eq!(contents(&db).into_values().flatten().collect::<Vec<u8>>(), noise);
}

#[test]
fn tables_of_older_leveldbs_are_read_and_replaced() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put_many(&db, 0..500, "old");
    flush(&db);
    drop(db);
    let ldb = env.names().into_iter().find(|n| n.ends_with(".ldb")).unwrap();
    let sst = ldb.replace(".ldb", ".sst");
    block_on(env.edit_names(vec![NameEdit::Rename { from: ldb, to: sst.clone() }])).unwrap();
    let db = open(&env, options());
    assert_eq!((get(&db, "key00100").as_deref(), contents(&db).len()), (Some("old"), 500));
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
    let target = MemoryEnv::new();
    block_on(db.checkpoint(&(Rc::new(target.clone()) as Rc<dyn Env>))).unwrap();
    assert_eq!(contents(&open(&target, options())).len(), 500);
    put_many(&db, 0..500, "new");
    block_on(db.compact_range(None, None)).unwrap();
    assert_eq!(env.read(&sst), None, "it goes as other tables do");
    assert_eq!(get(&db, "key00100").as_deref(), Some("new"));
}

#[test]
fn logs_are_reused_only_on_request() {
    for reuse_logs in [false, true] {
        let env = MemoryEnv::new();
        let options = Options { reuse_logs, ..options() };
        let db = open(&env, options.clone());
        put(&db, "a", "1");
        block_on(db.close()).unwrap();
        let before = env.names();
        for round in 0..5 {
            let db = open(&env, options.clone());
            assert_eq!(contents(&db).len(), round + 1);
            put(&db, &format!("round{round}"), "v");
            block_on(db.close()).unwrap();
        }
        assert_eq!(env.names() == before, reuse_logs, "{:?} {:?}", before, env.names());
        // A log with a torn tail is never appended to again.
        let log = env.names().into_iter().rfind(|n| n.ends_with(".log")).unwrap();
        let mut bytes = env.read(&log).unwrap();
        bytes.extend_from_slice(&[1, 2, 3, 4, 9, 0, 1]);
        env.write(&log, &bytes);
        let db = open(&env, options.clone());
        put(&db, "behind", "damage");
        block_on(db.close()).unwrap();
        assert!(env.names().iter().any(|n| n.ends_with(".log") && *n > log), "{:?}", env.names());
        assert_eq!(get(&open(&env, options), "behind").as_deref(), Some("damage"));
    }
}

#[test]
fn databases_are_created_or_refused_as_the_options_say() {
    let env = MemoryEnv::new();
    let code = |options: Options| block_on(Db::open(Rc::new(env.clone()), options)).map(drop).map_err(|e| e.code());
    let missing = Options { create_if_missing: false, ..options() };
    assert!(code(missing.clone()).is_err());
    assert!(env.names().is_empty());
    assert_eq!(code(Options { error_if_exists: true, ..options() }), Ok(()));
    let before = env.names();
    assert_eq!(code(Options { error_if_exists: true, ..options() }), Err("invalid-argument"));
    assert_eq!(env.names(), before);
    assert_eq!(code(missing), Ok(()));
    assert_eq!(code(options()), Ok(()));
}

#[test]
fn delete_range_drops_whole_tables_and_deletes_the_rest() {
    let env = MemoryEnv::new();
    let db = open(&env, Options { max_file_size: 16 << 10, ..options() });
    put_many(&db, 0..1000, &"x".repeat(100));
    flush(&db);
    put_many(&db, 0..1000, &"y".repeat(100));
    flush(&db);
    block_on(db.compact_range(None, None)).unwrap();
    let tables = db.tables().len();
    assert!(tables > 4);
    let one_by_one = block_on(db.delete_range(Some(b"key00100"), Some(b"key00900"))).unwrap();
    assert!(one_by_one < 400, "{one_by_one} of 800 keys one by one");
    assert!(db.tables().len() < tables);
    let left: Vec<_> = contents(&db).into_keys().collect();
    let expected: Vec<_> = (0..100).chain(900..1000).map(|i| format!("key{i:05}").into_bytes()).collect();
    assert_eq!(left, expected);
    assert_eq!(count_files(&env, ".ldb"), db.tables().len());
    // Reversed or empty ranges contain nothing.
    assert_eq!(block_on(db.delete_range(Some(b"z"), Some(b"a"))).unwrap(), 0);
    assert_eq!(block_on(db.delete_range(Some(b"key00001"), Some(b"key00001"))).unwrap(), 0);
    block_on(db.delete_range(None, None)).unwrap();
    assert!(contents(&db).is_empty());
    drop(db);
    assert!(contents(&open(&env, options())).is_empty());
}

#[test]
fn batches_are_applied_completely_and_in_order() {
    let db = open(&MemoryEnv::new(), options());
    let mut batch = WriteBatch::new();
    batch.put(b"a", b"1");
    batch.delete(b"a");
    batch.put(b"b", b"1");
    batch.put(b"b", b"2");
    batch.delete(b"never there");
    block_on(db.write(&WriteOptions::default(), batch)).unwrap();
    assert_eq!(db.last_sequence(), 5);
    assert_eq!((get(&db, "a"), get(&db, "b").as_deref()), (None, Some("2")));
    block_on(db.write(&WriteOptions::default(), WriteBatch::new())).unwrap();
    assert_eq!(db.last_sequence(), 5, "an empty batch is no write");
}

#[test]
fn files_of_an_old_state_are_kept_while_an_iterator_reads_them() {
    let env = MemoryEnv::new();
    let db = open(&env, options());
    put_many(&db, 0..1000, "old");
    flush(&db);
    let first = format!("{:06}.ldb", db.tables()[0].number);
    block_on(async {
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        assert!(it.seek_to_first().await.unwrap());
        put_many(&db, 0..1000, "new");
        db.compact_range(None, None).await.unwrap();
        assert!(env.read(&first).is_some());
        let mut count = 0;
        let mut valid = true;
        while valid {
            assert_eq!(it.value(), b"old");
            count += 1;
            valid = it.next().await.unwrap();
        }
        assert_eq!(count, 1000);
    });
    put(&db, "one", "more");
    flush(&db);
    assert!(env.read(&first).is_none(), "the next job takes it away");
}

#[test]
fn filters_of_any_size_find_all_keys() {
    for policy in [None, Some(1), Some(10), Some(40)] {
        let filter_policy = policy.map(|bits| Rc::new(BloomFilterPolicy::new(bits)) as Rc<dyn varve::FilterPolicy>);
        let db = open(&MemoryEnv::new(), Options { filter_policy, ..options() });
        put_many(&db, 0..1000, "v");
        flush(&db);
        (0..1000).for_each(|i| assert!(get_bytes(&db, i).is_some(), "{policy:?} {i}"));
    }
}
