//! Bugs that were found, each with a description.

mod compact_range;
mod compat;
mod iterators;
mod storage;

use std::rc::Rc;

use varve::env::MemoryEnv;
use varve::{Compression, Db, DbState, Options, block_on};

use crate::common::framing::frame;
use crate::corruption::bytes::{records, reseal_first_block};

/// A manual compaction took two tables of level 1 with a gap between them, and wrote one output
/// across the gap. A memtable whose keys lay inside the gap was flushed meanwhile, directly to the
/// level of the output: two tables of one level overlapped, and the edit was refused. A flush
/// during a compaction now goes to level 0.
#[test]
fn a_flush_during_a_compaction_does_not_overlap_its_outputs() {
    let options = Options { create_if_missing: true, write_buffer_size: 16 << 10, ..Options::default() };
    let db = block_on(Db::open(Rc::new(MemoryEnv::new()), options)).unwrap();
    let put = |key: &str, size: usize| block_on(db.put(key.as_bytes(), &vec![7; size])).unwrap();
    for key in ["a", "z"] {
        for i in 0..50 {
            put(&format!("{key}{i:03}"), 1000);
        }
    }
    block_on(db.compact_range(None, None)).unwrap();
    for round in 0..200 {
        put(&format!("a{:03}", round % 50), 900);
        put(&format!("z{:03}", round % 50), 900);
        // One work budget of the compaction, then keys in the gap.
        block_on(db.background(2000)).unwrap();
        put(&format!("m{round:03}"), 3000);
        if round % 20 == 0 {
            block_on(db.compact_range(None, None)).unwrap();
        }
    }
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
}

fn file_named(env: &MemoryEnv, part: &str) -> String {
    env.names().into_iter().rfind(|name| name.contains(part)).unwrap()
}

/// A log with false contents had one record twice, so the memtable had two entries with the same
/// key and sequence number. The flush refused the second as out of order, the error named the table
/// being built, that table was set aside as damaged, and the flush was retried for ever. The second
/// entry is now omitted, and only live tables are set aside.
#[test]
fn a_repeated_sequence_number_does_not_flush_for_ever() {
    let env = MemoryEnv::new();
    let options = Options { create_if_missing: true, ..Options::default() };
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
    for i in 0..10u8 {
        block_on(db.put(&[b'k', i], b"value")).unwrap();
    }
    drop(db);
    let name = file_named(&env, ".log");
    let mut log = env.read(&name).unwrap();
    let twice = records(&log)[4].clone();
    frame(&mut log, &twice, None);
    env.write(&name, &log);
    let db = block_on(Db::open(Rc::new(env), options)).unwrap();
    block_on(db.put(b"more", b"1")).unwrap();
    block_on(db.flush()).unwrap();
    assert_eq!(block_on(db.get(b"k\x04")).unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(block_on(db.verify()).unwrap().findings, []);
}

/// With the same log: a compaction whose inputs were out of order (with valid checksums) reported
/// its output as damaged, and was picked again for ever. It now reports an input, which is set
/// aside; reads and writes continue.
#[test]
fn tables_out_of_order_are_not_compacted_for_ever() {
    let env = MemoryEnv::new();
    let options = Options {
        create_if_missing: true,
        compression: Compression::None,
        block_restart_interval: 1,
        filter_policy: None,
        ..Options::default()
    };
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
    let round = |db: &Db| {
        for key in [b"lake-0", b"lake-1", b"lake-2", b"lake-3"] {
            block_on(db.put(key, b"value")).unwrap();
        }
        block_on(db.flush()).unwrap();
    };
    (0..3).for_each(|_| round(&db));
    drop(db);
    let name = file_named(&env, ".ldb");
    let mut table = env.read(&name).unwrap();
    let at = |table: &[u8], key: &[u8]| table.windows(key.len()).position(|w| w == key).unwrap();
    let (one, two) = (at(&table, b"lake-1"), at(&table, b"lake-2"));
    table[one + 5] = b'2';
    table[two + 5] = b'1';
    reseal_first_block(&mut table);
    env.write(&name, &table);
    let db = block_on(Db::open(Rc::new(env), options)).unwrap();
    for _ in 0..20 {
        round(&db);
    }
    for _ in 0..10_000 {
        if !block_on(db.background(0)).unwrap() {
            break;
        }
    }
    assert!(!db.has_background_work(), "work without end");
    assert_eq!(db.state(), DbState::Open);
    assert_eq!(block_on(db.get(b"lake-0")).unwrap().as_deref(), Some(&b"value"[..]));
}

/// A manifest truncated exactly between two records opened as the previous version, although the
/// log of that version was removed: its entries, long in tables, were lost without an error, and
/// the tables were removed as unknown.
#[test]
fn a_manifest_truncated_between_records_is_not_read_as_an_older_database() {
    let env = MemoryEnv::new();
    let options = Options { create_if_missing: true, ..Options::default() };
    let db = block_on(Db::open(Rc::new(env.clone()), options.clone())).unwrap();
    block_on(db.put(b"a", b"1")).unwrap();
    block_on(db.flush()).unwrap();
    drop(db);
    let name = file_named(&env, "MANIFEST");
    let mut records = records(&env.read(&name).unwrap());
    records.pop();
    let mut cut = Vec::new();
    records.iter().for_each(|record| frame(&mut cut, record, None));
    env.write(&name, &cut);
    let error = block_on(Db::open(Rc::new(env), options)).unwrap_err();
    assert!(error.to_string().contains("later records are missing"), "{error}");
}
