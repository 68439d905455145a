//! Databases whose order of keys is not known are read as they are stored, and never written.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use varve::env::{Env, MemoryEnv};
use varve::{Db, Options, ReadOptions, UserComparator, WriteBatch, WriteOptions, block_on, verify};

use super::common::comparators::{LengthFirst, ReverseBytewise};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

fn as_stored() -> Options {
    Options { comparator: UserComparator::as_stored(), read_only: true, ..Options::default() }
}

/// All entries in the order in which they come; each key must come once.
fn entries(env: &Rc<dyn Env>, options: Options) -> Vec<(Vec<u8>, Vec<u8>)> {
    block_on(async {
        let db = Db::open(env.clone(), options).await.unwrap();
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        let mut found = Vec::new();
        let mut valid = it.seek_to_first().await.unwrap();
        while valid {
            found.push((it.key().to_vec(), it.value().to_vec()));
            valid = it.next().await.unwrap();
        }
        it.status().unwrap();
        db.close().await.unwrap();
        found
    })
}

fn sorted(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Map {
    let count = entries.len();
    let map: Map = entries.into_iter().collect();
    assert_eq!(map.len(), count, "a key came twice");
    map
}

/// A database with several levels, overwritten and deleted keys, and entries in its log.
fn written(comparator: UserComparator) -> (Rc<dyn Env>, Map) {
    let env: Rc<dyn Env> = Rc::new(MemoryEnv::new());
    let options = Options {
        create_if_missing: true,
        comparator,
        write_buffer_size: 16 << 10,
        max_file_size: 16 << 10,
        ..Options::default()
    };
    let mut model = Map::new();
    block_on(async {
        let db = Db::open(env.clone(), options).await.unwrap();
        for round in 0..40u32 {
            let mut batch = WriteBatch::new();
            for i in 0..60u32 {
                let n = (round * 7919 + i * 104_729) % 1500;
                let key = format!("{:>width$}", n, width = 1 + (n % 9) as usize).into_bytes();
                if (round + i) % 5 == 0 {
                    batch.delete(&key);
                    model.remove(&key);
                } else {
                    let value = format!("{round} {i} {}", "v".repeat(40)).into_bytes();
                    batch.put(&key, &value);
                    model.insert(key, value);
                }
            }
            db.write(&WriteOptions::default(), batch).await.unwrap();
            if round == 20 {
                db.compact_range(None, None).await.unwrap();
            } else if round % 9 == 0 {
                db.flush().await.unwrap();
            }
        }
        db.close().await.unwrap();
    });
    (env, model)
}

#[test]
fn every_key_comes_once_with_its_newest_value() {
    for comparator in [
        UserComparator::Custom(Rc::new(ReverseBytewise)),
        UserComparator::Custom(Rc::new(LengthFirst)),
        UserComparator::Bytewise,
    ] {
        let (env, model) = written(comparator);
        assert_eq!(sorted(entries(&env, as_stored())), model);
    }
}

#[test]
fn one_level_comes_in_its_own_order() {
    let (env, _) = written(UserComparator::Custom(Rc::new(ReverseBytewise)));
    let own = || Options { comparator: UserComparator::Custom(Rc::new(ReverseBytewise)), ..Options::default() };
    block_on(async {
        let db = Db::open(env.clone(), own()).await.unwrap();
        db.compact_range(None, None).await.unwrap();
        db.close().await.unwrap();
    });
    assert_eq!(entries(&env, as_stored()), entries(&env, Options { read_only: true, ..own() }));
}

#[test]
fn what_needs_the_order_is_refused() {
    let (env, model) = written(UserComparator::Custom(Rc::new(LengthFirst)));
    let writing = Options { read_only: false, ..as_stored() };
    assert_eq!(block_on(Db::open(env.clone(), writing)).unwrap_err().code(), "invalid-argument");
    block_on(async {
        let db = Db::open(env.clone(), as_stored()).await.unwrap();
        let key = model.keys().next().unwrap();
        assert_eq!(db.get(key).await.unwrap_err().code(), "not-supported");
        assert_eq!(db.has(&ReadOptions::default(), key).await.unwrap_err().code(), "not-supported");
        assert_eq!(db.approximate_sizes(&[(b"a", b"b")]).await.unwrap_err().code(), "not-supported");
        assert_eq!(db.put(b"a", b"b").await.unwrap_err().code(), "not-supported");
        assert_eq!(db.compact_range(None, None).await.unwrap_err().code(), "not-supported");
        let bounded = ReadOptions { lower_bound: Some(b"a".to_vec()), ..ReadOptions::default() };
        assert_eq!(db.iter(&bounded).unwrap_err().code(), "not-supported");
        let mut it = db.iter(&ReadOptions::default()).unwrap();
        assert_eq!(it.seek(b"a").await.unwrap_err().code(), "not-supported");
        assert_eq!(it.seek_to_last().await.unwrap_err().code(), "not-supported");
        assert!(it.seek_to_first().await.unwrap());
        assert_eq!(it.prev().await.unwrap_err().code(), "not-supported");
        assert!(it.seek_to_first().await.unwrap(), "it can begin again");
        assert_eq!(db.verify().await.unwrap().findings, []);
        db.close().await.unwrap();
    });
    assert_eq!(block_on(varve::repair_as(env.clone(), as_stored())).unwrap_err().code(), "not-supported");
    let report = block_on(verify(env, Options::default())).unwrap();
    assert_eq!((report.findings, report.unknown_comparator.as_deref()), (vec![], Some("corpus.LengthFirst")));
}

#[test]
fn a_copy_has_the_entries_of_tables_and_logs_for_the_program_that_knows_the_order() {
    let (env, model) = written(UserComparator::Custom(Rc::new(LengthFirst)));
    let copy: Rc<dyn Env> = Rc::new(MemoryEnv::new());
    block_on(async {
        let db = Db::open(env.clone(), as_stored()).await.unwrap();
        db.checkpoint(&copy).await.unwrap();
        db.close().await.unwrap();
    });
    assert!(block_on(copy.list()).unwrap().iter().any(|name| name.ends_with(".log")));
    assert_eq!(sorted(entries(&copy, as_stored())), model);
    let own = Options { comparator: UserComparator::Custom(Rc::new(LengthFirst)), ..Options::default() };
    let found = entries(&copy, own);
    assert_eq!(sorted(found.clone()), model);
    assert!(found.windows(2).all(|pair| (pair[0].0.len(), &pair[0].0) < (pair[1].0.len(), &pair[1].0)));
    assert_eq!(block_on(verify(copy, Options::default())).unwrap().findings, []);
}

#[test]
fn a_fixture_of_leveldb_is_read_whole() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/comparator-reverse");
    let env: Rc<dyn Env> = Rc::new(varve::env::StdFsEnv::new(place));
    let own =
        Options { comparator: UserComparator::Custom(Rc::new(ReverseBytewise)), read_only: true, ..Options::default() };
    let found = sorted(entries(&env, as_stored()));
    assert_eq!(found.len(), 560);
    assert_eq!(found, sorted(entries(&env, own)));
}
