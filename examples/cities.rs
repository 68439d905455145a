//! The world's towns in a database: loads them, flushes, compacts, reads all back, scans two ranges, and prints the tree of
//! levels and tables. `npm start` prepares the list (pkg-scripts/start.mjs tells its form) and runs this.
//!
//! ```text
//! cargo run --release --example cities -- --data target/cities.tsv --dir target/cities-db
//!
//! key     country, 0, geohash, 0, name      so that a country, or an area of one, is a range
//! value   division, tab, latitude, tab, longitude
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use varve::env::StdFsEnv;
use varve::{Db, Options, ReadOptions, TableInfo, WriteBatch, WriteOptions, block_on};

/// Towns written in one batch.
const BATCH: usize = 1000;
/// Towns of a range that are printed.
const SHOWN: usize = 3;

type Towns = BTreeMap<Vec<u8>, Vec<u8>>;
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match arguments().and_then(|(data, directory)| block_on(run(&data, directory))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cities: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Outcome<(PathBuf, PathBuf)> {
    let (mut data, mut directory) = (None, None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        match name.to_str() {
            Some("--data") => data = arguments.next(),
            Some("--dir") => directory = arguments.next(),
            _ => return Err(format!("unknown argument {}", name.display()).into()),
        }
    }
    match (data, directory) {
        (Some(data), Some(directory)) => Ok((data.into(), directory.into())),
        _ => Err("usage: cities --data TSV --dir DIRECTORY".into()),
    }
}

async fn run(data: &PathBuf, directory: PathBuf) -> Outcome {
    let text = std::fs::read_to_string(data).map_err(|error| format!("{}: {error}", data.display()))?;
    let towns = read_towns(&text)?;
    println!("database     {}", directory.display());
    let options = Options { create_if_missing: true, ..Options::default() };
    let db = Db::open(Rc::new(StdFsEnv::new(directory)), options).await?;
    refuse_foreign_entries(&db, &towns).await?;
    load(&db, &towns).await?;
    db.flush().await?;
    db.compact_range(None, None).await?;
    compare(&db, &towns).await?;
    println!();
    scan(&db, "the towns of Iceland", b"IS\0").await?;
    scan(&db, "the middle of Paris, the area u09tv", b"FR\0u09tv").await?;
    print_tree(&db.tables());
    print_work(&db);
    Ok(db.close().await?)
}

/// One town a line: country, geohash, name, division, latitude, longitude.
fn read_towns(text: &str) -> Outcome<Towns> {
    let mut towns = Towns::new();
    for (number, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [country, geohash, name, division, latitude, longitude] = fields[..] else {
            return Err(format!("line {}: {} fields, expected 6", number + 1, fields.len()).into());
        };
        let key = [country, geohash, name].join("\0").into_bytes();
        towns.insert(key, [division, latitude, longitude].join("\t").into_bytes());
    }
    Ok(towns)
}

/// A database that holds anything else is somebody's: nothing is written into it.
async fn refuse_foreign_entries(db: &Db, towns: &Towns) -> Outcome {
    let mut it = db.iter(&ReadOptions::default())?;
    let mut found = it.seek_to_first().await?;
    while found {
        if !towns.contains_key(it.key()) {
            return Err(
                format!("there is another database: it holds {}; choose another --dir", readable(it.key())).into()
            );
        }
        found = it.next().await?;
    }
    Ok(())
}

async fn load(db: &Db, towns: &Towns) -> Outcome {
    let entries: Vec<_> = towns.iter().collect();
    for chunk in entries.chunks(BATCH) {
        let mut batch = WriteBatch::new();
        chunk.iter().for_each(|(key, value)| batch.put(key, value));
        db.write(&WriteOptions::default(), batch).await?;
    }
    let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len()).sum();
    println!("written      {} towns, {} bytes of keys and values", grouped(towns.len()), grouped(bytes));
    Ok(())
}

/// Every entry in order, then every key by itself.
async fn compare(db: &Db, towns: &Towns) -> Outcome {
    let mut it = db.iter(&ReadOptions::default())?;
    let mut found = it.seek_to_first().await?;
    for (key, value) in towns {
        if !found || it.key() != key || it.value() != value {
            return Err(format!("the scan does not give {}", readable(key)).into());
        }
        found = it.next().await?;
    }
    if found {
        return Err(format!("the scan goes on to {}", readable(it.key())).into());
    }
    for (key, value) in towns {
        if db.get(key).await?.as_ref() != Some(value) {
            return Err(format!("get does not find {}", readable(key)).into());
        }
    }
    let report = db.verify().await?;
    if let Some(finding) = report.findings.first() {
        return Err(finding.clone().into());
    }
    println!("read back    {} towns by a scan and one by one, all as written; checksums hold", grouped(towns.len()));
    Ok(())
}

/// All keys that begin with `prefix`.
async fn scan(db: &Db, what: &str, prefix: &[u8]) -> Outcome {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let options = ReadOptions { lower_bound: Some(prefix.to_vec()), upper_bound: Some(end), ..ReadOptions::default() };
    let mut it = db.iter(&options)?;
    let mut found = it.seek_to_first().await?;
    let (mut count, mut names) = (0, Vec::new());
    while found {
        count += 1;
        if names.len() < SHOWN {
            names.push(
                String::from_utf8_lossy(it.key().rsplit(|byte| *byte == 0).next().unwrap_or_default()).into_owned(),
            );
        }
        found = it.next().await?;
    }
    let more = if count > names.len() { " ..." } else { "" };
    println!("range        {what}: {} towns: {}{more}", grouped(count), names.join(", "));
    Ok(())
}

fn print_tree(tables: &[TableInfo]) {
    let bytes: u64 = tables.iter().map(|table| table.size).sum();
    println!("\ntree         {} tables, {} bytes", tables.len(), grouped(bytes));
    for level in 0..varve::LEVELS {
        let of_level: Vec<_> = tables.iter().filter(|table| table.level == level).collect();
        if of_level.is_empty() {
            continue;
        }
        let bytes: u64 = of_level.iter().map(|table| table.size).sum();
        println!("  level {level}    {} tables, {} bytes", of_level.len(), grouped(bytes));
        for table in of_level {
            let (first, last) = (readable(&table.smallest), readable(&table.largest));
            println!("    {:06}.ldb {:>11} bytes   {first}  to  {last}", table.number, grouped(table.size));
        }
    }
}

fn print_work(db: &Db) {
    let counters = db.counters();
    println!(
        "\nwork         log {} bytes, flushed {}, compacted {}; {} blocks read, {} found in the cache",
        grouped(counters.bytes_logged),
        grouped(counters.bytes_flushed),
        grouped(counters.bytes_compacted),
        grouped(counters.block_reads),
        grouped(counters.block_cache_hits)
    );
}

/// `IS/ge8h8j4vf/Reykjavik`.
fn readable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace('\0', "/")
}

/// Digits in groups of three.
fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
