//! Damaged tables, and tables with false contents.

use super::*;

/// The result of strict reading: an error, or the right entries.
fn strict_reading_is_right(bytes: Vec<u8>, rows: &[Row], options: &TableOptions) -> bool {
    let Ok(table) = open(&TestFile::new(bytes), options) else { return false };
    let mut whole = table.filter_error().is_none();
    let mut iterator = table.iter(READ);
    let found = rows_forward(&mut iterator);
    assert!(rows.starts_with(&found));
    assert_eq!(iterator.status().is_ok(), found.len() == rows.len());
    whole &= found.len() == rows.len();
    let found = rows_backward(&mut iterator);
    assert!(found.iter().eq(rows.iter().rev().take(found.len())));
    assert_eq!(iterator.status().is_ok(), found.len() == rows.len());
    for (key, value) in rows {
        let step = iterator.seek(key);
        finish_now(&mut iterator, step);
        assert!(if iterator.valid() { iterator.value() == value } else { iterator.status().is_err() });
        match block_on(table.get(key, READ, &mut (), |k, v| k == key && v == value)) {
            Ok((_, found)) => assert_eq!(found, Some(true)),
            Err(error) => assert!(error.is_corruption(), "{error}"),
        }
    }
    whole
}

#[test]
fn every_flipped_bit_is_an_error_or_changes_nothing() {
    for compression in [Compression::None, Compression::Snappy] {
        let options = TableOptions { block_size: 150, compression, ..options() };
        let rows = rows(16);
        let bytes = build(&rows, &options);
        let mut harmless = 0;
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            harmless += usize::from(strict_reading_is_right(flipped, &rows, &options));
        }
        // The footer's padding is the only place without data.
        assert!(harmless <= 36 * 8, "{harmless}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let options = TableOptions { block_size: 256, ..options() };
    let bytes = build(&rows(40), &options);
    for length in 0..bytes.len() {
        let cut = bytes[..length].to_vec();
        assert!(open(&TestFile::new(cut.clone()), &options).is_err_and(|e| e.is_corruption()), "{length}");
        // The manifest may also have said that it was longer.
        let file = TestFile::new(cut);
        file.bytes.borrow_mut().shrink_to_fit();
        let size = u64::try_from(bytes.len()).unwrap();
        let (cache, counters) = (Rc::new(BlockCache::new(0)), Rc::default());
        let result = block_on(Table::open(file, "1.ldb".into(), size, 1, Rc::new(options.clone()), cache, counters));
        assert!(result.is_err_and(|e| e.is_corruption()), "{length}");
    }
}

/// `bytes` with one bit flipped in the data block of row `at`, and the rows of that block.
fn flip_block(bytes: &[u8], rows: &[Row], at: usize, options: &TableOptions) -> (Vec<u8>, std::ops::Range<usize>) {
    let table = open(&TestFile::new(bytes.to_vec()), options).unwrap();
    let offset = table.approximate_offset(&rows[at].0);
    let same = |row: &Row| table.approximate_offset(&row.0) == offset;
    let first = rows.iter().position(same).unwrap();
    let last = rows.iter().rposition(same).unwrap();
    let mut flipped = bytes.to_vec();
    flipped[usize::try_from(offset).unwrap() + 20] ^= 4;
    (flipped, first..last + 1)
}

#[test]
fn a_bad_block_stops_a_strict_iterator_and_the_error_names_it() {
    let (rows, options) = (rows(500), TableOptions { compression: Compression::None, ..options() });
    let (bytes, lost) = flip_block(&build(&rows, &options), &rows, 250, &options);
    let table = open(&TestFile::new(bytes), &options).unwrap();
    let mut iterator = table.iter(READ);
    assert_eq!(rows_forward(&mut iterator), rows[..lost.start]);
    let error = iterator.status().unwrap_err().to_string();
    assert!(error.contains("000001.ldb at offset") && error.contains("block checksum mismatch: stored"), "{error}");
    assert_eq!(rows_backward(&mut iterator).len(), rows.len() - lost.end);
    iterator.status().unwrap_err();
    // The rest of the table is intact, and a seek clears the error.
    let step = iterator.seek(&rows[0].0);
    finish_now(&mut iterator, step);
    assert!(iterator.valid() && iterator.status().is_ok());
    assert!(block_on(table.get(&rows[250].0, READ, &mut (), |_, _| ())).is_err());
    assert!(block_on(table.get(&rows[lost.end].0, READ, &mut (), |_, _| ())).unwrap().1.is_some());
}

#[test]
fn a_skipping_iterator_loses_only_the_bad_block_and_keeps_the_error() {
    let (rows, options) = (rows(500), options());
    let (bytes, lost) = flip_block(&build(&rows, &options), &rows, 250, &options);
    for pending in [None, Some(1)] {
        let file = TestFile::new(bytes.clone());
        let table = open(&file, &options).unwrap();
        file.pending_polls.set(pending);
        let left: Vec<Row> = rows[..lost.start].iter().chain(&rows[lost.end..]).cloned().collect();
        let mut iterator = table.iter(on_damage(READ, OnBadBlock::Skip));
        assert_eq!(rows_forward(&mut iterator), left);
        let error = iterator.status().unwrap_err();
        let mut back = rows_backward(&mut iterator);
        back.reverse();
        assert_eq!(back, left);
        let step = iterator.seek(&rows[250].0);
        finish_now(&mut iterator, step);
        assert_eq!(iterator.key(), rows[lost.end].0);
        let step = iterator.prev();
        finish_now(&mut iterator, step);
        assert_eq!(iterator.key(), rows[lost.start - 1].0);
        assert_eq!(iterator.status(), Err(error), "the first, for good");
    }
}

/// A table with these data blocks' contents, each with its key in the index.
fn forge(blocks: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut index = BlockBuilder::new(1);
    for (key, contents) in blocks {
        let mut value = Vec::new();
        BlockHandle { offset: out.len() as u64, size: contents.len() as u64 }.encode_to(&mut value);
        index.add(&[], key, &value).unwrap();
        store_raw(contents, &mut out);
    }
    forge_end(out, index.finish())
}

fn forge_end(mut out: Vec<u8>, index: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(Compression::None);
    let mut store = |contents: &[u8]| {
        let offset = out.len() as u64;
        BlockHandle { offset, size: compressor.store(contents, &mut out) as u64 }
    };
    let metaindex = store(&[0, 0, 0, 0, 1, 0, 0, 0]);
    let index = store(index);
    Footer { metaindex, index }.encode_to(&mut out);
    out
}

fn keys(rows: &[Row]) -> String {
    rows.iter().map(|(key, _)| String::from_utf8_lossy(key) + " ").collect()
}

#[test]
fn a_bad_entry_loses_the_rest_of_its_block() {
    // Entries a, ab, then one that shares 9 bytes of 2; restart points at 0 and at the valid entry
    // `b` after it.
    let damaged = b"\x00\x01\x00a\x01\x01\x00b\x09\x01\x00x\x00\x01\x00b\0\0\0\0\x0c\0\0\0\x02\0\0\0";
    let good = b"\x00\x01\x00c\0\0\0\0\x01\0\0\0";
    let bytes = forge(&[(b"b", damaged), (b"c", good)]);
    let table = open(&TestFile::new(bytes), &user_options()).unwrap();
    for read in [READ, LENIENT] {
        let mut iterator = table.iter(on_damage(read, OnBadBlock::Skip));
        assert_eq!(keys(&rows_forward(&mut iterator)), "a ab c ");
        let error = iterator.status().unwrap_err().to_string();
        let expected = "corruption: 000001.ldb at offset 8: bad entry in block: 9 bytes shared with a key of 2";
        assert_eq!(error, expected);
        // LevelDB stops at the bad entry backwards, too: it scans from the restart point before it.
        assert_eq!(keys(&rows_backward(&mut iterator)), "c b ");
        let mut strict = table.iter(on_damage(read, OnBadBlock::Stop));
        assert_eq!(keys(&rows_forward(&mut strict)), "a ab ");
        assert_eq!(strict.status().unwrap_err().to_string(), expected);
        let step = strict.seek(b"b");
        finish_now(&mut strict, step);
        assert!(!strict.valid() && strict.status().is_err());
    }
}

#[test]
fn bad_restart_arrays_are_refused_when_strict_else_read_as_leveldb_does() {
    let entries = b"\x00\x01\x00a\x00\x01\x00b";
    let with = |words: &[u32]| {
        let words: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        forge(&[(b"b", &[&entries[..], &words].concat())])
    };
    for (words, lenient) in [
        (&[1, 1][..], Some("")),           // restart point not at 0, and no entry there
        (&[4, 1], Some("b ")),             // first entry left out
        (&[0, 0, 2], Some("a b ")),        // not increasing
        (&[0, 8, 2], Some("a b ")),        // past the entries
        (&[0, u32::MAX, 2], Some("a b ")), // far past
        (&[0], Some("")),                  // none
        (&[7], None),                      // too many
        (&[u32::MAX], None),
    ] {
        let table = open(&TestFile::new(with(words)), &user_options()).unwrap();
        let mut strict = table.iter(READ);
        assert_eq!(rows_forward(&mut strict), [], "{words:?}");
        let error = strict.status().unwrap_err().to_string();
        assert!(error.contains("bad block contents"), "{words:?}: {error}");
        let table = open(&TestFile::new(with(words)), &user_options()).unwrap();
        let mut iterator = table.iter(on_damage(LENIENT, OnBadBlock::Skip));
        assert_eq!(keys(&rows_forward(&mut iterator)), lenient.unwrap_or_default(), "{words:?}");
        if lenient.is_none() {
            iterator.status().unwrap_err();
        }
        let _ = rows_backward(&mut iterator);
        for target in [&b""[..], b"a", b"b", b"c"] {
            let step = iterator.seek(target);
            finish_now(&mut iterator, step);
        }
    }
}

#[test]
fn bad_handles_are_refused_before_anything_is_read() {
    let block = b"\x00\x01\x00a\0\0\0\0\x01\0\0\0";
    for handle in [
        BlockHandle { offset: 0, size: u64::MAX },
        BlockHandle { offset: u64::MAX, size: 12 },
        BlockHandle { offset: 0, size: 1 << 40 },
        BlockHandle { offset: 1 << 40, size: 12 },
        BlockHandle { offset: u64::MAX - 16, size: 12 },
    ] {
        let mut value = Vec::new();
        handle.encode_to(&mut value);
        let mut index = BlockBuilder::new(1);
        index.add(&[], b"a", &value).unwrap();
        let mut out = Vec::new();
        store_raw(block, &mut out);
        let file = TestFile::new(forge_end(out, index.finish()));
        let table = open(&file, &user_options()).unwrap();
        file.reads.set(0);
        for on_bad_block in [OnBadBlock::Stop, OnBadBlock::Skip] {
            let mut iterator = table.iter(on_damage(LENIENT, on_bad_block));
            assert_eq!(rows_forward(&mut iterator), []);
            assert!(iterator.status().unwrap_err().to_string().contains("bad block handle"));
        }
        let error = block_on(table.get(b"a", READ, &mut (), |_, _| ())).unwrap_err().to_string();
        assert!(error.contains("bad block handle"), "{error}");
        assert_eq!(file.reads.get(), 0);
    }
    // A truncated handle.
    let bytes = forge_end(Vec::new(), b"\x00\x01\x01a\xff\0\0\0\0\x01\0\0\0");
    let table = open(&TestFile::new(bytes), &user_options()).unwrap();
    let error = block_on(table.get(b"a", READ, &mut (), |_, _| ())).unwrap_err().to_string();
    assert!(error.contains("at offset 17: bad block handle: offset: varint is cut off"), "{error}");
}

#[test]
fn a_damaged_filter_is_ignored_unless_paranoid() {
    let (rows, options) = (rows(300), options());
    let bytes = build(&rows, &options);
    let table = open(&TestFile::new(bytes.clone()), &options).unwrap();
    assert!(table.filter_error().is_none());
    let data_end = usize::try_from(table.data_end()).unwrap();
    let metaindex = usize::try_from(table.approximate_offset(&key(b"z", 1))).unwrap();
    for at in [data_end + 3, metaindex + 2] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let table = open(&TestFile::new(damaged.clone()), &options).unwrap();
        let error = table.filter_error().unwrap();
        assert!(error.to_string().contains("block checksum mismatch"), "{error}");
        for (key, _) in &rows {
            assert_eq!(block_on(table.get(key, READ, &mut (), |k, _| k == key)).unwrap().1, Some(true));
        }
        let paranoid =
            TableOptions { policy: DamagePolicy { paranoid: true, ..DamagePolicy::STOP }, ..options.clone() };
        assert!(open(&TestFile::new(damaged.clone()), &paranoid).is_err());
        // LevelDB without paranoid checks verifies no checksum here, and uses a flipped filter.
        let lenient = TableOptions { policy: DamagePolicy::STOP.verifying(false), ..options.clone() };
        open(&TestFile::new(damaged), &lenient).unwrap();
    }
    // A filter of another policy is ignored.
    struct Other;
    impl FilterPolicy for Other {
        fn name(&self) -> &str {
            "other"
        }
        fn create_filter(&self, _: &[&[u8]], _: &mut Vec<u8>) {}
        fn key_may_match(&self, _: &[u8], _: &[u8]) -> bool {
            false
        }
    }
    let other = TableOptions { filter_policy: Some(Rc::new(Other)), ..options };
    let table = open(&TestFile::new(bytes), &other).unwrap();
    assert_eq!(block_on(table.get(&rows[7].0, READ, &mut (), |k, _| *k == rows[7].0)).unwrap().1, Some(true));
}

#[test]
fn a_failed_read_is_an_error_and_can_be_retried() {
    let (rows, options) = (rows(500), options());
    let file = TestFile::new(build(&rows, &options));
    let table = open(&file, &options).unwrap();
    file.fails_from.set(0);
    let mut iterator = table.iter(READ);
    assert_eq!(rows_forward(&mut iterator), []);
    assert_eq!(iterator.status().unwrap_err().code(), "io");
    assert_eq!(block_on(table.get(&rows[0].0, READ, &mut (), |_, _| ())).unwrap_err().code(), "io");
    file.fails_from.set(u64::MAX);
    assert_eq!(rows_forward(&mut iterator), rows);
    file.fails_from.set(0);
    assert_eq!(open(&file, &options).err().unwrap().code(), "io");
}

#[test]
fn a_file_that_is_not_a_table_is_reported_as_such() {
    let reason = |bytes: Vec<u8>| open(&TestFile::new(bytes), &options()).err().unwrap().to_string();
    assert!(reason(Vec::new()).contains("file is too short to be an sstable: 0 bytes"));
    assert!(reason(vec![0; 47]).contains("file is too short to be an sstable: 47 bytes"));
    assert!(reason(vec![0; 48]).contains("at offset 40: not an sstable (bad magic number): 0000000000000000"));
    assert!(reason(vec![0; 1 << 20]).contains("bad magic number"));
    let whole = build(&rows(3), &options());
    assert!(reason([&whole[..], b"x"].concat()).contains("bad magic number"));
}

#[test]
fn a_block_larger_than_allowed_is_not_decompressed() {
    let rows = [(key(b"big", 1), vec![0; 100_000])];
    let bytes = build(&rows, &options());
    assert!(bytes.len() < 10_000);
    let capped = TableOptions { block_size_max: 99_999, ..options() };
    let table = open(&TestFile::new(bytes), &capped).unwrap();
    let error = block_on(table.get(&rows[0].0, READ, &mut (), |_, _| ())).unwrap_err();
    assert_eq!(error.code(), "limit-exceeded");

    let raw = TableOptions { compression: Compression::None, ..capped };
    let file = TestFile::new(build(&rows, &raw));
    let table = open(&file, &raw).unwrap();
    file.reads.set(0);
    let error = block_on(table.get(&rows[0].0, READ, &mut (), |_, _| ())).unwrap_err();
    assert_eq!((error.code(), file.reads.get()), ("limit-exceeded", 0));
}
