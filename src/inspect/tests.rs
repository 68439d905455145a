//! Tables that are valid, damaged, truncated, of other formats, or not tables.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test a panic is how a failure is said"
)]

use std::path::{Path, PathBuf};

use super::{Fact, KeyFact, Severity, Span, TableInspector};
use crate::base::{crc32c, mask, to_u64};

/// All spans; the inspector must end, and the bytes that it requests must lie in the file.
fn inspect(file: &[u8], entries: bool) -> Vec<Span> {
    let size = to_u64(file.len());
    let mut inspector = TableInspector::new(size, entries);
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

#[test]
fn a_table_of_one_entry_is_explained() {
    let file = one_entry();
    let spans = inspect(&file, true);
    assert_eq!(codes(&spans), Vec::<&str>::new());
    assert_tiled(&spans, file.len());
    let kinds: Vec<_> = spans.iter().map(|span| span.kind).collect();
    assert_eq!(kinds, ["footer", "metaindex", "index", "data", "table"]);
    let footer = &spans[0];
    assert_eq!((footer.offset, footer.length, number(footer, "indexOffset")), (63, 48, 44));
    let data = &spans[3];
    assert_eq!((data.offset, data.length), (0, 31));
    assert_eq!((number(data, "storedSize"), number(data, "rawSize"), number(data, "entries")), (26, 26, 1));
    assert_eq!((text(data, "codec"), text(data, "checksum"), number(data, "restarts")), ("none", "sound", 1));
    assert_eq!(data.fact("firstKey"), data.fact("lastKey"));
    let key = KeyFact { key: b"only".to_vec(), size: 4, tag: Some((1, true)) };
    assert_eq!(data.fact("firstKey"), Some(&Fact::Key(key)));
    assert_eq!((data.spans.len(), number(&data.spans[0], "valueSize")), (1, 3));
    assert_eq!(number(&spans[4], "entries"), 1);
}

#[test]
fn spans_are_written_as_json() {
    let mut file = one_entry();
    file[20] ^= 1;
    for span in inspect(&file, true) {
        let mut line = String::new();
        span.write_json(&mut line);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["kind"], span.kind);
        assert_eq!(value["offset"], span.offset);
        if span.kind == "data" {
            assert_eq!(value["findings"][0]["code"], "T10");
            assert_eq!(value["findings"][0]["offset"], 27);
            assert_eq!(value["facts"]["firstKey"]["key"], "6f6e6c79");
            assert_eq!(value["spans"][0]["kind"], "entry");
        }
    }
    let mut line = String::new();
    let mut span = Span::new("x", u64::MAX, 0);
    span.text("say", "\"\\\n");
    span.write_json(&mut line);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["offset"], "18446744073709551615");
    assert_eq!(value["facts"]["say"], "\"\\\u{fffd}");
}

#[test]
fn tables_of_real_engines_have_no_findings_and_every_byte_is_explained() {
    for (name, file) in fixtures() {
        let spans = inspect(&file, false);
        assert_eq!(codes(&spans), Vec::<&str>::new(), "{name}");
        assert_tiled(&spans, file.len());
        let table = spans.last().unwrap();
        assert_eq!(number(table, "dataBlocks"), to_u64(of(&spans, "data").len()), "{name}");
        assert_eq!(number(table, "damagedBlocks"), 0, "{name}");
    }
    let spans = inspect(&fixture("leveldb-table/block256-restart1.ldb"), false);
    assert_eq!(number(spans.last().unwrap(), "entries"), 300);
    let spans = inspect(&fixture("leveldb-table/bloom10-none.ldb"), false);
    let filter = of(&spans, "filter")[0];
    assert_eq!(number(filter, "probes"), 6);
    assert!(number(filter, "bitsSet") * 10 > number(filter, "bits"));
}

#[test]
fn a_damaged_block_is_reported_and_the_others_are_read() {
    let sound = inspect(&fixture("leveldb-table/block256-none.ldb"), false);
    let all = number(sound.last().unwrap(), "entries");
    let mut file = fixture("leveldb-table/block256-none.ldb");
    let block = of(&sound, "data")[3];
    file[usize::try_from(block.offset).unwrap() + 30] ^= 0x40;
    let spans = inspect(&file, false);
    assert_eq!(codes(&spans), ["T10"]);
    let wrong: Vec<_> = of(&spans, "data").into_iter().filter(|s| text(s, "checksum") == "wrong").collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].offset, block.offset);
    assert_eq!(wrong[0].findings[0].offset, block.offset + block.length - 4);
    assert_eq!(number(spans.last().unwrap(), "damagedBlocks"), 1);
    assert!(number(spans.last().unwrap(), "entries") >= all - number(block, "entries"));
}

#[test]
fn without_an_index_the_blocks_are_found_by_their_checksums() {
    let file = fixture("leveldb-table/bloom10-none.ldb");
    let sound = inspect(&file, false);
    let entries = number(sound.last().unwrap(), "entries");
    let index = of(&sound, "index")[0];
    for damage in ["magic", "handle", "index", "bit of the index"] {
        let mut file = file.clone();
        let at = file.len();
        match damage {
            "magic" => file[at - 8..].fill(0xee),
            "handle" => file[at - 48..at - 40].fill(0xff),
            // In the first handle: what it would lead to is no damage of the file.
            "bit of the index" => file[usize::try_from(index.offset).unwrap() + 12] ^= 1,
            _ => {
                let at = usize::try_from(index.offset).unwrap();
                file[at..at + usize::try_from(index.length).unwrap()].fill(0xaa);
            }
        }
        let spans = inspect(&file, false);
        assert!(!codes(&spans).is_empty(), "{damage}");
        if damage == "bit of the index" {
            assert!(codes(&spans).iter().all(|code| ["T10", "T32"].contains(code)), "{:?}", codes(&spans));
        }
        assert_eq!(number(spans.last().unwrap(), "entries"), entries, "{damage}");
        assert_eq!(of(&spans, "data").len(), of(&sound, "data").len(), "{damage}");
        assert!(of(&spans, "data").iter().all(|span| span.fact("found") == Some(&Fact::Flag(true))));
        assert_eq!(of(&spans, "filter").len(), 1, "{damage}");
    }
    // Truncated: all blocks before the cut are found.
    let file = fixture("leveldb-table/block256-none.ldb");
    let sound = inspect(&file, false);
    let cut = &file[..file.len() * 6 / 10];
    let spans = inspect(cut, false);
    let whole = of(&sound, "data").into_iter().filter(|s| s.offset + s.length <= to_u64(cut.len())).count();
    assert!(whole > 3);
    assert_eq!(of(&spans, "data").len(), whole);
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

#[test]
fn damage_under_a_valid_checksum_is_reported() {
    let entry = |key: &[u8]| [&[0, u8::try_from(key.len()).unwrap(), 0], key].concat();
    let restart = b"\0\0\0\0\x01\0\0\0".to_vec();
    let cases: [(&str, Vec<u8>, &[&str]); 7] = [
        ("sound", [entry(b"a\x01\x02\0\0\0\0\0\0"), entry(b"a\x01\x01\0\0\0\0\0\0"), restart.clone()].concat(), &[]),
        (
            "the same twice",
            [entry(b"a\x01\x02\0\0\0\0\0\0"), entry(b"a\x01\x02\0\0\0\0\0\0"), restart.clone()].concat(),
            &["T23"],
        ),
        (
            "newer behind",
            [entry(b"a\x01\x01\0\0\0\0\0\0"), entry(b"a\x01\x02\0\0\0\0\0\0"), restart.clone()].concat(),
            &["T22"],
        ),
        ("a short key", [entry(b"abc"), restart.clone()].concat(), &["T25"]),
        ("an endless entry", [b"\0\xff\xff\xff\x7f\0abc".to_vec(), restart.clone()].concat(), &["T21"]),
        ("restarts beyond", b"\0\0\0\0\xff\xff\xff\x7f".to_vec(), &["T20"]),
        (
            "a restart inside an entry",
            [entry(b"a\x01\x02\0\0\0\0\0\0"), b"\0\0\0\0\x04\0\0\0\x02\0\0\0".to_vec()].concat(),
            &["T20"],
        ),
    ];
    for (name, contents, expected) in cases {
        let spans = inspect(&table_of(&contents), true);
        // Damage in a restart array is reported by both passes: over the whole and entry by entry.
        assert_eq!(codes(&spans), expected, "{name}: {spans:#?}");
    }
}

#[test]
fn a_block_is_read_on_from_the_restart_point_after_a_bad_entry() {
    let entry = |key: &[u8]| [&[0, u8::try_from(key.len()).unwrap(), 0], key].concat();
    let (bad, good) = (b"\0\x7f\0x".to_vec(), entry(b"b\x01\x02\0\0\0\0\0\0"));
    let first = entry(b"a\x01\x02\0\0\0\0\0\0");
    let points = [0, first.len(), first.len() + bad.len()].map(|at| u32::try_from(at).unwrap().to_le_bytes());
    let contents = [first, bad, good, points.concat(), 3u32.to_le_bytes().to_vec()].concat();
    let spans = inspect(&table_of(&contents), true);
    assert_eq!(codes(&spans), ["T21"]);
    let data = of(&spans, "data")[0];
    assert_eq!(number(data, "entries"), 2);
    assert_eq!(data.spans.len(), 2);
}

#[test]
fn a_prefix_bomb_costs_no_more_than_its_bytes() {
    // One key of 100 KiB, then 200,000 that share all of it but their tag: 20 GB of keys.
    let mut contents = vec![0];
    crate::base::put_varint64(&mut contents, 100 << 10);
    contents.push(0);
    contents.resize(contents.len() + (100 << 10), b'k');
    for i in 0..200_000u32 {
        crate::base::put_varint64(&mut contents, (100 << 10) - 8);
        contents.extend([8, 0, 1]);
        contents.extend((0xff_ffff - i).to_le_bytes());
        contents.extend([0; 3]);
    }
    contents.extend(b"\0\0\0\0\x01\0\0\0");
    let spans = inspect(&table_of(&contents), true);
    let data = of(&spans, "data")[0];
    assert_eq!(number(data, "entries"), 200_001);
    assert!(data.spans.len() < 1000, "{} listed", data.spans.len());
}

#[test]
fn other_kinds_of_files_are_identified() {
    let rocks = [
        vec![1; 100],
        vec![1, 0x20, 5, 0x30, 6],
        vec![0; 36],
        5u32.to_le_bytes().to_vec(),
        0x88e2_41b7_85f4_cff7u64.to_le_bytes().to_vec(),
    ]
    .concat();
    let spans = inspect(&rocks, false);
    assert_eq!(codes(&spans), ["T02"]);
    assert_eq!((text(&spans[0], "format"), number(&spans[0], "formatVersion")), ("RocksDB", 5));
    assert_eq!((text(&spans[0], "checksumType"), number(&spans[0], "indexOffset")), ("CRC-32C", 0x30));
    assert_eq!(text(spans.last().unwrap(), "format"), "RocksDB");

    let sqlite = [b"SQLite format 3\0".to_vec(), vec![7; 4096]].concat();
    let spans = inspect(&sqlite, false);
    assert_eq!(text(&spans[0], "format"), "SQLite database");
    assert_eq!(text(spans.last().unwrap(), "format"), "unknown");

    for size in [0, 1, 47] {
        let spans = inspect(&vec![0; size], false);
        assert_eq!((codes(&spans), spans.len()), (vec!["T01"], 2), "{size}");
    }
}

#[test]
fn unreadable_bytes_are_reported() {
    let file = fixture("leveldb-table/block256-none.ldb");
    let lost = of(&inspect(&file, false), "data")[2].offset;
    let mut inspector = TableInspector::new(to_u64(file.len()), false);
    let mut spans = Vec::new();
    while let Some((offset, length)) = inspector.wanted() {
        let start = usize::try_from(offset).unwrap();
        inspector.supply(if offset == lost && length < 1000 { &[] } else { &file[start..start + length] });
        spans.append(&mut inspector.take());
    }
    assert_eq!(codes(&spans), ["S02"]);
    assert_eq!(number(spans.last().unwrap(), "damagedBlocks"), 1);
}

/// A reproducible stream of numbers.
fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap()
}

#[test]
fn no_mutation_causes_a_panic_or_an_endless_loop() {
    let mut seed = 20_240_607;
    for (name, file) in fixtures().into_iter().chain([("one", one_entry())]) {
        let sample: Vec<u8> = file
            .iter()
            .copied()
            .take(20_000)
            .chain(file[file.len().saturating_sub(20_000)..].iter().copied())
            .collect();
        for round in 0..24 {
            let mut mutant = if round % 4 == 0 { sample.clone() } else { file.clone() };
            for _ in 0..=random(&mut seed) % 6 {
                let at = random(&mut seed) % mutant.len();
                match random(&mut seed) % 4 {
                    0 => mutant[at] ^= 1 << (random(&mut seed) % 8),
                    1 => mutant[at] = [0, 0x7f, 0x80, 0xff][random(&mut seed) % 4],
                    2 => mutant.truncate(at.max(1)),
                    _ => mutant.insert(at, 0xff),
                }
            }
            // The footer matters most, so it is mutated more often.
            if round % 3 == 0 && mutant.len() > 48 {
                let at = mutant.len() - 48 + random(&mut seed) % 12;
                mutant[at] = u8::try_from(random(&mut seed) % 256).unwrap();
            }
            let spans = inspect(&mutant, round % 2 == 0);
            assert_eq!(spans.last().unwrap().kind, "table", "{name}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_table_is_found() {
    let file = fixture("leveldb-table/block256-restart1.ldb");
    let known: Vec<u8> = file.clone();
    for bit in (0..known.len() * 8).step_by(37) {
        let mut file = known.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        let spans = inspect(&file, false);
        let told = spans.iter().any(|span| span.findings.iter().any(|found| found.severity > Severity::Info));
        assert!(told, "bit {bit}");
    }
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

#[test]
fn the_corpus_tables_have_the_entries_that_its_manifest_counts() {
    let Some(root) = corpus() else { return };
    let manifest = std::fs::read_to_string(root.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let (mut tables, mut rocks) = (0, 0);
    for case in manifest["cases"].as_array().unwrap() {
        let path = root.join(case["path"].as_str().unwrap());
        let (kind, id) = (case["kind"].as_str().unwrap(), case["id"].as_str().unwrap());
        if kind == "rocksdb-sst" {
            let spans = inspect(&std::fs::read(&path).unwrap(), false);
            assert_eq!(text(spans.last().unwrap(), "format"), "RocksDB", "{id}");
            rocks += 1;
        } else if kind == "leveldb-table" {
            let spans = inspect(&std::fs::read(&path).unwrap(), false);
            assert_eq!(codes(&spans), Vec::<&str>::new(), "{id}");
            assert_eq!(number(spans.last().unwrap(), "entries"), case["expect"]["count"].as_u64().unwrap(), "{id}");
            tables += 1;
        } else if kind == "leveldb-db" {
            for expected in case["tables"].as_array().into_iter().flatten() {
                let name = expected["file"].as_str().unwrap();
                let spans = inspect(&std::fs::read(path.join(name)).unwrap(), false);
                let table = spans.last().unwrap();
                if expected.get("error").is_some() {
                    assert!(!codes(&spans).is_empty(), "{id} {name}");
                } else {
                    assert_eq!(codes(&spans), Vec::<&str>::new(), "{id} {name}");
                    assert_eq!(number(table, "entries"), expected["entries"].as_u64().unwrap(), "{id} {name}");
                    assert_eq!(number(table, "deletions"), expected["deletions"].as_u64().unwrap(), "{id} {name}");
                }
                tables += 1;
            }
        }
    }
    assert!(tables > 40 && rocks == 40, "{tables} tables, {rocks} of RocksDB");
}
