//! Whole tables: compared with LevelDB's own files and with a model, damaged, and hostile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is how a failure is said")]

mod damage;
mod properties;

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

fn user_options() -> TableOptions {
    TableOptions { order: KeyOrder::BYTEWISE, filter_policy: None, ..options() }
}

#[test]
fn tables_are_identical_to_leveldbs() {
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
fn table_matches_the_worked_example() {
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
fn iterators_follow_the_contract_whether_reads_are_ready_or_pending() {
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
fn get_behaves_like_a_map() {
    let rows = rows(400);
    for options in variants() {
        let table = open(&TestFile::new(build(&rows, &options)), &options).unwrap();
        for read in reads() {
            for (i, (key, value)) in rows.iter().enumerate() {
                let (lookup, found) = block_on(table.get(key, read, &mut (), |k, v| (k == key, v == value))).unwrap();
                assert_eq!(found, Some((true, true)), "row {i}");
                assert!(matches!(lookup, Lookup::Block { .. }));
            }
            let mut no = 0;
            for i in 0..400u64 {
                let missing = key(format!("key{:08}", i * 2 + 1).as_bytes(), 1);
                match block_on(table.get(&missing, read, &mut (), |k, _| k == missing)).unwrap() {
                    (Lookup::FilterNo { .. }, None) => no += 1,
                    (_, found) => assert_ne!(found, Some(true)),
                }
            }
            assert!(no > 370, "{no}");
        }
        let behind = block_on(table.get(&key(b"l", 1), READ, &mut (), |_, _| ())).unwrap();
        assert_eq!(behind, (Lookup::PastEnd, None));
        assert!(table.memory() > 400);
    }
}

#[test]
fn approximate_offsets_increase_with_the_key() {
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
fn a_pending_move_reads_once_and_continues_where_it_stopped() {
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
fn reading_ahead_needs_fewer_reads_and_none_past_the_data() {
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
fn a_builder_refuses_unordered_keys_and_lost_appends() {
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
fn tables_work_with_other_comparators() {
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
fn long_keys_and_long_restart_intervals_are_iterated_backwards() {
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
