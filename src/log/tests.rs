//! The reader and the writer together. The first part has the cases of LevelDB's `db/log_test.cc` (but those that begin to
//! read in the middle of a file, which nobody does).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is how a failure is said")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::scan::Found;
use super::writer::frame_record;
use super::*;
use crate::base::to_u64;
use crate::env::{Access, Durability, Env, File, FileKind, Io, MemoryEnv, try_now};
use crate::error::Error;

const COMPAT: Semantics = Semantics::Compat { verify: true };

/// A log in memory, written by `frame_record`.
#[derive(Clone, Default)]
struct Log {
    bytes: Vec<u8>,
}

/// What LevelDB's tests look at.
#[derive(Debug, PartialEq)]
struct Outcome {
    records: Vec<Vec<u8>>,
    dropped: u64,
    reasons: Vec<String>,
}

impl Log {
    fn of(records: &[&[u8]]) -> Log {
        let mut log = Log::default();
        for record in records {
            log.write(record);
        }
        log
    }

    fn write(&mut self, record: &[u8]) {
        let offset = to_u64(self.bytes.len());
        let end = frame_record(record, offset, &mut self.bytes);
        assert_eq!(end, to_u64(self.bytes.len()));
    }

    fn set_type(&mut self, header: usize, type_byte: u8) {
        self.bytes[header + 6] = type_byte;
        self.fix_checksum(header);
    }

    fn fix_checksum(&mut self, header: usize) {
        let found = FragmentHeader::decode(&self.bytes[header..]).unwrap();
        let sum = checksum(&self.bytes[header..header + found.size()]).to_le_bytes();
        self.bytes[header..header + 4].copy_from_slice(&sum);
    }

    fn shrink(&mut self, by: usize) {
        self.bytes.truncate(self.bytes.len() - by);
    }

    fn reader(&self, semantics: Semantics) -> LogReader {
        LogReader::from_bytes(self.bytes.clone(), "000001.log".into(), semantics)
    }

    /// Reads to the end, from memory and from a file: the same comes out.
    fn read(&self) -> Outcome {
        let outcome = read_all(&mut self.reader(COMPAT));
        let env = MemoryEnv::new();
        env.write("000001.log", &self.bytes);
        let mut reader = now(LogReader::open(&env, "000001.log", COMPAT)).unwrap();
        assert_eq!(read_all(&mut reader), outcome);
        outcome
    }

    /// The prefix of whole records, and how it ends.
    fn prefix(&self) -> (Vec<Record>, Tail) {
        let mut reader = self.reader(Semantics::Prefix);
        let mut records = Vec::new();
        while let Some(record) = now(reader.next_record()).unwrap() {
            assert_eq!(record.end, reader.good_end());
            records.push(record);
        }
        assert_eq!(now(reader.next_record()), Ok(None));
        (records, reader.tail().clone())
    }

    fn prefix_data(&self) -> Vec<Vec<u8>> {
        self.prefix().0.into_iter().map(|r| r.data).collect()
    }

    /// All that a scan from `offset` finds: where and what.
    fn scan(&self, mut offset: u64) -> Vec<(u64, FragmentType)> {
        let mut reader = self.reader(Semantics::Prefix);
        let mut all = Vec::new();
        while let Some(found) = now(reader.scan_for_valid_after(offset)).unwrap() {
            assert!(found.end > found.offset && found.offset >= offset);
            offset = found.end;
            all.push((found.offset, found.kind));
        }
        all
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    try_now(future).unwrap()
}

fn read_all(reader: &mut LogReader) -> Outcome {
    let mut records = Vec::new();
    while let Some(record) = now(reader.next_record()).unwrap() {
        records.push(record.data);
    }
    assert_eq!(now(reader.next_record()), Ok(None));
    let dropped = reader.damage_bytes();
    let reasons = reader.take_damages().into_iter().map(|d| d.reason.into_owned()).collect();
    Outcome { records, dropped, reasons }
}

fn big(text: &str, length: usize) -> Vec<u8> {
    text.bytes().cycle().take(length).collect()
}

#[track_caller]
fn check(log: &Log, records: &[&[u8]], dropped: u64, reasons: &[&str]) {
    let outcome = log.read();
    assert_eq!((outcome.dropped, outcome.reasons), (dropped, reasons.iter().map(ToString::to_string).collect()));
    assert_eq!(outcome.records, records);
}

// The cases of LevelDB.

#[test]
fn an_empty_log_has_no_records() {
    check(&Log::default(), &[], 0, &[]);
}

#[test]
fn records_are_read_as_written() {
    let records: [&[u8]; 4] = [b"foo", b"bar", b"", b"xxxx"];
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn many_blocks_are_read_as_written() {
    let records: Vec<_> = (0..100_000).map(|i| format!("{i}.").into_bytes()).collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn long_records_are_cut_and_joined() {
    let records: [&[u8]; 3] = [b"small", &big("medium", 50_000), &big("large", 100_000)];
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn an_empty_record_fits_a_trailer_of_its_size() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE);
    let mut log = Log::of(&[&first]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE - HEADER_SIZE);
    log.write(b"");
    assert_eq!(log.bytes.len(), BLOCK_SIZE);
    log.write(b"bar");
    check(&log, &[&first, b"", b"bar"], 0, &[]);
}

#[test]
fn a_record_begins_with_an_empty_fragment_in_a_trailer_of_that_size() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE);
    let log = Log::of(&[&first, b"bar"]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE + HEADER_SIZE + 3);
    assert_eq!(log.bytes[BLOCK_SIZE - 3..BLOCK_SIZE], [0, 0, 2]);
    check(&log, &[&first, b"bar"], 0, &[]);
}

#[test]
fn a_trailer_too_short_for_a_header_is_zeros() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE + 4);
    let mut log = Log::of(&[&first]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE - HEADER_SIZE + 4);
    log.write(b"");
    log.write(b"bar");
    assert_eq!(log.bytes[BLOCK_SIZE - 3..BLOCK_SIZE], [0, 0, 0]);
    check(&log, &[&first, b"", b"bar"], 0, &[]);
}

#[test]
fn a_file_may_end_before_its_trailer() {
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE + 4);
    let log = Log::of(&[&first]);
    assert_eq!(log.bytes.len(), BLOCK_SIZE - HEADER_SIZE + 4);
    check(&log, &[&first], 0, &[]);
    assert_eq!(log.prefix().1, Tail::Clean);
}

#[test]
fn a_log_reopened_for_appending_goes_on_at_its_place_in_the_block() {
    for length in [5, 40_000, BLOCK_SIZE - 2 * HEADER_SIZE, BLOCK_SIZE - 2 * HEADER_SIZE + 4, BLOCK_SIZE - HEADER_SIZE]
    {
        let env = Rc::new(MemoryEnv::new());
        let file = now(env.create("000001.log", FileKind::Log, 0)).unwrap();
        let first = LogWriter::new(env.clone(), file, "000001.log".into(), 0);
        now(first.add_record(&big("hello", length))).unwrap();
        let file = now(env.open("000001.log", Access::Append)).unwrap();
        let second = LogWriter::new(env.clone(), file, "000001.log".into(), first.size());
        now(second.add_record(b"world")).unwrap();
        let log = Log { bytes: env.read("000001.log").unwrap() };
        assert_eq!(to_u64(log.bytes.len()), second.size());
        check(&log, &[&big("hello", length), b"world"], 0, &[]);
    }
}

#[test]
fn records_of_random_sizes_are_read_as_written() {
    let mut state = 301u64;
    let records: Vec<_> = (0..500)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = (state >> 33) & ((1 << (state >> 60)) - 1);
            big(&format!("{i}."), length as usize)
        })
        .collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    check(&Log::of(&records), &records, 0, &[]);
}

#[test]
fn a_failed_read_is_an_error_and_ends_the_log() {
    let file = Rc::new(Faulty { fail_reads: true.into(), ..Faulty::default() });
    let mut reader = LogReader::from_file(file, "000001.log".into(), COMPAT);
    assert_eq!(now(reader.next_record()).unwrap_err().code(), "io");
    assert_eq!(now(reader.next_record()), Ok(None));
}

#[test]
fn an_unknown_type_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.set_type(0, 101);
    check(&log, &[], 3, &["unknown record type 101"]);
}

#[test]
fn a_header_cut_off_at_the_end_is_ignored() {
    let mut log = Log::of(&[b"foo"]);
    log.shrink(4);
    check(&log, &[], 0, &[]);
}

#[test]
fn a_length_past_the_end_of_a_full_block_is_reported() {
    let first = big("bar", BLOCK_SIZE - HEADER_SIZE);
    let mut log = Log::of(&[&first, b"foo"]);
    log.bytes[4] = log.bytes[4].wrapping_add(1);
    check(&log, &[b"foo"], to_u64(BLOCK_SIZE), &["bad record length"]);
}

#[test]
fn a_length_past_the_end_of_the_file_is_ignored() {
    let mut log = Log::of(&[b"foo"]);
    log.shrink(1);
    check(&log, &[], 0, &[]);
}

#[test]
fn a_wrong_checksum_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.bytes[0] = log.bytes[0].wrapping_add(10);
    check(&log, &[], 10, &["checksum mismatch"]);
}

#[test]
fn a_middle_without_a_first_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.set_type(0, 3);
    check(&log, &[], 3, &["missing start of fragmented record(1)"]);
}

#[test]
fn a_last_without_a_first_is_reported() {
    let mut log = Log::of(&[b"foo"]);
    log.set_type(0, 4);
    check(&log, &[], 3, &["missing start of fragmented record(2)"]);
}

#[test]
fn a_full_record_inside_another_is_reported() {
    let mut log = Log::of(&[b"foo", b"bar"]);
    log.set_type(0, 2);
    check(&log, &[b"bar"], 3, &["partial record without end(1)"]);
}

#[test]
fn a_first_fragment_inside_another_record_is_reported() {
    let long = big("bar", 100_000);
    let mut log = Log::of(&[b"foo", &long]);
    log.set_type(0, 2);
    check(&log, &[&long], 3, &["partial record without end(2)"]);
}

#[test]
fn a_missing_last_fragment_is_ignored() {
    let mut log = Log::of(&[&big("bar", BLOCK_SIZE)]);
    log.shrink(14);
    check(&log, &[], 0, &[]);
}

#[test]
fn a_last_fragment_cut_off_is_ignored() {
    let mut log = Log::of(&[&big("bar", BLOCK_SIZE)]);
    log.shrink(1);
    check(&log, &[], 0, &[]);
}

#[test]
fn fragments_of_two_records_are_never_joined() {
    let mut log = Log::of(&[&big("foo", BLOCK_SIZE), &big("bar", BLOCK_SIZE), b"correct"]);
    log.bytes[BLOCK_SIZE..2 * BLOCK_SIZE].fill(b'x');
    let outcome = log.read();
    assert_eq!(outcome.records, [b"correct"]);
    let block = to_u64(BLOCK_SIZE);
    assert!((2 * block..=2 * block + 100).contains(&outcome.dropped), "{}", outcome.dropped);
}

// What LevelDB's reader does beside its tests.

#[test]
fn the_worked_example() {
    let batch = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0x61, 1, 0x31];
    let log = Log::of(&[&batch]);
    assert_eq!(log.bytes[..7], [0xe9, 0x9f, 0x78, 0x19, 0x11, 0, 1]);
    assert_eq!(log.bytes[7..], batch);
    check(&log, &[&batch], 0, &[]);
}

#[test]
fn one_flipped_byte_loses_the_rest_of_its_block_and_no_more() {
    let records: Vec<_> = (0..2000).map(|i| big(&format!("record {i} "), 100)).collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let mut log = Log::of(&records);
    log.bytes[10] ^= 1;
    let outcome = log.read();
    assert_eq!(outcome.dropped, to_u64(BLOCK_SIZE) + 81);
    assert_eq!(outcome.reasons, ["checksum mismatch", "missing start of fragmented record(2)"]);
    assert_eq!(outcome.records, records[BLOCK_SIZE / 107 + 1..]);
}

#[test]
fn space_set_aside_is_skipped_in_silence_up_to_the_next_block() {
    let mut log = Log::of(&[b"foo"]);
    log.bytes.resize(BLOCK_SIZE, 0);
    log.write(b"bar");
    check(&log, &[b"foo", b"bar"], 0, &[]);
    let mut inside = Log::of(&[&big("foo", 40_000)]);
    inside.bytes.truncate(BLOCK_SIZE);
    inside.bytes.resize(2 * BLOCK_SIZE, 0);
    inside.write(b"bar");
    check(&inside, &[b"bar"], to_u64(BLOCK_SIZE - HEADER_SIZE), &["error in middle of record"]);
}

#[test]
fn an_empty_first_fragment_of_an_old_writer_is_dropped_in_silence() {
    for next in [b"bar".to_vec(), big("bar", 100_000)] {
        let mut log = Log::of(&[b""]);
        log.set_type(0, 2);
        log.write(&next);
        check(&log, &[&next], 0, &[]);
        assert_eq!(log.prefix_data(), [next]);
        assert_eq!(log.prefix().1, Tail::Clean);
    }
}

#[test]
fn two_unknown_types_are_what_leveldb_takes_them_for() {
    let mut log = Log::of(&[b"one", b"two", b"three"]);
    log.set_type(10, 6);
    check(&log, &[b"one", b"three"], 0, &[]);
    log.set_type(10, 5);
    check(&log, &[b"one"], 0, &[]);
    log.set_type(10, 0);
    check(&log, &[b"one", b"three"], 3, &["unknown record type 0"]);
    assert!(matches!(log.prefix(), (records, Tail::Torn { offset: 10, .. }) if records.len() == 1));
}

#[test]
fn without_verification_checksums_do_not_matter() {
    let mut log = Log::of(&[b"foo", b"bar"]);
    log.bytes[8] = b'x';
    let mut reader = log.reader(Semantics::Compat { verify: false });
    let expected = Outcome { records: vec![b"fxo".to_vec(), b"bar".to_vec()], dropped: 0, reasons: vec![] };
    assert_eq!(read_all(&mut reader), expected);
}

#[test]
fn a_hostile_file_cannot_fill_the_memory_with_complaints() {
    let mut log = Log::default();
    for _ in 0..5000 {
        log.bytes.extend_from_slice(&checksum(&[0, 0, 0, 0, 0, 0, 9]).to_le_bytes());
        log.bytes.extend_from_slice(&[0, 0, 9]);
        if BLOCK_SIZE - log.bytes.len() % BLOCK_SIZE < HEADER_SIZE {
            log.bytes.resize(log.bytes.len().next_multiple_of(BLOCK_SIZE), 0);
        }
    }
    let mut reader = log.reader(COMPAT);
    assert_eq!(now(reader.next_record()), Ok(None));
    assert_eq!((reader.damage_count(), reader.take_damages().len()), (5000, 1000));
}

// The prefix, and what its end means.

#[test]
fn the_end_of_the_prefix_is_told() {
    let whole = Log::of(&[b"foo", b"bar"]);
    assert_eq!(whole.prefix().1, Tail::Clean);
    let mut zeros = whole.clone();
    zeros.bytes.resize(100_000, 0);
    assert_eq!(zeros.prefix().1, Tail::Zeros { offset: 20 });
    zeros.bytes.truncate(23);
    assert_eq!(zeros.prefix().1, Tail::Zeros { offset: 20 });
    zeros.bytes.resize(100_000, 0);
    zeros.bytes[99_999] = 1;
    let reason = "record type 0, expected 1 to 4".to_owned();
    assert_eq!(zeros.prefix().1, Tail::Torn { offset: 20, reason });
    let mut flipped = whole.clone();
    flipped.bytes[18] ^= 1;
    let (records, Tail::Torn { offset: 10, reason }) = flipped.prefix() else { panic!() };
    assert!(reason.starts_with("checksum mismatch: "), "{reason}");
    assert_eq!(records, [Record { offset: 0, end: 10, data: b"foo".to_vec() }]);
    let mut cut = whole;
    cut.shrink(1);
    let reason = "record cut off: 2 bytes, expected 3".to_owned();
    assert_eq!(cut.prefix().1, Tail::Torn { offset: 10, reason });
}

#[test]
fn a_record_without_its_end_is_torn_where_the_file_ends() {
    let mut log = Log::of(&[b"foo", &big("bar", 100_000)]);
    log.bytes.truncate(2 * BLOCK_SIZE);
    let reason = "the file ends inside the record that begins at offset 10".to_owned();
    let (records, tail) = log.prefix();
    assert_eq!((records.len(), tail), (1, Tail::Torn { offset: to_u64(2 * BLOCK_SIZE), reason }));
    assert_eq!(log.scan(to_u64(2 * BLOCK_SIZE)), []);
}

#[test]
fn a_trailer_that_is_not_zeros_is_noticed_and_harmless() {
    let first = big("foo", BLOCK_SIZE - HEADER_SIZE - 4);
    let mut log = Log::of(&[&first, b"bar"]);
    assert_eq!(log.reader(Semantics::Prefix).odd_trailer(), None);
    log.bytes[BLOCK_SIZE - 1] = 1;
    let mut reader = log.reader(Semantics::Prefix);
    assert_eq!(read_all(&mut reader).records, [first, b"bar".to_vec()]);
    assert_eq!(reader.odd_trailer(), Some(to_u64(BLOCK_SIZE - 4)));
}

#[test]
fn records_longer_than_the_limit_are_refused() {
    let log = Log::of(&[b"foo", &big("bar", 100_000), b"baz"]);
    for semantics in [COMPAT, Semantics::Prefix] {
        let mut reader = log.reader(semantics);
        reader.set_record_size_max(50_000);
        assert_eq!(now(reader.next_record()).unwrap().unwrap().data, b"foo");
        assert_eq!(now(reader.next_record()).unwrap_err().code(), "limit-exceeded");
        assert_eq!(now(reader.next_record()), Ok(None));
    }
}

// Looking on behind damage.

#[test]
fn a_later_record_is_found_behind_any_single_damage() {
    let records: Vec<_> = (0..400).map(|i| big(&format!("record {i} "), 50 + i)).collect();
    let records: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let whole = Log::of(&records);
    let offsets: Vec<u64> = whole.prefix().0.iter().map(|r| r.offset).collect();
    for at in (0..whole.bytes.len() - 1000).step_by(97) {
        let mut log = whole.clone();
        log.bytes[at] ^= 0x55;
        let (records, Tail::Torn { offset, .. }) = log.prefix() else { panic!("{at}") };
        let found = log.scan(offset);
        let next = offsets.iter().find(|o| **o > to_u64(at)).unwrap();
        let begins = |kind| matches!(kind, FragmentType::Full | FragmentType::First);
        let first = found.iter().find(|(_, kind)| begins(*kind)).unwrap();
        assert_eq!(first.0, *next, "{at}: {} records before", records.len());
    }
}

#[test]
fn a_scan_tells_the_beginning_of_the_payload() {
    let mut log = Log::of(&[b"first", b"0123456789abcdef", b"short"]);
    log.bytes[8] ^= 1;
    let mut reader = log.reader(Semantics::Prefix);
    let found = now(reader.scan_for_valid_after(0)).unwrap().unwrap();
    let expected = Found { offset: 12, end: 35, kind: FragmentType::Full, head: b"0123456789ab".to_vec() };
    assert_eq!(found, expected);
    assert!(found.begins_record());
    let found = now(reader.scan_for_valid_after(found.end)).unwrap().unwrap();
    assert_eq!((found.offset, &found.head[..]), (35, &b"short"[..]));
    assert_eq!(now(reader.scan_for_valid_after(found.end)), Ok(None));
    assert_eq!(now(reader.scan_for_valid_after(u64::MAX / 2)), Ok(None));
}

#[test]
fn random_bytes_hold_no_records_and_do_not_hide_one() {
    let mut state = 1u64;
    let mut random = |count: usize| -> Vec<u8> {
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect()
    };
    let mut log = Log { bytes: random(3 * BLOCK_SIZE + 777) };
    assert_eq!(log.scan(0), []);
    let at = to_u64(log.bytes.len());
    log.write(b"here");
    log.bytes.extend(random(50_000));
    assert_eq!(log.scan(5), [(at, FragmentType::Full)]);
}

#[test]
fn bytes_made_to_slow_the_scan_down_do_not() {
    // Every byte could be the type of a long fragment, and none is.
    let mut log = Log { bytes: [1u8, 0x20].repeat(20 * BLOCK_SIZE) };
    assert_eq!(log.scan(0), []);
    let at = 30 * BLOCK_SIZE;
    log.bytes.truncate(at);
    log.write(b"the first of a block is always seen");
    log.bytes.extend([1u8, 0x20].repeat(BLOCK_SIZE));
    assert_eq!(log.scan(0), [(to_u64(at), FragmentType::Full)]);
}

// The writer and its storage.

/// A file that fails as told.
#[derive(Default)]
struct Faulty {
    bytes: RefCell<Vec<u8>>,
    fail_reads: Cell<bool>,
    /// The next append takes this many bytes, then fails (or lies).
    take: Cell<Option<usize>>,
    lie: Cell<bool>,
    fail_truncate: Cell<bool>,
    fail_sync: Cell<bool>,
    hang: Cell<bool>,
}

fn failure<T>(operation: &'static str) -> Io<T> {
    Io::ready(Err(Error::io("000001.log", operation, std::io::ErrorKind::Other, "told to fail")))
}

impl File for Faulty {
    fn read_at(&self, _: u64, _: usize) -> Io<Vec<u8>> {
        if self.fail_reads.get() { failure("read") } else { Io::ready(Ok(Vec::new())) }
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        let take = self.take.take();
        self.bytes.borrow_mut().extend_from_slice(&data[..take.unwrap_or(data.len())]);
        if self.hang.get() {
            return Io::pending(std::future::pending());
        }
        if take.is_some() && !self.lie.get() { failure("append") } else { Io::ready(Ok(to_u64(data.len()))) }
    }

    fn sync(&self) -> Io<Durability> {
        if self.fail_sync.take() { failure("sync") } else { Io::ready(Ok(Durability::Durable)) }
    }

    fn truncate(&self, size: u64) -> Io<()> {
        if self.fail_truncate.take() {
            return failure("truncate");
        }
        self.bytes.borrow_mut().truncate(usize::try_from(size).unwrap());
        Io::ready(Ok(()))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(to_u64(self.bytes.borrow().len())))
    }
}

fn faulty() -> (Rc<Faulty>, LogWriter) {
    let env = MemoryEnv::new();
    env.set_appends_are_exact(false);
    let file = Rc::new(Faulty::default());
    let writer = LogWriter::new(Rc::new(env), file.clone(), "000001.log".into(), 0);
    (file, writer)
}

#[test]
fn a_failed_append_is_cut_off_and_the_log_goes_on() {
    for lie in [false, true] {
        for taken in [0, 3, 9] {
            let (file, writer) = faulty();
            now(writer.add_record(b"foo")).unwrap();
            file.lie.set(lie);
            file.take.set(Some(taken));
            assert_eq!(now(writer.add_record(b"lost")).unwrap_err().code(), "io");
            assert!(!writer.is_ready());
            assert_eq!(writer.size(), 10);
            assert_eq!(now(writer.add_record(b"early")).unwrap_err().code(), "poisoned");
            file.fail_truncate.set(true);
            assert!(now(writer.truncate_to_good()).is_err());
            assert_eq!(now(writer.add_record(b"early")).unwrap_err().code(), "poisoned");
            now(writer.truncate_to_good()).unwrap();
            now(writer.add_record(b"bar")).unwrap();
            let log = Log { bytes: file.bytes.borrow().clone() };
            check(&log, &[b"foo", b"bar"], 0, &[]);
            assert_eq!(to_u64(log.bytes.len()), writer.size());
        }
    }
}

#[test]
fn a_dropped_append_must_be_cut_off_too() {
    let (file, writer) = faulty();
    file.hang.set(true);
    assert!(try_now(writer.add_record(b"lost")).is_none());
    file.hang.set(false);
    assert_eq!(now(writer.add_record(b"early")).unwrap_err().code(), "poisoned");
    now(writer.truncate_to_good()).unwrap();
    now(writer.add_record(b"bar")).unwrap();
    check(&Log { bytes: file.bytes.borrow().clone() }, &[b"bar"], 0, &[]);
}

#[test]
fn a_failed_sync_is_final() {
    let (file, writer) = faulty();
    now(writer.add_record(b"foo")).unwrap();
    assert_eq!(now(writer.sync()), Ok(Durability::Durable));
    file.fail_sync.set(true);
    assert_eq!(now(writer.sync()).unwrap_err().code(), "io");
    assert_eq!(now(writer.sync()).unwrap_err().code(), "poisoned");
    now(writer.truncate_to_good()).unwrap();
    assert_eq!(now(writer.add_record(b"bar")).unwrap_err().code(), "poisoned");
}

#[test]
fn a_huge_record_is_appended_in_pieces_that_join() {
    let (file, writer) = faulty();
    let huge = big("0123456789", (9 << 20) + 5);
    for record in [b"a".as_slice(), &huge, b"b"] {
        now(writer.add_record(record)).unwrap();
    }
    let log = Log { bytes: file.bytes.borrow().clone() };
    assert_eq!(log.bytes, Log::of(&[b"a", &huge, b"b"]).bytes);
    assert_eq!(log.prefix_data(), [b"a".to_vec(), huge, b"b".to_vec()]);
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Sizes that like the end of a block.
    fn sizes() -> impl Strategy<Value = Vec<usize>> {
        let near = (0usize..40).prop_map(|n| BLOCK_SIZE - 27 + n);
        vec(prop_oneof![4 => 0usize..300, 2 => near, 1 => 0usize..100_000], 1..12)
    }

    fn written(sizes: &[usize]) -> (Log, Vec<Vec<u8>>) {
        let records: Vec<_> = sizes.iter().enumerate().map(|(i, size)| big(&format!("{i}:{size} "), *size)).collect();
        let slices: Vec<_> = records.iter().map(Vec::as_slice).collect();
        (Log::of(&slices), records)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
        #[test]
        fn records_come_back(sizes in sizes()) {
            let (log, records) = written(&sizes);
            let outcome = log.read();
            prop_assert_eq!(outcome.dropped, 0);
            prop_assert_eq!(&outcome.records, &records);
            let (prefix, tail) = log.prefix();
            prop_assert_eq!(tail, Tail::Clean);
            let mut end = 0;
            for record in &prefix {
                prop_assert!(record.offset >= end && record.offset - end < HEADER_SIZE_U64);
                end = record.end;
            }
            prop_assert_eq!(end, to_u64(log.bytes.len()));
            prop_assert_eq!(prefix.into_iter().map(|r| r.data).collect::<Vec<_>>(), records);
        }

        #[test]
        fn a_cut_log_gives_a_prefix(sizes in sizes(), cut: prop::sample::Index) {
            let (mut log, records) = written(&sizes);
            let whole = log.prefix().0;
            let cut = cut.index(log.bytes.len() + 1);
            log.bytes.truncate(cut);
            let count = whole.iter().filter(|r| r.end <= to_u64(cut)).count();
            let outcome = log.read();
            prop_assert_eq!(&outcome.records[..], &records[..count]);
            prop_assert_eq!(outcome.dropped, 0);
            let (prefix, tail) = log.prefix();
            prop_assert_eq!(&prefix[..], &whole[..count]);
            let end = prefix.last().map_or(0, |r| r.end);
            prop_assert_eq!(tail == Tail::Clean, end == to_u64(cut));
            if let Tail::Torn { offset, .. } = tail {
                prop_assert!(log.scan(offset).is_empty());
            }
        }

        #[test]
        fn one_flipped_bit_gives_a_part_and_never_a_wrong_record(
            sizes in sizes(), at: prop::sample::Index, bit in 0u8..8,
        ) {
            let (mut log, records) = written(&sizes);
            let at = at.index(log.bytes.len());
            log.bytes[at] ^= 1 << bit;
            let mut rest = records.iter();
            for record in log.read().records {
                prop_assert!(rest.any(|r| *r == record));
            }
            prop_assert!(records.starts_with(&log.prefix_data()));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            mut bytes in vec(prop_oneof![Just(0u8), 0u8..5, any::<u8>()], 0..200), at in 0usize..3, fix: bool,
        ) {
            let mut log = Log { bytes: vec![0; at * BLOCK_SIZE - at.min(1) * 20] };
            log.bytes.append(&mut bytes);
            let header = log.bytes.len().saturating_sub(150);
            if fix && FragmentHeader::decode(&log.bytes[header..]).is_some_and(|h| header + h.size() <= log.bytes.len()) {
                log.fix_checksum(header);
            }
            log.read();
            let mut reader = log.reader(Semantics::Compat { verify: false });
            read_all(&mut reader);
            log.prefix();
            log.scan(0);
        }
    }
}

#[test]
fn a_log_cut_at_every_byte_gives_a_prefix() {
    let records: Vec<_> = (0..30).map(|i| big(&format!("record {i} "), i * i)).collect();
    let slices: Vec<_> = records.iter().map(Vec::as_slice).collect();
    let whole = Log::of(&slices);
    let ends: Vec<_> = whole.prefix().0.iter().map(|r| r.end).collect();
    for cut in 0..whole.bytes.len() {
        let log = Log { bytes: whole.bytes[..cut].to_vec() };
        let count = ends.iter().filter(|end| **end <= to_u64(cut)).count();
        let mut reader = log.reader(COMPAT);
        assert_eq!(read_all(&mut reader).records, records[..count]);
        let (prefix, tail) = log.prefix();
        assert_eq!(prefix.len(), count);
        assert_eq!(tail == Tail::Clean, cut == 0 || ends.contains(&to_u64(cut)));
    }
}
