//! Rows that this storage has not written.

use varve::env::{ChunkModel, Row, block_on};
use varve::{Db, Options, WriteOptions, repair};

use super::{env, open};
use crate::common::model::Map;
use crate::common::world::{contents, key, small_options};

fn small_database(seed: u64) -> (ChunkModel, Options, Map) {
    let model = ChunkModel::new(seed);
    let options = Options { reuse_logs: false, ..small_options() };
    let db = open(&model, &options).unwrap();
    for at in 0..300 {
        block_on(db.put(&key(at), &[b'v'; 300])).unwrap();
    }
    block_on(db.flush()).unwrap();
    block_on(db.put_with(&WriteOptions { sync: true }, b"last", b"in the log")).unwrap();
    let expected = contents(&db).unwrap();
    drop(db);
    (model, options, expected)
}

/// Opens and reads everything, repairs, and reads again; nothing panics, and no wrong value is read.
fn is_told(model: &ChunkModel, options: &Options, expected: &Map, what: &str) -> bool {
    let is_part = |found: &Map| found.iter().all(|(key, value)| expected.get(key) == Some(value));
    let told = match open(model, options).and_then(|db| contents(&db)) {
        Ok(found) => {
            assert!(is_part(&found), "{what}: a wrong value is read");
            found != *expected
        }
        Err(error) => {
            assert!(matches!(error.code(), "corruption" | "evicted"), "{what}: {error}");
            true
        }
    };
    if block_on(repair(env(model), options.clone())).is_ok() {
        let db: Db = open(model, options).unwrap_or_else(|e| panic!("{what}: it does not open after a repair: {e}"));
        let found = contents(&db).unwrap_or_else(|e| panic!("{what}: it is damaged after a repair: {e}"));
        assert!(is_part(&found), "{what}: a wrong value after a repair");
    }
    told
}

#[test]
fn any_row_that_is_missing_or_of_another_type_or_size_is_damage() {
    let (model, options, expected) = small_database(1);
    let rows: usize = model.rows().iter().sum();
    assert!(rows > 10, "{rows} rows");
    type Damage = fn(Row) -> Option<Row>;
    let damages: [(&str, Damage); 6] = [
        ("missing", |_| None),
        ("a number", |_| Some(Row::Foreign("number".to_owned()))),
        ("empty", |_| Some(Row::Bytes(Vec::new()))),
        ("longer", |row| bytes(row, |bytes| bytes.extend([7; 70_000]))),
        ("shorter", |row| bytes(row, |bytes| bytes.truncate(bytes.len() / 2))),
        ("other bytes", |row| bytes(row, |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 0x5a))),
    ];
    let mut told = 0;
    for at in 0..rows {
        for (name, damage) in damages {
            let image = model.kill();
            image.change_row(at, damage);
            told += usize::from(is_told(&image, &options, &expected, &format!("row {at} is {name}")));
        }
    }
    assert!(told > rows * 4, "{told} of {} were noticed", rows * damages.len());
}

fn bytes(row: Row, change: impl FnOnce(&mut Vec<u8>)) -> Option<Row> {
    let Row::Bytes(mut bytes) = row else { return None };
    change(&mut bytes);
    Some(Row::Bytes(bytes))
}

#[test]
fn any_flipped_bit_of_the_head_and_the_rows_of_files_is_damage() {
    let (model, options, _) = small_database(2);
    let [heads, files, _] = model.rows();
    for at in 0..heads + files {
        for bit in (0..48 * 8).step_by(5) {
            let image = model.kill();
            image.change_row(at, |row| {
                bytes(row, |bytes| {
                    let len = bytes.len();
                    bytes[bit / 8 % len] ^= 1 << (bit % 8);
                })
            });
            let error = open(&image, &options).err().unwrap_or_else(|| panic!("row {at}, bit {bit}: it opens"));
            assert_eq!(error.code(), "corruption", "row {at}, bit {bit}: {error}");
        }
    }
}
