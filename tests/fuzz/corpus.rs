//! The committed inputs, made by `cargo run --release --features fuzzing --example fuzz -- corpus`.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

use varve::env::MemoryEnv;
use varve::{Compression, Db, Options, block_on};

fn directory(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fuzz", "corpus", target].iter().collect()
}

/// Returns every input of `target`, in the order of names.
pub fn read(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(directory(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Returns the files of a small database: name and bytes.
fn database(compression: Compression, entries: usize) -> Vec<(String, Vec<u8>)> {
    let env = MemoryEnv::new();
    let options = Options { create_if_missing: true, compression, block_size: 256, ..Options::default() };
    let db = block_on(Db::open(Rc::new(env.clone()), options)).unwrap();
    for i in 0..entries {
        let key = format!("country/{:03}/name", i * 3);
        block_on(db.put(key.as_bytes(), key.repeat(i % 4).as_bytes())).unwrap();
        if i % 5 == 0 {
            block_on(db.delete(format!("country/{:03}/name", i).as_bytes())).unwrap();
        }
    }
    block_on(db.flush()).unwrap();
    block_on(db.put(b"a", b"1")).unwrap();
    block_on(db.put(b"b", &[7; 300])).unwrap();
    drop(db);
    env.names().into_iter().map(|name| (name.clone(), env.read(&name).unwrap())).collect()
}

/// Returns the blocks of a table: data blocks, filter, metaindex and index.
pub fn blocks(table: &[u8]) -> Option<Vec<(usize, usize)>> {
    let mut foot = table.get(table.len().checked_sub(48)?..)?;
    let meta = handle(&mut foot)?;
    let index = handle(&mut foot)?;
    let mut found = Vec::new();
    for (offset, size) in [index, meta] {
        // Only uncompressed blocks, which are enough to find the others.
        let contents = table.get(offset..offset.checked_add(size)?)?;
        if table.get(offset + size) == Some(&0) {
            found.extend(values(contents).into_iter().filter_map(|mut value| handle(&mut value)));
        }
    }
    found.extend([meta, index]);
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value as usize);
        }
    }
    None
}

fn handle(bytes: &mut &[u8]) -> Option<(usize, usize)> {
    Some((varint(bytes)?, varint(bytes)?))
}

fn values(block: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let count = block.last_chunk().map_or(0, |c| u32::from_le_bytes(*c) as usize);
    let end = block.len().saturating_sub(4 + 4 * count.min(block.len()));
    let mut rest = &block[..end];
    while !rest.is_empty() {
        let (Some(_), Some(key), Some(value)) = (varint(&mut rest), varint(&mut rest), varint(&mut rest)) else {
            break;
        };
        let Some(bytes) = key.checked_add(value).and_then(|end| rest.get(key..end)) else { break };
        found.push(bytes);
        rest = &rest[key + value..];
    }
    found
}

/// Writes the corpora again.
#[allow(dead_code, reason = "only the example does")]
pub fn make() {
    let write = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(directory(target)).unwrap();
        fs::write(directory(target).join(name), bytes).unwrap();
    };
    for (compression, kind) in [(Compression::None, "none"), (Compression::Snappy, "snappy")] {
        for entries in [1, 12, 60] {
            for (name, bytes) in database(compression, entries) {
                let label = format!("{kind}-{entries}");
                if name.ends_with(".log") || name.starts_with("MANIFEST") {
                    write("log", &format!("{label}-{name}"), &bytes);
                    let target = if name.ends_with(".log") { "batch" } else { "edit" };
                    let length = bytes[4] as usize | (bytes[5] as usize) << 8;
                    write(target, &format!("{label}-first"), &bytes[7..7 + length]);
                    let second = &bytes[7 + length..];
                    let length = second[4] as usize | (second[5] as usize) << 8;
                    write(target, &format!("{label}-second"), &second[7..7 + length]);
                } else if name.ends_with(".ldb") {
                    write("table", &label, &bytes);
                    make_parts(&label, &bytes, &write);
                } else {
                    write("names", &label, &bytes);
                }
            }
        }
    }
    let long: Vec<u8> = (0..70_000u32).map(|i| (i / 700) as u8).collect();
    let mut log = Vec::new();
    for record in [&long[..10], &[], &long[..32_700], &long[..40_000]] {
        super::framing::frame(&mut log, record, None);
    }
    write("log", "long", &log);
    for fixture in ["empty", "one-entry", "block256-none"] {
        let path = format!("{}/tests/fixtures/leveldb-table/{fixture}.ldb", env!("CARGO_MANIFEST_DIR"));
        write("table", fixture, &fs::read(path).unwrap());
    }
    let names = ["CURRENT", "LOCK", "LOG.old", "000001.log", "18446744073709551615.ldb", "000005.sst", "000007.dbtmp"];
    for name in names.into_iter().chain(["MANIFEST-000002", "MANIFEST-18446744073709551615\n"]) {
        write("names", name.trim_end(), name.as_bytes());
    }
    let text = b"snow, snow, rain, snow, rain and snow again, ".repeat(20);
    write("decompress", "zlib", &[&[2][..], &miniz_oxide::deflate::compress_to_vec_zlib(&text, 6)].concat());
    write("decompress", "deflate", &[&[4][..], &miniz_oxide::deflate::compress_to_vec(&text, 6)].concat());
    write(
        "decompress",
        "deflate-bomb",
        &[&[4][..], &miniz_oxide::deflate::compress_to_vec(&vec![0; 1 << 20], 9)].concat(),
    );
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    write("decompress", "zstd", &[&[2][..], &ruzstd::encoding::compress_to_vec(&text[..], level)].concat());
    write(
        "decompress",
        "zstd-3",
        &[&[3][..], &ruzstd::encoding::compress_to_vec(&vec![9; 300_000][..], level)].concat(),
    );
    write("decompress", "snappy", &[&[1][..], &snap::raw::Encoder::new().compress_vec(&text).unwrap()].concat());
    write(
        "decompress",
        "snappy-zeros",
        &[&[1][..], &snap::raw::Encoder::new().compress_vec(&[0; 20_000]).unwrap()].concat(),
    );
    write("decompress", "none", &[&[0][..], &text[..100]].concat());
}

#[allow(dead_code, reason = "only the example does")]
fn make_parts(label: &str, table: &[u8], write: &impl Fn(&str, &str, &[u8])) {
    let found = blocks(table).unwrap();
    let part = |(offset, size): (usize, usize)| &table[offset..offset + size];
    let (index, meta) = (found[found.len() - 1], found[found.len() - 2]);
    write("index", label, &[part(index), &table[table.len() - 48..]].concat());
    write("block", &format!("{label}-meta"), part(meta));
    for (i, at) in found[..found.len() - 2].iter().enumerate() {
        let last = i + 3 == found.len();
        let raw = table[at.0 + at.1] == 0;
        match (last, raw) {
            (true, _) => write("filter", label, part(*at)),
            (false, true) if i < 3 => write("block", &format!("{label}-{i}"), part(*at)),
            (false, false) if i < 2 => write("decompress", &format!("{label}-{i}"), &[&[1][..], part(*at)].concat()),
            _ => {}
        }
    }
}
