//! False values in every field that is a length, an offset, a number or a count.
//!
//! The results must not depend on the size of `usize`: the same table, `hostile.txt`, is checked
//! natively and, by `tests/web.rs` and `tests/node.rs`, in WebAssembly.
//!
//! `VARVE_BLESS=1` writes the table again from the native results; read the difference before you
//! commit it.

#[path = "hostile/files.rs"]
mod files;

use std::rc::Rc;

use varve::env::MemoryEnv;
use varve::{Db, Error, Options, ReadOptions, RecoveryMode, repair};

use crate::common::block_on;
use files::{Batch, Database, Edit, Handle, Table};

const EXPECTED: &str = include_str!("hostile.txt");

/// Values where 32 and 64 bits, signed and unsigned, and sums with a block's trailer differ.
const LIES: [(&str, u64); 9] = [
    ("0", 0),
    ("2^31-1", (1 << 31) - 1),
    ("2^31", 1 << 31),
    ("2^32-1", (1 << 32) - 1),
    ("2^32", 1 << 32),
    ("2^32+16", (1 << 32) + 16),
    ("2^63", 1 << 63),
    ("2^64-5", u64::MAX - 4),
    ("2^64-1", u64::MAX),
];

const LIES_32: [(&str, u32); 5] =
    [("0", 0), ("2^30", 1 << 30), ("2^31-1", (1 << 31) - 1), ("2^31", 1 << 31), ("2^32-1", u32::MAX)];

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn hostile_databases_give_the_recorded_results() {
    if std::env::var_os("VARVE_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/hostile.txt");
        return std::fs::write(path, verdicts().join("\n") + "\n").unwrap();
    }
    check();
}

/// Panics with all results that are not as expected.
pub fn check() {
    let found = verdicts();
    let expected: Vec<&str> = EXPECTED.lines().collect();
    let different: Vec<String> = found
        .iter()
        .zip(&expected)
        .filter(|(found, expected)| found != *expected)
        .map(|(found, expected)| format!("expected {expected}\n   found {found}"))
        .collect();
    assert!(different.is_empty(), "{} of {} verdicts differ:\n{}", different.len(), found.len(), different.join("\n"));
    assert_eq!(found.len(), expected.len(), "cases");
}

/// One line per case.
fn verdicts() -> Vec<String> {
    cases().iter().map(|(name, database)| format!("{name}: {}", verdict(&database.env()))).collect()
}

fn cases() -> Vec<(String, Database)> {
    let truth = Database::default();
    let mut cases = vec![("the truth".to_string(), truth)];
    let mut add = |name: &str, value: &str, database: Database| cases.push((format!("{name} {value}"), database));
    for (value, lie) in LIES {
        for (name, handle) in
            [("offset", Handle { offset: Some(lie), size: None }), ("size", Handle { offset: None, size: Some(lie) })]
        {
            let t = Table::default();
            add(&format!("data block {name}"), value, Database { table: Table { data: handle, ..t }, ..truth });
            add(&format!("filter block {name}"), value, Database { table: Table { filter: handle, ..t }, ..truth });
            add(&format!("index block {name}"), value, Database { table: Table { index: handle, ..t }, ..truth });
            add(
                &format!("metaindex block {name}"),
                value,
                Database { table: Table { metaindex: handle, ..t }, ..truth },
            );
        }
        let (t, b, e, lie) = (Table::default(), Batch::default(), Edit::default(), Some(lie));
        add("entry shared", value, Database { table: Table { shared: lie, ..t }, ..truth });
        add("entry non-shared", value, Database { table: Table { non_shared: lie, ..t }, ..truth });
        add("entry value length", value, Database { table: Table { value_length: lie, ..t }, ..truth });
        add("snappy length", value, Database { table: Table { snappy_length: lie, ..t }, ..truth });
        add("batch sequence", value, Database { batch: Batch { sequence: lie, ..b }, ..truth });
        add("batch key length", value, Database { batch: Batch { key_length: lie, ..b }, ..truth });
        add("batch value length", value, Database { batch: Batch { value_length: lie, ..b }, ..truth });
        add("edit comparator length", value, Database { edit: Edit { comparator_length: lie, ..e }, ..truth });
        add("edit log number", value, Database { edit: Edit { log_number: lie, ..e }, ..truth });
        add("edit previous log number", value, Database { edit: Edit { previous_log_number: lie, ..e }, ..truth });
        add("edit next file number", value, Database { edit: Edit { next_file_number: lie, ..e }, ..truth });
        add("edit last sequence", value, Database { edit: Edit { last_sequence: lie, ..e }, ..truth });
        add("edit level", value, Database { edit: Edit { level: lie, ..e }, ..truth });
        add("edit table number", value, Database { edit: Edit { number: lie, ..e }, ..truth });
        add("edit table size", value, Database { edit: Edit { size: lie, ..e }, ..truth });
        add("edit smallest length", value, Database { edit: Edit { smallest_length: lie, ..e }, ..truth });
    }
    for (value, lie) in LIES_32 {
        let (t, lie) = (Table::default(), Some(lie));
        add("restart count", value, Database { table: Table { restart_count: lie, ..t }, ..truth });
        add("first restart", value, Database { table: Table { first_restart: lie, ..t }, ..truth });
        add("filter offsets start", value, Database { table: Table { filter_offsets_start: lie, ..t }, ..truth });
        add("filter offset", value, Database { table: Table { filter_offset: lie, ..t }, ..truth });
        add("batch count", value, Database { batch: Batch { count: lie, ..Batch::default() }, ..truth });
    }
    for base_lg in [0, 31, 32, 63, 64, 255] {
        let table = Table { filter_base_lg: Some(base_lg), ..Table::default() };
        add("filter base_lg", &base_lg.to_string(), Database { table, ..truth });
    }
    for length in [0, 32_768, 65_535] {
        add("fragment length", &length.to_string(), Database { fragment_length: Some(length), ..truth });
    }
    for current in ["MANIFEST-4294967300\n", "MANIFEST-18446744073709551615\n", "MANIFEST-18446744073709551620\n"] {
        add("CURRENT", current.trim_end(), Database { current: Some(current), ..truth });
    }
    cases
}

/// The results of opening, reading, verifying and repairing, each on its own copy.
fn verdict(env: &MemoryEnv) -> String {
    let options = |recovery| Options { recovery, ..Options::default() };
    let mut out = match open(env, options(RecoveryMode::PointInTime)) {
        Ok(db) => format!("opens, {}, {}, {}", scan(&db), get(&db), verify(&db)),
        Err(error) => code(&error),
    };
    for (name, recovery) in [("strict", RecoveryMode::Strict), ("compat", RecoveryMode::Compat)] {
        let found = open(env, options(recovery)).map_or_else(|error| code(&error), |db| scan(&db));
        out += &format!("; {name} {found}");
    }
    let copy = env.snapshot();
    let repaired = match block_on(repair(Rc::new(copy.clone()), Options::default())) {
        Ok(report) => match open(&copy, Options::default()) {
            Ok(db) => format!("{} findings, {}", report.findings.len(), scan(&db)),
            Err(error) => format!("then {}", code(&error)),
        },
        Err(error) => code(&error),
    };
    out + &format!("; repair {repaired}")
}

fn open(env: &MemoryEnv, options: Options) -> Result<Db, Error> {
    block_on(Db::open(Rc::new(env.snapshot()), options))
}

fn scan(db: &Db) -> String {
    let mut keys = String::new();
    let result = block_on(async {
        let mut it = db.iter(&ReadOptions::default())?;
        let mut valid = it.seek_to_first().await?;
        while valid {
            keys += &it.key().escape_ascii().to_string();
            valid = it.next().await?;
        }
        Ok(())
    });
    result.map_or_else(|error| format!("scan {keys} then {}", code(&error)), |()| format!("scan {keys}"))
}

fn get(db: &Db) -> String {
    match block_on(db.get(b"b")) {
        Ok(Some(value)) => format!("get {}", value.escape_ascii()),
        Ok(None) => "get nothing".to_string(),
        Err(error) => format!("get {}", code(&error)),
    }
}

fn verify(db: &Db) -> String {
    match block_on(db.verify()) {
        Ok(report) => report.findings.first().map_or("verified".to_string(), |e| format!("verify {}", code(e))),
        Err(error) => format!("verify {}", code(&error)),
    }
}

fn code(error: &Error) -> String {
    match error {
        Error::Corruption(c) => format!("corruption {}@{}", c.file, c.offset),
        Error::Io(io) => format!("{} {}", error.code(), io.kind),
        _ => error.code().to_string(),
    }
}
