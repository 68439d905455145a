//! Zips that we write and zips in other tools' forms, truncated and damaged.
//!
//! The package's tests have archives made by other tools.

use std::rc::Rc;

use super::import::{Content, classify};
use super::{Content as EntryContent, Crc32, End, Import, Limits, Listed, Step, ZipReader, ZipWriter};
use super::{LISTED_SIZE_MAX, TAIL_SIZE, WIDE_END_SIZE};
use crate::base::{FileName, FileNumber, put_fixed32};
use crate::env::{MemoryEnv, block_on};
use crate::error::{Error, Result};

const NO_LIMITS: Limits = Limits { bytes: u64::MAX, ratio: u64::MAX };

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut writer, mut crc, mut out) = (ZipWriter::default(), Crc32::new(), Vec::new());
    for (name, content) in files {
        out.extend(writer.begin(name, crc.of(content), content.len() as u64));
        out.extend_from_slice(content);
    }
    out.extend(writer.finish());
    out
}

fn small() -> Vec<u8> {
    zip(&[("000005.ldb", &[7; 100]), ("MANIFEST-000004", b"PK\x07\x08 edits"), ("CURRENT", b"MANIFEST-000004\n")])
}

/// Names and contents, read from the archive in pieces of `size`.
fn read(archive: &[u8], size: usize, limits: Limits) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut reader, mut found, mut piece) = (ZipReader::new(limits), Vec::<(Vec<u8>, Vec<u8>)>::new(), Vec::new());
    let (mut at, mut given) = (0, 0);
    loop {
        let (used, step) = reader.step(&archive[at..given], given == archive.len(), &mut piece)?;
        at += used;
        match step {
            Step::Entry(entry) => found.push((entry.name, Vec::new())),
            Step::Piece => found.last_mut().unwrap().1.extend_from_slice(&piece),
            Step::More if used == 0 => given = (given + size).min(archive.len()),
            Step::More | Step::EntryEnd => {}
            Step::End => return Ok(found),
        }
    }
}

#[test]
fn a_written_archive_is_read_back_in_pieces_of_any_size() {
    let archive = small();
    for size in [1, 2, 7, 64, 1000] {
        let found = read(&archive, size, NO_LIMITS).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], (b"MANIFEST-000004".to_vec(), b"PK\x07\x08 edits".to_vec()));
    }
}

#[test]
fn every_truncation_and_damaged_byte_is_detected_or_harmless() {
    let archive = small();
    let whole = read(&archive, 1000, NO_LIMITS).unwrap();
    for cut in 0..archive.len() {
        assert!(read(&archive[..cut], 13, NO_LIMITS).is_err(), "cut at {cut}");
    }
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] ^= 0x55;
        // Versions, dates, modes and comments are ignored; names and contents are not.
        if let Ok(found) = read(&damaged, 1000, NO_LIMITS) {
            assert_eq!(found, whole, "byte {at}");
        }
    }
    let mut longer = archive;
    longer.push(0);
    assert!(read(&longer, 1000, NO_LIMITS).is_err());
}

/// An entry with its sizes after the content, in each of the four forms, and its archive.
fn with_descriptor(content: &[u8], method: u16, stored: &[u8], marked: bool, wide: bool) -> Vec<u8> {
    let crc = Crc32::new().of(content);
    let fields = |crc: u32, stored: u32, size: u32| [crc, stored, size].map(u32::to_le_bytes).concat();
    let head = |flags: u16| [20u16, flags, method, 0, 33].map(u16::to_le_bytes).concat();
    let mut out = b"PK\x03\x04".to_vec();
    out.extend([head(8), fields(0, 0, 0), vec![7, 0, 0, 0], b"CURRENT".to_vec(), stored.to_vec()].concat());
    if marked {
        out.extend_from_slice(b"PK\x07\x08");
    }
    put_fixed32(&mut out, crc);
    for size in [stored.len(), content.len()] {
        out.extend_from_slice(&(size as u64).to_le_bytes()[..if wide { 8 } else { 4 }]);
    }
    let start = out.len() as u32;
    out.extend(
        [b"PK\x01\x02\x14\x00".to_vec(), head(8), fields(crc, stored.len() as u32, content.len() as u32)].concat(),
    );
    out.extend([vec![7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], b"CURRENT".to_vec()].concat());
    let size = out.len() as u32 - start;
    out.extend(
        [
            b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec(),
            size.to_le_bytes().to_vec(),
            start.to_le_bytes().to_vec(),
            vec![0, 0],
        ]
        .concat(),
    );
    out
}

#[test]
fn sizes_may_follow_the_content() {
    let long: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    for content in [&b""[..], b"MANIFEST-000004\n", b"PK\x07\x08PK\x07\x08PK", &long] {
        let deflated = miniz_oxide::deflate::compress_to_vec(content, 6);
        for (marked, wide) in [(true, true), (true, false), (false, true), (false, false)] {
            for size in [37, 100_000] {
                let archive = with_descriptor(content, 8, &deflated, marked, wide);
                assert_eq!(read(&archive, size, NO_LIMITS).unwrap()[0].1, content, "deflated {marked} {wide}");
                if marked {
                    let archive = with_descriptor(content, 0, content, marked, wide);
                    assert_eq!(read(&archive, size, NO_LIMITS).unwrap()[0].1, content, "stored {wide}");
                }
            }
        }
    }
}

#[test]
fn sizes_of_64_bits_are_in_the_extra_field() {
    let mut writer = ZipWriter::default();
    let head = writer.begin("000005.ldb", 1, 5 << 30);
    assert_eq!(head.len(), 30 + 10 + 20);
    assert_eq!(&head[18..26], &[0xff; 8]);
    let size = writer.begin("CURRENT", 2, 3).len() as u64 + 3;
    let end = writer.finish();
    let start = (5u64 << 30) + 60 + size;
    assert!(end.windows(8).any(|w| w == start.to_le_bytes()), "the zip64 end names where the directory is");
    assert!(end.ends_with(
        &[[2, 0, 2, 0].to_vec(), (end.len() as u32 - 98).to_le_bytes().to_vec(), vec![0xff; 4], vec![0, 0]].concat()
    ));
    let error = read(&head, 100, Limits { bytes: 4 << 30, ratio: u64::MAX }).unwrap_err();
    assert!(matches!(error, Error::LimitExceeded(_)), "{error}");
}

#[test]
fn a_zip_bomb_is_refused_at_its_header_or_soon_after() {
    let zeros = vec![0; 40 << 20];
    let deflated = miniz_oxide::deflate::compress_to_vec(&zeros, 9);
    let archive = with_descriptor(&zeros, 8, &deflated, true, false);
    for limits in [Limits { bytes: 1 << 20, ..NO_LIMITS }, Limits { ratio: 100, ..NO_LIMITS }] {
        assert!(matches!(read(&archive, 4096, limits), Err(Error::LimitExceeded(_))));
    }
    assert_eq!(read(&archive, 4096, NO_LIMITS).unwrap()[0].1.len(), zeros.len());
}

#[test]
fn names_are_accepted_refused_or_ignored() {
    let file = |name: &'static str| match classify(name.as_bytes()) {
        Ok(Content::File(file, kind, folder)) => Some((file, kind, folder.to_vec())),
        _ => None,
    };
    assert_eq!(file("a/b/CURRENT"), Some(("CURRENT", FileName::Current, b"a/b/".to_vec())));
    assert_eq!(file("./000005.sst"), Some(("000005.sst", FileName::Table(FileNumber(5)), b"".to_vec())));
    for name in [
        "a/",
        "./",
        "LOCK",
        "LOG",
        "d/LOG.old",
        "000003.dbtmp",
        "__MACOSX/d/._CURRENT",
        "d/.DS_Store",
        "lost/000001.log",
    ] {
        assert_eq!(classify(name.as_bytes()), Ok(Content::Nothing), "{name}");
    }
    for name in [
        "",
        "/",
        "/CURRENT",
        "../CURRENT",
        "a/../CURRENT",
        "a//CURRENT",
        "a/./CURRENT",
        "..",
        "C:CURRENT",
        "a\\CURRENT",
        "CURRENT\0",
        "\n",
        "__proto__",
        "constructor",
        "current",
        "000005.ldb.exe",
        "README",
        "a/b.txt",
        "MANIFEST-",
        "lost",
    ] {
        assert!(classify(name.as_bytes()).is_err(), "{name:?}");
    }
}

fn import(env: &MemoryEnv, archive: &[u8]) -> Result<()> {
    let import = Import::new(Rc::new(env.clone()), NO_LIMITS);
    block_on(async {
        for piece in archive.chunks(50) {
            let mut bytes = piece;
            while !import.feed(bytes, false).await? {
                bytes = &[];
            }
        }
        while !import.feed(&[], true).await? {}
        Ok(())
    })
}

#[test]
fn a_failed_import_leaves_nothing() {
    let archive = small();
    for cut in (0..archive.len()).step_by(3) {
        let env = MemoryEnv::new();
        import(&env, &archive[..cut]).unwrap_err();
        assert_eq!(env.names(), Vec::<String>::new(), "cut at {cut}");
    }
    let env = MemoryEnv::new();
    let given_up = Import::new(Rc::new(env.clone()), NO_LIMITS);
    block_on(async {
        assert!(given_up.feed(&archive[..200], false).await.unwrap());
        assert_eq!(env.names(), ["000005.ldb", "MANIFEST-000004"]);
        given_up.abort().await;
    });
    assert_eq!(env.names(), Vec::<String>::new());
    import(&env, &archive).unwrap();
    assert_eq!(env.names(), ["000005.ldb", "CURRENT", "MANIFEST-000004"]);
    assert!(matches!(import(&env, &archive), Err(Error::InvalidArgument(_))));
    assert_eq!(env.names().len(), 3, "what was there stays");
}

#[test]
fn an_import_accepts_only_one_complete_database() {
    let current = ("CURRENT", &b"MANIFEST-000004\n"[..]);
    let manifest = ("MANIFEST-000004", &b"x"[..]);
    for (files, reason) in [
        (vec![current], "does not name a manifest"),
        (vec![manifest], "no CURRENT"),
        (vec![current, manifest, current], "two entries"),
        (vec![current, manifest, ("4/000005.ldb", b"")], "not in the same folder"),
        (vec![current, manifest, ("000005.ldb", b""), ("000005.sst", b"")], "two entries"),
        (vec![manifest, ("CURRENT", b"../MANIFEST-000004\n")], "does not name a manifest"),
    ] {
        let error = import(&MemoryEnv::new(), &zip(&files)).unwrap_err();
        assert!(error.is_corruption() && error.to_string().contains(reason), "{error}");
    }
}

/// Name and content of an entry, and what is wrong with it.
type LookedInto = (Vec<u8>, Vec<u8>, Option<String>);

/// The entries, by the central directory.
fn looked_into(archive: &[u8]) -> Result<Vec<LookedInto>> {
    let size = archive.len() as u64;
    let mut end = End::find(&archive[archive.len().saturating_sub(TAIL_SIZE)..], size)?;
    if let Some(at) = end.wide {
        let record = archive.get(at as usize..).unwrap_or_default();
        end = End::widened(record.get(..WIDE_END_SIZE).unwrap_or(record), at)?;
    }
    let (mut at, mut found) = (end.offset, Vec::new());
    for _ in 0..end.entries {
        let rest = archive.get(at as usize..).unwrap_or_default();
        let Some((listed, used)) = Listed::decode(rest.get(..LISTED_SIZE_MAX).unwrap_or(rest), end.prefix, at)? else {
            return Err(Error::corruption("archive", at, "cut"));
        };
        at += used as u64;
        let header = archive.get(listed.offset as usize..).unwrap_or_default();
        let header = header.get(..listed.header_size()).unwrap_or(header);
        let start = listed.content(header, size)? as usize;
        let mut content = EntryContent::new(&listed, 1 << 20, 200)?;
        let (mut from, mut all, mut piece) = (start, Vec::new(), Vec::new());
        while !content.is_over() {
            from += content.step(&archive[from..(from + 10).min(archive.len())], &mut piece)?;
            all.extend_from_slice(&piece);
        }
        found.push((listed.name, all, content.problem()));
    }
    Ok(found)
}

#[test]
fn an_archive_is_looked_into_with_anything_before_it() {
    for prefix in [0, 1, 1000] {
        let archive = [vec![b'P'; prefix], small()].concat();
        let found = looked_into(&archive).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], (b"MANIFEST-000004".to_vec(), b"PK\x07\x08 edits".to_vec(), None));
    }
}

#[test]
fn every_damaged_byte_of_an_archive_that_is_looked_into_is_an_error_or_told() {
    let archive = small();
    let whole = looked_into(&archive).unwrap();
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] ^= 0x41;
        if let Ok(found) = looked_into(&damaged) {
            let is_told = found.iter().any(|(.., problem)| problem.is_some());
            // The header of an entry counts for its length and name only; of dates nothing does.
            let same = found.iter().zip(&whole).all(|(a, b)| a.1 == b.1) && found.len() == whole.len();
            assert!(is_told || same || found.len() < whole.len(), "byte {at}");
        }
        let _ = looked_into(&archive[..at]).map(|found| assert!(found.len() < whole.len(), "cut at {at}"));
    }
}
