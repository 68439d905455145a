//! Whole tables: against LevelDB's own files, against a model, damaged, and hostile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is how a failure is said")]

use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::block::{BlockBuilder, BlockIterator};
use super::builder::TableBuilder;
use super::codec::Compressor;
use super::testing::*;
use super::trailer::store_raw;
use super::*;
use crate::base::{FilterPolicy, KeyOrder, UserComparator};
use crate::error::Result;
use crate::iter::conformance::{Row, check, finish_now, rows_backward, rows_forward};
use crate::iter::{InternalIterator, OnBadBlock, Step};
use crate::options::Compression;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/leveldb-table/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn scan(bytes: &[u8], options: &TableOptions) -> Vec<Row> {
    let table = open(&TestFile::new(bytes.to_vec()), options).unwrap();
    let mut iterator = table.iter(READ);
    let rows = rows_forward(&mut iterator);
    iterator.status().unwrap();
    rows
}

#[test]
fn tables_are_leveldbs_byte_for_byte() {
    let none = TableOptions { compression: Compression::None, ..user_options() };
    let small = TableOptions { block_size: 256, ..none.clone() };
    let restart2 = TableOptions { order: options().order, block_size: 1024, block_restart_interval: 2, ..none.clone() };
    let bloom = TableOptions { compression: Compression::None, ..options() };
    let snappy = user_options();
    for (name, options, entries) in [
        ("empty.ldb", snappy, 0),
        ("one-entry.ldb", none, 1),
        ("block256-none.ldb", small, 300),
        ("block1k-restart2-none.ldb", restart2, 300),
        ("bloom10-none.ldb", bloom, 1),
    ] {
        let expected = fixture(name);
        let rows = scan(&expected, &options);
        assert!(rows.len() >= entries, "{name}: {}", rows.len());
        assert!(build(&rows, &options) == expected, "{name} differs");
    }
}

#[test]
fn snappy_tables_of_leveldb_are_read() {
    let options = TableOptions { block_size: 256, block_restart_interval: 1, ..user_options() };
    let expected = fixture("block256-restart1.ldb");
    let rows = scan(&expected, &options);
    assert_eq!(rows.len(), 300);
    assert_eq!(scan(&build(&rows, &options), &options), rows);
}

#[test]
fn the_worked_example_of_mod_rs() {
    let none = TableOptions { compression: Compression::None, ..user_options() };
    let built = build(&[(key(b"only", 1), b"one".to_vec())], &none);
    let hex: String = built.iter().map(|byte| format!("{byte:02x}")).collect();
    let pictured = "000c03 6f6e6c790101000000000000 6f6e65 00000000 01000000 00 9c69aa96 \
                    00000000 01000000 00 c0f2a1b0 \
                    000102 70 001a 00000000 01000000 00 747d43f8 1f08 2c0e";
    assert!(hex.starts_with(&pictured.replace(' ', "")), "{hex}");
    assert_eq!(built.len(), 111);
}

fn variants() -> Vec<TableOptions> {
    let mut variants = Vec::new();
    for (block_size, block_restart_interval) in [(64, 16), (256, 1), (1000, 3), (4096, 16), (1 << 20, 1000)] {
        for compression in [Compression::None, Compression::Snappy] {
            variants.push(TableOptions { block_size, block_restart_interval, compression, ..options() });
        }
    }
    variants
}

fn reads() -> Vec<BlockRead> {
    let uncached = BlockRead { use_cache: false, fill_cache: false, ..READ };
    vec![READ, uncached, BlockRead { read_ahead: 5000, ..uncached }, BlockRead { read_ahead: 1 << 20, ..READ }, LENIENT]
}

#[test]
fn iterators_obey_the_contract_whether_reads_are_ready_or_pending() {
    let targets = [key(b"", 9), key(b"key00000001", 5), key(b"key00000100", 0), key(b"key00000100", 900), key(b"z", 1)];
    for count in [0, 1, 2, 17, 300] {
        let rows = rows(count);
        for options in variants() {
            let file = TestFile::new(build(&rows, &options));
            for pending in [None, Some(0), Some(2)] {
                file.pending_polls.set(pending);
                let cache = BlockCache::new(if count == 17 { 0 } else { 3000 });
                let table = open_with(&file, &options, Rc::new(cache)).unwrap();
                for (read, on_bad_block) in
                    reads().into_iter().zip([OnBadBlock::Stop, OnBadBlock::Skip].into_iter().cycle())
                {
                    let mut iterator = table.iter(on_damage(read, on_bad_block));
                    check(&mut iterator, &rows, &options.order, &targets, count + 7);
                }
            }
        }
    }
}

#[test]
fn get_answers_like_a_map() {
    let rows = rows(400);
    for options in variants() {
        let table = open(&TestFile::new(build(&rows, &options)), &options).unwrap();
        for read in reads() {
            for (i, (key, value)) in rows.iter().enumerate() {
                let (lookup, found) = block_on(table.get(key, read, |k, v| (k == key, v == value))).unwrap();
                assert_eq!(found, Some((true, true)), "row {i}");
                assert!(matches!(lookup, Lookup::Block { .. }));
            }
            let mut no = 0;
            for i in 0..400u64 {
                let missing = key(format!("key{:08}", i * 2 + 1).as_bytes(), 1);
                match block_on(table.get(&missing, read, |k, _| k == missing)).unwrap() {
                    (Lookup::FilterNo { .. }, None) => no += 1,
                    (_, found) => assert_ne!(found, Some(true)),
                }
            }
            assert!(no > 370, "{no}");
        }
        let behind = block_on(table.get(&key(b"l", 1), READ, |_, _| ())).unwrap();
        assert_eq!(behind, (Lookup::PastEnd, None));
        assert!(table.memory() > 400);
    }
}

#[test]
fn approximate_offsets_grow_with_the_key() {
    let rows = rows(2000);
    let options = TableOptions { compression: Compression::None, ..options() };
    let bytes = build(&rows, &options);
    let table = open(&TestFile::new(bytes.clone()), &options).unwrap();
    let offsets: Vec<u64> = rows.iter().map(|(key, _)| table.approximate_offset(key)).collect();
    assert!(offsets.is_sorted() && offsets[0] == 0 && offsets[1999] > 60_000);
    let end = table.approximate_offset(&key(b"z", 1));
    assert!(end > offsets[1999] && end < u64::try_from(bytes.len()).unwrap());
}

#[test]
fn ready_reads_and_cached_blocks_never_need_a_block() {
    let (rows, options) = (rows(1000), options());
    let file = TestFile::new(build(&rows, &options));
    let table = open_with(&file, &options, Rc::new(BlockCache::new(1 << 20))).unwrap();
    let mut iterator = table.iter(READ);
    let mut steps = Vec::new();
    steps.push(iterator.seek_to_first());
    while iterator.valid() {
        steps.push(iterator.next());
    }
    file.pending_polls.set(Some(1));
    steps.push(iterator.seek_to_last());
    while iterator.valid() {
        steps.push(iterator.prev());
    }
    steps.push(table.iter(READ).seek(&rows[500].0));
    assert!(steps.len() > 2000 && steps.iter().all(|step| *step == Step::Done));
    let uncached = BlockRead { use_cache: false, ..READ };
    assert_eq!(table.iter(on_damage(uncached, OnBadBlock::Stop)).seek(&rows[500].0), Step::NeedsBlock);
}

#[test]
fn a_move_that_waits_reads_once_and_goes_on_where_it_was() {
    let (rows, options) = (rows(1000), options());
    let file = TestFile::new(build(&rows, &options));
    let table = open_with(&file, &options, Rc::new(BlockCache::new(0))).unwrap();
    file.pending_polls.set(Some(3));
    file.reads.set(0);
    let mut iterator = table.iter(READ);
    assert_eq!(iterator.seek(&rows[700].0), Step::NeedsBlock);
    assert_eq!(iterator.resume(), Step::NeedsBlock, "nothing was filled");
    let mut cx = Context::from_waker(Waker::noop());
    let polls = std::iter::repeat_with(|| iterator.poll_fill(&mut cx)).take_while(Poll::is_pending).count();
    assert_eq!(polls, 3);
    assert_eq!(iterator.poll_fill(&mut cx), Poll::Ready(()), "again");
    assert_eq!(iterator.resume(), Step::Done);
    assert_eq!(iterator.key(), rows[700].0);
    assert_eq!(file.reads.get(), 1);
    assert_eq!(iterator.resume(), Step::Done, "nothing left to do");
    assert_eq!(iterator.key(), rows[700].0);
}

#[test]
fn reading_ahead_takes_fewer_reads_and_nothing_behind_the_data() {
    let (rows, options) = (rows(3000), options());
    let file = TestFile::new(build(&rows, &options));
    let table = open(&file, &options).unwrap();
    let count = |read_ahead| {
        file.reads.set(0);
        let read = BlockRead { read_ahead, use_cache: false, fill_cache: false, ..READ };
        assert_eq!(rows_forward(&mut table.iter(on_damage(read, OnBadBlock::Stop))), rows);
        file.reads.get()
    };
    let (one, several, all) = (count(0), count(16 << 10), count(16 << 20));
    assert!(one > 20 && several < one / 3 && all == 1, "{one} {several} {all}");
}

#[test]
fn a_builder_refuses_disorder_and_lost_appends() {
    let row = |user: &[u8], sequence| (key(user, sequence), Vec::new());
    for rows in [[row(b"b", 1), row(b"a", 2)], [row(b"a", 1), row(b"a", 1)], [row(b"a", 1), row(b"a", 2)]] {
        let error = try_build(&rows, &options()).unwrap_err();
        assert!(error.is_corruption() && error.to_string().contains("does not come after"), "{error}");
    }
    assert!(try_build(&[row(b"a", 2), row(b"a", 1)], &options()).is_ok());
    let file = TestFile::new(Vec::new());
    file.loses.set(1);
    let mut builder = TableBuilder::new(Rc::new(TestEnv), file, "000001.ldb".into(), Rc::new(options()));
    builder.add(b"k1234567", b"v").unwrap();
    let error = block_on(builder.finish()).unwrap_err();
    assert_eq!(error.code(), "io");
}

#[test]
fn keys_of_other_orders_are_kept() {
    struct Reverse;
    impl crate::base::Comparator for Reverse {
        fn name(&self) -> &str {
            "Reverse"
        }
        fn compare(&self, a: &[u8], b: &[u8]) -> std::cmp::Ordering {
            b.cmp(a)
        }
    }
    let order = KeyOrder::User(UserComparator::Custom(Rc::new(Reverse)));
    let options = TableOptions { order: order.clone(), block_size: 100, ..options() };
    let mut rows = rows(200);
    rows.reverse();
    let table = open(&TestFile::new(build(&rows, &options)), &options).unwrap();
    check(&mut table.iter(READ), &rows, &order, &[b"key1".to_vec(), Vec::new()], 3);
}

#[test]
fn long_keys_and_long_runs_are_walked_backwards() {
    let few: Vec<Row> = (0..20u8).map(|i| (key(&[vec![7; 5000], vec![i]].concat(), 1), vec![i])).collect();
    let mixed: Vec<Row> = (0..60u8).map(|i| (key(&[i].repeat(100 * usize::from(i)), 1), vec![i])).collect();
    let many = rows(20_000);
    for rows in [few, mixed, many] {
        let options = TableOptions { block_size: 4 << 20, block_restart_interval: 1 << 16, ..options() };
        let table = open(&TestFile::new(build(&rows, &options)), &options).unwrap();
        let mut reversed = rows_backward(&mut table.iter(READ));
        reversed.reverse();
        assert!(reversed == rows);
    }
}

// Damage.

/// What strict reading gives: an error, or the truth.
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
        match block_on(table.get(key, READ, |k, v| k == key && v == value)) {
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
        // The footer's padding is the only place where nothing is stored.
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
        // Or the manifest says that it was longer.
        let file = TestFile::new(cut);
        file.bytes.borrow_mut().shrink_to_fit();
        let size = u64::try_from(bytes.len()).unwrap();
        let (cache, counters) = (Rc::new(BlockCache::new(0)), Rc::default());
        let result = block_on(Table::open(file, "1.ldb".into(), size, 1, Rc::new(options.clone()), cache, counters));
        assert!(result.is_err_and(|e| e.is_corruption()), "{length}");
    }
}

/// `bytes` with one bit of the data block that holds row `at` flipped, and which rows are in that block.
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
fn a_bad_block_stops_a_strict_iterator_and_is_named() {
    let (rows, options) = (rows(500), TableOptions { compression: Compression::None, ..options() });
    let (bytes, lost) = flip_block(&build(&rows, &options), &rows, 250, &options);
    let table = open(&TestFile::new(bytes), &options).unwrap();
    let mut iterator = table.iter(READ);
    assert_eq!(rows_forward(&mut iterator), rows[..lost.start]);
    let error = iterator.status().unwrap_err().to_string();
    assert!(error.contains("000001.ldb at offset") && error.contains("block checksum mismatch: stored"), "{error}");
    assert_eq!(rows_backward(&mut iterator).len(), rows.len() - lost.end);
    iterator.status().unwrap_err();
    // Elsewhere the table is whole, and a seek forgets the error.
    let step = iterator.seek(&rows[0].0);
    finish_now(&mut iterator, step);
    assert!(iterator.valid() && iterator.status().is_ok());
    assert!(block_on(table.get(&rows[250].0, READ, |_, _| ())).is_err());
    assert!(block_on(table.get(&rows[lost.end].0, READ, |_, _| ())).unwrap().1.is_some());
}

#[test]
fn a_skipping_iterator_loses_just_the_bad_block_and_keeps_the_error() {
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

/// A table of these contents of data blocks, each with the key that the index has for it.
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

fn user_options() -> TableOptions {
    TableOptions { order: KeyOrder::BYTEWISE, filter_policy: None, ..options() }
}

fn keys(rows: &[Row]) -> String {
    rows.iter().map(|(key, _)| String::from_utf8_lossy(key) + " ").collect()
}

#[test]
fn a_bad_entry_loses_the_rest_of_its_block() {
    // Entries a, ab, then one that shares 9 bytes of 2; restart points at 0 and at the good entry `b` behind.
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
        // Backwards LevelDB stops at the bad entry too: it scans from the restart point before.
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
fn restart_arrays_that_lie_are_refused_strictly_and_read_as_leveldb_does_otherwise() {
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
fn handles_that_lie_are_refused_before_anything_is_read() {
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
        let error = block_on(table.get(b"a", READ, |_, _| ())).unwrap_err().to_string();
        assert!(error.contains("bad block handle"), "{error}");
        assert_eq!(file.reads.get(), 0);
    }
    // A handle cut off.
    let bytes = forge_end(Vec::new(), b"\x00\x01\x01a\xff\0\0\0\0\x01\0\0\0");
    let table = open(&TestFile::new(bytes), &user_options()).unwrap();
    let error = block_on(table.get(b"a", READ, |_, _| ())).unwrap_err().to_string();
    assert!(error.contains("at offset 17: bad block handle: offset: varint is cut off"), "{error}");
}

#[test]
fn a_damaged_filter_is_passed_over_unless_paranoid() {
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
            assert_eq!(block_on(table.get(key, READ, |k, _| k == key)).unwrap().1, Some(true));
        }
        let paranoid =
            TableOptions { policy: DamagePolicy { paranoid: true, ..DamagePolicy::STOP }, ..options.clone() };
        assert!(open(&TestFile::new(damaged.clone()), &paranoid).is_err());
        // LevelDB without paranoid checks looks at no checksum here, and uses a flipped filter.
        let lenient = TableOptions { policy: DamagePolicy::STOP.verifying(false), ..options.clone() };
        open(&TestFile::new(damaged), &lenient).unwrap();
    }
    // A filter of another name is none of ours.
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
    assert_eq!(block_on(table.get(&rows[7].0, READ, |k, _| *k == rows[7].0)).unwrap().1, Some(true));
}

#[test]
fn a_failed_read_is_an_error_and_may_be_tried_again() {
    let (rows, options) = (rows(500), options());
    let file = TestFile::new(build(&rows, &options));
    let table = open(&file, &options).unwrap();
    file.fails_from.set(0);
    let mut iterator = table.iter(READ);
    assert_eq!(rows_forward(&mut iterator), []);
    assert_eq!(iterator.status().unwrap_err().code(), "io");
    assert_eq!(block_on(table.get(&rows[0].0, READ, |_, _| ())).unwrap_err().code(), "io");
    file.fails_from.set(u64::MAX);
    assert_eq!(rows_forward(&mut iterator), rows);
    file.fails_from.set(0);
    assert_eq!(open(&file, &options).err().unwrap().code(), "io");
}

#[test]
fn what_is_not_a_table_is_said_so() {
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
    let error = block_on(table.get(&rows[0].0, READ, |_, _| ())).unwrap_err();
    assert_eq!(error.code(), "limit-exceeded");

    let raw = TableOptions { compression: Compression::None, ..capped };
    let file = TestFile::new(build(&rows, &raw));
    let table = open(&file, &raw).unwrap();
    file.reads.set(0);
    let error = block_on(table.get(&rows[0].0, READ, |_, _| ())).unwrap_err();
    assert_eq!((error.code(), file.reads.get()), ("limit-exceeded", 0));
}

/// Reads everything in every way; nothing but the end matters.
fn exercise(bytes: &[u8], options: &TableOptions) -> Result<usize> {
    let mut steps = 0;
    let table = open(&TestFile::new(bytes.to_vec()), options)?;
    for (read, on_bad_block) in [(READ, OnBadBlock::Stop), (LENIENT, OnBadBlock::Skip)] {
        let mut iterator = table.iter(on_damage(read, on_bad_block));
        for backward in [false, true] {
            let step = if backward { iterator.seek_to_last() } else { iterator.seek_to_first() };
            finish_now(&mut iterator, step);
            while iterator.valid() {
                steps += iterator.key().len().min(1) + iterator.value().len().min(1);
                let step = if backward { iterator.prev() } else { iterator.next() };
                finish_now(&mut iterator, step);
            }
        }
        for i in 0..20u64 {
            let target = key(format!("key{:08}", i * 9).as_bytes(), 3);
            let step = iterator.seek(&target);
            finish_now(&mut iterator, step);
            for step in [InternalIterator::prev, InternalIterator::next, InternalIterator::next] {
                if iterator.valid() {
                    let step = step(&mut iterator);
                    finish_now(&mut iterator, step);
                }
            }
            let _ = block_on(table.get(&target, read, |k, v| k.len() + v.len()));
            let _ = table.approximate_offset(&target);
        }
    }
    Ok(steps)
}

/// Sets the checksums of all blocks right that the handles still lead to.
fn reseal(bytes: &mut [u8]) {
    let Ok(footer) = Footer::decode(&bytes[bytes.len() - FOOTER_SIZE..]) else { return };
    reseal_block(bytes, footer.metaindex);
    let Some(index) = reseal_block(bytes, footer.index) else { return };
    let mut entries = BlockIterator::new(index);
    entries.seek_to_first();
    while entries.valid() {
        if let Ok(handle) = BlockHandle::decode_value(entries.value()) {
            reseal_block(bytes, handle);
        }
        entries.next();
    }
}

fn reseal_block(bytes: &mut [u8], handle: BlockHandle) -> Option<Rc<Block>> {
    let stored = handle.stored_size(bytes.len() as u64).ok()?;
    let start = usize::try_from(handle.offset).unwrap();
    let (sealed, checksum) = bytes[start..start + stored].split_last_chunk_mut::<4>()?;
    *checksum = format::masked(format::checksum(sealed)).to_le_bytes();
    let (block_type, contents) = sealed.split_last()?;
    let mut decoded = Vec::new();
    decompress(codec_of(*block_type, contents).ok()?, contents, 1 << 20, &mut decoded).ok()?;
    Block::new(decoded, Origin::default(), true).ok().map(Rc::new)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_table_is_a_sorted_map(
        entries in prop::collection::btree_map(
            prop::collection::vec(prop_oneof![Just(0u8), Just(255), b'a'..b'd'], 0..12),
            prop::collection::vec(any::<u8>(), 0..200),
            0..200,
        ),
        targets in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0u8), Just(255), b'a'..b'd'], 0..12), 0..20),
        block_size in 64usize..3000,
        block_restart_interval in 1usize..20,
        snappy in any::<bool>(),
        internal in any::<bool>(),
        pending in prop::option::of(0u32..2),
        read_ahead in prop_oneof![Just(0u32), 1u32..10_000],
        seed in any::<u64>(),
    ) {
        let entries: BTreeMap<Vec<u8>, Vec<u8>> = entries;
        let wrap = |user: &Vec<u8>| if internal { key(user, 5) } else { user.clone() };
        let rows: Vec<Row> = entries.iter().map(|(k, v)| (wrap(k), v.clone())).collect();
        let targets: Vec<Vec<u8>> = targets.iter().map(wrap).collect();
        let compression = if snappy { Compression::Snappy } else { Compression::None };
        let order = if internal { options().order } else { KeyOrder::BYTEWISE };
        let options = TableOptions { order, block_size, block_restart_interval, compression, ..options() };
        let file = TestFile::new(build(&rows, &options));
        file.pending_polls.set(pending);
        let table = open_with(&file, &options, Rc::new(BlockCache::new(2000))).unwrap();
        let read = BlockRead { read_ahead, ..READ };
        check(&mut table.iter(on_damage(read, OnBadBlock::Stop)), &rows, &options.order, &targets, seed);
        for target in rows.iter().map(|(k, _)| k).chain(&targets) {
            let expected = rows.binary_search_by(|(k, _)| options.order.compare(k, target)).ok().map(|i| &rows[i].1);
            let (_, found) = block_on(table.get(target, read, |k, v| (k == target).then(|| v.to_vec()))).unwrap();
            prop_assert_eq!(found.flatten(), expected.cloned());
        }
    }

    #[test]
    fn mutated_tables_never_panic(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        compressed in any::<bool>(),
        verify in any::<bool>(),
    ) {
        let compression = if compressed { Compression::Snappy } else { Compression::None };
        let options = TableOptions { block_size: 200, compression, policy: DamagePolicy::STOP.verifying(verify), ..options() };
        let mut bytes = build(&rows(30), &options);
        for (at, value) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = exercise(&bytes, &options);
        reseal(&mut bytes);
        let _ = exercise(&bytes, &options);
    }
}
