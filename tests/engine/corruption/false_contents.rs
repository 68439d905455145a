//! Files with valid checksums and false contents (scorecard R07).
//!
//! Not every false value can be detected. Required: no panic, no endless loop, and no value that
//! was not written under its key, in any operation.

use std::rc::Rc;

use varve::env::{Env, MemoryEnv};
use varve::{Options, ReadOptions, RecoveryMode, WriteOptions, block_on, repair};

use crate::common::framing::frame;

use super::bytes::{block, entries, footer, internal, parts, prefixed, records, seal, varint};
use super::image::{Image, Tally, open, options, reading, scan, scan_back};

const MODES: [RecoveryMode; 3] = [RecoveryMode::Strict, RecoveryMode::PointInTime, RecoveryMode::Compat];

/// Values that fail first if lengths are cast to 32 bits.
const SIZES: [u64; 14] = [
    0,
    1,
    47,
    48,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 16,
    1 << 56,
    1 << 60,
    1 << 63,
    u64::MAX - 4,
    u64::MAX,
];

/// Runs every operation. `believed`: values may be wrong, since false contents of a table cannot be
/// detected.
fn endures(env: &MemoryEnv, image: &Image, believed: bool) -> bool {
    let check = |found: varve::Result<super::image::Map>| {
        if let Ok(found) = found
            && !believed
        {
            // The value of "k" after a put with a false length that fits.
            let said = |k: &[u8], v: &[u8]| image.was_written(k, v) || k.starts_with(b"new/") || k == b"k";
            let strange = found.iter().find(|(k, v)| !said(k, v));
            assert_eq!(strange, None, "a value that was never written");
        }
    };
    let read = ReadOptions::default();
    let mut opened = false;
    for mode in MODES {
        if let Ok(db) = open(env, reading(mode)) {
            opened = true;
            check(scan(&db, &read, None));
            let _ = scan_back(&db, &read, None);
            let _ = scan(&db, &ReadOptions { verify_checksums: false, ..read.clone() }, None);
            let _ = block_on(db.verify());
            let _ = block_on(db.approximate_sizes(&[(b"a", b"z")]));
        }
        let writable = env.snapshot();
        let options = Options { create_if_missing: true, recovery: mode, write_buffer_size: 4 << 10, ..options() };
        if let Ok(db) = open(&writable, options.clone()) {
            for i in 0..20u8 {
                let key = [b"new/", &[i][..]].concat();
                let _ = block_on(db.put_with(&WriteOptions { sync: i % 4 == 0 }, &key, &[i; 400]));
            }
            let _ = block_on(db.get(b"deep/0007"));
            let _ = block_on(db.flush());
            for key in [&b"deep/0001"[..], b"shallow/0007", b"log/0001/0"] {
                let _ = block_on(db.get(key));
            }
            let _ = block_on(db.compact_range(None, None));
            let _ = block_on(db.delete_range(Some(b"new/"), Some(b"new/\x05")));
            for _ in 0..100 {
                if !matches!(block_on(db.background(0)), Ok(true)) {
                    break;
                }
            }
            check(scan(&db, &read, None));
            let _ = db.property("leveldb.stats");
            let _ = db.tables();
            let _ = block_on(db.close());
        }
        if let Ok(db) = open(&writable, options) {
            check(scan(&db, &read, None));
        }
    }
    for paranoid_checks in [true, false] {
        let repaired = env.snapshot();
        let options = Options { paranoid_checks, ..options() };
        if block_on(repair(Rc::new(repaired.clone()) as Rc<dyn Env>, options.clone())).is_ok()
            && let Ok(db) = open(&repaired, options)
        {
            check(scan(&db, &read, None));
        }
    }
    opened
}

fn new_file(level: u64, number: u64, size: u64, smallest: &[u8], largest: &[u8]) -> Vec<u8> {
    [vec![7], varint(level), varint(number), varint(size), prefixed(smallest), prefixed(largest)].concat()
}

/// Fields of a version edit, each false after those in the manifest.
fn edits(table: (u64, u64)) -> Vec<Vec<u8>> {
    let (number, size) = table;
    let (low, high) = (internal(b"a", 5, 1), internal(b"z", 6, 1));
    let mut lies = Vec::new();
    for level in [6, 7, 8, 9, 127, 1 << 31, u64::from(u32::MAX), u64::MAX] {
        lies.push(new_file(level, number, size, &low, &high));
        lies.push([vec![6], varint(level), varint(number)].concat());
        lies.push([vec![5], varint(level), prefixed(&low)].concat());
    }
    for value in SIZES.into_iter().chain([2, number, number + 1, (1 << 56) - 1, u64::MAX - 1]) {
        for tag in [2, 3, 4, 9] {
            lies.push([vec![tag], varint(value)].concat());
        }
        lies.push(new_file(0, value, size, &low, &high));
        lies.push(new_file(2, number, value, &low, &high));
        lies.push([vec![6, 0], varint(number), new_file(0, number, value, &low, &high)].concat());
    }
    for (smallest, largest) in [
        (high.clone(), low.clone()),
        (vec![], vec![]),
        (vec![1; 7], vec![2; 7]),
        (vec![0; 8], vec![0xff; 8]),
        (internal(b"m", 1, 0xff), internal(b"m", 1, 0xff)),
        (internal(b"m", (1 << 56) - 1, 1), internal(b"m", 0, 0)),
        (internal(b"", 1, 1), internal(&[0xff; 100_000], 1, 1)),
    ] {
        for level in [0, 1, 6] {
            lies.push(new_file(level, number, size, &smallest, &largest));
        }
    }
    // Two that overlap, in two records; the same number at two levels; one file a hundred times.
    lies.push([new_file(1, 90, size, &low, &high), new_file(1, 91, size, &low, &high)].concat());
    lies.push([new_file(1, number, size, &low, &high), new_file(2, number, size, &low, &high)].concat());
    lies.push(new_file(0, number, size, &low, &high).repeat(100));
    for bad in [&[0][..], &[8, 0], &[10, 1], &[0x80; 11], &[1, 0x80, 0x80, 0x80, 0x80, 0x7f], &[7, 1], &[5, 1, 200, 1]]
    {
        lies.push(bad.to_vec());
    }
    lies.push([vec![1], prefixed(b"leveldb.ReverseBytewiseComparator")].concat());
    lies.push([vec![1], prefixed(&[b'x'; 300_000])].concat());
    lies
}

#[test]
fn manifests_with_false_contents_never_cause_a_panic() {
    let image = Image::with_log();
    let name = image.manifest_name();
    let table = image.table_names()[0].clone();
    let size = image.read(&table).len() as u64;
    let number = table.trim_end_matches(".ldb").parse().unwrap();
    let whole = records(image.read(&name));
    let mut tally = Tally::default();
    let mut run = |records: &[Vec<u8>]| {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| frame(&mut bytes, record, None));
        tally.case(|| endures(&image.env(&[(&name, &bytes)]), &image, false));
    };
    for lie in edits((number, size)) {
        let behind: Vec<_> = whole.iter().cloned().chain([lie]).collect();
        run(&behind);
    }
    // Omitted fields: each record alone, each omitted.
    for i in 0..whole.len() {
        run(&whole[i..=i]);
        let mut fewer = whole.clone();
        fewer.remove(i);
        run(&fewer);
    }
    run(&[]);
    run(&[Vec::new()]);
    run(&[whole.clone(), vec![Vec::new(); 5000]].concat());
    tally.print("manifests that lie");
    assert!(tally.cases >= 170 && tally.errors > 0, "{} cases", tally.cases);
}

fn batch(sequence: u64, count: u32, operations: &[u8]) -> Vec<u8> {
    [&sequence.to_le_bytes()[..], &count.to_le_bytes(), operations].concat()
}

fn put(key: &[u8], value: &[u8]) -> Vec<u8> {
    [vec![1], prefixed(key), prefixed(value)].concat()
}

#[test]
fn logs_with_false_contents_never_cause_a_panic() {
    let image = Image::with_log();
    let name = image.log_name();
    let whole = records(image.read(&name));
    let next = u64::from_le_bytes(*whole.last().unwrap().first_chunk().unwrap()) + 3;
    let good = put(b"new/good", b"1");
    let mut lies: Vec<(Vec<u8>, Option<u8>)> = Vec::new();
    for count in [0, 2, 3, 1 << 16, 1 << 31, u32::MAX] {
        lies.push((batch(next, count, &good), None));
        lies.push((batch(next, count, &[]), None));
        lies.push((batch((1 << 56) - 2, count, &good), None));
    }
    for sequence in SIZES.into_iter().chain([(1 << 56) - 1, (1 << 56) - 2, next - 1, next + 1000]) {
        lies.push((batch(sequence, 1, &good), None));
        lies.push((batch(sequence, 3, &good.repeat(3)), None));
    }
    for length in 0..13 {
        lies.push((batch(next, 1, &good)[..length].to_vec(), None));
    }
    for tag in [2, 3, 7, 15, 127, 255] {
        lies.push((batch(next, 2, &[&good[..], &[tag], &good[1..]].concat()), None));
    }
    for length in SIZES {
        lies.push((batch(next, 1, &[vec![1], varint(length), b"key".to_vec()].concat()), None));
        lies.push((batch(next, 1, &[vec![1, 1, b'k'], varint(length), b"v".to_vec()].concat()), None));
        lies.push((batch(next, 1, &[vec![0], varint(length), b"key".to_vec()].concat()), None));
    }
    for kind in [0, 2, 3, 4, 5, 6, 7, 128, 255] {
        lies.push((batch(next, 1, &good), Some(kind)));
        lies.push((vec![7; 70_000], Some(kind)));
    }
    let mut tally = Tally::default();
    for (lie, kind) in &lies {
        for last in [true, false] {
            let mut bytes = image.read(&name).to_vec();
            frame(&mut bytes, lie, *kind);
            if !last {
                frame(&mut bytes, &batch(next + 1, 1, &good), None);
            }
            tally.case(|| endures(&image.env(&[(&name, &bytes)]), &image, false));
        }
    }
    let mut zero = Vec::new();
    (0..20_000).for_each(|_| frame(&mut zero, &[], None));
    tally.case(|| endures(&image.env(&[(&name, &zero)]), &image, false));
    tally.print("logs that lie");
    assert!(tally.cases >= 200, "{} cases", tally.cases);
}

/// A table of these blocks; `edit` may change index and footer last.
struct Rebuilt {
    data: Vec<(Vec<u8>, Vec<u8>)>,
    meta: Vec<(Vec<u8>, Vec<u8>)>,
    kind: u8,
}

impl Rebuilt {
    fn bytes(&self, index_of: impl Fn(Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8>) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut table = Vec::new();
        let mut index = Vec::new();
        for (key, contents) in &self.data {
            index.push((key.clone(), seal(&mut table, contents, self.kind)));
        }
        let filters =
            self.meta.iter().map(|(key, filter)| (key.clone(), seal(&mut table, filter, 0))).collect::<Vec<_>>();
        let meta = seal(&mut table, &block(&filters), 0);
        let index = seal(&mut table, &index_of(index), 0);
        (table, meta, index)
    }

    fn table(&self, index_of: impl Fn(Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8>) -> Vec<u8> {
        let (table, meta, index) = self.bytes(index_of);
        [table, footer(&meta, &index)].concat()
    }
}

/// The block with another restart array.
fn restarts(contents: &[u8], array: &[u32], count: u32) -> Vec<u8> {
    let stored = u32::from_le_bytes(*contents.last_chunk().unwrap()) as usize;
    let mut out = contents[..contents.len() - 4 - 4 * stored].to_vec();
    array.iter().for_each(|at| out.extend_from_slice(&at.to_le_bytes()));
    out.extend_from_slice(&count.to_le_bytes());
    out
}

/// False contents of one block, made from true ones.
fn blocks(contents: &[u8]) -> Vec<Vec<u8>> {
    let true_entries = entries(contents);
    let end = contents.len() as u32;
    let mut lies = vec![Vec::new(), vec![0; 3], vec![0; 4], vec![0; 8], vec![0xff; 4], vec![0xff; 64]];
    for count in [0, 2, 3, 0x3fff_ffff, 0x4000_0000, 0x4000_0001, 0x7fff_ffff, u32::MAX] {
        lies.push(restarts(contents, &[0], count));
    }
    for array in [[1, 2], [0, 0], [7, 0], [0, u32::MAX], [0, end], [0, end - 12], [u32::MAX, u32::MAX], [0, 1]] {
        lies.push(restarts(contents, &array, 2));
    }
    let mut backwards = true_entries.clone();
    backwards.reverse();
    lies.push(block(&backwards));
    lies.push(block(&vec![true_entries[0].clone(); 50]));
    for length in 0..9 {
        lies.push(block(&[(vec![b'q'; length], b"short".to_vec())]));
    }
    lies.push(block(&[(internal(b"deep/0001", 1, 2), b"kind".to_vec())]));
    lies.push(block(&[(internal(b"deep/0001", (1 << 56) - 1, 1), b"newest".to_vec())]));
    for lengths in
        [[1, 1, 1], [0xffff_ffff, 1, 1], [0, 0xffff_ffff, 1], [0, 1, 0xffff_ffff], [0, 1 << 31, 1 << 31], [200, 9, 0]]
    {
        let entry: Vec<u8> = lengths.into_iter().flat_map(|l: u64| varint(l)).chain([b'k'; 40]).collect();
        lies.push(restarts(&[&entry[..], &[0; 4]].concat(), &[0], 1));
    }
    lies
}

#[test]
fn tables_with_false_contents_never_cause_a_panic() {
    let image = Image::with_log();
    let manifest = image.manifest_name();
    let name = image.table_names()[0].clone();
    let old = image.read(&name);
    let taken = parts(old);
    let true_table = Rebuilt { data: taken.data, meta: taken.meta, kind: 0 };
    let mut tables = Vec::new();
    // False blocks, as data and as index.
    for lie in blocks(&true_table.data[0].1) {
        let data = [vec![(true_table.data[0].0.clone(), lie.clone())], true_table.data[1..].to_vec()].concat();
        tables.push(Rebuilt { data, meta: true_table.meta.clone(), kind: 0 }.table(|index| block(&index)));
        tables.push(true_table.table(|_| lie.clone()));
    }
    // False handles in the index.
    let (body, _, own) = true_table.bytes(|index| block(&index));
    let mut handles: Vec<Vec<u8>> = SIZES
        .iter()
        .flat_map(|s| [[varint(0), varint(*s)], [varint(*s), varint(100)], [varint(*s), varint(*s)]])
        .map(|h| h.concat())
        .collect();
    handles.extend([own, vec![], vec![0x80], vec![0xff; 20], [varint(body.len() as u64), varint(48)].concat()]);
    for handle in &handles {
        tables.push(true_table.table(|index| block(&[(index[0].0.clone(), handle.clone())])));
        // False handles in the footer, one after the other.
        let (body, meta, index) = true_table.bytes(|index| block(&index));
        if handle.len() <= 20 {
            tables.push([&body[..], &footer(handle, &index)].concat());
            tables.push([&body[..], &footer(&meta, handle)].concat());
            tables.push([&body[..], &footer(handle, handle)].concat());
        }
    }
    let many = |index: Vec<(Vec<u8>, Vec<u8>)>| block(&vec![index[0].clone(); 3000]);
    tables.push(true_table.table(many));
    tables.push(true_table.table(|mut index| {
        index.reverse();
        block(&index)
    }));
    // False types, and a false filter.
    for kind in (0..8).chain([127, 255]) {
        tables
            .push(Rebuilt { data: true_table.data.clone(), meta: true_table.meta.clone(), kind }.table(|i| block(&i)));
        let bomb = [varint(u64::from(u32::MAX)), vec![0, 0x61]].concat();
        let data = vec![(true_table.data[0].0.clone(), bomb)];
        tables.push(Rebuilt { data, meta: Vec::new(), kind }.table(|i| block(&i)));
    }
    for filter in [
        vec![],
        vec![11],
        vec![0xff; 5],
        vec![0, 0, 0, 0, 0, 0xff],
        vec![0; 9],
        [vec![0xff; 40], vec![0, 0, 0, 0, 63]].concat(),
    ] {
        let meta = vec![(b"filter.leveldb.BuiltinBloomFilter2".to_vec(), filter)];
        tables.push(Rebuilt { data: true_table.data.clone(), meta, kind: 0 }.table(|i| block(&i)));
    }
    let mut tally = Tally::default();
    for table in &tables {
        let mut bytes = Vec::new();
        let (from, to) = (varint(old.len() as u64), varint(table.len() as u64));
        for record in records(image.read(&manifest)) {
            let at = record.windows(from.len()).position(|w| w == from);
            let record = at.map_or(record.clone(), |at| [&record[..at], &to, &record[at + from.len()..]].concat());
            frame(&mut bytes, &record, None);
        }
        tally.case(|| endures(&image.env(&[(&name, table), (&manifest, &bytes)]), &image, true));
    }
    tally.print("tables that lie");
    assert!(tally.cases >= 200, "{} cases", tally.cases);
}
