//! Bugs of iterators.

use std::rc::Rc;

use varve::env::MemoryEnv;
use varve::{Db, DbIterator, Error, Options, ReadOptions, TableFile, block_on};

fn filled(env: &MemoryEnv) -> Db {
    let options = Options { create_if_missing: true, ..Options::default() };
    let db = block_on(Db::open(Rc::new(env.clone()), options)).unwrap();
    for i in 0..3u8 {
        block_on(db.put(&[b'k', i], b"value")).unwrap();
    }
    db
}

/// It stayed at its entry after `Err(Closed)`, so that a loop over `valid()` never ended.
#[test]
fn an_iterator_of_a_closed_database_is_not_positioned() {
    for drops in [false, true] {
        for forward in [true, false] {
            let db = filled(&MemoryEnv::new());
            let mut it: DbIterator = db.iter(&ReadOptions::default()).unwrap();
            block_on(async {
                assert!(if forward { it.seek_to_first().await } else { it.seek_to_last().await }.unwrap());
                if drops {
                    drop(db)
                } else {
                    db.close().await.unwrap()
                }
                let mut moves = 0;
                while it.valid() {
                    moves += 1;
                    let moved = if forward { it.next().await } else { it.prev().await };
                    assert_eq!(moved, Err(Error::Closed));
                }
                assert_eq!(moves, 1);
                assert_eq!((it.key(), it.value()), (&[][..], &[][..]));
                assert_eq!(it.status(), Err(Error::Closed));
                assert_eq!(it.next().await, Err(Error::Closed));
                assert_eq!(it.seek(b"k").await, Err(Error::Closed));
                assert_eq!(it.status(), Err(Error::Closed));
            });
        }
    }
}

/// It returned true before any seek and past the end.
#[test]
fn an_iterator_of_a_table_file_that_is_not_positioned_does_not_move() {
    let env = MemoryEnv::new();
    let db = filled(&env);
    block_on(async {
        db.flush().await.unwrap();
        let name = format!("{:06}.ldb", db.tables()[0].number);
        let table = TableFile::open(&env, &name, &Options::default()).await.unwrap();
        let mut it = table.iter(true);
        assert!(!it.next().await && it.key().is_empty() && it.value().is_empty());
        assert!(it.seek_to_first().await);
        let mut entries = 1;
        while it.next().await {
            entries += 1;
        }
        assert_eq!(entries, 3);
        for _ in 0..3 {
            assert!(!it.next().await && it.key().is_empty());
        }
        assert_eq!(it.status(), Ok(()));
    });
}
