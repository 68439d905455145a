//! Tables that are valid, damaged, truncated, of other formats, or not tables.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test a panic is how a failure is said"
)]

mod corpus;
mod damage;
mod detect;
mod directory;
mod log;
mod manifest;
mod map;
mod mutations;
#[cfg(feature = "comparators")]
mod orders;
mod table;
mod trace;

use std::path::{Path, PathBuf};

use super::{Depth, Fact, KeyFact, Severity, Span, TableInspector};
use crate::base::{crc32c, mask, to_u64};

/// All spans; the inspector must end, and the bytes that it requests must lie in the file.
fn inspect(file: &[u8], entries: bool) -> Vec<Span> {
    let size = to_u64(file.len());
    let mut inspector = TableInspector::new(size, Depth::Spans { entries });
    let mut spans = Vec::new();
    let mut rounds = 0;
    while let Some((offset, length)) = inspector.wanted() {
        rounds += 1;
        assert!(rounds < 4 * file.len() + 1000, "no end");
        let start = usize::try_from(offset).unwrap();
        inspector.supply(&file[start..start + length]);
        spans.append(&mut inspector.take());
    }
    let mut line = String::new();
    spans.iter().for_each(|span| span.write_json(&mut line));
    spans
}

fn of<'a>(spans: &'a [Span], kind: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.kind == kind).collect()
}

fn number(span: &Span, name: &str) -> u64 {
    match span.fact(name) {
        Some(Fact::Number(value)) => *value,
        other => panic!("{name} of {} is {other:?}", span.kind),
    }
}

fn text<'a>(span: &'a Span, name: &str) -> &'a str {
    match span.fact(name) {
        Some(Fact::Text(value)) => value,
        other => panic!("{name} of {} is {other:?}", span.kind),
    }
}

fn codes(spans: &[Span]) -> Vec<&'static str> {
    let findings = spans.iter().flat_map(|span| &span.findings);
    let mut codes: Vec<_> = findings.filter(|found| found.severity == Severity::Bad).map(|found| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Checks that every byte is explained exactly once.
fn assert_tiled(spans: &[Span], size: usize) {
    let mut regions: Vec<_> = spans.iter().filter(|span| span.kind != "table").map(|s| (s.offset, s.length)).collect();
    regions.sort_unstable();
    let mut at = 0;
    for (offset, length) in regions {
        assert_eq!(offset, at, "a region begins where the one before ends");
        at += length;
    }
    assert_eq!(at, to_u64(size));
}

/// The table of one entry in the documentation of `table/mod.rs`.
fn one_entry() -> Vec<u8> {
    let mut file = b"\x00\x0c\x03only\x01\x01\0\0\0\0\0\0one\0\0\0\0\x01\0\0\0\0\x9c\x69\xaa\x96".to_vec();
    file.extend(b"\0\0\0\0\x01\0\0\0\0\xc0\xf2\xa1\xb0\0\x01\x02p\0\x1a\0\0\0\0\x01\0\0\0\0\x74\x7d\x43\xf8");
    file.extend([0x1f, 8, 0x2c, 0x0e]);
    file.extend([0; 36]);
    file.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
    file
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn fixtures() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "leveldb-table/block1k-restart2-none.ldb",
        "leveldb-table/block256-restart1.ldb",
        "leveldb-table/bloom10-none.ldb",
        "leveldb-table/empty.ldb",
        "goleveldb/000004.ldb",
        "versions/000011.ldb",
        "bedrock-zlib/000005.ldb",
    ];
    names.into_iter().map(|name| (name, fixture(name))).collect()
}

/// The block's contents sealed with type 0.
fn seal(contents: &[u8]) -> Vec<u8> {
    let mut block = contents.to_vec();
    block.push(0);
    let sum = mask(crc32c(&block));
    block.extend(sum.to_le_bytes());
    block
}

/// A table whose only data block has these contents, without meta blocks.
fn table_of(data: &[u8]) -> Vec<u8> {
    let mut file = seal(data);
    let metaindex = file.len();
    file.extend(seal(b"\0\0\0\0\x01\0\0\0"));
    let index = file.len();
    let mut entry = vec![0, 9, 0];
    entry.extend(b"\xff\x01\0\0\0\0\0\0\0");
    let mut handle = Vec::new();
    crate::base::put_varint64(&mut handle, 0);
    crate::base::put_varint64(&mut handle, to_u64(data.len()));
    entry[2] = u8::try_from(handle.len()).unwrap();
    entry.extend(handle);
    entry.extend(b"\0\0\0\0\x01\0\0\0");
    let index_size = entry.len();
    file.extend(seal(&entry));
    let start = file.len();
    for value in [metaindex, 8, index, index_size] {
        crate::base::put_varint64(&mut file, to_u64(value));
    }
    file.resize(start + 40, 0);
    file.extend([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
    file
}

/// A reproducible stream of numbers.
fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap()
}

/// `$VARVE_CORPUS`, or the directory beside the repository.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("VARVE_CORPUS").map_or(beside, PathBuf::from);
    if root.join("manifest.json").is_file() {
        return Some(root);
    }
    println!("SKIPPED: no corpus at {} (set VARVE_CORPUS)", root.display());
    None
}

/// Appends a record in fragments.
fn append_record(file: &mut Vec<u8>, record: &[u8]) {
    const BLOCK: usize = 32 << 10;
    let (mut rest, mut begins) = (record, true);
    loop {
        let left = BLOCK - file.len() % BLOCK;
        if left < 7 {
            file.resize(file.len() + left, 0);
            continue;
        }
        let (payload, after) = rest.split_at(rest.len().min(left - 7));
        let kind: u8 = match (begins, after.is_empty()) {
            (true, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
            (false, true) => 4,
        };
        let sealed = [&[kind], payload].concat();
        file.extend(mask(crc32c(&sealed)).to_le_bytes());
        file.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
        file.extend(sealed);
        (rest, begins) = (after, false);
        if rest.is_empty() {
            return;
        }
    }
}
