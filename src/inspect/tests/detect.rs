//! Kinds of files.

use super::*;
use crate::inspect::{Detected, HEAD_SIZE, Kind, TAIL_SIZE, detect};

fn detected(name: &str, file: &[u8]) -> Detected {
    let head = &file[..file.len().min(HEAD_SIZE)];
    let tail = &file[file.len() - file.len().min(TAIL_SIZE)..];
    detect(name, to_u64(file.len()), head, tail)
}

#[test]
fn content_decides_and_the_name_is_told() {
    let table = fixture("leveldb-table/bloom10-none.ldb");
    let log = fixture("chromium-indexeddb/000003.log");
    let manifest = fixture("versions/MANIFEST-000002");
    for (file, kind) in [(&table, Kind::Table), (&log, Kind::Log), (&manifest, Kind::Manifest)] {
        for name in ["notes.txt", "000005.ldb", "000003.log", "MANIFEST-000002", ""] {
            assert_eq!(detected(name, file).kind, kind, "{name}");
        }
    }
    let named: Vec<_> = ["000005.sst", "f123.ldb", "000003.log.damaged", "CURRENT", "LOCK", "photo.png"]
        .map(|n| detected(n, b"").named)
        .into();
    assert_eq!(named, [Some("table"), Some("table"), Some("log"), Some("current"), Some("lock"), None]);
}

#[test]
fn archives_are_named_by_their_ends_too() {
    let mut tar = vec![0; 1024];
    tar[..4].copy_from_slice(b"file");
    tar[257..262].copy_from_slice(b"ustar");
    let sum: u32 = tar.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(detected("x", &tar).format, "tar archive");
    tar[0] ^= 1;
    assert_eq!(detected("x", &tar).kind, Kind::Unknown);
    let mut zip = vec![0xfe; 500];
    zip.extend_from_slice(b"PK\x05\x06");
    zip.extend_from_slice(&[0; 18]);
    assert_eq!(detected("x", &zip).format, "zip");
    assert_eq!(detected("x", &zip[..510]).kind, Kind::Unknown);
}

#[test]
fn other_files_are_named() {
    let cases: [(&str, &[u8], Kind, &str); 10] = [
        ("", b"", Kind::Empty, "empty file"),
        ("", &[0; 5000], Kind::Zeros, "zeros"),
        ("CURRENT", b"MANIFEST-000002\n", Kind::Current, "name of the current manifest"),
        ("x", b"2026/11/29-12:00:00.123456 7f01 Recovering log #3\n", Kind::InfoLog, "messages of LevelDB"),
        ("a.ldb", b"SQLite format 3\0 and pages", Kind::Foreign, "SQLite database"),
        ("a.ldb", b"PK\x03\x04....", Kind::Foreign, "zip"),
        ("readme", "héllo\nworld".as_bytes(), Kind::Foreign, "text"),
        ("x", b"\x01\x02\xff\xfe\x00", Kind::Unknown, "unknown"),
        ("000005.ldb", b"\x01\x02\xff\xfe\x00", Kind::Table, "LevelDB table"),
        ("CURRENT", b"MANIFEST-0000xx", Kind::Current, "name of the current manifest"),
    ];
    for (name, file, kind, format) in cases {
        let found = detected(name, file);
        assert_eq!((found.kind, &*found.format), (kind, format), "{name} {file:?}");
        assert!(!found.reason.is_empty() && !found.reason.contains('\n'));
    }
}

#[test]
fn a_log_with_a_damaged_beginning_is_recognised_by_its_next_block() {
    let mut writer = Vec::new();
    for i in 0..3u64 {
        let mut batch = crate::batch::WriteBatch::new();
        batch.put(&i.to_le_bytes(), &vec![7; 40_000]);
        writer.push(batch.as_bytes().to_vec());
    }
    let mut file = Vec::new();
    for record in &writer {
        append_record(&mut file, record);
    }
    assert_eq!(detected("x", &file).kind, Kind::Log);
    file[3] ^= 1;
    assert_eq!(detected("x", &file).kind, Kind::Unknown, "the next blocks begin with a middle or last fragment");
    assert_eq!(detected("000003.log", &file).kind, Kind::Log);
}

#[test]
fn a_table_without_its_footer_is_recognised_by_its_blocks() {
    for name in ["leveldb-table/bloom10-none.ldb", "leveldb-table/block256-none.ldb"] {
        let table = fixture(name);
        let cut = &table[..table.len() - 20];
        for name in ["x", "recovered.bin", "000005.ldb"] {
            let found = detected(name, cut);
            assert_eq!(
                (found.kind, &*found.reason),
                (Kind::Table, "a block with a right checksum at 0, and no footer")
            );
        }
        // The first block is damaged.
        let mut damaged = cut.to_vec();
        damaged[100] ^= 1;
        let found = detected("x", &damaged);
        assert_eq!(found.kind, Kind::Table, "{}", found.reason);
        assert!(!found.reason.contains(" at 0,"));
    }
    // No chance hit in what is no table.
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(HEAD_SIZE)
    .collect();
    assert_eq!(detected("x", &noise).kind, Kind::Unknown);
}

#[test]
fn a_name_does_not_make_a_picture_a_table() {
    for head in [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], b"SQLite format 3\0 pages", b"\xff\xd8\xff\xe0 picture"] {
        for name in ["000005.ldb", "picture.png"] {
            assert_eq!(detected(name, head).kind, Kind::Foreign);
        }
    }
    // Bytes with which a block may begin.
    assert_eq!(detected("000005.ldb", b"\x28\xb5\x2f\xfd rest").kind, Kind::Table);
    assert_eq!(detected("data.zst", b"\x28\xb5\x2f\xfd rest").kind, Kind::Foreign);
    assert_eq!(detected("x", b"\0asm and the key goes on").kind, Kind::Unknown);
}

#[test]
fn logs_and_manifests_of_rocksdb_are_named_and_no_damage() {
    let record = |payload: &[u8], kind: u8| {
        let mut fragment = vec![0; 4];
        fragment.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
        fragment.push(kind);
        fragment.extend(payload);
        let sum = crate::log::checksum(&fragment);
        fragment[..4].copy_from_slice(&sum.to_le_bytes());
        fragment
    };
    let batch = |operation: &[u8]| [&[9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], operation].concat();
    let put = record(&batch(b"\x01\x01k\x01v"), 1);
    let merge = record(&batch(b"\x02\x01k\x01v"), 1);
    let edit = record(b"\x01\x03cmp", 1);
    // New file 4; the identity of the database.
    let new_file = record(b"\x67\x00\x05\x0a", 1);
    let identity = record(b"\x81\x40\x02id", 1);
    // Number 7 of its log, then the payload; its length is that of the payload alone.
    let mut recycled = record(&[&[7, 0, 0, 0][..], &batch(b"\x01\x01k\x01v")].concat(), 5);
    recycled[4] -= 4;

    let log = |parts: &[&[u8]]| detected("000003.log", &parts.concat());
    let manifest = |parts: &[&[u8]]| detected("MANIFEST-000001", &parts.concat());
    for found in [log(&[&put, &merge, &put, &merge]), log(&[&recycled]), log(&[&record(b"\x07\0\0\0", 9), &put])] {
        assert_eq!((found.kind, &*found.format), (Kind::Foreign, "RocksDB or Pebble write-ahead log"), "{found:?}");
    }
    for found in [manifest(&[&edit, &new_file, &new_file]), manifest(&[&identity])] {
        assert_eq!((found.kind, &*found.format), (Kind::Foreign, "RocksDB or Pebble manifest"), "{found:?}");
    }
    // One such operation may be a mistake; a tag that nobody writes, and a wrong checksum, are damage.
    let mut wrong = new_file.clone();
    wrong[9] ^= 1;
    for found in [log(&[&put, &merge, &put]), log(&[&put, &put])] {
        assert_eq!(found.kind, Kind::Log, "{found:?}");
    }
    let unknown = record(b"\x37\x01", 1);
    let bit_off = record(b"\x0a\x05", 1);
    for found in [
        manifest(&[&edit, &unknown, &unknown]),
        manifest(&[&edit, &wrong, &wrong]),
        manifest(&[&edit, &edit]),
        manifest(&[&edit, &new_file]),
        manifest(&[&edit, &bit_off, &bit_off]),
    ] {
        assert_eq!(found.kind, Kind::Manifest, "{found:?}");
    }
    // Without a comparator's name, and with a byte of a key where a batch has the type of an operation.
    let nameless =
        record(b"\x02\x05\x09\0\x03\x06\x04\0\x07\0\x05\x0a\x09k\x01\0\0\0\0\0\0\0\x09k\x01\0\0\0\0\0\0\0", 1);
    let found = manifest(&[&nameless, &nameless]);
    assert_eq!(found.kind, Kind::Manifest, "{found:?}");
    // One new table, with all its fields.
    let key = b"\x09k\x01\0\0\0\0\0\0\0";
    let table = record(&[&b"\x67\x00\x05\x0a"[..], key, key, b"\0\0\x01"].concat(), 1);
    assert_eq!(manifest(&[&edit, &table]).kind, Kind::Foreign);
    // A beginning is joined once, however many ends follow it.
    let ends = record(b"", 4);
    let many = [record(&[1; 30_000], 2), ends.repeat(300)].concat();
    assert_ne!(log(&[&many]).kind, Kind::Foreign);
}
