//! Every single bit of every kind of file (scorecard R06, R07).

use varve::{Compression, Options, RecoveryMode};

use crate::common::framing::frame;

use super::bytes::{block, footer, parts, records, seal, varint};
use super::image::{Image, Tally, long, open, options, reading, reads_anything, reads_right, reads_state, scan};

/// The bits to flip: all, or one of each `one_in`, at varying places.
fn bits(length: usize, one_in: usize) -> impl Iterator<Item = usize> {
    let one_in = if long() { 1 } else { one_in * if cfg!(debug_assertions) { 16 } else { 1 } };
    (0..length * 8).filter(move |bit| bit % one_in == (bit / one_in).wrapping_mul(0x9e37_79b9) % one_in)
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// Some keys that exist, at both ends and between, and some that do not.
const KEYS: [&[u8]; 6] =
    [b"lake/00000/name", b"lake/01001/name", b"lake/02100/name", b"lake/03353/name", b"lake/01000/name", b"zzz"];

fn every_bit_of_a_table(what: &str, image: &Image, verified: bool) {
    let name = image.table_names().pop().unwrap();
    let mut bytes = image.read(&name).to_vec();
    let env = image.env(&[]);
    let mut tally = Tally::default();
    let expected = image.whole();
    for bit in bits(bytes.len(), 80) {
        flip(&mut bytes, bit);
        env.write(&name, &bytes);
        tally.case(|| {
            if verified {
                let db = open(&env, reading(RecoveryMode::PointInTime)).unwrap();
                reads_right(&db, &expected, &KEYS)
            } else {
                let db = open(&env, reading(RecoveryMode::Compat)).unwrap();
                reads_anything(&db, &KEYS)
            }
        });
        flip(&mut bytes, bit);
    }
    tally.print(&format!("table bits, {what}, {}", if verified { "verified" } else { "not verified" }));
    assert!(tally.errors > 0 && tally.right > 0);
}

#[test]
fn a_flipped_bit_of_a_plain_table_is_detected() {
    every_bit_of_a_table("none", &Image::of_one_table(Compression::None), true);
}

#[test]
fn a_flipped_bit_of_a_plain_table_is_harmless_unverified() {
    every_bit_of_a_table("none", &Image::of_one_table(Compression::None), false);
}

#[test]
fn a_flipped_bit_of_a_snappy_table_is_detected() {
    every_bit_of_a_table("snappy", &Image::of_one_table(Compression::Snappy), true);
}

#[test]
fn a_flipped_bit_of_a_snappy_table_is_harmless_unverified() {
    every_bit_of_a_table("snappy", &Image::of_one_table(Compression::Snappy), false);
}

#[cfg(feature = "zlib")]
#[test]
fn a_flipped_bit_of_a_zlib_table_is_detected() {
    every_bit_of_a_table("zlib (inflated)", &repack(&Image::of_one_table(Compression::Snappy), Repack::Zlib), true);
}

#[cfg(feature = "zlib")]
#[test]
fn a_flipped_bit_of_a_deflate_table_is_harmless_unverified() {
    every_bit_of_a_table("raw deflate", &repack(&Image::of_one_table(Compression::Snappy), Repack::Deflate), false);
}

/// Writing and reading, in each recovery mode.
fn writing(recovery: RecoveryMode) -> Options {
    Options { create_if_missing: false, recovery, ..options() }
}

const MODES: [RecoveryMode; 3] = [RecoveryMode::Strict, RecoveryMode::PointInTime, RecoveryMode::Compat];

#[test]
fn a_flipped_bit_of_the_manifest_is_an_error_or_changes_nothing() {
    let image = Image::with_log();
    let name = image.manifest_name();
    let mut tally = Tally::default();
    let mut bytes = image.read(&name).to_vec();
    for bit in bits(bytes.len(), 6) {
        flip(&mut bytes, bit);
        for mode in MODES {
            for read_only in [true, false] {
                tally.case(|| {
                    let env = image.env(&[(&name, &bytes)]);
                    let options = if read_only { reading(mode) } else { writing(mode) };
                    let Ok(db) = open(&env, options) else { return false };
                    assert!(reads_state(&db, &image, mode, &[b"deep/0007", b"count", b"x"]), "bit {bit}, {mode:?}");
                    true
                });
            }
        }
        flip(&mut bytes, bit);
    }
    tally.print("manifest bits");
}

#[test]
fn a_flipped_bit_of_current_is_an_error() {
    let image = Image::with_log();
    let mut tally = Tally::default();
    let mut bytes = image.read("CURRENT").to_vec();
    for bit in 0..bytes.len() * 8 {
        flip(&mut bytes, bit);
        for mode in MODES {
            for options in [reading(mode), writing(mode), Options { create_if_missing: true, ..writing(mode) }] {
                tally.case(|| {
                    let env = image.env(&[("CURRENT", &bytes)]);
                    assert!(open(&env, options).is_err(), "bit {bit} of CURRENT");
                    false
                });
            }
        }
        flip(&mut bytes, bit);
    }
    tally.print("CURRENT bits");
}

#[test]
fn a_flipped_bit_of_the_log_leaves_a_prefix() {
    let image = Image::with_log();
    let name = image.log_name();
    let mut tally = Tally::default();
    let mut bytes = image.read(&name).to_vec();
    assert!(bytes.len() > 33 << 10, "{} bytes are one block", bytes.len());
    let read = varve::ReadOptions::default();
    for (i, bit) in bits(bytes.len(), 8).enumerate() {
        flip(&mut bytes, bit);
        for mode in MODES {
            let read_only = i % 8 != 0;
            tally.case(|| {
                let env = image.env(&[(&name, &bytes)]);
                let options = if read_only { reading(mode) } else { writing(mode) };
                let db = match open(&env, options) {
                    Ok(db) => db,
                    Err(error) => {
                        assert!(mode == RecoveryMode::Strict, "bit {bit}, {mode:?}: {error}");
                        return false;
                    }
                };
                let found = scan(&db, &read, None).unwrap();
                if mode == RecoveryMode::Compat {
                    assert!(found.iter().all(|(k, v)| image.was_written(k, v)), "bit {bit}: a wrong value");
                    return found.len() >= image.tables.len();
                }
                let batches = image.prefix(&found);
                assert!(mode != RecoveryMode::Strict || batches == image.batches.len(), "bit {bit} not seen");
                if read_only || batches == image.batches.len() {
                    return true;
                }
                // Entries that were read once are read again.
                drop(db);
                let db = open(&env, writing(RecoveryMode::PointInTime)).unwrap();
                assert_eq!(scan(&db, &read, None).unwrap(), found, "bit {bit}: another state after reopening");
                true
            });
        }
        flip(&mut bytes, bit);
    }
    tally.print("log bits");
}

/// A way to store the blocks of a table again.
#[derive(Clone, Copy)]
#[cfg(feature = "zlib")]
enum Repack {
    Zlib,
    Deflate,
}

/// The same database with its tables in the codecs of Minecraft's fork.
///
/// Filters depend on file offsets, so they are omitted.
#[cfg(feature = "zlib")]
fn repack(image: &Image, how: Repack) -> Image {
    let store = |out: &mut Vec<u8>, block: &[u8]| match how {
        Repack::Zlib => seal(out, &miniz_oxide::deflate::compress_to_vec_zlib(block, 6), 2),
        Repack::Deflate => seal(out, &miniz_oxide::deflate::compress_to_vec(block, 6), 4),
    };
    let name = image.table_names().pop().unwrap();
    let old = image.read(&name);
    let mut table = Vec::new();
    let mut index = Vec::new();
    for (key, contents) in parts(old).data {
        index.push((key, store(&mut table, &contents)));
    }
    let meta = store(&mut table, &block(&[]));
    let index = store(&mut table, &block(&index));
    table.extend(footer(&meta, &index));
    let size = table.len() as u64;
    // The manifest must name the new size.
    let manifest = image.manifest_name();
    let mut changed = Vec::new();
    for record in records(image.read(&manifest)) {
        let (from, to) = (varint(old.len() as u64), varint(size));
        let at = record.windows(from.len()).position(|w| w == from);
        let record = at.map_or(record.clone(), |at| [&record[..at], &to, &record[at + from.len()..]].concat());
        frame(&mut changed, &record, None);
    }
    let mut files = image.files.clone();
    for (file, bytes) in &mut files {
        if *file == name {
            bytes.clone_from(&table);
        } else if *file == manifest {
            bytes.clone_from(&changed);
        }
    }
    Image { files, tables: image.tables.clone(), batches: Vec::new() }
}
