//! Two owners at once, and databases that vanish.

use std::rc::Rc;

use varve::env::{ChunkEnv, ChunkModel, Env, block_on};
use varve::{Db, Options, WriteOptions};

use super::{env, open};
use crate::common::random::Random;
use crate::common::world::{contents, key, small_options};

/// A browser gives the lock to another page, or has no locks.
#[test]
fn an_owner_of_an_old_epoch_writes_nothing_any_more() {
    for seed in 0..1_000 {
        let mut random = Random::new(seed);
        let model = ChunkModel::new(seed);
        let options = small_options();
        let old = open(&model, &options).unwrap();
        for n in 0..random.below(30) {
            block_on(old.put_with(&WriteOptions { sync: random.one_in(3) }, &key(n), b"old")).unwrap();
        }
        model.steal_lock();
        let new = open(&model, &options).unwrap();
        let expected = contents(&new).unwrap();
        let error = block_on(old.put_with(&WriteOptions { sync: random.one_in(2) }, b"late", b"x")).unwrap_err();
        let is_told = |error: &varve::Error| error.to_string().contains("taken over");
        assert!(is_told(&error), "seed {seed}: {error}");
        let error = block_on(old.put(b"later", b"x")).unwrap_err();
        assert!(is_told(&error), "seed {seed}: {error}");
        let _ = block_on(old.close());
        drop(old);
        block_on(new.put(b"new", b"y")).unwrap();
        assert_eq!(contents(&new).unwrap().len(), expected.len() + 1, "seed {seed}");
        drop(new);
        let again = open(&model, &options).unwrap();
        assert_eq!(contents(&again).unwrap().get(&b"late"[..]), None, "seed {seed}");
    }
}

#[test]
fn a_write_of_an_old_owner_is_fenced() {
    let model = ChunkModel::new(1);
    let old = ChunkEnv::new(Rc::new(model.clone()));
    let new = ChunkEnv::new(Rc::new(model.clone()));
    let first = block_on(old.lock(true)).unwrap();
    model.steal_lock();
    assert!(block_on(new.lock(true)).unwrap() > first);
    let created = block_on(old.create("a", varve::env::FileKind::Log, 0));
    assert_eq!(created.err().unwrap().code(), "fenced");
    assert_eq!(block_on(old.list()).unwrap_err().code(), "fenced");
    assert!(block_on(new.list()).unwrap().is_empty());
}

#[test]
fn a_database_that_was_evicted_while_it_was_open_says_so_and_is_not_made_anew() {
    let model = ChunkModel::new(2);
    let options = small_options();
    let db = open(&model, &options).unwrap();
    block_on(db.put(b"a", b"1")).unwrap();
    model.evict();
    let error = block_on(db.put(b"b", b"2")).unwrap_err();
    assert!(error.to_string().contains("deleted"), "{error}");
    assert_eq!(model.rows(), [0, 0, 0]);
}

#[test]
fn a_database_without_its_rows_is_told_from_a_new_one() {
    let model = ChunkModel::new(3);
    let options = small_options();
    let db = open(&model, &options).unwrap();
    block_on(db.put(b"a", b"1")).unwrap();
    drop(db);
    model.empty();
    assert_eq!(open(&model, &options).err().unwrap().code(), "evicted");
    assert_eq!(open(&model, &options).err().unwrap().code(), "evicted", "also the next time");
    let missing = open(&ChunkModel::new(4), &Options { create_if_missing: false, ..options.clone() });
    assert_eq!(missing.err().unwrap().code(), "invalid-argument");
}

#[test]
fn a_second_owner_is_refused_and_readers_read_beside_the_owner() {
    let model = ChunkModel::new(4);
    let options = small_options();
    let db = open(&model, &options).unwrap();
    for n in 0..200 {
        block_on(db.put(&key(n), &[b'v'; 500])).unwrap();
    }
    block_on(db.flush()).unwrap();
    let expected = contents(&db).unwrap();
    assert_eq!(open(&model, &options).err().unwrap().code(), "locked");
    let read_only = Options { read_only: true, create_if_missing: false, ..options };
    let reader = block_on(Db::open(env(&model), read_only)).unwrap();
    assert_eq!(contents(&reader).unwrap(), expected);
    assert_eq!(contents(&db).unwrap(), expected);
}
